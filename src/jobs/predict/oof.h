/* jobs/predict/oof.h - what models say of samples that they have not been trained on: out-of-fold
 * predictions of a cross-validation (oof.h5), or answers of one training with several seeds for its
 * validation split (seeds.h5; one "fold").  File "orrery-oof-1" (docs/formats.md).
 *
 * A row is a sample of the training set, known by its id; a column is a model: a configuration by
 * name, a seed, a repeat of the folds.  p[column][row][width]: probabilities of all classes (two
 * classes: of 0 and of 1), values, or densities, as double.  Beside it stand the folds and the
 * truth, and for a test set the mean over the folds' models of each column.
 *
 * Targets that were imported with a shift (input.shift) have it back in the file, as double: `y`,
 * and `p` and `test_p` of values.  In memory they are as the models were trained on them, without.
 *
 * Writing is collective: rank 0 lays the file out, each rank writes whole columns, rank 0 gives the
 * file its name when all have succeeded.  The bytes do not depend on ranks.  Reading is not
 * collective; it checks every column's sha256. */
#ifndef ORR_JOBS_PREDICT_OOF_H
#define ORR_JOBS_PREDICT_OOF_H

#include "core/bins.h"
#include "core/file.h"
#include "data/shard.h"
#include "jobs/context/context.h"

enum { ORR_MODEL_NAME_MAX = 64 };

typedef struct orr_oof_column {
    char model[ORR_MODEL_NAME_MAX]; /* configuration */
    int64_t seed;
    int32_t repeat; /* from 0 */
} orr_oof_column;

typedef struct orr_oof {
    char path[ORR_PATH_MAX]; /* for messages */
    int64_t n;               /* samples; 0: a training without a validation split */
    int n_columns, n_repeats;
    int n_folds;                            /* 1: no cross-validation */
    int width;                              /* numbers of one prediction */
    int n_classes;                          /* 0: values or densities */
    orr_bins bins;                          /* count > 0: densities */
    char (*class_names)[ORR_DATA_NAME_MAX]; /* [n_classes] */
    orr_oof_column *columns;
    char (*id)[ORR_ID_TEXT_MAX + 1]; /* [n] */
    int32_t *labels;                 /* [n], classes */
    float *values;                   /* [n][y_width], else */
    int y_width;
    /* Of the first ORR_MAX_TARGET_NAMES of y_width: "" where there is no name, or no unit. */
    char target_names[ORR_MAX_TARGET_NAMES][ORR_DATA_NAME_MAX];
    char target_units[ORR_MAX_TARGET_NAMES][ORR_DATA_NAME_MAX];
    double shift[ORR_MAX_TARGET_NAMES]; /* what was taken off them; 0 = nothing */
    int32_t *fold;                      /* [n_repeats][n] */
    double *p;                          /* [n_columns][n][width] */
    int64_t n_test;
    char (*test_id)[ORR_ID_TEXT_MAX + 1]; /* [n_test] */
    double *test_p;                       /* [n_columns][n_test][width], mean over folds */
} orr_oof;

/* path: the file, or the run folder of a cross-validation (its oof.h5) or of a training with seeds
 * (its seeds.h5).  ORR_ERR_IO, ORR_ERR_FORMAT when it is no such file, damaged, or holds a
 * prediction that is not finite (sample and model are named). */
orr_status orr_oof_read(orr_oof *out, const char *path);
/* Only what says which models there are: no ids, truth, folds and predictions (NULL). */
orr_status orr_oof_read_columns(orr_oof *out, const char *path);
void orr_oof_free(orr_oof *o); /* zeroed is fine */

/* Which rank writes column c. */
static inline int orr_oof_owner(int c, int size)
{
    return c % size;
}
/* Writes path: all of `o` but p and test_p is the same on every rank; fill(ctx, c, p, test_p) is
 * called on the owner of column c for its [n][width] and [n_test][width] (NULL without a test set).
 * Collective; agreed. */
orr_status orr_oof_write(orr_context *context, const orr_oof *o, const char *path,
                         orr_status (*fill)(void *ctx, int c, double *p, double *test_p),
                         void *ctx);

/* Names, units and shifts of its targets, by a set's schema. */
void orr_oof_take_targets(orr_oof *o, const orr_schema *s);
/* Folder, within the cross-validation's, of the run that made column c without fold f:
 * "tasks/small-s1-f0", with repeats "tasks/small-s1-r0-f0".  Its model.h5 is that model. */
const char *orr_oof_task(const orr_oof_column *c, int n_repeats, int fold, char *buf, size_t bytes);
/* The same of a training with seeds: "tasks/seed-1". */
const char *orr_oof_seed_task(int64_t seed, char *buf, size_t bytes);
/* "small", or "small/seed 2", or "small/seed 2/repeat 1": as much as tells the columns apart. */
const char *orr_oof_column_name(const orr_oof *o, int c, char *buf, size_t bytes);

#endif
