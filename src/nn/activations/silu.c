/* nn/activations/silu.c - x sigmoid(x).  Elfwing, Uchibe, Doya 2018. */
#include "nn/activations/loops_private.h"

#include <math.h>

static double sigmoid(double x)
{
    return x >= 0 ? 1 / (1 + exp(-x)) : exp(x) / (1 + exp(x));
}

static double value(double alpha, double x)
{
    (void)alpha;
    return x * sigmoid(x);
}

static double slope(double alpha, double x)
{
    (void)alpha;
    return sigmoid(x) * (1 + x * (1 - sigmoid(x)));
}

#ifndef ORR_REAL_F64
ORR_INLINE float silu_slope(float x)
{
    float s = 1.0f / (1.0f + orr_exp_one(-x));

    return s * (1.0f + x * (1.0f - s));
}
#endif

ORR_ACTIVATION_LOOPS(silu, v / (1.0f + orr_exp_one(-v)), silu_slope(v) * d)
ORR_ACTIVATION(silu, "x sigmoid(x)", NULL, 0, X);
