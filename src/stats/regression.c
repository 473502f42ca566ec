/* stats/regression.c - errors of real-valued predictions. */
#include "stats/metrics.h"

#include "core/memory.h"
#include "stats/spread_private.h"

#include <math.h>

/* d = p - y of column k, refusing what is not finite. */
static orr_status differences(const float *y, const double *p, int64_t n, int width, int k,
                              double *d)
{
    for (int64_t i = 0; i < n; i++) {
        if (!isfinite(y[i * width]) || !isfinite(p[i * width]))
            return orr_fail(ORR_ERR_NUMERIC,
                            "regression: the %s of row %lld, column %d is not finite",
                            isfinite(p[i * width]) ? "target" : "prediction", (long long)i, k);
        d[i] = p[i * width] - (double)y[i * width];
    }
    return ORR_OK;
}

/* As r2_score(force_finite=True): a constant target gives 1 when met exactly, otherwise 0. */
static double r2_score(double squared_error, double squared_spread, int64_t n)
{
    if (n < 2) return NAN;
    if (squared_spread == 0) return squared_error == 0 ? 1 : 0;
    return 1 - squared_error / squared_spread;
}

/* y[i * width] against d[i]. */
static void sums(const float *y, int width, double *d, int64_t n, orr_regression *out)
{
    double squares = 0, absolute = 0, signed_sum = 0, y_sum = 0, spread = 0;

    for (int64_t i = 0; i < n; i++) {
        squares += d[i] * d[i];
        absolute += fabs(d[i]);
        signed_sum += d[i];
        y_sum += (double)y[i * width];
    }
    for (int64_t i = 0; i < n; i++) {
        double from_mean = (double)y[i * width] - y_sum / (double)n;
        spread += from_mean * from_mean;
    }
    out->n = n;
    out->mse = squares / (double)n;
    out->rmse = sqrt(out->mse);
    out->mae = absolute / (double)n;
    out->bias = signed_sum / (double)n;
    out->r2 = r2_score(squares, spread, n);
    out->sigma_mad = orr_sigma_mad(d, n);
}

/* Adds one of `of` equal parts. */
static void add_mean(orr_regression *to, const orr_regression *one, int of)
{
    to->mse += one->mse / of;
    to->rmse += one->rmse / of;
    to->mae += one->mae / of;
    to->r2 += one->r2 / of;
    to->bias += one->bias / of;
    to->sigma_mad += one->sigma_mad / of;
}

orr_status orr_regression_metrics(const float *y, const double *p, int64_t n, int width,
                                  orr_regression *out, orr_regression *targets)
{
    orr_regression one, mean = { .n = n };
    orr_status st = ORR_OK;
    int64_t m;
    double *d;

    *out = (orr_regression){ n, NAN, NAN, NAN, NAN, NAN, NAN };
    for (int k = 0; targets && k < width; k++)
        targets[k] = *out;
    if (n < 0 || width < 1 || __builtin_mul_overflow(n, (int64_t)width, &m))
        return orr_fail(ORR_ERR_ARG, "regression: %lld rows of %d values", (long long)n, width);
    if (m == 0) return ORR_OK;
    if (!(d = orr_alloc((size_t)n, sizeof *d)))
        return orr_fail(ORR_ERR_NOMEM, "regression: no memory for %lld differences", (long long)n);
    for (int k = 0; st == ORR_OK && k < width; k++) {
        if ((st = differences(y + k, p + k, n, width, k, d)) != ORR_OK) break;
        sums(y + k, width, d, n, &one);
        add_mean(&mean, &one, width);
        if (targets) targets[k] = one;
    }
    if (st == ORR_OK) *out = mean;
    orr_free(d);
    return st;
}
