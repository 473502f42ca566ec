/* nn/models/moons.c - two weight layers for the half moons, 81 parameters.
 * Source: C. Feng, "machine-learning-notebook", sagemaker/scripts/model.py, with a logit instead of
 * a sigmoid. */
#include "nn/models/models.h"

const orr_model_recipe orr_model_moons = {
    .name = "moons",
    .layers = "layers:\n"
              "  - linear: {units: 20, name: fc1}\n"
              "  - relu\n"
              "  - dropout: {rate: 0.3}\n",
    .outputs = 1,
};
