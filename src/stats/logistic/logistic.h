/* stats/logistic/logistic.h - L2-regularised logistic regression, two classes or more, in double.
 *
 * Minimises 0.5 w'w + C sum_i logloss_i over weights w and free intercepts b: scikit-learn's
 * LogisticRegression(penalty="l2", C, fit_intercept=True, solver="lbfgs"), with no weights of rows
 * or classes.  Two classes: one vector, the logit of class 1.  K > 2: softmax of K vectors, which
 * the penalty makes unique but for a constant in all intercepts; they sum to 0, as lbfgs from zero
 * leaves them.
 *
 * Rows are cut into leaves (core/leaves.h), a rank holds those of its leaves, and all that is
 * summed over rows is summed leaf by leaf and then along the leaf tree, so the answer has the same
 * bits for any number of ranks and threads (on processors of the same instruction set).
 *
 * Up to ORR_LOGISTIC_NEWTON unknowns, vectors * (d + 1), Newton's method: the Hessian in full,
 * Cholesky (LAPACK), step halving.  Beyond, L-BFGS (Nocedal & Wright 2006, alg. 7.5, 10 pairs).
 * Many rows: the first steps see one block of rows in sixteen.  Columns are centred within (the
 * intercept is free, so this changes nothing but rounding).  Rows are read where they lie, some
 * four to eight times; memory beside them, with p unknowns: p^2 / 2 numbers a leaf here, 8 p^2 +
 * 256 p a thread for Newton's method; p and 280 p for L-BFGS.
 */
#ifndef ORR_STATS_LOGISTIC_LOGISTIC_H
#define ORR_STATS_LOGISTIC_LOGISTIC_H

#include "core/leaves.h"
#include "core/status.h"

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { ORR_LOGISTIC_NEWTON = 500, ORR_LOGISTIC_MAX_CLASSES = 4096 };

/* The rows that this rank holds.  plan NULL: all of them, cut by orr_logistic_leaves().  Else those
 * of leaves [plan->first, plan->last) of n_global rows, in order: n = orr_leaf_begin(n_global, L,
 * last) - orr_leaf_begin(n_global, L, first); none is fine. */
typedef struct orr_logistic_rows {
    const double *x;  /* [n][d], finite */
    const int32_t *y; /* [n], 0 to n_classes - 1; on all ranks together at least two that occur */
    int64_t n;
    int d, n_classes; /* d >= 1, 2 <= n_classes <= ORR_LOGISTIC_MAX_CLASSES */
    const orr_leaf_plan *plan;
    int64_t n_global;
} orr_logistic_rows;

/* The number of leaves for so many rows: depends on these alone. */
int orr_logistic_leaves(int64_t n_global, int d, int n_classes);

typedef struct orr_logistic_opts {
    double c; /* > 0, finite */
    /* Stops when no derivative of the objective divided by C * n exceeds it, that by w_j divided by
     * the column's root mean square about its mean: on columns of unit size this is the sense of
     * tol of scikit-learn 1.9, whose objective is the mean loss + w'w / (2 C n); that of 1.2.1
     * bounds the derivatives of the summed loss + w'w / (2 C), n times these.  Newton's next step
     * must also be one of less than 100 tolerances in each weight, times that root mean square.
     * scikit-learn's default 1e-4 leaves weights right to a digit or two; this one to eight or
     * more. */
    double tolerance;
    int max_iterations;    /* steps over all rows; 0: 100 of Newton, 2000 of L-BFGS */
    const double *start_w; /* [vectors][d], NULL: zeros (and the classes' frequencies as start_b) */
    const double *start_b; /* [vectors]; both or none */
    int threads;           /* over leaves; 0: as many as OpenMP would take */
    /* Ranks.  reduce: out[n] = sum along the tree of all ranks' leaves of in[i][n], i < local
     * leaves (overwritten), the same bits on all ranks, as orr_comm_leaf_sum; NULL: all leaves are
     * here.  agree: the worst status of all ranks, as orr_comm_agree; called where one rank may
     * fail alone (arguments, memory, a value that is not finite).  With reduce and without agree,
     * such a rank leaves the others waiting. */
    orr_status (*reduce)(void *ctx, double *in, double *out, size_t n);
    orr_status (*agree)(void *ctx, orr_status st);
    void *ctx;
} orr_logistic_opts;

#define ORR_LOGISTIC_OPTS_INIT                                                                     \
    {                                                                                              \
        .c = 1, .tolerance = 1e-10, .threads = 1                                                   \
    }

typedef struct orr_logistic {
    int d, n_classes, vectors; /* vectors: 1 for two classes, else n_classes */
    double *w;                 /* [vectors][d] */
    double *b;                 /* [vectors] */
    int iterations;            /* steps taken over all rows */
    int converged;             /* 0: max_iterations, or rounding kept the tolerance out of reach */
    int separable;             /* every row here is given to its class: without the L2 term there
                                  would be no finite answer, and C decides how sure it is */
    double objective;          /* 0.5 w'w + C sum logloss */
    double max_gradient;       /* largest |derivative| / (C n), in no column's units */
} orr_logistic;

/* *out is the caller's, the same bits on all ranks.  A fit that did not converge is an answer: see
 * converged.  Errors (then *out is NULL): ORR_ERR_ARG: C, tolerance or iterations out of range, n <
 * 1 on all ranks, a label out of range, one class only; ORR_ERR_NUMERIC: x or start not finite, by
 * row of all ranks' and column, or so large that sums overflow; ORR_ERR_SHAPE: rows that do not fit
 * the plan; ORR_ERR_NOMEM; and what reduce and agree answer.   Collective when reduce is given. */
orr_status orr_logistic_fit(orr_logistic **out, const orr_logistic_rows *rows,
                            const orr_logistic_opts *o);
void orr_logistic_destroy(orr_logistic *m); /* NULL is fine */

/* p[n][n_classes] from x[n][d]: two classes {1 - p, p} by the logistic function, more by softmax;
 * a row's bits depend on the row alone.  ORR_ERR_NUMERIC: a value of x that is not finite, by row
 * and column; ORR_ERR_NOMEM.   Not collective. */
orr_status orr_logistic_predict(const orr_logistic *m, const double *x, int64_t n, int threads,
                                double *p);

#ifdef __cplusplus
}
#endif
#endif
