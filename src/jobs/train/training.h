/* jobs/train/training.h - all that one training step needs, made from a job and its parts: order,
 * loader settings, fitted transforms, net, optimiser, schedule, stepper.  `train` runs it over
 * epochs and writes a run folder (trainer.h), `lr-range` over a sweep of rates; cross-validation
 * brings parts of its own.
 *
 * Collective, and the same bits for any number of ranks.  Parts and job are borrowed until the
 * close.  ORR_ERR_OPTION for a job that does not fit the data, ORR_ERR_FORMAT for parts that
 * overlap or targets outside the bins.  What is allowed and seldom meant is in `cautions`. */
#ifndef ORR_JOBS_TRAIN_TRAINING_H
#define ORR_JOBS_TRAIN_TRAINING_H

#include "data/augment.h"
#include "data/loader.h"
#include "jobs/context/context.h"
#include "jobs/model/model.h"
#include "jobs/model/train_job.h"
#include "jobs/train/splits.h"
#include "jobs/train/step.h"
#include "nn/optimiser.h"
#include "nn/schedule.h"

typedef struct orr_training {
    orr_context *context;
    const orr_train_job *job;
    const orr_splits *parts;
    orr_text cautions;            /* sentences, a line each (cautions.h), not yet said */
    orr_text job_text;            /* resolved job, as job.yaml and the model have it */
    int32_t *train_labels;        /* of the training rows, for balanced sampling */
    int aux_columns[ORR_MAX_AUX]; /* of the training set */
    orr_model model;
    orr_seen earlier; /* what the weights that it began with had seen (warm_start.h) */
    orr_leaf_plan plan;
    orr_order *order;
    orr_augment *augment;
    orr_net *net; /* also planned for predicting the other parts */
    orr_optimiser *optimiser;
    orr_schedule schedule;
    orr_loader_opts loader; /* first_epoch and first_step are the caller's to set */
    orr_stepper *stepper;
    int64_t steps_per_epoch;
} orr_training;

/* Also checks that the parts share no samples (data.overlap), that train.select is defined for what
 * the model answers, and that there are no more ranks than leaves.  To be closed also after a
 * failure. */
orr_status orr_training_open(orr_training *t, orr_context *context, const orr_train_job *job,
                             const orr_splits *parts);
void orr_training_close(orr_training *t); /* zeroed is fine */
#endif
