/* stats/logistic/grid.h - grid search over C: scikit-learn's GridSearchCV(LogisticRegression(),
 * {"C": ...}, scoring="roc_auc" or "roc_auc_ovr"), refit left to orr_logistic_fit.
 *
 * For each fold and each C the model is fitted on the other folds' rows and scored on the fold's:
 * ROC-AUC of the logit (two classes) or mean one-vs-rest AUC of the probabilities (more, NaN if a
 * class is missing), and mean log loss, probabilities clipped as in stats/metrics.h.
 *
 * The work is cut into tasks: a fold and ORR_GRID_CHUNK consecutive C values, each fit beginning
 * from its neighbour's answer (Newton's step for the new C from the old sums).  Tasks share
 * nothing, so numbers have the same bits whoever runs them, in whatever order. */
#ifndef ORR_STATS_LOGISTIC_GRID_H
#define ORR_STATS_LOGISTIC_GRID_H

#include "core/status.h"

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { ORR_GRID_CHUNK = 10, ORR_GRID_MAX_FOLDS = 1000 };

typedef struct orr_logistic_grid orr_logistic_grid;

/* What a grid is made from; only read while orr_logistic_grid_create works, except c. */
typedef struct orr_logistic_grid_input {
    const double *x;     /* [n][d], finite */
    const int32_t *y;    /* [n], 0 to n_classes - 1 */
    const int32_t *fold; /* [n], 0 to n_folds - 1: the fold that holds the row out */
    int64_t n;           /* <= 2^31 - 1 */
    int d, n_classes, n_folds;
    const double *c; /* [n_c], > 0; path order: neighbours should be close */
    int n_c;
    double tolerance; /* as in orr_logistic_opts; 0: 1e-10 */
} orr_logistic_grid_input;

/* Row numbers in the arrays of results: [n_c][n_folds]. */
typedef struct orr_logistic_scores {
    double *auc, *log_loss;
    int32_t *iterations; /* steps of the fit; 0 where none was needed, negative: not converged */
} orr_logistic_scores;

/* Copies the rows, fold by fold.  ORR_ERR_ARG: sizes, a label, fold or C out of range, an empty
 * fold, a fold without which one class is left (its number is named); ORR_ERR_NUMERIC: x not
 * finite, by row and column, or so large that sums overflow; ORR_ERR_NOMEM.   Not collective. */
orr_status orr_logistic_grid_create(orr_logistic_grid **out, const orr_logistic_grid_input *in);
void orr_logistic_grid_destroy(orr_logistic_grid *g);

int orr_logistic_grid_tasks(const orr_logistic_grid *g);
/* Runs tasks tasks[0..n_tasks), on that many threads (0: as OpenMP would), each writing the entries
 * of its fold and C values; all others stay.  To spread over ranks: zero the arrays, give each rank
 * some tasks, add the arrays up.  ORR_ERR_NUMERIC: sums overflow (fold and C are named);
 * ORR_ERR_NOMEM. Not collective. */
orr_status orr_logistic_grid_run(const orr_logistic_grid *g, const int *tasks, int n_tasks,
                                 int threads, orr_logistic_scores *scores);

/* mean[n_c] and std[n_c] (population, over folds) of auc[n_c][n_folds], either may be NULL; *best
 * is the C with the largest mean, the first of equals; a NaN loses to every number.  ORR_ERR_ARG
 * if all are NaN.   Not collective. */
orr_status orr_logistic_grid_choose(const double *auc, int n_c, int n_folds, int *best,
                                    double *mean, double *std);

#ifdef __cplusplus
}
#endif
#endif
