/* nn/layers/linear.c - y = W x + b on a vector. */
#include "nn/backend.h"
#include "nn/layer.h"
#include "nn/layers/kinds.h"
#include "nn/layers/opts_private.h"
#include "nn/layers/weights.h"

static const orr_option linear_options[] = {
    ORR_OPTION_INT(orr_linear_opts, units, NULL, 1, 1 << 24, "outputs"),
    ORR_OPTION_BOOL(orr_linear_opts, bias, "true", "add a bias"),
    ORR_WEIGHT_OPTIONS(orr_linear_opts),
    ORR_OPTION_END,
};

static orr_status linear_infer(orr_layer *l)
{
    const orr_linear_opts *o = l->opts;
    int in = l->in[0].c;

    if (l->in[0].h != 1 || l->in[0].w != 1)
        return orr_fail(ORR_ERR_SHAPE,
                        "linear takes a vector: put flatten or global_avg_pool before it");
    l->out = (orr_shape){ 1, 1, o->units };
    ORR_TRY(orr_layer_tensors(l, o->bias ? 2 : 1, 0));
    l->params[0] = (orr_tensor_info){ .name = "weight",
                                      .n_dims = 2,
                                      .dims = { o->units, in },
                                      .count = (size_t)o->units * (size_t)in };
    if (o->bias)
        l->params[1] = (orr_tensor_info){
            .name = "bias", .n_dims = 1, .dims = { o->units }, .count = (size_t)o->units
        };
    return orr_weight_init(l, o->init, o->bias_init, in, o->units);
}

static orr_status linear_forward(orr_layer *l, orr_backend *be, const orr_pass *p)
{
    const orr_real *bias = l->n_params == 2 ? p->params + l->params[1].offset : NULL;

    be->ops->linear_forward(be, p->batch, l->in[0].c, l->out.c, p->x[0],
                            p->params + l->params[0].offset, bias, p->y);
    return ORR_OK;
}

static orr_status linear_backward(orr_layer *l, orr_backend *be, const orr_pass *p)
{
    orr_real *dw[ORR_MAX_SEGMENTS], *db[ORR_MAX_SEGMENTS];

    orr_pass_grads(p, l->params[0].offset, dw);
    if (l->n_params == 2) orr_pass_grads(p, l->params[1].offset, db);
    be->ops->linear_backward_params(be, p->batch, l->in[0].c, l->out.c, p->x[0], p->dy, dw,
                                    l->n_params == 2 ? db : NULL);
    if (p->dx[0])
        be->ops->linear_backward_data(be, p->batch, l->in[0].c, l->out.c, p->dy,
                                      p->params + l->params[0].offset, p->dx[0]);
    return ORR_OK;
}

const orr_layer_kind orr_kind_linear = {
    .kind = "linear",
    .help = "matrix product and bias on a vector",
    .options = linear_options,
    .opts_bytes = sizeof(orr_linear_opts),
    .min_inputs = 1,
    .max_inputs = 1,
    .keeps_x = 1,
    .infer = linear_infer,
    .forward = linear_forward,
    .backward = linear_backward,
};
