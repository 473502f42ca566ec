/* jobs/model/predictor.c - evaluation forward passes. */
#include "jobs/model/predictor.h"
#include "core/memory.h"
#include "core/threads.h"
#include "core/timeline.h"
#include "jobs/context/phase.h"
#include "jobs/context/signals.h"

#include <math.h>
#include <string.h>

struct orr_predictor {
    orr_context *context;
    const orr_model *model;
    orr_net *net;
    float *x;      /* ORR_EVAL_CHUNK samples as the net takes them */
    float *aux;    /* and the numbers beside them; NULL without */
    float *picked; /* a row's aux numbers, before the transform */
    char *scratch; /* one transform scratch a thread */
    size_t scratch_bytes, *bytes;
    orr_progress *progress; /* of several runs; borrowed, may be NULL */
    int64_t before;         /* what it has counted when this run begins */
    int heeds;              /* signals */
};

int orr_predict_leaf_sizes(int64_t n, int sizes[2])
{
    int count = 0;

    if (n >= ORR_EVAL_CHUNK) sizes[count++] = ORR_EVAL_CHUNK;
    if (n % ORR_EVAL_CHUNK) sizes[count++] = (int)(n % ORR_EVAL_CHUNK);
    return count;
}

static size_t scratch_bytes(const orr_model *m)
{
    size_t x = orr_transform_scratch_bytes(m->transform),
           aux = m->aux_transform ? orr_transform_scratch_bytes(m->aux_transform) : 0;

    return ((x > aux ? x : aux) + ORR_ALIGN - 1) / ORR_ALIGN * ORR_ALIGN;
}

orr_status orr_predictor_create(orr_predictor **out, orr_context *context, const orr_model *m,
                                orr_net *net)
{
    orr_predictor *p = orr_alloc(1, sizeof *p);

    *out = NULL;
    if (!p) return orr_fail(ORR_ERR_NOMEM, "out of memory: predictor");
    p->context = context;
    p->model = m;
    p->net = net;
    p->scratch_bytes = scratch_bytes(m);
    p->x = orr_alloc(ORR_EVAL_CHUNK * orr_shape_count(orr_graph_input(m->graph)), sizeof *p->x);
    p->scratch = orr_alloc((size_t)context->threads, p->scratch_bytes);
    p->aux = orr_alloc(ORR_EVAL_CHUNK * (size_t)orr_model_aux_width(m) + 1, sizeof *p->aux);
    p->picked = orr_alloc((size_t)m->n_aux + 1, sizeof *p->picked);
    p->bytes = orr_alloc((size_t)context->size, sizeof *p->bytes);
    if (!p->x || !p->scratch || !p->bytes || !p->aux || !p->picked) {
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
    orr_free(p->aux);
    orr_free(p->picked);
    orr_free(p->scratch);
    orr_free(p->bytes);
    orr_free(p);
}

void orr_predictor_show(orr_predictor *p, orr_progress *progress, int64_t before)
{
    p->progress = progress;
    p->before = before;
}

void orr_predictor_heed_signals(orr_predictor *p)
{
    p->heeds = 1;
}

orr_status orr_predict_interrupted(void)
{
    return orr_stop_requested() ? orr_fail(ORR_ERR_INTERRUPTED, "stopped by a signal") : ORR_OK;
}

/* The first of n positions that rank r takes: whole chunks. */
static int64_t share_begin(const orr_context *context, int r, int64_t n)
{
    int64_t n_chunks = (n + ORR_EVAL_CHUNK - 1) / ORR_EVAL_CHUNK,
            at = n_chunks * r / context->size * ORR_EVAL_CHUNK;

    return at < n ? at : n;
}

int64_t orr_predictor_share(const orr_context *context, int64_t n)
{
    return share_begin(context, context->rank + 1, n) - share_begin(context, context->rank, n);
}

/* The numbers beside n samples, as the net takes them. */
static void make_aux(orr_predictor *p, const orr_samples *s, const int64_t *rows, int n,
                     const int *columns)
{
    const orr_model *m = p->model;

    for (int i = 0; m->aux_transform && i < n; i++) {
        orr_transform_pick_aux(orr_samples_aux(s, rows[i]), columns, m->n_aux, p->picked);
        orr_transform_apply(m->aux_transform, p->picked, p->aux + i * orr_model_aux_width(m),
                            p->scratch);
    }
}

/* What is none would be answered like any number. */
static orr_status check_chunk(const orr_predictor *p, const orr_samples *s, const int64_t *rows,
                              int n, size_t count)
{
    const float *v[] = { p->x, p->aux };
    const size_t each[] = { count, (size_t)orr_model_aux_width(p->model) };
    char id[ORR_ID_TEXT_MAX + 1];

    for (int part = 0; part < 2; part++)
        for (size_t i = 0; i < (size_t)n * each[part]; i++) {
            if (isfinite(v[part][i])) continue;
            orr_dataset_id(s->set, rows[i / each[part]], id, sizeof id);
            return orr_fail(ORR_ERR_FORMAT,
                            "%s: sample %s has a value that is none (NaN or infinite) where the "
                            "model takes a number: %s %zu; import the table again with input.nan: "
                            "drop, or train a model with the transform nan",
                            orr_dataset_path(s->set), id, part ? "aux number" : "number",
                            i % each[part]);
        }
    return ORR_OK;
}

static orr_status predict_chunk(orr_predictor *p, const orr_samples *s, const int64_t *rows, int n,
                                const int *columns, orr_real *logits)
{
    const int leaf[2] = { 0, n }, segment[2] = { 0, 1 };
    orr_batch batch = {
        .n = n, .n_leaves = 1, .leaf = leaf, .n_segments = 1, .segment = segment, .n_global = n
    };
    size_t count = orr_shape_count(orr_graph_input(p->model->graph)), step = p->scratch_bytes;
    const orr_transform *t = p->model->transform;
    const orr_real *y;
    float *x = p->x;
    char *scratch = p->scratch;
    int64_t span = orr_timeline_now();

#pragma omp parallel for num_threads(orr_threads_of(p->context->threads)) schedule(static)
    for (int thread = 0; thread < p->context->threads; thread++)
        for (int i = n * thread / p->context->threads; i < n * (thread + 1) / p->context->threads;
             i++)
            orr_transform_apply(t, orr_samples_row(s, rows[i]), x + (size_t)i * count,
                                scratch + (size_t)thread * step);
    make_aux(p, s, rows, n, columns);
    ORR_TRY(check_chunk(p, s, rows, n, count));
    orr_timeline_span("transform", span, -1);
    span = orr_timeline_now();
    ORR_TRY(orr_net_forward(p->net, &batch, x, p->aux, 0, &y));
    ORR_TRY(orr_net_output(p->net, logits));
    orr_timeline_span("net", span, -1);
    return ORR_OK;
}

/* This rank's share, rows [first, last): one chunk after another into mine. */
static orr_status predict_share(orr_predictor *p, const orr_samples *s, const int64_t *rows,
                                int64_t first, int64_t last, orr_progress *shown, int64_t before,
                                orr_real *mine)
{
    size_t width = (size_t)p->model->outputs;
    int columns[ORR_MAX_AUX];
    orr_status st;

    if (!mine)
        return orr_fail(ORR_ERR_NOMEM, "out of memory: answers for %lld samples",
                        (long long)(last - first));
    ORR_TRY(orr_model_aux_columns(p->model, orr_dataset_schema(s->set), orr_dataset_path(s->set),
                                  columns));
    for (int64_t at = first; at < last; at += ORR_EVAL_CHUNK) {
        int here = (int)(last - at < ORR_EVAL_CHUNK ? last - at : ORR_EVAL_CHUNK);
        int64_t unit;
        if (p->heeds) {
            orr_phase_at(p->context, "predict", at / ORR_EVAL_CHUNK);
            ORR_TRY(orr_predict_interrupted());
        }
        unit = orr_timeline_unit(at / ORR_EVAL_CHUNK);
        orr_context_use_threads(p->context);
        st = predict_chunk(p, s, rows + at, here, columns, mine + (size_t)(at - first) * width);
        orr_context_all_threads(p->context);
        if (st != ORR_OK) return st;
        orr_timeline_unit_end("batch", unit, at / ORR_EVAL_CHUNK);
        orr_progress_update(shown, before + at + here - first, NULL);
        orr_context_alive(p->context);
    }
    return ORR_OK;
}

orr_status orr_predictor_run(orr_predictor *p, const orr_samples *s, const int64_t *rows, int64_t n,
                             orr_real *logits, const char *phase)
{
    const orr_context *context = p->context;
    size_t width = (size_t)p->model->outputs;
    int64_t first = share_begin(context, context->rank, n),
            last = share_begin(context, context->rank + 1, n);
    orr_progress *own = NULL;
    orr_real *mine = orr_alloc((size_t)(last - first) * width + 1, sizeof *mine);
    int64_t span = orr_timeline_now();
    orr_status st;

    if (phase && context->rank == 0)
        (void)orr_progress_create(&own, phase, "samples", last - first);
    st = orr_phase(p->context, NULL,
                   predict_share(p, s, rows, first, last, phase ? own : p->progress,
                                 phase ? 0 : p->before, mine));
    orr_progress_end(own, NULL);
    orr_timeline_span("batches", span, -1);
    if (st != ORR_OK) goto done;
    span = orr_timeline_now();
    for (int r = 0; r < context->size; r++)
        p->bytes[r] = (size_t)(share_begin(context, r + 1, n) - share_begin(context, r, n)) *
                      width * sizeof *mine;
    st = orr_comm_allgather(context->world, mine, logits, p->bytes);
    orr_timeline_span("gather", span, -1);
done:
    orr_free(mine);
    return st;
}
