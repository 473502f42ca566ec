/* nn/layers/weights.h - first values of a weight and its bias, for linear and the convolutions.
 *   torch   U(-b, b), b = 1 / sqrt(fan_in), the bias as well (PyTorch's default)
 *   glorot  b = sqrt(6 / (fan_in + fan_out)), bias 0.  Glorot and Bengio 2010; Keras's default
 *   he      b = sqrt(6 / fan_in), bias 0.  He, Zhang, Ren, Sun 2015
 * bias_init: a number for the bias instead.   Not collective. */
#ifndef ORR_NN_LAYERS_WEIGHTS_H
#define ORR_NN_LAYERS_WEIGHTS_H

#include "nn/layer.h"

/* clang-format off */
#define ORR_WEIGHT_OPTIONS(S)                                                                      \
    ORR_OPTION_CHOICE(S, init, "torch", "torch|glorot|he", "how the weight's first values are drawn"), \
    ORR_OPTION_STRING(S, bias_init, "auto",                                                        \
                      "the bias's first value; auto = drawn as PyTorch does with init torch, else 0")
/* clang-format on */

/* Sets how params[0], the weight, and params[1], the bias, begin.  ORR_ERR_OPTION when bias_init is
 * no number. */
orr_status orr_weight_init(orr_layer *l, const char *init, const char *bias_init, double fan_in,
                           double fan_out);

#endif
