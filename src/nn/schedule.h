/* nn/schedule.h - the learning rate at a step.
 *   constant  lr
 *   onecycle  torch's OneCycleLR, two phases, cosine: T = steps in all, up = pct T - 1, down = T -
 * 1 - up, from lr/div up to lr, down to lr/div/final_div; lr is the maximum Source: Smith & Topin
 * 2019, arXiv:1708.07120 cosine    warm-up lr (s + 1)/(warmup + 1) for s < warmup, then lr_min +
 * (lr - lr_min)(1 + cos(pi q))/2 with q = (s - warmup)/(steps - warmup).  Source: Loshchilov &
 * Hutter 2017, arXiv:1608.03983, without restarts plateau   torch's ReduceLROnPlateau (relative
 * threshold): after more than patience epochs without an improvement the rate is multiplied by
 * factor, not below lr_min, no change under 1e-8 A step past the last one has the last one's rate.
 * A value that owns nothing: all that changes is in `state`, which a checkpoint copies.  A schedule
 * is one row of the table in schedule.c: adding one is a row, its functions, and the options that
 * no other has.   Not collective. */
#ifndef ORR_NN_SCHEDULE_H
#define ORR_NN_SCHEDULE_H

#include "core/options.h"
#include "core/status.h"

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct orr_schedule_opts {
    const char *kind;           /* constant | onecycle | cosine | plateau */
    double pct, div, final_div; /* onecycle: 0.3, 25, 1e4 */
    int64_t warmup;             /* cosine: steps */
    double lr_min;              /* cosine, plateau */
    double factor, threshold;   /* plateau: 0.1, 1e-4 */
    int patience;               /* plateau: epochs, 10 */
} orr_schedule_opts;
extern const orr_option orr_schedule_options[];

typedef struct orr_schedule_state {
    double lr; /* plateau: the rate now */
    double best;
    int64_t bad_epochs, has_best;
} orr_schedule_state;

typedef struct orr_schedule {
    const struct orr_schedule_kind *kind;
    orr_schedule_opts opts;
    double lr;     /* peak */
    int64_t steps; /* in all */
    int maximise;  /* plateau: the watched metric should grow */
    orr_schedule_state state;
} orr_schedule;

/* ORR_ERR_OPTION with what is wrong. */
orr_status orr_schedule_init(orr_schedule *s, const orr_schedule_opts *o, double lr,
                             int64_t total_steps, int maximise);
const char *orr_schedule_name(int i); /* of row i = 0, 1, ...; NULL past the last */
int orr_schedule_kind_help(int i, orr_kind_help *out); /* the same for --help; 0 past the last */
double orr_schedule_lr(const orr_schedule *s, int64_t step); /* step from 0 */
void orr_schedule_epoch_end(orr_schedule *s, double metric); /* plateau; nothing for the others */

#ifdef __cplusplus
}
#endif
#endif
