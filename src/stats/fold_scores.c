/* stats/fold_scores.c - means, deviations and differences over folds. */
#include "stats/fold_scores.h"

#include <math.h>

void orr_fold_mean(const double *v, int n, int stride, double *mean, double *deviation)
{
    double sum = 0, squares = 0;

    for (int i = 0; i < n; i++)
        sum += v[i * stride];
    *mean = sum / n;
    for (int i = 0; i < n; i++)
        squares += (v[i * stride] - *mean) * (v[i * stride] - *mean);
    *deviation = sqrt(squares / n);
}

orr_fold_gain orr_fold_compare(const double *a, const double *b, int n)
{
    orr_fold_gain g = { 0 };
    double squares = 0, sum = 0, error;

    for (int i = 0; i < n; i++) {
        sum += a[i] - b[i];
        g.better += a[i] > b[i];
    }
    g.mean = sum / n;
    for (int i = 0; i < n; i++)
        squares += (a[i] - b[i] - g.mean) * (a[i] - b[i] - g.mean);
    g.sd = sqrt(squares / n);
    error = g.sd / sqrt(n - 1);
    g.verdict = g.mean > error ? 1 : g.mean < -error ? -1 : 0;
    return g;
}
