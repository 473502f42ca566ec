/* data/transforms/standardise.c - mean 0 and deviation 1.
 *
 * Two passes to fit: sums give the means, then sums of squares about them give the deviations.  One
 * pass over sums of x and x^2 would lose every digit of the deviation of raw fluxes (mean 1e6,
 * deviation 10), and partial sums could not simply be added up by ranks if blocks were centred each
 * on its own mean. */
#include "data/transform_private.h"

#include <math.h>
#include <string.h>

typedef struct standardise_opts {
    const char *per;
} standardise_opts;

static const orr_option standardise_options[] = {
    ORR_OPTION_CHOICE(
        standardise_opts, per, "sample", "sample|channel|feature|train_channel",
        "what shares one mean and deviation: the sample, a channel of it; fitted to the training "
        "rows: a number (feature), a channel"),
    ORR_OPTION_END
};

/* Sum in eight interleaved partial sums: fixed order, and vectorisable. */
static double sum_of(const double *x, size_t n)
{
    double a[8] = { 0 }, tail = 0;
    size_t i = 0;

    for (; i + 8 <= n; i += 8)
        for (size_t k = 0; k < 8; k++)
            a[k] += x[i + k];
    for (; i < n; i++)
        tail += x[i];
    return (((a[0] + a[4]) + (a[2] + a[6])) + ((a[1] + a[5]) + (a[3] + a[7]))) + tail;
}

/* Sum of squares about mean. */
static double sum_squares(const double *x, size_t n, double mean)
{
    double a[8] = { 0 }, tail = 0;
    size_t i = 0;

    for (; i + 8 <= n; i += 8)
        for (size_t k = 0; k < 8; k++) {
            double d = x[i + k] - mean;
            a[k] += d * d;
        }
    for (; i < n; i++)
        tail += (x[i] - mean) * (x[i] - mean);
    return (((a[0] + a[4]) + (a[2] + a[6])) + ((a[1] + a[5]) + (a[3] + a[7]))) + tail;
}

static const char *const pers[] = { "sample", "channel", "feature", "train_channel" };

static orr_status standardise_init(orr_step *s, const char *where)
{
    standardise_opts *o = s->o;

    (void)where;
    for (int i = 0; i < 4; i++)
        if (strcmp(o->per, pers[i]) == 0) o->per = pers[i];
    if (o->per == pers[2]) s->n_stats = orr_sample_elements(s->in);
    if (o->per == pers[3]) s->n_stats = (size_t)s->in.c;
    s->passes = 2;
    s->sums = 1;
    return ORR_OK;
}

/* ---- fitted: stats are means, then deviations; the state of each is 1 / deviation ---- */

static void standardise_fit_row(const orr_step *s, int pass, const double *v, double *sums)
{
    for (size_t i = 0, numbers = orr_sample_elements(s->in); i < numbers; i += s->n_stats)
        for (size_t k = 0; k < s->n_stats; k++) {
            double d = pass ? v[i + k] - s->stats[k] : v[i + k];
            sums[k] += pass ? d * d : d;
        }
}

static orr_status standardise_fit_end(orr_step *s, int pass, const double *total, int64_t rows)
{
    const size_t each = orr_sample_elements(s->in) / s->n_stats; /* numbers of a row */
    const double n = (double)rows * (double)each;
    double *mean = s->stats, *dev = s->stats + s->n_stats;

    char name[96];

    for (size_t k = 0; k < s->n_stats; k++) {
        if (!isfinite(total[k])) {
            orr_step_name(s, k, name, sizeof name);
            return orr_fail(ORR_ERR_NUMERIC,
                            "transform standardise: %s of the training rows sums up to %g; "
                            "look for NaN or infinity in the data, and let the transform nan go "
                            "before it",
                            name, total[k]);
        }
        if (pass == 0) {
            mean[k] = total[k] / n;
        } else {
            double variance = total[k] / n;
            dev[k] = orr_is_constant(variance, mean[k], n) ? 1 : sqrt(variance);
        }
    }
    return ORR_OK;
}

static orr_status standardise_learned(orr_step *s)
{
    const double *mean = s->stats, *dev = s->stats + s->n_stats;
    double *inverse = s->state;

    for (size_t k = 0; k < s->n_stats; k++) {
        inverse[k] = 1 / dev[k];
        if (!isfinite(mean[k]) || !isfinite(dev[k]) || !(dev[k] > 0))
            return orr_fail(
                ORR_ERR_FORMAT,
                "transforms: mean %g and deviation %g of number %zu of standardise are not usable",
                mean[k], dev[k], k);
    }
    return ORR_OK;
}

/* ---- over a sample ---- */

static size_t standardise_shares(const orr_step *s)
{
    const standardise_opts *o = s->o;
    size_t n = orr_sample_elements(s->in);

    if (s->n_stats > 0) return 0;
    return o->per == pers[0] ? n : n / (size_t)s->in.c;
}

static void standardise_run(double *x, size_t n)
{
    double mean = sum_of(x, n) / (double)n;
    double variance = sum_squares(x, n, mean) / (double)n, inverse;

    if (orr_is_constant(variance, mean, (double)n)) {
        memset(x, 0, n * sizeof *x);
        return;
    }
    inverse = 1.0 / sqrt(variance);
    for (size_t i = 0; i < n; i++)
        x[i] = (x[i] - mean) * inverse;
}

static void standardise_strided(double *x, size_t n, size_t stride)
{
    double mean = 0, variance = 0, inverse;

    for (size_t i = 0; i < n; i++)
        mean += x[i * stride];
    mean /= (double)n;
    for (size_t i = 0; i < n; i++)
        variance += (x[i * stride] - mean) * (x[i * stride] - mean);
    variance /= (double)n;
    inverse = orr_is_constant(variance, mean, (double)n) ? 0 : 1.0 / sqrt(variance);
    for (size_t i = 0; i < n; i++)
        x[i * stride] = inverse == 0 ? 0 : (x[i * stride] - mean) * inverse;
}

static void standardise(const orr_step *s, double *x)
{
    const standardise_opts *o = s->o;
    const size_t n = orr_sample_elements(s->in), c = (size_t)s->in.c;
    const double *mean = s->stats, *inverse = s->state;

    if (s->n_stats == n) {
        for (size_t i = 0; i < n; i++)
            x[i] = (x[i] - mean[i]) * inverse[i];
    } else if (s->n_stats > 0) {
        for (size_t i = 0; i < n; i += c)
            for (size_t k = 0; k < c; k++)
                x[i + k] = (x[i + k] - mean[k]) * inverse[k];
    } else if (o->per == pers[0] || c == 1) {
        standardise_run(x, n);
    } else {
        for (size_t k = 0; k < c; k++)
            standardise_strided(x + k, n / c, c);
    }
}

const orr_transform_kind orr_transform_standardise = {
    .name = "standardise",
    .help = "(x - mean) / deviation",
    .options = standardise_options,
    .opts_bytes = sizeof(standardise_opts),
    .n_saved = 2,
    .state_bytes = sizeof(double),
    .init = standardise_init,
    .fit_row = standardise_fit_row,
    .fit_end = standardise_fit_end,
    .learned = standardise_learned,
    .shares = standardise_shares,
    .change = standardise,
};
