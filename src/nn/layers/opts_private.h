/* nn/layers/opts_private.h - the option structs of the layer kinds, and of graphs that tests build
 * in C (orr_graph_add).
 * A struct with every default: orr_options_read(&o, kind->options, NULL, ...) where nothing is
 * required; the keys and their meaning stand in the tables beside each kind.   Not collective. */
#ifndef ORR_NN_LAYERS_OPTS_PRIVATE_H
#define ORR_NN_LAYERS_OPTS_PRIVATE_H

#include "core/options.h"
#include "nn/activations/activation.h"

typedef struct orr_linear_opts {
    int units, bias;
    const char *init, *bias_init; /* layers/weights.h; NULL: torch, auto */
} orr_linear_opts;

/* conv1d reads the second number of each pair. */
typedef struct orr_conv_opts {
    int filters, size[2], stride[2], dilation[2], groups, bias;
    const char *init, *bias_init; /* layers/weights.h; NULL: torch, auto */
    orr_strings
        padding;   /* valid | same | a number | two numbers: above and below, left and right */
    int symmetric; /* conv1d */
} orr_conv_opts;

/* The 1-D kinds read the second number of each pair; stride 0 = size. */
typedef struct orr_pool_opts {
    int size[2], stride[2], count_include_pad;
    orr_strings padding; /* as above */
} orr_pool_opts;

typedef struct orr_norm_opts {
    double eps, momentum;
    const char *over; /* leaf | batch */
} orr_norm_opts;

typedef struct orr_prelu_opts {
    int per_channel;
    double init; /* of the slopes */
} orr_prelu_opts;

typedef struct orr_dropout_opts {
    double rate;
} orr_dropout_opts;

typedef struct orr_flatten_opts {
    const char *order; /* torch | last */
} orr_flatten_opts;

#endif
