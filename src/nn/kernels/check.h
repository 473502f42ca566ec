/* nn/kernels/check.h - the functions behind the check table, one file a family; backend.h has their
 * contracts. Plain loops that say the formula; sums are kept in double and rounded once, so that in
 * the float build they are the better of two answers. */
#ifndef ORR_NN_KERNELS_CHECK_H
#define ORR_NN_KERNELS_CHECK_H

#include "nn/backend.h"

void orr_check_linear_forward(orr_backend *be, const orr_batch *b, int in, int out,
                              const orr_real *x, const orr_real *w, const orr_real *bias,
                              orr_real *y);
void orr_check_linear_backward_data(orr_backend *be, const orr_batch *b, int in, int out,
                                    const orr_real *dy, const orr_real *w, orr_real *dx);
void orr_check_linear_backward_params(orr_backend *be, const orr_batch *b, int in, int out,
                                      const orr_real *x, const orr_real *dy, orr_real *const *dw,
                                      orr_real *const *db);

orr_status orr_check_conv_plan(orr_backend *be, void **plan, const orr_conv_shape *s,
                               const orr_limits *limits);
void orr_check_conv_forward(orr_backend *be, void *plan, const orr_batch *b, const orr_real *x,
                            const orr_real *w, const orr_real *bias, orr_real *y);
void orr_check_conv_backward_data(orr_backend *be, void *plan, const orr_batch *b,
                                  const orr_real *dy, const orr_real *w, orr_real *dx);
void orr_check_conv_backward_params(orr_backend *be, void *plan, const orr_batch *b,
                                    const orr_real *x, const orr_real *dy, orr_real *const *dw,
                                    orr_real *const *db);
void orr_check_conv_unplan(orr_backend *be, void *plan);
/* db[segment][k] = tree sum over the segment's leaves of sum of dy[row][k] over the leaf's rows */
void orr_check_bias_gradient(const orr_batch *b, size_t rows_per_sample, int k, const orr_real *dy,
                             orr_real *const *db);

void orr_check_max_pool_forward(orr_backend *be, int n, const orr_pool_shape *s, const orr_real *x,
                                orr_real *y, uint16_t *arg);
void orr_check_max_pool_backward(orr_backend *be, int n, const orr_pool_shape *s,
                                 const orr_real *dy, const uint16_t *arg, orr_real *dx);
void orr_check_avg_pool_forward(orr_backend *be, int n, const orr_pool_shape *s, const orr_real *x,
                                orr_real *y);
void orr_check_avg_pool_backward(orr_backend *be, int n, const orr_pool_shape *s,
                                 const orr_real *dy, orr_real *dx);

void orr_check_act_forward(orr_backend *be, const orr_activation *a, double alpha, size_t n,
                           const orr_real *x, orr_real *y);
void orr_check_act_backward(orr_backend *be, const orr_activation *a, double alpha, size_t n,
                            const orr_real *from, const orr_real *dy, orr_real *dx);
void orr_check_prelu_forward(orr_backend *be, size_t rows, int c, int shared, const orr_real *x,
                             const orr_real *w, orr_real *y);
void orr_check_prelu_backward(orr_backend *be, const orr_batch *b, size_t rows_per_sample, int c,
                              int shared, const orr_real *x, const orr_real *w, const orr_real *dy,
                              orr_real *dx, orr_real *const *dw, orr_real *scratch);
void orr_check_softmax_forward(orr_backend *be, size_t rows, int c, const orr_real *x, orr_real *y);
void orr_check_softmax_backward(orr_backend *be, size_t rows, int c, const orr_real *y,
                                const orr_real *dy, orr_real *dx);
void orr_check_dropout(orr_backend *be, const orr_batch *b, size_t per_sample, double p, int layer,
                       const orr_real *x, orr_real *y);
void orr_check_add(orr_backend *be, size_t n, const orr_real *a, const orr_real *b, orr_real *y);
void orr_check_copy_channels(orr_backend *be, size_t rows, int n_c, const orr_real *x, int x_stride,
                             orr_real *y, int y_stride);
void orr_check_transpose(orr_backend *be, int n, int rows, int cols, const orr_real *x,
                         orr_real *y);

void orr_check_norm_moments(orr_backend *be, size_t rows, int c, const orr_real *x, double *mean,
                            double *m2);
void orr_check_norm_forward(orr_backend *be, size_t rows, int c, const orr_real *x,
                            const orr_real *mean, const orr_real *inv_std, const orr_real *gamma,
                            const orr_real *beta, orr_real *y);
void orr_check_norm_backward_sums(orr_backend *be, size_t rows, int c, const orr_real *x,
                                  const orr_real *mean, const orr_real *inv_std, const orr_real *dy,
                                  double *sum_dy, double *sum_dy_xhat);
void orr_check_norm_backward_data(orr_backend *be, size_t rows, int c, const orr_real *x,
                                  const orr_real *mean, const orr_real *inv_std,
                                  const orr_real *gamma, const orr_real *mean_dy,
                                  const orr_real *mean_dy_xhat, const orr_real *dy, orr_real *dx);

#endif
