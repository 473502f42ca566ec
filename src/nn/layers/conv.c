/* nn/layers/conv.c - cross-correlation of a series (conv1d) or an image (conv2d), channels last.
 * Source: LeCun, Bottou, Bengio, Haffner 1998, section II.A.  conv1d is conv2d on one row.
 * symmetric: the parameters are the first half of the taps; the kernel gets all of them, and its
 * gradient becomes that of the parameters when it has been summed. */
#include "core/memory.h"
#include "nn/backend.h"
#include "nn/layer.h"
#include "nn/layers/kinds.h"
#include "nn/layers/opts_private.h"
#include "nn/layers/weights.h"
#include "nn/layers/window.h"

typedef struct conv {
    orr_conv_shape shape;
    void *plan;
    int free_taps;    /* of shape.s: all, or with symmetric the first half and the middle one */
    orr_real *taps;   /* symmetric: the kernel's weights [k][s][c], of the last forward */
    orr_real *halves; /* symmetric, training: two times [k][free_taps][c] */
} conv;

enum { COLUMN = sizeof(int) }; /* the second number of a pair */

static const orr_option conv1d_options[] = {
    ORR_OPTION_INT(orr_conv_opts, filters, NULL, 1, 1 << 20, "output channels"),
    { "size", ORR_OPT_INT, offsetof(orr_conv_opts, size) + COLUMN, NULL, 1, 65535, 0, 0,
      "taps of the kernel", 0 },
    { "stride", ORR_OPT_INT, offsetof(orr_conv_opts, stride) + COLUMN, "1", 1, 65535, 0, 0,
      "step from one output to the next", 0 },
    ORR_OPTION_STRINGS(orr_conv_opts, padding, "valid",
                       "zeros at the ends: valid (none), same, or a number on both sides"),
    { "dilation", ORR_OPT_INT, offsetof(orr_conv_opts, dilation) + COLUMN, "1", 1, 65535, 0, 0,
      "distance between taps", 0 },
    ORR_OPTION_INT(orr_conv_opts, groups, "1", 1, 1 << 20, "divides channels and filters"),
    ORR_OPTION_BOOL(orr_conv_opts, bias, "true", "add a bias"),
    ORR_WEIGHT_OPTIONS(orr_conv_opts),
    ORR_OPTION_BOOL(orr_conv_opts, symmetric, "false",
                    "filters equal their mirror image, for what has no direction in time: half "
                    "the weights"),
    ORR_OPTION_END,
};

static const orr_option conv2d_options[] = {
    ORR_OPTION_INT(orr_conv_opts, filters, NULL, 1, 1 << 20, "output channels"),
    ORR_OPTION_PAIR(orr_conv_opts, size, NULL, 1, 65535, "height and width of the kernel"),
    ORR_OPTION_PAIR(orr_conv_opts, stride, "1", 1, 65535, "step down and to the right"),
    ORR_OPTION_STRINGS(
        orr_conv_opts, padding, "valid",
        "zeros around: valid (none), same, a number, or [above and below, left and right]"),
    ORR_OPTION_PAIR(orr_conv_opts, dilation, "1", 1, 65535, "distance between taps"),
    ORR_OPTION_INT(orr_conv_opts, groups, "1", 1, 1 << 20, "divides channels and filters"),
    ORR_OPTION_BOOL(orr_conv_opts, bias, "true", "add a bias"),
    ORR_WEIGHT_OPTIONS(orr_conv_opts),
    ORR_OPTION_END,
};

/* The fans are Keras's: taps times the kernel's input channels, taps times filters. */
static orr_status describe_params(orr_layer *l, const conv *c, int one_d)
{
    const orr_conv_shape *s = &c->shape;
    const orr_conv_opts *o = l->opts;
    int per_group = s->c / s->groups, fan_in = s->r * s->s * per_group;

    ORR_TRY(orr_layer_tensors(l, o->bias ? 2 : 1, 0));
    l->params[0] = one_d ? (orr_tensor_info){ .n_dims = 3,
                                              .dims = { s->k, c->free_taps, per_group },
                                              .order = { 0, 2, 1 } }
                         : (orr_tensor_info){ .n_dims = 4,
                                              .dims = { s->k, s->r, s->s, per_group },
                                              .order = { 0, 3, 1, 2 } };
    l->params[0].name = "weight";
    l->params[0].count = (size_t)s->k * (size_t)s->r * (size_t)c->free_taps * (size_t)per_group;
    l->params[0].room = (size_t)s->k * (size_t)fan_in;
    if (o->bias)
        l->params[1] = (orr_tensor_info){
            .name = "bias", .n_dims = 1, .dims = { s->k }, .count = (size_t)s->k
        };
    return orr_weight_init(l, o->init, o->bias_init, fan_in, (double)s->r * s->s * s->k);
}

static orr_status conv_infer(orr_layer *l, int one_d)
{
    const orr_conv_opts *o = l->opts;
    orr_layer_window rows = { .size = o->size[0],
                              .stride = o->stride[0],
                              .dilation = o->dilation[0] };
    orr_layer_window cols = { .size = o->size[1],
                              .stride = o->stride[1],
                              .dilation = o->dilation[1] };
    orr_shape in = l->in[0];
    conv *c;

    if (one_d && in.h != 1)
        return orr_fail(ORR_ERR_SHAPE, "conv1d takes a series: use conv2d for images");
    if (one_d && o->padding.n != 1)
        return orr_fail(ORR_ERR_OPTION, "conv1d takes one padding for both ends");
    if (in.c % o->groups || o->filters % o->groups)
        return orr_fail(ORR_ERR_SHAPE, "%d groups do not divide %d channels into %d filters",
                        o->groups, in.c, o->filters);
    if (one_d)
        rows = (orr_layer_window){ .size = 1, .stride = 1, .dilation = 1, .out = 1 };
    else
        ORR_TRY(orr_layer_window_fit(&rows, in.h, &o->padding, 0));
    ORR_TRY(orr_layer_window_fit(&cols, in.w, &o->padding, 1));
    if ((int64_t)rows.size * cols.size * (in.c / o->groups) > INT32_MAX)
        return orr_fail(ORR_ERR_SHAPE, "a kernel of %d x %d x %d is too large", rows.size,
                        cols.size, in.c / o->groups);
    if (!(c = l->self = orr_alloc(1, sizeof *c)))
        return orr_fail(ORR_ERR_NOMEM, "%zu bytes", sizeof *c);
    c->shape = (orr_conv_shape){ .h = in.h,
                                 .w = in.w,
                                 .c = in.c,
                                 .k = o->filters,
                                 .r = rows.size,
                                 .s = cols.size,
                                 .stride_h = rows.stride,
                                 .stride_w = cols.stride,
                                 .dilation_h = rows.dilation,
                                 .dilation_w = cols.dilation,
                                 .pad_top = rows.before,
                                 .pad_left = cols.before,
                                 .pad_bottom = rows.after,
                                 .pad_right = cols.after,
                                 .groups = o->groups,
                                 .ho = rows.out,
                                 .wo = cols.out };
    l->out = (orr_shape){ rows.out, cols.out, o->filters };
    c->free_taps = one_d && o->symmetric ? (cols.size + 1) / 2 : cols.size;
    return describe_params(l, c, one_d);
}

static orr_status conv1d_infer(orr_layer *l)
{
    return conv_infer(l, 1);
}

static orr_status conv2d_infer(orr_layer *l)
{
    return conv_infer(l, 0);
}

static int is_tied(const conv *c)
{
    return c->free_taps < c->shape.s;
}

static orr_status conv_plan(orr_layer *l, orr_backend *be, const orr_limits *limits)
{
    conv *c = l->self;

    if (is_tied(c)) {
        c->taps = orr_layer_scratch(l, be, l->params[0].room, sizeof *c->taps);
        if (limits->training)
            c->halves = orr_layer_scratch(l, be, 2 * l->params[0].count, sizeof *c->halves);
        if (!c->taps || (limits->training && !c->halves))
            return orr_fail(ORR_ERR_NOMEM, "layer %s: %zu weights", l->name, l->params[0].room);
    }
    return be->ops->conv_plan(be, &c->plan, &c->shape, limits);
}

static void conv_unplan(orr_layer *l, orr_backend *be)
{
    conv *c = l->self;

    if (c->plan) be->ops->conv_unplan(be, c->plan);
    c->plan = NULL;
}

/* Copies tap `from` of each filter of x to tap `to` of y; x and y have filters of n_x and n_y taps.
 */
static void copy_tap(const conv *c, orr_backend *be, const orr_real *x, int n_x, int from,
                     orr_real *y, int n_y, int to)
{
    int channels = c->shape.c / c->shape.groups;

    be->ops->copy_channels(be, (size_t)c->shape.k, channels, x + (size_t)from * (size_t)channels,
                           n_x * channels, y + (size_t)to * (size_t)channels, n_y * channels);
}

/* The kernel's weights: the layer's own, or symmetric ones made of them. */
static const orr_real *spread(const orr_layer *l, orr_backend *be, const orr_real *w)
{
    const conv *c = l->self;
    int n = c->shape.s;

    if (!is_tied(c)) return w;
    for (int i = 0; i < n; i++)
        copy_tap(c, be, w, c->free_taps, i < c->free_taps ? i : n - 1 - i, c->taps, n, i);
    return c->taps;
}

/* A free tap's gradient is that of its two places; the middle one of an odd number has one. */
static orr_status conv_finish_grad(orr_layer *l, orr_backend *be, orr_real *slab)
{
    const conv *c = l->self;
    const orr_tensor_info *weight = &l->params[0];
    orr_real *g = slab + weight->offset, *first = c->halves, *second = first + weight->count;
    int n = c->shape.s;

    if (!is_tied(c)) return ORR_OK;
    be->ops->clear(be, second, weight->count * sizeof *second);
    for (int i = 0; i < c->free_taps; i++) {
        copy_tap(c, be, g, n, i, first, c->free_taps, i);
        if (n - 1 - i > i) copy_tap(c, be, g, n, n - 1 - i, second, c->free_taps, i);
    }
    be->ops->clear(be, g, weight->room * sizeof *g);
    be->ops->add(be, weight->count, first, second, g);
    return ORR_OK;
}

static orr_status conv_forward(orr_layer *l, orr_backend *be, const orr_pass *p)
{
    conv *c = l->self;
    const orr_real *bias = l->n_params == 2 ? p->params + l->params[1].offset : NULL;

    be->ops->conv_forward(be, c->plan, p->batch, p->x[0],
                          spread(l, be, p->params + l->params[0].offset), bias, p->y);
    return ORR_OK;
}

static orr_status conv_backward(orr_layer *l, orr_backend *be, const orr_pass *p)
{
    conv *c = l->self;
    orr_real *dw[ORR_MAX_SEGMENTS], *db[ORR_MAX_SEGMENTS];

    orr_pass_grads(p, l->params[0].offset, dw);
    if (l->n_params == 2) orr_pass_grads(p, l->params[1].offset, db);
    be->ops->conv_backward_params(be, c->plan, p->batch, p->x[0], p->dy, dw,
                                  l->n_params == 2 ? db : NULL);
    if (p->dx[0])
        be->ops->conv_backward_data(be, c->plan, p->batch, p->dy,
                                    is_tied(c) ? c->taps : p->params + l->params[0].offset,
                                    p->dx[0]);
    return ORR_OK;
}

#define CONV_KIND(NAME, HELP)                                                                      \
    const orr_layer_kind orr_kind_##NAME = {                                                       \
        .kind = #NAME,                                                                             \
        .help = HELP,                                                                              \
        .options = NAME##_options,                                                                 \
        .opts_bytes = sizeof(orr_conv_opts),                                                       \
        .min_inputs = 1,                                                                           \
        .max_inputs = 1,                                                                           \
        .keeps_x = 1,                                                                              \
        .infer = NAME##_infer,                                                                     \
        .plan = conv_plan,                                                                         \
        .forward = conv_forward,                                                                   \
        .backward = conv_backward,                                                                 \
        .finish_grad = conv_finish_grad,                                                           \
        .unplan = conv_unplan,                                                                     \
    }
CONV_KIND(conv1d, "convolution of a series");
CONV_KIND(conv2d, "convolution of an image");
