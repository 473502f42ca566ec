/* nn/kernels/cpu/onednn.h - convolution by oneDNN, channels last.   Not collective.
 *
 * Forward and data gradient are planned for one sample and threads take samples; the weight
 * gradient is planned for every leaf size and for one thread, and threads take leaves.  So no bit
 * depends on the batch or on the threads, which a call for the whole batch would not promise.
 * Weights are reordered to the library's blocks once a call. */
#ifndef ORR_NN_KERNELS_CPU_ONEDNN_H
#define ORR_NN_KERNELS_CPU_ONEDNN_H

#include "nn/kernels.h"

typedef struct orr_dnnl_conv orr_dnnl_conv;

/* groups must be 1.  ORR_ERR_UNSUPPORTED when the library refuses the shape. */
orr_status orr_dnnl_conv_create(orr_dnnl_conv **out, const orr_conv_shape *s,
                                const orr_limits *limits, int threads);
void orr_dnnl_conv_destroy(orr_dnnl_conv *p);
void orr_dnnl_conv_forward(orr_dnnl_conv *p, int n, const float *x, const float *w,
                           const float *bias, float *y);
void orr_dnnl_conv_backward_data(orr_dnnl_conv *p, int n, const float *dy, const float *w,
                                 float *dx);
/* out[leaf][k][r][s][c] for every leaf; an empty one gives zeros. */
void orr_dnnl_conv_backward_weights(orr_dnnl_conv *p, const orr_batch *b, const float *x,
                                    const float *dy, float *out);

#endif
