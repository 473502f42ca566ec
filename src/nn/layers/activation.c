/* nn/layers/activation.c - element-wise functions and softmax.
 * PReLU: He, Zhang, Ren, Sun 2015.  ELU: Clevert, Unterthiner, Hochreiter 2016.  SiLU: Elfwing,
 * Uchibe, Doya 2018. */
#include "nn/backend.h"
#include "nn/layer.h"
#include "nn/layers/kinds.h"
#include "nn/layers/opts.h"

static const orr_option leaky_relu_options[] = {
    { "slope", ORR_OPT_REAL, offsetof(orr_activation_opts, alpha), "0.01", 0, 1, 0, 0,
      "slope below zero", 0 },
    ORR_OPTION_END,
};
static const orr_option elu_options[] = {
    ORR_OPTION_REAL(orr_activation_opts, alpha, "1", 0, 1e6, "minus the limit far below zero"),
    ORR_OPTION_END,
};
static const orr_option prelu_options[] = {
    ORR_OPTION_BOOL(orr_prelu_opts, per_channel, "false",
                    "a slope for each channel instead of one"),
    ORR_OPTION_REAL(orr_prelu_opts, init, "0.25", -1e6, 1e6, "the slopes' first value"),
    ORR_OPTION_END,
};

static orr_status same_infer(orr_layer *l)
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

#define ACTIVATION_KIND(NAME, CODE, HELP, OPTIONS, BYTES, KEEPS_X, KEEPS_Y)                        \
    static orr_status NAME##_forward(orr_layer *l, orr_backend *be, const orr_pass *p)             \
    {                                                                                              \
        be->ops->act_forward(be, CODE, alpha(l), count(l, p), p->x[0], p->y);                      \
        return ORR_OK;                                                                             \
    }                                                                                              \
    static orr_status NAME##_backward(orr_layer *l, orr_backend *be, const orr_pass *p)            \
    {                                                                                              \
        if (p->dx[0])                                                                              \
            be->ops->act_backward(be, CODE, alpha(l), count(l, p), p->x[0], p->y, p->dy,           \
                                  p->dx[0]);                                                       \
        return ORR_OK;                                                                             \
    }                                                                                              \
    const orr_layer_kind orr_kind_##NAME = {                                                       \
        .kind = #NAME,                                                                             \
        .help = HELP,                                                                              \
        .options = OPTIONS,                                                                        \
        .opts_bytes = BYTES,                                                                       \
        .min_inputs = 1,                                                                           \
        .max_inputs = 1,                                                                           \
        .keeps_x = KEEPS_X,                                                                        \
        .keeps_y = KEEPS_Y,                                                                        \
        .in_place = 1,                                                                             \
        .infer = same_infer,                                                                       \
        .forward = NAME##_forward,                                                                 \
        .backward = NAME##_backward,                                                               \
    }
ACTIVATION_KIND(relu, ORR_RELU, "max(x, 0)", NULL, 0, 0, 1);
ACTIVATION_KIND(leaky_relu, ORR_LEAKY_RELU, "x above zero, slope x below", leaky_relu_options,
                sizeof(orr_activation_opts), 0, 1);
ACTIVATION_KIND(elu, ORR_ELU, "x above zero, alpha (e^x - 1) below", elu_options,
                sizeof(orr_activation_opts), 0, 1);
ACTIVATION_KIND(silu, ORR_SILU, "x sigmoid(x)", NULL, 0, 1, 0);
ACTIVATION_KIND(sigmoid, ORR_SIGMOID, "1 / (1 + e^-x)", NULL, 0, 0, 1);
ACTIVATION_KIND(tanh, ORR_TANH, "hyperbolic tangent", NULL, 0, 0, 1);

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

const orr_layer_kind orr_kind_softmax = {
    .kind = "softmax",
    .help = "e^x over its sum along the channels",
    .min_inputs = 1,
    .max_inputs = 1,
    .keeps_y = 1,
    .infer = same_infer,
    .forward = softmax_forward,
    .backward = softmax_backward,
};
