/* nn/loss_density.c - expected-value and CRPS losses of one binned density, in double.
 * CRPS: Hersbach 2000, Weather and Forecasting 15, 559; F is linear inside a bin, and the integral
 * of F^2 over a bin of width w from a to b is w (a^2 + a b + b^2) / 3. */
#include "nn/loss_density.h"

#include "nn/loss.h"

#include <math.h>

double orr_log_sum_exp(const orr_real *x, int c)
{
    double max = -INFINITY, sum = 0;

    for (int j = 0; j < c; j++)
        max = (double)x[j] > max ? (double)x[j] : max;
    for (int j = 0; j < c; j++)
        sum += exp((double)x[j] - max);
    return max + log(sum);
}

double orr_density_target(const orr_bins *bins, float z)
{
    if (z == (float)bins->min) return bins->min;
    if (z == (float)bins->max) return bins->max;
    return (double)z;
}

static void softmax(const orr_real *x, int c, double *p)
{
    double lse = orr_log_sum_exp(x, c);

    for (int j = 0; j < c; j++)
        p[j] = exp((double)x[j] - lse);
}

/* From the derivatives by p to those by the logits: dx[j] = p[j] (g[j] - sum_i p[i] g[i]). */
static void through_softmax(const double *p, const double *g, int c, double n_global, orr_real *dx)
{
    double mean = 0;

    for (int j = 0; j < c; j++)
        mean += p[j] * g[j];
    for (int j = 0; j < c; j++)
        dx[j] = (orr_real)(p[j] * (g[j] - mean) / n_global);
}

static double outside(int c, orr_real *dx)
{
    for (int j = 0; dx && j < c; j++)
        dx[j] = (orr_real)NAN;
    return NAN;
}

double orr_density_expected_mse(const orr_bins *bins, const orr_real *x, double z, double n_global,
                                orr_real *dx)
{
    double p[ORR_MAX_BINS], mean, off;

    if (orr_bin_of(bins, z) < 0) return outside(bins->count, dx);
    softmax(x, bins->count, p);
    mean = orr_bins_mean(bins, p);
    off = mean - z;
    for (int j = 0; dx && j < bins->count; j++)
        dx[j] = (orr_real)(2 * off * p[j] * (orr_bin_centre(bins, j) - mean) / n_global);
    return off * off;
}

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

double orr_density_crps(const orr_bins *bins, const orr_real *x, double z, double n_global,
                        orr_real *dx)
{
    double p[ORR_MAX_BINS], g[ORR_MAX_BINS], w = orr_bin_width(bins), t, sum;
    int c = bins->count, m = orr_bin_of(bins, z);

    if (m < 0) return outside(c, dx);
    softmax(x, c, p);
    for (int j = 0; j < c; j++)
        g[j] = 0;
    t = fmin(fmax((z - bins->min) / w - m, 0), 1);
    sum = one_side(p, g, 1, m, t) + one_side(p + c - 1, g + c - 1, -1, c - 1 - m, 1 - t);
    for (int j = 0; j < c; j++)
        g[j] *= w;
    if (dx) through_softmax(p, g, c, n_global, dx);
    return w * sum;
}
