/* jobs/predict/apply.c - load, predict, score, hand over. */
#include "jobs/predict/apply.h"
#include "core/log.h"
#include "core/memory.h"
#include "core/timeline.h"
#include "jobs/context/job_config.h"
#include "jobs/context/phase.h"
#include "jobs/context/runtime.h"
#include "jobs/model/predictor.h"

#include <string.h>

static orr_status read_job(orr_apply_opts *o, orr_config **config, const orr_args *args,
                           const orr_apply_command *c)
{
    ORR_TRY(orr_job_config(config, NULL, args));
    ORR_TRY(orr_options_read(o, c->options, orr_config_root(*config), ""));
    return c->check(o);
}

/* All words but the last are models. */
static orr_status open_models(orr_ensemble *e, orr_applied *a, const orr_args *args,
                              const orr_apply_opts *o)
{
    ORR_TRY(orr_ensemble_open(e, args->words, args->n_words - 1, o->model, o->state));
    ORR_TRY(orr_ensemble_first(e, &a->model, o->kernels));
    if (o->threshold >= 0) a->model.threshold = o->threshold;
    return orr_model_set_target_kind(&a->model, o->target_kind, "target_kind");
}

static void tell(const orr_ensemble *e)
{
    if (e->kind == ORR_ENSEMBLE_MEAN && e->n_runs > 1)
        orr_log0(ORR_INFO, "predict", "%s: the mean of %d models", e->path, e->n_models);
    else if (e->kind == ORR_ENSEMBLE_MEAN && e->runs[0].kind == ORR_SOURCE_SEEDS)
        orr_log0(ORR_INFO, "predict", "%s: the mean of %d models, one a seed", e->path,
                 e->n_models);
    else if (e->kind == ORR_ENSEMBLE_MEAN)
        orr_log0(ORR_INFO, "predict", "%s: the mean of %d models (%d configuration%s, %d folds)",
                 e->path, e->n_models, e->n_parts, e->n_parts == 1 ? "" : "s",
                 e->runs[0].oof.n_folds);
    if (e->kind == ORR_ENSEMBLE_STACK)
        orr_log0(ORR_INFO, "predict", "%s: a stack of %d columns, %d models in all", e->path,
                 e->n_parts, e->n_models);
}

static orr_status all_rows(orr_applied *a)
{
    int64_t n = orr_dataset_rows(a->samples.set);

    ORR_TRY(orr_predict_interrupted());
    a->rows = orr_alloc((size_t)n + 1, sizeof *a->rows);
    if (!a->rows) return orr_fail(ORR_ERR_NOMEM, "out of memory: %lld samples", (long long)n);
    for (int64_t i = 0; i < n; i++)
        a->rows[i] = i;
    return ORR_OK;
}

/* ---- scores that are too good ---- */
static void count_seen(orr_applied *a, const orr_ensemble_task *t)
{
    const int64_t one = (int64_t)1 << a->model.seen.thinning;

    a->about = one > 1;
    for (int64_t i = 0; i < t->n; i++) {
        a->trained += t->seen[i] >> ORR_SEEN_TRAINED & 1 ? one : 0;
        a->chose += t->seen[i] == 1 << ORR_SEEN_CHOSE ? one : 0;
    }
    if (a->trained > t->n) a->trained = t->n;
    if (a->chose > t->n - a->trained) a->chose = t->n - a->trained;
}

/* One line, where answers on those samples are compared with a truth. */
static void tell_seen(const orr_applied *a, const orr_ensemble *e, const orr_ensemble_task *t)
{
    const char *set = orr_dataset_path(a->samples.set), *about = a->about ? "about " : "",
               *model = e->kind == ORR_ENSEMBLE_ONE ? "the model" : "its models";

    if (a->trained && a->chose)
        orr_log0(
            ORR_WARN, "predict",
            "%s: %s%lld of its %lld samples trained %s of %s, and %lld chose the epoch: scores "
            "on them are too good",
            set, about, (long long)a->trained, (long long)t->n, model, e->path,
            (long long)a->chose);
    else if (a->trained || a->chose)
        orr_log0(ORR_WARN, "predict",
                 "%s: %s%lld of its %lld samples %s %s of %s: scores on them are too good", set,
                 about, (long long)(a->trained ? a->trained : a->chose), (long long)t->n,
                 a->trained ? "trained" : "chose the epoch of", model, e->path);
    if (t->unknown)
        orr_log0(ORR_INFO, "predict",
                 "%s: %s not say which samples trained %s (an older file), so it is not known "
                 "whether some of %s did",
                 e->path, t->unknown == 1 && e->n_models == 1 ? "does" : "models do",
                 e->n_models == 1 ? "it" : "them", set);
}

/* Room for a mark of each sample, where there is a truth. */
static orr_status make_marks(const orr_applied *a, orr_ensemble_task *t)
{
    if (!orr_has_truth(&a->model, &a->samples)) return ORR_OK;
    t->seen = orr_alloc((size_t)t->n + 1, 1);
    return t->seen ? ORR_OK
                   : orr_fail(ORR_ERR_NOMEM, "out of memory: %lld samples", (long long)t->n);
}

static orr_status predict(orr_applied *a, orr_context *context, const orr_args *args,
                          const orr_apply_opts *o, const orr_apply_command *c)
{
    orr_ensemble e = { 0 };
    orr_ensemble_task t = { .context = context,
                            .first = &a->model,
                            .kernels = o->kernels,
                            .samples = &a->samples,
                            .threshold = o->threshold,
                            .spread = &a->spread,
                            .progress = o->runtime.progress };
    const char *data = args->words[args->n_words - 1];
    orr_samples_want want;
    int64_t span = orr_timeline_now();
    orr_status st;

    ORR_TRY_GOTO(st, done, orr_phase(context, NULL, open_models(&e, a, args, o)));
    orr_timeline_span_of("load model", span, 0, e.path);
    span = orr_timeline_now();
    want = (orr_samples_want){ .side = orr_model_side(&a->model, e.path),
                               .match = strcmp(o->names, "match") == 0,
                               .option = "names=match" };
    ORR_TRY_GOTO(st, done, orr_samples_open(&a->samples, context, data, 0, &want));
    orr_timeline_span_of("read", span, -1, data);
    ORR_TRY_GOTO(st, done, orr_phase(context, NULL, all_rows(a)));
    t.rows = a->rows;
    t.n = orr_dataset_rows(a->samples.set);
    span = orr_timeline_now();
    ORR_TRY_GOTO(st, done, orr_phase(context, NULL, make_marks(a, &t)));
    ORR_TRY_GOTO(st, done, orr_ensemble_check(&e, &t));
    orr_timeline_span("check models", span, e.n_models);
    span = orr_timeline_now();
    ORR_TRY_GOTO(st, done, orr_phase_root(context, NULL, c->prepare ? c->prepare(o, a) : ORR_OK));
    if (c->prepare) orr_timeline_span("prepare", span, -1);
    tell(&e);
    if (context->rank == 0) orr_ensemble_tell_states(&e, &a->model);
    if (t.seen) {
        count_seen(a, &t);
        tell_seen(a, &e, &t);
    }
    st = orr_ensemble_scores(&e, &t, &a->scores);
done:
    orr_free(t.seen);
    orr_ensemble_close(&e);
    return st;
}

orr_status orr_apply(orr_context *context, const orr_args *args, const orr_apply_command *c)
{
    orr_config *config = NULL;
    orr_apply_opts o = { .model = "" };
    orr_applied a;
    orr_status st = orr_phase(context, NULL, read_job(&o, &config, args, c));

    memset(&a, 0, sizeof a);
    if (st == ORR_OK) st = orr_runtime_start(context, &o.runtime);
    if (st == ORR_OK) st = predict(&a, context, args, &o, c);
    if (st == ORR_ERR_INTERRUPTED)
        orr_fail(st, "stopped by a signal; nothing was written; start again");
    if (st == ORR_OK) {
        int64_t span = orr_timeline_now();
        st = orr_phase_root(context, NULL, c->output(context, &o, &a));
        orr_timeline_span_of("write", span, -1, o.out);
    }
    orr_scores_free(&a.scores);
    orr_model_spread_free(&a.spread);
    orr_submission_free(&a.submission);
    orr_free(a.rows);
    orr_samples_close(&a.samples);
    orr_model_destroy(&a.model);
    orr_config_destroy(config);
    return st;
}
