/* nn/kernels/cpu/conv_weights.c - the direct convolution's weight gradient, one leaf at a time.
 *
 * Work is divided into (leaf, block of taps, two vectors of output channels); each is summed by one
 * thread, row by row, in blocks of pixels, so that a long series loses no precision. */
#include "nn/kernels/cpu/conv_direct.h"

#include <omp.h>
#include <string.h>

enum { BLOCK_TAPS = 96, BLOCK_PIXELS = 256, LANES = ORR_CONV_MAX_LANES, THREAD_WORK = 1 << 16 };

typedef struct grad_job {
    const orr_direct *d;
    int g, v, wide, t, n_t; /* taps [t, t + n_t), vectors [v, v + 1 + wide) of group g */
    float sum[BLOCK_TAPS * 2 * LANES];
} grad_job;

/* Adds n pixels' part: x at the first pixel's place, dy at its vectors. */
static void add_pixels(grad_job *j, int n, const float *x, const float *dy[2], size_t lddy)
{
    const orr_direct *d = j->d;
    const size_t ld = (size_t)d->tiles->lanes * (1 + j->wide);
    int taps;

    for (int t = 0; t < j->n_t; t += taps) {
        orr_grad_tile tile = d->tiles->grad[j->wide][orr_grad_pick(j->n_t - t, &taps)];
        tile(&(orr_grad_args){ .n = n,
                               .off = d->off + j->t + t,
                               .x = x,
                               .pitch = (size_t)d->im.pixel_pitch,
                               .dy = { dy[0], dy[1] },
                               .lddy = lddy,
                               .sum = j->sum + t * ld,
                               .ld = ld });
    }
}

/* One row of pixels; the vectors of the last few might read beyond `end`, so those come from a
 * padded copy. */
static void add_row(grad_job *j, const float *x, const float *dy, const float *end)
{
    const orr_direct *d = j->d;
    const int lanes = d->tiles->lanes, all = d->groups * d->kg;
    const int first[2] = { j->g * d->kg + orr_direct_vec_begin(d, j->v),
                           j->g * d->kg + orr_direct_vec_begin(d, j->v + j->wide) };
    float copy[BLOCK_PIXELS * LANES];
    int n;

    for (int p = 0; p < d->im.wo; p += n) {
        const float *at = dy + (size_t)p * all, *from = x + (size_t)p * d->im.pixel_pitch;
        n = d->im.wo - p < BLOCK_PIXELS ? d->im.wo - p : BLOCK_PIXELS;
        if (d->kg >= lanes || at + (size_t)(n - 1) * all + first[0] + lanes <= end) {
            add_pixels(j, n, from, (const float *[2]){ at + first[0], at + first[1] }, (size_t)all);
            continue;
        }
        memset(copy, 0, (size_t)n * lanes * sizeof *copy);
        for (int i = 0; i < n; i++)
            memcpy(copy + i * lanes, at + (size_t)i * all + first[0], (size_t)d->kg * sizeof *copy);
        add_pixels(j, n, from, (const float *[2]){ copy, copy }, (size_t)lanes);
    }
}

/* sum[t][vector][lane] -> out[k][taps] */
static void store(const grad_job *j, float *out)
{
    const orr_direct *d = j->d;
    const int lanes = d->tiles->lanes, width = d->kg < lanes ? d->kg : lanes;

    for (int v = 0; v <= j->wide; v++)
        for (int l = 0; l < width; l++) {
            float *row = out +
                         (size_t)(j->g * d->kg + orr_direct_vec_begin(d, j->v + v) + l) * d->taps +
                         j->t;
            for (int t = 0; t < j->n_t; t++)
                row[t] = j->sum[(t * (1 + j->wide) + v) * lanes + l];
        }
}

static void leaf_block(grad_job *j, int first, int last, int thread, const float *x,
                       const float *dy, float *out)
{
    const orr_image *im = &j->d->im;
    const size_t in = (size_t)im->src_h * im->src_w * im->c,
                 row = (size_t)im->wo * j->d->groups * j->d->kg;

    memset(j->sum, 0, sizeof j->sum);
    for (int i = first; i < last; i++) {
        const float *image = orr_direct_image(j->d, thread, x + i * in) + j->g * j->d->cg;
        const float *grad = dy + (size_t)i * im->ho * row;
        for (int h = 0; h < im->ho; h++)
            add_row(j, image + (size_t)h * im->row_pitch, grad + h * row, grad + im->ho * row);
    }
    store(j, out);
}

void orr_direct_weights(const orr_direct *d, const orr_batch *b, const float *x, const float *dy,
                        float *out)
{
    const int blocks = (d->taps + BLOCK_TAPS - 1) / BLOCK_TAPS, pairs = (d->n_vec + 1) / 2;
    const int per_leaf = blocks * pairs * d->groups;
    const size_t size = (size_t)d->groups * d->kg * d->taps,
                 pixels = (size_t)d->im.ho * d->im.wo * b->n;

#pragma omp parallel for schedule(static) num_threads(d->threads) if (size * pixels > THREAD_WORK)
    for (int u = 0; u < b->n_leaves * per_leaf; u++) {
        int leaf = u / per_leaf, rest = u % per_leaf, t = rest / (pairs * d->groups) * BLOCK_TAPS;
        grad_job j;
        j.d = d;
        j.g = rest / pairs % d->groups;
        j.v = rest % pairs * 2;
        j.wide = j.v + 1 < d->n_vec;
        j.t = t;
        j.n_t = d->taps - t < BLOCK_TAPS ? d->taps - t : BLOCK_TAPS;
        leaf_block(&j, b->leaf[leaf], b->leaf[leaf + 1], omp_get_thread_num(), x, dy,
                   out + leaf * size);
    }
}
