/* jobs/ensemble/stack_fit.h - the stack itself: C by grid search over folds, candidates compared on
 * those folds, and the fit on all rows.
 *
 * Candidates, each scored on every held-out fold: every column alone; their mean; the mean of their
 * ranks within the fold; their mean with weights fitted on the other folds; and the stack at the
 * chosen C fitted on the other folds.  C is chosen by the same folds, the only choice that a
 * candidate makes with sight of the rows it is scored on.   Results depend on the data and the job
 * alone, not on ranks and threads. */
#ifndef ORR_JOBS_ENSEMBLE_STACK_FIT_H
#define ORR_JOBS_ENSEMBLE_STACK_FIT_H

#include "jobs/ensemble/stack_join.h"
#include "stats/fold_scores.h"
#include "stats/logistic/grid.h"

/* What combines all columns; candidates are the columns and then these. */
enum { ORR_STACK_MEAN, ORR_STACK_RANKS, ORR_STACK_WEIGHTED, ORR_STACK_STACK, ORR_STACK_N_WAYS };
/* From so many rows on, all ranks make the fit on all rows together. */
enum { ORR_STACK_MANY_ROWS = 200000 };

typedef struct orr_stack_candidate {
    double mean, sd; /* of auc over folds; sd of the population */
    double pooled;   /* AUC of all held-out rows at once */
    double log_loss; /* mean over all rows; NaN for ranks, which are no probabilities */
} orr_stack_candidate;

typedef struct orr_stack_fit {
    int n_c, n_folds, best; /* best: number of the chosen C */
    double *c;              /* [n_c] */
    orr_logistic_scores grid;
    double *mean, *sd; /* [n_c] of the grid's AUC over folds */
    int32_t *fold;     /* [n] */
    double *held_out;  /* [ORR_STACK_N_WAYS][n][n_classes]: what each way says of rows held out */
    double *weights;   /* [n_columns] of the weighted mean, fitted on all rows */
    int n_candidates;  /* columns, then ways */
    double *auc;       /* [n_candidates][n_folds] */
    orr_stack_candidate *candidates;
    int best_single; /* column with the highest mean AUC */
    orr_fold_gain over_single, over_mean;
    orr_stack_model model;
    int separable, converged, iterations;
    double objective, max_gradient;
} orr_stack_fit;

/* Collective; agreed. */
orr_status orr_stack_fit_all(orr_stack_fit *out, orr_context *context, const orr_stack_job *job,
                             const orr_stack_data *d);
void orr_stack_fit_free(orr_stack_fit *f); /* zeroed is fine */
const char *orr_stack_way_name(int way);   /* "mean", "rank mean", "weighted mean", "stack" */

/* Private to stack_fit.c and stack_compare.c: fills held_out's first parts, auc and below.
 * Collective; agreed. */
orr_status orr_stack_compare(orr_stack_fit *f, orr_context *context, const orr_stack_job *job,
                             const orr_stack_data *d, const double *x);

#endif
