/* jobs/ensemble/cv_job.h - the job file of a cross-validation.
 *
 *   run: runs/koi-cv
 *   job: train.yaml            # what all configurations share; found beside this file
 *   cv: {folds: 5, kind: stratified, seed: 1, seeds: [1, 2]}
 *   configurations:
 *     small: {}
 *     wide: {model: {layers: [...]}, train: {lr: 0.01}}
 *
 * A configuration is the shared job with its own keys laid over it: `data` and `train` key by key,
 * `model` as a whole.  data, model and train of the file itself (and of the command line) are laid
 * over the shared job first.  Strings are borrowed from the configuration trees, which the job
 * keeps.   Not collective. */
#ifndef ORR_JOBS_ENSEMBLE_CV_JOB_H
#define ORR_JOBS_ENSEMBLE_CV_JOB_H

#include "jobs/context/runtime.h"
#include "jobs/model/train_job.h"
#include "jobs/predict/oof.h"

typedef struct orr_cv_opts {
    int folds, repeats, shuffle, ranks;
    int64_t seed;
    const char *kind;    /* auto | plain | stratified | group | stratified-group */
    const char *sklearn; /* 1.9 | 1.2 */
    const char *file, *groups, *fold_column, *group_column;
    orr_strings id_column;
    orr_reals seeds, only;
    const char *validate; /* share | fold */
} orr_cv_opts;

typedef struct orr_cv_configuration {
    char name[ORR_MODEL_NAME_MAX];
    orr_config *config;
    orr_train_job job; /* run is not set yet; train.seed neither */
    orr_seeds seeds;   /* its train.seeds, which count where cv.seeds is empty */
} orr_cv_configuration;

typedef struct orr_cv_job {
    const char *run, *job;
    int overwrite; /* another cross-validation, or one of other data, in that folder */
    orr_cv_opts cv;
    const orr_node *configurations, *data, *model, *train;
    orr_runtime_opts runtime;
    int n;
    orr_cv_configuration *c; /* [n] in the file's order */
} orr_cv_job;

extern const orr_option orr_cv_job_options[];

/* path: of the job file, from where `job` is found; NULL: none.  To be freed also after a failure.
 */
orr_status orr_cv_job_read(orr_cv_job *j, const orr_config *config, const char *path);
void orr_cv_job_free(orr_cv_job *j);
/* The resolved job as YAML: what results depend on, so without run, runtime and cv.ranks. */
orr_status orr_cv_job_dump(const orr_cv_job *j, orr_text *out);

#endif
