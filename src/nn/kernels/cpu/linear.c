/* nn/kernels/cpu/linear.c - dense layers.
 *
 * At the batch sizes of small nets (2 to 128) forward and data gradient are bound by reading the
 * weights, so each weight is fetched once for all samples, and the arithmetic keeps up by register
 * tiles over samples x outputs.  An output's sum runs over vectors of `lanes` partial sums and then
 * a fixed fold: its bits depend on the layer's size alone.  A tile of the weights' gradient
 * (6 outputs x 4 vectors of inputs) is made leaf by leaf in registers, and the tree over the leaves
 * of a segment is folded on a small stack of tiles in the first cache, so the gradient is written
 * once.
 *
 * Layers with fewer inputs than a vector has lanes are tiny (two inputs, twenty outputs): vectors
 * run over their outputs, and what counts is that a call takes microseconds.  Big leaves of big
 * layers are OpenBLAS's (openblas.h says which). */
#include "nn/isa_private.h"
#include "nn/kernels/cpu/cpu.h"
#include "nn/kernels/cpu/leaf_stack_private.h"
#include "nn/kernels/cpu/openblas.h"
#include "nn/kernels/cpu/tile.h"

#include <string.h>

enum {
    SAMPLES = 24,          /* whose inputs of one depth block stay in the first cache ... */
    DEPTH = 256,           /* ... 24 KiB */
    GROUP = 2,             /* tiles of outputs that use such a block while it is there */
    THREAD_WORK = 1 << 16, /* multiplications that pay for waking threads */
    TILE = ORR_TILE_ROWS * ORR_TILE_MAX_WIDE * ORR_TILE_MAX_LANES,
    NARROW = ORR_TILE_MAX_LANES, /* inputs of a narrow layer are fewer */
    CHUNK = 64                   /* outputs at a time, of narrow layers and of biases */
};

/* ---- narrow layers ---- */
/* t[k][j] = w[j][k]; j < width. */
static void load_columns(int in, int width, const float *w, float t[NARROW][CHUNK])
{
    for (int j = 0; j < width; j++)
        for (int k = 0; k < in; k++)
            t[k][j] = w[(size_t)j * in + k];
}

/* y[s][0..width) = sum over k of x[s][k] t[k] + bias */
ORR_INLINE void forward_chunk_body(int n, int in, int out, int width, const float *x,
                                   float t[NARROW][CHUNK], const float *bias, float *y)
{
    float sum[CHUNK];

    for (int s = 0; s < n; s++) {
        for (int j = 0; j < CHUNK; j++)
            sum[j] = 0.0f;
        for (int k = 0; k < in; k++)
            for (int j = 0; j < CHUNK; j++)
                sum[j] += x[(size_t)s * in + k] * t[k][j];
        for (int j = 0; j < CHUNK; j++)
            sum[j] += bias[j];
        memcpy(y + (size_t)s * out, sum, (size_t)width * sizeof *y);
    }
}
ORR_CLONES(forward_chunk,
           (int n, int in, int out, int width, const float *x, float t[NARROW][CHUNK],
            const float *bias, float *y),
           (n, in, out, width, x, t, bias, y))

static void narrow_forward(int n, int in, int out, const float *x, const float *w,
                           const float *bias, float *y)
{
    float t[NARROW][CHUNK] = { { 0 } }, offset[CHUNK] = { 0 };

    for (int o = 0; o < out; o += CHUNK) {
        int width = out - o < CHUNK ? out - o : CHUNK;
        load_columns(in, width, w + (size_t)o * in, t);
        if (bias) memcpy(offset, bias + o, (size_t)width * sizeof *bias);
        forward_chunk(n, in, out, width, x, t, offset, y + o);
    }
}

/* sum[k] += dy[j] w[j][k] for one chunk of outputs of one sample, rows of w padded to NARROW */
ORR_INLINE void backward_chunk_body(int width, const float *dy, float t[CHUNK][NARROW], float *sum)
{
    float acc[NARROW];

    memcpy(acc, sum, sizeof acc);
    for (int j = 0; j < width; j++)
        for (int k = 0; k < NARROW; k++)
            acc[k] += dy[j] * t[j][k];
    memcpy(sum, acc, sizeof acc);
}
ORR_CLONES(backward_chunk, (int width, const float *dy, float t[CHUNK][NARROW], float *sum),
           (width, dy, t, sum))

static void narrow_backward_data(int n, int in, int out, const float *dy, const float *w, float *dx)
{
    float t[CHUNK][NARROW] = { { 0 } }, sum[NARROW];

    for (int o = 0; o < out; o += CHUNK) {
        int width = out - o < CHUNK ? out - o : CHUNK;
        for (int j = 0; j < width; j++)
            memcpy(t[j], w + (size_t)(o + j) * in, (size_t)in * sizeof *w);
        for (int s = 0; s < n; s++) {
            memset(sum, 0, sizeof sum);
            if (o > 0) memcpy(sum, dx + (size_t)s * in, (size_t)in * sizeof *sum);
            backward_chunk(width, dy + (size_t)s * out + o, t, sum);
            memcpy(dx + (size_t)s * in, sum, (size_t)in * sizeof *sum);
        }
    }
}

/* sum[k][j] += x[s][k] dy[s][j] over n samples */
ORR_INLINE void weight_chunk_body(int n, int in, int out, int width, const float *x,
                                  const float *dy, float sum[NARROW][CHUNK])
{
    float row[CHUNK] = { 0 };

    for (int s = 0; s < n; s++) {
        memcpy(row, dy + (size_t)s * out, (size_t)width * sizeof *row);
        for (int k = 0; k < in; k++)
            for (int j = 0; j < CHUNK; j++)
                sum[k][j] += x[(size_t)s * in + k] * row[j];
    }
}
ORR_CLONES(weight_chunk,
           (int n, int in, int out, int width, const float *x, const float *dy,
            float sum[NARROW][CHUNK]),
           (n, in, out, width, x, dy, sum))

ORR_INLINE void add_chunk_body(int n, float *sum, const float *more)
{
    for (int j = 0; j < n; j++)
        sum[j] += more[j];
}
ORR_CLONES(add_chunk, (int n, float *sum, const float *more), (n, sum, more))

static void segment_weight(const orr_batch *b, int first, int m, int in, int out, int o,
                           const float *x, const float *dy, float *dw)
{
    float stack[ORR_LEAF_DEPTH + 1][NARROW][CHUNK];
    int width = out - o < CHUNK ? out - o : CHUNK;

    memset(stack[0], 0, sizeof stack[0]);
    for (int i = 0; i < m; i++) {
        int s = b->leaf[first + i], top = orr_leaf_held(i);
        memset(stack[top], 0, (size_t)in * sizeof stack[top][0]);
        weight_chunk(b->leaf[first + i + 1] - s, in, out, width, x + (size_t)s * in,
                     dy + (size_t)s * out + o, stack[top]);
        for (int a = orr_leaf_merges(i, m); a > 0; a--, top--)
            add_chunk(in * CHUNK, stack[top - 1][0], stack[top][0]);
    }
    for (int j = 0; j < width; j++)
        for (int k = 0; k < in; k++)
            dw[(size_t)(o + j) * in + k] = stack[0][k][j];
}

static void narrow_backward_weights(const orr_batch *b, int in, int out, const float *x,
                                    const float *dy, float *const *dw)
{
    for (int r = 0; r < b->n_segments; r++)
        for (int o = 0; o < out; o += CHUNK)
            segment_weight(b, b->segment[r], b->segment[r + 1] - b->segment[r], in, out, o, x, dy,
                           dw[r]);
}

/* ---- forward and data gradient by tiles ---- */
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
        narrow_forward(n, in, out, x, w, bias, y);
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
        narrow_backward_data(n, in, out, dy, w, dx);
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

/* ---- gradients of weights and biases ---- */
typedef struct params_args {
    const orr_tiles *t;
    const orr_batch *b;
    int in, out;
    const float *x, *dy;
} params_args;

/* dw[o .. o + rows)[k .. k + wide vectors) of leaves [first, first + m). */
static void weight_tile(const params_args *p, int first, int m, int o, int height, int k, int wide,
                        float *dw)
{
    float stack[ORR_LEAF_DEPTH * TILE] __attribute__((aligned(64)));

    p->t->outer[wide][height](&(orr_outer_args){ .m = m,
                                                 .leaf = p->b->leaf + first,
                                                 .a = p->dy + o,
                                                 .ai = 1,
                                                 .aj = (size_t)p->out,
                                                 .b = p->x + k,
                                                 .ldb = (size_t)p->in,
                                                 .stack = stack,
                                                 .c = dw + (size_t)o * p->in + k,
                                                 .ldc = (size_t)p->in });
}

static void weight_rows(const params_args *p, int first, int m, int o, int height, int rows,
                        float *dw)
{
    int lanes = p->t->lanes, strip = lanes * p->t->wide, k = 0;

    if (m == 0) {
        memset(dw + (size_t)o * p->in, 0, (size_t)rows * p->in * sizeof *dw);
        return;
    }
    for (; k + strip <= p->in; k += strip)
        weight_tile(p, first, m, o, height, k, 1, dw);
    for (; k < p->in; k += lanes) /* the last overlaps: the same bits again */
        weight_tile(p, first, m, o, height, k + lanes > p->in ? p->in - lanes : k, 0, dw);
}

ORR_INLINE void add_rows_body(int n, int width, const float *dy, size_t ld, float *sum)
{
    for (int s = 0; s < n; s++)
        for (int j = 0; j < width; j++)
            sum[j] += dy[(size_t)s * ld + j];
}
ORR_CLONES(add_rows, (int n, int width, const float *dy, size_t ld, float *sum),
           (n, width, dy, ld, sum))

/* db[o .. o + width) of one segment. */
static void bias_chunk(const params_args *p, int first, int m, int o, int width, float *db)
{
    float stack[ORR_LEAF_DEPTH + 1][CHUNK];

    memset(stack[0], 0, sizeof stack[0]);
    for (int i = 0; i < m; i++) {
        int s = p->b->leaf[first + i], top = orr_leaf_held(i);
        memset(stack[top], 0, sizeof stack[top]);
        add_rows(p->b->leaf[first + i + 1] - s, width, p->dy + (size_t)s * p->out + o,
                 (size_t)p->out, stack[top]);
        for (int a = orr_leaf_merges(i, m); a > 0; a--, top--)
            add_rows(1, width, stack[top], 0, stack[top - 1]);
    }
    memcpy(db + o, stack[0], (size_t)width * sizeof *db);
}

static void backward_weights(const params_args *p, float *const *dw)
{
    const orr_batch *b = p->b;
    int six = p->out / ORR_TILE_ROWS, units = six + (p->out % ORR_TILE_ROWS != 0);

    for (int r = 0; r < b->n_segments; r++) {
        int first = b->segment[r], m = b->segment[r + 1] - first;
        size_t work = (size_t)(b->leaf[first + m] - b->leaf[first]) * p->in * p->out;
#pragma omp parallel for schedule(static) if (work > THREAD_WORK)
        for (int u = 0; u < units; u++) {
            int o = u * ORR_TILE_ROWS, end = u < six ? o + ORR_TILE_ROWS : p->out, rows;
            for (; o < end; o += rows) {
                int height = orr_tile_pick(end - o, &rows);
                weight_rows(p, first, m, o, height, rows, dw[r]);
            }
        }
    }
}

/* ---- the slots of the table ---- */
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

void orr_cpu_linear_backward_params(orr_backend *be, const orr_batch *b, int in, int out,
                                    const float *x, const float *dy, float *const *dw,
                                    float *const *db)
{
    (void)be;
    const params_args p = { orr_tiles_get(), b, in, out, x, dy };

    if (in < p.t->lanes)
        narrow_backward_weights(b, in, out, x, dy, dw);
    else
        backward_weights(&p, dw);
    for (int r = 0; db && r < b->n_segments; r++)
        for (int o = 0; o < out; o += CHUNK)
            bias_chunk(&p, b->segment[r], b->segment[r + 1] - b->segment[r], o,
                       out - o < CHUNK ? out - o : CHUNK, db[r]);
}
