/* stats/fold_scores.h - what scores of the same folds say: their mean and deviation, and one
 * candidate against another.  Deviations are the population's, as scikit-learn's std_test_score;
 * sums in fold order.  A score that is NaN makes everything NaN.   Not collective; nothing here
 * fails. */
#ifndef ORR_STATS_FOLD_SCORES_H
#define ORR_STATS_FOLD_SCORES_H

#ifdef __cplusplus
extern "C" {
#endif

/* Of v[0], v[stride], ..., n > 0 of them. */
void orr_fold_mean(const double *v, int n, int stride, double *mean, double *deviation);

/* One candidate against another, fold by fold. */
typedef struct orr_fold_gain {
    double mean, sd; /* of the differences */
    int better;      /* folds where it is higher */
    int verdict;     /* 1 above, -1 below, 0 within the standard error of the mean */
} orr_fold_gain;
/* Of a[n] over b[n], n > 1.  The standard error of a mean of n is sd / sqrt(n - 1). */
orr_fold_gain orr_fold_compare(const double *a, const double *b, int n);

#ifdef __cplusplus
}
#endif
#endif
