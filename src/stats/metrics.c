/* stats/metrics.c - classification: areas under curves from one sort; counts, then everything that
 * follows from them.
 * Source: Mann and Whitney 1947 (the rank sum is the area); average precision as scikit-learn's
 * step sum, without interpolation.  Everything up to the last division is counted in integers, so
 * ties and order cost no accuracy. */
#include "stats/metrics.h"

#include "core/memory.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>

static const int64_t max_rows = UINT32_MAX; /* 2 * positives * negatives stays below 2^63 */

typedef struct scored {
    double score;     /* no NaN */
    int64_t positive; /* 0 or 1 */
} scored;

/* ---- areas under curves ---- */
static int falling(const void *a, const void *b)
{
    double x = ((const scored *)a)->score;
    double y = ((const scored *)b)->score;

    return (x < y) - (x > y);
}

/* Sorts s by falling score; *auc and *ap as metrics.h defines them. */
static void rank_areas(scored *s, int64_t n, double *auc, double *ap)
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
    scored *s;

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
        s[i] = (scored){ .score = score[i], .positive = y[i] };
    }
    rank_areas(s, n, auc, ap);
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

/* ---- all of a classification ---- */
static orr_status check(const int32_t *y, const double *p, int64_t n, int n_classes,
                        double threshold)
{
    if (n < 0 || n > UINT32_MAX || n_classes < 2 || isnan(threshold))
        return orr_fail(ORR_ERR_ARG, "metrics: %lld rows, %d classes, threshold %g", (long long)n,
                        n_classes, threshold);
    for (int64_t i = 0; i < n; i++) {
        if (y[i] < 0 || y[i] >= n_classes)
            return orr_fail(ORR_ERR_ARG, "metrics: the label of row %lld is %d, not one of 0 to %d",
                            (long long)i, (int)y[i], n_classes - 1);
        for (int c = 0; c < n_classes; c++)
            if (!isfinite(p[i * n_classes + c]))
                return orr_fail(ORR_ERR_NUMERIC,
                                "metrics: the probability of row %lld, class %d is not finite",
                                (long long)i, c);
    }
    return ORR_OK;
}

static int predict(const double *row, int n_classes, double threshold)
{
    int best = 0;

    if (n_classes == 2) return row[1] > threshold;
    for (int c = 1; c < n_classes; c++)
        if (row[c] > row[best]) best = c;
    return best;
}

static void count(orr_classification *m, const int32_t *y, const double *p, double threshold)
{
    for (int64_t i = 0; i < m->n; i++) {
        int hit = predict(p + i * m->n_classes, m->n_classes, threshold);
        m->confusion[(int64_t)y[i] * m->n_classes + hit]++;
        m->classes[y[i]].support++;
        m->classes[hit].predicted++;
        m->classes[y[i]].correct += hit == y[i];
    }
}

static double clipped(double p)
{
    return p < DBL_EPSILON ? DBL_EPSILON : p > 1 - DBL_EPSILON ? 1 - DBL_EPSILON : p;
}

/* Clips, then divides by the row's sum, as scikit-learn does. */
double orr_log_loss(const int32_t *y, const double *p, int64_t n, int n_classes)
{
    double sum = 0;

    for (int64_t i = 0; i < n; i++) {
        const double *row = p + i * n_classes;
        double total = 0;
        for (int c = 0; c < n_classes; c++)
            total += clipped(row[c]);
        sum -= log(clipped(row[y[i]]) / total);
    }
    return sum / (double)n;
}

static double ratio(int64_t a, int64_t b)
{
    return b ? (double)a / (double)b : 0;
}

/* Means over the classes: balanced accuracy over those that occur, precision and F1 over those that
 * occur or are named. */
static void from_counts(orr_classification *m)
{
    int64_t correct = 0, most = 0;
    double precisions = 0, recalls = 0, f1s = 0;
    int occurring = 0, seen = 0;

    for (int c = 0; c < m->n_classes; c++) {
        orr_class_metrics *k = &m->classes[c];
        k->precision = ratio(k->correct, k->predicted);
        k->recall = ratio(k->correct, k->support);
        k->f1 = ratio(2 * k->correct, k->support + k->predicted);
        correct += k->correct;
        if (k->support > most) most = k->support;
        occurring += k->support > 0;
        seen += k->support > 0 || k->predicted > 0;
        precisions += k->precision;
        recalls += k->recall;
        f1s += k->f1;
    }
    m->accuracy = (double)correct / (double)m->n;
    m->baseline_accuracy = (double)most / (double)m->n;
    m->balanced_accuracy = recalls / occurring;
    m->macro_precision = precisions / seen;
    m->macro_f1 = f1s / seen;
}

/* One class against the rest, class by class; a class that is missing makes a mean over the classes
 * NaN. */
static void from_ranks(orr_classification *m, const int32_t *y, const double *p, scored *s)
{
    double aucs = 0, aps = 0;

    for (int c = 0; c < m->n_classes; c++) {
        orr_class_metrics *k = &m->classes[c];
        for (int64_t i = 0; i < m->n; i++)
            s[i] = (scored){ .score = p[i * m->n_classes + c], .positive = y[i] == c };
        rank_areas(s, m->n, &k->auc, &k->average_precision);
        aucs += k->auc;
        aps += k->average_precision;
    }
    m->auc = m->n_classes == 2 ? m->classes[1].auc : aucs / m->n_classes;
    m->average_precision = m->n_classes == 2 ? m->classes[1].average_precision : aps / m->n_classes;
}

static orr_status allocate(orr_classification **out, scored **scratch, int64_t n, int n_classes)
{
    orr_classification *m = orr_alloc(1, sizeof *m);
    size_t k = (size_t)n_classes;

    *out = m;
    if (!m || !(m->confusion = orr_alloc(k * k, sizeof *m->confusion)) ||
        !(m->classes = orr_alloc(k, sizeof *m->classes)) ||
        !(*scratch = orr_alloc((size_t)n, sizeof **scratch)))
        return orr_fail(ORR_ERR_NOMEM, "metrics: no memory for %lld rows and %d classes",
                        (long long)n, n_classes);
    m->n_classes = n_classes;
    m->n = n;
    return ORR_OK;
}

orr_status orr_classification_create(orr_classification **out, const int32_t *y, const double *p,
                                     int64_t n, int n_classes, double threshold)
{
    orr_status st = ORR_OK;
    orr_classification *m = NULL;
    scored *scratch = NULL;

    *out = NULL;
    ORR_TRY(check(y, p, n, n_classes, threshold));
    ORR_TRY_GOTO(st, done, allocate(&m, &scratch, n, n_classes));
    count(m, y, p, threshold);
    from_counts(m);
    from_ranks(m, y, p, scratch);
    m->log_loss = orr_log_loss(y, p, n, n_classes);
    *out = m;
    m = NULL;
done:
    orr_free(scratch);
    orr_classification_destroy(m);
    return st;
}

void orr_classification_destroy(orr_classification *m)
{
    if (!m) return;
    orr_free(m->confusion);
    orr_free(m->classes);
    orr_free(m);
}
