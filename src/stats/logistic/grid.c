/* stats/logistic/grid.c - folds as lists of ready blocks; tasks: fits along C, each from its
 * neighbour's answer, and scores; the choice among scores. */
#include "stats/logistic/grid.h"

#include "core/memory.h"
#include "stats/argsort_private.h"
#include "stats/fold_scores.h"
#include "stats/logistic/logistic.h"
#include "stats/logistic/logistic_private.h"

#include <float.h>
#include <math.h>
#include <omp.h>
#include <string.h>

enum { ROWS = ORR_LOGIT_ROWS, LANES = ORR_LOGIT_LANES };

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

/* Chunks of C values a fold. */
static int chunks_a_fold(const orr_logistic_grid *g)
{
    return (g->n_c + ORR_GRID_CHUNK - 1) / ORR_GRID_CHUNK;
}

/* ---- the rows, fold by fold ---- */
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
    return g->n_folds * chunks_a_fold(g);
}

/* ---- tasks ---- */
typedef struct worker {
    orr_logit_problem q;
    orr_logit_solver s;
    void *held[2];
    orr_logit_leaf *others; /* the folds that are fitted on */
    double *score;          /* [vectors][rows of a fold], whole blocks */
    uint64_t *keys;         /* twice the rows */
} worker;

static orr_status make_worker(const orr_logistic_grid *g, worker *w)
{
    const size_t rows = ((size_t)g->most_rows + ROWS - 1) / ROWS * ROWS;
    orr_logit_problem *q = &w->q;

    orr_logit_shape(q, g->d, g->n_classes, g->newton);
    q->z = g->z;
    q->label = g->label;
    q->threads = 1;
    q->n_leaves = g->n_folds - 1;
    w->others = orr_alloc((size_t)g->n_folds, sizeof *w->others);
    w->score = orr_alloc((size_t)q->vectors * rows, sizeof *w->score);
    w->keys = orr_alloc(2 * rows, sizeof *w->keys);
    w->held[0] = orr_logit_reserve(q);
    w->held[1] = orr_logit_solver_reserve(&w->s, q, g->newton);
    q->leaves = w->others;
    w->s.unit = g->unit;
    w->s.tolerance = g->tolerance;
    w->s.max_iterations = g->newton ? 100 : 2000;
    if (!w->others || !w->score || !w->keys || !w->held[0] || !w->held[1])
        return orr_fail(ORR_ERR_NOMEM, "grid search: no memory for a fit of %d unknowns",
                        q->unknowns);
    return ORR_OK;
}

static void free_worker(worker *w)
{
    orr_free(w->others);
    orr_free(w->score);
    orr_free(w->keys);
    orr_free(w->held[0]);
    orr_free(w->held[1]);
}

/* Zeros, and the intercepts that the classes' frequencies give. */
static void begin_fold(const orr_logistic_grid *g, worker *w, int fold)
{
    orr_logit_problem *q = &w->q;
    const int k = g->n_classes;
    double mean = 0;
    int n = 0;

    q->n = (double)(g->n - g->folds[fold].n);
    q->looked = q->n;
    for (int f = 0; f < g->n_folds; f++)
        if (f != fold) w->others[n++] = g->folds[f];
    memset(w->s.theta, 0, (size_t)q->unknowns * sizeof *w->s.theta);
    w->s.curvature = 0;
    for (int c = 0; c < k; c++) {
        double count = 0;
        for (int f = 0; f < g->n_folds; f++)
            count += f == fold ? 0 : g->frequency[(size_t)f * (size_t)k + (size_t)c];
        w->s.curvature += count / q->n * (1 - count / q->n) / k;
        w->s.trial[c] = log(fmax(count, 0.5) / q->n);
        mean += w->s.trial[c] / k;
    }
    if (k == 2) w->s.theta[q->d] = w->s.trial[1] - w->s.trial[0];
    for (int c = 0; k > 2 && c < k; c++)
        w->s.theta[(size_t)c * (size_t)q->p + (size_t)q->d] = w->s.trial[c] - mean;
    w->s.known = 0;
}

static double clipped(double p)
{
    return p < DBL_EPSILON ? DBL_EPSILON : p > 1 - DBL_EPSILON ? 1 - DBL_EPSILON : p;
}

/* Logits into w->score, and the sum of the log loss of logits kept where clipped probabilities
 * would be. */
static double score_two(worker *w, const orr_logit_leaf *held)
{
    const double edge = log1p(-DBL_EPSILON) - log(DBL_EPSILON);
    orr_logit_work *t = &w->q.work[0];
    double loss = 0;

    for (int64_t b = 0; b * ROWS < held->n; b++) {
        const double *z, *label;
        double *eta = w->score + b * ROWS;
        int n;
        orr_logit_block(&w->q, held, b, t, &z, &label, &n);
        w->q.kernels->logits(z, w->q.p, w->s.theta, n, t->eta);
        for (int r = 0; r < n; r++) {
            double margin = t->eta[r];
            eta[r] = margin * z[(r / LANES * w->q.p + w->q.d) * LANES + r % LANES];
            t->eta[r] = margin > edge ? edge : margin < -edge ? -edge : margin;
        }
        w->q.kernels->binary(t->eta, n, t->res, t->weight, t->line, t->factor);
        double product = 1;
        for (int r = 0; r < n; r++) {
            product *= t->factor[r]; /* at most 2^256 */
            loss += t->line[r];
        }
        loss += log(product);
    }
    return loss;
}

/* Probabilities into w->score[class][most_rows], and the sum of the log loss. */
static double score_many(const orr_logistic_grid *g, worker *w, const orr_logit_leaf *held)
{
    orr_logit_work *t = &w->q.work[0];
    const int k = g->n_classes;
    double loss = 0;

    for (int64_t b = 0; b * ROWS < held->n; b++) {
        const double *z, *label;
        int n;
        orr_logit_block(&w->q, held, b, t, &z, &label, &n);
        for (int c = 0; c < k; c++)
            w->q.kernels->logits(z, w->q.p, w->s.theta + (size_t)c * (size_t)w->q.p, n,
                                 t->eta + (size_t)c * ROWS);
        w->q.kernels->softmax(t->eta, k, label, n, NULL, NULL, NULL);
        for (int c = 0; c < k; c++)
            memcpy(w->score + (size_t)c * (size_t)g->most_rows + (size_t)(b * ROWS),
                   t->eta + (size_t)c * ROWS, (size_t)n * sizeof *w->score);
        for (int r = 0; r < n; r++) {
            double total = 0;
            for (int c = 0; c < k; c++)
                total += clipped(t->eta[(size_t)c * ROWS + (size_t)r]);
            loss -= log(clipped(t->eta[(size_t)label[r] * ROWS + (size_t)r]) / total);
        }
    }
    return loss;
}

static void score(const orr_logistic_grid *g, worker *w, int fold, double *auc, double *log_loss)
{
    const orr_logit_leaf *held = &g->folds[fold];
    const int k = g->n_classes, two = k == 2;
    double sum = 0;

    *log_loss = (two ? score_two(w, held) : score_many(g, w, held)) / (double)held->n;
    for (int c = 0; c < w->q.vectors; c++)
        sum += orr_auc_by_order(w->score + (size_t)c * (size_t)g->most_rows,
                                g->positive + (size_t)c * (size_t)g->n + g->first_row[fold],
                                held->n, w->keys, w->keys + g->most_rows);
    *auc = sum / w->q.vectors;
}

static orr_status run_task(const orr_logistic_grid *g, worker *w, int task,
                           orr_logistic_scores *scores)
{
    const int fold = task / chunks_a_fold(g), first = task % chunks_a_fold(g) * ORR_GRID_CHUNK;

    begin_fold(g, w, fold);
    for (int c = first; c < first + ORR_GRID_CHUNK && c < g->n_c; c++) {
        const size_t at = (size_t)c * (size_t)g->n_folds + (size_t)fold;
        w->s.lambda = 1 / (g->c[c] * w->q.n);
        ORR_TRY(g->newton ? orr_logit_newton(&w->s) : orr_logit_lbfgs(&w->s));
        score(g, w, fold, &scores->auc[at], &scores->log_loss[at]);
        scores->iterations[at] = w->s.converged ? w->s.iterations : -w->s.iterations;
    }
    return ORR_OK;
}

orr_status orr_logistic_grid_run(const orr_logistic_grid *g, const int *tasks, int n_tasks,
                                 int threads, orr_logistic_scores *scores)
{
    orr_status st = ORR_OK;
    int failed = INT32_MAX;
    worker *workers = NULL;

    if (threads <= 0) threads = omp_get_max_threads();
    if (threads > n_tasks) threads = n_tasks > 0 ? n_tasks : 1;
    for (int i = 0; i < n_tasks; i++)
        if (tasks[i] < 0 || tasks[i] >= orr_logistic_grid_tasks(g))
            return orr_fail(ORR_ERR_ARG, "grid search: task %d, there are 0 to %d", tasks[i],
                            orr_logistic_grid_tasks(g) - 1);
    if (!(workers = orr_alloc((size_t)threads, sizeof *workers)))
        return orr_fail(ORR_ERR_NOMEM, "grid search: no memory for %d threads", threads);
    for (int t = 0; t < threads; t++)
        ORR_TRY_GOTO(st, done, make_worker(g, &workers[t]));
#pragma omp parallel for num_threads(threads) schedule(dynamic, 1) reduction(min : failed)
    for (int i = 0; i < n_tasks; i++)
        if (run_task(g, &workers[omp_get_thread_num()], tasks[i], scores) != ORR_OK)
            failed = i < failed ? i : failed;
    if (failed < INT32_MAX)
        st = orr_fail(ORR_ERR_NUMERIC,
                      "grid search: values so large that sums overflow (fold %d, C from %g); scale "
                      "the columns",
                      tasks[failed] / chunks_a_fold(g),
                      g->c[tasks[failed] % chunks_a_fold(g) * ORR_GRID_CHUNK]);
done:
    for (int t = 0; t < threads; t++)
        free_worker(&workers[t]);
    orr_free(workers);
    return st;
}

/* ---- the choice ---- */
orr_status orr_logistic_grid_choose(const double *auc, int n_c, int n_folds, int *best,
                                    double *mean, double *std)
{
    double most = -INFINITY;

    *best = -1;
    for (int c = 0; c < n_c; c++) {
        double m, sd;
        orr_fold_mean(auc + (size_t)c * (size_t)n_folds, n_folds, 1, &m, &sd);
        if (mean) mean[c] = m;
        if (std) std[c] = sd;
        if (m > most) {
            most = m;
            *best = c;
        }
    }
    if (*best < 0)
        return orr_fail(ORR_ERR_ARG, "grid search: no C has a score, because a fold lacks a class; "
                                     "stratify the folds or take fewer");
    return ORR_OK;
}
