/* nn/layers/source.c - layer aux: the numbers beside a sample (magnitudes, E(B-V)) as a vector: a
 * source, which reads no other layer.  Nothing is trained before it, so it has no backward. */
#include "nn/backend.h"
#include "nn/layer.h"
#include "nn/layers/kinds.h"

static orr_status aux_infer(orr_layer *l)
{
    if (l->n_aux < 1)
        return orr_fail(ORR_ERR_OPTION,
                        "there are no numbers beside the samples: give the data aux columns, or "
                        "take this layer out");
    l->out = (orr_shape){ 1, 1, l->n_aux };
    return ORR_OK;
}

static orr_status aux_forward(orr_layer *l, orr_backend *be, const orr_pass *p)
{
    be->ops->copy_channels(be, (size_t)p->batch->n, l->out.c, p->aux, l->out.c, p->y, l->out.c);
    return ORR_OK;
}

const orr_layer_kind orr_kind_aux = {
    .kind = "aux",
    .help = "the numbers beside a sample, as a vector; reads no layer",
    .infer = aux_infer,
    .forward = aux_forward,
};
