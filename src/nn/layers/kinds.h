/* nn/layers/kinds.h - every layer kind, one table each; kinds.c lists them.   Not collective. */
#ifndef ORR_NN_LAYERS_KINDS_H
#define ORR_NN_LAYERS_KINDS_H

#include "nn/layer.h"

extern const orr_layer_kind orr_kind_linear, orr_kind_conv1d, orr_kind_conv2d, orr_kind_max_pool1d,
    orr_kind_max_pool2d, orr_kind_avg_pool1d, orr_kind_avg_pool2d, orr_kind_global_avg_pool,
    orr_kind_batch_norm, orr_kind_relu, orr_kind_leaky_relu, orr_kind_prelu, orr_kind_elu,
    orr_kind_silu, orr_kind_sigmoid, orr_kind_tanh, orr_kind_softmax, orr_kind_dropout,
    orr_kind_flatten, orr_kind_concat, orr_kind_add, orr_kind_aux;

#endif
