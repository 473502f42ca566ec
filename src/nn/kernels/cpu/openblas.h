/* nn/kernels/cpu/openblas.h - dense layers by OpenBLAS.   Not collective. */
#ifndef ORR_NN_KERNELS_CPU_OPENBLAS_H
#define ORR_NN_KERNELS_CPU_OPENBLAS_H

#include "core/leaves.h"

void orr_blas_forward(const orr_batch *b, int in, int out, const float *x, const float *w,
                      const float *bias, float *y);
void orr_blas_backward_data(const orr_batch *b, int in, int out, const float *dy, const float *w,
                            float *dx);
void orr_blas_backward_weights(const orr_batch *b, int in, int out, const float *x,
                                     const float *dy, float *dw);
#endif
