/* data/augments/flip.c - axis reversed. */
#include "data/augment_private.h"

typedef struct flip_opts {
    const char *axis;
    double probability;
} flip_opts;

static const orr_option flip_options[] = {
    ORR_OPTION_CHOICE(flip_opts, axis, "w", "w|h|time", "axis that is reversed; time = w"),
    ORR_OPTION_REAL(flip_opts, probability, "0.5", 0, 1, "of being flipped"), ORR_OPTION_END
};

static void swap_runs(float *a, float *b, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        float t = a[i];
        a[i] = b[i];
        b[i] = t;
    }
}

/* The word of the axis outlives the job file's tree. */
static orr_status flip_init(void *opts, orr_sample_shape s, const char *where)
{
    flip_opts *o = opts;

    (void)s;
    (void)where;
    o->axis = o->axis[0] == 'h' ? "h" : "w";
    return ORR_OK;
}

static void flip(const void *opts, const orr_augment_sample *at)
{
    const flip_opts *o = opts;
    const orr_sample_shape s = at->shape;
    float *x = at->x;
    orr_rng r = orr_rng_stream(at->key);
    size_t c = (size_t)s.c, row = (size_t)s.w * c;

    if (orr_rng_uniform(&r) >= o->probability) return;
    if (o->axis[0] == 'h') {
        for (int y = 0; y < s.h / 2; y++)
            swap_runs(x + (size_t)y * row, x + (size_t)(s.h - 1 - y) * row, row);
        return;
    }
    for (int y = 0; y < s.h; y++, x += row)
        for (int i = 0; i < s.w / 2; i++)
            swap_runs(x + (size_t)i * c, x + (size_t)(s.w - 1 - i) * c, c);
}

const orr_augment_kind orr_augment_flip = {
    .name = "flip",
    .help = "an axis reversed, by chance",
    .options = flip_options,
    .opts_bytes = sizeof(flip_opts),
    .init = flip_init,
    .apply = flip,
};
