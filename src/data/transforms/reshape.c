/* data/transforms/reshape.c - the same numbers in another shape. */
#include "data/transform_private.h"

typedef struct reshape_opts {
    orr_reals shape;
} reshape_opts;

static const orr_option reshape_options[] = {
    ORR_OPTION_REALS(reshape_opts, shape, NULL, 1, 1e9, "[c], [w, c] or [h, w, c]"), ORR_OPTION_END
};

static orr_status reshape_init(orr_step *s, const char *where)
{
    const orr_reals *r = &((const reshape_opts *)s->o)->shape;
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

const orr_transform_kind orr_transform_reshape = {
    .name = "reshape",
    .help = "the same numbers in another shape",
    .options = reshape_options,
    .opts_bytes = sizeof(reshape_opts),
    .init = reshape_init,
};
