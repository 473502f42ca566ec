/* jobs/context/skew.h - who is slow, and with what.
 *
 * The seconds of a training step are of three kinds, clocked before the ranks meet, since after
 * that all have waited for the slowest and look alike:
 *   input     waiting for the loader's next batch
 *   wait      blocked on other ranks: from where the sums over all ranks begin to their end
 *             (jobs/train/step.h), also those of batch norm over the batch
 *   compute   all else of the step: its own forward, backward, optimiser
 * A rank that is slow has much of the first or the last and little wait; the others wait.  The
 * straggler is the rank with the most compute + input, when that is more than ORR_SKEW_FACTOR times
 * the (lower) median of the ranks; its cause is the one of the two that is further above its
 * median.
 *
 * Each rank adds up on its own; now and then, at a step that all agree on, rank 0 is told. */
#ifndef ORR_JOBS_CONTEXT_SKEW_H
#define ORR_JOBS_CONTEXT_SKEW_H

#include "jobs/context/context.h"

#define ORR_SKEW_FACTOR 1.5

typedef struct orr_load {
    double compute, wait, input; /* seconds */
} orr_load;

typedef struct orr_straggler {
    int rank;               /* -1: there is none */
    const char *cause;      /* "compute" or "input" */
    double seconds, median; /* compute + input: its, and the ranks' */
} orr_straggler;

typedef struct orr_spread {
    double max, median, min;
} orr_spread;

typedef struct orr_skew {
    orr_context *context;
    orr_load mine; /* since the first step of this start */
    int64_t steps;
    /* rank 0's, NULL elsewhere: of each rank */
    char (*host)[64];
    orr_load *all;    /* as of the last gather, after gathered steps */
    orr_load *epoch;  /* as of the start of the epoch */
    orr_load *shown;  /* as of the gather before */
    orr_load *window; /* room for a difference */
    double *room;     /* for one number a rank */
    size_t *bytes;
    int64_t gathered, epoch_steps, shown_steps;
} orr_skew;

/* Hosts' names come to rank 0.  Collective; agreed.  To be freed also after a failure. */
orr_status orr_skew_create(orr_skew *s, orr_context *context);
void orr_skew_free(orr_skew *s); /* zeroed is fine */
static inline void orr_skew_add(orr_skew *s, double compute, double wait, double input)
{
    s->mine.compute += compute;
    s->mine.wait += wait;
    s->mine.input += input;
    s->steps++;
}
/* Rank 0 gets every rank's seconds so far.  Collective. */
orr_status orr_skew_gather(orr_skew *s);
/* What came since `before`, in s->window.  Not collective: rank 0. */
const orr_load *orr_skew_since(orr_skew *s, const orr_load *before);
/* The epoch begins; the last gather was shown. */
void orr_skew_mark(orr_skew *s, orr_load *place, int64_t *steps);

/* ---- of n ranks' seconds; room: n numbers ----  Not collective. */
/* less: seconds above the median that are not worth naming. */
void orr_straggler_find(orr_straggler *out, const orr_load *load, int n, double less, double *room);
/* which: offsetof(orr_load, ...); sizeof(orr_load): compute + input. */
orr_spread orr_spread_of(const orr_load *load, int n, size_t which, double *room);

#endif
