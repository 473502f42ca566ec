/* nn/layers/activation.h - the layer kind of an activation's row.   Not collective. */
#ifndef ORR_NN_LAYERS_ACTIVATION_H
#define ORR_NN_LAYERS_ACTIVATION_H

#include "nn/activations/activation.h"
#include "nn/layer.h"
#include "nn/layers/kinds.h"

orr_status orr_activation_infer(orr_layer *l);
orr_status orr_activation_forward(orr_layer *l, struct orr_backend *be, const orr_pass *p);
orr_status orr_activation_backward(orr_layer *l, struct orr_backend *be, const orr_pass *p);
orr_range orr_activation_range(const orr_layer *l, const orr_range *in);

/* The row and the layer kind of an activation: its options and their bytes (NULL, 0: none), and
 * what backward reads (X or Y). */
#define ORR_ACTIVATION(NAME, HELP, OPTIONS, BYTES, READS)                                          \
    static const orr_activation row_##NAME = {                                                     \
        .name = #NAME,                                                                             \
        .help = HELP,                                                                              \
        .options = OPTIONS,                                                                        \
        .reads = ORR_READS_##READS,                                                                \
        .value = value,                                                                            \
        .slope = slope,                                                                            \
        .forward = ORR_ACTIVATION_FAST(NAME##_forward),                                            \
        .backward = ORR_ACTIVATION_FAST(NAME##_backward),                                          \
    };                                                                                             \
    const orr_layer_kind orr_kind_##NAME = {                                                       \
        .kind = #NAME,                                                                             \
        .help = HELP,                                                                              \
        .options = OPTIONS,                                                                        \
        .opts_bytes = BYTES,                                                                       \
        .min_inputs = 1,                                                                           \
        .max_inputs = 1,                                                                           \
        .keeps_x = ORR_READS_##READS == ORR_READS_X,                                               \
        .keeps_y = ORR_READS_##READS == ORR_READS_Y,                                               \
        .in_place = 1,                                                                             \
        .activation = &row_##NAME,                                                                 \
        .infer = orr_activation_infer,                                                             \
        .forward = orr_activation_forward,                                                         \
        .backward = orr_activation_backward,                                                       \
        .range = orr_activation_range,                                                             \
    }

#endif
