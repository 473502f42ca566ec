/* stats/regression.c - errors of real-valued predictions. */
#include "stats/metrics.h"

#include "core/memory.h"
#include "stats/spread_private.h"

#include <math.h>

/* d = p - y, refusing what is not finite. */
static orr_status differences(const float *y, const double *p, int64_t m, int width, double *d)
{
    for (int64_t i = 0; i < m; i++) {
        if (!isfinite(y[i]) || !isfinite(p[i]))
            return orr_fail(ORR_ERR_NUMERIC,
                            "regression: the %s of row %lld, column %lld is not finite",
                            isfinite(p[i]) ? "target" : "prediction", (long long)(i / width),
                            (long long)(i % width));
        d[i] = p[i] - (double)y[i];
    }
    return ORR_OK;
}

/* As r2_score(force_finite=True): a constant target gives 1 when met exactly, otherwise 0. */
static double r2_score(double squared_error, double squared_spread, int64_t m)
{
    if (m < 2) return NAN;
    if (squared_spread == 0) return squared_error == 0 ? 1 : 0;
    return 1 - squared_error / squared_spread;
}

static void sums(const float *y, double *d, int64_t m, orr_regression *out)
{
    double squares = 0, absolute = 0, signed_sum = 0, y_sum = 0, spread = 0;

    for (int64_t i = 0; i < m; i++) {
        squares += d[i] * d[i];
        absolute += fabs(d[i]);
        signed_sum += d[i];
        y_sum += (double)y[i];
    }
    for (int64_t i = 0; i < m; i++) {
        double from_mean = (double)y[i] - y_sum / (double)m;
        spread += from_mean * from_mean;
    }
    out->mse = squares / (double)m;
    out->rmse = sqrt(out->mse);
    out->mae = absolute / (double)m;
    out->bias = signed_sum / (double)m;
    out->r2 = r2_score(squares, spread, m);
    out->sigma_mad = orr_sigma_mad(d, m);
}

orr_status orr_regression_metrics(const float *y, const double *p, int64_t n, int width,
                                  orr_regression *out)
{
    orr_status st;
    int64_t m;
    double *d;

    *out = (orr_regression){ n, NAN, NAN, NAN, NAN, NAN, NAN };
    if (n < 0 || width < 1 || __builtin_mul_overflow(n, (int64_t)width, &m))
        return orr_fail(ORR_ERR_ARG, "regression: %lld rows of %d values", (long long)n, width);
    if (m == 0) return ORR_OK;
    if (!(d = orr_alloc((size_t)m, sizeof *d)))
        return orr_fail(ORR_ERR_NOMEM, "regression: no memory for %lld differences", (long long)m);
    if ((st = differences(y, p, m, width, d)) == ORR_OK) sums(y, d, m, out);
    orr_free(d);
    return st;
}
