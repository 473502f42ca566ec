/* nn/layers/dropout.c - in training, numbers become 0 with probability `rate` and the rest grow by
 * 1 / (1 - rate). Source: Srivastava, Hinton, Krizhevsky, Sutskever, Salakhutdinov 2014. The mask
 * is a function of the sample's key and the layer's number: the same on any rank, and again in
 * backward. */
#include "nn/backend.h"
#include "nn/layer.h"
#include "nn/layers/kinds.h"
#include "nn/layers/opts_private.h"

static const orr_option dropout_options[] = {
    ORR_OPTION_REAL(orr_dropout_opts, rate, "0.5", 0, 1, "share of numbers that become 0, below 1"),
    ORR_OPTION_END,
};

static orr_status dropout_infer(orr_layer *l)
{
    if (((const orr_dropout_opts *)l->opts)->rate >= 1)
        return orr_fail(ORR_ERR_OPTION, "rate 1 would leave nothing: give one below 1");
    l->out = l->in[0];
    return ORR_OK;
}

static void apply(orr_layer *l, orr_backend *be, const orr_pass *p, const orr_real *x, orr_real *y)
{
    be->ops->dropout(be, p->batch, orr_shape_count(l->out),
                     ((const orr_dropout_opts *)l->opts)->rate, l->index, x, y);
}

static orr_status dropout_forward(orr_layer *l, orr_backend *be, const orr_pass *p)
{
    int n = (int)orr_shape_count(l->out);

    if (p->training && p->batch->n && !p->batch->keys)
        return orr_fail(ORR_ERR_ARG, "layer %s: training needs the samples' keys", l->name);
    if (p->training)
        apply(l, be, p, p->x[0], p->y);
    else if (p->y != p->x[0])
        be->ops->copy_channels(be, (size_t)p->batch->n, n, p->x[0], n, p->y, n);
    return ORR_OK;
}

static orr_status dropout_backward(orr_layer *l, orr_backend *be, const orr_pass *p)
{
    if (p->dx[0]) apply(l, be, p, p->dy, p->dx[0]);
    return ORR_OK;
}

const orr_layer_kind orr_kind_dropout = {
    .kind = "dropout",
    .help = "random zeros in training, nothing otherwise",
    .options = dropout_options,
    .opts_bytes = sizeof(orr_dropout_opts),
    .min_inputs = 1,
    .max_inputs = 1,
    .passes = 1,
    .in_place = 1,
    .infer = dropout_infer,
    .forward = dropout_forward,
    .backward = dropout_backward,
};
