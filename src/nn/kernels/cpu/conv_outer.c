/* nn/kernels/cpu/conv_outer.c - tiles of outer products and the walk over them. */
#include "nn/kernels/cpu/conv_outer.h"

#include "core/memory.h"
#include "core/threads.h"
#include "nn/isa_private.h"
#include "nn/kernels/cpu/leaf_stack_private.h"

#include <omp.h>
#include <string.h>

enum {
    MAX_TILE = 24 * 16,    /* floats */
    BLOCK_BYTES = 1 << 18, /* of x that a block of pixels may take: part of the second cache ... */
    BLOCK_PIXELS = 1024,   /* ... and pixels, so that a long sum loses no precision */
    STRIP_BYTES = 5 << 17, /* of x and dy that a column of tiles reads, kept in the second cache */
    THREAD_WORK = 1 << 16  /* multiplications that pay for waking threads */
};

/* sum[i][v][lane] = or += over samples, rows and columns of a[i] * b[v][lane] */
typedef struct tap_args {
    int n, rows, cols, add;
    const float *a, *b; /* of the first pixel */
    size_t a_sample, a_row, a_pixel, b_sample, b_row, b_pixel;
    size_t last; /* where the last vector begins: it may overlap the one before */
    float *sum;
} tap_args;
typedef void (*tap_tile)(const tap_args *t);

#define DEFINE_TAP(NAME, TARGET, V, I, W)                                                          \
    TARGET static void NAME(const tap_args *t)                                                     \
    {                                                                                              \
        enum { LANES = sizeof(V) / sizeof(float) };                                                \
        const size_t a_pixel = t->a_pixel, b_pixel = t->b_pixel, last = t->last;                   \
        V sum[I][W];                                                                               \
        ORR_UNROLL for (int i = 0; i < I; i++) ORR_UNROLL for (int v = 0; v < W; v++) sum[i][v] =  \
            (V){ 0 };                                                                              \
        for (int n = 0; n < t->n; n++)                                                             \
            for (int h = 0; h < t->rows; h++) {                                                    \
                const float *a = t->a + (size_t)n * t->a_sample + (size_t)h * t->a_row;            \
                const float *b = t->b + (size_t)n * t->b_sample + (size_t)h * t->b_row;            \
                for (int q = t->cols; q > 0; q--, a += a_pixel, b += b_pixel) {                    \
                    V row[W];                                                                      \
                    ORR_UNROLL for (int v = 0; v < W - 1; v++) row[v] =                            \
                        *(const V *)(b + v * LANES);                                               \
                    row[W - 1] = *(const V *)(b + last);                                           \
                    ORR_UNROLL for (int i = 0; i < I; i++) ORR_UNROLL for (int v = 0; v < W; v++)  \
                        sum[i][v] += a[i] * row[v];                                                \
                }                                                                                  \
            }                                                                                      \
        ORR_UNROLL for (int i = 0; i < I; i++) ORR_UNROLL for (int v = 0; v < W; v++)              \
        {                                                                                          \
            V *to = (V *)(t->sum + (i * W + v) * LANES);                                           \
            if (t->add) sum[i][v] += *to;                                                          \
            *to = sum[i][v];                                                                       \
        }                                                                                          \
    }

/* Tiles of `rows` output channels by 1, 2 or 3 vectors of input channels, or by 4. */
typedef struct tap_tiles {
    int lanes, rows[2];
    tap_tile tile[2][4]; /* by vectors - 1; NULL: not used */
} tap_tiles;

#define DEFINE_TILES(ISA, TARGET, V, FOUR, REST)                                                   \
    DEFINE_TAP(tap_##ISA##_four, TARGET, V, FOUR, 4)                                               \
    DEFINE_TAP(tap_##ISA##_1, TARGET, V, REST, 1)                                                  \
    DEFINE_TAP(tap_##ISA##_2, TARGET, V, REST, 2)                                                  \
    DEFINE_TAP(tap_##ISA##_3, TARGET, V, REST, 3)                                                  \
    static const tap_tiles tiles_##ISA = {                                                         \
        .lanes = sizeof(V) / sizeof(float),                                                        \
        .rows = { REST, FOUR },                                                                    \
        .tile = { { tap_##ISA##_1, tap_##ISA##_2, tap_##ISA##_3 },                                 \
                  { NULL, NULL, NULL, tap_##ISA##_four } },                                        \
    };

DEFINE_TILES(base, , orr_f4, 3, 4)
#if defined(__x86_64__)
DEFINE_TILES(avx2, ORR_AVX2, orr_f8, 3, 4)
DEFINE_TILES(avx512, ORR_AVX512, orr_f16, 6, 8)
#endif

static const tap_tiles *tiles_get(void)
{
#if defined(__x86_64__)
    orr_isa isa = orr_cpu_isa();
    if (isa == ORR_ISA_AVX512) return &tiles_avx512;
    if (isa == ORR_ISA_AVX2) return &tiles_avx2;
#endif
    return &tiles_base;
}

ORR_INLINE void add_tile_body(int n, const float *from, float *sum)
{
    for (int i = 0; i < n; i++)
        sum[i] += from[i];
}
ORR_CLONES(add_tile, (int n, const float *from, float *sum), (n, from, sum))

struct orr_outer {
    orr_conv_shape s;
    const tap_tiles *tiles;
    int kind, threads;
    int fused;                     /* a row of taps is taken as channels */
    int channels;                  /* c, or s * c */
    int taps;                      /* r * s, or r */
    int n_k, n_vec;                /* tiles of output channels, vectors of channels */
    int image_w;                   /* columns of the image that is read */
    int block_samples, block_rows; /* one sum in registers: several samples, or rows of one */
    int by_tile;                   /* all leaves of a tile, then the next tile; else leaf by leaf */
    size_t n_tiles;                /* of a gradient */
    float *image;                  /* fused: all samples with their padding */
    float *stack;  /* [level][n_tiles][MAX_TILE]; by_tile: [thread][level][MAX_TILE] */
    float *packed; /* [thread][pixels of all samples, or of a block][rows of a tile] */
    size_t levels, packed_floats;
};

/* Vectors of the tile that begins at vector v: threes, at the end twos rather than a one. */
static int width_at(const orr_outer *p, int v)
{
    const int left = p->n_vec - v;

    if (p->kind == 1) return 4;
    return left == 4 || left == 2 ? 2 : left < 3 ? left : 3;
}

/* What one sum in registers covers: the layer alone decides. */
static void plan_blocks(orr_outer *p)
{
    const orr_conv_shape *s = &p->s;
    const size_t pixels = (size_t)s->ho * (size_t)s->wo,
                 bytes = (size_t)s->h * (size_t)s->w * (size_t)s->c * sizeof(float) / pixels + 1;
    size_t fit = BLOCK_BYTES / bytes;

    if (fit > BLOCK_PIXELS) fit = BLOCK_PIXELS;
    p->block_samples = fit >= pixels ? (int)(fit / pixels) : 1;
    p->block_rows = fit >= pixels ? s->ho : (int)(fit / (size_t)s->wo);
    if (p->block_rows < 1) p->block_rows = 1;
}

static orr_status allocate(orr_outer *p, const orr_limits *limits)
{
    const orr_conv_shape *s = &p->s;
    const size_t threads = (size_t)p->threads, rows = (size_t)p->tiles->rows[p->kind],
                 all = (size_t)limits->max_samples * (size_t)s->ho * (size_t)s->wo,
                 vectors = (size_t)width_at(p, 0) * (size_t)p->tiles->lanes;
    size_t columns = 0;

    for (int v = 0; v < p->n_vec; v += width_at(p, v))
        columns++;
    for (p->levels = 1; 1 << (p->levels - 1) < limits->max_leaves;)
        p->levels++;
    p->n_tiles = (size_t)p->n_k * (size_t)p->taps * columns;
    p->by_tile = all * (vectors + rows) * sizeof(float) <= STRIP_BYTES;
    p->packed_floats =
        rows *
        (p->by_tile ? all : (size_t)p->block_samples * (size_t)p->block_rows * (size_t)s->wo);
    p->stack =
        orr_alloc(p->levels * (p->by_tile ? threads : p->n_tiles) * MAX_TILE, sizeof *p->stack);
    p->packed = orr_alloc(threads * p->packed_floats, sizeof *p->packed);
    if (p->fused)
        p->image = orr_alloc((size_t)limits->max_samples * (size_t)s->h * (size_t)p->image_w *
                                 (size_t)s->c,
                             sizeof *p->image);
    if (!p->stack || !p->packed || (p->fused && !p->image))
        return orr_fail(ORR_ERR_NOMEM,
                        "convolution: no memory for %zu tiles of the weights' gradient",
                        p->n_tiles);
    return ORR_OK;
}

orr_status orr_outer_create(orr_outer **out, const orr_conv_shape *s, const orr_limits *limits,
                            int threads)
{
    const tap_tiles *tiles = tiles_get();
    const int fused = s->c < tiles->lanes && s->dilation_w == 1;
    orr_outer *p;
    orr_status st;

    *out = NULL;
    if (s->groups != 1 || (fused ? s->c * s->s : s->c) < tiles->lanes) return ORR_OK;
    if (!(p = orr_alloc(1, sizeof *p)))
        return orr_fail(ORR_ERR_NOMEM, "convolution: no memory for a plan");
    *p = (orr_outer){ .s = *s, .tiles = tiles, .threads = threads, .fused = fused };
    p->channels = fused ? s->c * s->s : s->c;
    p->taps = fused ? s->r : s->r * s->s;
    p->image_w = fused ? (s->wo - 1) * s->stride_w + s->s : s->w;
    if (fused && p->image_w < s->w + s->pad_left) p->image_w = s->w + s->pad_left;
    p->n_vec = (p->channels + tiles->lanes - 1) / tiles->lanes;
    p->kind = p->n_vec % 4 == 0 && p->n_vec % 3 != 0;
    p->n_k = (s->k + tiles->rows[p->kind] - 1) / tiles->rows[p->kind];
    plan_blocks(p);
    st = allocate(p, limits);
    if (st == ORR_OK)
        *out = p;
    else
        orr_outer_destroy(p);
    return st;
}

void orr_outer_destroy(orr_outer *p)
{
    if (!p) return;
    orr_free(p->image);
    orr_free(p->stack);
    orr_free(p->packed);
    orr_free(p);
}

/* Samples with zeros beside every row (the frame was zeroed when it was made). */
static void make_image(const orr_outer *p, int n, const float *x)
{
    const orr_conv_shape *s = &p->s;
    const size_t row = (size_t)s->w * (size_t)s->c, to = (size_t)p->image_w * (size_t)s->c;

#pragma omp parallel for schedule(static)                                                          \
    num_threads(orr_threads_of(p->threads)) if (n * row * s->h > THREAD_WORK)
    for (int i = 0; i < n * s->h; i++)
        memcpy(p->image + (size_t)i * to + (size_t)s->pad_left * (size_t)s->c, x + (size_t)i * row,
               row * sizeof *x);
}

/* First output channel of tile i: the last one may overlap the one before. */
static int first_channel(const orr_outer *p, int i)
{
    const int rows = p->tiles->rows[p->kind], k = i * rows;

    return k + rows <= p->s.k ? k : p->s.k > rows ? p->s.k - rows : 0;
}

ORR_INLINE void pack_width(size_t pixels, int k, int rows, int width, const float *dy, float *to)
{
    for (size_t i = 0; i < pixels; i++, dy += k, to += rows)
        for (int j = 0; j < width; j++)
            to[j] = dy[j];
}

ORR_INLINE void pack_rows_body(size_t pixels, int k, int rows, const float *dy, float *to)
{
    if (k < rows)
        pack_width(pixels, k, rows, k, dy, to);
    else if (rows == 8)
        pack_width(pixels, k, 8, 8, dy, to);
    else if (rows == 6)
        pack_width(pixels, k, 6, 6, dy, to);
    else
        pack_width(pixels, k, rows, rows, dy, to);
}
ORR_CLONES(pack_rows, (size_t pixels, int k, int rows, const float *dy, float *to),
           (pixels, k, rows, dy, to))

/* Outputs [*from, *to) whose input pixel lies inside, for a tap that reads `shift` further on. */
static void inside(int shift, int stride, int in, int out, int *from, int *to)
{
    const int end = in - shift; /* places below it are inside */

    *from = shift >= 0 ? 0 : (-shift + stride - 1) / stride;
    *to = end <= 0 ? 0 : (end + stride - 1) / stride;
    if (*to > out) *to = out;
    if (*from > *to) *from = *to;
}

/* Some samples, or some output rows of one sample, and the tile's channels of their dy. */
typedef struct block {
    int sample, n, row, row_end;
    const float *a; /* of the first sample's row a_first */
    int a_first;
    size_t a_pixel;
} block;

/* Block u of the samples [first, last). */
static block block_at(const orr_outer *p, int first, int last, int u)
{
    const int rows = (p->s.ho + p->block_rows - 1) / p->block_rows,
              sample = first + u / rows * p->block_samples, row = u % rows * p->block_rows;

    return (block){ .sample = sample,
                    .n = last - sample < p->block_samples ? last - sample : p->block_samples,
                    .row = row,
                    .row_end = p->s.ho - row < p->block_rows ? p->s.ho : row + p->block_rows };
}

static int block_count(const orr_outer *p, int samples)
{
    return (samples + p->block_samples - 1) / p->block_samples *
           ((p->s.ho + p->block_rows - 1) / p->block_rows);
}

/* A tile of output channels, a tap, and the tile's vectors [v, v + width) of channels. */
typedef struct place {
    int k, tap, v, width;
} place;

/* The product of one block, stored or added. */
static void block_tile(const orr_outer *p, const block *k, const place *at, const float *x, int add,
                       float *sum)
{
    const orr_conv_shape *s = &p->s;
    const int r = p->fused ? at->tap : at->tap / s->s, lanes = p->tiles->lanes,
              first = at->v * lanes, end = first + at->width * lanes,
              left = p->fused ? 0 : at->tap % s->s * s->dilation_w - s->pad_left,
              top = r * s->dilation_h - s->pad_top;
    const size_t b_row = (size_t)p->image_w * (size_t)s->c, b_sample = (size_t)s->h * b_row,
                 a_row = (size_t)s->wo * k->a_pixel, a_sample = (size_t)s->ho * a_row;
    int row, row_end, col, col_end;

    inside(top, s->stride_h, s->h, s->ho, &row, &row_end);
    inside(left, s->stride_w, p->image_w, s->wo, &col, &col_end);
    if (row < k->row) row = k->row;
    if (row_end > k->row_end) row_end = k->row_end;
    if (row_end < row) row_end = row = k->row;
    const ptrdiff_t from = ((ptrdiff_t)row * s->stride_h + top) * (ptrdiff_t)b_row +
                           ((ptrdiff_t)col * s->stride_w + left) * s->c + first;
    p->tiles->tile[p->kind][at->width - 1](
        &(tap_args){ .n = k->n,
                     .rows = row_end - row,
                     .cols = col_end - col,
                     .add = add,
                     .a = k->a + (size_t)(row - k->a_first) * a_row + (size_t)col * k->a_pixel,
                     .b = x + (ptrdiff_t)(k->sample * b_sample) + from,
                     .a_sample = a_sample,
                     .a_row = a_row,
                     .a_pixel = k->a_pixel,
                     .b_sample = b_sample,
                     .b_row = (size_t)s->stride_h * b_row,
                     .b_pixel = (size_t)(s->stride_w * s->c),
                     .last = (size_t)((end > p->channels ? p->channels : end) - lanes - first),
                     .sum = sum });
}

/* The finished tile to its place. */
static void store(const orr_outer *p, const place *at, const float *sum, float *dw)
{
    const int rows = p->tiles->rows[p->kind], lanes = p->tiles->lanes, k = first_channel(p, at->k);
    const size_t size = (size_t)p->s.r * (size_t)p->s.s * (size_t)p->s.c,
                 tap = (size_t)at->tap * (size_t)p->channels;

    for (int row = at->k * rows - k; row < rows && k + row < p->s.k; row++)
        for (int u = 0; u < at->width; u++) {
            int c = (at->v + u) * lanes;
            if (c + lanes > p->channels) c = p->channels - lanes;
            memcpy(dw + (size_t)(k + row) * size + tap + (size_t)c,
                   sum + (row * at->width + u) * lanes, (size_t)lanes * sizeof *sum);
        }
}

/* The sum over leaf l of m goes down the stack of tiles, whose entries lie `step` apart, and to dw
 * after the last leaf. */
static void finish_leaf(const orr_outer *p, const place *at, int l, int m, float *stack,
                        size_t step, float *sum, float *dw)
{
    const int n = p->tiles->rows[p->kind] * at->width * p->tiles->lanes;
    int top = orr_leaf_held(l);

    for (int merges = orr_leaf_merges(l, m); merges > 0; merges--)
        add_tile(n, stack + (size_t)--top * step, sum);
    if (l + 1 == m)
        store(p, at, sum, dw);
    else if (sum != stack + (size_t)top * step)
        memcpy(stack + (size_t)top * step, sum, (size_t)n * sizeof *sum);
}

/* dy's channels of a tile for `pixels` pixels from `pixel` on: packed where many taps read them. */
static void take_channels(const orr_outer *p, block *k, int tile, size_t pixel, size_t pixels,
                          const float *dy, float *packed)
{
    const int rows = p->tiles->rows[p->kind];

    k->a = dy + pixel * (size_t)p->s.k + first_channel(p, tile);
    k->a_pixel = (size_t)p->s.k;
    if (p->s.k >= rows && p->n_tiles <= 3 * (size_t)p->n_k) return;
    pack_rows(pixels, p->s.k, rows, k->a, packed);
    k->a = packed;
    k->a_pixel = (size_t)rows;
}

typedef struct job {
    const orr_outer *p;
    const orr_batch *b;
    const float *x, *dy;
    float *packed, *stack;
} job;

/* One tile of the gradient over all leaves of a segment. */
static void segment_tile(const job *j, int segment, const place *at, const block *all, float *dw)
{
    const orr_outer *p = j->p;
    const int first = j->b->segment[segment], m = j->b->segment[segment + 1] - first;
    const size_t sample = (size_t)(p->s.ho * p->s.wo) * all->a_pixel;
    float sum[MAX_TILE] __attribute__((aligned(64)));

    for (int l = 0; l < m; l++) {
        const int *leaf = j->b->leaf + first + l, n = block_count(p, leaf[1] - leaf[0]);
        if (n == 0) memset(sum, 0, sizeof sum);
        for (int u = 0; u < n; u++) {
            block k = block_at(p, leaf[0], leaf[1], u);
            k.a = all->a + (size_t)k.sample * sample;
            k.a_pixel = all->a_pixel;
            block_tile(p, &k, at, j->x, u > 0, sum);
        }
        finish_leaf(p, at, l, m, j->stack, MAX_TILE, sum, dw);
    }
}

/* All tiles of output channels k, each over all leaves: x's channels of a tile stay in the cache.
 */
static void by_tiles(const job *j, int k, float *const *dw)
{
    const orr_outer *p = j->p;
    const size_t pixels = (size_t)p->s.ho * (size_t)p->s.wo * (size_t)j->b->n;
    place at = { .k = k };
    block all = { 0 };

    take_channels(p, &all, k, 0, pixels, j->dy, j->packed);
    for (; at.v < p->n_vec; at.v += at.width) {
        at.width = width_at(p, at.v);
        for (at.tap = 0; at.tap < p->taps; at.tap++)
            for (int r = 0; r < j->b->n_segments; r++)
                if (j->b->segment[r] < j->b->segment[r + 1]) segment_tile(j, r, &at, &all, dw[r]);
    }
}

/* All tiles of output channels i over block k; sums[tile] */
static void add_block(const job *j, int i, block *k, int add, float *sums)
{
    const orr_outer *p = j->p;
    const size_t wo = (size_t)p->s.wo,
                 pixel = ((size_t)k->sample * (size_t)p->s.ho + (size_t)k->row) * wo;
    place at = { .k = i };

    k->a_first = k->row;
    take_channels(p, k, i, pixel, (size_t)k->n * (size_t)(k->row_end - k->row) * wo, j->dy,
                  j->packed);
    for (; at.v < p->n_vec; at.v += at.width) {
        at.width = width_at(p, at.v);
        for (at.tap = 0; at.tap < p->taps; at.tap++, sums += MAX_TILE)
            block_tile(p, k, &at, j->x, add, sums);
    }
}

/* Leaf l of m is summed: the tree, for all tiles of output channels i. */
static void finish_tiles(const job *j, int i, int l, int m, float *stack, float *dw)
{
    const orr_outer *p = j->p;
    const size_t level = p->n_tiles * MAX_TILE;
    float *sum = stack + (size_t)orr_leaf_held(l) * level;
    place at = { .k = i };

    for (; at.v < p->n_vec; at.v += at.width) {
        at.width = width_at(p, at.v);
        for (at.tap = 0; at.tap < p->taps; at.tap++, stack += MAX_TILE, sum += MAX_TILE)
            finish_leaf(p, &at, l, m, stack, level, sum, dw);
    }
}

/* Tiles of output channels [from, to), block by block: x's pixels stay in the cache. */
static void by_blocks(const job *j, int from, int to, int segment, float *dw)
{
    const orr_outer *p = j->p;
    const int first = j->b->segment[segment], m = j->b->segment[segment + 1] - first;
    const size_t one = p->n_tiles / (size_t)p->n_k * MAX_TILE, level = p->n_tiles * MAX_TILE;

    for (int l = 0; l < m; l++) {
        const int *leaf = j->b->leaf + first + l, n = block_count(p, leaf[1] - leaf[0]);
        float *sums = j->stack + (size_t)orr_leaf_held(l) * level;
        if (n == 0) memset(sums + (size_t)from * one, 0, (size_t)(to - from) * one * sizeof *sums);
        for (int u = 0; u < n; u++) {
            block k = block_at(p, leaf[0], leaf[1], u);
            for (int i = from; i < to; i++)
                add_block(j, i, &k, u > 0, sums + (size_t)i * one);
        }
        for (int i = from; i < to; i++)
            finish_tiles(j, i, l, m, j->stack + (size_t)i * one, dw);
    }
}

static void thread_part(orr_outer *p, const orr_batch *b, const float *x, const float *dy,
                        float *const *dw)
{
    const int t = omp_get_thread_num(), n = omp_get_num_threads(), from = p->n_k * t / n,
              to = p->n_k * (t + 1) / n;
    job j = { p, b, x, dy, p->packed + (size_t)t * p->packed_floats, p->stack };

    if (p->by_tile) {
        j.stack += (size_t)t * p->levels * MAX_TILE;
        for (int k = from; k < to; k++)
            by_tiles(&j, k, dw);
        return;
    }
    for (int r = 0; r < b->n_segments; r++)
        by_blocks(&j, from, to, r, dw[r]);
}

void orr_outer_weights(orr_outer *p, const orr_batch *b, const float *x, const float *dy,
                       float *const *dw)
{
    const size_t size = (size_t)p->s.k * (size_t)p->s.r * (size_t)p->s.s * (size_t)p->s.c,
                 pixels = (size_t)p->s.ho * (size_t)p->s.wo * (size_t)b->n;

    if (p->fused) {
        make_image(p, b->n, x);
        x = p->image;
    }
    for (int r = 0; r < b->n_segments; r++)
        if (b->segment[r] == b->segment[r + 1]) memset(dw[r], 0, size * sizeof *dw[r]);
#pragma omp parallel num_threads(orr_threads_of(p->threads)) if (size * pixels > THREAD_WORK)
    thread_part(p, b, x, dy, dw);
}
