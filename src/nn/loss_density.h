/* nn/loss_density.h - losses of one sample on a density over bins, p = softmax(logits): for loss.c.
 * Each returns the loss; dx (may be NULL) [bins->count] = its gradient / n_global.  z: the target;
 * NaN in loss and gradient when it lies outside the bins.   Not collective. */
#ifndef ORR_NN_LOSS_DENSITY_H
#define ORR_NN_LOSS_DENSITY_H

#include "core/bins.h"
#include "nn/real.h"

/* The number that a target stands for.  A target is a float, and the edges are doubles: one that is
 * an edge as nearly as a float can say it, is that edge. */
double orr_density_target(const orr_bins *bins, float z);
double orr_density_expected_mse(const orr_bins *bins, const orr_real *x, double z, double n_global,
                                orr_real *dx);
double orr_density_crps(const orr_bins *bins, const orr_real *x, double z, double n_global,
                        orr_real *dx);
/* log(sum_j e^x[j]) of c logits. */
double orr_log_sum_exp(const orr_real *x, int c);

#endif
