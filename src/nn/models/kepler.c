/* nn/models/kepler.c - convolutional nets for light curves of 3197 points: is there a planet?
 * Source: A. Schneider, "exoplanets", networks CNN and CNN2 there, with logits instead of a sigmoid
 * at the end. kepler-cnn: 2,865,019 parameters on two channels, 2,865,001 on one.  kepler-cnn2:
 * 632,851 on two. */
#include "nn/models/models.h"

const orr_model_recipe orr_model_kepler_cnn = {
    .name = "kepler-cnn",
    .layers = "layers:\n"
              "  - conv1d: {filters: 6, size: 3, name: conv1}\n"
              "  - relu\n"
              "  - max_pool1d: {size: 3}\n"
              "  - batch_norm: {name: norm1}\n"
              "  - conv1d: {filters: 16, size: 3, name: conv2}\n"
              "  - relu\n"
              "  - max_pool1d: {size: 3}\n"
              "  - batch_norm: {name: norm2}\n"
              "  - flatten\n"
              "  - linear: {units: 500, name: fc1}\n"
              "  - relu\n"
              "  - linear: {units: 64, name: fc2}\n"
              "  - relu\n",
    .outputs = 1,
};

const orr_model_recipe orr_model_kepler_cnn2 = {
    .name = "kepler-cnn2",
    .layers = "layers:\n"
              "  - conv1d: {filters: 8, size: 3, name: conv1}\n"
              "  - relu\n"
              "  - max_pool1d: {size: 3}\n"
              "  - batch_norm: {name: norm1}\n"
              "  - conv1d: {filters: 16, size: 3, name: conv2}\n"
              "  - relu\n"
              "  - max_pool1d: {size: 3}\n"
              "  - batch_norm: {name: norm2}\n"
              "  - conv1d: {filters: 32, size: 3, name: conv3}\n"
              "  - relu\n"
              "  - max_pool1d: {size: 3}\n"
              "  - batch_norm: {name: norm3}\n"
              "  - conv1d: {filters: 64, size: 3, name: conv4}\n"
              "  - relu\n"
              "  - max_pool1d: {size: 3}\n"
              "  - batch_norm: {name: norm4}\n"
              "  - flatten\n"
              "  - dropout: {rate: 0.5}\n"
              "  - linear: {units: 250, name: fc1}\n"
              "  - relu\n"
              "  - dropout: {rate: 0.25}\n"
              "  - linear: {units: 64, name: fc2}\n"
              "  - relu\n",
    .outputs = 1,
};
