/* nn/layers/pool.c - maximum and average over sliding windows, and the average over all pixels.
 * padding: same is TensorFlow's, where an average leaves the padding out; a number is torch's, on
 * both sides, where an average counts it unless count_include_pad is off.  Lengths round down, as
 * in both. */
#include "core/memory.h"
#include "nn/backend.h"
#include "nn/layer.h"
#include "nn/layers/kinds.h"
#include "nn/layers/opts_private.h"
#include "nn/layers/window.h"

typedef struct pool {
    orr_pool_shape shape;
} pool;

enum { COLUMN = sizeof(int) }; /* the second number of a pair */

#define SERIES_WINDOW                                                                              \
    { "size", ORR_OPT_INT, offsetof(orr_pool_opts, size) + COLUMN,                                 \
      NULL,   1,           65535,                                                                  \
      0,      0,           "length of the window",                                                 \
      0 },                                                                                         \
        { "stride", ORR_OPT_INT, offsetof(orr_pool_opts, stride) + COLUMN,     "0", 0, 65535,      \
          0,        0,           "step from one output to the next; 0 = size", 0 },                \
        ORR_OPTION_STRINGS(orr_pool_opts, padding, "valid",                                        \
                           "valid (none), same, or a number on both sides")
#define IMAGE_WINDOW                                                                               \
    ORR_OPTION_PAIR(orr_pool_opts, size, NULL, 1, 65535, "height and width of the window"),        \
        ORR_OPTION_PAIR(orr_pool_opts, stride, "0", 0, 65535,                                      \
                        "step down and to the right; 0 = size"),                                   \
        ORR_OPTION_STRINGS(orr_pool_opts, padding, "valid",                                        \
                           "valid (none), same, a number, or [above and below, left and right]")
#define COUNT_PAD                                                                                  \
    ORR_OPTION_BOOL(orr_pool_opts, count_include_pad, "true",                                      \
                    "a padding number counts as zeros in the average (torch)")

static const orr_option max_pool1d_options[] = { SERIES_WINDOW, ORR_OPTION_END };
static const orr_option max_pool2d_options[] = { IMAGE_WINDOW, ORR_OPTION_END };
static const orr_option avg_pool1d_options[] = { SERIES_WINDOW, COUNT_PAD, ORR_OPTION_END };
static const orr_option avg_pool2d_options[] = { IMAGE_WINDOW, COUNT_PAD, ORR_OPTION_END };

static orr_status set_shape(orr_layer *l, const orr_pool_shape *s)
{
    pool *p;

    if ((int64_t)s->r * s->s > 65536)
        return orr_fail(ORR_ERR_SHAPE, "a window of %d x %d has more than 65536 places", s->r,
                        s->s);
    if (!(p = l->self = orr_alloc(1, sizeof *p)))
        return orr_fail(ORR_ERR_NOMEM, "%zu bytes", sizeof *p);
    p->shape = *s;
    l->out = (orr_shape){ s->ho, s->wo, s->c };
    return ORR_OK;
}

static orr_status fit(orr_layer_window *w, int in, const orr_pool_opts *o, int axis)
{
    *w = (orr_layer_window){ .size = o->size[axis],
                             .stride = o->stride[axis] ? o->stride[axis] : o->size[axis],
                             .dilation = 1 };
    ORR_TRY(orr_layer_window_fit(w, in, &o->padding, axis));
    if (!w->same && 2 * w->before > w->size)
        return orr_fail(ORR_ERR_SHAPE, "padding %d is more than half of the window of %d",
                        w->before, w->size);
    return ORR_OK;
}

static orr_status pool_infer(orr_layer *l, int one_d)
{
    const orr_pool_opts *o = l->opts;
    orr_layer_window rows = { .size = 1, .stride = 1, .dilation = 1, .out = 1 }, cols;
    orr_shape in = l->in[0];

    if (one_d && in.h != 1)
        return orr_fail(ORR_ERR_SHAPE, "%s takes a series: use the 2-D kind for images",
                        l->kind->kind);
    if (one_d && o->padding.n != 1)
        return orr_fail(ORR_ERR_OPTION, "%s takes one padding for both ends", l->kind->kind);
    if (!one_d) ORR_TRY(fit(&rows, in.h, o, 0));
    ORR_TRY(fit(&cols, in.w, o, 1));
    return set_shape(l, &(orr_pool_shape){ .h = in.h,
                                           .w = in.w,
                                           .c = in.c,
                                           .r = rows.size,
                                           .s = cols.size,
                                           .stride_h = rows.stride,
                                           .stride_w = cols.stride,
                                           .pad_top = rows.before,
                                           .pad_left = cols.before,
                                           .ho = rows.out,
                                           .wo = cols.out,
                                           .count_padding = o->count_include_pad && !cols.same });
}

static orr_status avg_series_infer(orr_layer *l)
{
    return pool_infer(l, 1);
}

static orr_status avg_image_infer(orr_layer *l)
{
    return pool_infer(l, 0);
}

/* The place of each maximum in its window is for backward. */
static orr_status max_infer(orr_layer *l, int one_d)
{
    ORR_TRY(pool_infer(l, one_d));
    l->saved[l->n_saved++] = (orr_saved){ "places", orr_shape_count(l->out) * sizeof(uint16_t) };
    return ORR_OK;
}

static orr_status max_series_infer(orr_layer *l)
{
    return max_infer(l, 1);
}

static orr_status max_image_infer(orr_layer *l)
{
    return max_infer(l, 0);
}

/* One window over everything; its places are not numbered, so any size will do. */
static orr_status global_infer(orr_layer *l)
{
    orr_shape in = l->in[0];
    pool *p = l->self = orr_alloc(1, sizeof *p);

    if (!p) return orr_fail(ORR_ERR_NOMEM, "%zu bytes", sizeof *p);
    p->shape = (orr_pool_shape){ .h = in.h,
                                 .w = in.w,
                                 .c = in.c,
                                 .r = in.h,
                                 .s = in.w,
                                 .stride_h = 1,
                                 .stride_w = 1,
                                 .ho = 1,
                                 .wo = 1 };
    l->out = (orr_shape){ 1, 1, in.c };
    return ORR_OK;
}

static orr_status max_forward(orr_layer *l, orr_backend *be, const orr_pass *p)
{
    pool *s = l->self;

    be->ops->max_pool_forward(be, p->batch->n, &s->shape, p->x[0], p->y, p->saved[0]);
    return ORR_OK;
}

static orr_status max_backward(orr_layer *l, orr_backend *be, const orr_pass *p)
{
    pool *s = l->self;

    if (p->dx[0])
        be->ops->max_pool_backward(be, p->batch->n, &s->shape, p->dy, p->saved[0], p->dx[0]);
    return ORR_OK;
}

static orr_status avg_forward(orr_layer *l, orr_backend *be, const orr_pass *p)
{
    pool *s = l->self;

    be->ops->avg_pool_forward(be, p->batch->n, &s->shape, p->x[0], p->y);
    return ORR_OK;
}

static orr_status avg_backward(orr_layer *l, orr_backend *be, const orr_pass *p)
{
    pool *s = l->self;

    if (p->dx[0]) be->ops->avg_pool_backward(be, p->batch->n, &s->shape, p->dy, p->dx[0]);
    return ORR_OK;
}

#define POOL_KIND(NAME, HELP, OPTIONS, BYTES, INFER, OP)                                           \
    const orr_layer_kind orr_kind_##NAME = {                                                       \
        .kind = #NAME,                                                                             \
        .help = HELP,                                                                              \
        .options = OPTIONS,                                                                        \
        .opts_bytes = BYTES,                                                                       \
        .min_inputs = 1,                                                                           \
        .max_inputs = 1,                                                                           \
        .passes = 1,                                                                               \
        .infer = INFER,                                                                            \
        .forward = OP##_forward,                                                                   \
        .backward = OP##_backward,                                                                 \
    }
POOL_KIND(max_pool1d, "maximum over windows of a series", max_pool1d_options, sizeof(orr_pool_opts),
          max_series_infer, max);
POOL_KIND(max_pool2d, "maximum over windows of an image", max_pool2d_options, sizeof(orr_pool_opts),
          max_image_infer, max);
POOL_KIND(avg_pool1d, "average over windows of a series", avg_pool1d_options, sizeof(orr_pool_opts),
          avg_series_infer, avg);
POOL_KIND(avg_pool2d, "average over windows of an image", avg_pool2d_options, sizeof(orr_pool_opts),
          avg_image_infer, avg);
POOL_KIND(global_avg_pool, "average over all pixels", NULL, 0, global_infer, avg);
