/* nn/loss.h - losses on logits, shape-checked, divided by the size of the whole batch.
 *   bce  mean(max(x,0) - x y + log1p(exp(-|x|))), output 1 x 1 x 1, labels 0 and 1; pos_weight multiplies the term of y = 1
 *   ce   mean(logsumexp(x) - x[label]), output 1 x 1 x C, labels 0..C-1
 *   mse  mean over samples of the mean over outputs of (x - y)^2, targets of the output's width
 * A target whose shape does not match is refused: nothing broadcasts.  Computed in double from the logits; finite and
 * with finite gradients for any finite logit.  A label outside its range gives NaN, never a read outside x.
 * Not collective. */
#ifndef ORR_NN_LOSS_H
#define ORR_NN_LOSS_H

#include "core/leaves.h"
#include "core/status.h"
#include "nn/real.h"
#include "nn/shape.h"

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum { ORR_LOSS_BCE, ORR_LOSS_CE, ORR_LOSS_MSE } orr_loss_kind;

typedef struct orr_loss {
    orr_loss_kind kind;
    int outputs;       /* width of the net's output */
    double pos_weight; /* bce; 1 = none */
} orr_loss;

/* n_classes: of the data (0 = regression); width: values a target has (regression).  ORR_ERR_SHAPE says what does not fit,
 * ORR_ERR_OPTION with the nearest name. */
orr_status orr_loss_init(orr_loss *l, const char *name, orr_shape output, int n_classes, int width,
                         double pos_weight);

/* labels[n] (bce, ce) or values[n][outputs] (mse).  leaf_sums[i] (double, local leaves) = sum of the samples' losses of
 * leaf i, not divided; per_sample (may be NULL) [n] each sample's; dx (may be NULL) [n][outputs] = gradient of the loss
 * mean over b->n_global. */
void orr_loss_eval(const orr_loss *l, const orr_batch *b, const orr_real *x, const int32_t *labels,
                   const float *values, double *leaf_sums, double *per_sample, orr_real *dx);
/* Logits x[n][outputs] to what people read, p[n][outputs]: sigmoid, softmax, or the numbers as they are. */
void orr_loss_link(const orr_loss *l, int n, const orr_real *x, double *p);

#ifdef __cplusplus
}
#endif
#endif
