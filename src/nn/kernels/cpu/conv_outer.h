/* nn/kernels/cpu/conv_outer.h - the weight gradient of a convolution as outer products, tap by tap.
 *
 * For every tap (row and column of the kernel) the gradient is a matrix product: output channels of
 * dy by channels of x, summed over the pixels of a leaf that the tap reaches inside the image (what
 * it would read in the padding is left out, not multiplied by zero).  A register tile of it is
 * summed over the whole leaf, in blocks of pixels that the layer alone gives, and the tree over the
 * leaves of a segment is folded tile by tile on a stack: a leaf's gradient is never written as a
 * whole. Threads divide tiles, so no bit depends on them or on the other leaves. Kernels with few
 * channels take a row of taps, which lies side by side in memory, as channels; the image is then a
 * copy with the padding to its left and right.   Not collective. */
#ifndef ORR_NN_KERNELS_CPU_CONV_OUTER_H
#define ORR_NN_KERNELS_CPU_CONV_OUTER_H

#include "nn/backend.h"

typedef struct orr_outer orr_outer;

/* *out = NULL and ORR_OK where it does not apply: groups, or a row of taps shorter than a vector.
 */
orr_status orr_outer_create(orr_outer **out, const orr_conv_shape *s, const orr_limits *limits,
                            int threads);
void orr_outer_destroy(orr_outer *p);
/* dw[segment][k][r][s][c] for every segment of the batch. */
void orr_outer_weights(orr_outer *p, const orr_batch *b, const float *x, const float *dy,
                       float *const *dw);

#endif
