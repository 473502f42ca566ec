/* stats/logistic_fit.h - one fit on its way, for the files that make it.  Private to this folder. */
#ifndef ORR_STATS_LOGISTIC_FIT_H
#define ORR_STATS_LOGISTIC_FIT_H

#include "stats/logistic.h"
#include "stats/logistic_private.h"

typedef struct orr_logit_fit {
    const orr_logistic_rows *rows;
    const orr_logistic_opts *o;
    orr_leaf_plan plan;
    orr_logit_problem q;
    orr_logit_solver s;
    orr_logit_leaf leaves[ORR_MAX_LEAVES];
    double *moments; /* [local leaves][n_moments], then their sum */
    size_t n_moments;
    double *centre, *unit;
    void *held[3]; /* what the pointers above point into */
    int64_t n_global;
    int newton;
} orr_logit_fit;

/* Checks, places the rows and reserves all memory: everything in which one rank may fail alone, but
 * for values that are not finite. */
orr_status orr_logit_prepare(orr_logit_fit *f);
/* The worst status of all ranks. */
orr_status orr_logit_agreed(const orr_logit_fit *f, orr_status st);
/* Sums were not finite: says which value it is, on all ranks; also when sums overflowed. */
orr_status orr_logit_not_finite(const orr_logit_fit *f);

#endif
