/* stats/blend.h - predictions of several models made into one: the baselines that a stack must
 * beat.  x[n][m][k]: n rows, m models, k columns a model: 1 (the probability of class 1) or one a
 * class; out[n][k].  Sums run in index order, so results never depend on ranks or threads.
 * All: ORR_ERR_ARG for sizes below 1, ORR_ERR_NUMERIC for a value that is not finite (row, model,
 * column).   Not collective. */
#ifndef ORR_STATS_BLEND_H
#define ORR_STATS_BLEND_H

#include "core/status.h"

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The mean over models. */
orr_status orr_blend_mean(const double *x, int64_t n, int m, int k, double *out);

/* The mean over models of rank / n, where the rank of a value is its place from 1 among its
 * column's n values, ties sharing their mean (scipy.stats.rankdata's "average"): in (0, 1], no
 * probabilities.  New rows are ranked among themselves, so they must come all at once.  n < 2^31.
 * ORR_ERR_NOMEM. */
orr_status orr_blend_ranks(const double *x, int64_t n, int m, int k, double *out);

/* sum_j weight[j] x[i][j][c]. */
orr_status orr_blend_weighted(const double *x, int64_t n, int m, int k, const double *weight,
                              double *out);

/* weight[m] >= 0, summing to 1, that minimise the mean log loss of the weighted mean for y[n] (k =
 * 1: 0 or 1; else 0 to k - 1).  x must be probabilities, in [0, 1]; that of the true class is
 * taken as at least 2^-52.  The problem is convex (maximum likelihood of mixture proportions); a
 * primal-dual interior-point method (Boyd & Vandenberghe 2004, sec. 11.7, on the simplex-free form
 * of Kim, Carbonetto, Stephens & Anitescu 2020, JCGS 29, 261) runs until the loss is proven to be
 * within 1e-12 of the least one.  Weights below 1e-9 are then set to 0.  *loss (may be NULL): the
 * mean log loss of the answer.  Equal models share a weight evenly.  ORR_ERR_NUMERIC: outside [0,
 * 1]; ORR_ERR_ARG: a label out of range; ORR_ERR_NOMEM. */
orr_status orr_blend_weights(const double *x, const int32_t *y, int64_t n, int m, int k,
                             double *weight, double *loss);

#ifdef __cplusplus
}
#endif
#endif
