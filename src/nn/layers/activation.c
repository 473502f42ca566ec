/* nn/layers/activation.c - layers of the activations (nn/activations/activation.h), PReLU (He,
 * Zhang, Ren, Sun 2015) and softmax. */
#include "nn/layers/activation.h"
#include "nn/backend.h"
#include "nn/layers/opts_private.h"

#include <math.h>

static const orr_option prelu_options[] = {
    ORR_OPTION_BOOL(orr_prelu_opts, per_channel, "false",
                    "a slope for each channel instead of one"),
    ORR_OPTION_REAL(orr_prelu_opts, init, "0.25", -1e6, 1e6, "the slopes' first value"),
    ORR_OPTION_END,
};

/* ---- of the rows ---- */
orr_status orr_activation_infer(orr_layer *l)
{
    l->out = l->in[0];
    return ORR_OK;
}

static size_t count(const orr_layer *l, const orr_pass *p)
{
    return (size_t)p->batch->n * orr_shape_count(l->out);
}

static double alpha(const orr_layer *l)
{
    return l->kind->options ? ((const orr_activation_opts *)l->opts)->alpha : 0;
}

orr_status orr_activation_forward(orr_layer *l, orr_backend *be, const orr_pass *p)
{
    be->ops->act_forward(be, l->kind->activation, alpha(l), count(l, p), p->x[0], p->y);
    return ORR_OK;
}

orr_status orr_activation_backward(orr_layer *l, orr_backend *be, const orr_pass *p)
{
    const orr_activation *a = l->kind->activation;

    if (p->dx[0])
        be->ops->act_backward(be, a, alpha(l), count(l, p),
                              a->reads == ORR_READS_X ? p->x[0] : p->y, p->dy, p->dx[0]);
    return ORR_OK;
}

/* Bounds by looking: f at both ends of the input's bounds and on a grid between them, which finds
 * the bottom of a valley (silu's) to some digits.  What grows with the number is no bound. */
orr_range orr_activation_range(const orr_layer *l, const orr_range *in)
{
    enum { STEPS = 2048 };
    static const double far = 1e30, no_bound = 1e9, width = 32;
    double lo = fmax(in[0].lo, -far), hi = fmin(in[0].hi, far), least = INFINITY, most = -INFINITY;

    for (int i = -STEPS - 1; i <= STEPS + 1; i++) {
        double x = i < -STEPS ? lo : i > STEPS ? hi : fmin(fmax(width * i / STEPS, lo), hi);
        double y = l->kind->activation->value(alpha(l), x);
        least = fmin(least, y);
        most = fmax(most, y);
    }
    return (orr_range){ least < -no_bound ? -INFINITY : least, most > no_bound ? INFINITY : most };
}

/* ---- prelu, softmax ---- */
static orr_status prelu_infer(orr_layer *l)
{
    const orr_prelu_opts *o = l->opts;
    int n = o->per_channel ? l->in[0].c : 1;

    l->out = l->in[0];
    ORR_TRY(orr_layer_tensors(l, 1, 0));
    l->params[0] = (orr_tensor_info){
        .name = "weight", .n_dims = 1, .dims = { n }, .count = (size_t)n, .fill = o->init
    };
    return ORR_OK;
}

static orr_status prelu_plan(orr_layer *l, orr_backend *be, const orr_limits *limits)
{
    if (!orr_layer_scratch(l, be, (size_t)limits->max_leaves * (size_t)l->in[0].c,
                           sizeof(orr_real)))
        return orr_fail(ORR_ERR_NOMEM, "layer %s: scratch", l->name);
    return ORR_OK;
}

static orr_status prelu_forward(orr_layer *l, orr_backend *be, const orr_pass *p)
{
    size_t rows = (size_t)p->batch->n * (size_t)l->out.h * (size_t)l->out.w;
    int shared = !((const orr_prelu_opts *)l->opts)->per_channel;

    be->ops->prelu_forward(be, rows, l->out.c, shared, p->x[0], p->params + l->params[0].offset,
                           p->y);
    return ORR_OK;
}

static orr_status prelu_backward(orr_layer *l, orr_backend *be, const orr_pass *p)
{
    int shared = !((const orr_prelu_opts *)l->opts)->per_channel;
    orr_real *dw[ORR_MAX_SEGMENTS];

    orr_pass_grads(p, l->params[0].offset, dw);
    be->ops->prelu_backward(be, p->batch, (size_t)l->out.h * (size_t)l->out.w, l->out.c, shared,
                            p->x[0], p->params + l->params[0].offset, p->dy, p->dx[0], dw,
                            l->scratch[0]);
    return ORR_OK;
}

const orr_layer_kind orr_kind_prelu = {
    .kind = "prelu",
    .help = "x above zero, a trained slope below",
    .options = prelu_options,
    .opts_bytes = sizeof(orr_prelu_opts),
    .min_inputs = 1,
    .max_inputs = 1,
    .keeps_x = 1,
    .infer = prelu_infer,
    .plan = prelu_plan,
    .forward = prelu_forward,
    .backward = prelu_backward,
};

static orr_status softmax_forward(orr_layer *l, orr_backend *be, const orr_pass *p)
{
    size_t rows = (size_t)p->batch->n * (size_t)l->out.h * (size_t)l->out.w;

    be->ops->softmax_forward(be, rows, l->out.c, p->x[0], p->y);
    return ORR_OK;
}

static orr_status softmax_backward(orr_layer *l, orr_backend *be, const orr_pass *p)
{
    size_t rows = (size_t)p->batch->n * (size_t)l->out.h * (size_t)l->out.w;

    if (p->dx[0]) be->ops->softmax_backward(be, rows, l->out.c, p->y, p->dy, p->dx[0]);
    return ORR_OK;
}

static orr_range softmax_range(const orr_layer *l, const orr_range *in)
{
    (void)in;
    return (orr_range){ l->out.c == 1, 1 }; /* of one channel: always 1 */
}

const orr_layer_kind orr_kind_softmax = {
    .kind = "softmax",
    .help = "e^x over its sum along the channels",
    .min_inputs = 1,
    .max_inputs = 1,
    .keeps_y = 1,
    .infer = orr_activation_infer,
    .forward = softmax_forward,
    .backward = softmax_backward,
    .range = softmax_range,
};
