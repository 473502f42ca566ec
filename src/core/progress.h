/* core/progress.h - one line that tells how far a phase is: share, rate, time left.
 * On a terminal the line is redrawn in place at most ten times a second; elsewhere a plain line
 * appears every interval (10 s) and at the end.  Written to stderr.  Only rank 0 should create one;
 * NULL is accepted everywhere and does nothing.   Not collective. */
#ifndef ORR_CORE_PROGRESS_H
#define ORR_CORE_PROGRESS_H

#include "core/status.h"

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct orr_progress orr_progress;

/* "train: 1200/5000 samples, 24%, 3500/s, 1 s left".  total 0 = unknown. */
orr_status orr_progress_create(orr_progress **out, const char *phase, const char *unit,
                               int64_t total);
/* done so far (not an increment); note may be NULL or a short text such as "loss 0.31". */
void orr_progress_update(orr_progress *p, int64_t done, const char *note);
void orr_progress_end(orr_progress *p, const char *note); /* last line; also frees p */

#ifdef __cplusplus
}
#endif
#endif
