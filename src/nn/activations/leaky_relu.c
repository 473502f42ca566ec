/* nn/activations/leaky_relu.c - x above zero, alpha x below. */
#include "nn/activations/loops_private.h"

#include <math.h>

static const orr_option options[] = {
    { "slope", ORR_OPT_REAL, offsetof(orr_activation_opts, alpha), "0.01", 0, 1, 0, 0,
      "slope below zero", 0 },
    ORR_OPTION_END,
};

static double value(double alpha, double x)
{
    return x <= 0 ? alpha * x : x;
}

static double slope(double alpha, double y)
{
    return y <= 0 ? alpha : 1;
}

ORR_ACTIVATION_LOOPS(leaky_relu, v <= 0.0f ? alpha * v : v, v <= 0.0f ? alpha * d : d)
ORR_ACTIVATION(leaky_relu, "x above zero, slope x below", options, sizeof(orr_activation_opts), Y);
