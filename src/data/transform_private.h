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
    /* Learning kinds (n_stats > 0): numbers that are saved of each statistic, bytes of the state of
     * each.  fit_row adds one sample of the training rows to sums[n_stats][sums], fit_end takes the
     * sums of all of them: stats[n_saved][n_stats], which learned checks, and makes the rest of. */
    int n_saved;
    size_t state_bytes;
    void (*fit_row)(const orr_step *s, int pass, const double *x, double *sums);
    orr_status (*fit_end)(orr_step *s, int pass, const double *total, int64_t rows);
    orr_status (*learned)(orr_step *s);
    /* Checks options against in, sets out, n_stats, passes, sums and work; keeps nothing of the
     * tree (texts!). where: "file:line" for messages.  NULL: the sample keeps its shape, nothing is
     * fitted. */
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
    void *o;                  /* owned, as the kind's options fill it; NULL: it has none */
    const orr_schema *schema; /* whose numbers its input has; NULL: they are made */
    int fills;                /* it takes what is no value */
    size_t n_stats;           /* statistics to learn; 0 = none */
    int passes;               /* over the training rows */
    size_t sums;              /* doubles of a statistic in a pass */
    double *stats;            /* owned; [n_saved][n_stats], 0 until learned */
    void *state;              /* owned; state_bytes of each statistic */
    size_t work;
};

enum { ORR_MAX_STEPS = 64 };

struct orr_transform {
    orr_schema *schema; /* owned; of what is stored */
    orr_x_type x_type;
    orr_sample_shape in;
    int n_steps;
    orr_step step[ORR_MAX_STEPS];
    size_t widest; /* numbers of the largest sample on the way */
    size_t work;   /* doubles of the neediest step */
    int passes;    /* of fitting made so far, over all steps */
};

/* What statistic k of a step is of: "u", "number 3". */
void orr_step_name(const orr_step *s, size_t k, char *buf, size_t bytes);

/* The list, in the order of the reference. */
const orr_transform_kind *const *orr_transform_kinds(int *n);
/* Whether a variance is no more than what rounding makes of n equal numbers of this mean. */
int orr_is_constant(double variance, double mean, double n);

#ifdef __cplusplus
}
#endif
#endif
