/* jobs/train/trainer.c - a training run from its start, or from where it stood, to its model file.
 */
#include "jobs/train/trainer.h"
#include "core/file.h"
#include "core/json.h"
#include "core/log.h"
#include "core/memory.h"
#include "core/progress.h"
#include "core/threads.h"
#include "data/loader.h"
#include "jobs/context/phase.h"
#include "jobs/context/run.h"
#include "jobs/context/stop_request.h"
#include "jobs/model/predictor.h"
#include "jobs/model/report.h"
#include "jobs/model/scores.h"
#include "jobs/train/cautions.h"
#include "jobs/train/checkpoint.h"
#include "jobs/train/longer.h"
#include "jobs/train/replicas.h"
#include "jobs/train/saver.h"
#include "jobs/train/train_watch.h"
#include "jobs/train/training.h"
#include "jobs/train/warm_start.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const char timing_header[] =
    "epoch,ranks,threads,seconds,samples_per_second,loader_wait_seconds" ORR_WATCH_COLUMNS "\n";

enum { ASKED = 2 }; /* orr_train_state.finished */
static const char asked_by[] = "orrery stop";

typedef struct trainer {
    orr_context *context;
    const orr_train_job *job;
    orr_training training;
    orr_loader *loader;
    double waited; /* for the loader, before this epoch */
    orr_predictor *predictor;
    orr_real *logits; /* of the largest part that is predicted */
    orr_train_state state;
    cJSON *weights; /* what it began with (warm_start.h); NULL: drawn from the seed */
    orr_run run;
    orr_text history_header;
    orr_saver *saver; /* rank 0's, as all of the next three */
    orr_snapshot *best;
    int best_kept;   /* in `best` is an epoch that no file has yet */
    double saved_at; /* seconds */
    int resumed;
    int ends;                         /* this epoch is the last: the run was asked to end */
    double looked_at;                 /* for a request, seconds */
    int64_t began;                    /* the step that this start goes on from */
    int64_t compared;                 /* the step after which the ranks' weights were found equal */
    double epoch_started, first_step; /* seconds */
    orr_train_watch watch;
} trainer;

/* Is this one fold of a cross-validation? */
static int is_folded(const trainer *t)
{
    return t->training.parts->part[ORR_FOLD].n > 0;
}

static orr_checkpoint checkpoint_of(trainer *t)
{
    return (orr_checkpoint){ .net = t->training.net,
                             .optimiser = t->training.optimiser,
                             .transform = t->training.model.transform,
                             .state = &t->state,
                             .model = &t->training.model,
                             .job = t->training.job_text.s,
                             .data = t->training.parts->identity };
}

/* ---- saving ---- */
/* What any file of weights says of its training. */
static cJSON *record_of(const trainer *t, const orr_train_state *s, int64_t epoch)
{
    cJSON *record = cJSON_CreateObject();

    cJSON_AddStringToObject(record, "orrery", ORRERY_VERSION);
    cJSON_AddNumberToObject(record, "steps", (double)s->steps);
    cJSON_AddNumberToObject(record, "epoch", (double)epoch);
    cJSON_AddStringToObject(record, "selected_by",
                            s->has_best ? t->job->train.select : "last epoch");
    cJSON_AddStringToObject(record, "reduce", t->job->train.reduce);
    cJSON_AddStringToObject(record, "training_data", t->training.parts->identity);
    cJSON_AddNumberToObject(record, "training_samples",
                            (double)t->training.parts->part[ORR_TRAIN].n);
    orr_json_put_lines(record, "cautions", t->training.cautions.s);
    if (t->weights) cJSON_AddItemToObject(record, "weights", cJSON_Duplicate(t->weights, 1));
    return record;
}

/* The same of a state before the end: where it stands (jobs/model/model.h). */
static cJSON *interim_record(const trainer *t, const orr_train_state *s, int best)
{
    cJSON *record = record_of(t, s, s->epoch), *c = cJSON_AddObjectToObject(record, "checkpoint");

    cJSON_AddNumberToObject(c, "epoch", (double)s->epoch);
    cJSON_AddNumberToObject(c, "step", (double)s->epoch_step);
    cJSON_AddNumberToObject(c, "epochs", (double)t->job->train.epochs);
    cJSON_AddBoolToObject(c, "best", best);
    if (strcmp(t->job->train.calibrate, "none") != 0) cJSON_AddBoolToObject(c, "calibrates", 1);
    return record;
}

/* model.h5 as the training goes on: the best epoch so far, or the last one where nothing chooses.
 * Trainings of a larger job have theirs at their end alone, which is what tells that they are done.
 */
static orr_status put_model(trainer *t, const orr_checkpoint *c, int best)
{
    const orr_train_state *s = c->kept ? orr_snapshot_state(c->kept) : &t->state;
    const orr_net_copy kept = c->kept ? orr_snapshot_weights(c, c->kept) : (orr_net_copy){ 0 };
    char path[ORR_PATH_MAX];
    orr_saver_job job = { .paths = { path } };
    orr_store_image *image;

    if (t->context->quiet || t->state.finished || s->epoch == 0) return ORR_OK;
    if (!best && (s->has_best || s->epoch_step)) return ORR_OK;
    ORR_TRY(orr_run_path(&t->run, path, "model.h5"));
    ORR_TRY(orr_model_image(&t->training.model, t->training.net, c->kept ? &kept : NULL, path,
                            c->record, &image));
    return orr_saver_put(t->saver, image, &job); /* waits for the one before */
}

/* One file, under one name or both. */
static orr_status put_files(trainer *t, const orr_checkpoint *c, int best, int last)
{
    char best_path[ORR_PATH_MAX], last_path[ORR_PATH_MAX];
    const orr_train_state *s = c->kept ? orr_snapshot_state(c->kept) : &t->state;
    orr_saver_job job = { .paths = { best ? best_path : NULL, last ? last_path : NULL } };
    orr_store_image *image, **spare;

    ORR_TRY(orr_saver_ready(t->saver, &spare));
    ORR_TRY(orr_run_path(&t->run, best_path, "checkpoint-best.h5"));
    ORR_TRY(orr_run_path(&t->run, last_path, "checkpoint-last.h5"));
    job.tables[0] = (orr_saver_table){ "metrics.jsonl", fileno(t->run.metrics), s->metrics_bytes };
    job.tables[1] = (orr_saver_table){ "history.csv", fileno(t->run.history), s->history_bytes };
    ORR_TRY(orr_checkpoint_image(c, last ? last_path : best_path, spare, &image));
    ORR_TRY(orr_saver_put(t->saver, image, &job));
    return put_model(t, c, best);
}

static orr_status put_names(trainer *t, const orr_snapshot *kept, int best, int last)
{
    orr_checkpoint c = checkpoint_of(t);
    cJSON *record = interim_record(t, kept ? orr_snapshot_state(kept) : &t->state, best);
    orr_status st;

    c.kept = kept;
    c.record = record;
    st = put_files(t, &c, best, last);
    cJSON_Delete(record);
    return st;
}

/* What only memory has gets its name. */
static orr_status put_kept(trainer *t)
{
    if (t->best_kept) ORR_TRY(put_names(t, t->best, 1, 0));
    t->best_kept = 0;
    return ORR_OK;
}

/* The best epoch before the last one, whichever moment a kill may choose: where checkpoint-best is
 * ahead of checkpoint-last, the steps between are made again and find it again. */
static orr_status put_checkpoint(trainer *t, int best)
{
    if (best) t->best_kept = 0;
    ORR_TRY(put_kept(t));
    ORR_TRY(orr_run_sizes(&t->run, &t->state.metrics_bytes, &t->state.history_bytes));
    return put_names(t, NULL, best, 1);
}

/* The best epoch so far, when no save is due: it is written with the next one. */
static orr_status keep_best(trainer *t)
{
    orr_checkpoint c = checkpoint_of(t);

    ORR_TRY(orr_run_sizes(&t->run, &t->state.metrics_bytes, &t->state.history_bytes));
    ORR_TRY(orr_checkpoint_keep(&c, &t->best));
    t->best_kept = 1;
    return ORR_OK;
}

/* Of this start: from which step on it went, and whether the start before found the same from
 * there. A machine does that once. */
static orr_status note_not_finite(trainer *t, int *again)
{
    char path[ORR_PATH_MAX], now[32];
    char *before = NULL;
    size_t n;

    ORR_TRY(orr_run_path(&t->run, path, ".not-finite"));
    snprintf(now, sizeof now, "%lld\n", (long long)t->began);
    if (orr_path_exists(path) && orr_read_file(&before, &n, path, sizeof now) == ORR_OK)
        *again = strcmp(before, now) == 0;
    orr_error_clear();
    orr_free(before);
    return orr_write_file(path, now, strlen(now));
}

/* Weights that are not finite though all steps were: the machine's fault, until they come again. */
static orr_status blame_not_finite(trainer *t, orr_status st)
{
    int again = 0;
    orr_error machine;

    orr_error_take(&machine, st);
    ORR_TRY(orr_phase_root(t->context, NULL, note_not_finite(t, &again)));
    ORR_TRY(orr_comm_bcast(t->context->world, &again, sizeof again, 0));
    if (!again) return orr_phase_same(t->context, orr_error_raise(&machine));
    st = orr_fail(ORR_ERR_NUMERIC,
                  "weights are not finite after step %lld, as they were when the run went on from "
                  "step %lld the last time: it is the job, not a machine; lower train.lr, or set "
                  "train.clip_norm",
                  (long long)t->state.steps, (long long)t->began);
    return orr_phase_same(t->context, st);
}

/* A machine's fault must not be put down to samples, metrics or the learning rate, nor saved. */
static orr_status compare_ranks(trainer *t)
{
    int not_finite = 0;

    if (t->compared != t->state.steps) {
        orr_status st = orr_replicas_check(t->context, t->training.net, t->training.optimiser,
                                           t->state.steps, &not_finite);

        if (not_finite) st = blame_not_finite(t, st);
        ORR_TRY(st);
    }
    t->compared = t->state.steps;
    return ORR_OK;
}

/* Which samples make the model: all its files say it. */
static orr_status note_seen(trainer *t)
{
    const orr_split *part = t->training.parts->part;

    if (t->training.model.seen.known) return ORR_OK;
    ORR_TRY(orr_seen_make(&t->training.model.seen, t->context, &part[ORR_TRAIN],
                          &part[ORR_VALIDATION]));
    return orr_phase(t->context, NULL, orr_seen_add(&t->training.model.seen, &t->training.earlier));
}

static orr_status save(trainer *t, int best)
{
    orr_status st;

    orr_train_watch_enter(&t->watch, "save");
    ORR_TRY(compare_ranks(t));
    ORR_TRY(note_seen(t));
    t->state.schedule = t->training.schedule.state;
    st = orr_phase_root(t->context, NULL, put_checkpoint(t, best));
    orr_train_watch_leave(&t->watch);
    if (st == ORR_OK) orr_train_watch_saved(&t->watch, !t->job->runtime.checkpoint_async);
    t->saved_at = orr_now();
    return st;
}

/* Is one due after the step that said r?  By count, by rank 0's clock, on a signal, and when there
 * is nothing more to do. */
static int save_is_due(const trainer *t, const orr_step_result *r)
{
    const int64_t every = t->job->train.checkpoint_steps;

    return t->state.finished || r->stop || (r->asked & ORR_ASKS_SAVE) ||
           (every && t->state.steps % every == 0);
}

/* An epoch is over.  The first one is saved, too: a folder that cannot be written shows early. */
static orr_status save_epoch(trainer *t, const orr_step_result *r, int best)
{
    if (t->job->runtime.checkpoint_seconds == 0 || t->state.epoch == 1 || save_is_due(t, r))
        return save(t, best);
    if (!best) return ORR_OK;
    t->state.schedule = t->training.schedule.state;
    return orr_phase_root(t->context, NULL, keep_best(t));
}

/* Rank 0 has a clock. */
static void ask_for_end(trainer *t)
{
    const double now = orr_now(), every = 0.5;

    if (t->context->rank != 0 || t->context->quiet || t->ends || now - t->looked_at < every) return;
    t->looked_at = now;
    if (orr_stop_request_stands(t->run.dir)) orr_step_ask(t->training.stepper, ORR_ASKS_END);
}

static void ask_for_save(trainer *t)
{
    const double every = t->job->runtime.checkpoint_seconds;

    if (t->context->rank == 0 && every > 0 && orr_now() - t->saved_at >= every)
        orr_step_ask(t->training.stepper, ORR_ASKS_SAVE);
}

/* All that was saved has its name on the disk. */
static orr_status settle(trainer *t)
{
    ORR_TRY(orr_phase_root(t->context, NULL, orr_saver_wait(t->saver)));
    orr_train_watch_settled(&t->watch);
    return ORR_OK;
}

/* The header of history.csv: the metrics bring their columns. */
static orr_status name_columns(const orr_model *m, orr_text *out)
{
    const char *name;

    orr_text_add(out, "epoch,step,lr,train_loss,train_accuracy,gradient_norm");
    for (int i = 0; (name = orr_metric_name(ORR_IN_HISTORY, i)); i++)
        orr_text_printf(out, ",validation_%s", name);
    orr_scores_history_names(m, out);
    orr_text_add(out, ",best\n");
    return orr_text_status(out);
}

/* Has the training, with that many epochs complete, come to a bound of its job? */
static int is_over(const trainer *t, int64_t epochs)
{
    const orr_train_opts *o = &t->job->train;

    return epochs >= o->epochs || (o->patience && t->state.bad_evaluations >= o->patience) ||
           (o->max_steps && t->state.steps >= o->max_steps);
}

static orr_status load_last(trainer *t)
{
    char path[ORR_PATH_MAX];
    orr_checkpoint c = checkpoint_of(t);
    cJSON *begun = NULL;
    orr_seen seen = { .known = 0 };
    orr_status st;
    int longer = 0;

    if (!t->resumed) return ORR_OK;
    c.longer = &longer;
    c.begun = &begun;
    ORR_TRY(orr_path_join(path, t->job->run, "checkpoint-last.h5"));
    c.seen = &seen;
    st = orr_checkpoint_load(&c, path);
    cJSON_Delete(t->weights);
    t->weights = cJSON_DetachItemFromObjectCaseSensitive(begun, "weights");
    cJSON_Delete(begun);
    orr_seen_free(&t->training.model.seen);
    t->training.model.seen = seen;
    ORR_TRY(st);
    if (longer) t->state.finished = is_over(t, t->state.epoch);
    if (longer)
        orr_log0(ORR_INFO, "train", "%s goes on for longer than was first asked", t->job->run);
    return ORR_OK;
}

/* Rank 0: what is written while it goes on. */
static orr_status open_files(trainer *t)
{
    char path[ORR_PATH_MAX];

    ORR_TRY(orr_run_path(&t->run, path, "log.txt"));
    ORR_TRY(orr_log_file(path));
    ORR_TRY(name_columns(&t->training.model, &t->history_header));
    ORR_TRY(orr_run_open_tables(&t->run, t->state.metrics_bytes, t->state.history_bytes,
                                t->history_header.s, timing_header));
    return orr_saver_create(&t->saver, t->job->runtime.checkpoint_async);
}

/* Rank 0: the folder, with what may be gone on from in it. */
static orr_status take_folder(trainer *t)
{
    const orr_run_offer offer = { .job = t->training.job_text.s,
                                  .mark = orr_train_job_mark,
                                  .judge = t->context->quiet ? NULL : orr_train_goes_on,
                                  .overwrite = t->job->overwrite };
    char path[ORR_PATH_MAX];
    int other = 0;

    ORR_TRY(orr_run_take(&t->run, t->job->run, &offer, &t->resumed));
    if (t->run.longer && !t->resumed)
        orr_log(ORR_WARN, "train",
                "%s: there is no checkpoint-last.h5 for the longer job to go on from; it begins "
                "from the start",
                t->run.dir);
    if (!t->resumed || !t->job->overwrite) return ORR_OK;
    ORR_TRY(orr_run_path(&t->run, path, "checkpoint-last.h5"));
    orr_checkpoint_is_of_other(path, t->training.parts->identity, &other);
    if (!other) return ORR_OK;
    orr_log(ORR_INFO, "train", "%s: results of another training set are removed (overwrite=true)",
            t->run.dir);
    t->resumed = 0;
    return orr_run_clear(t->run.dir);
}

/* Rank 0 says where the run stands; all ranks read the same checkpoint. */
static orr_status open_run(trainer *t)
{
    t->run = (orr_run)ORR_RUN_INIT;
    ORR_TRY(orr_phase_root(t->context, NULL, take_folder(t)));
    ORR_TRY(orr_comm_bcast(t->context->world, &t->resumed, sizeof t->resumed, 0));
    ORR_TRY(orr_phase(t->context, NULL, load_last(t)));
    if (t->resumed) t->training.schedule.state = t->state.schedule;
    t->began = t->state.steps;
    return orr_phase_root(t->context, NULL, open_files(t));
}

/* ---- evaluation ---- */
static orr_status evaluate(trainer *t, int part, orr_scores *s, const char *phase)
{
    const orr_split *p = &t->training.parts->part[part];
    orr_status st;

    orr_train_watch_enter(&t->watch, "evaluate");
    ORR_TRY(orr_predictor_run(t->predictor, p->samples, p->rows, p->n, t->logits, phase));
    st = orr_phase(t->context, NULL,
                   orr_scores_create(s, &t->training.model, p->samples, p->rows, p->n, t->logits,
                                     t->job->train.threshold));
    orr_train_watch_leave(&t->watch);
    if (st != ORR_OK) orr_scores_free(s);
    return st;
}

/* One line a person reads: the losses, and the two metrics that say most. */
static void log_epoch(const trainer *t, const orr_scores *v, double loss, int best)
{
    const orr_metric *m[ORR_MAX_METRICS];
    int in_log = v ? orr_metrics_in(ORR_IN_LOG, v->kind, m) : 0, n = 0;
    orr_text text = ORR_TEXT_INIT;

    for (int i = 0; i < in_log && n < 2; i++) {
        double x = orr_scores_metric(v, m[i]->name);
        if (!isfinite(x)) continue;
        orr_text_printf(&text, ", %s %.4f", m[i]->name, x);
        if (n++ == 0) orr_scores_name_targets(v, &t->training.model.schema, m[i], &text);
    }
    if (v)
        orr_log0(ORR_INFO, "train", "epoch %lld: loss %.5g, validation loss %.5g%s%s",
                 (long long)t->state.epoch + 1, loss, v->loss, text.s ? text.s : "",
                 best ? " (best)" : "");
    else
        orr_log0(ORR_INFO, "train", "epoch %lld: loss %.5g%s", (long long)t->state.epoch + 1, loss,
                 best ? " (best)" : "");
    orr_text_free(&text);
}

static orr_status write_epoch(trainer *t, const orr_scores *v, double lr, int best)
{
    const orr_train_state *s = &t->state;
    double n = (double)s->epoch_samples,
           steps = (double)(t->training.steps_per_epoch - s->epoch_skipped), now = orr_now();
    double loss = s->epoch_loss / n,
           accuracy = orr_model_n_classes(&t->training.model) ? (double)s->epoch_correct / n : NAN;
    cJSON *o = cJSON_CreateObject();
    orr_text history = ORR_TEXT_INIT, line = ORR_TEXT_INIT, timing = ORR_TEXT_INIT;
    char *text;
    orr_status st;

    orr_json_put(o, "epoch", (double)s->epoch + 1);
    orr_json_put(o, "step", (double)s->steps);
    orr_json_put(o, "lr", lr);
    orr_json_put(o, "train_loss", loss);
    orr_json_put(o, "train_accuracy", accuracy);
    orr_json_put(o, "gradient_norm", s->epoch_norm / steps);
    orr_json_put(o, "skipped_steps", (double)s->epoch_skipped);
    if (v) cJSON_AddItemToObject(o, "validation", orr_scores_line(v, &t->training.model.schema));
    cJSON_AddBoolToObject(o, "best", best);
    if (t->ends && !is_over(t, s->epoch + 1)) cJSON_AddStringToObject(o, "ended_early", asked_by);
    text = cJSON_PrintUnformatted(o);
    cJSON_Delete(o);
    orr_text_printf(&line, "%s\n", text ? text : "{}");
    cJSON_free(text);
    orr_text_printf(&history, "%lld,%lld,%.9g,%.9g,%.9g,%.9g", (long long)s->epoch + 1,
                    (long long)s->steps, lr, loss, accuracy, s->epoch_norm / steps);
    for (int i = 0; orr_metric_name(ORR_IN_HISTORY, i); i++)
        orr_text_printf(&history, ",%.9g",
                        v ? orr_scores_metric(v, orr_metric_name(ORR_IN_HISTORY, i)) : NAN);
    orr_scores_history_values(&t->training.model, v, &history);
    orr_text_printf(&history, ",%d\n", best);
    orr_text_printf(&timing, "%lld,%d,%d,%.6f,%.1f,%.6f", (long long)s->epoch + 1, t->context->size,
                    t->context->threads, now - t->epoch_started, n / (now - t->epoch_started),
                    orr_loader_waited(t->loader) - t->waited);
    orr_train_watch_epoch(&t->watch, &timing);
    orr_text_add(&timing, "\n");
    st = orr_text_status(&line) != ORR_OK ? orr_text_status(&line) : orr_text_status(&history);
    if (st == ORR_OK) st = orr_run_append(&t->run, line.s, history.s, timing.s);
    log_epoch(t, v, loss, best);
    orr_text_free(&line);
    orr_text_free(&history);
    orr_text_free(&timing);
    return st;
}

/* Is this evaluation the best so far?  A metric that is not defined never is. */
static int judge(trainer *t, const orr_scores *v)
{
    orr_train_state *s = &t->state;
    double metric = orr_scores_metric(v, t->job->train.select);
    int better = isfinite(metric) &&
                 (!s->has_best ||
                  (orr_metric_larger(t->job->train.select) ? metric > s->best : metric < s->best));

    if (better) {
        s->has_best = 1;
        s->best = metric;
        s->best_epoch = s->epoch + 1;
        s->bad_evaluations = 0;
    } else {
        s->bad_evaluations++;
    }
    orr_schedule_epoch_end(&t->training.schedule, metric);
    return better;
}

/* Epoch s->epoch is complete: evaluate, write it down, move on, save. */
static orr_status end_epoch(trainer *t, const orr_step_result *r, double lr)
{
    orr_train_state *s = &t->state;
    const orr_train_opts *o = &t->job->train;
    int last = s->epoch + 1 == o->epochs || t->ends, best = 0;
    int evaluates = t->training.parts->part[ORR_VALIDATION].n &&
                    ((s->epoch + 1) % o->evaluate_every == 0 || last);
    orr_scores v = { 0 };
    orr_status st;

    if (evaluates) {
        ORR_TRY(compare_ranks(t));
        ORR_TRY(evaluate(t, ORR_VALIDATION, &v, NULL));
        best = judge(t, &v);
    }
    ORR_TRY(orr_train_watch_gather(&t->watch));
    st = orr_phase_root(t->context, NULL, write_epoch(t, evaluates ? &v : NULL, lr, best));
    orr_scores_free(&v);
    ORR_TRY(st);
    s->epoch++;
    s->epoch_step = s->epoch_samples = s->epoch_correct = s->epoch_skipped = 0;
    s->epoch_loss = s->epoch_norm = 0;
    t->epoch_started = orr_now();
    t->waited = orr_loader_waited(t->loader);
    s->finished = is_over(t, s->epoch) ? 1 : t->ends ? ASKED : 0;
    return save_epoch(t, r, best);
}

/* ---- the loop ---- */
static orr_status too_many_nonfinite(trainer *t)
{
    ORR_TRY(compare_ranks(t));
    ORR_TRY(orr_phase_root(t->context, NULL, put_kept(t)));
    ORR_TRY(settle(t));
    return orr_fail(ORR_ERR_NUMERIC,
                    "%lld steps in a row gave a loss or gradient that is not finite (epoch %lld); "
                    "the run stands at its last checkpoint; lower train.lr, set "
                    "train.clip_norm, or look at the samples named in the log",
                    (long long)t->state.nonfinite_in_a_row, (long long)t->state.epoch + 1);
}

static orr_status account(trainer *t, const orr_step_result *r)
{
    orr_train_state *s = &t->state;

    s->steps++;
    s->epoch_step++;
    s->epoch_samples += r->samples;
    if (r->skipped) {
        s->epoch_skipped++;
        s->epoch_samples -= r->samples;
        if (++s->nonfinite_in_a_row >= t->job->train.nonfinite_limit) return too_many_nonfinite(t);
        return ORR_OK;
    }
    s->nonfinite_in_a_row = 0;
    s->epoch_loss += r->loss;
    s->epoch_correct += r->correct;
    s->epoch_norm += r->grad_norm;
    return ORR_OK;
}

/* After a step: the end of its epoch, or a checkpoint when one is due. */
static orr_status after_step(trainer *t, const orr_step_result *r, double lr)
{
    orr_train_state *s = &t->state;
    const orr_train_opts *o = &t->job->train;

    t->ends |= (r->asked & ORR_ASKS_END) != 0;
    if (s->epoch_step == t->training.steps_per_epoch) {
        ORR_TRY(end_epoch(t, r, lr));
    } else {
        s->finished = o->max_steps && s->steps >= o->max_steps;
        if (save_is_due(t, r)) ORR_TRY(save(t, 0));
    }
    if (r->stop && !s->finished) {
        ORR_TRY(settle(t));
        /* every rank saw the same control word */
        orr_phase_same(t->context, ORR_ERR_INTERRUPTED);
        return orr_fail(ORR_ERR_INTERRUPTED,
                        "stopped by a signal after step %lld; saved; the same command resumes it",
                        (long long)s->steps);
    }
    return ORR_OK;
}

static orr_status train_loop(trainer *t)
{
    const orr_loaded *batch;
    orr_progress *progress = NULL;
    orr_step_result r;
    int64_t place = t->state.epoch * t->training.steps_per_epoch + t->state.epoch_step;
    char note[64];
    orr_status st;

    t->training.loader.first_epoch = t->state.epoch;
    t->training.loader.first_step = t->state.epoch_step;
    ORR_TRY_GOTO(st, done,
                 orr_phase(t->context, NULL, orr_loader_create(&t->loader, &t->training.loader)));
    if (t->context->rank == 0 && t->job->runtime.progress)
        (void)orr_progress_create(&progress, "train", "steps",
                                  t->training.steps_per_epoch * t->job->train.epochs);
    t->epoch_started = t->saved_at = orr_now();
    while (!t->state.finished) {
        double lr = orr_schedule_lr(&t->training.schedule, t->state.steps);
        orr_train_watch_begin(&t->watch, orr_loader_waited(t->loader));
        orr_phase_at(t->context, is_folded(t) ? "fold" : "train", t->state.steps);
        ORR_TRY_GOTO(st, done, orr_loader_next(t->loader, &batch));
        if (!batch) {
            st = orr_fail(ORR_ERR_INTERNAL, "the loader ended before the training did");
            goto done;
        }
        ask_for_save(t);
        ask_for_end(t);
        ORR_TRY_GOTO(st, done, orr_step(t->training.stepper, batch, lr, &r));
        orr_context_alive(t->context);
        if (t->first_step == 0) {
            t->first_step = orr_now() - t->context->started;
            orr_log0(ORR_INFO, "train", "first step %.3f s after the start", t->first_step);
        }
        st = account(t, &r);
        if (st != ORR_OK) {
            orr_phase_same(t->context, st); /* the sums are the same everywhere */
            goto done;
        }
        if (progress) {
            snprintf(note, sizeof note, "loss %.4g", r.loss / (double)r.samples);
            orr_progress_update(progress, ++place, note);
        }
        ORR_TRY_GOTO(st, done, orr_train_watch_step(&t->watch, &r, orr_loader_waited(t->loader)));
        ORR_TRY_GOTO(st, done, after_step(t, &r, lr));
    }
done:
    orr_progress_end(progress, NULL);
    orr_loader_destroy(t->loader);
    t->loader = NULL;
    return st;
}

/* ---- the end ---- */
/* Says and writes down what the scores are. */
static orr_status report_part(trainer *t, const orr_split *p, const orr_scores *s, cJSON *record)
{
    char path[ORR_PATH_MAX], name[64];
    const orr_model *m = &t->training.model;
    orr_text table = ORR_TEXT_INIT;
    orr_status st;

    if (s->has_truth) {
        cJSON_AddItemToObject(record, p->name, orr_scores_json(s, &m->schema, NULL));
        orr_scores_table(s, &m->schema, NULL, p->name, &table);
        orr_context_print(t->context, "%s\n", table.s ? table.s : "");
        orr_text_free(&table);
    }
    snprintf(name, sizeof name, "predictions-%s.%s", p->name, t->context->quiet ? "h5" : "csv");
    st = orr_run_path(&t->run, path, name);
    if (st == ORR_OK)
        st = orr_predictions_write(path, 1, m, p->samples, p->rows, s, t->job->train.threshold);
    return st;
}

static orr_status finish_part(trainer *t, int part, cJSON *record)
{
    const orr_split *p = &t->training.parts->part[part];
    orr_scores s = { 0 };
    orr_status st;

    if (p->n == 0 || (part == ORR_VALIDATION && is_folded(t))) return ORR_OK;
    ORR_TRY(evaluate(t, part, &s, NULL));
    st = orr_phase_root(t->context, NULL, report_part(t, p, &s, record));
    orr_scores_free(&s);
    return st;
}

static orr_status write_results(trainer *t, cJSON *record)
{
    char path[ORR_PATH_MAX];

    ORR_TRY(orr_json_write(record, t->run.dir, "report.json"));
    ORR_TRY(orr_run_path(&t->run, path, "model.h5"));
    ORR_TRY(orr_model_save(&t->training.model, t->training.net, path, record));
    orr_stop_request_remove(t->run.dir);
    return ORR_OK;
}

/* The map of train.calibrate, fitted on what the chosen weights answer for the validation split:
 * the same on every rank. */
static orr_status calibrate(trainer *t, cJSON *record)
{
    const int64_t n = t->training.parts->part[ORR_VALIDATION].n;
    orr_calibration c;
    orr_scores s = { 0 };
    orr_status st;
    cJSON *o;

    if (strcmp(t->job->train.calibrate, "none") == 0) return ORR_OK;
    ORR_TRY(evaluate(t, ORR_VALIDATION, &s, NULL));
    st = orr_phase(t->context, NULL, orr_scores_calibration(&s, &c));
    orr_scores_free(&s);
    if (st != ORR_OK) return st;
    t->training.model.calibration = c;
    o = cJSON_AddObjectToObject(record, "calibration");
    cJSON_AddStringToObject(o, "kind", t->job->train.calibrate);
    cJSON_AddNumberToObject(o, "samples", (double)n);
    cJSON_AddNumberToObject(o, "degrees", c.degrees);
    orr_log0(ORR_INFO, "train", "calibrated on %lld validation samples: %s, %.1f degrees",
             (long long)n, c.n ? "a map" : "flat as it is", c.degrees);
    return ORR_OK;
}

/* It says itself which epoch it is: after a kill between two names it may be a later one. */
static orr_status load_best(trainer *t)
{
    char path[ORR_PATH_MAX];
    orr_checkpoint c = checkpoint_of(t);
    orr_train_state of;

    ORR_TRY(orr_path_join(path, t->job->run, "checkpoint-best.h5"));
    ORR_TRY(orr_checkpoint_load_weights(&c, path, &of));
    t->state.best_epoch = of.best_epoch;
    t->state.best = of.best;
    return ORR_OK;
}

static void note_early_end(const trainer *t, cJSON *record)
{
    cJSON *o;

    if (t->state.finished != ASKED) return;
    o = cJSON_AddObjectToObject(record, "ended_early");
    cJSON_AddNumberToObject(o, "epoch", (double)t->state.epoch);
    cJSON_AddNumberToObject(o, "epochs", (double)t->job->train.epochs);
    cJSON_AddStringToObject(o, "by", asked_by);
    orr_log0(ORR_INFO, "train",
             "%s: ended early at epoch %lld of %lld, as %s asked; a higher train.epochs goes on "
             "from there",
             t->job->run, (long long)t->state.epoch, (long long)t->job->train.epochs, asked_by);
}

/* The best epoch's weights make the model; it is evaluated once more on what it was chosen by, and
 * once on the test split. */
static orr_status finish(trainer *t)
{
    cJSON *record = NULL;
    orr_status st;

    ORR_TRY_GOTO(st, done, settle(t));
    ORR_TRY_GOTO(st, done, orr_phase(t->context, NULL, t->state.has_best ? load_best(t) : ORR_OK));
    record = record_of(t, &t->state, t->state.has_best ? t->state.best_epoch : t->state.epoch);
    note_early_end(t, record);
    ORR_TRY_GOTO(st, done, calibrate(t, record));
    for (int i = 1; i < ORR_N_SPLITS; i++)
        ORR_TRY_GOTO(st, done, finish_part(t, i, record));
    ORR_TRY_GOTO(st, done, note_seen(t));
    ORR_TRY_GOTO(st, done, orr_phase_root(t->context, NULL, write_results(t, record)));
    orr_context_print(t->context, "model: %s/model.h5 (%s %lld)\n", t->job->run,
                      t->state.has_best ? "best epoch" : "epoch",
                      (long long)(t->state.has_best ? t->state.best_epoch : t->state.epoch));
done:
    cJSON_Delete(record);
    return st;
}

static void describe_start(trainer *t)
{
    orr_text summary = ORR_TEXT_INIT;

    orr_log0(ORR_INFO, "train",
             "%s: %lld training, %lld validation, %lld test samples; %d ranks on %d nodes, %d "
             "threads each, %d leaves, reduce %s",
             t->job->run, (long long)t->training.parts->part[ORR_TRAIN].n,
             (long long)t->training.parts->part[ORR_VALIDATION].n,
             (long long)t->training.parts->part[ORR_TEST].n, t->context->size,
             orr_comm_n_nodes(t->context->world), t->context->threads, t->training.plan.n_leaves,
             t->job->train.reduce);
    if (!t->context->quiet) orr_model_tell_target(&t->training.model, "train", "data.target_kind");
    if (orr_log_on(ORR_DEBUG, "train") && t->context->rank == 0 &&
        orr_graph_summary(t->training.model.graph, &summary) == ORR_OK)
        orr_log0(ORR_DEBUG, "train", "network\n%s", summary.s);
    orr_text_free(&summary);
    if (!t->context->quiet) orr_cautions_say(&t->training.cautions, "train"); /* else told once */
    if (t->resumed)
        orr_log0(ORR_INFO, "train", "going on from epoch %lld, step %lld",
                 (long long)t->state.epoch + 1, (long long)t->state.epoch_step + 1);
}

static void destroy(trainer *t)
{
    orr_saver_destroy(t->saver);
    cJSON_Delete(t->weights);
    orr_snapshot_free(t->best);
    orr_predictor_destroy(t->predictor);
    orr_training_close(&t->training);
    orr_free(t->logits);
    orr_log_file(NULL);
    orr_run_close(&t->run);
    orr_text_free(&t->history_header);
}

static orr_status save_statistics(const trainer *t, const orr_image_stats *stats)
{
    char path[ORR_PATH_MAX];

    ORR_TRY(orr_run_path(&t->run, path, "statistics.h5"));
    return orr_image_stats_save(stats, path);
}

/* statistics.h5, once a run. */
static orr_status write_statistics(trainer *t)
{
    const orr_split *train = &t->training.parts->part[ORR_TRAIN];
    orr_fit_rows f = { .samples = train->samples, .rows = train->rows, .n = train->n };
    orr_image_stats *stats = NULL;
    orr_status st;

    if (!t->job->data.statistics || t->resumed) return ORR_OK;
    ORR_TRY(orr_samples_statistics(t->context, &f, &stats));
    st = orr_phase_root(t->context, NULL, save_statistics(t, stats));
    orr_image_stats_destroy(stats);
    return st;
}

static orr_status make_predictor(trainer *t, size_t most)
{
    ORR_TRY(orr_predictor_create(&t->predictor, t->context, &t->training.model, t->training.net));
    t->logits = orr_alloc(most * (size_t)t->training.model.outputs + 1, sizeof *t->logits);
    return t->logits ? ORR_OK
                     : orr_fail(ORR_ERR_NOMEM, "out of memory: answers for %zu samples", most);
}

/* Rank 0: is there a run that this one could go on with? */
static orr_status find_checkpoint(const trainer *t, int *there)
{
    char path[ORR_PATH_MAX];

    ORR_TRY(orr_path_join(path, t->job->run, "checkpoint-last.h5"));
    *there = orr_path_exists(path);
    return ORR_OK;
}

/* Before the folder is touched, so that a wrong file costs nothing; a run that goes on has its
 * weights, and does not need the file any more. */
static orr_status take_weights(trainer *t)
{
    int there = 0;

    if (!t->job->model.weights[0]) return ORR_OK;
    ORR_TRY(orr_phase_root(t->context, NULL, find_checkpoint(t, &there)));
    ORR_TRY(orr_comm_bcast(t->context->world, &there, sizeof there, 0));
    if (there && !t->job->overwrite) return ORR_OK;
    return orr_warm_start(&t->training, &t->weights);
}

static orr_status set_up(trainer *t, const orr_splits *parts)
{
    ORR_TRY(orr_training_open(&t->training, t->context, t->job, parts));
    ORR_TRY(orr_phase(t->context, NULL, make_predictor(t, (size_t)orr_splits_most(parts))));
    ORR_TRY(take_weights(t));
    ORR_TRY(open_run(t));
    ORR_TRY(orr_train_watch_open(&t->watch, &t->training, &t->run, &t->state, t->resumed));
    return write_statistics(t);
}

orr_status orr_train_parts(orr_context *context, const orr_train_job *job, const orr_splits *parts)
{
    trainer *t = orr_alloc(1, sizeof *t);
    orr_status st =
        orr_phase(context, NULL, t ? ORR_OK : orr_fail(ORR_ERR_NOMEM, "out of memory: trainer"));

    if (st != ORR_OK) goto done;
    t->context = context;
    t->job = job;
    t->run = (orr_run)ORR_RUN_INIT;
    st = set_up(t, parts);
    if (st == ORR_OK) {
        describe_start(t);
        st = train_loop(t);
    }
    if (st == ORR_OK) st = finish(t);
    orr_train_watch_close(&t->watch, st);
    destroy(t);
done:
    orr_free(t);
    return st;
}

orr_status orr_train(orr_context *context, const orr_train_job *job)
{
    orr_splits parts = { 0 };
    orr_status st = orr_splits_open(&parts, context, &job->data);

    if (st == ORR_OK) st = orr_train_parts(context, job, &parts);
    orr_splits_close(&parts);
    return st;
}
