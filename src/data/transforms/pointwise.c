/* data/transforms/pointwise.c - steps that look at one number at a time. */
#include "data/transform_private.h"

#include <math.h>

/* ---- affine ---- */
typedef struct affine_opts {
    double scale, shift;
} affine_opts;

static const orr_option affine_options[] = {
    ORR_OPTION_REAL(affine_opts, scale, "1", -1e300, 1e300, "factor"),
    ORR_OPTION_REAL(affine_opts, shift, "0", -1e300, 1e300, "added after scaling"), ORR_OPTION_END
};

static void affine(const orr_step *s, double *x)
{
    const affine_opts *o = s->o;
    const double scale = o->scale, shift = o->shift;

    for (size_t i = 0, n = orr_sample_elements(s->in); i < n; i++)
        x[i] = x[i] * scale + shift;
}

const orr_transform_kind orr_transform_affine = {
    .name = "affine",
    .help = "x scale + shift",
    .options = affine_options,
    .opts_bytes = sizeof(affine_opts),
    .change = affine,
};

/* ---- log ---- */
typedef struct log_opts {
    double floor;
} log_opts;

static const orr_option log_options[] = { ORR_OPTION_REAL(log_opts, floor, "0", -1e300, 1e300,
                                                          "smaller numbers become this one"),
                                          ORR_OPTION_END };

static void logarithm(const orr_step *s, double *x)
{
    const log_opts *o = s->o;
    const double floor = o->floor;

    for (size_t i = 0, n = orr_sample_elements(s->in); i < n; i++)
        x[i] = log1p((x[i] < floor ? floor : x[i]) - floor); /* a NaN stays one */
}

const orr_transform_kind orr_transform_log = {
    .name = "log",
    .help = "log1p(max(x, floor) - floor)",
    .options = log_options,
    .opts_bytes = sizeof(log_opts),
    .change = logarithm,
};

/* ---- asinh ---- */
typedef struct asinh_opts {
    double scale;
} asinh_opts;

static const orr_option asinh_options[] = { ORR_OPTION_REAL(asinh_opts, scale, "1", 1e-300, 1e300,
                                                            "where the curve turns from linear"),
                                            ORR_OPTION_END };

static void arsinh(const orr_step *s, double *x)
{
    const asinh_opts *o = s->o;
    const double scale = o->scale;

    for (size_t i = 0, n = orr_sample_elements(s->in); i < n; i++)
        x[i] = asinh(x[i] / scale);
}

const orr_transform_kind orr_transform_asinh = {
    .name = "asinh",
    .help = "asinh(x / scale)",
    .options = asinh_options,
    .opts_bytes = sizeof(asinh_opts),
    .change = arsinh,
};

/* ---- sqrt ---- */
/* sqrt(a + 1) - 1 without its cancellation near 0. */
static void square_root(const orr_step *s, double *x)
{
    for (size_t i = 0, n = orr_sample_elements(s->in); i < n; i++) {
        double a = fabs(x[i]), root = sqrt(a + 1);
        x[i] = copysign(root == INFINITY ? root : a / (root + 1), x[i]);
    }
}

const orr_transform_kind orr_transform_sqrt = {
    .name = "sqrt",
    .help = "sign(x) (sqrt(|x| + 1) - 1)",
    .change = square_root,
};
