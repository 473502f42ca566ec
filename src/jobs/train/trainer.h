/* jobs/train/trainer.h - data-parallel training of one net by all ranks of the context.
 *
 * Every rank holds the whole net and works on its leaves of each batch (core/leaves.h).  As
 * backward makes ranges of the gradient slab final, buckets of them start their reduction; the last
 * pass over the slab applies clipping and the optimiser.  Loss, counts and the control word
 * (signal) travel in one small ordered sum a step, so every rank takes the same decisions. All
 * functions are collective. */
#ifndef ORR_JOBS_TRAIN_TRAINER_H
#define ORR_JOBS_TRAIN_TRAINER_H

#include "jobs/context/context.h"
#include "jobs/model/train_job.h"
#include "jobs/train/splits.h"

/* Trains (or goes on with) the job's run to its end, evaluates, writes predictions and, last of
 * all, the model.  From the first epoch on model.h5 is the best so far, and says so
 * (orr_model_is_interim); of a training on a group of a larger job it is there at the end alone:
 * that tells that it is complete. */
orr_status orr_train(orr_context *context, const orr_train_job *job);
/* The same on parts that the caller has made.  On a group of a larger job (context->quiet)
 * predictions are written in full, as .h5, and what there is to say of the job is the caller's. */
orr_status orr_train_parts(orr_context *context, const orr_train_job *job, const orr_splits *parts);

#endif
