/* nn/layers/flatten.c - a block of numbers as a vector.
 * order torch: channels first, so that the columns of a linear layer's weight are PyTorch's.  order
 * last: as they lie in memory, which moves nothing. */
#include "nn/backend.h"
#include "nn/layer.h"
#include "nn/layers/kinds.h"
#include "nn/layers/opts_private.h"

#include <limits.h>
#include <string.h>

static const orr_option flatten_options[] = {
    ORR_OPTION_CHOICE(orr_flatten_opts, order, "torch", "torch|last",
                      "channels first (as PyTorch flattens), or channels last"),
    ORR_OPTION_END,
};

static orr_status flatten_infer(orr_layer *l)
{
    size_t n = orr_shape_count(l->in[0]);
    int moves = !strcmp(((const orr_flatten_opts *)l->opts)->order, "torch") && l->in[0].c > 1 &&
                l->in[0].h * (int64_t)l->in[0].w > 1;

    if (n > INT_MAX) return orr_fail(ORR_ERR_SHAPE, "a vector of %zu is too long", n);
    l->out = (orr_shape){ 1, 1, (int)n };
    l->in_place = !moves;
    return ORR_OK;
}

static void move(orr_layer *l, orr_backend *be, int n, int rows, const orr_real *x, orr_real *y)
{
    if (!l->in_place)
        be->ops->transpose(be, n, rows, l->out.c / rows, x, y);
    else if (x != y)
        be->ops->copy_channels(be, (size_t)n, l->out.c, x, l->out.c, y, l->out.c);
}

static orr_status flatten_forward(orr_layer *l, orr_backend *be, const orr_pass *p)
{
    move(l, be, p->batch->n, l->in[0].h * l->in[0].w, p->x[0], p->y);
    return ORR_OK;
}

static orr_status flatten_backward(orr_layer *l, orr_backend *be, const orr_pass *p)
{
    if (p->dx[0]) move(l, be, p->batch->n, l->in[0].c, p->dy, p->dx[0]);
    return ORR_OK;
}

const orr_layer_kind orr_kind_flatten = {
    .kind = "flatten",
    .help = "a series or an image as a vector",
    .options = flatten_options,
    .opts_bytes = sizeof(orr_flatten_opts),
    .min_inputs = 1,
    .max_inputs = 1,
    .passes = 1,
    .in_place = 1,
    .infer = flatten_infer,
    .forward = flatten_forward,
    .backward = flatten_backward,
};
