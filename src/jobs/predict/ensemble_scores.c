/* jobs/predict/ensemble_scores.c - the models' answers, one model after the other, and their means.
 */
#include "core/memory.h"
#include "core/progress.h"
#include "core/timeline.h"
#include "jobs/context/phase.h"
#include "jobs/model/predictor.h"
#include "jobs/predict/ensemble.h"

#include <math.h>
#include <string.h>

/* ---- do they answer alike? ---- */
static orr_status same_answers(const orr_model *a, const orr_model *b, const char *pa,
                               const char *pb)
{
    static const char *const kinds[] = { "classes", "values", "densities" };
    int x = orr_model_n_classes(a), y = orr_model_n_classes(b);
    const orr_bins *u = &a->loss.bins, *v = &b->loss.bins;
    orr_output_type ka = orr_loss_output_type(&a->loss), kb = orr_loss_output_type(&b->loss);
    char name[2][ORR_DATA_NAME_MAX];

    if (ka != kb)
        return orr_fail(ORR_ERR_SHAPE,
                        "%s answers with %s and %s with %s: there is no mean of them", pa,
                        kinds[ka], pb, kinds[kb]);
    if (x != y)
        return orr_fail(ORR_ERR_SHAPE,
                        "%s tells %d classes apart and %s %d: there is no mean of "
                        "them",
                        pa, x, pb, y);
    for (int i = 0; i < x; i++)
        if (strcmp(orr_class_name(&a->schema, i, name[0], sizeof name[0]),
                   orr_class_name(&b->schema, i, name[1], sizeof name[1])) != 0)
            return orr_fail(ORR_ERR_SHAPE, "class %d is \"%s\" for %s and \"%s\" for %s", i,
                            name[0], pa, name[1], pb);
    for (int i = 0; ka != ORR_OUTPUT_CLASSES && i < ORR_MAX_TARGET_NAMES; i++) {
        const char *u_name = a->schema.y_names[i], *v_name = b->schema.y_names[i];
        if (*u_name && *v_name && strcmp(u_name, v_name) != 0)
            return orr_fail(
                ORR_ERR_SHAPE,
                "target %d is \"%s\" for %s and \"%s\" for %s: there is no mean of them", i, u_name,
                pa, v_name, pb);
    }
    if (ka == ORR_OUTPUT_DENSITY && (u->count != v->count || u->min != v->min || u->max != v->max))
        return orr_fail(ORR_ERR_SHAPE,
                        "%s has %d bins from %g to %g and %s %d from %g to %g: there is no mean "
                        "of such densities",
                        pa, u->count, u->min, u->max, pb, v->count, v->min, v->max);
    if (ka == ORR_OUTPUT_VALUES && a->outputs != b->outputs)
        return orr_fail(ORR_ERR_SHAPE,
                        "%s answers with %d values and %s with %d: there is no mean of them", pa,
                        a->outputs, pb, b->outputs);
    return ORR_OK;
}

/* What of the set made this model; keys NULL: nobody asks. */
static void look(orr_ensemble_task *t, const orr_model *m, const orr_seen_keys *keys)
{
    if (!keys) return;
    t->unknown += !m->seen.known;
    orr_seen_mark(&m->seen, keys, t->seen);
}

static orr_status check_member(const orr_ensemble *e, orr_ensemble_task *t,
                               const orr_seen_keys *keys, int i)
{
    const orr_dataset *set = t->samples->set;
    char first[ORR_PATH_MAX], path[ORR_PATH_MAX];
    orr_model m = { 0 };
    orr_status st;

    ORR_TRY(orr_ensemble_member_path(e, 0, first));
    ORR_TRY(orr_ensemble_member_path(e, i, path));
    ORR_TRY(orr_ensemble_load(e, i, &m, t->kernels));
    st = same_answers(t->first, &m, first, path);
    if (st == ORR_OK) {
        st = orr_model_accepts(&m, orr_dataset_schema(set), orr_dataset_path(set));
        if (st != ORR_OK) st = orr_fail_prefix(st, "%s: ", path);
    }
    if (st == ORR_OK && e->kind == ORR_ENSEMBLE_MEAN && t->threshold < 0 &&
        orr_model_n_classes(&m) == 2 && m.threshold != t->first->threshold)
        st = orr_fail(ORR_ERR_SHAPE,
                      "%s names the positive class above a probability of %g and %s above %g: say "
                      "threshold= for their mean",
                      first, t->first->threshold, path, m.threshold);
    if (st == ORR_OK) look(t, &m, keys);
    orr_model_destroy(&m);
    return st;
}

/* Ranks take the models in turn. */
static orr_status check_share(const orr_ensemble *e, orr_ensemble_task *t,
                              const orr_seen_keys *keys)
{
    const orr_dataset *set = t->samples->set;

    ORR_TRY(orr_model_accepts(t->first, orr_dataset_schema(set), orr_dataset_path(set)));
    if (t->context->rank == 0) look(t, t->first, keys);
    for (int i = 1; i < e->n_models; i++) {
        if (i % t->context->size != t->context->rank) continue;
        ORR_TRY(orr_predict_interrupted());
        ORR_TRY(check_member(e, t, keys, i));
    }
    return ORR_OK;
}

/* All ranks' marks together: of each sample, which ranks' models know it. */
static orr_status join_marks(orr_ensemble_task *t)
{
    enum { BLOCK = 4096 };
    int64_t bits[BLOCK], unknown = t->unknown;

    ORR_TRY(orr_comm_allreduce(t->context->world, &unknown, 1, ORR_I64, ORR_SUM));
    t->unknown = (int)unknown;
    for (int how = 0; how < ORR_N_SEEN; how++)
        for (int64_t at = 0; at < t->n; at += BLOCK) {
            int64_t n = t->n - at < BLOCK ? t->n - at : BLOCK;
            for (int64_t i = 0; i < n; i++)
                bits[i] = t->seen[at + i] >> how & 1;
            ORR_TRY(orr_comm_allreduce(t->context->world, bits, (size_t)n, ORR_I64, ORR_MAX));
            for (int64_t i = 0; i < n; i++)
                if (bits[i]) t->seen[at + i] |= (unsigned char)(1 << how);
        }
    return ORR_OK;
}

orr_status orr_ensemble_check(const orr_ensemble *e, orr_ensemble_task *t)
{
    const orr_split all = { "data", t->samples, t->rows, t->n };
    orr_seen_keys keys = { .n = 0 };
    orr_status st = t->seen ? orr_seen_keys_make(&keys, t->context, &all) : ORR_OK;

    if (st == ORR_OK) st = orr_phase(t->context, NULL, check_share(e, t, t->seen ? &keys : NULL));
    if (st == ORR_OK && t->seen) st = join_marks(t);
    orr_seen_keys_free(&keys);
    return st;
}

/* ---- one model's answers ---- */
typedef struct work {
    const orr_ensemble *e;
    const orr_ensemble_task *t;
    orr_progress *progress; /* over all models; NULL: none */
    size_t count;           /* n * columns */
    int done;               /* models so far */
} work;

static orr_status plan(orr_net **net, orr_predictor **predictor, const work *w, orr_model *m)
{
    const orr_ensemble_task *t = w->t;
    int sizes[2];
    orr_limits limits = { .max_samples = ORR_EVAL_CHUNK,
                          .max_leaves = 1,
                          .max_segments = 1,
                          .leaf_sizes = sizes,
                          .n_leaf_sizes = orr_predict_leaf_sizes(t->n, sizes) };

    ORR_TRY(orr_model_net(net, m, &limits));
    orr_free(m->weights); /* the net has them */
    m->weights = NULL;
    ORR_TRY(orr_predictor_create(predictor, t->context, m, *net));
    orr_predictor_heed_signals(*predictor);
    orr_predictor_show(*predictor, w->progress, w->done * orr_predictor_share(t->context, t->n));
    return ORR_OK;
}

/* The next model's scores. */
static orr_status score_model(work *w, orr_model *m, orr_scores *out)
{
    const orr_ensemble_task *t = w->t;
    orr_context *context = t->context;
    orr_net *net = NULL;
    orr_predictor *predictor = NULL;
    orr_real *logits = orr_alloc((size_t)t->n * (size_t)m->outputs + 1, sizeof *logits);
    const orr_schema_side want = orr_model_side(m, "the model");
    int64_t span = orr_timeline_now();
    orr_status st;

    ORR_TRY_GOTO(st, done, orr_samples_arrange(t->samples, context, &want));
    ORR_TRY_GOTO(st, done,
                 orr_phase(context, NULL,
                           logits
                               ? plan(&net, &predictor, w, m)
                               : orr_fail(ORR_ERR_NOMEM, "out of memory: answers for %lld samples",
                                          (long long)t->n)));
    orr_timeline_span("plan", span, w->done);
    ORR_TRY_GOTO(st, done, orr_predictor_run(predictor, t->samples, t->rows, t->n, logits, NULL));
    span = orr_timeline_now();
    st = orr_phase(context, NULL,
                   orr_scores_create(out, m, t->samples, t->rows, t->n, logits,
                                     t->threshold < 0 ? m->threshold : t->threshold));
    orr_timeline_span("score", span, w->done);
    w->done++;
done:
    orr_free(logits);
    orr_predictor_destroy(predictor);
    orr_net_destroy(net);
    return st;
}

static orr_status check_finite(const work *w, int i, const double *p)
{
    size_t width = w->count / (size_t)w->t->n;
    char path[ORR_PATH_MAX], id[ORR_ID_TEXT_MAX + 1];

    for (size_t k = 0; k < w->count; k++)
        if (!isfinite(p[k])) {
            ORR_TRY(orr_ensemble_member_path(w->e, i, path));
            orr_dataset_id(w->t->samples->set, w->t->rows[k / width], id, sizeof id);
            return orr_fail(ORR_ERR_NUMERIC, "%s: its answer for sample %s is not a number", path,
                            id);
        }
    return ORR_OK;
}

/* Metrics meet what is not finite first, and do not know whose it is. */
static void name_model(const work *w, int i, orr_status st)
{
    char path[ORR_PATH_MAX];

    if (orr_ensemble_member_path(w->e, i, path) == ORR_OK) orr_fail_prefix(st, "%s: ", path);
}

/* sum += p / of, from nothing with the first. */
static void add_mean(double *sum, const double *p, size_t n, int first, int of)
{
    for (size_t i = 0; i < n; i++)
        sum[i] = (first ? 0 : sum[i]) + p[i] / of;
}

/* ---- means ---- */
static void tell_model(const work *w, int i, int64_t span)
{
    char path[ORR_PATH_MAX];

    if (span && orr_ensemble_member_path(w->e, i, path) == ORR_OK)
        orr_timeline_span_of("model", span, i, path);
}

static orr_status load_next(const work *w, int i, orr_model *own)
{
    ORR_TRY(orr_predict_interrupted());
    return i ? orr_ensemble_load(w->e, i, own, w->t->kernels) : ORR_OK;
}

static orr_status note_scores(const work *w, int i, const orr_scores *s)
{
    char path[ORR_PATH_MAX];

    if (!w->t->spread || !s->has_truth || w->e->kind != ORR_ENSEMBLE_MEAN) return ORR_OK;
    ORR_TRY(orr_ensemble_member_path(w->e, i, path));
    return orr_model_spread_add(w->t->spread, path, s);
}

/* Adds the next model, one of `of`, to sum. */
static orr_status add_model(work *w, int first, int of, double *sum)
{
    int i = w->done;
    orr_context *context = w->t->context;
    orr_model own = { 0 };
    orr_scores s = { 0 };
    int64_t span = orr_timeline_now(), load = span;
    orr_status st = orr_phase(context, NULL, load_next(w, i, &own));

    if (st != ORR_OK) {
        orr_model_destroy(&own);
        return st;
    }
    if (i) orr_timeline_span("load model", load, i);
    if (i) own.schema.target_kind = w->t->first->schema.target_kind; /* as evaluate was told */
    st = score_model(w, i ? &own : w->t->first, &s);
    if (st == ORR_ERR_NUMERIC) name_model(w, i, st);
    if (st == ORR_OK) st = orr_phase(context, NULL, check_finite(w, i, s.p));
    if (st == ORR_OK) st = orr_phase(context, NULL, note_scores(w, i, &s));
    if (st == ORR_OK) add_mean(sum, s.p, w->count, first, of);
    orr_scores_free(&s);
    orr_model_destroy(&own);
    tell_model(w, i, span);
    return st;
}

/* out = mean over the columns of part p; column: room for one. */
static orr_status average_part(work *w, const orr_ensemble_part *p, double *column, double *out)
{
    for (int c = 0; c < p->n_columns; c++) {
        for (int f = 0; f < p->run->oof.n_folds; f++)
            ORR_TRY(add_model(w, f == 0, p->run->oof.n_folds, column));
        add_mean(out, column, w->count, c == 0, p->n_columns);
    }
    return ORR_OK;
}

/* out = the mean over all parts, or the stack's answer to them. */
static orr_status join(work *w, double *out)
{
    const orr_ensemble *e = w->e;
    int stack = e->kind == ORR_ENSEMBLE_STACK;
    size_t parts = stack ? (size_t)e->n_parts : 1;
    double *column = orr_alloc(w->count + 1, sizeof *column),
           *p = orr_alloc(parts * w->count + 1, sizeof *p);
    orr_status st;

    ORR_TRY_GOTO(st, done,
                 orr_phase(w->t->context, NULL,
                           column && p
                               ? ORR_OK
                               : orr_fail(ORR_ERR_NOMEM,
                                          "out of memory: answers of %d models for %lld samples",
                                          e->n_models, (long long)w->t->n)));
    for (int i = 0; i < e->n_parts; i++) {
        double *here = stack ? p + (size_t)i * w->count : p;
        ORR_TRY_GOTO(st, done, average_part(w, &e->parts[i], column, here));
        if (!stack) add_mean(out, here, w->count, i == 0, e->n_parts);
    }
    if (stack) {
        int64_t span = orr_timeline_now();
        st = orr_phase(w->t->context, NULL, orr_stack_apply(&e->stack, p, w->t->n, out));
        orr_timeline_span("stack", span, -1);
    }
done:
    orr_free(column);
    orr_free(p);
    return st;
}

static orr_status score_joined(work *w, orr_scores *out)
{
    const orr_ensemble_task *t = w->t;
    double *p = orr_alloc(w->count + 1, sizeof *p);
    orr_status st = orr_phase(
        t->context, NULL,
        p ? ORR_OK
          : orr_fail(ORR_ERR_NOMEM, "out of memory: answers for %lld samples", (long long)t->n));

    if (st == ORR_OK) st = join(w, p);
    if (st == ORR_OK) {
        int64_t span = orr_timeline_now();
        st = orr_phase(t->context, NULL,
                       orr_scores_of_predictions(out, t->first, t->samples, t->rows, t->n, p,
                                                 t->first->threshold));
        orr_timeline_span("score", span, -1);
    }
    orr_free(p);
    return st;
}

orr_status orr_ensemble_scores(const orr_ensemble *e, const orr_ensemble_task *t, orr_scores *out)
{
    int classes = orr_model_n_classes(t->first);
    work w = { .e = e,
               .t = t,
               .count = (size_t)t->n * (size_t)(classes ? classes : t->first->outputs) };
    orr_status st;

    *out = (orr_scores){ 0 };
    if (t->progress && t->context->rank == 0)
        (void)orr_progress_create(&w.progress, "predict", "samples",
                                  e->n_models * orr_predictor_share(t->context, t->n));
    st = e->kind == ORR_ENSEMBLE_ONE ? score_model(&w, t->first, out) : score_joined(&w, out);
    orr_progress_end(w.progress, NULL);
    return st;
}
