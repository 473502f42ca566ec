/* nn/losses/expected_mse.c - mean over samples of (z - sum_k c_k p_k)^2, c_k the bins' centres: per
 * sample, never over the batch. */
#include "nn/losses/kinds.h"

static double sample(const orr_loss *l, const orr_real *x, const orr_target *t, double n_global,
                     orr_real *dx)
{
    const orr_bins *bins = &l->bins;
    double p[ORR_MAX_BINS], mean, off, z = orr_density_target(bins, t->values[0]);

    if (orr_bin_of(bins, z) < 0) return orr_loss_outside(bins->count, dx);
    orr_softmax(x, bins->count, p);
    mean = orr_bins_mean(bins, p);
    off = mean - z;
    for (int j = 0; dx && j < bins->count; j++)
        dx[j] = (orr_real)(2 * off * p[j] * (orr_bin_centre(bins, j) - mean) / n_global);
    return off * off;
}

const orr_loss_kind orr_loss_expected_mse = {
    .name = "expected_mse",
    .help = "with bins: squared difference of the density's mean, sample by sample",
    .output_type = ORR_OUTPUT_DENSITY,
    .needs = ORR_NEEDS_LOGITS,
    .outputs = orr_loss_output_a_bin,
    .sample = sample,
    .link = orr_loss_link_softmax,
};
