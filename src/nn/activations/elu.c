/* nn/activations/elu.c - x above zero, alpha (e^x - 1) below.  Clevert, Unterthiner, Hochreiter
 * 2016. */
#include "nn/activations/loops_private.h"

#include <math.h>

static const orr_option options[] = {
    ORR_OPTION_REAL(orr_activation_opts, alpha, "1", 0, 1e6, "minus the limit far below zero"),
    ORR_OPTION_END,
};

static double value(double alpha, double x)
{
    return x <= 0 ? alpha * expm1(x) : x;
}

static double slope(double alpha, double y)
{
    return y <= 0 ? y + alpha : 1;
}

ORR_ACTIVATION_LOOPS(elu, v <= 0.0f ? alpha * orr_expm1_one(v) : v, v <= 0.0f ? (v + alpha) * d : d)
ORR_ACTIVATION(elu, "x above zero, alpha (e^x - 1) below", options, sizeof(orr_activation_opts), Y);
