/* stats/metrics.h - how good predictions are.  Plain arrays in, numbers out; sums in double, in
 * index order; ties exact.  Definitions are scikit-learn's (1.2), checked to 1e-12 against it.  A
 * quantity that is undefined (no positives, one class only) is NaN, and JSON says null; precision,
 * recall and F1 with an empty denominator are 0, as zero_division=0.   Not collective. */
#ifndef ORR_STATS_METRICS_H
#define ORR_STATS_METRICS_H

#include "core/status.h"

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Area under the ROC curve: P(score of a positive > score of a negative) + half the ties, by rank
 * sum (Mann-Whitney).  y[n] 0/1, score[n] without NaN (ORR_ERR_NUMERIC).  *auc NaN when a class is
 * missing.  ORR_ERR_NOMEM. */
orr_status orr_roc_auc(const int32_t *y, const double *score, int64_t n, double *auc);
/* Area under the precision-recall curve as average_precision_score. */
orr_status orr_average_precision(const int32_t *y, const double *score, int64_t n, double *ap);
/* Mean of -ln p[y], p[n][n_classes] clipped to [eps, 1 - eps], eps = 2^-52, and each row then
 * divided by its sum.  y[n] in 0 to n_classes - 1, p finite. */
double orr_log_loss(const int32_t *y, const double *p, int64_t n, int n_classes);

typedef struct orr_class_metrics {
    int64_t support, predicted, correct;
    double precision, recall, f1;
    double auc, average_precision; /* this class against the rest, by its probability */
} orr_class_metrics;

typedef struct orr_classification {
    int n_classes;
    int64_t n;
    double accuracy, log_loss;
    double balanced_accuracy;         /* mean recall of the classes that occur */
    double macro_precision, macro_f1; /* means over the classes that occur or are predicted */
    double auc; /* binary: of class 1; else the mean one-vs-rest, NaN if one is missing */
    double average_precision; /* likewise */
    double baseline_accuracy; /* what always naming the most frequent class scores */
    int64_t *confusion;       /* [true][predicted] */
    orr_class_metrics *classes;
} orr_classification;

/* p[n][n_classes] probabilities (binary: two columns).  Predicted class: the largest, the first on
 * ties; binary: positive when p[1] > threshold (0.5 in numpy's round half to even stays 0).
 * ORR_ERR_ARG: a label outside [0, n_classes), fewer than two classes; ORR_ERR_NUMERIC: p not
 * finite; ORR_ERR_NOMEM. */
orr_status orr_classification_create(orr_classification **out, const int32_t *y, const double *p,
                                     int64_t n, int n_classes, double threshold);
void orr_classification_destroy(orr_classification *m);

typedef struct orr_regression {
    int64_t n;
    double mse, rmse, mae, r2, bias, sigma_mad;
} orr_regression;
/* y, p [n][width].  Of one column, with d = p - y: bias = mean(d), sigma_mad = 1.4826 median|d -
 * median(d)|; r2 of a constant y is 1 if every d is 0, else 0; NaN below two rows; all NaN for
 * none. targets (NULL: not wanted) gets each of width columns; out their plain mean, as
 * scikit-learn's multioutput="uniform_average".  ORR_ERR_NUMERIC: a value that is not finite, by
 * row and column; ORR_ERR_NOMEM. */
orr_status orr_regression_metrics(const float *y, const double *p, int64_t n, int width,
                                  orr_regression *out, orr_regression *targets);

#ifdef __cplusplus
}
#endif
#endif
