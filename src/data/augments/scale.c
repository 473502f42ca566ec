/* data/augments/scale.c - one factor. */
#include "data/augment_private.h"

typedef struct scale_opts {
    double min, max;
} scale_opts;

static const orr_option scale_options[] = {
    ORR_OPTION_REAL(scale_opts, min, NULL, -1e30, 1e30, "smallest factor"),
    ORR_OPTION_REAL(scale_opts, max, NULL, -1e30, 1e30, "largest factor"), ORR_OPTION_END
};

static orr_status scale_check(void *opts, orr_sample_shape s, const char *where)
{
    const scale_opts *o = opts;
    (void)s;
    if (o->min <= o->max) return ORR_OK;
    return orr_fail(ORR_ERR_OPTION, "%s: scale: min %g is above max %g", where, o->min, o->max);
}

static void scale(const void *opts, const orr_augment_sample *at)
{
    const scale_opts *o = opts;
    orr_rng r = orr_rng_stream(at->key);
    float factor = (float)(o->min + (o->max - o->min) * orr_rng_uniform(&r));

    for (size_t i = 0, n = orr_sample_elements(at->shape); i < n; i++)
        at->x[i] *= factor;
}

const orr_augment_kind orr_augment_scale = {
    .name = "scale",
    .help = "all numbers times one uniform factor",
    .options = scale_options,
    .opts_bytes = sizeof(scale_opts),
    .init = scale_check,
    .apply = scale,
};
