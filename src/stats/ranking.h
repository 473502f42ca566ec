/* stats/ranking.h - what roc.c and metrics.c share: both areas from one sort.  Private to this
 * folder.   Not collective. */
#ifndef ORR_STATS_RANKING_H
#define ORR_STATS_RANKING_H

#include <stdint.h>

typedef struct orr_scored {
    double score;     /* no NaN */
    int64_t positive; /* 0 or 1 */
} orr_scored;

/* Sorts s by falling score; *auc and *ap as metrics.h defines them. */
void orr_ranking(orr_scored *s, int64_t n, double *auc, double *ap);

#endif
