/* stats/redshift.c - photometric redshifts against spectroscopic ones.
 * The tail of chi-square with an odd number of degrees is a finite sum (Abramowitz and Stegun
 * 26.4.4); all its terms are positive, so nothing cancels. */
#include "stats/redshift.h"

#include "core/memory.h"
#include "stats/spread_private.h"

#include <math.h>

/* What is looked at: all rows, or those of one group. */
typedef struct input {
    const double *z_phot;
    const float *z_spec;
    const double *p; /* NULL: no densities */
    const orr_bins *bins;
    double outlier;
    const int64_t *rows; /* NULL: row i is i */
} input;

static int64_t row_of(const input *in, int64_t i)
{
    return in->rows ? in->rows[i] : i;
}

/* ---- one density ---- */
/* Integral of a square over width w, its root linear from a to b. */
static double square_area(double w, double a, double b)
{
    return w * (a * a + a * b + b * b) / 3;
}

void orr_pit_crps(const orr_bins *bins, const double *p, double z, double *pit, double *crps)
{
    const double w = orr_bin_width(bins);
    const int at = z <= bins->min ? -1 : z >= bins->max ? bins->count : orr_bin_of(bins, z);
    double f = 0, sum = 0;

    *pit = at < 0 ? 0 : 1;
    for (int k = 0; k < bins->count; k++) {
        double next = f + p[k];

        if (k < at) {
            sum += square_area(w, f, next);
        } else if (k > at) {
            sum += square_area(w, 1 - f, 1 - next);
        } else {
            double part = fmin(fmax((z - bins->min) / w - k, 0), 1), here = f + part * p[k];

            *pit = fmin(here, 1);
            sum += square_area(part * w, f, here) + square_area((1 - part) * w, 1 - here, 1 - next);
        }
        f = next;
    }
    *crps = sum + fmax(bins->min - z, 0) + fmax(z - bins->max, 0);
}

static int is_plain(const input *in)
{
    return in->outlier == ORR_NO_REDSHIFT;
}

/* ---- sums ---- */
/* d[n] receives the dz, and is reordered. */
static void points(const input *in, int64_t n, double *d, orr_redshift *out)
{
    double sum = 0, squares = 0, absolute = 0;
    int64_t outliers = 0;

    for (int64_t i = 0; i < n; i++) {
        int64_t row = row_of(in, i);
        double z = (double)in->z_spec[row], error = in->z_phot[row] - z;

        d[i] = is_plain(in) ? error : error / (1 + z);
        sum += d[i];
        squares += error * error;
        absolute += fabs(error);
        outliers += fabs(d[i]) > in->outlier;
    }
    out->bias = sum / (double)n;
    out->rmse = sqrt(squares / (double)n);
    out->mae = absolute / (double)n;
    out->eta = is_plain(in) ? NAN : (double)outliers / (double)n;
    out->sigma_mad = orr_sigma_mad(d, n);
}

/* P(chi-square with 2 m + 1 degrees > x) = erfc(sqrt(x/2)) + sqrt(2x/pi) exp(-x/2) sum of
 * x^(j-1) / (1 3 5 ... (2j-1)), j = 1..m. */
static double chi_square_tail(double x, int m)
{
    double term = 1, sum = 0;

    for (int j = 1; j <= m; j++) {
        sum += term;
        term *= x / (2 * j + 1);
    }
    return erfc(sqrt(x / 2)) + sqrt(2 * x / M_PI) * exp(-x / 2) * sum;
}

_Static_assert(ORR_PIT_BINS % 2 == 0, "the degrees of freedom of the histogram must be odd");

static void flatness(int64_t n, orr_redshift *out)
{
    const double want = (double)n / ORR_PIT_BINS;

    out->pit_chi2 = 0;
    for (int k = 0; k < ORR_PIT_BINS; k++) {
        double d = (double)out->pit[k] - want;
        out->pit_chi2 += d * d / want;
    }
    out->pit_p = chi_square_tail(out->pit_chi2, (ORR_PIT_BINS - 2) / 2);
}

/* d[n] receives the PITs. */
static void densities(const input *in, int64_t n, double *d, orr_redshift *out)
{
    double crps_sum = 0, pit_sum = 0, squares = 0;

    for (int64_t i = 0; i < n; i++) {
        int64_t row = row_of(in, i);
        double crps;
        int k;

        orr_pit_crps(in->bins, in->p + (size_t)row * (size_t)in->bins->count,
                     (double)in->z_spec[row], &d[i], &crps);
        crps_sum += crps;
        pit_sum += d[i];
        k = (int)(d[i] * ORR_PIT_BINS);
        out->pit[k < ORR_PIT_BINS ? k : ORR_PIT_BINS - 1]++;
    }
    out->crps = crps_sum / (double)n;
    out->pit_mean = pit_sum / (double)n;
    for (int64_t i = 0; i < n; i++)
        squares += (d[i] - out->pit_mean) * (d[i] - out->pit_mean);
    out->pit_deviation = sqrt(squares / (double)n);
    flatness(n, out);
}

/* ---- checks ---- */
static orr_status check_args(const input *in, int64_t n)
{
    const orr_bins *b = in->bins;

    if (n < 0 || !(in->outlier >= 0 || is_plain(in)))
        return orr_fail(ORR_ERR_ARG, "redshifts: %lld rows, outliers beyond %g", (long long)n,
                        in->outlier);
    if (in->p && (!b || b->count < 1 || !(b->max > b->min) || !isfinite(b->max - b->min)))
        return orr_fail(ORR_ERR_ARG, "redshifts: densities over %d bins from %g to %g",
                        b ? b->count : 0, b ? b->min : 0, b ? b->max : 0);
    return ORR_OK;
}

static orr_status check_density(const input *in, int64_t row)
{
    const int count = in->bins->count;
    const double *p = in->p + (size_t)row * (size_t)count;
    double sum = 0;

    for (int k = 0; k < count; k++) {
        if (!isfinite(p[k]))
            return orr_fail(ORR_ERR_NUMERIC, "redshifts: bin %d of row %lld's density is %g", k,
                            (long long)row, p[k]);
        if (p[k] < 0)
            return orr_fail(ORR_ERR_ARG, "redshifts: bin %d of row %lld's density is %g", k,
                            (long long)row, p[k]);
        sum += p[k];
    }
    if (fabs(sum - 1) > 1e-3) /* float32 and many bins are welcome, logits are not */
        return orr_fail(ORR_ERR_ARG, "redshifts: the density of row %lld sums to %g instead of 1",
                        (long long)row, sum);
    return ORR_OK;
}

static orr_status check_rows(const input *in, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        int64_t row = row_of(in, i);
        double spec = (double)in->z_spec[row];

        if (is_plain(in) && (!isfinite(in->z_phot[row]) || !isfinite(spec)))
            return orr_fail(ORR_ERR_NUMERIC, "row %lld has the value %g, predicted %g",
                            (long long)row, spec, in->z_phot[row]);
        if (!is_plain(in) && (!isfinite(in->z_phot[row]) || !isfinite(spec) || spec <= -1))
            return orr_fail(ORR_ERR_NUMERIC,
                            "redshifts: row %lld has the redshift %g, predicted %g; they must be "
                            "finite, and the true one above -1",
                            (long long)row, spec, in->z_phot[row]);
        if (in->p) ORR_TRY(check_density(in, row));
    }
    return ORR_OK;
}

/* ---- metrics ---- */
/* d: scratch of n. */
static orr_status evaluate(const input *in, int64_t n, double *d, orr_redshift *out)
{
    *out = (orr_redshift){ .n = n,
                           .bias = NAN,
                           .sigma_mad = NAN,
                           .eta = NAN,
                           .rmse = NAN,
                           .mae = NAN,
                           .crps = NAN,
                           .pit_mean = NAN,
                           .pit_deviation = NAN,
                           .pit_chi2 = NAN,
                           .pit_p = NAN };
    if (n == 0) return ORR_OK;
    ORR_TRY(check_rows(in, n));
    points(in, n, d, out);
    if (in->p) densities(in, n, d, out);
    return ORR_OK;
}

orr_status orr_redshift_metrics(const double *z_phot, const float *z_spec, int64_t n,
                                const double *p, const orr_bins *bins, double outlier,
                                orr_redshift *out)
{
    const input in = { z_phot, z_spec, p, bins, outlier, NULL };
    orr_status st;
    double *d;

    ORR_TRY(check_args(&in, n));
    if (!(d = orr_alloc((size_t)n, sizeof *d)))
        return orr_fail(ORR_ERR_NOMEM, "redshifts: no memory for %lld rows", (long long)n);
    st = evaluate(&in, n, d, out);
    orr_free(d);
    return st;
}

/* ---- groups ---- */
/* The group of x, -1 for none. */
static int group_of(const double *edges, int n_groups, double x)
{
    int lo = 0, hi = n_groups;

    if (!(x >= edges[0] && x <= edges[n_groups])) return -1;
    while (hi - lo > 1) { /* edges[lo] <= x, and x < edges[hi] or hi is the end */
        int mid = lo + (hi - lo) / 2;
        if (x >= edges[mid])
            lo = mid;
        else
            hi = mid;
    }
    return lo;
}

static orr_status check_groups(const double *edges, int n_groups)
{
    if (n_groups < 1) return orr_fail(ORR_ERR_ARG, "redshifts: %d groups", n_groups);
    for (int g = 0; g < n_groups; g++)
        if (!(edges[g] <= edges[g + 1]))
            return orr_fail(ORR_ERR_ARG, "redshifts: the edges of group %d are %g and %g", g,
                            edges[g], edges[g + 1]);
    return ORR_OK;
}

/* Rows by group, in index order within one; end[g] = the end of group g in rows. */
static void deal(const double *by, int64_t n, const double *edges, int n_groups, int64_t *rows,
                 int64_t *end)
{
    int64_t sum = 0;

    for (int64_t i = 0; i < n; i++) {
        int g = group_of(edges, n_groups, by[i]);
        if (g >= 0) end[g]++;
    }
    for (int g = 0; g < n_groups; g++) {
        int64_t count = end[g];
        end[g] = sum;
        sum += count;
    }
    for (int64_t i = 0; i < n; i++) {
        int g = group_of(edges, n_groups, by[i]);
        if (g >= 0) rows[end[g]++] = i;
    }
}

orr_status orr_redshift_by(const double *z_phot, const float *z_spec, int64_t n, const double *p,
                           const orr_bins *bins, double outlier, const double *by,
                           const double *edges, int n_groups, orr_redshift *out)
{
    orr_status st = ORR_OK;
    input in = { z_phot, z_spec, p, bins, outlier, NULL };
    int64_t *rows = NULL, *end = NULL;
    double *d = NULL;

    ORR_TRY(check_args(&in, n));
    ORR_TRY(check_groups(edges, n_groups));
    rows = orr_alloc((size_t)n, sizeof *rows);
    end = orr_alloc((size_t)n_groups, sizeof *end);
    d = orr_alloc((size_t)n, sizeof *d);
    if (!rows || !end || !d) {
        st = orr_fail(ORR_ERR_NOMEM, "redshifts: no memory for %lld rows in %d groups",
                      (long long)n, n_groups);
        goto done;
    }
    deal(by, n, edges, n_groups, rows, end);
    for (int g = 0; st == ORR_OK && g < n_groups; g++) {
        int64_t first = g > 0 ? end[g - 1] : 0;
        in.rows = rows + first;
        st = evaluate(&in, end[g] - first, d, &out[g]);
    }
done:
    orr_free(rows);
    orr_free(end);
    orr_free(d);
    return st;
}

orr_status orr_quantile_edges(const double *x, int64_t n, int n_groups, double *edges)
{
    int64_t m = 0;
    double *sorted;

    if (n < 0 || n_groups < 1)
        return orr_fail(ORR_ERR_ARG, "redshifts: %lld values in %d groups", (long long)n, n_groups);
    if (!(sorted = orr_alloc((size_t)n, sizeof *sorted)))
        return orr_fail(ORR_ERR_NOMEM, "redshifts: no memory to sort %lld values", (long long)n);
    for (int64_t i = 0; i < n; i++)
        if (isfinite(x[i])) sorted[m++] = x[i];
    orr_sort_rising(sorted, m);
    for (int g = 0; m > 0 && g < n_groups; g++)
        edges[g] = sorted[(int64_t)((__int128)m * g / n_groups)];
    if (m > 0) edges[n_groups] = sorted[m - 1];
    orr_free(sorted);
    return m > 0 ? ORR_OK
                 : orr_fail(ORR_ERR_ARG,
                            "redshifts: none of %lld values is finite, so there are "
                            "no groups of them",
                            (long long)n);
}
