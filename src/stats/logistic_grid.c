/* stats/logistic_grid.c - folds as lists of ready blocks, and the choice among scores. */
#include "stats/logistic_grid_private.h"

#include "core/memory.h"
#include "stats/logistic.h"

#include <float.h>
#include <math.h>
#include <string.h>

enum { ROWS = ORR_LOGIT_ROWS, LANES = ORR_LOGIT_LANES };

static orr_status check(const orr_logistic_grid_input *in)
{
    if (in->n < 1 || in->n > INT32_MAX || in->d < 1 || in->n_c < 1 || in->n_classes < 2 ||
        in->n_classes > ORR_LOGISTIC_MAX_CLASSES || in->n_folds < 2 ||
        in->n_folds > ORR_GRID_MAX_FOLDS || in->tolerance < 0)
        return orr_fail(ORR_ERR_ARG,
                        "grid search: %lld rows, %d columns, %d classes, %d folds, %d values of C, "
                        "tolerance %g",
                        (long long)in->n, in->d, in->n_classes, in->n_folds, in->n_c,
                        in->tolerance);
    for (int i = 0; i < in->n_c; i++)
        if (!(in->c[i] > 0) || !isfinite(in->c[i]))
            return orr_fail(ORR_ERR_ARG, "grid search: C number %d is %g; give numbers above 0", i,
                            in->c[i]);
    for (int64_t i = 0; i < in->n; i++) {
        if (in->y[i] < 0 || in->y[i] >= in->n_classes)
            return orr_fail(ORR_ERR_ARG,
                            "grid search: the label of row %lld is %d, not one of 0 to %d",
                            (long long)i, (int)in->y[i], in->n_classes - 1);
        if (in->fold[i] < 0 || in->fold[i] >= in->n_folds)
            return orr_fail(ORR_ERR_ARG,
                            "grid search: the fold of row %lld is %d, not one of 0 to %d",
                            (long long)i, (int)in->fold[i], in->n_folds - 1);
        for (int j = 0; j < in->d; j++)
            if (!isfinite(in->x[i * in->d + j]))
                return orr_fail(ORR_ERR_NUMERIC,
                                "grid search: the value of row %lld, column %d is not finite",
                                (long long)i, j);
    }
    return ORR_OK;
}

static orr_status check_folds(const orr_logistic_grid *g)
{
    for (int f = 0; f < g->n_folds; f++) {
        int classes = 0;
        for (int c = 0; c < g->n_classes; c++) {
            double others = 0;
            for (int e = 0; e < g->n_folds; e++)
                others += e == f ? 0 : g->frequency[(size_t)e * (size_t)g->n_classes + (size_t)c];
            classes += others > 0;
        }
        if (g->folds[f].n == 0)
            return orr_fail(ORR_ERR_ARG, "grid search: fold %d has no rows; take fewer folds", f);
        if (classes < 2)
            return orr_fail(ORR_ERR_ARG,
                            "grid search: without fold %d one class is left; stratify the folds "
                            "or take fewer",
                            f);
    }
    return ORR_OK;
}

static orr_status allocate(orr_logistic_grid *g, const orr_logistic_grid_input *in)
{
    const size_t d = (size_t)in->d, k = (size_t)in->n_classes, folds = (size_t)in->n_folds;
    const size_t blocks = (size_t)(in->n / ROWS) + folds; /* at most one broken block a fold */

    g->d = in->d;
    g->n_classes = in->n_classes;
    g->n_folds = in->n_folds;
    g->n_c = in->n_c;
    g->n = in->n;
    g->tolerance = in->tolerance > 0 ? in->tolerance : 1e-10;
    g->newton = (int64_t)(k == 2 ? 1 : k) * ((int64_t)d + 1) <= ORR_LOGISTIC_NEWTON;
    g->c = orr_alloc((size_t)in->n_c, sizeof *g->c);
    g->centre = orr_alloc(2 * d + 1, sizeof *g->centre);
    g->frequency = orr_alloc(folds * k, sizeof *g->frequency);
    g->z = orr_alloc(blocks * (d + 1) * ROWS, sizeof *g->z);
    g->label = orr_alloc(k > 2 ? blocks * ROWS : 0, sizeof *g->label);
    g->positive = orr_alloc((size_t)in->n * (k == 2 ? 1 : k), 1);
    g->folds = orr_alloc(folds, sizeof *g->folds);
    g->first_row = orr_alloc(folds + 1, sizeof *g->first_row);
    if (!g->c || !g->centre || !g->frequency || !g->z || !g->label || !g->positive || !g->folds ||
        !g->first_row)
        return orr_fail(ORR_ERR_NOMEM, "grid search: no memory for a copy of %lld rows, %d columns",
                        (long long)in->n, in->d);
    g->unit = g->centre + d;
    memcpy(g->c, in->c, (size_t)in->n_c * sizeof *g->c);
    return ORR_OK;
}

/* Any centre and unit will do as long as they do not depend on who works. */
static orr_status describe(orr_logistic_grid *g, const orr_logistic_grid_input *in)
{
    for (int64_t i = 0; i < g->n; i++)
        for (int j = 0; j < g->d; j++)
            g->centre[j] += in->x[i * g->d + j] / (double)g->n;
    for (int64_t i = 0; i < g->n; i++)
        for (int j = 0; j < g->d; j++) {
            double off = in->x[i * g->d + j] - g->centre[j];
            g->unit[j] += off * off / (double)g->n;
        }
    for (int j = 0; j < g->d; j++) {
        g->unit[j] = sqrt(g->unit[j]);
        if (!isfinite(g->unit[j]))
            return orr_fail(ORR_ERR_NUMERIC,
                            "grid search: values of column %d so large that sums overflow; scale "
                            "the columns",
                            j);
        if (!(g->unit[j] > DBL_EPSILON * fabs(g->centre[j]))) g->unit[j] = 1;
    }
    g->unit[g->d] = 1;
    return ORR_OK;
}

static void lay_out(orr_logistic_grid *g, const orr_logistic_grid_input *in)
{
    int64_t block = 0;

    for (int64_t i = 0; i < in->n; i++) {
        g->folds[in->fold[i]].n++;
        g->frequency[(size_t)in->fold[i] * (size_t)g->n_classes + (size_t)in->y[i]]++;
    }
    for (int f = 0; f < g->n_folds; f++) {
        const int64_t n = g->folds[f].n;
        g->folds[f].first = block;
        block += (n + ROWS - 1) / ROWS;
        g->first_row[f + 1] = g->first_row[f] + n;
        g->most_rows = n > g->most_rows ? n : g->most_rows;
        g->folds[f].n = 0; /* counts again below */
    }
    for (int64_t r = 0; g->n_classes > 2 && r < block * ROWS; r++)
        g->label[r] = -1;
    for (int64_t i = 0; i < in->n; i++) {
        orr_logit_leaf *to = &g->folds[in->fold[i]];
        const size_t b = (size_t)(to->first + to->n / ROWS), r = (size_t)(to->n % ROWS);
        const size_t row = (size_t)(g->first_row[in->fold[i]] + to->n++);
        const double sign = g->n_classes == 2 && in->y[i] == 0 ? -1 : 1;
        double *z = g->z + (b * ROWS + r / LANES * LANES) * (size_t)(g->d + 1) + r % LANES;
        for (int j = 0; j < g->d; j++)
            z[j * LANES] = (in->x[i * g->d + j] - g->centre[j]) * sign;
        z[g->d * LANES] = sign;
        if (g->n_classes == 2) {
            g->positive[row] = (uint8_t)in->y[i];
        } else {
            g->label[b * ROWS + r] = in->y[i];
            g->positive[(size_t)in->y[i] * (size_t)g->n + row] = 1;
        }
    }
}

orr_status orr_logistic_grid_create(orr_logistic_grid **out, const orr_logistic_grid_input *in)
{
    orr_status st = ORR_OK;
    orr_logistic_grid *g;

    *out = NULL;
    ORR_TRY(check(in));
    if (!(g = orr_alloc(1, sizeof *g)))
        return orr_fail(ORR_ERR_NOMEM, "grid search: no memory for %zu bytes", sizeof *g);
    ORR_TRY_GOTO(st, done, allocate(g, in));
    ORR_TRY_GOTO(st, done, describe(g, in));
    lay_out(g, in);
    ORR_TRY_GOTO(st, done, check_folds(g));
    *out = g;
    g = NULL;
done:
    orr_logistic_grid_destroy(g);
    return st;
}

void orr_logistic_grid_destroy(orr_logistic_grid *g)
{
    if (!g) return;
    orr_free(g->c);
    orr_free(g->centre);
    orr_free(g->frequency);
    orr_free(g->z);
    orr_free(g->label);
    orr_free(g->positive);
    orr_free(g->folds);
    orr_free(g->first_row);
    orr_free(g);
}

int orr_logistic_grid_tasks(const orr_logistic_grid *g)
{
    return g->n_folds * orr_logistic_grid_chunks(g);
}

orr_status orr_logistic_grid_choose(const double *auc, int n_c, int n_folds, int *best,
                                    double *mean, double *std)
{
    double most = -INFINITY;

    *best = -1;
    for (int c = 0; c < n_c; c++) {
        const double *a = auc + (size_t)c * (size_t)n_folds;
        double sum = 0, squares = 0;
        for (int f = 0; f < n_folds; f++)
            sum += a[f];
        sum /= n_folds;
        for (int f = 0; f < n_folds; f++)
            squares += (a[f] - sum) * (a[f] - sum);
        if (mean) mean[c] = sum;
        if (std) std[c] = sqrt(squares / n_folds);
        if (sum > most) {
            most = sum;
            *best = c;
        }
    }
    if (*best < 0)
        return orr_fail(ORR_ERR_ARG, "grid search: no C has a score, because a fold lacks a class; "
                                     "stratify the folds or take fewer");
    return ORR_OK;
}
