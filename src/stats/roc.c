/* stats/roc.c - areas under the ROC and precision-recall curves.
 * Source: Mann and Whitney 1947 (the rank sum is the area); average precision as scikit-learn's
 * step sum, without interpolation.  Everything up to the last division is counted in integers, so
 * ties and order cost no accuracy. */
#include "stats/metrics.h"

#include "core/memory.h"
#include "stats/ranking.h"

#include <math.h>
#include <stdlib.h>

static const int64_t max_rows = UINT32_MAX; /* 2 * positives * negatives stays below 2^63 */

static int falling(const void *a, const void *b)
{
    double x = ((const orr_scored *)a)->score;
    double y = ((const orr_scored *)b)->score;

    return (x < y) - (x > y);
}

void orr_ranking(orr_scored *s, int64_t n, double *auc, double *ap)
{
    int64_t above = 0; /* positives down to the previous tie group */
    int64_t twice_u =
        0; /* 2 for each (positive, negative) pair in the right order, 1 for each tied one */
    double precisions = 0;

    qsort(s, (size_t)n, sizeof *s, falling);
    for (int64_t i = 0, end; i < n; i = end) {
        int64_t tied = 0;
        for (end = i; end < n && s[end].score == s[i].score; end++)
            tied += s[end].positive;
        twice_u += (end - i - tied) * (2 * above + tied);
        above += tied;
        precisions += (double)tied * ((double)above / (double)end);
    }
    *auc = above && n > above ? (double)twice_u / (double)(2 * above * (n - above)) : NAN;
    *ap = above ? precisions / (double)above : NAN;
}

static orr_status both(const int32_t *y, const double *score, int64_t n, double *auc, double *ap)
{
    orr_scored *s;

    *auc = *ap = NAN;
    if (n < 0 || n > max_rows)
        return orr_fail(ORR_ERR_ARG, "ROC: %lld rows, possible are 0 to %lld", (long long)n,
                        (long long)max_rows);
    if (!(s = orr_alloc((size_t)n, sizeof *s)))
        return orr_fail(ORR_ERR_NOMEM, "ROC: no memory to sort %lld scores", (long long)n);
    for (int64_t i = 0; i < n; i++) {
        if ((y[i] & ~1) || isnan(score[i])) {
            orr_free(s);
            if (isnan(score[i]))
                return orr_fail(ORR_ERR_NUMERIC, "ROC: the score of row %lld is NaN", (long long)i);
            return orr_fail(ORR_ERR_ARG, "ROC: the label of row %lld is %d, not 0 or 1",
                            (long long)i, (int)y[i]);
        }
        s[i] = (orr_scored){ .score = score[i], .positive = y[i] };
    }
    orr_ranking(s, n, auc, ap);
    orr_free(s);
    return ORR_OK;
}

orr_status orr_roc_auc(const int32_t *y, const double *score, int64_t n, double *auc)
{
    double ap;

    return both(y, score, n, auc, &ap);
}

orr_status orr_average_precision(const int32_t *y, const double *score, int64_t n, double *ap)
{
    double auc;

    return both(y, score, n, &auc, ap);
}
