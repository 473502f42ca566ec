/* nn/layers/window.h - where a sliding window stands along one axis: padding and output length, for
 * convolution and pooling.  `same` pads as TensorFlow does: ceil(in / stride) outputs, the odd one
 * of the padding after; at stride 1 that is also torch's.  Lengths round down.   Not collective. */
#ifndef ORR_NN_LAYERS_WINDOW_H
#define ORR_NN_LAYERS_WINDOW_H

#include "core/options.h"
#include "core/status.h"

typedef struct orr_layer_window {
    int size, stride, dilation; /* given */
    int before, after, out;     /* found */
    int same;
} orr_layer_window;

/* axis: 0 = rows, 1 = columns, which is which number of a pair.  ORR_ERR_OPTION, ORR_ERR_SHAPE. */
orr_status orr_layer_window_fit(orr_layer_window *w, int in, const orr_strings *padding, int axis);

#endif
