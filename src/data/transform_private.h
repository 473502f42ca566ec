/* data/transform_private.h - a kind of step, as transform.c sees it: a row, in a file under
 * transforms/, and its line in transform_kinds.c.  A step works on one sample of doubles, (h, w, c)
 * row-major, channels last.   Not collective. */
#ifndef ORR_DATA_TRANSFORM_PRIVATE_H
#define ORR_DATA_TRANSFORM_PRIVATE_H

#include "core/options.h"
#include "data/transform.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct orr_step orr_step;

typedef struct orr_transform_kind {
    const char *name, *help;   /* the word in job and model files, and what it does */
    const orr_option *options; /* NULL: none */
    size_t opts_bytes;         /* of the struct that they fill */
    /* Checks options against in, sets out, n_stats and work; keeps nothing of the tree (texts!).
     * where: "file:line" for messages.  NULL: the sample keeps its shape, nothing is fitted. */
    orr_status (*init)(orr_step *s, const char *where);
    /* Numbers of one sample that share a deviation of their own; 0: none do.  NULL: 0. */
    size_t (*shares)(const orr_step *s);
    /* In place; NULL: the step only renames axes. */
    void (*change)(const orr_step *s, double *x);
    /* From in to out, for steps whose result has another size; work: s->work doubles. */
    void (*make)(const orr_step *s, const double *x, double *y, double *work);
} orr_transform_kind;

struct orr_step {
    const orr_transform_kind *kind;
    orr_sample_shape in, out;
    void *o;            /* owned, as the kind's options fill it; NULL: it has none */
    size_t n_stats;     /* fitted: means, and as many deviations; 0 = nothing to fit */
    double *mean, *dev; /* owned; dev is 1 where the training rows do not vary */
    double *inverse;    /* owned; 1 / dev */
    size_t work;
};

enum { ORR_MAX_STEPS = 64 };

struct orr_transform {
    orr_x_type x_type;
    orr_sample_shape in;
    int n_steps;
    orr_step step[ORR_MAX_STEPS];
    size_t widest; /* numbers of the largest sample on the way */
    size_t work;   /* doubles of the neediest step */
    int passes;    /* of fitting made so far: two for each fitted step, means first */
};

/* The list, in the order of the reference. */
const orr_transform_kind *const *orr_transform_kinds(int *n);
/* Whether a variance is no more than what rounding makes of n equal numbers of this mean. */
int orr_is_constant(double variance, double mean, double n);

#ifdef __cplusplus
}
#endif
#endif
