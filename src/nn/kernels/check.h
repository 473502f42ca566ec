/* nn/kernels/check.h - the functions behind the check table, one file a family; kernels.h has their
 * contracts. Plain loops that say the formula; sums are kept in double and rounded once, so that in
 * the float build they are the better of two answers. */
#ifndef ORR_NN_KERNELS_CHECK_H
#define ORR_NN_KERNELS_CHECK_H

#include "nn/kernels.h"

void orr_check_linear_forward(const orr_batch *b, int in, int out, const orr_real *x,
                              const orr_real *w, const orr_real *bias, orr_real *y);
void orr_check_linear_backward_data(const orr_batch *b, int in, int out, const orr_real *dy,
                                    const orr_real *w, orr_real *dx);
void orr_check_linear_backward_params(const orr_batch *b, int in, int out, const orr_real *x,
                                      const orr_real *dy, orr_real *const *dw, orr_real *const *db);

orr_status orr_check_conv_plan(void **plan, const orr_conv_shape *s, const orr_limits *limits);
void orr_check_conv_forward(void *plan, const orr_batch *b, const orr_real *x, const orr_real *w,
                            const orr_real *bias, orr_real *y);
void orr_check_conv_backward_data(void *plan, const orr_batch *b, const orr_real *dy,
                                  const orr_real *w, orr_real *dx);
void orr_check_conv_backward_params(void *plan, const orr_batch *b, const orr_real *x,
                                    const orr_real *dy, orr_real *const *dw, orr_real *const *db);
void orr_check_conv_unplan(void *plan);
/* db[run][k] = tree sum over the run's leaves of sum of dy[row][k] over the leaf's rows */
void orr_check_bias_gradient(const orr_batch *b, size_t rows_per_sample, int k, const orr_real *dy,
                             orr_real *const *db);

void orr_check_max_pool_forward(int n, const orr_pool_shape *s, const orr_real *x, orr_real *y,
                                uint16_t *arg);
void orr_check_max_pool_backward(int n, const orr_pool_shape *s, const orr_real *dy,
                                 const uint16_t *arg, orr_real *dx);
void orr_check_avg_pool_forward(int n, const orr_pool_shape *s, const orr_real *x, orr_real *y);
void orr_check_avg_pool_backward(int n, const orr_pool_shape *s, const orr_real *dy, orr_real *dx);

void orr_check_act_forward(orr_activation a, double alpha, size_t n, const orr_real *x,
                           orr_real *y);
void orr_check_act_backward(orr_activation a, double alpha, size_t n, const orr_real *x,
                            const orr_real *y, const orr_real *dy, orr_real *dx);
void orr_check_prelu_forward(size_t rows, int c, int shared, const orr_real *x, const orr_real *w,
                             orr_real *y);
void orr_check_prelu_backward(const orr_batch *b, size_t rows_per_sample, int c, int shared,
                              const orr_real *x, const orr_real *w, const orr_real *dy,
                              orr_real *dx, orr_real *const *dw, orr_real *scratch);
void orr_check_softmax_forward(size_t rows, int c, const orr_real *x, orr_real *y);
void orr_check_softmax_backward(size_t rows, int c, const orr_real *y, const orr_real *dy,
                                orr_real *dx);
void orr_check_dropout(const orr_batch *b, size_t per_sample, double p, int layer,
                       const orr_real *x, orr_real *y);
void orr_check_add(size_t n, const orr_real *a, const orr_real *b, orr_real *y);
void orr_check_copy_channels(size_t rows, int n_c, const orr_real *x, int x_stride, orr_real *y,
                             int y_stride);
void orr_check_transpose(int n, int rows, int cols, const orr_real *x, orr_real *y);

void orr_check_norm_moments(size_t rows, int c, const orr_real *x, double *mean, double *m2);
void orr_check_norm_forward(size_t rows, int c, const orr_real *x, const orr_real *mean,
                            const orr_real *inv_std, const orr_real *gamma, const orr_real *beta,
                            orr_real *y);
void orr_check_norm_backward_sums(size_t rows, int c, const orr_real *x, const orr_real *mean,
                                  const orr_real *inv_std, const orr_real *dy, double *sum_dy,
                                  double *sum_dy_xhat);
void orr_check_norm_backward_data(size_t rows, int c, const orr_real *x, const orr_real *mean,
                                  const orr_real *inv_std, const orr_real *gamma,
                                  const orr_real *mean_dy, const orr_real *mean_dy_xhat,
                                  const orr_real *dy, orr_real *dx);

#endif
