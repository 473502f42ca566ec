/* stats/spread_private.h - what regression.c and redshift.c share: medians.  Private to this
 * folder. sigma_mad is the scaled median absolute deviation of photometric redshift work (Hoaglin,
 * Mosteller and Tukey 1983).   Not collective. */
#ifndef ORR_STATS_SPREAD_PRIVATE_H
#define ORR_STATS_SPREAD_PRIVATE_H

#include <stdint.h>

void orr_sort_rising(double *d, int64_t n);
/* 1.4826 median|d - median d| of n > 0 finite numbers; spends d. */
double orr_sigma_mad(double *d, int64_t n);

#endif
