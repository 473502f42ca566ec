/* jobs/predictor.c - evaluation forward passes and the scores of their results. */
#include "jobs/predictor.h"
#include "core/memory.h"
#include "core/progress.h"

#include <math.h>
#include <string.h>

struct orr_predictor {
    orr_app *app;
    const orr_model *model;
    orr_net *net;
    float *x;      /* ORR_EVAL_CHUNK samples as the net takes them */
    char *scratch; /* one transform scratch a thread */
    size_t scratch_bytes, *bytes;
};

int orr_predict_leaf_sizes(int64_t n, int sizes[2])
{
    int count = 0;

    if (n >= ORR_EVAL_CHUNK) sizes[count++] = ORR_EVAL_CHUNK;
    if (n % ORR_EVAL_CHUNK) sizes[count++] = (int)(n % ORR_EVAL_CHUNK);
    return count;
}

orr_status orr_predictor_create(orr_predictor **out, orr_app *app, const orr_model *m, orr_net *net)
{
    orr_predictor *p = orr_alloc(1, sizeof *p);

    *out = NULL;
    if (!p) return orr_fail(ORR_ERR_NOMEM, "out of memory: predictor");
    p->app = app;
    p->model = m;
    p->net = net;
    p->scratch_bytes =
        (orr_transform_scratch_bytes(m->transform) + ORR_ALIGN - 1) / ORR_ALIGN * ORR_ALIGN;
    p->x = orr_alloc(ORR_EVAL_CHUNK * orr_shape_count(orr_graph_input(m->graph)), sizeof *p->x);
    p->scratch = orr_alloc((size_t)app->threads, p->scratch_bytes);
    p->bytes = orr_alloc((size_t)app->size, sizeof *p->bytes);
    if (!p->x || !p->scratch || !p->bytes) {
        orr_predictor_destroy(p);
        return orr_fail(ORR_ERR_NOMEM, "out of memory: %d samples to predict", ORR_EVAL_CHUNK);
    }
    *out = p;
    return ORR_OK;
}

void orr_predictor_destroy(orr_predictor *p)
{
    if (!p) return;
    orr_free(p->x);
    orr_free(p->scratch);
    orr_free(p->bytes);
    orr_free(p);
}

static orr_status predict_chunk(orr_predictor *p, const orr_samples *s, const int64_t *rows, int n,
                                orr_real *logits)
{
    const int leaf[2] = { 0, n }, run[2] = { 0, 1 };
    orr_batch batch = {
        .n = n, .n_leaves = 1, .leaf = leaf, .n_runs = 1, .run = run, .n_global = n
    };
    size_t count = orr_shape_count(orr_graph_input(p->model->graph)),
           scratch_bytes = p->scratch_bytes;
    const orr_transform *t = p->model->transform;
    const orr_real *y;
    float *x = p->x;
    char *scratch = p->scratch;

#pragma omp parallel for num_threads(p->app->threads) schedule(static)
    for (int thread = 0; thread < p->app->threads; thread++)
        for (int i = n * thread / p->app->threads; i < n * (thread + 1) / p->app->threads; i++)
            orr_transform_apply(t, orr_samples_row(s, rows[i]), x + (size_t)i * count,
                                scratch + (size_t)thread * scratch_bytes);
    ORR_TRY(orr_net_forward(p->net, &batch, x, 0, &y));
    memcpy(logits, y, (size_t)n * (size_t)p->model->outputs * sizeof *logits);
    return ORR_OK;
}

orr_status orr_predictor_run(orr_predictor *p, const orr_samples *s, const int64_t *rows, int64_t n,
                             orr_real *logits, const char *phase)
{
    const orr_app *app = p->app;
    size_t width = (size_t)p->model->outputs;
    int64_t n_chunks = (n + ORR_EVAL_CHUNK - 1) / ORR_EVAL_CHUNK;
    int64_t first = n_chunks * app->rank / app->size * ORR_EVAL_CHUNK,
            last = n_chunks * (app->rank + 1) / app->size * ORR_EVAL_CHUNK;
    orr_progress *progress = NULL;
    orr_real *mine = NULL;
    orr_status st = ORR_OK;

    if (first > n) first = n;
    if (last > n) last = n;
    mine = orr_alloc((size_t)(last - first) * width + 1, sizeof *mine);
    if (!mine)
        st = orr_fail(ORR_ERR_NOMEM, "out of memory: answers for %lld samples",
                      (long long)(last - first));
    if (phase && app->rank == 0)
        (void)orr_progress_create(&progress, phase, "samples", last - first);
    for (int64_t at = first; st == ORR_OK && at < last; at += ORR_EVAL_CHUNK) {
        int here = (int)(last - at < ORR_EVAL_CHUNK ? last - at : ORR_EVAL_CHUNK);
        st = predict_chunk(p, s, rows + at, here, mine + (size_t)(at - first) * width);
        orr_progress_update(progress, at + here - first, NULL);
    }
    orr_progress_end(progress, NULL);
    ORR_TRY_GOTO(st, done, orr_app_agree(p->app, st));
    for (int r = 0; r < app->size; r++) {
        int64_t a = n_chunks * r / app->size * ORR_EVAL_CHUNK,
                b = n_chunks * (r + 1) / app->size * ORR_EVAL_CHUNK;
        p->bytes[r] = (size_t)((b < n ? b : n) - (a < n ? a : n)) * width * sizeof *mine;
    }
    st = orr_comm_allgather(app->world, mine, logits, p->bytes);
done:
    orr_free(mine);
    return st;
}

/* ---- scores ---- */
int orr_has_truth(const orr_model *m, const orr_samples *samples)
{
    return orr_model_n_classes(m) ? orr_dataset_labels(samples->set) != NULL
                                  : orr_dataset_values(samples->set) != NULL;
}

/* Sum of the samples' losses in position order, over their number. */
static orr_status mean_loss(const orr_model *m, const orr_samples *samples, const int64_t *rows,
                            int64_t n, const orr_real *logits, double *out)
{
    const int32_t *labels = orr_dataset_labels(samples->set);
    const float *values = orr_dataset_values(samples->set);
    int width = m->outputs;
    int32_t label[ORR_EVAL_CHUNK];
    float *value = orr_alloc((size_t)ORR_EVAL_CHUNK * (size_t)width, sizeof *value);
    double sum = 0;

    if (!value) return orr_fail(ORR_ERR_NOMEM, "out of memory: loss of %d samples", ORR_EVAL_CHUNK);
    for (int64_t at = 0; at < n; at += ORR_EVAL_CHUNK) {
        int here = (int)(n - at < ORR_EVAL_CHUNK ? n - at : ORR_EVAL_CHUNK);
        const int leaf[2] = { 0, here }, run[2] = { 0, 1 };
        orr_batch b = {
            .n = here, .n_leaves = 1, .leaf = leaf, .n_runs = 1, .run = run, .n_global = here
        };
        double leaf_sum;
        for (int i = 0; i < here; i++) {
            if (orr_model_n_classes(m))
                label[i] = labels[rows[at + i]];
            else
                memcpy(value + (size_t)i * (size_t)width,
                       values + (size_t)rows[at + i] * (size_t)width,
                       (size_t)width * sizeof *value);
        }
        orr_loss_eval(&m->loss, &b, logits + (size_t)at * (size_t)width, label, value, &leaf_sum,
                      NULL, NULL);
        sum += leaf_sum;
    }
    orr_free(value);
    *out = sum / (double)n;
    return ORR_OK;
}

/* Probabilities of all classes (bce: of 0 and of 1), or values. */
static void fill_answers(orr_scores *s, const orr_model *m, int64_t n, const orr_real *logits)
{
    for (int64_t i = 0; i < n; i++) {
        const orr_real *x = logits + (size_t)i * (size_t)m->outputs;
        if (m->loss.kind == ORR_LOSS_BCE) {
            double p;
            orr_loss_link(&m->loss, 1, x, &p);
            s->p[2 * i] = 1 - p;
            s->p[2 * i + 1] = p;
        } else {
            orr_loss_link(&m->loss, 1, x, s->p + (size_t)i * (size_t)m->outputs);
        }
    }
}

orr_status orr_scores_create(orr_scores *s, const orr_model *m, const orr_samples *samples,
                             const int64_t *rows, int64_t n, const orr_real *logits,
                             double threshold)
{
    int n_classes = orr_model_n_classes(m);
    size_t width = (size_t)(n_classes ? n_classes : m->outputs);
    int32_t *labels = NULL;
    float *values = NULL;
    orr_status st = ORR_OK;

    *s = (orr_scores){ .n = n, .n_classes = n_classes, .loss = NAN };
    if (!(s->p = orr_alloc((size_t)n * width + 1, sizeof *s->p)))
        return orr_fail(ORR_ERR_NOMEM, "out of memory: answers for %lld samples", (long long)n);
    fill_answers(s, m, n, logits);
    if (!orr_has_truth(m, samples)) return ORR_OK;
    ORR_TRY_GOTO(st, done, mean_loss(m, samples, rows, n, logits, &s->loss));
    labels = orr_alloc((size_t)n + 1, sizeof *labels);
    values = orr_alloc((size_t)n * width + 1, sizeof *values);
    if (!labels || !values) {
        st = orr_fail(ORR_ERR_NOMEM, "out of memory: labels of %lld samples", (long long)n);
        goto done;
    }
    for (int64_t i = 0; i < n; i++) {
        if (n_classes)
            labels[i] = orr_dataset_labels(samples->set)[rows[i]];
        else
            memcpy(values + (size_t)i * width,
                   orr_dataset_values(samples->set) + (size_t)rows[i] * width,
                   width * sizeof *values);
    }
    if (n_classes)
        st = orr_classification_create(&s->classification, labels, s->p, n, n_classes, threshold);
    else
        st = orr_regression_metrics(values, s->p, n, (int)width, &s->regression);
done:
    orr_free(labels);
    orr_free(values);
    if (st != ORR_OK) orr_scores_free(s);
    return st;
}

void orr_scores_free(orr_scores *s)
{
    orr_free(s->p);
    orr_classification_destroy(s->classification);
    *s = (orr_scores){ 0 };
}

double orr_scores_metric(const orr_scores *s, const char *name)
{
    const orr_classification *c = s->classification;

    if (strcmp(name, "auto") == 0 || strcmp(name, "loss") == 0) return s->loss;
    if (strcmp(name, "rmse") == 0) return s->n_classes == 0 ? s->regression.rmse : NAN;
    if (!c) return NAN;
    if (strcmp(name, "accuracy") == 0) return c->accuracy;
    if (strcmp(name, "balanced_accuracy") == 0) return c->balanced_accuracy;
    if (strcmp(name, "auc") == 0) return c->auc;
    if (strcmp(name, "average_precision") == 0) return c->average_precision;
    if (strcmp(name, "f1") == 0) return c->n_classes == 2 ? c->classes[1].f1 : c->macro_f1;
    if (strcmp(name, "recall") == 0)
        return c->n_classes == 2 ? c->classes[1].recall : c->balanced_accuracy;
    return NAN;
}
