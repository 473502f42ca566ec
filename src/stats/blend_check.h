/* stats/blend_check.h - what the blends refuse.  Private to this folder. */
#ifndef ORR_STATS_BLEND_CHECK_H
#define ORR_STATS_BLEND_CHECK_H

#include "core/status.h"

#include <stdint.h>

/* Sizes, and every value: finite, and in [0, 1] when they are probabilities. */
orr_status orr_blend_check(const double *x, int64_t n, int m, int k, int probabilities);

#endif
