/* tests/stats/metric_input.h - everything that metrics are computed from, of plain arrays and a
 * case (stats/metric.h): labels[n] or values[n], p[n][k].  judged_free also after a failure.   Not
 * collective. */
#ifndef ORR_TESTS_STATS_METRIC_INPUT_H
#define ORR_TESTS_STATS_METRIC_INPUT_H

#include "core/bins.h"
#include "stats/metric.h"

#include <math.h>
#include <stdlib.h>

typedef struct judged {
    orr_metric_input in;
    orr_classification *classes;
    orr_regression values;
    orr_redshift redshift;
    double *point;
} judged;

static inline orr_status judge(judged *j, orr_metric_case c, int64_t n, int k,
                               const int32_t *labels, const float *values, const double *p,
                               const orr_bins *bins, double threshold)
{
    const int density = c == ORR_CASE_DENSITIES || c == ORR_CASE_REDSHIFT_DENSITIES;
    orr_status st;

    *j = (judged){ .in = { .has_truth = 1, .loss = NAN } };
    if (c == ORR_CASE_BINARY || c == ORR_CASE_MULTICLASS) {
        ORR_TRY(orr_classification_create(&j->classes, labels, p, n, k, threshold));
        j->in.classes = j->classes;
        return ORR_OK;
    }
    if (!(j->point = calloc((size_t)n + 1, sizeof *j->point))) return ORR_ERR_NOMEM;
    for (int64_t i = 0; i < n; i++)
        j->point[i] = density ? orr_bins_mean(bins, p + i * k) : p[i];
    st = orr_regression_metrics(values, j->point, n, 1, &j->values, NULL);
    if (st == ORR_OK && (density || c == ORR_CASE_REDSHIFTS))
        st = orr_redshift_metrics(j->point, values, n, density ? p : NULL, bins, ORR_OUTLIER,
                                  &j->redshift);
    j->in.values = &j->values;
    j->in.redshift = &j->redshift;
    return st;
}

static inline void judged_free(judged *j)
{
    orr_classification_destroy(j->classes);
    free(j->point);
}

#endif
