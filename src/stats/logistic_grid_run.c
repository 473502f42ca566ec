/* stats/logistic_grid_run.c - tasks: fits along C, each from its neighbour's answer, and scores. */
#include "stats/logistic_grid_private.h"

#include "core/memory.h"
#include "stats/argsort.h"
#include "stats/logistic.h"

#include <float.h>
#include <math.h>
#include <omp.h>
#include <string.h>

enum { ROWS = ORR_LOGIT_ROWS, LANES = ORR_LOGIT_LANES };

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
    const int fold = task / orr_logistic_grid_chunks(g),
              first = task % orr_logistic_grid_chunks(g) * ORR_GRID_CHUNK;

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
                      tasks[failed] / orr_logistic_grid_chunks(g),
                      g->c[tasks[failed] % orr_logistic_grid_chunks(g) * ORR_GRID_CHUNK]);
done:
    for (int t = 0; t < threads; t++)
        free_worker(&workers[t]);
    orr_free(workers);
    return st;
}
