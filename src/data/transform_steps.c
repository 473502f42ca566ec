/* data/transform_steps.c - each deterministic step on one sample.
 * The moving mean is van Herk's and Gil and Werman's scheme (1992, 1993) for sums: blocks of the
 * window's length, prefix sums and suffix sums within each; a window is one suffix plus one prefix.
 * Unlike a running sum nothing is ever subtracted, so no rounding error (and no NaN) travels along
 * the series. */
#include "data/transform_steps.h"

#include <float.h>
#include <math.h>
#include <string.h>

double orr_sum(const double *x, size_t n)
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

int orr_is_constant(double variance, double mean, double n)
{
    double bound = (n < 1e7 ? n : 1e7) * DBL_EPSILON * mean; /* stays below float32's own step */

    return variance <= bound * bound;
}

/* ---- standardise ---- */
static const char *const pers[] = { "sample", "channel", "feature", "train_channel" };

static orr_status standardise_init(orr_step *s, const char *where)
{
    (void)where;
    for (int i = 0; i < 4; i++)
        if (strcmp(s->o.standardise.per, pers[i]) == 0) s->o.standardise.per = pers[i];
    if (s->o.standardise.per == pers[2]) s->n_stats = orr_sample_elements(s->in);
    if (s->o.standardise.per == pers[3]) s->n_stats = (size_t)s->in.c;
    return ORR_OK;
}

static void standardise_run(double *x, size_t n)
{
    double mean = orr_sum(x, n) / (double)n;
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
    const size_t n = orr_sample_elements(s->in), c = (size_t)s->in.c;

    if (s->n_stats == n) {
        for (size_t i = 0; i < n; i++)
            x[i] = (x[i] - s->mean[i]) * s->inverse[i];
    } else if (s->n_stats > 0) {
        for (size_t i = 0; i < n; i += c)
            for (size_t k = 0; k < c; k++)
                x[i + k] = (x[i + k] - s->mean[k]) * s->inverse[k];
    } else if (s->o.standardise.per == pers[0] || c == 1) {
        standardise_run(x, n);
    } else {
        for (size_t k = 0; k < c; k++)
            standardise_strided(x + k, n / c, c);
    }
}

/* ---- moving average ---- */
static orr_status moving_average_init(orr_step *s, const char *where)
{
    size_t padded = (size_t)s->in.w + (size_t)s->o.moving_average.window - 1;

    if (s->in.c > INT32_MAX / 2 || 2 * orr_sample_elements(s->in) > INT32_MAX)
        return orr_fail(ORR_ERR_SHAPE, "%s: moving_average: too many channels", where);
    s->out.c = 2 * s->in.c;
    s->work = 2 * padded * (size_t)s->in.c;
    return ORR_OK;
}

/* Place j of the series d c b a | a b c d | d c b a ... */
static size_t reflect(int64_t j, int64_t w)
{
    int64_t i = j % (2 * w);

    if (i < 0) i += 2 * w;
    return (size_t)(i < w ? i : 2 * w - 1 - i);
}

/* One row of w places and c channels: pre and suf hold w + window - 1 places each. */
static void moving_row(const double *x, double *y, size_t w, size_t c, size_t window, double *pre,
                       double *suf)
{
    const size_t n = w + window - 1;

    for (size_t j = 0; j < n; j++) {
        const double *from = x + reflect((int64_t)j - (int64_t)(window / 2), (int64_t)w) * c;
        int begins = j % window == 0;
        for (size_t k = 0; k < c; k++) {
            pre[j * c + k] = begins ? from[k] : pre[(j - 1) * c + k] + from[k];
            suf[j * c + k] = from[k];
        }
    }
    for (size_t j = n - 1; j-- > 0;)
        if ((j + 1) % window != 0)
            for (size_t k = 0; k < c; k++)
                suf[j * c + k] += suf[(j + 1) * c + k];
    for (size_t i = 0; i < w; i++)
        for (size_t k = 0; k < c; k++) {
            double sum = suf[i * c + k];
            if (i % window != 0) sum += pre[(i + window - 1) * c + k];
            y[i * 2 * c + k] = x[i * c + k];
            y[i * 2 * c + c + k] = sum / (double)window;
        }
}

static void moving_average(const orr_step *s, const double *x, double *y, double *work)
{
    const size_t w = (size_t)s->in.w, c = (size_t)s->in.c;

    for (size_t row = 0; row < (size_t)s->in.h; row++)
        moving_row(x + row * w * c, y + row * w * 2 * c, w, c, (size_t)s->o.moving_average.window,
                   work, work + s->work / 2);
}

/* ---- number by number ---- */
static void affine(const orr_step *s, double *x)
{
    const double scale = s->o.affine.scale, shift = s->o.affine.shift;

    for (size_t i = 0, n = orr_sample_elements(s->in); i < n; i++)
        x[i] = x[i] * scale + shift;
}

static void logarithm(const orr_step *s, double *x)
{
    const double floor = s->o.log.floor;

    for (size_t i = 0, n = orr_sample_elements(s->in); i < n; i++)
        x[i] = log1p((x[i] < floor ? floor : x[i]) - floor); /* a NaN stays one */
}

static void arsinh(const orr_step *s, double *x)
{
    const double scale = s->o.asinh.scale;

    for (size_t i = 0, n = orr_sample_elements(s->in); i < n; i++)
        x[i] = asinh(x[i] / scale);
}

/* sqrt(a + 1) - 1 without its cancellation near 0. */
static void square_root(const orr_step *s, double *x)
{
    for (size_t i = 0, n = orr_sample_elements(s->in); i < n; i++) {
        double a = fabs(x[i]), root = sqrt(a + 1);
        x[i] = copysign(root == INFINITY ? root : a / (root + 1), x[i]);
    }
}

/* ---- reshape ---- */
static orr_status reshape_init(orr_step *s, const char *where)
{
    const orr_reals *r = &s->o.reshape.shape;
    int hwc[3] = { 1, 1, 1 };

    if (r->n < 1 || r->n > 3)
        return orr_fail(ORR_ERR_OPTION,
                        "%s: reshape: shape has %d numbers; [c], [w, c] or [h, w, c] are possible",
                        where, r->n);
    for (int i = 0; i < r->n; i++) {
        hwc[3 - r->n + i] = (int)r->v[i];
        if (r->v[i] != (double)(int)r->v[i])
            return orr_fail(ORR_ERR_OPTION, "%s: reshape: %g in shape is not a whole number", where,
                            r->v[i]);
    }
    s->out = (orr_sample_shape){ hwc[0], hwc[1], hwc[2] };
    if ((double)hwc[0] * hwc[1] * hwc[2] == (double)orr_sample_elements(s->in)) return ORR_OK;
    return orr_fail(ORR_ERR_SHAPE,
                    "%s: reshape: a sample of (%d, %d, %d) cannot become (%d, %d, %d)", where,
                    s->in.h, s->in.w, s->in.c, hwc[0], hwc[1], hwc[2]);
}

/* ---- the table ---- */
static const orr_option standardise_options[] = {
    ORR_OPTION_CHOICE(
        orr_standardise_opts, per, "sample", "sample|channel|feature|train_channel",
        "what shares one mean and deviation; the last two are fitted to the training rows"),
    ORR_OPTION_END
};
static const orr_option moving_average_options[] = {
    ORR_OPTION_INT(orr_moving_average_opts, window, NULL, 1, 1000000,
                   "places along w that are averaged"),
    ORR_OPTION_END
};
static const orr_option affine_options[] = {
    ORR_OPTION_REAL(orr_affine_opts, scale, "1", -1e300, 1e300, "factor"),
    ORR_OPTION_REAL(orr_affine_opts, shift, "0", -1e300, 1e300, "added after scaling"),
    ORR_OPTION_END
};
static const orr_option log_options[] = { ORR_OPTION_REAL(orr_log_opts, floor, "0", -1e300, 1e300,
                                                          "smaller numbers become this one"),
                                          ORR_OPTION_END };
static const orr_option asinh_options[] = {
    ORR_OPTION_REAL(orr_asinh_opts, scale, "1", 1e-300, 1e300, "where the curve turns from linear"),
    ORR_OPTION_END
};
static const orr_option no_options[] = { ORR_OPTION_END };
static const orr_option reshape_options[] = { ORR_OPTION_REALS(orr_reshape_opts, shape, NULL, 1,
                                                               1e9, "[c], [w, c] or [h, w, c]"),
                                              ORR_OPTION_END };

const orr_step_kind orr_step_kinds[] = {
    { "standardise", standardise_options, standardise_init, standardise, NULL },
    { "moving_average", moving_average_options, moving_average_init, NULL, moving_average },
    { "affine", affine_options, NULL, affine, NULL },
    { "log", log_options, NULL, logarithm, NULL },
    { "asinh", asinh_options, NULL, arsinh, NULL },
    { "sqrt", no_options, NULL, square_root, NULL },
    { "reshape", reshape_options, reshape_init, NULL, NULL },
    { NULL, NULL, NULL, NULL, NULL },
};
