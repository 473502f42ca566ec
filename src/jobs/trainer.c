/* jobs/trainer.c - a training run from its start, or from where it stood, to its model file. */
#include "jobs/trainer.h"
#include "core/file.h"
#include "core/log.h"
#include "core/memory.h"
#include "core/progress.h"
#include "core/threads.h"
#include "data/loader.h"
#include "jobs/checkpoint.h"
#include "jobs/parts.h"
#include "jobs/predictor.h"
#include "jobs/report.h"
#include "jobs/run.h"
#include "jobs/samples.h"
#include "jobs/scores.h"
#include "jobs/step.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const char history_header[] =
    "epoch,step,lr,train_loss,train_accuracy,gradient_norm,validation_loss,validation_accuracy,"
    "validation_auc,validation_f1,validation_rmse,validation_sigma_mad,validation_crps,best\n";

static const char *const history_metrics[] = { "loss", "accuracy",  "auc", "f1",
                                               "rmse", "sigma_mad", "crps" };

typedef struct trainer {
    orr_app *app;
    const orr_train_job *job;
    orr_text job_text;
    orr_parts parts;
    int32_t *train_labels;        /* of parts[ORR_TRAIN], for balanced sampling */
    int aux_columns[ORR_MAX_AUX]; /* of the training set */
    orr_model model;
    orr_net *net;
    orr_optimiser *optimiser;
    orr_schedule schedule;
    orr_leaf_plan plan;
    orr_order *order;
    orr_augment *augment;
    orr_loader *loader;
    double waited; /* for the loader, before this epoch */
    orr_loader_opts loader_opts;
    orr_stepper *stepper;
    orr_predictor *predictor;
    orr_real *logits; /* of the larger of validation and test */
    orr_train_state state;
    orr_run run;
    int64_t steps_per_epoch;
    int resumed;
    double epoch_started, first_step; /* seconds */
} trainer;

/* train.select must be defined for what the model answers, and targets must lie where its answers
 * can. */
static orr_status check_job(const trainer *t)
{
    static const char *const what[] = { "classes", "values (rmse, mae, sigma_mad and loss are)",
                                        "densities (crps, rmse, mae, sigma_mad and loss are)" };
    const char *select = t->job->train.select;

    if (!orr_metric_defined(select, &t->model))
        return orr_fail(ORR_ERR_OPTION, "train.select is %s, which is not defined for %s%s", select,
                        what[orr_loss_answer(&t->model.loss)],
                        strcmp(select, "eta") == 0 ? "; eta needs a target named z or redshift"
                                                   : "");
    return orr_parts_check_targets(&t->parts, &t->model.loss.bins);
}

static orr_status check_sets(trainer *t)
{
    orr_part used[ORR_N_PARTS];
    int n_used = 0;

    for (int i = 1; i < ORR_N_PARTS; i++)
        if (t->parts.part[i].n)
            ORR_TRY(orr_model_accepts(&t->model, orr_dataset_schema(t->parts.part[i].samples->set),
                                      t->parts.part[i].name));
    for (int i = 0; i < ORR_N_PARTS; i++)
        if (t->parts.part[i].n) used[n_used++] = t->parts.part[i];
    return orr_parts_check_overlap(t->app, used, n_used, t->job->data.overlap);
}

/* ---- what is trained ---- */
static orr_status make_order(trainer *t)
{
    const orr_data_opts *d = &t->job->data;
    const orr_schema *schema = orr_dataset_schema(t->parts.sets[ORR_TRAIN].set);
    const int32_t *labels = orr_dataset_labels(t->parts.sets[ORR_TRAIN].set);
    orr_order_opts o = { .seed = (uint64_t)t->job->train.seed,
                         .n_rows = t->parts.part[ORR_TRAIN].n,
                         .rows = t->parts.rows[ORR_TRAIN],
                         .epoch_length = d->epoch_length };

    o.kind = strcmp(d->sampling, "file") == 0       ? ORR_ORDER_FILE
             : strcmp(d->sampling, "balanced") == 0 ? ORR_ORDER_BALANCED
                                                    : ORR_ORDER_SHUFFLED;
    if (o.kind == ORR_ORDER_BALANCED) {
        if (!labels)
            return orr_fail(ORR_ERR_OPTION, "data.sampling balanced needs classes; %s has none",
                            d->train);
        if (d->shares.n && d->shares.n != schema->n_classes)
            return orr_fail(ORR_ERR_OPTION, "data.shares has %d numbers, the set %d classes",
                            d->shares.n, schema->n_classes);
        t->train_labels = orr_alloc((size_t)o.n_rows + 1, sizeof *t->train_labels);
        if (!t->train_labels)
            return orr_fail(ORR_ERR_NOMEM, "out of memory: %lld labels", (long long)o.n_rows);
        for (int64_t i = 0; i < o.n_rows; i++)
            t->train_labels[i] = labels[t->parts.rows[ORR_TRAIN][i]];
        o.labels = t->train_labels;
        o.n_classes = schema->n_classes;
        o.shares = d->shares.n ? d->shares.v : NULL;
    }
    return orr_order_create(&t->order, &o);
}

static orr_status make_net(trainer *t)
{
    const orr_train_opts *o = &t->job->train;
    int sizes[8], n_sizes = 0;
    int64_t length = orr_order_length(t->order), tail = length % o->batch;
    orr_limits limits = { .max_leaves = t->plan.last - t->plan.first,
                          .max_runs = t->plan.n_runs,
                          .training = 1,
                          .leaf_sizes = sizes };

    orr_step_leaf_sizes(&t->plan, o->batch, sizes, &n_sizes);
    orr_step_leaf_sizes(&t->plan, tail, sizes, &n_sizes);
    for (int i = 1; i < ORR_N_PARTS; i++) {
        int more[2], n = orr_predict_leaf_sizes(t->parts.part[i].n, more);
        for (int k = 0; k < n; k++)
            sizes[n_sizes++] = more[k];
    }
    limits.max_samples = (int)(orr_leaf_begin(o->batch, t->plan.n_leaves, t->plan.last) -
                               orr_leaf_begin(o->batch, t->plan.n_leaves, t->plan.first));
    if (limits.max_samples < ORR_EVAL_CHUNK) limits.max_samples = ORR_EVAL_CHUNK;
    limits.n_leaf_sizes = n_sizes;
    ORR_TRY(orr_net_create(&t->net, t->model.graph, t->model.kernels, &limits));
    orr_net_init(t->net, (uint64_t)o->seed);
    return orr_optimiser_create(&t->optimiser, &o->optimiser, orr_net_param_count(t->net));
}

static orr_status make_schedule(trainer *t)
{
    const orr_train_opts *o = &t->job->train;

    t->steps_per_epoch = orr_loader_steps_per_epoch(&t->loader_opts);
    if (t->steps_per_epoch == 0)
        return orr_fail(ORR_ERR_OPTION,
                        "train.drop_last leaves nothing of %lld samples in batches of %lld",
                        (long long)orr_order_length(t->order), (long long)o->batch);
    return orr_schedule_init(&t->schedule, &o->schedule, o->lr, t->steps_per_epoch * o->epochs,
                             orr_select_maximise(o->select));
}

/* Everything that needs no other rank. */
static orr_status make_local(trainer *t)
{
    const orr_train_opts *o = &t->job->train;
    int64_t most = orr_parts_most(&t->parts);

    ORR_TRY(make_order(t));
    ORR_TRY(make_net(t));
    ORR_TRY(orr_augment_create(&t->augment, t->job->data.augment,
                               orr_transform_shape(t->model.transform)));
    t->loader_opts = (orr_loader_opts){ .set = t->parts.sets[ORR_TRAIN].set,
                                        .cache = t->parts.sets[ORR_TRAIN].cache,
                                        .order = t->order,
                                        .transform = t->model.transform,
                                        .augment = t->augment,
                                        .n_aux = t->model.n_aux,
                                        .aux_columns = t->aux_columns,
                                        .aux_transform = t->model.aux_transform,
                                        .seed = (uint64_t)o->seed,
                                        .batch = o->batch,
                                        .n_leaves = o->leaves,
                                        .first_leaf = t->plan.first,
                                        .last_leaf = t->plan.last,
                                        .drop_last = o->drop_last,
                                        .last_epoch = o->epochs,
                                        .depth = 2,
                                        .threads = 1 };
    ORR_TRY(make_schedule(t));
    ORR_TRY(orr_predictor_create(&t->predictor, t->app, &t->model, t->net));
    t->logits = orr_alloc((size_t)most * (size_t)t->model.outputs + 1, sizeof *t->logits);
    return t->logits ? ORR_OK
                     : orr_fail(ORR_ERR_NOMEM, "out of memory: answers for %lld samples",
                                (long long)most);
}

static orr_status make_plan(trainer *t)
{
    const orr_train_opts *o = &t->job->train;

    if (t->app->size > o->leaves)
        return orr_fail(ORR_ERR_OPTION,
                        "%d ranks for train.leaves %d: some would have nothing to do; use at most "
                        "%d ranks, or more leaves (a different sum)",
                        t->app->size, o->leaves, o->leaves);
    return orr_leaf_plan_init(&t->plan, o->leaves, t->app->rank, t->app->size);
}

static orr_checkpoint checkpoint_of(trainer *t)
{
    return (orr_checkpoint){ .net = t->net,
                             .optimiser = t->optimiser,
                             .transform = t->model.transform,
                             .state = &t->state,
                             .job = t->job_text.s,
                             .data = t->parts.identity };
}

/* ---- saving ---- */
static orr_status save(trainer *t, const char *name)
{
    char path[ORR_PATH_MAX];
    orr_checkpoint c = checkpoint_of(t);
    orr_status st = ORR_OK;

    t->state.schedule = t->schedule.state;
    if (t->app->rank == 0) {
        st = orr_run_sizes(&t->run, &t->state.metrics_bytes, &t->state.history_bytes);
        if (st == ORR_OK) st = orr_run_path(&t->run, path, name);
        if (st == ORR_OK) st = orr_checkpoint_save(&c, path);
    }
    return orr_app_agree(t->app, st);
}

/* Rank 0 says where the run stands; all ranks read the same checkpoint. */
static orr_status open_run(trainer *t)
{
    char path[ORR_PATH_MAX];
    orr_checkpoint c = checkpoint_of(t);
    int64_t resume = 0;
    int found = 0;
    orr_status st = ORR_OK;

    t->run.lock = -1;
    if (t->app->rank == 0) {
        st = orr_run_open(&t->run, t->job->run, t->job_text.s, &found);
        resume = found;
    }
    ORR_TRY(orr_app_agree(t->app, st));
    ORR_TRY(orr_comm_bcast(t->app->world, &resume, sizeof resume, 0));
    t->resumed = (int)resume;
    st = orr_path_join(path, t->job->run, "checkpoint-last.h5");
    if (st == ORR_OK && resume) st = orr_checkpoint_load(&c, path);
    ORR_TRY(orr_app_agree(t->app, st));
    if (resume) t->schedule.state = t->state.schedule;
    if (t->app->rank == 0) {
        st = orr_run_path(&t->run, path, "log.txt");
        if (st == ORR_OK) st = orr_log_file(path);
        if (st == ORR_OK)
            st = orr_run_open_tables(&t->run, t->state.metrics_bytes, t->state.history_bytes,
                                     history_header);
    }
    return orr_app_agree(t->app, st);
}

/* ---- evaluation ---- */
static orr_status evaluate(trainer *t, int part, orr_scores *s, const char *phase)
{
    const orr_part *p = &t->parts.part[part];
    orr_status st;

    ORR_TRY(orr_predictor_run(t->predictor, p->samples, p->rows, p->n, t->logits, phase));
    st = orr_scores_create(s, &t->model, p->samples, p->rows, p->n, t->logits,
                           t->job->train.threshold);
    st = orr_app_agree(t->app, st);
    if (st != ORR_OK) orr_scores_free(s);
    return st;
}

static void put(cJSON *o, const char *key, double v)
{
    if (isfinite(v))
        cJSON_AddNumberToObject(o, key, v);
    else
        cJSON_AddNullToObject(o, key);
}

/* One line a person reads: the losses, and the two metrics that say most. */
static void log_epoch(const trainer *t, const orr_scores *v, double loss, int best)
{
    static const char *const shown[] = { "accuracy", "auc", "sigma_mad", "rmse", "crps" };
    char text[160] = "";
    size_t used = 0;
    int n = 0;

    for (size_t i = 0; v && i < sizeof shown / sizeof *shown && n < 2; i++) {
        double x = orr_scores_metric(v, shown[i]);
        if (!isfinite(x)) continue;
        used += (size_t)snprintf(text + used, sizeof text - used, ", %s %.4f", shown[i], x);
        n++;
    }
    if (v)
        orr_log0(ORR_INFO, "train", "epoch %lld: loss %.5g, validation loss %.5g%s%s",
                 (long long)t->state.epoch + 1, loss, v->loss, text, best ? " (best)" : "");
    else
        orr_log0(ORR_INFO, "train", "epoch %lld: loss %.5g%s", (long long)t->state.epoch + 1, loss,
                 best ? " (best)" : "");
}

static orr_status write_epoch(trainer *t, const orr_scores *v, double lr, int best)
{
    const orr_train_state *s = &t->state;
    double n = (double)s->epoch_samples, steps = (double)(t->steps_per_epoch - s->epoch_skipped),
           now = orr_now();
    double loss = s->epoch_loss / n,
           accuracy = orr_model_n_classes(&t->model) ? (double)s->epoch_correct / n : NAN;
    cJSON *o = cJSON_CreateObject();
    orr_text history = ORR_TEXT_INIT, line = ORR_TEXT_INIT, timing = ORR_TEXT_INIT;
    char *text;
    orr_status st;

    put(o, "epoch", (double)s->epoch + 1);
    put(o, "step", (double)s->steps);
    put(o, "lr", lr);
    put(o, "train_loss", loss);
    put(o, "train_accuracy", accuracy);
    put(o, "gradient_norm", s->epoch_norm / steps);
    put(o, "skipped_steps", (double)s->epoch_skipped);
    if (v) cJSON_AddItemToObject(o, "validation", orr_scores_brief(v));
    cJSON_AddBoolToObject(o, "best", best);
    text = cJSON_PrintUnformatted(o);
    cJSON_Delete(o);
    orr_text_printf(&line, "%s\n", text ? text : "{}");
    cJSON_free(text);
    orr_text_printf(&history, "%lld,%lld,%.9g,%.9g,%.9g,%.9g", (long long)s->epoch + 1,
                    (long long)s->steps, lr, loss, accuracy, s->epoch_norm / steps);
    for (size_t i = 0; i < sizeof history_metrics / sizeof *history_metrics; i++)
        orr_text_printf(&history, ",%.9g", v ? orr_scores_metric(v, history_metrics[i]) : NAN);
    orr_text_printf(&history, ",%d\n", best);
    orr_text_printf(&timing, "%lld,%d,%d,%.6f,%.1f,%.6f\n", (long long)s->epoch + 1, t->app->size,
                    t->app->threads, now - t->epoch_started, n / (now - t->epoch_started),
                    orr_loader_waited(t->loader) - t->waited);
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
                 (!s->has_best || (orr_select_maximise(t->job->train.select) ? metric > s->best
                                                                             : metric < s->best));

    if (better) {
        s->has_best = 1;
        s->best = metric;
        s->best_epoch = s->epoch + 1;
        s->bad_evaluations = 0;
    } else {
        s->bad_evaluations++;
    }
    orr_schedule_epoch_end(&t->schedule, metric);
    return better;
}

/* Epoch s->epoch is complete: evaluate, write it down, move on, save. */
static orr_status end_epoch(trainer *t, double lr)
{
    orr_train_state *s = &t->state;
    const orr_train_opts *o = &t->job->train;
    int last = s->epoch + 1 == o->epochs, best = 0;
    int evaluates =
        t->parts.part[ORR_VALIDATION].n && ((s->epoch + 1) % o->evaluate_every == 0 || last);
    orr_scores v = { 0 };
    orr_status st = ORR_OK;

    if (evaluates) {
        ORR_TRY(evaluate(t, ORR_VALIDATION, &v, NULL));
        best = judge(t, &v);
    }
    if (t->app->rank == 0) st = write_epoch(t, evaluates ? &v : NULL, lr, best);
    orr_scores_free(&v);
    ORR_TRY(orr_app_agree(t->app, st));
    s->epoch++;
    s->epoch_step = s->epoch_samples = s->epoch_correct = s->epoch_skipped = 0;
    s->epoch_loss = s->epoch_norm = 0;
    t->epoch_started = orr_now();
    t->waited = orr_loader_waited(t->loader);
    s->finished = last || (o->patience && s->bad_evaluations >= o->patience) ||
                  (o->max_steps && s->steps >= o->max_steps);
    if (best) ORR_TRY(save(t, "checkpoint-best.h5"));
    return save(t, "checkpoint-last.h5");
}

/* ---- the loop ---- */
static orr_status too_many_nonfinite(trainer *t)
{
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

/* After a step: checkpoints by count, on signals, and at max_steps. */
static orr_status after_step(trainer *t, const orr_step_result *r, double lr)
{
    orr_train_state *s = &t->state;
    const orr_train_opts *o = &t->job->train;

    if (s->epoch_step == t->steps_per_epoch) {
        ORR_TRY(end_epoch(t, lr));
    } else if (o->max_steps && s->steps >= o->max_steps) {
        s->finished = 1;
        ORR_TRY(save(t, "checkpoint-last.h5"));
    } else if (r->stop || (o->checkpoint_steps && s->steps % o->checkpoint_steps == 0)) {
        ORR_TRY(save(t, "checkpoint-last.h5"));
    }
    if (r->stop && !s->finished) {
        t->app->agreed = ORR_ERR_INTERRUPTED; /* every rank saw the same control word */
        return orr_fail(
            ORR_ERR_INTERRUPTED,
            "stopped by a signal after step %lld; saved; the same command goes on from there",
            (long long)s->steps);
    }
    return ORR_OK;
}

static orr_status train_loop(trainer *t)
{
    const orr_loaded *batch;
    orr_progress *progress = NULL;
    orr_step_result r;
    int64_t place = t->state.epoch * t->steps_per_epoch + t->state.epoch_step;
    char note[64];
    orr_status st;

    t->loader_opts.first_epoch = t->state.epoch;
    t->loader_opts.first_step = t->state.epoch_step;
    ORR_TRY_GOTO(st, done, orr_app_agree(t->app, orr_loader_create(&t->loader, &t->loader_opts)));
    if (t->app->rank == 0 && t->job->runtime.progress)
        (void)orr_progress_create(&progress, "train", "steps",
                                  t->steps_per_epoch * t->job->train.epochs);
    t->epoch_started = orr_now();
    while (!t->state.finished) {
        double lr = orr_schedule_lr(&t->schedule, t->state.steps);
        ORR_TRY_GOTO(st, done, orr_loader_next(t->loader, &batch));
        if (!batch) {
            st = orr_fail(ORR_ERR_INTERNAL, "the loader ended before the run did");
            goto done;
        }
        ORR_TRY_GOTO(st, done, orr_step(t->stepper, batch, lr, &r));
        if (t->first_step == 0) {
            t->first_step = orr_now() - t->app->started;
            orr_log0(ORR_INFO, "train", "first step %.3f s after the start", t->first_step);
        }
        st = account(t, &r);
        if (st != ORR_OK) {
            t->app->agreed = st; /* the sums are the same everywhere */
            goto done;
        }
        if (progress) {
            snprintf(note, sizeof note, "loss %.4g", r.loss / (double)r.samples);
            orr_progress_update(progress, ++place, note);
        }
        ORR_TRY_GOTO(st, done, after_step(t, &r, lr));
    }
done:
    orr_progress_end(progress, NULL);
    orr_loader_destroy(t->loader);
    t->loader = NULL;
    return st;
}

/* ---- the end ---- */
static orr_status finish_part(trainer *t, int part, cJSON *record)
{
    char path[ORR_PATH_MAX], name[64];
    const orr_part *p = &t->parts.part[part];
    orr_text table = ORR_TEXT_INIT;
    orr_scores s = { 0 };
    orr_status st;

    if (p->n == 0) return ORR_OK;
    ORR_TRY(evaluate(t, part, &s, NULL));
    if (t->app->rank == 0) {
        cJSON_AddItemToObject(record, p->name, orr_scores_json(&s, &t->model.schema, NULL));
        orr_scores_table(&s, &t->model.schema, NULL, p->name, &table);
        snprintf(name, sizeof name, "predictions-%s.csv", p->name);
        st = orr_run_path(&t->run, path, name);
        if (st == ORR_OK)
            st = orr_predictions_write(path, 1, &t->model, p->samples, p->rows, &s,
                                       t->job->train.threshold);
        orr_app_print(t->app, "%s\n", table.s ? table.s : "");
    } else {
        st = ORR_OK;
    }
    orr_text_free(&table);
    orr_scores_free(&s);
    return orr_app_agree(t->app, st);
}

static orr_status write_results(trainer *t, cJSON *record)
{
    char path[ORR_PATH_MAX];
    char *text = cJSON_Print(record);
    orr_status st = text ? ORR_OK : orr_fail(ORR_ERR_NOMEM, "out of memory: report");

    if (st == ORR_OK) st = orr_run_path(&t->run, path, "report.json");
    if (st == ORR_OK) st = orr_write_file(path, text, strlen(text));
    cJSON_free(text);
    if (st == ORR_OK) st = orr_run_path(&t->run, path, "model.h5");
    if (st == ORR_OK) st = orr_model_save(&t->model, t->net, path, record);
    return st;
}

/* The best epoch's weights make the model; it is evaluated once more on what it was chosen by, and
 * once on the test part. */
static orr_status finish(trainer *t)
{
    char path[ORR_PATH_MAX];
    orr_checkpoint c = checkpoint_of(t);
    cJSON *record = cJSON_CreateObject();
    orr_status st = ORR_OK;

    if (t->state.has_best) {
        st = orr_path_join(path, t->job->run, "checkpoint-best.h5");
        if (st == ORR_OK) st = orr_checkpoint_load_weights(&c, path);
    }
    ORR_TRY_GOTO(st, done, orr_app_agree(t->app, st));
    cJSON_AddStringToObject(record, "orrery", ORRERY_VERSION);
    cJSON_AddNumberToObject(record, "steps", (double)t->state.steps);
    cJSON_AddNumberToObject(record, "epoch",
                            (double)(t->state.has_best ? t->state.best_epoch : t->state.epoch));
    cJSON_AddStringToObject(record, "selected_by",
                            t->state.has_best ? t->job->train.select : "last epoch");
    cJSON_AddStringToObject(record, "reduce", t->job->train.reduce);
    cJSON_AddStringToObject(record, "training_data", t->parts.identity);
    cJSON_AddNumberToObject(record, "training_samples", (double)t->parts.part[ORR_TRAIN].n);
    for (int i = 1; i < ORR_N_PARTS; i++)
        ORR_TRY_GOTO(st, done, finish_part(t, i, record));
    if (t->app->rank == 0) st = write_results(t, record);
    ORR_TRY_GOTO(st, done, orr_app_agree(t->app, st));
    orr_app_print(t->app, "model: %s/model.h5 (%s %lld)\n", t->job->run,
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
             t->job->run, (long long)t->parts.part[ORR_TRAIN].n,
             (long long)t->parts.part[ORR_VALIDATION].n, (long long)t->parts.part[ORR_TEST].n,
             t->app->size, orr_comm_n_nodes(t->app->world), t->app->threads, t->plan.n_leaves,
             t->job->train.reduce);
    if (orr_log_on(ORR_DEBUG, "train") && t->app->rank == 0 &&
        orr_graph_summary(t->model.graph, &summary) == ORR_OK)
        orr_log0(ORR_DEBUG, "train", "network\n%s", summary.s);
    orr_text_free(&summary);
    if (t->resumed)
        orr_log0(ORR_INFO, "train", "going on from epoch %lld, step %lld",
                 (long long)t->state.epoch + 1, (long long)t->state.epoch_step + 1);
}

static void destroy(trainer *t)
{
    orr_stepper_destroy(t->stepper);
    orr_predictor_destroy(t->predictor);
    orr_optimiser_destroy(t->optimiser);
    orr_net_destroy(t->net);
    orr_order_destroy(t->order);
    orr_augment_destroy(t->augment);
    orr_model_destroy(&t->model);
    orr_parts_close(&t->parts);
    orr_free(t->train_labels);
    orr_free(t->logits);
    orr_text_free(&t->job_text);
    orr_log_file(NULL);
    orr_run_close(&t->run);
}

/* What the transforms must learn of the training rows. */
static orr_status fit(trainer *t)
{
    const orr_part *train = &t->parts.part[ORR_TRAIN];
    const orr_schema *schema = orr_dataset_schema(train->samples->set);
    orr_fit_rows f = { .samples = train->samples, .rows = train->rows, .n = train->n };

    ORR_TRY(orr_samples_fit(t->app, &f, t->model.transform));
    if (!t->model.aux_transform) return ORR_OK;
    ORR_TRY(orr_model_aux_columns(&t->model, schema, t->job->data.train, t->aux_columns));
    f.n_aux = t->model.n_aux;
    f.columns = t->aux_columns;
    return orr_samples_fit(t->app, &f, t->model.aux_transform);
}

/* statistics.h5, once a run. */
static orr_status write_statistics(trainer *t)
{
    const orr_part *train = &t->parts.part[ORR_TRAIN];
    orr_fit_rows f = { .samples = train->samples, .rows = train->rows, .n = train->n };
    orr_image_stats *stats = NULL;
    char path[ORR_PATH_MAX];
    orr_status st = ORR_OK;

    if (!t->job->data.statistics || t->resumed) return ORR_OK;
    ORR_TRY(orr_samples_statistics(t->app, &f, &stats));
    if (t->app->rank == 0) st = orr_run_path(&t->run, path, "statistics.h5");
    if (t->app->rank == 0 && st == ORR_OK) st = orr_image_stats_save(stats, path);
    orr_image_stats_destroy(stats);
    return orr_app_agree(t->app, st);
}

static orr_status set_up(trainer *t)
{
    const orr_train_opts *o = &t->job->train;
    orr_step_opts so = { .leaves = o->leaves,
                         .clip_norm = o->clip_norm,
                         .batch = o->batch,
                         .bucket_bytes = (size_t)(o->bucket_mib * 1048576.0),
                         .mode = strcmp(o->reduce, "fast") == 0 ? ORR_REDUCE_FAST
                                                                : ORR_REDUCE_ORDERED };

    ORR_TRY(orr_train_job_dump(t->job, &t->job_text));
    ORR_TRY(orr_text_status(&t->job_text));
    ORR_TRY(orr_app_agree(t->app, make_plan(t)));
    ORR_TRY(orr_parts_open(&t->parts, t->app, &t->job->data));
    ORR_TRY(
        orr_app_agree(t->app, orr_model_create(&t->model, t->job,
                                               orr_dataset_schema(t->parts.sets[ORR_TRAIN].set))));
    t->model.job = orr_strdup(t->job_text.s);
    ORR_TRY(orr_app_agree(t->app, check_job(t)));
    ORR_TRY(check_sets(t));
    ORR_TRY(fit(t));
    ORR_TRY(orr_app_agree(t->app, make_local(t)));
    ORR_TRY(
        orr_stepper_create(&t->stepper, t->app, &t->model, t->net, t->optimiser, &t->plan, &so));
    ORR_TRY(open_run(t));
    return write_statistics(t);
}

orr_status orr_train(orr_app *app, const orr_train_job *job)
{
    trainer *t = orr_alloc(1, sizeof *t);
    orr_status st;

    if (!t) return orr_fail(ORR_ERR_NOMEM, "out of memory: trainer");
    t->app = app;
    t->job = job;
    t->run.lock = -1;
    st = set_up(t);
    if (st == ORR_OK) {
        describe_start(t);
        st = train_loop(t);
    }
    if (st == ORR_OK) st = finish(t);
    destroy(t);
    orr_free(t);
    return st;
}
