/* data/transforms/nan.c - what is no value becomes a number: one learned from the training rows
 * that have a value there (median, mean), or one that is given.
 *
 * The median is exact, and costs no sorting: the two middle values are found byte by byte, from the
 * most significant one on, each pass a histogram of the next byte of those values that begin as the
 * middle does.  Counts add up, so blocks and ranks do not matter.  Numbers that are filled in are
 * rounded to float32: a table that was filled by hand before import gives the same bytes. */
#include "data/transform_private.h"

#include <math.h>
#include <string.h>

typedef struct nan_opts {
    const char *fill, *per;
    double value;
} nan_opts;

static const orr_option nan_options[] = {
    ORR_OPTION_CHOICE(nan_opts, fill, "median", "median|mean|value",
                      "what is filled in; median and mean of the training rows that have a value"),
    ORR_OPTION_REAL(nan_opts, value, "0", -3.4028234e38, 3.4028234e38, "fill: value"),
    ORR_OPTION_CHOICE(nan_opts, per, "auto", "auto|feature|train_channel",
                      "what shares a median or mean: a number of the sample, a channel; auto: "
                      "channels of images, else numbers"),
    ORR_OPTION_END
};

enum { BYTES = 8, BINS = 256 };

/* The two middle values of one statistic, which are one where the count is odd. */
typedef struct {
    uint64_t prefix[2]; /* their bytes so far */
    int64_t rank[2];    /* among the values that begin so */
} middle;

/* Doubles in the order of their keys, and back. */
static uint64_t key_of(double v)
{
    uint64_t bits;

    v += 0.0; /* one zero */
    memcpy(&bits, &v, sizeof bits);
    return bits >> 63 ? ~bits : bits | (uint64_t)1 << 63;
}

static double of_key(uint64_t key)
{
    uint64_t bits = key >> 63 ? key & ~((uint64_t)1 << 63) : ~key;
    double v;

    memcpy(&v, &bits, sizeof v);
    return v;
}

static orr_status nan_init(orr_step *s, const char *where)
{
    const nan_opts *o = s->o;
    int channels =
        strcmp(o->per, "train_channel") == 0 || (strcmp(o->per, "auto") == 0 && s->in.h > 1);

    (void)where;
    s->fills = 1;
    if (strcmp(o->fill, "value") == 0) return ORR_OK;
    s->n_stats = channels ? (size_t)s->in.c : orr_sample_elements(s->in);
    s->passes = strcmp(o->fill, "mean") == 0 ? 1 : BYTES;
    s->sums = s->passes == 1 ? 2 : 2 * BINS;
    return ORR_OK;
}

/* ---- mean: sums and counts; median: two histograms ---- */

static void count_value(const middle *m, int pass, double v, double *sums)
{
    uint64_t key = key_of(v);
    int shift = 8 * (BYTES - 1 - pass);

    for (int i = 0; i < 2; i++)
        if (pass == 0 || key >> (shift + 8) == m->prefix[i])
            sums[i * BINS + (key >> shift) % BINS]++;
}

static void nan_fit_row(const orr_step *s, int pass, const double *x, double *sums)
{
    const middle *m = s->state;

    for (size_t i = 0, n = orr_sample_elements(s->in), k = 0; i < n;
         i++, k = k + 1 == s->n_stats ? 0 : k + 1) {
        if (!isfinite(x[i])) continue;
        if (s->passes == 1) {
            sums[2 * k] += x[i];
            sums[2 * k + 1]++;
        } else {
            count_value(&m[k], pass, x[i], sums + k * 2 * BINS);
        }
    }
}

static orr_status no_value(const orr_step *s, size_t k)
{
    char name[96];

    orr_step_name(s, k, name, sizeof name);
    return orr_fail(ORR_ERR_NUMERIC,
                    "transform nan: %s has no value in any of the training rows; leave it out, or "
                    "set fill: value",
                    name);
}

/* One more byte of both middle values. */
static orr_status next_byte(orr_step *s, size_t k, int pass, const double *sums)
{
    middle *m = (middle *)s->state + k;
    double values = 0;

    for (int b = 0; pass == 0 && b < BINS; b++)
        values += sums[b];
    if (pass == 0 && values == 0) return no_value(s, k);
    if (pass == 0) m->rank[0] = ((int64_t)values - 1) / 2;
    if (pass == 0) m->rank[1] = (int64_t)values / 2;
    for (int i = 0; i < 2; i++) {
        const double *histogram = sums + i * BINS;
        int b = 0;

        for (; b < BINS - 1 && m->rank[i] >= (int64_t)histogram[b]; b++)
            m->rank[i] -= (int64_t)histogram[b];
        m->prefix[i] = m->prefix[i] << 8 | (uint64_t)b;
    }
    return ORR_OK;
}

static orr_status nan_fit_end(orr_step *s, int pass, const double *total, int64_t rows)
{
    middle *m = s->state;

    (void)rows;
    for (size_t k = 0; k < s->n_stats; k++) {
        if (s->passes == 1) {
            if (total[2 * k + 1] == 0) return no_value(s, k);
            s->stats[k] = (double)(float)(total[2 * k] / total[2 * k + 1]);
            continue;
        }
        ORR_TRY(next_byte(s, k, pass, total + k * 2 * BINS));
        if (pass == BYTES - 1)
            s->stats[k] = (double)(float)((of_key(m[k].prefix[0]) + of_key(m[k].prefix[1])) / 2);
    }
    return ORR_OK;
}

static orr_status nan_learned(orr_step *s)
{
    for (size_t k = 0; k < s->n_stats; k++)
        if (!isfinite(s->stats[k]))
            return orr_fail(ORR_ERR_FORMAT, "transforms: number %zu of nan is filled with %g", k,
                            s->stats[k]);
    return ORR_OK;
}

static void nan_change(const orr_step *s, double *x)
{
    const nan_opts *o = s->o;

    for (size_t i = 0, n = orr_sample_elements(s->in), k = 0; i < n;
         i++, k = k + 1 >= s->n_stats ? 0 : k + 1)
        if (!isfinite(x[i])) x[i] = s->n_stats ? s->stats[k] : (double)(float)o->value;
}

const orr_transform_kind orr_transform_nan = {
    .name = "nan",
    .help = "numbers that are none (NaN, infinity) become the median or mean of the training rows, "
            "or a value",
    .options = nan_options,
    .opts_bytes = sizeof(nan_opts),
    .n_saved = 1,
    .state_bytes = sizeof(middle),
    .init = nan_init,
    .fit_row = nan_fit_row,
    .fit_end = nan_fit_end,
    .learned = nan_learned,
    .change = nan_change,
};
