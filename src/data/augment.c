/* data/augment.c - random changes to a training sample; every draw is a function of the sample's
 * key and the op's place in the list, so it is the same on any rank and thread. */
#include "data/augment.h"

#include "core/memory.h"
#include "core/options.h"
#include "core/rng.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { MAX_OPS = 32 };

typedef struct {
    int max;
} roll_opts;
typedef struct {
    const char *axis;
    double probability;
} flip_opts;
typedef struct {
    int unused;
} rotate90_opts;
typedef struct {
    double sigma;
    int relative;
} noise_opts;
typedef struct {
    double min, max;
} scale_opts;

typedef union op_opts {
    roll_opts roll;
    flip_opts flip;
    rotate90_opts rotate90;
    noise_opts noise;
    scale_opts scale;
} op_opts;

/* What an op works on. */
typedef struct op_sample {
    orr_sample_shape shape;
    uint64_t key;
    float *x, *scratch; /* both of shape */
} op_sample;

typedef struct op_kind {
    const char *name;
    const orr_option *options;
    orr_status (*check)(const op_opts *o, orr_sample_shape shape,
                        const char *where); /* may be NULL */
    void (*apply)(const op_opts *o, const op_sample *at);
} op_kind;

struct orr_augment {
    orr_sample_shape shape;
    int n_ops;
    const op_kind *kind[MAX_OPS];
    op_opts o[MAX_OPS];
};

static size_t count(orr_sample_shape s)
{
    return (size_t)s.h * (size_t)s.w * (size_t)s.c;
}

/* ---- roll ---- */
static orr_status roll_check(const op_opts *o, orr_sample_shape s, const char *where)
{
    if (o->roll.max <= s.w) return ORR_OK;
    return orr_fail(ORR_ERR_OPTION, "%s: roll: max %d is more than the %d places of the sample",
                    where, o->roll.max, s.w);
}

static void roll(const op_opts *o, const op_sample *at)
{
    const orr_sample_shape s = at->shape;
    float *x = at->x, *scratch = at->scratch;
    orr_rng r = orr_rng_stream(at->key);
    size_t shift = (size_t)orr_rng_below(&r, (uint64_t)(o->roll.max > 0 ? o->roll.max : s.w));
    size_t row = (size_t)s.w * (size_t)s.c, cut = row - shift * (size_t)s.c;

    if (shift == 0) return;
    for (int y = 0; y < s.h; y++, x += row) {
        memcpy(scratch, x + cut, (row - cut) * sizeof *x);
        memmove(x + (row - cut), x, cut * sizeof *x);
        memcpy(x, scratch, (row - cut) * sizeof *x);
    }
}

/* ---- flip ---- */
static void swap_runs(float *a, float *b, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        float t = a[i];
        a[i] = b[i];
        b[i] = t;
    }
}

static void flip(const op_opts *o, const op_sample *at)
{
    const orr_sample_shape s = at->shape;
    float *x = at->x;
    orr_rng r = orr_rng_stream(at->key);
    size_t c = (size_t)s.c, row = (size_t)s.w * c;

    if (orr_rng_uniform(&r) >= o->flip.probability) return;
    if (o->flip.axis[0] == 'h') {
        for (int y = 0; y < s.h / 2; y++)
            swap_runs(x + (size_t)y * row, x + (size_t)(s.h - 1 - y) * row, row);
        return;
    }
    for (int y = 0; y < s.h; y++, x += row)
        for (int i = 0; i < s.w / 2; i++)
            swap_runs(x + (size_t)i * c, x + (size_t)(s.w - 1 - i) * c, c);
}

/* ---- rotate90 ---- */
static orr_status rotate90_check(const op_opts *o, orr_sample_shape s, const char *where)
{
    (void)o;
    if (s.h == s.w) return ORR_OK;
    return orr_fail(ORR_ERR_SHAPE, "%s: rotate90 needs square images; these are %d x %d", where,
                    s.h, s.w);
}

/* Counter-clockwise by `turns` quarters, as numpy.rot90 on (h, w, c). */
static void rotate90(const op_opts *o, const op_sample *at)
{
    const orr_sample_shape s = at->shape;
    float *x = at->x, *scratch = at->scratch;
    orr_rng r = orr_rng_stream(at->key);
    uint64_t turns = orr_rng_below(&r, 4);
    const int n = s.h, last = n - 1;
    const size_t c = (size_t)s.c;

    (void)o;
    if (turns == 0) return;
    memcpy(scratch, x, count(s) * sizeof *x);
    for (int i = 0; i < n; i++)
        for (int j = 0; j < n; j++) {
            int y = turns == 1 ? j : turns == 2 ? last - i : last - j;
            int u = turns == 1 ? last - i : turns == 2 ? last - j : i;
            memcpy(x + ((size_t)i * (size_t)n + (size_t)j) * c,
                   scratch + ((size_t)y * (size_t)n + (size_t)u) * c, c * sizeof *x);
        }
}

/* ---- noise ---- */
static float deviation(const float *x, size_t n)
{
    double mean = 0, squares = 0;

    for (size_t i = 0; i < n; i++)
        mean += x[i];
    mean /= (double)n;
    for (size_t i = 0; i < n; i++)
        squares += (x[i] - mean) * (x[i] - mean);
    return (float)sqrt(squares / (double)n);
}

/* Two normal numbers from two words: Box and Muller in float, 32 bits each. */
static void normal_pair(const uint32_t *word, float out[2])
{
    float u = ((float)word[0] + 1.0f) * 0x1p-32f; /* (0, 1] */
    float radius = sqrtf(-2.0f * logf(u > 1.0f ? 1.0f : u));
    float angle = (float)word[1] * (float)(2.0 * M_PI * 0x1p-32);

    out[0] = radius * cosf(angle);
    out[1] = radius * sinf(angle);
}

static void noise(const op_opts *o, const op_sample *at)
{
    const size_t n = count(at->shape);
    float *x = at->x;
    float sigma = (float)o->noise.sigma * (o->noise.relative ? deviation(x, n) : 1.0f);

    for (size_t i = 0; i < n; i += 4) {
        orr_philox words = orr_rng_block(at->key, i / 4);
        float z[4];

        normal_pair(words.v, z);
        normal_pair(words.v + 2, z + 2);
        for (size_t k = 0; k < 4 && i + k < n; k++)
            x[i + k] += sigma * z[k];
    }
}

/* ---- scale ---- */
static orr_status scale_check(const op_opts *o, orr_sample_shape s, const char *where)
{
    (void)s;
    if (o->scale.min <= o->scale.max) return ORR_OK;
    return orr_fail(ORR_ERR_OPTION, "%s: scale: min %g is above max %g", where, o->scale.min,
                    o->scale.max);
}

static void scale(const op_opts *o, const op_sample *at)
{
    orr_rng r = orr_rng_stream(at->key);
    float factor = (float)(o->scale.min + (o->scale.max - o->scale.min) * orr_rng_uniform(&r));

    for (size_t i = 0, n = count(at->shape); i < n; i++)
        at->x[i] *= factor;
}

/* ---- the table ---- */
static const orr_option roll_options[] = {
    ORR_OPTION_INT(roll_opts, max, "0", 0, 1000000000,
                   "shifts are 0 to max - 1 places; 0 = the full length"),
    ORR_OPTION_END
};
static const orr_option flip_options[] = {
    ORR_OPTION_CHOICE(flip_opts, axis, "w", "w|h|time", "axis that is reversed; time = w"),
    ORR_OPTION_REAL(flip_opts, probability, "0.5", 0, 1, "of being flipped"), ORR_OPTION_END
};
static const orr_option rotate90_options[] = { ORR_OPTION_END };
static const orr_option noise_options[] = {
    ORR_OPTION_REAL(noise_opts, sigma, NULL, 0, 1e30, "deviation of the noise"),
    ORR_OPTION_BOOL(noise_opts, relative, "false", "times the sample's own deviation"),
    ORR_OPTION_END
};
static const orr_option scale_options[] = {
    ORR_OPTION_REAL(scale_opts, min, NULL, -1e30, 1e30, "smallest factor"),
    ORR_OPTION_REAL(scale_opts, max, NULL, -1e30, 1e30, "largest factor"), ORR_OPTION_END
};
static const op_kind kinds[] = {
    { "roll", roll_options, roll_check, roll },
    { "flip", flip_options, NULL, flip },
    { "rotate90", rotate90_options, rotate90_check, rotate90 },
    { "noise", noise_options, NULL, noise },
    { "scale", scale_options, scale_check, scale },
};
enum { N_KINDS = sizeof kinds / sizeof kinds[0] };

static orr_status find_kind(const op_kind **out, const char *name, const char *where)
{
    const char *names[N_KINDS], *near;

    for (int i = 0; i < N_KINDS; i++) {
        names[i] = kinds[i].name;
        if (strcmp(names[i], name) == 0) {
            *out = &kinds[i];
            return ORR_OK;
        }
    }
    near = orr_nearest(name, names, N_KINDS);
    return orr_fail(ORR_ERR_OPTION, "%s: there is no augmentation %s%s%s%s", where, name,
                    near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
}

static orr_status add_op(orr_augment *a, const orr_node *item)
{
    char where[512], what[64];
    const orr_node *options =
        item->type == ORR_NODE_MAP && item->n_items == 1 ? item->items[0] : NULL;
    const char *name = options ? options->key : item->type == ORR_NODE_SCALAR ? item->scalar : "";
    const op_kind *kind = NULL;
    op_opts *o = &a->o[a->n_ops];

    orr_node_where(item, where, sizeof where);
    if (!name[0])
        return orr_fail(ORR_ERR_OPTION, "%s: an augmentation is written \"- name: {options}\"",
                        where);
    if (a->n_ops == MAX_OPS)
        return orr_fail(ORR_ERR_OPTION, "%s: more than %d augmentations", where, MAX_OPS);
    ORR_TRY(find_kind(&kind, name, where));
    if (options && options->type == ORR_NODE_NULL) options = NULL;
    if (options && options->type != ORR_NODE_MAP)
        return orr_fail(ORR_ERR_OPTION, "%s: the options of %s are a map {name: value}", where,
                        name);
    snprintf(what, sizeof what, "augmentation %s", name);
    ORR_TRY(orr_options_read(o, kind->options, options, what));
    if (kind->check) ORR_TRY(kind->check(o, a->shape, where));
    if (kind->apply == flip)
        o->flip.axis = o->flip.axis[0] == 'h' ? "h" : "w"; /* outlives the tree */
    a->kind[a->n_ops++] = kind;
    return ORR_OK;
}

orr_status orr_augment_create(orr_augment **out, const orr_node *list, orr_sample_shape shape)
{
    orr_status st = ORR_OK;
    orr_augment *a;
    char where[512];

    *out = NULL;
    if (list && list->type == ORR_NODE_NULL) list = NULL;
    if (list && list->type != ORR_NODE_LIST)
        return orr_fail(ORR_ERR_OPTION, "%s: augment is a list of steps",
                        orr_node_where(list, where, sizeof where));
    if (!(a = orr_alloc(1, sizeof *a))) return orr_fail(ORR_ERR_NOMEM, "augment: no memory");
    a->shape = shape;
    for (int i = 0; list && i < list->n_items; i++)
        ORR_TRY_GOTO(st, done, add_op(a, list->items[i]));
    *out = a;
    a = NULL; /* handed over */
done:
    orr_augment_destroy(a);
    return st;
}

void orr_augment_destroy(orr_augment *a)
{
    orr_free(a);
}

int orr_augment_n_ops(const orr_augment *a)
{
    return a->n_ops;
}

void orr_augment_apply(const orr_augment *a, uint64_t key, float *x, float *scratch)
{
    op_sample at = { .shape = a->shape };

    at.x = x;
    at.scratch = scratch;
    for (int i = 0; i < a->n_ops; i++) {
        at.key = orr_rng_key(key, ORR_RNG_AUGMENT, (uint64_t)i, 0, 0);
        a->kind[i]->apply(&a->o[i], &at);
    }
}

uint64_t orr_draw_key(uint64_t seed, int64_t epoch, uint64_t sample_key, int64_t place)
{
    return orr_rng_key(seed, ORR_RNG_AUGMENT, (uint64_t)epoch, sample_key, (uint64_t)place);
}
