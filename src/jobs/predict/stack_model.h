/* jobs/predict/stack_model.h - a fitted stack: which models' predictions it takes, and how logistic
 * regression joins them.  File stack.h5, "orrery-stack-1" (docs/formats.md), in the stack's folder.
 *
 * A feature column is one model of one cross-validation: with seed -1 the mean over its seeds (and
 * always over its repeats).  Features of a sample are its columns in this order: of two classes the
 * probability of class 1, of C > 2 classes all C probabilities, or their logits (log p/(1-p), of a
 * p clipped to [1e-7, 1 - 1e-7]).   Not collective. */
#ifndef ORR_JOBS_PREDICT_STACK_MODEL_H
#define ORR_JOBS_PREDICT_STACK_MODEL_H

#include "core/file.h"
#include "data/shard.h"
#include "jobs/predict/oof.h"
#include "stats/logistic/logistic.h"

typedef struct orr_stack_column {
    /* Folder of the cross-validation, as found from the working folder; or its file of predictions
     * when that is not called oof.h5.  Either is a path for orr_oof_read. */
    char run[ORR_PATH_MAX];
    char model[ORR_MODEL_NAME_MAX];
    int64_t seed; /* -1: mean over all its seeds */
} orr_stack_column;

typedef struct orr_stack_model {
    int n_columns, n_classes;
    int logits; /* features are logits */
    double c;   /* of the fit */
    orr_stack_column *columns;
    char (*class_names)[ORR_DATA_NAME_MAX]; /* [n_classes] */
    double *w; /* [vectors][features]: one vector for two classes, else n_classes */
    double *b; /* [vectors] */
} orr_stack_model;

/* Numbers of a sample that the regression takes. */
int orr_stack_features(const orr_stack_model *s);
/* Vectors of w: 1 for two classes. */
int orr_stack_vectors(const orr_stack_model *s);
/* dir: the stack's folder, or stack.h5 itself when reading.  Paths of runs are kept relative to the
 * folder in the file, and come back usable from the working folder. */
orr_status orr_stack_model_write(const orr_stack_model *s, const char *dir);
orr_status orr_stack_model_read(orr_stack_model *s, const char *path);
void orr_stack_model_free(orr_stack_model *s); /* zeroed is fine */
/* Features of n samples from p[n_columns][n][n_classes]: x[n][features]. */
void orr_stack_take_features(const orr_stack_model *s, const double *p, int64_t n, double *x);
/* out[n][n_classes] from p[n_columns][n][n_classes]. */
orr_status orr_stack_apply(const orr_stack_model *s, const double *p, int64_t n, double *out);

#endif
