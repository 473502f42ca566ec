/* stats/logistic/logistic_private.h - what the files of logistic regression share.  Private to this
 * folder.
 *
 * Within, an unknown theta[k][p] is p = d + 1 numbers a vector, weights and then the intercept, of
 * columns moved by their centres; the objective is the mean loss + 0.5 lambda w'w, lambda = 1 / (C
 * n).  Sums over rows are one array: loss, its line part, gradient [k][p], and, when asked for, the
 * Hessian's upper triangles [pair of vectors a <= b][i <= j].   Collective where the problem's
 * reduce is. */
#ifndef ORR_STATS_LOGISTIC_LOGISTIC_PRIVATE_H
#define ORR_STATS_LOGISTIC_LOGISTIC_PRIVATE_H

#include "core/status.h"
#include "stats/logistic/kernels_private.h"

#include <stddef.h>
#include <stdint.h>

enum { ORR_SUM_LOSS = 0, ORR_SUM_LINE = 1, ORR_SUM_GRADIENT = 2 };

/* Rows of a leaf here: first is the first row of x, or the first block of z. */
typedef struct orr_logit_leaf {
    int64_t first, n;
} orr_logit_leaf;

typedef struct orr_logit_work { /* of one thread */
    double *z, *label, *eta, *res, *weight, *line, *factor, *acc;
} orr_logit_work;

typedef struct orr_logit_problem {
    int d, p, vectors, n_classes, unknowns, pairs;
    double n; /* rows of all ranks */
    /* rows as they lie, or (x NULL) in blocks made before: z[block][ROWS * p], and, of
     * more than two classes, label[block][ROWS] */
    const double *x;
    const int32_t *y;
    const double *centre; /* [d] */
    const double *z, *label;
    const orr_logit_leaf *leaves;
    int n_leaves, threads;
    int every;            /* looks at one block of so many */
    double looked;        /* rows that this leaves, of all ranks */
    double *sums;         /* [n_leaves][n_sums] */
    size_t n_sums;        /* with the Hessian */
    orr_logit_work *work; /* [threads] */
    orr_status (*reduce)(void *ctx, double *in, double *out, size_t n);
    void *ctx;
    const orr_logit_kernels *kernels;
} orr_logit_problem;

/* Sets the sizes; the caller sets rows, leaves and reduce. */
void orr_logit_shape(orr_logit_problem *q, int d, int n_classes, int newton);
/* One allocation for sums and work; NULL when there is no memory. */
void *orr_logit_reserve(orr_logit_problem *q);
/* The sums at theta over the rows looked at.  Values that are not finite pass through. */
orr_status orr_logit_sums(const orr_logit_problem *q, const double *theta, int hessian,
                          double *out);
/* Block b of a leaf: its columns and labels (in w unless they lie ready); *n rows. */
void orr_logit_block(const orr_logit_problem *q, const orr_logit_leaf *leaf, int64_t b,
                     orr_logit_work *w, const double **z, const double **label, int *n);
/* out[n] along the tree of all leaves. */
orr_status orr_logit_reduce(const orr_logit_problem *q, double *in, double *out, size_t n);

typedef struct orr_logit_solver {
    orr_logit_problem *q;
    double lambda, tolerance;
    const double *unit; /* [p] */
    double curvature;   /* L-BFGS: of the loss along a unit column, about */
    int max_iterations;
    double *theta;       /* [unknowns] where the sums below were taken */
    double *sum, *other; /* [n_sums] at theta (the Hessian maybe elsewhere, nearby); scratch */
    int known;           /* sum holds theta's, with a Hessian */
    double *step, *trial, *gradient, *scale, *chol;
    double *history; /* L-BFGS: pairs */
    int iterations, converged;
    double objective, largest; /* mean loss + penalty; largest derivative in the columns' units */
} orr_logit_solver;

void *orr_logit_solver_reserve(orr_logit_solver *s, orr_logit_problem *q, int newton);
/* From s->theta to the optimum.  ORR_ERR_NUMERIC, with no sentence of its own worth printing, when
 * sums at the start are not finite. */
orr_status orr_logit_newton(orr_logit_solver *s);
orr_status orr_logit_lbfgs(orr_logit_solver *s);
/* Of both: objective and gradient at a point with these sums; finite or not. */
double orr_logit_objective(const orr_logit_solver *s, const double *theta, const double *sum);
int orr_logit_gradient(const orr_logit_solver *s, const double *theta, const double *sum,
                       double *gradient, double *largest);
/* Whether a trial's objective counts as fallen enough, rounding forgiven. */
int orr_logit_falls(double before, double after, double slope);

#endif
