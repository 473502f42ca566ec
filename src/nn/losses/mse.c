/* nn/losses/mse.c - mean over samples of the mean over outputs of (x - y)^2. */
#include "nn/losses/kinds.h"

static double sample(const orr_loss *l, const orr_real *x, const orr_target *t, double n_global,
                     orr_real *dx)
{
    int c = l->outputs;
    double sum = 0;

    for (int j = 0; j < c; j++) {
        double d = (double)x[j] - (double)t->values[j];
        sum += d * d;
        if (dx) dx[j] = (orr_real)(2 * d / c / n_global);
    }
    return sum / c;
}

const orr_loss_kind orr_loss_mse = {
    .name = "mse",
    .help = "values: mean squared difference over targets and samples",
    .output_type = ORR_OUTPUT_VALUES,
    .needs = ORR_NEEDS_VALUES,
    .automatic = 1,
    .outputs = orr_loss_output_a_target,
    .sample = sample,
    .link = orr_loss_link_none,
};
