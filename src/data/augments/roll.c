/* data/augments/roll.c - circular shift along w. */
#include "data/augment_private.h"

#include <string.h>

typedef struct roll_opts {
    int max;
} roll_opts;

static const orr_option roll_options[] = {
    ORR_OPTION_INT(roll_opts, max, "0", 0, 1000000000,
                   "shifts are 0 to max - 1 places; 0 = the full length"),
    ORR_OPTION_END
};

static orr_status roll_check(void *opts, orr_sample_shape s, const char *where)
{
    const roll_opts *o = opts;

    if (o->max <= s.w) return ORR_OK;
    return orr_fail(ORR_ERR_OPTION, "%s: roll: max %d is more than the %d places of the sample",
                    where, o->max, s.w);
}

static void roll(const void *opts, const orr_augment_sample *at)
{
    const roll_opts *o = opts;
    const orr_sample_shape s = at->shape;
    float *x = at->x, *scratch = at->scratch;
    orr_rng r = orr_rng_stream(at->key);
    size_t shift = (size_t)orr_rng_below(&r, (uint64_t)(o->max > 0 ? o->max : s.w));
    size_t row = (size_t)s.w * (size_t)s.c, cut = row - shift * (size_t)s.c;

    if (shift == 0) return;
    for (int y = 0; y < s.h; y++, x += row) {
        memcpy(scratch, x + cut, (row - cut) * sizeof *x);
        memmove(x + (row - cut), x, cut * sizeof *x);
        memcpy(x, scratch, (row - cut) * sizeof *x);
    }
}

const orr_augment_kind orr_augment_roll = {
    .name = "roll",
    .help = "a circular shift along w",
    .options = roll_options,
    .opts_bytes = sizeof(roll_opts),
    .init = roll_check,
    .apply = roll,
};
