/* nn/kernels/cpu/cpu.h - the slots of the cpu table, and what its files share.   Not collective. */
#ifndef ORR_NN_KERNELS_CPU_CPU_H
#define ORR_NN_KERNELS_CPU_CPU_H

#include "nn/backend.h"

/* dense */
void orr_cpu_linear_forward(orr_backend *be, const orr_batch *b, int in, int out, const float *x,
                            const float *w, const float *bias, float *y);
void orr_cpu_linear_backward_data(orr_backend *be, const orr_batch *b, int in, int out,
                                  const float *dy, const float *w, float *dx);
void orr_cpu_linear_backward_params(orr_backend *be, const orr_batch *b, int in, int out,
                                    const float *x, const float *dy, float *const *dw,
                                    float *const *db);
/* forward and data gradient of n samples by the own tiles, whoever the table would give them to */
void orr_cpu_tiles_forward(int n, int in, int out, const float *x, const float *w,
                           const float *bias, float *y);
void orr_cpu_tiles_backward_data(int n, int in, int out, const float *dy, const float *w,
                                 float *dx);

/* convolution */
orr_status orr_cpu_conv_plan(orr_backend *be, void **plan, const orr_conv_shape *s,
                             const orr_limits *limits);
/* the same, with inputs rounded to bf16 (bf16.h) */
orr_status orr_cpu_conv_plan_bf16(orr_backend *be, void **plan, const orr_conv_shape *s,
                                  const orr_limits *limits);
void orr_cpu_conv_forward(orr_backend *be, void *plan, const orr_batch *b, const float *x,
                          const float *w, const float *bias, float *y);
void orr_cpu_conv_backward_data(orr_backend *be, void *plan, const orr_batch *b, const float *dy,
                                const float *w, float *dx);
void orr_cpu_conv_backward_params(orr_backend *be, void *plan, const orr_batch *b, const float *x,
                                  const float *dy, float *const *dw, float *const *db);
void orr_cpu_conv_unplan(orr_backend *be, void *plan);

/* pooling */
void orr_cpu_max_pool_forward(orr_backend *be, int n, const orr_pool_shape *s, const float *x,
                              float *y, uint16_t *arg);
void orr_cpu_max_pool_backward(orr_backend *be, int n, const orr_pool_shape *s, const float *dy,
                               const uint16_t *arg, float *dx);
void orr_cpu_avg_pool_forward(orr_backend *be, int n, const orr_pool_shape *s, const float *x,
                              float *y);
void orr_cpu_avg_pool_backward(orr_backend *be, int n, const orr_pool_shape *s, const float *dy,
                               float *dx);

/* element-wise */
void orr_cpu_act_forward(orr_backend *be, const orr_activation *a, double alpha, size_t n,
                         const float *x, float *y);
void orr_cpu_act_backward(orr_backend *be, const orr_activation *a, double alpha, size_t n,
                          const float *from, const float *dy, float *dx);
void orr_cpu_prelu_forward(orr_backend *be, size_t rows, int c, int shared, const float *x,
                           const float *w, float *y);
void orr_cpu_prelu_backward(orr_backend *be, const orr_batch *b, size_t rows_per_sample, int c,
                            int shared, const float *x, const float *w, const float *dy, float *dx,
                            float *const *dw, float *scratch);
void orr_cpu_softmax_forward(orr_backend *be, size_t rows, int c, const float *x, float *y);
void orr_cpu_softmax_backward(orr_backend *be, size_t rows, int c, const float *y, const float *dy,
                              float *dx);
void orr_cpu_dropout(orr_backend *be, const orr_batch *b, size_t per_sample, double p, int layer,
                     const float *x, float *y);

/* batch norm */
void orr_cpu_norm_moments(orr_backend *be, size_t rows, int c, const float *x, double *mean,
                          double *m2);
void orr_cpu_norm_forward(orr_backend *be, size_t rows, int c, const float *x, const float *mean,
                          const float *inv_std, const float *gamma, const float *beta, float *y);
void orr_cpu_norm_backward_sums(orr_backend *be, size_t rows, int c, const float *x,
                                const float *mean, const float *inv_std, const float *dy,
                                double *sum_dy, double *sum_dy_xhat);
void orr_cpu_norm_backward_data(orr_backend *be, size_t rows, int c, const float *x,
                                const float *mean, const float *inv_std, const float *gamma,
                                const float *mean_dy, const float *mean_dy_xhat, const float *dy,
                                float *dx);
/* out[ch] = sum over rows of x, made in double */
void orr_cpu_channel_sums(size_t rows, int c, const float *x, float *out);

/* moving */
void orr_cpu_add(orr_backend *be, size_t n, const float *a, const float *b, float *y);
void orr_cpu_copy_channels(orr_backend *be, size_t rows, int n_c, const float *x, int x_stride,
                           float *y, int y_stride);
void orr_cpu_transpose(orr_backend *be, int n, int rows, int cols, const float *x, float *y);

#endif
