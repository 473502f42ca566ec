/* jobs/train/lr_range.h - the learning-rate range test: one training step a rate, rates growing
 * exponentially, until the loss runs away.  Source: Smith 2017, arXiv:1506.01186; smoothing and
 * stop as in fastai's and Lightning's lr_find; so is the suggestion, where the loss falls fastest,
 * but over a tenth of the rates and before the lowest loss.
 *
 * A step is train's own, in train's order of batches, over epochs where one is too short; the
 * optimiser's state goes on from step to step, train.schedule is left out.  The loss of a rate is
 * the mean over its batch before the step with that rate is made. */
#ifndef ORR_JOBS_TRAIN_LR_RANGE_H
#define ORR_JOBS_TRAIN_LR_RANGE_H

#include "jobs/train/training.h"

typedef struct orr_lr_range_opts {
    double from, to;
    int steps;        /* rates */
    double smoothing; /* weight of what went before in the running mean */
    double stop;      /* times the lowest smoothed loss; 0 = never */
    int skip;         /* first rates that are not judged; -1 = a tenth of steps */
    const char *format, *out;
    int overwrite;
} orr_lr_range_opts;
extern const orr_option orr_lr_range_options[];

typedef enum {
    ORR_SWEEP_COMPLETE, /* all rates tried */
    ORR_SWEEP_DIVERGED, /* the last smoothed loss is above stop times the lowest */
    ORR_SWEEP_NONFINITE /* the last rate gave a loss or gradient that is not finite */
} orr_sweep_end;

enum { ORR_SWEEP_REASON_MAX = 200 };
typedef struct orr_lr_range {
    int n;          /* rates tried */
    int n_smoothed; /* of them, those with a smoothed loss: all, or all but the last */
    int skip;       /* resolved */
    double *rates, *loss, *smoothed; /* [n]; NaN where there is none */
    orr_sweep_end end;
    int lowest;                        /* place of the lowest smoothed loss; -1: none */
    int suggested;                     /* place of the suggestion; -1: none, and why: */
    double fall, noise;                /* of the smoothed loss up to its lowest; noise: deviation */
    char reason[ORR_SWEEP_REASON_MAX]; /* "" where there is a suggestion */
} orr_lr_range;

/* Sweeps and suggests.  The training's net and optimiser are used up.  Collective, the same result
 * on every rank; ORR_ERR_INTERRUPTED after a signal.  To be freed also after a failure. */
orr_status orr_lr_range_run(orr_lr_range *r, orr_training *t, const orr_lr_range_opts *o);
void orr_lr_range_free(orr_lr_range *r); /* zeroed is fine */

/* The options, checked against one another.  Not collective. */
orr_status orr_lr_range_read(orr_lr_range_opts *o, const orr_config *config);
/* A sweep is long: whether its result has a place is known before it.  Not collective. */
orr_status orr_lr_range_check_out(const orr_lr_range_opts *o);
/* The whole of it: opens the data, sweeps, and rank 0 prints the result and writes o->out.
 * Collective; the same status on all ranks. */
orr_status orr_lr_range_test(orr_context *context, const orr_train_job *job,
                             const orr_lr_range_opts *o);

#endif
