/* nn/losses/crps.c - mean of int F^2 below z + int (1 - F)^2 above it, F the cumulative density,
 * linear inside a bin: proper, so that a density with two peaks stays one.  Source: Hersbach 2000,
 * Weather and Forecasting 15, 559.  The integral of F^2 over a bin of width w from a to b is
 * w (a^2 + a b + b^2) / 3. */
#include "nn/losses/kinds.h"

#include <math.h>

/* One side of the target: the integral, in bin widths, of the square of what has been passed when
 * one walks from the outermost bin p[0] over p[step], ... to the share t of the bin p[m * step].
 * g += its derivatives by those bins' p. */
static double one_side(const double *p, double *g, int step, int m, double t)
{
    double passed = 0, sum = 0, later = 0, by_edge;

    for (int k = 0; k < m; k++) {
        double next = passed + p[k * step];
        sum += (passed * passed + passed * next + next * next) / 3;
        passed = next;
    }
    double last = p[m * step], end = passed + t * last;
    sum += t * (passed * passed + passed * end + end * end) / 3;
    g[m * step] += t * t * (passed + 2 * end) / 3;
    /* p[k] moves every edge after it: back from the target, `later` gathers their derivatives */
    by_edge = t * (passed + end);
    for (int k = m - 1; k >= 0; k--) {
        double before = passed - p[k * step];
        later += by_edge + (before + 2 * passed) / 3;
        g[k * step] += later;
        by_edge = (2 * before + passed) / 3;
        passed = before;
    }
    return sum;
}

static double sample(const orr_loss *l, const orr_real *x, const orr_target *t, double n_global,
                     orr_real *dx)
{
    const orr_bins *bins = &l->bins;
    double p[ORR_MAX_BINS], g[ORR_MAX_BINS], w = orr_bin_width(bins), share, sum;
    double z = orr_density_target(bins, t->values[0]);
    int c = bins->count, m = orr_bin_of(bins, z);

    if (m < 0) return orr_loss_outside(c, dx);
    orr_softmax(x, c, p);
    for (int j = 0; j < c; j++)
        g[j] = 0;
    share = fmin(fmax((z - bins->min) / w - m, 0), 1);
    sum = one_side(p, g, 1, m, share) + one_side(p + c - 1, g + c - 1, -1, c - 1 - m, 1 - share);
    for (int j = 0; j < c; j++)
        g[j] *= w;
    if (dx) orr_through_softmax(p, g, c, n_global, dx);
    return w * sum;
}

const orr_loss_kind orr_loss_crps = {
    .name = "crps",
    .help = "with bins: continuous ranked probability score of the density; proper",
    .output_type = ORR_OUTPUT_DENSITY,
    .needs = ORR_NEEDS_LOGITS,
    .outputs = orr_loss_output_a_bin,
    .sample = sample,
    .link = orr_loss_link_softmax,
};
