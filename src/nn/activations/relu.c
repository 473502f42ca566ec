/* nn/activations/relu.c - max(x, 0). */
#include "nn/activations/loops_private.h"

#include <math.h>

static double value(double alpha, double x)
{
    (void)alpha;
    return x <= 0 ? 0 : x;
}

static double slope(double alpha, double y)
{
    (void)alpha;
    return y <= 0 ? 0 : 1;
}

ORR_ACTIVATION_LOOPS(relu, v <= 0.0f ? 0.0f : v, v <= 0.0f ? 0.0f * d : d)
ORR_ACTIVATION(relu, "max(x, 0)", NULL, 0, Y);
