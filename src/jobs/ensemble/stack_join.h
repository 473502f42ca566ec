/* jobs/ensemble/stack_join.h - out-of-fold predictions of several cross-validations side by side:
 * rows by sample id, columns by (cross-validation, model, seed).
 *
 * Rows come in the order of the first file of the job; columns in the order of the resolved path of
 * their cross-validation, then of the model's name, then of the seed, whatever order files hold
 * them in.  Every file must hold the same samples, classes and truth.   Not collective: every rank
 * reads all files. */
#ifndef ORR_JOBS_ENSEMBLE_STACK_JOIN_H
#define ORR_JOBS_ENSEMBLE_STACK_JOIN_H

#include "jobs/ensemble/stack_job.h"
#include "jobs/model/ids.h"
#include "jobs/predict/stack_model.h"

enum { ORR_STACK_NAME_MAX = 256 };

typedef struct orr_stack_source {
    char run[ORR_PATH_MAX];      /* as orr_stack_column has it */
    char real[ORR_PATH_MAX];     /* of the file, resolved: one file is one source */
    char sha256[ORR_SHA256_HEX]; /* of its content, as the file says and reading checks */
    orr_oof head;                /* which models there are */
} orr_stack_source;

typedef struct orr_stack_data {
    int n_sources, n_columns, n_classes;
    orr_stack_source *sources; /* in the job's order */
    orr_stack_column *columns;
    char (*names)[ORR_STACK_NAME_MAX]; /* [n_columns]: "small", "koi-cv/small", "small/seed 2" */
    char (*class_names)[ORR_DATA_NAME_MAX]; /* [n_classes] */
    int64_t n, n_test;
    orr_id *id, *test_id;
    int32_t *labels;
    double *p, *test_p; /* [n_columns][n][n_classes] */
    int32_t *own_fold;  /* folds of the first file (of its first repeat) */
    int n_own_folds;
    char no_test[ORR_ERROR_MAX]; /* why there are no test predictions although some file has them */
} orr_stack_data;

/* Errors name file, sample and model: ORR_ERR_FORMAT for what files hold, ORR_ERR_OPTION for what
 * the job asks of them (a model that there is not, a file listed twice), ORR_ERR_IO,
 * ORR_ERR_NOMEM. */
orr_status orr_stack_join(orr_stack_data *out, const orr_stack_job *job);
void orr_stack_data_free(orr_stack_data *d); /* zeroed is fine */

/* The class's name, or its number into buf when it has none. */
const char *orr_stack_class_name(const orr_stack_data *d, int k, char *buf, size_t bytes);

/* Private to stack_join.c and stack_columns.c: finds the sources, chooses, sorts and names the
 * columns. */
orr_status orr_stack_choose_columns(orr_stack_data *d, const orr_stack_job *job);

#endif
