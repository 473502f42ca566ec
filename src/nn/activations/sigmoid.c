/* nn/activations/sigmoid.c - 1 / (1 + e^-x). */
#include "nn/activations/loops_private.h"

#include <math.h>

static double value(double alpha, double x)
{
    (void)alpha;
    return x >= 0 ? 1 / (1 + exp(-x)) : exp(x) / (1 + exp(x));
}

static double slope(double alpha, double y)
{
    (void)alpha;
    return y * (1 - y);
}

ORR_ACTIVATION_LOOPS(sigmoid, 1.0f / (1.0f + orr_exp_one(-v)), v *(1.0f - v) * d)
ORR_ACTIVATION(sigmoid, "1 / (1 + e^-x)", NULL, 0, Y);
