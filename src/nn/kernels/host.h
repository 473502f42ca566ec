/* nn/kernels/host.h - operations that every back end with the host's memory does alike: moving
 * numbers, losses, what follows from moments, updates of slabs.  ORR_HOST_OPS fills the slots.
 * nn/backend.h has their contracts.   Not collective. */
#ifndef ORR_NN_KERNELS_HOST_H
#define ORR_NN_KERNELS_HOST_H

#include "nn/backend.h"

#define ORR_HOST_OPS                                                                               \
    .clear = orr_host_clear, .copy = orr_host_copy, .upload = orr_host_copy,                       \
    .download = orr_host_copy, .mark = orr_host_mark, .reached = orr_host_reached,                 \
    .synchronise = orr_host_synchronise, .norm_factors = orr_host_norm_factors,                    \
    .norm_inv_std = orr_host_norm_inv_std, .norm_means = orr_host_norm_means,                      \
    .norm_update = orr_host_norm_update, .leaf_sum = orr_host_leaf_sum, .loss = orr_host_loss,     \
    .count_correct = orr_host_count_correct, .norm = orr_host_norm, .adam = orr_host_adam,         \
    .momentum = orr_host_momentum, .sgd = orr_host_sgd

void orr_host_clear(orr_backend *be, void *p, size_t bytes);
void orr_host_copy(orr_backend *be, void *to, const void *from, size_t bytes);
int64_t orr_host_mark(orr_backend *be);
orr_status orr_host_reached(orr_backend *be, int64_t mark);
orr_status orr_host_synchronise(orr_backend *be);
void orr_host_norm_factors(orr_backend *be, size_t rows, int c, double eps, const double *mean,
                           const double *m2, orr_real *mean_out, orr_real *inv_std, orr_real *stat);
void orr_host_norm_inv_std(orr_backend *be, int c, double eps, const orr_real *var,
                           orr_real *inv_std);
void orr_host_norm_means(orr_backend *be, int n, size_t rows, const double *sums, orr_real *rounded,
                         orr_real *means);
void orr_host_norm_update(orr_backend *be, int c, double momentum, const orr_real *stat,
                          int n_leaves, orr_real *mean, orr_real *var);
void orr_host_leaf_sum(orr_backend *be, orr_real *out, orr_real *in, size_t stride, int m,
                       size_t n);
void orr_host_loss(orr_backend *be, const orr_loss *l, const orr_batch *b, const orr_real *x,
                   const int32_t *labels, const float *values, double *leaf_sums,
                   double *per_sample, orr_real *dx);
void orr_host_count_correct(orr_backend *be, const orr_loss *l, const orr_batch *b,
                            const orr_real *x, const int32_t *labels, double *right);

/* host_update.c */
orr_status orr_host_norm(orr_backend *be, size_t n, const orr_real *x, double *out);
void orr_host_adam(orr_backend *be, size_t n, const orr_step_numbers *k, orr_real *w,
                   const orr_real *g, orr_real *m, orr_real *v);
void orr_host_momentum(orr_backend *be, size_t n, const orr_step_numbers *k, orr_real *w,
                       const orr_real *g, orr_real *buffer);
void orr_host_sgd(orr_backend *be, size_t n, const orr_step_numbers *k, orr_real *w,
                  const orr_real *g);

#endif
