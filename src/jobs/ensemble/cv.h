/* jobs/ensemble/cv.h - a cross-validation: folds x configurations x seeds x repeats.  And what
 * cv_*.c share.
 *
 * A task trains one configuration with one seed on all folds but one, in a run folder of its own
 * (run/tasks/NAME, a complete run of `train` with its checkpoints); a task that has model.h5 is
 * done: the ledger is the folders.  All tasks read the training set from the same windows, one copy
 * a node.  When all are done, predictions of the held-out rows become oof.h5 (jobs/predict/oof.h).
 */
#ifndef ORR_JOBS_ENSEMBLE_CV_H
#define ORR_JOBS_ENSEMBLE_CV_H

#include "jobs/context/run_status.h"
#include "jobs/ensemble/cv_job.h"
#include "jobs/model/samples.h"

typedef struct orr_cv {
    orr_context *context;
    const orr_cv_job *job;
    orr_samples train, test; /* test.set NULL: there is none */
    char identity[128];      /* of the training set */
    int n_folds, n_seeds, n_repeats;
    int64_t n;       /* rows of the training set */
    int32_t *fold;   /* [n_repeats][n] */
    int64_t *groups; /* [n]; NULL: none */
    int n_tasks;
    orr_run_status *status; /* rank 0's */
    orr_standing standing;
} orr_cv;

/* Task numbers run over folds, then repeats, then seeds, then configurations; columns likewise,
 * without the folds. */
typedef struct orr_cv_task {
    int configuration, repeat, fold;
    int64_t seed;
    int column;
} orr_cv_task;
orr_cv_task orr_cv_task_of(const orr_cv *cv, int i);
int orr_cv_n_columns(const orr_cv *cv);
orr_oof_column orr_cv_column(const orr_cv *cv, const orr_cv_task *t);
/* run/tasks/NAME/file ("" = the folder). */
orr_status orr_cv_task_path(const orr_cv *cv, int i, const char *file, char out[ORR_PATH_MAX]);

/* cv.groups into groups.  Every rank does the same.  Not collective. */
orr_status orr_cv_read_groups(orr_cv *cv);
/* Folds by the job: dealt, or from a file; by groups where there are some.  Every rank does the
 * same.  Not collective. */
orr_status orr_cv_make_folds(orr_cv *cv);
/* Asks each configuration and fold what a training would refuse or say (jobs/train/cautions.h), so
 * that it is refused, and said once, before the first one trains.  Every rank does the same.  Not
 * collective. */
orr_status orr_cv_check(const orr_cv *cv);
/* Trains what is not trained yet, of all folds or of those in cv.only.  Collective. */
orr_status orr_cv_train(orr_cv *cv);
/* Says in the status how many trainings are done.  Not collective. */
void orr_cv_stand(orr_cv *cv);
/* Trainings that are not done, of all folds.  Not collective. */
orr_status orr_cv_count_left(const orr_cv *cv, int *left);
/* All that oof.h5 holds but the predictions.  ORR_ERR_OPTION when configurations answer
 * differently.  Not collective; o is to be freed also after a failure. */
orr_status orr_cv_describe(const orr_cv *cv, orr_oof *o);
/* Writes oof.h5 from what the tasks have predicted.  Collective. */
orr_status orr_cv_gather(orr_cv *cv, const orr_oof *o);
/* oof.csv, test.csv, folds.csv, report.json and the table on standard output.  Not collective: rank
 * 0. */
orr_status orr_cv_report(const orr_cv *cv);

/* The whole of it: opens the data, trains, gathers, reports.  Collective; the same status on all
 * ranks, but after ORR_ERR_COMM. */
orr_status orr_cross_validate(orr_context *context, const orr_cv_job *job);

#endif
