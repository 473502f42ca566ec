/* nn/kernels/cpu/conv_direct.h - our own convolution, for any shape, quick for few channels.   Not
 * collective.
 *
 * One operation serves forward and data gradient: a stride over an image of the input that holds
 * its padding (and, for the gradient of a strided convolution, the zeros between the pixels).  The
 * image is the input itself when there is nothing to add, else a copy per sample in the thread's
 * scratch. */
#ifndef ORR_NN_KERNELS_CPU_CONV_DIRECT_H
#define ORR_NN_KERNELS_CPU_CONV_DIRECT_H

#include "nn/backend.h"

/* How an image is made from the source and walked over. */
typedef struct orr_image {
    int src_h, src_w, c; /* source, all groups' channels */
    int h, w;            /* image */
    int top, left, step_h,
        step_w; /* source pixel (i, j) goes to (top + i*step_h, left + j*step_w), if inside */
    int copy;   /* 0: the source is the image */
    int ho, wo, row_pitch,
        pixel_pitch; /* outputs, and the way from one to the next in the image, in floats */
} orr_image;

typedef struct orr_conv_tiles orr_conv_tiles; /* for the machine at hand */

/* One correlation: image -> ho x wo pixels of groups * kg channels. */
typedef struct orr_direct {
    orr_image im;
    const orr_conv_tiles *tiles;
    int groups, cg, kg, taps, n_vec;
    int *off;      /* taps */
    float *packed; /* [groups][n_vec][taps][lanes] */
    float *bias;   /* [groups][n_vec][lanes] */
    float *image;  /* threads images, NULL when im.copy is 0 */
    int threads;
} orr_direct;

orr_status orr_direct_init_forward(orr_direct *d, const orr_conv_shape *s, int threads);
orr_status orr_direct_init_backward(orr_direct *d, const orr_conv_shape *s, int threads);
void orr_direct_release(orr_direct *d);

/* w, bias: of the convolution, [k][r][s][c/groups]; transposed = the data gradient's reading of it.
 */
void orr_direct_pack(orr_direct *d, const float *w, const float *bias, int transposed);
void orr_direct_run(const orr_direct *d, int n, const float *x, float *y);
/* out[leaf][k][taps] for every leaf of the batch. */
void orr_direct_weights(const orr_direct *d, const orr_batch *b, const float *x, const float *dy,
                        float *out);

#endif
