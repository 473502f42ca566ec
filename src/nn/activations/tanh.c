/* nn/activations/tanh.c - hyperbolic tangent. */
#include "nn/activations/loops_private.h"

#include <math.h>

static double value(double alpha, double x)
{
    (void)alpha;
    return tanh(x);
}

static double slope(double alpha, double y)
{
    (void)alpha;
    return 1 - y * y;
}

ORR_ACTIVATION_LOOPS(tanh, orr_expm1_one(2.0f * v) / (orr_expm1_one(2.0f * v) + 2.0f),
                     (1.0f - v * v) * d)
ORR_ACTIVATION(tanh, "hyperbolic tangent", NULL, 0, Y);
