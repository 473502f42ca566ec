/* jobs/train/train_watch.h - what a training says of itself while it goes on: its status file
 * (jobs/context/run_status.h), the ranks' seconds in timing.csv, and who is slow
 * (jobs/context/skew.h).  Nothing of it is a result. */
#ifndef ORR_JOBS_TRAIN_TRAIN_WATCH_H
#define ORR_JOBS_TRAIN_TRAIN_WATCH_H

#include "jobs/context/run.h"
#include "jobs/context/run_status.h"
#include "jobs/context/skew.h"
#include "jobs/train/checkpoint.h"
#include "jobs/train/step.h"
#include "jobs/train/training.h"

/* The columns of orr_train_watch_epoch, for the head of timing.csv: seconds of the epoch, over the
 * ranks; the straggler's rank and cause, empty when there is none. */
#define ORR_WATCH_COLUMNS                                                                          \
    ",compute_max,compute_median,compute_min,wait_max,wait_median,wait_min,input_max,"             \
    "input_median,input_min,straggler,cause"

typedef struct orr_train_watch {
    orr_context *context;
    orr_stepper *stepper;
    orr_skew skew;
    orr_run_status *status; /* rank 0's */
    orr_standing standing;
    const orr_train_state *state;
    double began, input;
    const char *phase; /* that was entered */
    int64_t span, phase_span;
    int64_t put; /* a checkpoint that may not have its name yet; < 0: none */
} orr_train_watch;

/* The run is ours, and its state is read.  Collective; agreed. */
orr_status orr_train_watch_open(orr_train_watch *w, const orr_training *t, const orr_run *run,
                                const orr_train_state *state, int resumed);
/* Something else than steps begins, and has ended: the supervisor, the status file and the timeline
 * are told.  phase: a literal. */
void orr_train_watch_enter(orr_train_watch *w, const char *phase);
void orr_train_watch_leave(orr_train_watch *w);
/* A step begins, with what the loader's consumer has waited so far; ends, once it is accounted for
 * in the state.  Collective at steps that rank 0 asked for. */
void orr_train_watch_begin(orr_train_watch *w, double input);
orr_status orr_train_watch_step(orr_train_watch *w, const orr_step_result *r, double input);
/* Before an epoch is written down: all ranks' seconds come to rank 0.  Collective. */
orr_status orr_train_watch_gather(orr_train_watch *w);
/* Appends the columns; warns of a straggler that cost more than 0.2 s.  Rank 0. */
void orr_train_watch_epoch(orr_train_watch *w, orr_text *timing);
/* The checkpoint of this step was put, and the one before has its name; settled: this one too. */
void orr_train_watch_saved(orr_train_watch *w, int settled);
void orr_train_watch_settled(orr_train_watch *w);              /* all that was put has */
void orr_train_watch_close(orr_train_watch *w, orr_status st); /* zeroed is fine */

#endif
