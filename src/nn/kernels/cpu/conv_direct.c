/* nn/kernels/cpu/conv_direct.c - the direct convolution: its register tiles, images, packing, the
 * run over samples, and the weight gradient one leaf at a time.
 *
 * A tap is one (row, column, channel) of the kernel: a fixed offset from a pixel's place in the
 * (padded) input image.  An output element is bias + its taps in order; a weight gradient is blocks
 * of pixels in order, pixels in order within each: neither depends on the tile's size.  Vectors run
 * over output channels. */
#include "nn/kernels/cpu/conv_direct.h"

#include "core/memory.h"
#include "core/threads.h"
#include "nn/isa_private.h"

#include <omp.h>
#include <string.h>

enum {
    MAX_LANES = 16,
    MAX_PIXELS = 12, /* of a tile */
    BLOCK_TAPS = 96,
    BLOCK_PIXELS = 256,
    THREAD_WORK = 1 << 16
};

/* ---- register tiles ---- */
/* y[p][w][lane] = bias[w][lane] + sum over t of x[p*pitch + off[t]] * w[w][t][lane], p < the tile's
 * pixels */
typedef struct conv_args {
    int taps;
    const int *off;
    const float *x;
    size_t pitch;          /* from pixel to pixel of x */
    const float *w, *bias; /* vector v of w is at v * taps * lanes, of bias at v * lanes */
    float *y[2];           /* where each vector of the first pixel goes */
    size_t ldy;
} conv_args;
typedef void (*conv_tile)(const conv_args *p);

/* sum[t][w][lane] += sum over p < n of x[p*pitch + off[t]] * dy[w][p*lddy + lane] */
typedef struct grad_args {
    int n;
    const int *off;
    const float *x;
    size_t pitch;
    const float *dy[2];
    size_t lddy;
    float *sum;
    size_t ld; /* from tap to tap of sum */
} grad_args;
typedef void (*grad_tile)(const grad_args *p);

struct orr_conv_tiles {
    int lanes, pixels;    /* of the large tile */
    conv_tile conv[2][2]; /* [1 or 2 vectors][1 pixel, `pixels`] */
    grad_tile grad[2][4]; /* [1 or 2 vectors][1, 3, 6, 12 taps] */
};

/* Which gradient tile suits `left` taps. */
static int grad_pick(int left, int *taps)
{
    static const int sizes[4] = { 1, 3, 6, 12 };
    int i = left >= 12 ? 3 : left >= 6 ? 2 : left >= 3 ? 1 : 0;

    *taps = sizes[i];
    return i;
}

#define DEFINE_CONV(NAME, TARGET, V, W, P)                                                         \
    TARGET static void NAME(const conv_args *a)                                                    \
    {                                                                                              \
        enum { LANES = sizeof(V) / sizeof(float) };                                                \
        const size_t pitch = a->pitch, ldw = (size_t)a->taps * LANES;                              \
        const float *w = a->w;                                                                     \
        V sum[P][W];                                                                               \
        ORR_UNROLL for (int p = 0; p < P; p++) ORR_UNROLL for (int v = 0; v < W; v++) sum[p][v] =  \
            *(const V *)(a->bias + v * LANES);                                                     \
        for (int t = 0; t < a->taps; t++, w += LANES) {                                            \
            const float *x = a->x + a->off[t];                                                     \
            V row[W];                                                                              \
            ORR_UNROLL for (int v = 0; v < W; v++) row[v] = *(const V *)(w + v * ldw);             \
            ORR_UNROLL for (int p = 0; p < P; p++) ORR_UNROLL for (int v = 0; v < W; v++)          \
                sum[p][v] += x[p * pitch] * row[v];                                                \
        }                                                                                          \
        ORR_UNROLL for (int p = 0; p < P; p++) ORR_UNROLL for (int v = 0; v < W; v++) *            \
            (V *)(a->y[v] + p * a->ldy) = sum[p][v];                                               \
    }

#define DEFINE_GRAD(NAME, TARGET, V, W, T)                                                         \
    TARGET static void NAME(const grad_args *a)                                                    \
    {                                                                                              \
        enum { LANES = sizeof(V) / sizeof(float) };                                                \
        const size_t pitch = a->pitch, lddy = a->lddy;                                             \
        const float *x[T], *dy[W];                                                                 \
        V sum[T][W];                                                                               \
        ORR_UNROLL for (int v = 0; v < W; v++) dy[v] = a->dy[v];                                   \
        ORR_UNROLL for (int t = 0; t < T; t++)                                                     \
        {                                                                                          \
            x[t] = a->x + a->off[t];                                                               \
            ORR_UNROLL for (int v = 0; v < W; v++) sum[t][v] = (V){ 0 };                           \
        }                                                                                          \
        size_t at = 0;                                                                             \
        for (int p = 0; p < a->n; p++, at += pitch) {                                              \
            V row[W];                                                                              \
            ORR_UNROLL for (int v = 0; v < W; v++) row[v] =                                        \
                *(const V *)(dy[v] + (size_t)p * lddy);                                            \
            ORR_UNROLL for (int t = 0; t < T; t++) ORR_UNROLL for (int v = 0; v < W; v++)          \
                sum[t][v] += x[t][at] * row[v];                                                    \
        }                                                                                          \
        ORR_UNROLL for (int t = 0; t < T; t++) ORR_UNROLL for (int v = 0; v < W; v++) *            \
            (V *)(a->sum + (size_t)t * a->ld + v * LANES) += sum[t][v];                            \
    }

#define DEFINE_TILES(ISA, TARGET, V, P)                                                            \
    DEFINE_CONV(conv_##ISA##_11, TARGET, V, 1, 1)                                                  \
    DEFINE_CONV(conv_##ISA##_1p, TARGET, V, 1, P)                                                  \
    DEFINE_CONV(conv_##ISA##_21, TARGET, V, 2, 1)                                                  \
    DEFINE_CONV(conv_##ISA##_2p, TARGET, V, 2, P)                                                  \
    DEFINE_GRAD(grad_##ISA##_11, TARGET, V, 1, 1)                                                  \
    DEFINE_GRAD(grad_##ISA##_13, TARGET, V, 1, 3)                                                  \
    DEFINE_GRAD(grad_##ISA##_16, TARGET, V, 1, 6)                                                  \
    DEFINE_GRAD(grad_##ISA##_1c, TARGET, V, 1, 12)                                                 \
    DEFINE_GRAD(grad_##ISA##_21, TARGET, V, 2, 1)                                                  \
    DEFINE_GRAD(grad_##ISA##_23, TARGET, V, 2, 3)                                                  \
    DEFINE_GRAD(grad_##ISA##_26, TARGET, V, 2, 6)                                                  \
    DEFINE_GRAD(grad_##ISA##_2c, TARGET, V, 2, 12)                                                 \
    static const orr_conv_tiles tiles_##ISA = {                                                    \
        .lanes = sizeof(V) / sizeof(float),                                                        \
        .pixels = P,                                                                               \
        .conv = { { conv_##ISA##_11, conv_##ISA##_1p }, { conv_##ISA##_21, conv_##ISA##_2p } },    \
        .grad = { { grad_##ISA##_11, grad_##ISA##_13, grad_##ISA##_16, grad_##ISA##_1c },          \
                  { grad_##ISA##_21, grad_##ISA##_23, grad_##ISA##_26, grad_##ISA##_2c } },        \
    };

DEFINE_TILES(base, , orr_f4, 6)
#if defined(__x86_64__)
DEFINE_TILES(avx2_4, ORR_AVX2, orr_f4, 6)
DEFINE_TILES(avx2_8, ORR_AVX2, orr_f8, 6)
DEFINE_TILES(avx512_4, ORR_AVX512, orr_f4, 12)
DEFINE_TILES(avx512_8, ORR_AVX512, orr_f8, 12)
DEFINE_TILES(avx512_16, ORR_AVX512, orr_f16, 12)
#endif

/* The widest that suits so many output channels. */
static const orr_conv_tiles *tiles_get(int channels)
{
#if defined(__x86_64__)
    orr_isa isa = orr_cpu_isa();
    if (isa == ORR_ISA_AVX512)
        return channels <= 4 ? &tiles_avx512_4 : channels <= 8 ? &tiles_avx512_8 : &tiles_avx512_16;
    if (isa == ORR_ISA_AVX2) return channels <= 4 ? &tiles_avx2_4 : &tiles_avx2_8;
#endif
    (void)channels;
    return &tiles_base;
}

/* ---- images ---- */
static orr_status direct_alloc(orr_direct *d, int threads)
{
    size_t image = (size_t)d->im.h * d->im.w * d->im.c, lanes = (size_t)d->tiles->lanes;

    d->threads = threads;
    d->off = orr_alloc((size_t)d->taps, sizeof *d->off);
    d->packed = orr_alloc((size_t)d->groups * d->n_vec * d->taps * lanes, sizeof *d->packed);
    d->bias = orr_alloc((size_t)d->groups * d->n_vec * lanes, sizeof *d->bias);
    d->image = d->im.copy ? orr_alloc((size_t)threads * image, sizeof *d->image) : NULL;
    if (!d->off || !d->packed || !d->bias || (d->im.copy && !d->image))
        return orr_fail(ORR_ERR_NOMEM, "convolution: no memory for %d images of %zu bytes", threads,
                        image * sizeof *d->image);
    return ORR_OK;
}

static void direct_shape(orr_direct *d, const orr_conv_shape *s, int cg, int kg)
{
    d->groups = s->groups;
    d->cg = cg;
    d->kg = kg;
    d->taps = s->r * s->s * cg;
    d->tiles = tiles_get(kg);
    d->n_vec = (kg + d->tiles->lanes - 1) / d->tiles->lanes;
}

orr_status orr_direct_init_forward(orr_direct *d, const orr_conv_shape *s, int threads)
{
    orr_image *im = &d->im;
    int cg = s->c / s->groups, t = 0;

    *d = (orr_direct){ 0 };
    direct_shape(d, s, cg, s->k / s->groups);
    *im = (orr_image){ .src_h = s->h,
                       .src_w = s->w,
                       .c = s->c,
                       .top = s->pad_top,
                       .left = s->pad_left,
                       .h = s->h + s->pad_top + s->pad_bottom,
                       .w = s->w + s->pad_left + s->pad_right,
                       .step_h = 1,
                       .step_w = 1,
                       .ho = s->ho,
                       .wo = s->wo };
    im->copy = im->h != s->h || im->w != s->w;
    im->row_pitch = s->stride_h * im->w * s->c;
    im->pixel_pitch = s->stride_w * s->c;
    ORR_TRY(direct_alloc(d, threads));
    for (int r = 0; r < s->r; r++)
        for (int q = 0; q < s->s; q++)
            for (int c = 0; c < cg; c++)
                d->off[t++] = (r * s->dilation_h * im->w + q * s->dilation_w) * s->c + c;
    return ORR_OK;
}

orr_status orr_direct_init_backward(orr_direct *d, const orr_conv_shape *s, int threads)
{
    orr_image *im = &d->im;
    int kg = s->k / s->groups, reach_h = s->dilation_h * (s->r - 1),
        reach_w = s->dilation_w * (s->s - 1), t = 0;

    *d = (orr_direct){ 0 };
    direct_shape(d, s, kg, s->c / s->groups);
    *im = (orr_image){ .src_h = s->ho,
                       .src_w = s->wo,
                       .c = s->k,
                       .top = reach_h - s->pad_top,
                       .left = reach_w - s->pad_left,
                       .h = s->h + reach_h,
                       .w = s->w + reach_w,
                       .step_h = s->stride_h,
                       .step_w = s->stride_w,
                       .ho = s->h,
                       .wo = s->w };
    im->copy = im->h != im->src_h || im->w != im->src_w || im->top != 0 || im->left != 0 ||
               im->step_h != 1 || im->step_w != 1;
    im->row_pitch = im->w * s->k;
    im->pixel_pitch = s->k;
    ORR_TRY(direct_alloc(d, threads));
    for (int r = 0; r < s->r; r++)
        for (int q = 0; q < s->s; q++)
            for (int k = 0; k < kg; k++)
                d->off[t++] =
                    ((reach_h - r * s->dilation_h) * im->w + reach_w - q * s->dilation_w) * s->k +
                    k;
    return ORR_OK;
}

void orr_direct_release(orr_direct *d)
{
    orr_free(d->off);
    orr_free(d->packed);
    orr_free(d->bias);
    orr_free(d->image);
    *d = (orr_direct){ 0 };
}

/* The frame was zeroed when it was made, and only source pixels are ever written. */
static const float *image_of(const orr_direct *d, int thread, const float *source)
{
    const orr_image *im = &d->im;
    float *image;
    int from, to;

    if (!im->copy) return source;
    image = d->image + (size_t)thread * im->h * im->w * im->c;
    from = im->left < 0 ? (-im->left + im->step_w - 1) / im->step_w : 0;
    to = (im->w - im->left + im->step_w - 1) / im->step_w;
    if (to > im->src_w) to = im->src_w;
    for (int i = 0; i < im->src_h; i++) {
        int row = im->top + i * im->step_h;
        if (row < 0 || row >= im->h) continue;
        const float *in = source + (size_t)i * im->src_w * im->c;
        float *out = image + ((size_t)row * im->w + im->left) * im->c;
        if (im->step_w == 1 && to > from)
            memcpy(out + (size_t)from * im->c, in + (size_t)from * im->c,
                   (size_t)(to - from) * im->c * sizeof *in);
        else
            for (int j = from; j < to; j++)
                memcpy(out + (size_t)j * im->step_w * im->c, in + (size_t)j * im->c,
                       (size_t)im->c * sizeof *in);
    }
    return image;
}

/* ---- packing ---- */
/* First channel of vector v within its group. */
static int vec_begin(const orr_direct *d, int v)
{
    int lanes = d->tiles->lanes, k = v * lanes;

    return k + lanes <= d->kg ? k : d->kg > lanes ? d->kg - lanes : 0;
}

/* The weight of output channel o and tap t of group g, in the convolution's own layout
 * [k][r][s][c/groups]. */
static float weight_of(const orr_direct *d, const float *w, int g, int t, int o, int transposed)
{
    if (!transposed) return w[(size_t)(g * d->kg + o) * d->taps + t];
    int place = t / d->cg, k = t % d->cg; /* cg, kg: channels of dy and dx */
    return w[((size_t)(g * d->cg + k) * (d->taps / d->cg) + place) * d->kg + o];
}

void orr_direct_pack(orr_direct *d, const float *w, const float *bias, int transposed)
{
    int lanes = d->tiles->lanes;

    for (int u = 0; u < d->groups * d->n_vec; u++) {
        int g = u / d->n_vec, k0 = vec_begin(d, u % d->n_vec);
        int width = d->kg < lanes ? d->kg : lanes;
        float *to = d->packed + (size_t)u * d->taps * lanes;
        for (int t = 0; t < d->taps; t++)
            for (int l = 0; l < width; l++)
                to[t * lanes + l] = weight_of(d, w, g, t, k0 + l, transposed);
        for (int l = 0; bias && l < width; l++)
            d->bias[u * lanes + l] = bias[g * d->kg + k0 + l];
        if (!bias) memset(d->bias + u * lanes, 0, (size_t)lanes * sizeof *bias);
    }
}

/* ---- the run over samples ---- */
typedef struct row_job {
    const orr_direct *d;
    int g, v, wide;   /* vectors [v, v + 1 + wide) of group g */
    const float *x;   /* of the row's first pixel, first channel of the group */
    float *y;         /* the row's first pixel */
    const float *end; /* of the sample's output: no vector may reach beyond */
} row_job;

/* Pixels [p, p + n).  A vector wider than the channels is stored whole, and what it spoils the next
 * pixel mends; where nothing comes after (the sample's end) or something came before (groups) the
 * channels are stored one by one. */
static void conv_pixels(const row_job *j, int p, int n)
{
    const orr_direct *d = j->d;
    const int lanes = d->tiles->lanes, u = j->g * d->n_vec + j->v, all = d->groups * d->kg;
    float t[MAX_PIXELS * MAX_LANES], *y = j->y + (size_t)p * all + j->g * d->kg;
    int spoils = d->kg < lanes && (d->groups > 1 || y + (size_t)(n - 1) * all + lanes > j->end);
    conv_args a = { .taps = d->taps,
                    .off = d->off,
                    .x = j->x + (size_t)p * d->im.pixel_pitch,
                    .pitch = (size_t)d->im.pixel_pitch,
                    .w = d->packed + (size_t)u * d->taps * lanes,
                    .bias = d->bias + (size_t)u * lanes,
                    .y = { y + vec_begin(d, j->v), y + vec_begin(d, j->v + j->wide) },
                    .ldy = (size_t)all };

    if (spoils) {
        a.y[0] = t;
        a.ldy = (size_t)lanes;
    }
    d->tiles->conv[j->wide][n > 1](&a);
    for (int i = 0; spoils && i < n; i++)
        for (int k = 0; k < d->kg; k++)
            y[(size_t)i * all + k] = t[i * lanes + k];
}

static void conv_row(const row_job *j)
{
    const int wo = j->d->im.wo, tile = j->d->tiles->pixels;
    int p = 0;

    for (; p + tile <= wo; p += tile)
        conv_pixels(j, p, tile);
    if (p < wo && wo >= tile) { /* overlaps the tile before: the same bits again */
        conv_pixels(j, wo - tile, tile);
        p = wo;
    }
    for (; p < wo; p++)
        conv_pixels(j, p, 1);
}

static void conv_sample(const orr_direct *d, const float *image, float *y)
{
    const orr_image *im = &d->im;
    const size_t row = (size_t)im->wo * d->groups * d->kg;

    for (int h = 0; h < im->ho; h++)
        for (int g = 0; g < d->groups; g++)
            for (int v = 0; v < d->n_vec; v += 2)
                conv_row(&(row_job){ .d = d,
                                     .g = g,
                                     .v = v,
                                     .wide = v + 1 < d->n_vec,
                                     .x = image + (size_t)h * im->row_pitch + g * d->cg,
                                     .y = y + h * row,
                                     .end = y + im->ho * row });
}

void orr_direct_run(const orr_direct *d, int n, const float *x, float *y)
{
    const orr_image *im = &d->im;
    const size_t in = (size_t)im->src_h * im->src_w * im->c,
                 out = (size_t)im->ho * im->wo * d->groups * d->kg;

#pragma omp parallel for schedule(static)                                                          \
    num_threads(orr_threads_of(d->threads)) if (n > 1 && n * out * d->taps > THREAD_WORK)
    for (int i = 0; i < n; i++)
        conv_sample(d, image_of(d, omp_get_thread_num(), x + i * in), y + i * out);
}

/* ---- the weight gradient ----
 * Work is divided into (leaf, block of taps, two vectors of output channels); each is summed by one
 * thread, row by row, in blocks of pixels, so that a long series loses no precision. */
typedef struct grad_job {
    const orr_direct *d;
    int g, v, wide, t, n_t; /* taps [t, t + n_t), vectors [v, v + 1 + wide) of group g */
    float sum[BLOCK_TAPS * 2 * MAX_LANES];
} grad_job;

/* Adds n pixels' part: x at the first pixel's place, dy at its vectors. */
static void add_pixels(grad_job *j, int n, const float *x, const float *dy[2], size_t lddy)
{
    const orr_direct *d = j->d;
    const size_t ld = (size_t)d->tiles->lanes * (1 + j->wide);
    int taps;

    for (int t = 0; t < j->n_t; t += taps) {
        grad_tile tile = d->tiles->grad[j->wide][grad_pick(j->n_t - t, &taps)];
        tile(&(grad_args){ .n = n,
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
    const int first[2] = { j->g * d->kg + vec_begin(d, j->v),
                           j->g * d->kg + vec_begin(d, j->v + j->wide) };
    float copy[BLOCK_PIXELS * MAX_LANES];
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
            float *row = out + (size_t)(j->g * d->kg + vec_begin(d, j->v + v) + l) * d->taps + j->t;
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
        const float *image = image_of(j->d, thread, x + i * in) + j->g * j->d->cg;
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

#pragma omp parallel for schedule(static)                                                          \
    num_threads(orr_threads_of(d->threads)) if (size * pixels > THREAD_WORK)
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
