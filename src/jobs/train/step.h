/* jobs/train/step.h - one data-parallel training step.
 *
 * forward; loss; backward, whose finished ranges are gathered into buckets that start their
 * reduction while backward goes on; finish_grad, where layers have fewer parameters than weights;
 * norm of what that leaves; one small ordered sum of loss, counts and what ranks have to say; then
 * clipping, optimiser, running moments.  A step that is not finite is computed once more: all ranks
 * decide that by the small sum, as one whose gradients alone were spoiled must not.  Nothing is
 * allocated in a step.  With one rank and one segment there is nothing to reduce and nothing is
 * copied.
 *
 * Time is told apart where a rank first blocks on others: in the ends of the reductions and in the
 * small sum, and in the sums of batch norm over the batch, it waits; all before, between and after
 * is its own (jobs/context/skew.h).  Spans of the timeline: forward, loss, backward, reduce-wait
 * (also within the first two, for batch norm), optimiser.   Collective. */
#ifndef ORR_JOBS_TRAIN_STEP_H
#define ORR_JOBS_TRAIN_STEP_H

#include "data/loader.h"
#include "jobs/context/context.h"
#include "jobs/model/model.h"
#include "nn/optimiser.h"

typedef struct orr_step_opts {
    int leaves;
    orr_reduce_mode mode;
    double clip_norm;
    size_t bucket_bytes;
    int64_t batch; /* the largest whole batch */
} orr_step_opts;

typedef struct orr_stepper orr_stepper;

/* What a step tells every rank alike. */
typedef struct orr_step_result {
    double loss; /* sum over the whole batch's samples */
    int64_t samples, correct;
    double grad_norm;
    int stop;    /* a signal came to some rank */
    int skipped; /* not finite, twice: nothing was changed */
    int again;   /* not finite, and computed once more */
    int asked;   /* what rank 0 had asked for: ORR_ASKS_... */
    double wait; /* seconds that this rank was blocked on others: its own */
} orr_step_result;

/* Leaf sizes of whole batches of this many samples, as this rank's limits need them; appends to
 * sizes[*n] what is not there. */
void orr_step_leaf_sizes(const orr_leaf_plan *plan, int64_t batch, int *sizes, int *n);

orr_status orr_stepper_create(orr_stepper **out, orr_context *context, const orr_model *m,
                              orr_net *net, orr_optimiser *optimiser, const orr_leaf_plan *plan,
                              const orr_step_opts *o);
void orr_stepper_destroy(orr_stepper *s);
/* On rank 0, whose clock decides: the next step tells all ranks `asked`, so that they may meet
 * after it.  Adds to what was asked since the last step.  Not collective. */
enum {
    ORR_ASKS_SECONDS = 1 /* of the ranks, for the status */,
    ORR_ASKS_SAVE = 2,
    ORR_ASKS_END = 4
};
void orr_step_ask(orr_stepper *s, int what);
orr_status orr_step(orr_stepper *s, const orr_loaded *batch, double lr, orr_step_result *out);

#endif
