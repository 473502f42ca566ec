/* nn/kernels/cpu/conv_direct.c - images, packing and the run of the direct convolution. */
#include "nn/kernels/cpu/conv_direct.h"

#include "core/memory.h"

#include <omp.h>
#include <string.h>

enum { THREAD_WORK = 1 << 16 };

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
    d->tiles = orr_conv_tiles_get(kg);
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
const float *orr_direct_image(const orr_direct *d, int thread, const float *source)
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
        int g = u / d->n_vec, k0 = orr_direct_vec_begin(d, u % d->n_vec);
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
    float t[12 * ORR_CONV_MAX_LANES], *y = j->y + (size_t)p * all + j->g * d->kg;
    int spoils = d->kg < lanes && (d->groups > 1 || y + (size_t)(n - 1) * all + lanes > j->end);
    orr_conv_args a = { .taps = d->taps,
                        .off = d->off,
                        .x = j->x + (size_t)p * d->im.pixel_pitch,
                        .pitch = (size_t)d->im.pixel_pitch,
                        .w = d->packed + (size_t)u * d->taps * lanes,
                        .bias = d->bias + (size_t)u * lanes,
                        .y = { y + orr_direct_vec_begin(d, j->v),
                               y + orr_direct_vec_begin(d, j->v + j->wide) },
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
    num_threads(d->threads) if (n > 1 && n * out * d->taps > THREAD_WORK)
    for (int i = 0; i < n; i++)
        conv_sample(d, orr_direct_image(d, omp_get_thread_num(), x + i * in), y + i * out);
}
