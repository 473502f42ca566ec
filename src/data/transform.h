/* data/transform.h - deterministic steps from a stored sample to what the net sees.  They live in
 * the model file: predict and evaluate run this same code.
 *
 *   transforms:
 *     - nan: {fill: median}            # what is no value (NaN, infinity) becomes the median or
 * mean #   of the training rows that have one, or `value`
 *     - standardise: {per: sample}     # (x - mean) / deviation; the numbers that share them:
 *                                      #   sample, channel: of this sample;
 *                                      #   feature: one number of all training rows (h*w*c pairs);
 *                                      #   train_channel: a channel of all training rows (c pairs)
 *     - moving_average: {window: 200}  # appends channels: centred mean along w, as
 *                                      # scipy.ndimage.uniform_filter1d, mode reflect: even windows
 *                                      # take window/2 before and window/2 - 1 after
 *     - affine: {scale: 0.00392156862745098, shift: 0}  # x * scale + shift
 *     - log: {floor: 0}                # log1p(max(x, floor) - floor)
 *     - asinh: {scale: 1}              # asinh(x / scale)
 *     - sqrt                           # sign(x) (sqrt(|x| + 1) - 1)
 *     - reshape: {shape: [28, 28, 1]}  # same numbers, another shape: [c], [w, c] or [h, w, c]
 *
 * A step without options may be written by its name alone (- asinh).
 *
 * Arithmetic in double from the stored number to the end of the chain, result float32.  Deviations
 * are those of the population (divided by n).  A deviation of zero, or below what rounding makes of
 * n equal numbers, divides by 1; a constant sample becomes 0.  uint8 and float16 keep their value,
 * unscaled.  Statistics come from training rows alone: fit() sees those, and only those.
 * Not collective; apply is thread-safe after fitting. */
#ifndef ORR_DATA_TRANSFORM_H
#define ORR_DATA_TRANSFORM_H

#include "core/config.h"
#include "core/options.h"
#include "core/status.h"
#include "core/text.h"
#include "data/shard.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct orr_transform orr_transform; /* a chain */
typedef struct {
    int h, w, c;
} orr_sample_shape;
static inline size_t orr_sample_elements(orr_sample_shape s)
{
    return (size_t)s.h * (size_t)s.w * (size_t)s.c;
}

/* The i-th kind for help, 0 past the last. */
int orr_transform_kind_help(int i, orr_kind_help *out);

/* list: the `transforms:` node, NULL = none.  ORR_ERR_OPTION with file:line, ORR_ERR_SHAPE. */
orr_status orr_transform_create(orr_transform **out, const orr_node *list, const orr_schema *s);
void orr_transform_destroy(orr_transform *t);
orr_sample_shape orr_transform_shape(const orr_transform *t); /* of the result */
/* The schema of n aux numbers as samples of their own (a float32 vector): aux numbers have a chain
 * of their own, made and fitted like any other. */
void orr_transform_aux_schema(orr_schema *out, int n);
/* columns[n] of a row of aux numbers, as one such sample. */
void orr_transform_pick_aux(const float *aux, const int *columns, int n, float *out);
/* Fewest numbers of one sample that a step divides by a deviation of their own (standardise per
 * sample, per channel), and the step's name: of one number that leaves 0, of two -1 and 1.  0, and
 * *name NULL: no step does. */
size_t orr_transform_fewest_shared(const orr_transform *t, const char **name);
size_t orr_transform_scratch_bytes(const orr_transform *t);

/* ---- statistics: passes over training rows.  Each pass accumulates sums for one fitted step (all
 * before it are applied): standardise takes two (means, then squares about them), nan one or eight.
 * Sums over rows are taken in fixed blocks of ORR_FIT_BLOCK places of the training list, so that
 * ranks may share the blocks and add them in block order: same bits for any number of ranks ---- */
enum { ORR_FIT_BLOCK = 256 };
/* Passes still to make: 0 when nothing needs fitting. */
int orr_transform_n_fits(const orr_transform *t);
/* Does a step take what is no value? */
int orr_transform_fills(const orr_transform *t);
/* Doubles of one block's sums in the present pass. */
size_t orr_transform_fit_size(const orr_transform *t);
/* sums (overwritten) = sums over n <= ORR_FIT_BLOCK stored samples x[n][x_bytes]. */
orr_status orr_transform_fit_block(const orr_transform *t, const void *x, int n, double *sums,
                                   void *scratch);
/* Ends a pass: total = the blocks' sums added in block order, rows = training rows. ORR_ERR_NUMERIC
 * when one is not finite. */
orr_status orr_transform_fit_end(orr_transform *t, const double *total, int64_t rows);

/* One stored sample x (schema's type) to out (float32, result shape).  scratch:
 * orr_transform_scratch_bytes. */
void orr_transform_apply(const orr_transform *t, const void *x, float *out, void *scratch);

/* YAML list, and the fitted numbers (little-endian float64, one run of them after the other) that
 * make the chain again. */
void orr_transform_dump(const orr_transform *t, orr_text *out);
size_t orr_transform_n_numbers(const orr_transform *t);
void orr_transform_get_numbers(const orr_transform *t, double *out);
orr_status orr_transform_set_numbers(orr_transform *t, const double *in, size_t n);

#ifdef __cplusplus
}
#endif
#endif
