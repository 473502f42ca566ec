/* nn/layers/kinds.h - every layer kind: a file with its table, a word here.   Not collective. */
#ifndef ORR_NN_LAYERS_KINDS_H
#define ORR_NN_LAYERS_KINDS_H

#include "nn/layer.h"

/* In the order of the help. */
/* clang-format off */
#define ORR_LAYER_KINDS(KIND) \
    KIND(linear) KIND(conv1d) KIND(conv2d) \
    KIND(max_pool1d) KIND(max_pool2d) KIND(avg_pool1d) KIND(avg_pool2d) KIND(global_avg_pool) \
    KIND(batch_norm) \
    KIND(relu) KIND(leaky_relu) KIND(prelu) KIND(elu) KIND(silu) KIND(sigmoid) KIND(tanh) KIND(softmax) \
    KIND(dropout) KIND(flatten) KIND(concat) KIND(add) KIND(aux)
/* clang-format on */

#define ORR_LAYER_KIND(NAME) extern const orr_layer_kind orr_kind_##NAME;
ORR_LAYER_KINDS(ORR_LAYER_KIND)
#undef ORR_LAYER_KIND

#endif
