/* jobs/predict/ensemble.h - all models behind one path or several, and what they answer together.
 *
 *   model.h5, a checkpoint, or a training run's
 *   folder, ended or not (jobs/model/model.h)   that model
 *   a training with seeds (seeds.h5)            the mean over its seeds
 *   a cross-validation's run folder (oof.h5)    the mean over all its configurations, or one of
 *                                               them
 *   a stack's folder (stack.h5)                 its logistic regression over such means
 *   several of them, but no stack               the mean over all of them
 *
 * Answers of a configuration: the mean over folds of each column (a seed, a repeat), and of these
 * the mean over columns; all configurations, trainings with seeds and single models count alike.
 * Averaged are probabilities, values, or
 * densities (calibrated ones, where a model is calibrated), in double and in the order of oof.h5:
 * sum of p / folds over folds, which is what oof.h5 has of the test set; then likewise over
 * columns, then over configurations.  Every rank computes the same sums: the bytes do not depend on
 * ranks.
 *
 * Models are loaded one after the other: memory holds one net, and p[n][columns] a few times (a
 * stack: once more for each of its columns). */
#ifndef ORR_JOBS_PREDICT_ENSEMBLE_H
#define ORR_JOBS_PREDICT_ENSEMBLE_H

#include "core/file.h"
#include "jobs/model/model.h"
#include "jobs/model/samples.h"
#include "jobs/model/scores.h"
#include "jobs/predict/oof.h"
#include "jobs/predict/spread.h"
#include "jobs/predict/stack_model.h"

typedef enum { ORR_ENSEMBLE_ONE, ORR_ENSEMBLE_MEAN, ORR_ENSEMBLE_STACK } orr_ensemble_kind;

typedef enum { ORR_SOURCE_MODEL, ORR_SOURCE_SEEDS, ORR_SOURCE_FOLDS, ORR_SOURCE_STACK } orr_source;
/* What stands behind a path: a folder goes by what is in it, a file by its format.  ORR_ERR_IO,
 * ORR_ERR_FORMAT with what is wanted.   Not collective. */
orr_status orr_source_of(orr_source *kind, const char *path);

/* What models are drawn from. */
typedef struct orr_ensemble_run {
    orr_source kind;         /* no stack */
    char path[ORR_PATH_MAX]; /* folder or file, as named */
    char dir[ORR_PATH_MAX];  /* where tasks/ is */
    orr_oof oof;             /* its columns, nothing else; a model is one column of one fold */
} orr_ensemble_run;

/* One configuration: what is averaged with equal weight, or a column of the stack. */
typedef struct orr_ensemble_part {
    const orr_ensemble_run *run;
    char model[ORR_MODEL_NAME_MAX];
    int64_t seed;  /* -1: all */
    int n_columns; /* of the run's oof */
    int *columns;
} orr_ensemble_part;

typedef struct orr_ensemble {
    orr_ensemble_kind kind;
    char path[ORR_PATH_MAX]; /* as given; of several "a, b" */
    char state[8];           /* of trainings' folders: auto, best, last */
    int n_runs, n_parts;
    orr_ensemble_run *runs;
    orr_ensemble_part *parts; /* none of ORR_ENSEMBLE_ONE */
    orr_stack_model stack;
    int n_models; /* of all parts, folds and columns */
} orr_ensemble;

/* Finds out which models there are; of a cross-validation, seeds and a stack all must be there.
 * model: a configuration of a cross-validation, "" = all; state: of the trainings among them, as
 * orr_model_file has it.  ORR_ERR_IO, ORR_ERR_FORMAT, and ORR_ERR_ARG for a model that there is
 * none of, a path given twice, a stack among several, and a state where there is no training.
 * Not collective. */
orr_status orr_ensemble_open(orr_ensemble *e, const char *const *paths, int n_paths,
                             const char *model, const char *state);
/* A warning for each model that is not the end of its training.  first: of orr_ensemble_first.
 * Not collective. */
void orr_ensemble_tell_states(const orr_ensemble *e, const orr_model *first);
void orr_ensemble_close(orr_ensemble *e); /* zeroed is fine */
/* The first model, which stands for all: class names (a stack's are its own), bins, threshold (a
 * stack's is 0.5).  To be destroyed by the caller.   Not collective. */
orr_status orr_ensemble_first(const orr_ensemble *e, orr_model *m, const char *kernels);

/* Model i of n_models: they run over folds, then columns, then parts. */
typedef struct orr_ensemble_member {
    const orr_ensemble_part *part;
    int column, fold; /* of the part's run */
} orr_ensemble_member;
orr_ensemble_member orr_ensemble_member_of(const orr_ensemble *e,
                                           int i); /* not of ORR_ENSEMBLE_ONE */
orr_status orr_ensemble_member_path(const orr_ensemble *e, int i, char out[ORR_PATH_MAX]);
/* Loads it; what is wrong with a fold's file is told with what to do about it.   Not collective. */
orr_status orr_ensemble_load(const orr_ensemble *e, int i, orr_model *m, const char *kernels);

/* What the models answer to. */
typedef struct orr_ensemble_task {
    orr_context *context;
    orr_model *first; /* of orr_ensemble_first; its weights are gone afterwards */
    const char *kernels;
    orr_samples *samples; /* put into each model's order before its turn */
    const int64_t *rows;
    int64_t n;
    /* Two classes; the threshold of all of them.  -1: the models', which must be the same. */
    double threshold;
    int progress;
    /* Of each sample, by orr_ensemble_check: bits 1 << orr_seen_how of the models that it made;
     * NULL: not asked. [n] */
    unsigned char *seen;
    orr_model_spread
        *spread; /* gets each model's scores, where there is more than one; NULL: none */
    int unknown; /* set by orr_ensemble_check: models that do not say what made them */
} orr_ensemble_task;

/* Loads every model once (ranks share them) and refuses those that do not take such samples or do
 * not answer like the first: ORR_ERR_SHAPE names both.  Collective; agreed. */
orr_status orr_ensemble_check(const orr_ensemble *e, orr_ensemble_task *t);
/* All models' answers together, scored; the loss of more than one model stays NaN.  Collective;
 * agreed.
 * Both end with ORR_ERR_INTERRUPTED once a signal has come to any rank. */
orr_status orr_ensemble_scores(const orr_ensemble *e, const orr_ensemble_task *t, orr_scores *out);

#endif
