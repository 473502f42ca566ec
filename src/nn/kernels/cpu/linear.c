/* nn/kernels/cpu/linear.c - dense layers: forward and data gradient.
 *
 * At the batch sizes of small nets (2 to 128) these are bound by reading the weights, so each
 * weight is fetched once for all samples, and the arithmetic keeps up by register tiles over
 * samples x outputs.  An output's sum runs over vectors of `lanes` partial sums and then a fixed
 * fold: its bits depend on the layer's size alone.  Layers with fewer inputs than a vector has
 * lanes are in linear_narrow.c.  Big leaves of big layers are OpenBLAS's (openblas.h says which).
 */
#include "nn/kernels/cpu/cpu.h"
#include "nn/kernels/cpu/openblas.h"
#include "nn/kernels/cpu/tile.h"

#include <string.h>

enum {
    SAMPLES = 24,         /* whose inputs of one depth block stay in the first cache ... */
    DEPTH = 256,          /* ... 24 KiB */
    GROUP = 2,            /* tiles of outputs that use such a block while it is there */
    THREAD_WORK = 1 << 16 /* multiplications that pay for waking threads */
};

typedef struct forward_args {
    const orr_tiles *t;
    int n, in, out;
    const float *x, *w, *bias;
    float *y;
} forward_args;

/* Samples [s0, s0 + n_s) of `n_o` outputs (1 or `wide`), depth [k, k + depth). */
static void dot_block(const forward_args *f, int s0, int n_s, const float *w, size_t ldw, int n_o,
                      int k, int depth, float *acc)
{
    const float *x = f->x + (size_t)s0 * f->in + k;
    int rows;

    for (int s = 0; s < n_s; s += rows) {
        orr_dot_tile tile = f->t->dot[n_o > 1][orr_tile_pick(n_s - s, &rows)];
        tile(depth, w, ldw, x + (size_t)s * f->in, (size_t)f->in, acc + s * n_o * f->t->lanes);
    }
}

/* The last in % lanes products of each pair: a whole vector that ends where the rows end, with
 * zeros for the weights that were counted before.  (An infinite input becomes a NaN there; both are
 * caught as not finite.) */
static void dot_tail(const forward_args *f, int s0, int n_s, int o0, int n_o, float *acc)
{
    const int lanes = f->t->lanes, left = f->in % lanes;
    float w[ORR_TILE_MAX_WIDE][ORR_TILE_MAX_LANES] = { { 0 } };

    for (int o = 0; o < n_o; o++)
        for (int i = lanes - left; i < lanes; i++)
            w[o][i] = f->w[(size_t)(o0 + o) * f->in + f->in - lanes + i];
    dot_block(f, s0, n_s, w[0], ORR_TILE_MAX_LANES, n_o, f->in - lanes, lanes, acc);
}

/* Asks for the weights of the next block of depth. */
static void prefetch_weights(const forward_args *f, const float *w, int n_o, int k)
{
    int end = k + 2 * DEPTH < f->in ? k + 2 * DEPTH : f->in;

    for (int o = 0; o < n_o; o++)
        for (int i = k + DEPTH; i < end; i += 16)
            __builtin_prefetch(w + (size_t)o * f->in + i);
}

/* Outputs [o0, o0 + n_tiles * n_o) of samples [s0, s0 + n_s); n_o is 1 or `wide`. */
static void forward_block(const forward_args *f, int s0, int n_s, int o0, int n_tiles, int n_o)
{
    enum { ONE = SAMPLES * ORR_TILE_MAX_WIDE * ORR_TILE_MAX_LANES };
    float acc[GROUP * ONE] __attribute__((aligned(64))), sum[SAMPLES * ORR_TILE_MAX_WIDE];
    const int lanes = f->t->lanes, full = f->in - f->in % lanes;

    memset(acc, 0, (size_t)n_tiles * ONE * sizeof *acc);
    for (int k = 0; k < full; k += DEPTH)
        for (int t = 0; t < n_tiles; t++) {
            const float *w = f->w + (size_t)(o0 + t * n_o) * f->in;
            if (s0 == 0) prefetch_weights(f, w, n_o, k);
            dot_block(f, s0, n_s, w + k, (size_t)f->in, n_o, k, full - k < DEPTH ? full - k : DEPTH,
                      acc + t * ONE);
        }
    for (int t = 0; t < n_tiles; t++) {
        int o = o0 + t * n_o;
        if (full < f->in) dot_tail(f, s0, n_s, o, n_o, acc + t * ONE);
        f->t->fold(n_s * n_o, acc + t * ONE, sum);
        for (int s = 0; s < n_s; s++)
            for (int i = 0; i < n_o; i++)
                f->y[(size_t)(s0 + s) * f->out + o + i] =
                    sum[s * n_o + i] + (f->bias ? f->bias[o + i] : 0.0f);
    }
}

/* Unit u: GROUP wide tiles, fewer wide tiles, or single outputs. */
static void forward_unit(const forward_args *f, int s0, int n_s, int u)
{
    const int wide = f->t->wide, group = GROUP * wide, n_wide = f->out / wide * wide;
    const int o = u * group, end = f->out < o + group ? f->out : o + group;
    const int tiles = ((n_wide < end ? n_wide : end) - o) / wide;

    if (tiles > 0) forward_block(f, s0, n_s, o, tiles, wide);
    for (int i = o + (tiles > 0 ? tiles * wide : 0); i < end; i++)
        forward_block(f, s0, n_s, i, 1, 1);
}

void orr_cpu_tiles_forward(int n, int in, int out, const float *x, const float *w,
                           const float *bias, float *y)
{
    const forward_args f = { orr_tiles_get(), n, in, out, x, w, bias, y };
    const int group = GROUP * f.t->wide, units = (out + group - 1) / group;

    if (in < f.t->lanes) {
        orr_cpu_narrow_forward(n, in, out, x, w, bias, y);
        return;
    }
#pragma omp parallel for schedule(static) if ((size_t)n * in * out > THREAD_WORK)
    for (int u = 0; u < units; u++)
        for (int s = 0; s < f.n; s += SAMPLES)
            forward_unit(&f, s, f.n - s < SAMPLES ? f.n - s : SAMPLES, u);
}

/* dx columns [k, k + wide vectors or one) for all samples. */
static void backward_strip(const orr_tiles *t, int n, int in, int out, int k, int wide,
                           const float *dy, const float *w, float *dx)
{
    const int leaf[2] = { 0, out };
    int rows;

    for (int s = 0; s < n; s += rows) {
        orr_outer_tile tile = t->outer[wide][orr_tile_pick(n - s, &rows)];
        tile(&(orr_outer_args){ .m = 1,
                                .leaf = leaf,
                                .a = dy + (size_t)s * out,
                                .ai = (size_t)out,
                                .aj = 1,
                                .b = w + k,
                                .ldb = (size_t)in,
                                .ahead = s == 0 ? 16 : 0,
                                .c = dx + (size_t)s * in + k,
                                .ldc = (size_t)in });
    }
}

void orr_cpu_tiles_backward_data(int n, int in, int out, const float *dy, const float *w, float *dx)
{
    const orr_tiles *t = orr_tiles_get();
    int strip = t->lanes * t->wide, units = in < strip ? 1 : in / strip;

    if (in < t->lanes) {
        orr_cpu_narrow_backward_data(n, in, out, dy, w, dx);
        return;
    }
    /* The last strip takes what is left: vectors, the last of which overlaps the one before (the
     * same bits again). */
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

/* Whether OpenBLAS takes leaf i; *end = the first leaf after it that is not treated the same. */
static int choose(int (*takes)(int n, int in, int out), const orr_batch *b, int in, int out, int i,
                  int *end)
{
    const int blas = takes(b->leaf[i + 1] - b->leaf[i], in, out);

    for (*end = i + 1; *end < b->n_leaves; ++*end)
        if (takes(b->leaf[*end + 1] - b->leaf[*end], in, out) != blas) break;
    return blas;
}

void orr_cpu_linear_forward(orr_backend *be, const orr_batch *b, int in, int out, const float *x,
                            const float *w, const float *bias, float *y)
{
    (void)be;
    for (int i = 0, end; i < b->n_leaves; i = end) {
        const size_t s = (size_t)b->leaf[i];
        if (choose(orr_blas_takes_forward, b, in, out, i, &end))
            orr_blas_forward(end - i, b->leaf + i, in, out, x, w, bias, y);
        else
            orr_cpu_tiles_forward(b->leaf[end] - b->leaf[i], in, out, x + s * in, w, bias,
                                  y + s * out);
    }
}

void orr_cpu_linear_backward_data(orr_backend *be, const orr_batch *b, int in, int out,
                                  const float *dy, const float *w, float *dx)
{
    (void)be;
    for (int i = 0, end; i < b->n_leaves; i = end) {
        const size_t s = (size_t)b->leaf[i];
        if (choose(orr_blas_takes_backward_data, b, in, out, i, &end))
            orr_blas_backward_data(end - i, b->leaf + i, in, out, dy, w, dx);
        else
            orr_cpu_tiles_backward_data(b->leaf[end] - b->leaf[i], in, out, dy + s * out, w,
                                        dx + s * in);
    }
}
