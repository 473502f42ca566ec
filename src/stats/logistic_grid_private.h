/* stats/logistic_grid_private.h - the rows of a grid search as its tasks read them.  Private to this
 * folder. */
#ifndef ORR_STATS_LOGISTIC_GRID_PRIVATE_H
#define ORR_STATS_LOGISTIC_GRID_PRIVATE_H

#include "stats/logistic_grid.h"
#include "stats/logistic_private.h"

struct orr_logistic_grid {
    int d, n_classes, n_folds, n_c, newton;
    double tolerance;
    int64_t n, most_rows;                  /* most_rows: of a fold */
    double *c, *centre, *unit, *frequency; /* frequency[fold][class]: counts */
    double *z, *label;                     /* blocks, fold by fold */
    uint8_t *positive;                     /* [class][fold's rows after one another] */
    orr_logit_leaf *folds;
    int64_t *first_row; /* [n_folds + 1] */
};

/* Runs of C values a fold. */
static inline int orr_logistic_grid_chunks(const orr_logistic_grid *g)
{
    return (g->n_c + ORR_GRID_CHUNK - 1) / ORR_GRID_CHUNK;
}

#endif
