/* nn/kernels/cpu/conv_tile.h - register tiles of the direct convolution.   Not collective.
 *
 * A tap is one (row, column, channel) of the kernel: a fixed offset from a pixel's place in the
 * (padded) input image. An output element is bias + its taps in order; a weight gradient is blocks
 * of pixels in order, pixels in order within each: neither depends on the tile's size. */
#ifndef ORR_NN_KERNELS_CPU_CONV_TILE_H
#define ORR_NN_KERNELS_CPU_CONV_TILE_H

#include <stddef.h>

enum { ORR_CONV_MAX_LANES = 16, ORR_CONV_TAPS = 12 /* of the tallest gradient tile */ };

/* y[p][w][lane] = bias[w][lane] + sum over t of x[p*pitch + off[t]] * w[w][t][lane], p < the tile's
 * pixels */
typedef struct orr_conv_args {
    int taps;
    const int *off;
    const float *x;
    size_t pitch;          /* from pixel to pixel of x */
    const float *w, *bias; /* vector v of w is at v * taps * lanes, of bias at v * lanes */
    float *y[2];           /* where each vector of the first pixel goes */
    size_t ldy;
} orr_conv_args;
typedef void (*orr_conv_tile)(const orr_conv_args *p);

/* sum[t][w][lane] += sum over p < n of x[p*pitch + off[t]] * dy[w][p*lddy + lane] */
typedef struct orr_grad_args {
    int n;
    const int *off;
    const float *x;
    size_t pitch;
    const float *dy[2];
    size_t lddy;
    float *sum;
    size_t ld; /* from tap to tap of sum */
} orr_grad_args;
typedef void (*orr_grad_tile)(const orr_grad_args *p);

typedef struct orr_conv_tiles {
    int lanes, pixels;        /* of the large tile */
    orr_conv_tile conv[2][2]; /* [1 or 2 vectors][1 pixel, `pixels`] */
    orr_grad_tile grad[2][4]; /* [1 or 2 vectors][1, 3, 6, 12 taps] */
} orr_conv_tiles;

const orr_conv_tiles *orr_conv_tiles_get(
    int channels); /* the widest that suits so many output channels */

/* Which gradient tile suits `left` taps. */
static inline int orr_grad_pick(int left, int *taps)
{
    static const int sizes[4] = { 1, 3, 6, 12 };
    int i = left >= 12 ? 3 : left >= 6 ? 2 : left >= 3 ? 1 : 0;

    *taps = sizes[i];
    return i;
}

#endif
