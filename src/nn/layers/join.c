/* nn/layers/join.c - several inputs to one: concat side by side along the channels, add number by
 * number. */
#include "nn/backend.h"
#include "nn/layer.h"
#include "nn/layers/kinds.h"

#include "nn/graph.h"

#include <limits.h>

static orr_status concat_infer(orr_layer *l)
{
    char a[ORR_SHAPE_TEXT], b[ORR_SHAPE_TEXT];
    int64_t c = 0;

    for (int i = 0; i < l->n_in; i++) {
        if (l->in[i].h != l->in[0].h || l->in[i].w != l->in[0].w)
            return orr_fail(
                ORR_ERR_SHAPE,
                "input %d is %s and input 1 is %s: concat needs equal heights and widths", i + 1,
                orr_shape_text(l->in[i], a), orr_shape_text(l->in[0], b));
        c += l->in[i].c;
    }
    if (c > INT_MAX) return orr_fail(ORR_ERR_SHAPE, "%lld channels are too many", (long long)c);
    l->out = (orr_shape){ l->in[0].h, l->in[0].w, (int)c };
    return ORR_OK;
}

static orr_status concat_forward(orr_layer *l, orr_backend *be, const orr_pass *p)
{
    size_t rows = (size_t)p->batch->n * (size_t)l->out.h * (size_t)l->out.w;

    for (int i = 0, at = 0; i < l->n_in; at += l->in[i++].c)
        be->ops->copy_channels(be, rows, l->in[i].c, p->x[i], l->in[i].c, p->y + at, l->out.c);
    return ORR_OK;
}

static orr_status concat_backward(orr_layer *l, orr_backend *be, const orr_pass *p)
{
    size_t rows = (size_t)p->batch->n * (size_t)l->out.h * (size_t)l->out.w;

    for (int i = 0, at = 0; i < l->n_in; at += l->in[i++].c)
        if (p->dx[i])
            be->ops->copy_channels(be, rows, l->in[i].c, p->dy + at, l->out.c, p->dx[i],
                                   l->in[i].c);
    return ORR_OK;
}

const orr_layer_kind orr_kind_concat = {
    .kind = "concat",
    .help = "inputs side by side along the channels",
    .min_inputs = 2,
    .max_inputs = ORR_MAX_INPUTS,
    .passes = 1,
    .infer = concat_infer,
    .forward = concat_forward,
    .backward = concat_backward,
};

static orr_status add_infer(orr_layer *l)
{
    char a[ORR_SHAPE_TEXT], b[ORR_SHAPE_TEXT];

    for (int i = 1; i < l->n_in; i++)
        if (!orr_shape_equal(l->in[i], l->in[0]))
            return orr_fail(ORR_ERR_SHAPE,
                            "input %d is %s and input 1 is %s: add needs equal shapes", i + 1,
                            orr_shape_text(l->in[i], a), orr_shape_text(l->in[0], b));
    l->out = l->in[0];
    return ORR_OK;
}

static orr_status add_forward(orr_layer *l, orr_backend *be, const orr_pass *p)
{
    size_t n = (size_t)p->batch->n * orr_shape_count(l->out);

    be->ops->add(be, n, p->x[0], p->x[1], p->y);
    for (int i = 2; i < l->n_in; i++)
        be->ops->add(be, n, p->y, p->x[i], p->y);
    return ORR_OK;
}

static orr_status add_backward(orr_layer *l, orr_backend *be, const orr_pass *p)
{
    int c = l->out.c;
    size_t rows = (size_t)p->batch->n * (size_t)l->out.h * (size_t)l->out.w;

    for (int i = 0; i < l->n_in; i++)
        if (p->dx[i] && p->dx[i] != p->dy)
            be->ops->copy_channels(be, rows, c, p->dy, c, p->dx[i], c);
    return ORR_OK;
}

static orr_range add_range(const orr_layer *l, const orr_range *in)
{
    orr_range sum = { 0, 0 };

    for (int i = 0; i < l->n_in; i++) {
        sum.lo += in[i].lo;
        sum.hi += in[i].hi;
    }
    return sum;
}

const orr_layer_kind orr_kind_add = {
    .kind = "add",
    .help = "sum of the inputs",
    .min_inputs = 2,
    .max_inputs = ORR_MAX_INPUTS,
    .in_place = 1,
    .range = add_range,
    .infer = add_infer,
    .forward = add_forward,
    .backward = add_backward,
};
