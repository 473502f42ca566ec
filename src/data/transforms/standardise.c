/* data/transforms/standardise.c - mean 0 and deviation 1. */
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
    return ORR_OK;
}

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

    if (s->n_stats == n) {
        for (size_t i = 0; i < n; i++)
            x[i] = (x[i] - s->mean[i]) * s->inverse[i];
    } else if (s->n_stats > 0) {
        for (size_t i = 0; i < n; i += c)
            for (size_t k = 0; k < c; k++)
                x[i + k] = (x[i + k] - s->mean[k]) * s->inverse[k];
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
    .init = standardise_init,
    .shares = standardise_shares,
    .change = standardise,
};
