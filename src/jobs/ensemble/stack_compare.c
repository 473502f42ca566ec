/* jobs/ensemble/stack_compare.c - every candidate on the same folds.
 *
 * Folds are dealt to ranks for what must be fitted, candidates for the scoring; each number comes
 * from one rank and is zero on the others, so the sums that bring them together are exact. */
#include "core/memory.h"
#include "jobs/context/phase.h"
#include "jobs/context/signals.h"
#include "jobs/ensemble/stack_fit.h"
#include "stats/blend.h"
#include "stats/metrics.h"

#include <math.h>
#include <string.h>

const char *orr_stack_way_name(int way)
{
    static const char *const names[ORR_STACK_N_WAYS] = { "mean", "rank mean", "weighted mean",
                                                         "stack" };

    return names[way];
}

/* ---- one fold ---- */
typedef struct fold_work {
    orr_stack_fit *f;
    const orr_stack_job *job;
    const orr_stack_data *d;
    const double *x; /* features of all rows */
    int n_features, threads, per_model;
    int64_t n;     /* rows gathered */
    int64_t *row;  /* [n] */
    double *part;  /* [n][n_features] */
    double *blend; /* [n][n_columns][per_model] */
    double *out;   /* [n][n_classes] */
    int32_t *labels;
} fold_work;

/* Rows of the fold (in != 0) or all others; fold -1: with in == 0 all rows. */
static void gather(fold_work *w, int fold, int in)
{
    const orr_stack_data *d = w->d;
    int classes = d->n_classes, skip = classes - w->per_model;

    w->n = 0;
    for (int64_t i = 0; i < d->n; i++) {
        double *to = w->blend + w->n * d->n_columns * w->per_model;
        if ((w->f->fold[i] == fold) != in) continue;
        w->row[w->n] = i;
        w->labels[w->n] = d->labels[i];
        memcpy(w->part + w->n++ * w->n_features, w->x + i * w->n_features,
               (size_t)w->n_features * sizeof *w->part);
        for (int c = 0; c < d->n_columns; c++)
            memcpy(to + (int64_t)c * w->per_model, d->p + ((int64_t)c * d->n + i) * classes + skip,
                   (size_t)w->per_model * sizeof *to);
    }
}

/* What a way says of the rows gathered, from out[n][per_model] (or [n][n_classes]). */
static void scatter(const fold_work *w, int way, int width)
{
    int classes = w->d->n_classes;
    double *held_out = w->f->held_out + (int64_t)way * w->d->n * classes;

    for (int64_t i = 0; i < w->n; i++) {
        double *to = held_out + w->row[i] * classes;
        if (width == 1) {
            to[0] = 1 - w->out[i];
            to[1] = w->out[i];
        } else {
            memcpy(to, w->out + i * classes, (size_t)classes * sizeof *to);
        }
    }
}

static orr_status fit_and_blend(fold_work *w, int fold, double *weights)
{
    const orr_stack_data *d = w->d;
    orr_logistic_rows rows = { .x = w->part, .y = w->labels, .d = w->n_features };
    orr_logistic_opts o = ORR_LOGISTIC_OPTS_INIT;
    orr_logistic *m = NULL;
    int k = w->per_model;
    orr_status st;

    gather(w, fold, 0);
    rows.n = w->n;
    rows.n_classes = d->n_classes;
    o.c = w->f->model.c;
    o.tolerance = w->job->tolerance;
    o.max_iterations = w->job->max_iterations;
    o.threads = w->threads;
    ORR_TRY(orr_blend_weights(w->blend, w->labels, w->n, d->n_columns, k, weights, NULL));
    ORR_TRY_GOTO(st, done, orr_logistic_fit(&m, &rows, &o));
    gather(w, fold, 1);
    ORR_TRY_GOTO(st, done, orr_logistic_predict(m, w->part, w->n, w->threads, w->out));
    scatter(w, ORR_STACK_STACK, d->n_classes);
    ORR_TRY_GOTO(st, done, orr_blend_mean(w->blend, w->n, d->n_columns, k, w->out));
    scatter(w, ORR_STACK_MEAN, k);
    ORR_TRY_GOTO(st, done, orr_blend_ranks(w->blend, w->n, d->n_columns, k, w->out));
    scatter(w, ORR_STACK_RANKS, k);
    ORR_TRY_GOTO(st, done, orr_blend_weighted(w->blend, w->n, d->n_columns, k, weights, w->out));
    scatter(w, ORR_STACK_WEIGHTED, k);
done:
    orr_logistic_destroy(m);
    return st;
}

static orr_status all_weights(fold_work *w)
{
    gather(w, -1, 0);
    return orr_blend_weights(w->blend, w->labels, w->n, w->d->n_columns, w->per_model,
                             w->f->weights, NULL);
}

/* The folds of this rank; one more piece of work is the weights of all rows. */
static orr_status run_folds(const fold_work *work, const orr_context *context)
{
    fold_work w = *work;
    size_t n = (size_t)w.d->n, m = (size_t)w.d->n_columns;
    double *weights = orr_alloc(m, sizeof *weights);
    orr_status st = ORR_OK;

    if (context->rank > w.f->n_folds) { /* more ranks than work */
        orr_free(weights);
        return ORR_OK;
    }
    w.row = orr_alloc(n, sizeof *w.row);
    w.labels = orr_alloc(n, sizeof *w.labels);
    w.part = orr_alloc(n * (size_t)w.n_features, sizeof *w.part);
    w.blend = orr_alloc(n * m * (size_t)w.per_model, sizeof *w.blend);
    w.out = orr_alloc(n * (size_t)w.d->n_classes, sizeof *w.out);
    if (!weights || !w.row || !w.labels || !w.part || !w.blend || !w.out)
        st = orr_fail(ORR_ERR_NOMEM, "out of memory: folds of %zu samples", n);
    for (int i = context->rank; st == ORR_OK && i <= w.f->n_folds; i += context->size) {
        if (orr_stop_requested())
            st = orr_fail(ORR_ERR_INTERRUPTED, "stopped by a signal; start again");
        else
            st = i < w.f->n_folds ? fit_and_blend(&w, i, weights) : all_weights(&w);
    }
    orr_free(weights);
    orr_free(w.row);
    orr_free(w.labels);
    orr_free(w.part);
    orr_free(w.blend);
    orr_free(w.out);
    return st;
}

/* ---- scores ---- */
/* ROC-AUC of n rows of p[n][classes]: of class 1, or the mean of one class against the rest. */
static orr_status auc_of(const int32_t *y, const double *p, int64_t n, int classes,
                         int32_t *is_class, double *score, double *auc)
{
    double sum = 0, one = 0;

    for (int k = classes == 2 ? 1 : 0; k < classes; k++) {
        for (int64_t i = 0; i < n; i++) {
            is_class[i] = y[i] == k;
            score[i] = p[i * classes + k];
        }
        ORR_TRY(orr_roc_auc(is_class, score, n, &one));
        sum += one;
    }
    *auc = classes == 2 ? sum : sum / classes;
    return ORR_OK;
}

typedef struct score_work {
    const orr_stack_fit *f;
    const orr_stack_data *d;
    int32_t *y, *is_class;
    double *p, *score;
} score_work;

static const double *predictions_of(const score_work *w, int candidate)
{
    int64_t one = w->d->n * w->d->n_classes;

    return candidate < w->d->n_columns
               ? w->d->p + candidate * one
               : w->f->held_out + (int64_t)(candidate - w->d->n_columns) * one;
}

/* auc[n_folds], then pooled and log loss. */
static orr_status score(const score_work *w, int candidate, double *out)
{
    const orr_stack_data *d = w->d;
    const double *p = predictions_of(w, candidate);
    int classes = d->n_classes, folds = w->f->n_folds;

    for (int f = 0; f < folds; f++) {
        int64_t n = 0;
        for (int64_t i = 0; i < d->n; i++) {
            if (w->f->fold[i] != f) continue;
            w->y[n] = d->labels[i];
            memcpy(w->p + n++ * classes, p + i * classes, (size_t)classes * sizeof *p);
        }
        ORR_TRY(auc_of(w->y, w->p, n, classes, w->is_class, w->score, &out[f]));
    }
    ORR_TRY(auc_of(d->labels, p, d->n, classes, w->is_class, w->score, &out[folds]));
    out[folds + 1] = candidate == d->n_columns + ORR_STACK_RANKS
                         ? NAN
                         : orr_log_loss(d->labels, p, d->n, classes);
    return ORR_OK;
}

static orr_status run_scores(const orr_stack_fit *f, const orr_context *context,
                             const orr_stack_data *d, double *scores)
{
    size_t n = (size_t)d->n;
    score_work w = { .f = f,
                     .d = d,
                     .y = orr_alloc(n, sizeof *w.y),
                     .is_class = orr_alloc(n, sizeof *w.is_class),
                     .p = orr_alloc(n * (size_t)d->n_classes, sizeof *w.p),
                     .score = orr_alloc(n, sizeof *w.score) };
    orr_status st = w.y && w.is_class && w.p && w.score
                        ? ORR_OK
                        : orr_fail(ORR_ERR_NOMEM, "out of memory: scores of %zu samples", n);

    for (int i = context->rank; st == ORR_OK && i < f->n_candidates; i += context->size)
        st = score(&w, i, scores + (int64_t)i * (f->n_folds + 2));
    orr_free(w.y);
    orr_free(w.is_class);
    orr_free(w.p);
    orr_free(w.score);
    return st;
}

/* ---- the comparison ---- */
static orr_fold_gain compare(const orr_stack_fit *f, int a, int b)
{
    return orr_fold_compare(f->auc + (int64_t)a * f->n_folds, f->auc + (int64_t)b * f->n_folds,
                            f->n_folds);
}

/* scores[n_candidates][n_folds + 2] into the fit.  AUC of the stack's folds is the grid's, which
 * ranks by the logit: no ties where a probability rounds to 1. */
static void settle(orr_stack_fit *f, const orr_stack_data *d, const double *scores)
{
    int stack = d->n_columns + ORR_STACK_STACK;

    for (int i = 0; i < f->n_candidates; i++) {
        const double *s = scores + (int64_t)i * (f->n_folds + 2);
        orr_stack_candidate *c = &f->candidates[i];
        double *auc = f->auc + (int64_t)i * f->n_folds;
        memcpy(auc, i == stack ? f->grid.auc + (int64_t)f->best * f->n_folds : s,
               (size_t)f->n_folds * sizeof *auc);
        orr_fold_mean(auc, f->n_folds, 1, &c->mean, &c->sd);
        c->pooled = s[f->n_folds];
        c->log_loss = s[f->n_folds + 1];
        if (i < d->n_columns && c->mean > f->candidates[f->best_single].mean) f->best_single = i;
    }
    f->over_single = compare(f, stack, f->best_single);
    f->over_mean = compare(f, stack, d->n_columns + ORR_STACK_MEAN);
}

orr_status orr_stack_compare(orr_stack_fit *f, orr_context *context, const orr_stack_job *job,
                             const orr_stack_data *d, const double *x)
{
    const fold_work work = { .f = f,
                             .job = job,
                             .d = d,
                             .x = x,
                             .n_features = orr_stack_features(&f->model),
                             .threads = context->threads,
                             .per_model = d->n_classes == 2 ? 1 : d->n_classes };
    size_t cells = (size_t)f->n_candidates * (size_t)(f->n_folds + 2);
    double *scores = orr_alloc(cells, sizeof *scores);
    orr_status st;

    ORR_TRY_GOTO(st, done,
                 orr_phase(context, NULL,
                           scores ? ORR_OK : orr_fail(ORR_ERR_NOMEM, "out of memory: scores")));
    ORR_TRY_GOTO(st, done, orr_phase(context, NULL, run_folds(&work, context)));
    ORR_TRY_GOTO(
        st, done,
        orr_comm_allreduce(context->world, f->weights, (size_t)d->n_columns, ORR_F64, ORR_SUM));
    ORR_TRY_GOTO(st, done,
                 orr_comm_allreduce(context->world, f->held_out,
                                    (size_t)d->n * (size_t)d->n_classes * ORR_STACK_N_WAYS, ORR_F64,
                                    ORR_SUM));
    ORR_TRY_GOTO(st, done, orr_phase(context, NULL, run_scores(f, context, d, scores)));
    ORR_TRY_GOTO(st, done, orr_comm_allreduce(context->world, scores, cells, ORR_F64, ORR_SUM));
    settle(f, d, scores);
done:
    orr_free(scores);
    return st;
}
