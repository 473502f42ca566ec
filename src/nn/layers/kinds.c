/* nn/layers/kinds.c - the list of layer kinds. */
#include "nn/layers/kinds.h"

#include <string.h>

static const orr_layer_kind *const kinds[] = {
    &orr_kind_linear,     &orr_kind_conv1d,     &orr_kind_conv2d,     &orr_kind_max_pool1d,
    &orr_kind_max_pool2d, &orr_kind_avg_pool1d, &orr_kind_avg_pool2d, &orr_kind_global_avg_pool,
    &orr_kind_batch_norm, &orr_kind_relu,       &orr_kind_leaky_relu, &orr_kind_prelu,
    &orr_kind_elu,        &orr_kind_silu,       &orr_kind_sigmoid,    &orr_kind_tanh,
    &orr_kind_softmax,    &orr_kind_dropout,    &orr_kind_flatten,    &orr_kind_concat,
    &orr_kind_add,        &orr_kind_aux,
};
enum { N_KINDS = sizeof kinds / sizeof *kinds };

const orr_layer_kind *const *orr_layer_kinds(int *n)
{
    *n = N_KINDS;
    return kinds;
}

const orr_layer_kind *orr_layer_kind_find(const char *kind)
{
    for (int i = 0; i < N_KINDS; i++)
        if (!strcmp(kinds[i]->kind, kind)) return kinds[i];
    return NULL;
}
