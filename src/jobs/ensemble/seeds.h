/* jobs/ensemble/seeds.h - the same training from several seeds (train.seeds), and their mean.
 *
 * Each seed is a training of its own in run/tasks/seed-S, a complete run of `train` with its
 * checkpoints; groups of ranks share them out (tasks.h), and a training that is done is not done
 * again.  All have the same training, validation and test rows, read from the same windows;
 * weights, order, augmentation and dropout differ.  When all are done:
 *
 *   seeds.h5                 what each says of the validation and test rows (jobs/predict/oof.h):
 *                            with it the run is whole, and evaluate, predict and stack take it
 *   predictions-*.csv        of the mean of all, for validation and test rows
 *   report.json              scores of the mean, of each, and their spread
 *
 * Averaged are probabilities, values or densities, as in a cross-validation.   Collective; the same
 * status on all ranks, but after ORR_ERR_COMM. */
#ifndef ORR_JOBS_ENSEMBLE_SEEDS_H
#define ORR_JOBS_ENSEMBLE_SEEDS_H

#include "jobs/context/context.h"
#include "jobs/model/train_job.h"

/* Trains what is missing, gathers, reports.  job->train.seeds is given. */
orr_status orr_train_with_seeds(orr_context *context, const orr_train_job *job);

#endif
