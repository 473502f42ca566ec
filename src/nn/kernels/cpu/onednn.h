/* nn/kernels/cpu/onednn.h - convolution by oneDNN, channels last.   Not collective.
 *
 * Forward and data gradient are planned for one sample and threads take samples; the weight
 * gradient is planned for every leaf size and for one thread, and threads take leaves, whose sums
 * are added along the tree as the library laid them out.  So no bit depends on the batch or on the
 * threads, which a call for the whole batch would not promise.  Weights are reordered to the
 * library's blocks once a call.
 * With bf16 the inputs are rounded sample by sample, or leaf by leaf, on the way in; what comes out
 * is fp32. */
#ifndef ORR_NN_KERNELS_CPU_ONEDNN_H
#define ORR_NN_KERNELS_CPU_ONEDNN_H

#include "nn/backend.h"

typedef struct orr_dnnl_conv orr_dnnl_conv;

typedef struct orr_dnnl_opts {
    int bf16;    /* inputs rounded to bf16, sums and results in fp32 */
    int weights; /* prepare the weight gradient, too */
    int threads;
} orr_dnnl_opts;

/* groups must be 1.  ORR_ERR_UNSUPPORTED when the library refuses the shape. */
orr_status orr_dnnl_conv_create(orr_dnnl_conv **out, const orr_conv_shape *s,
                                const orr_limits *limits, const orr_dnnl_opts *opts);
void orr_dnnl_conv_destroy(orr_dnnl_conv *p);
void orr_dnnl_conv_forward(orr_dnnl_conv *p, int n, const float *x, const float *w,
                           const float *bias, float *y);
void orr_dnnl_conv_backward_data(orr_dnnl_conv *p, int n, const float *dy, const float *w,
                                 float *dx);
/* dw[segment][k][r][s][c] for every segment of the batch. */
void orr_dnnl_conv_backward_weights(orr_dnnl_conv *p, const orr_batch *b, const float *x,
                                    const float *dy, float *const *dw);

#endif
