/* nn/loss.h - losses on logits, shape-checked, divided by the size of the whole batch.
 *   bce           mean(max(x,0) - x y + log1p(exp(-|x|))), output 1 x 1 x 1, labels 0 and 1;
 *                 pos_weight multiplies the term of y = 1
 *   ce            mean(logsumexp(x) - x[label]), output 1 x 1 x C, labels 0..C-1; with bins: the
 *                 target is one number, its bin is the label
 *   mse           mean over samples of the mean over outputs of (x - y)^2, targets of the output's
 *                 width
 * and on a density over bins, p = softmax(x), output 1 x 1 x bins, target one number z within the
 * bins:
 *   expected_mse  mean over samples of (z - sum_k c_k p_k)^2, c_k the bins' centres: per sample,
 *                 never over the batch
 *   crps          mean of int F^2 below z + int (1 - F)^2 above it, F the cumulative density,
 *                 linear inside a bin (Hersbach 2000): proper, so that a density with two peaks
 *                 stays one
 * (a float that is an edge as nearly as floats can say it, 0.4f, is that edge).
 * A target whose shape does not match is refused: nothing broadcasts.  Computed in double from the
 * logits; finite and with finite gradients for any finite logit.  A label or target outside its
 * range gives NaN, never a read outside x. Not collective. */
#ifndef ORR_NN_LOSS_H
#define ORR_NN_LOSS_H

#include "core/bins.h"
#include "core/leaves.h"
#include "core/output_type.h"
#include "core/status.h"
#include "nn/real.h"
#include "nn/shape.h"

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum {
    ORR_LOSS_BCE,
    ORR_LOSS_CE,
    ORR_LOSS_MSE,
    ORR_LOSS_BINNED_CE, /* "ce" with bins */
    ORR_LOSS_EXPECTED_MSE,
    ORR_LOSS_CRPS
} orr_loss_kind;

enum { ORR_MAX_BINS = 4096 }; /* of a density: 2 to this */

typedef struct orr_loss {
    orr_loss_kind kind;
    int outputs;       /* width of the net's output */
    double pos_weight; /* bce; 1 = none */
    orr_bins bins;     /* of a density */
} orr_loss;

/* What a loss is made for. */
typedef struct orr_loss_spec {
    /* a word, or auto: bce for one output and two classes, ce for classes, ce for values with bins,
     * mse for values */
    const char *name;
    orr_shape output;
    int n_classes;     /* of the data; 0 = regression */
    int width;         /* values a target has (regression) */
    double pos_weight; /* bce; 1 */
    orr_bins bins;     /* count 0 = none */
} orr_loss_spec;

/* ORR_ERR_SHAPE says what does not fit, ORR_ERR_OPTION with the nearest name. */
orr_status orr_loss_init(orr_loss *l, const orr_loss_spec *spec);
const char *orr_loss_name(const orr_loss *l); /* the word of the job file, never auto */
orr_output_type orr_loss_output_type(const orr_loss *l);

/* labels[n] (classes), values[n][outputs] (mse) or values[n] (densities).  leaf_sums[i] (double,
 * local leaves) = sum of the samples' losses of leaf i, not divided; per_sample (may be NULL) [n]
 * each sample's; dx (may be NULL) [n][outputs] = gradient of the loss mean over b->n_global. */
void orr_loss_eval(const orr_loss *l, const orr_batch *b, const orr_real *x, const int32_t *labels,
                   const float *values, double *leaf_sums, double *per_sample, orr_real *dx);
/* Of n samples of classes, how many have the highest output (bce: the output's sign) at their
 * label. */
int orr_loss_count_correct(const orr_loss *l, int n, const orr_real *x, const int32_t *labels);
/* Logits x[n][outputs] to what people read, p[n][outputs]: sigmoid, softmax (classes and
 * densities), or the numbers as they are. */
void orr_loss_link(const orr_loss *l, int n, const orr_real *x, double *p);

#ifdef __cplusplus
}
#endif
#endif
