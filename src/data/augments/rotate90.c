/* data/augments/rotate90.c - quarter turns. */
#include "data/augment_private.h"

#include <string.h>

static orr_status rotate90_check(void *opts, orr_sample_shape s, const char *where)
{
    (void)opts;
    if (s.h == s.w) return ORR_OK;
    return orr_fail(ORR_ERR_SHAPE, "%s: rotate90 needs square images; these are %d x %d", where,
                    s.h, s.w);
}

/* Counter-clockwise by `turns` quarters, as numpy.rot90 on (h, w, c). */
static void rotate90(const void *opts, const orr_augment_sample *at)
{
    const orr_sample_shape s = at->shape;
    float *x = at->x, *scratch = at->scratch;
    orr_rng r = orr_rng_stream(at->key);
    uint64_t turns = orr_rng_below(&r, 4);
    const int n = s.h, last = n - 1;
    const size_t c = (size_t)s.c;

    (void)opts;
    if (turns == 0) return;
    memcpy(scratch, x, orr_sample_elements(s) * sizeof *x);
    for (int i = 0; i < n; i++)
        for (int j = 0; j < n; j++) {
            int y = turns == 1 ? j : turns == 2 ? last - i : last - j;
            int u = turns == 1 ? last - i : turns == 2 ? last - j : i;
            memcpy(x + ((size_t)i * (size_t)n + (size_t)j) * c,
                   scratch + ((size_t)y * (size_t)n + (size_t)u) * c, c * sizeof *x);
        }
}

const orr_augment_kind orr_augment_rotate90 = {
    .name = "rotate90",
    .help = "0 to 3 quarter turns of a square image",
    .init = rotate90_check,
    .apply = rotate90,
};
