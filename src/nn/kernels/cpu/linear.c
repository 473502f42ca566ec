/* nn/kernels/cpu/linear.c - dense layers: forward and data gradient.
 *
 * At the batch sizes of small nets (2 to 128) these are bound by reading the weights, so each weight is fetched once for
 * all samples, and the arithmetic keeps up by register tiles over samples x outputs.  An output's sum runs over vectors
 * of `lanes` partial sums and then a fixed fold: its bits depend on the layer's size alone.  Layers with fewer inputs
 * than a vector has lanes are in linear_narrow.c. */
#include "nn/kernels/cpu/cpu.h"
#include "nn/kernels/cpu/tile.h"

#include <string.h>

enum {
    SAMPLES = 24,  /* whose inputs of one depth block stay in the first cache ... */
    DEPTH = 256,   /* ... 24 KiB */
    THREAD_WORK = 1 << 16 /* multiplications that pay for waking threads */
};

typedef struct forward_args {
    const orr_tiles *t;
    int n, in, out;
    const float *x, *w, *bias;
    float *y;
} forward_args;

/* The last in % lanes products of each pair, from zero-padded copies. */
static void dot_tail(const forward_args *f, int s0, int n_s, int o0, int n_o, int k0, float *acc)
{
    int lanes = f->t->lanes, left = f->in - k0;
    float x[ORR_TILE_MAX_LANES] = { 0 }, w[ORR_TILE_MAX_WIDE][ORR_TILE_MAX_LANES] = { { 0 } };

    for (int o = 0; o < n_o; o++)
        memcpy(w[o], f->w + (size_t)(o0 + o) * f->in + k0, (size_t)left * sizeof *x);
    for (int s = 0; s < n_s; s++) {
        memcpy(x, f->x + (size_t)(s0 + s) * f->in + k0, (size_t)left * sizeof *x);
        f->t->dot[n_o > 1][0](lanes, w[0], ORR_TILE_MAX_LANES, x, 0, acc + s * n_o * lanes);
    }
}

/* Asks for the weights of the depth block after k, or of the outputs after these. */
static void prefetch_weights(const float *w, int n_o, int in, int k)
{
    const float *next = k + DEPTH < in ? w + k + DEPTH : w + (size_t)n_o * in;

    for (int o = 0; o < n_o; o++)
        for (int i = 0; i < DEPTH; i += 16)
            __builtin_prefetch(next + (size_t)o * in + i);
}

/* Outputs [o0, o0 + n_o) of samples [s0, s0 + n_s); n_o is 1 or `wide`. */
static void forward_block(const forward_args *f, int s0, int n_s, int o0, int n_o)
{
    float acc[SAMPLES * ORR_TILE_MAX_WIDE * ORR_TILE_MAX_LANES] __attribute__((aligned(64)));
    float sum[SAMPLES * ORR_TILE_MAX_WIDE];
    int lanes = f->t->lanes, full = f->in - f->in % lanes, rows;
    const float *w = f->w + (size_t)o0 * f->in, *x = f->x + (size_t)s0 * f->in;

    memset(acc, 0, (size_t)(n_s * n_o * lanes) * sizeof *acc);
    for (int k = 0; k < full; k += DEPTH) {
        int depth = full - k < DEPTH ? full - k : DEPTH;
        if (s0 == 0) prefetch_weights(w, n_o, f->in, k);
        for (int s = 0; s < n_s; s += rows) {
            orr_dot_tile tile = f->t->dot[n_o > 1][orr_tile_pick(n_s - s, &rows)];
            tile(depth, w + k, (size_t)f->in, x + (size_t)s * f->in + k, (size_t)f->in, acc + s * n_o * lanes);
        }
    }
    if (full < f->in) dot_tail(f, s0, n_s, o0, n_o, full, acc);
    f->t->fold(n_s * n_o, acc, sum);
    for (int s = 0; s < n_s; s++)
        for (int o = 0; o < n_o; o++)
            f->y[(size_t)(s0 + s) * f->out + o0 + o] = sum[s * n_o + o] + (f->bias ? f->bias[o0 + o] : 0.0f);
}

void orr_cpu_linear_forward(const orr_batch *b, int in, int out, const float *x, const float *w, const float *bias,
                            float *y)
{
    const forward_args f = { orr_tiles_get(), b->n, in, out, x, w, bias, y };
    int wide = f.t->wide, n_wide = out / wide, units = n_wide + out % wide;

    if (in < f.t->lanes) {
        orr_cpu_narrow_forward(b->n, in, out, x, w, bias, y);
        return;
    }
#pragma omp parallel for schedule(static) if ((size_t)b->n * in * out > THREAD_WORK)
    for (int u = 0; u < units; u++) {
        int o = u < n_wide ? u * wide : n_wide * wide + (u - n_wide);
        for (int s = 0; s < f.n; s += SAMPLES)
            forward_block(&f, s, f.n - s < SAMPLES ? f.n - s : SAMPLES, o, u < n_wide ? wide : 1);
    }
}

/* dx columns [k, k + wide vectors or one) for all samples. */
static void backward_strip(const orr_tiles *t, int n, int in, int out, int k, int wide, const float *dy, const float *w,
                           float *dx)
{
    const int leaf[2] = { 0, out };
    int rows;

    for (int s = 0; s < n; s += rows) {
        orr_outer_tile tile = t->outer[wide][orr_tile_pick(n - s, &rows)];
        tile(&(orr_outer_args){ .m = 1, .leaf = leaf, .a = dy + (size_t)s * out, .ai = (size_t)out, .aj = 1, .b = w + k,
                                .ldb = (size_t)in, .ahead = s == 0 ? 16 : 0, .c = dx + (size_t)s * in + k,
                                .ldc = (size_t)in });
    }
}

void orr_cpu_linear_backward_data(const orr_batch *b, int in, int out, const float *dy, const float *w, float *dx)
{
    const orr_tiles *t = orr_tiles_get();
    int strip = t->lanes * t->wide, units = in < strip ? 1 : in / strip, n = b->n;

    if (in < t->lanes) {
        orr_cpu_narrow_backward_data(n, in, out, dy, w, dx);
        return;
    }
    /* The last strip takes what is left: vectors, the last of which overlaps the one before (the same bits again). */
#pragma omp parallel for schedule(static) if ((size_t)n * in * out > THREAD_WORK)
    for (int u = 0; u < units; u++) {
        int k = u * strip, end = u + 1 < units ? k + strip : in;
        if (end - k >= strip) {
            backward_strip(t, n, in, out, k, 1, dy, w, dx);
            k += strip;
        }
        for (; k < end; k += t->lanes)
            backward_strip(t, n, in, out, k + t->lanes > in ? in - t->lanes : k, 0, dy, w, dx);
    }
}
