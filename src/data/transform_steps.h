/* data/transform_steps.h - the steps a transform chain is made of.  Private to data/.
 * A step works on one sample of doubles, (h, w, c) row-major, channels last.   Not collective. */
#ifndef ORR_DATA_TRANSFORM_STEPS_H
#define ORR_DATA_TRANSFORM_STEPS_H

#include "core/options.h"
#include "data/transform.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    const char *per;
} orr_standardise_opts;
typedef struct {
    int window;
} orr_moving_average_opts;
typedef struct {
    double scale, shift;
} orr_affine_opts;
typedef struct {
    double floor;
} orr_log_opts;
typedef struct {
    double scale;
} orr_asinh_opts;
typedef struct {
    orr_reals shape;
} orr_reshape_opts;

typedef struct orr_step orr_step;

typedef struct orr_step_kind {
    const char *name;
    const orr_option *options;
    /* Checks options against in, sets out, n_stats and work; where: "file:line" for messages. */
    orr_status (*init)(orr_step *s, const char *where);
    /* In place; NULL: the step only renames axes. */
    void (*change)(const orr_step *s, double *x);
    /* From in to out, for steps whose result has another size; work: s->work doubles. */
    void (*make)(const orr_step *s, const double *x, double *y, double *work);
} orr_step_kind;

struct orr_step {
    const orr_step_kind *kind;
    orr_sample_shape in, out;
    union {
        orr_standardise_opts standardise;
        orr_moving_average_opts moving_average;
        orr_affine_opts affine;
        orr_log_opts log;
        orr_asinh_opts asinh;
        orr_reshape_opts reshape;
    } o;
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

static inline size_t orr_sample_elements(orr_sample_shape s)
{
    return (size_t)s.h * (size_t)s.w * (size_t)s.c;
}

/* Every kind, ended by a NULL name. */
extern const orr_step_kind orr_step_kinds[];
/* Sum in eight interleaved partial sums: fixed order, and vectorisable. */
double orr_sum(const double *x, size_t n);
/* Whether a variance is no more than what rounding makes of n equal numbers of this mean. */
int orr_is_constant(double variance, double mean, double n);
/* The first `n` steps on a stored sample; returns where in scratch the result lies. */
double *orr_steps_apply(const orr_transform *t, int n, const void *x, void *scratch);

#ifdef __cplusplus
}
#endif
#endif
