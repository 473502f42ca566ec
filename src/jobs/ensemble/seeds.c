/* jobs/ensemble/seeds.c - one training a seed, and what they say together. */
#include "jobs/ensemble/seeds.h"
#include "core/json.h"
#include "core/log.h"
#include "core/memory.h"
#include "jobs/context/phase.h"
#include "jobs/context/run.h"
#include "jobs/context/run_status.h"
#include "jobs/ensemble/ledger.h"
#include "jobs/ensemble/tasks.h"
#include "jobs/model/report.h"
#include "jobs/predict/oof.h"
#include "jobs/predict/spread.h"
#include "jobs/train/cautions.h"
#include "jobs/train/splits.h"
#include "jobs/train/trainer.h"

#include <stdio.h>
#include <string.h>

typedef struct family {
    orr_context *context;
    const orr_train_job *job;
    orr_seeds seeds;
    orr_splits parts; /* the same for all */
    orr_run run;
    orr_run_status *status; /* rank 0's */
    orr_standing standing;
    int left[ORR_LIST_MAX], n_left; /* numbers of the seeds that are not trained yet */
    double cost[ORR_LIST_MAX];      /* all the same */
} family;

static orr_status task_path(const family *f, int i, const char *file, char out[ORR_PATH_MAX])
{
    char name[64], dir[ORR_PATH_MAX];

    ORR_TRY(orr_path_join(dir, f->job->run, orr_oof_seed_task(f->seeds.v[i], name, sizeof name)));
    if (file[0]) return orr_path_join(out, dir, file);
    memcpy(out, dir, sizeof dir);
    return ORR_OK;
}

/* ---- before the first one trains ---- */
/* What each would refuse or say is refused and said once. */
static orr_status ask(const family *f, orr_text *lines)
{
    orr_model m;
    orr_status st =
        orr_model_create(&m, f->job, orr_dataset_schema(f->parts.part[ORR_TRAIN].samples->set));

    ORR_TRY(st);
    st = orr_cautions_model(f->job, &m, lines);
    if (st == ORR_OK) st = orr_cautions_parts(f->job, &m, &f->parts, lines);
    if (st == ORR_OK) orr_model_tell_target(&m, "train", "data.target_kind");
    orr_model_destroy(&m);
    return st;
}

static orr_status check(const family *f)
{
    orr_text lines = ORR_TEXT_INIT;
    orr_status st = ask(f, &lines);

    if (st == ORR_OK) orr_cautions_say(&lines, "train");
    orr_text_free(&lines);
    return st;
}

static orr_status keep_log(const family *f)
{
    char path[ORR_PATH_MAX];

    if (f->context->rank != 0) return ORR_OK;
    ORR_TRY(orr_path_join(path, f->job->run, "log.txt"));
    return orr_log_file(path);
}

static void stand(family *f)
{
    int done, n = 0;
    char dir[ORR_PATH_MAX];

    if (!f->status) return;
    for (int i = 0; i < f->seeds.n; i++)
        n += task_path(f, i, "", dir) == ORR_OK && orr_ledger_is_done(dir, &done) == ORR_OK && done;
    f->standing.done = n;
    orr_run_status_set(f->status, &f->standing);
}

/* Rank 0. */
static orr_status open_run(family *f)
{
    orr_text job = ORR_TEXT_INIT;
    orr_run_offer offer = { .mark = orr_train_job_mark, .overwrite = f->job->overwrite };
    char path[ORR_PATH_MAX];
    int resume;
    orr_status st = orr_train_job_dump(f->job, &job);

    offer.job = job.s;
    if (st == ORR_OK) st = orr_run_take(&f->run, f->job->run, &offer, &resume);
    orr_text_free(&job);
    ORR_TRY(st);
    ORR_TRY(keep_log(f));
    ORR_TRY(orr_run_path(&f->run, path, ORR_STATUS_FILE));
    orr_run_status_open(&f->status, f->context, path, "train", "trainings", "trainings");
    f->standing = (orr_standing)ORR_STANDING_INIT;
    f->standing.total = f->seeds.n;
    stand(f);
    return ORR_OK;
}

/* Rank 0 looks; the others are told, since a file may appear between two looks. */
static orr_status look(const family *f, int32_t done[ORR_LIST_MAX])
{
    char dir[ORR_PATH_MAX];

    for (int i = 0; i < f->seeds.n; i++) {
        ORR_TRY(task_path(f, i, "", dir));
        ORR_TRY(orr_ledger_is_done(dir, &done[i]));
        if (done[i])
            ORR_TRY(orr_ledger_judge(dir, f->parts.identity,
                                     "on another training set; give these seeds a run of their "
                                     "own, or say overwrite=true",
                                     f->job->overwrite, &done[i]));
    }
    return ORR_OK;
}

static orr_status find_left(family *f)
{
    int32_t done[ORR_LIST_MAX] = { 0 };

    ORR_TRY(orr_phase_root(f->context, NULL, look(f, done)));
    ORR_TRY(orr_comm_bcast(f->context->world, done, sizeof done, 0));
    for (int i = 0; i < f->seeds.n; i++)
        if (!done[i]) {
            f->left[f->n_left] = i;
            f->cost[f->n_left++] = 1;
        }
    return ORR_OK;
}

/* ---- training ---- */
static const char *name_of(void *ctx, int i, char *buf, size_t bytes)
{
    const family *f = ctx;

    snprintf(buf, bytes, "%lld", (long long)f->seeds.v[f->left[i]]);
    return buf;
}

static orr_status train_seed(void *ctx, orr_context *group, int i)
{
    family *f = ctx;
    orr_train_job job = *f->job;
    char run[ORR_PATH_MAX];
    orr_status st;

    ORR_TRY(orr_phase(group, NULL, task_path(f, f->left[i], "", run)));
    job.run = run;
    job.train.seed = f->seeds.v[f->left[i]];
    job.train.seeds = NULL;
    job.runtime.progress = 0;
    st = orr_train_parts(group, &job, &f->parts);
    stand(f);
    return st;
}

static orr_status train(family *f)
{
    orr_tasks t = { .most_ranks = f->job->train.leaves,
                    .what = "seed",
                    .component = "train",
                    .run = train_seed,
                    .name = name_of,
                    .cost = f->cost,
                    .ctx = f };

    ORR_TRY(find_left(f));
    t.n = f->n_left;
    orr_log0(ORR_INFO, "train", "%s: %d of %d trainings are left; %d at a time on %d ranks",
             f->job->run, t.n, f->seeds.n, t.n ? orr_tasks_groups(&t, f->context->size) : 0,
             f->context->size);
    return orr_tasks_run(f->context, &t);
}

/* ---- gathering ---- */
static orr_status take_ids(orr_id **out, const orr_split *p)
{
    *out = orr_alloc((size_t)p->n + 1, sizeof **out);
    if (!*out) return orr_fail(ORR_ERR_NOMEM, "out of memory: %lld ids", (long long)p->n);
    for (int64_t i = 0; i < p->n; i++)
        orr_dataset_id(p->samples->set, p->rows[i], (*out)[i], sizeof **out);
    return ORR_OK;
}

/* Classes or values of the validation rows. */
static orr_status take_truth(orr_oof *o, const orr_model *m, const orr_split *p)
{
    const orr_dataset *set = p->samples ? p->samples->set : NULL;
    const size_t n = (size_t)p->n;
    int known = p->n && orr_has_truth(m, p->samples);

    o->y_width = o->n_classes ? 0 : m->schema.y_width;
    orr_oof_take_targets(o, &m->schema);
    if (o->n_classes) {
        o->class_names = orr_alloc((size_t)o->n_classes, sizeof *o->class_names);
        if (known) o->labels = orr_alloc(n, sizeof *o->labels);
    } else if (known)
        o->values = orr_alloc(n * (size_t)o->y_width, sizeof *o->values);
    if ((o->n_classes && !o->class_names) || (known && !o->labels && !o->values))
        return orr_fail(ORR_ERR_NOMEM, "out of memory: truth of %zu samples", n);
    for (int i = 0; i < o->n_classes; i++)
        orr_class_name(&m->schema, i, o->class_names[i], sizeof o->class_names[i]);
    for (int64_t i = 0; known && i < p->n; i++)
        if (o->labels)
            o->labels[i] = orr_dataset_labels(set)[p->rows[i]];
        else
            memcpy(o->values + i * o->y_width, orr_dataset_values(set) + p->rows[i] * o->y_width,
                   (size_t)o->y_width * sizeof *o->values);
    return ORR_OK;
}

/* All that seeds.h5 holds but the predictions. */
static orr_status describe(const family *f, const orr_model *m, orr_oof *o)
{
    const orr_split *validation = &f->parts.part[ORR_VALIDATION], *test = &f->parts.part[ORR_TEST];
    int classes = orr_model_n_classes(m);

    *o = (orr_oof){ .n = validation->n,
                    .n_test = test->n,
                    .n_columns = f->seeds.n,
                    .n_repeats = 1,
                    .n_folds = 1,
                    .n_classes = classes,
                    .width = classes ? classes : m->outputs,
                    .bins = m->loss.bins };
    o->columns = orr_alloc((size_t)o->n_columns, sizeof *o->columns);
    o->fold = orr_alloc((size_t)o->n + 1, sizeof *o->fold);
    if (!o->columns || !o->fold)
        return orr_fail(ORR_ERR_NOMEM, "out of memory: %lld samples", (long long)o->n);
    for (int i = 0; i < o->n_columns; i++) {
        snprintf(o->columns[i].model, sizeof o->columns[i].model, "model");
        o->columns[i].seed = f->seeds.v[i];
    }
    ORR_TRY(take_truth(o, m, validation));
    ORR_TRY(take_ids(&o->id, validation));
    return take_ids(&o->test_id, test);
}

typedef struct gather {
    const family *f;
    const orr_oof *oof;
} gather;

static orr_status read_part(const gather *g, int i, const char *file, int64_t n, const orr_id *id,
                            double *p)
{
    char path[ORR_PATH_MAX];

    if (n == 0) return ORR_OK;
    ORR_TRY(task_path(g->f, i, file, path));
    if (orr_predictions_take(path, n, g->oof->width, id, NULL, p) == ORR_OK) return ORR_OK;
    return orr_fail_prefix(ORR_ERR_FORMAT,
                           "remove the folder of %s and start again, then that seed is trained "
                           "anew: ",
                           path);
}

static orr_status fill(void *ctx, int c, double *p, double *test_p)
{
    const gather *g = ctx;

    ORR_TRY(read_part(g, c, "predictions-validation.h5", g->oof->n, (const orr_id *)g->oof->id, p));
    return read_part(g, c, "predictions-test.h5", test_p ? g->oof->n_test : 0,
                     (const orr_id *)g->oof->test_id, test_p);
}

/* ---- the report ---- */
/* Scores of the mean and of each seed on one part; p[seeds][n][width]. */
static orr_status report_part(const family *f, const orr_model *m, const orr_oof *o,
                              const double *all, const orr_split *p, orr_text *text, cJSON *record)
{
    const size_t count = (size_t)p->n * (size_t)o->width;
    char path[ORR_PATH_MAX], name[64];
    double *mean = orr_alloc(count + 1, sizeof *mean);
    orr_scores s = { 0 };
    orr_model_spread spread = { 0 };
    cJSON *json;
    orr_status st = mean ? ORR_OK : orr_fail(ORR_ERR_NOMEM, "out of memory: a report");

    for (int c = 0; st == ORR_OK && c < o->n_columns; c++) {
        const double *here = all + (size_t)c * count;
        for (size_t i = 0; i < count; i++)
            mean[i] += here[i] / o->n_columns;
        st = orr_scores_of_predictions(&s, m, p->samples, p->rows, p->n, here, m->threshold);
        snprintf(name, sizeof name, "seed %lld", (long long)o->columns[c].seed);
        if (st == ORR_OK && s.has_truth) st = orr_model_spread_add(&spread, name, &s);
        orr_scores_free(&s);
    }
    if (st == ORR_OK)
        st = orr_scores_of_predictions(&s, m, p->samples, p->rows, p->n, mean, m->threshold);
    if (st == ORR_OK && s.has_truth) {
        json = orr_scores_json(&s, &m->schema, NULL);
        orr_model_spread_json(&spread, json);
        cJSON_AddItemToObject(record, p->name, json);
        orr_scores_table(&s, &m->schema, NULL, p->name, text);
        orr_model_spread_table(&spread, text);
        orr_text_add(text, "\n");
    }
    snprintf(name, sizeof name, "predictions-%s.csv", p->name);
    if (st == ORR_OK) st = orr_run_path(&f->run, path, name);
    if (st == ORR_OK) st = orr_predictions_write(path, 1, m, p->samples, p->rows, &s, m->threshold);
    orr_scores_free(&s);
    orr_model_spread_free(&spread);
    orr_free(mean);
    return st;
}

static orr_status report_all(const family *f, const orr_model *m, const orr_oof *o, orr_text *text,
                             cJSON *record)
{
    const orr_split *part = f->parts.part;
    cJSON *seeds = cJSON_AddArrayToObject(record, "seeds");

    for (int i = 0; i < f->seeds.n; i++)
        cJSON_AddItemToArray(seeds, cJSON_CreateNumber((double)f->seeds.v[i]));
    cJSON_AddStringToObject(record, "orrery", ORRERY_VERSION);
    cJSON_AddStringToObject(record, "training_data", f->parts.identity);
    orr_json_put(record, "training_samples", (double)part[ORR_TRAIN].n);
    if (o->n) ORR_TRY(report_part(f, m, o, o->p, &part[ORR_VALIDATION], text, record));
    if (o->n_test) ORR_TRY(report_part(f, m, o, o->test_p, &part[ORR_TEST], text, record));
    ORR_TRY(orr_json_write(record, f->job->run, "report.json"));
    return orr_text_status(text);
}

/* Rank 0, from the file that all have written. */
static orr_status report(const family *f, const orr_model *m)
{
    orr_text text = ORR_TEXT_INIT;
    cJSON *record = cJSON_CreateObject();
    orr_oof o = { 0 };
    orr_status st = orr_oof_read(&o, f->job->run);

    if (st == ORR_OK) st = report_all(f, m, &o, &text, record);
    if (st == ORR_OK)
        orr_context_print(f->context, "%smodels: %s/seeds.h5 (%d trainings)\n",
                          text.s ? text.s : "", f->job->run, f->seeds.n);
    orr_text_free(&text);
    orr_oof_free(&o);
    cJSON_Delete(record);
    return st;
}

static orr_status begin_gather(const family *f, orr_model *m, orr_oof *o, char path[ORR_PATH_MAX])
{
    ORR_TRY(keep_log(f));
    ORR_TRY(orr_path_join(path, f->job->run, "seeds.h5"));
    ORR_TRY(orr_model_create(m, f->job, orr_dataset_schema(f->parts.part[ORR_TRAIN].samples->set)));
    return describe(f, m, o);
}

static orr_status finish(family *f)
{
    char path[ORR_PATH_MAX];
    orr_model m = { 0 };
    orr_oof o = { 0 };
    gather g = { f, &o };
    orr_status st;

    orr_phase_at(f->context, "gather", -1);
    stand(f);
    st = orr_phase(f->context, NULL, begin_gather(f, &m, &o, path));
    if (st == ORR_OK) st = orr_oof_write(f->context, &o, path, fill, &g);
    if (st == ORR_OK) st = orr_phase_root(f->context, NULL, report(f, &m));
    orr_oof_free(&o);
    orr_model_destroy(&m);
    return st;
}

orr_status orr_train_with_seeds(orr_context *context, const orr_train_job *job)
{
    family *f = orr_alloc(1, sizeof *f);
    orr_status st =
        orr_phase(context, NULL, f ? ORR_OK : orr_fail(ORR_ERR_NOMEM, "out of memory: seeds"));

    if (st != ORR_OK) return st;
    *f = (family){ .context = context, .job = job, .run = ORR_RUN_INIT };
    st = orr_phase(context, NULL, orr_train_seeds(&job->train, &f->seeds));
    if (st == ORR_OK) st = orr_splits_open(&f->parts, context, &job->data);
    if (st == ORR_OK) st = orr_phase(context, NULL, check(f));
    if (st == ORR_OK) st = orr_phase_root(context, NULL, open_run(f));
    if (st == ORR_OK) st = train(f);
    if (st == ORR_OK) st = finish(f);
    orr_run_status_end(f->status, st);
    orr_log_file(NULL);
    orr_run_close(&f->run);
    if (st == ORR_OK || st == context->agreed) orr_splits_close(&f->parts);
    orr_free(f);
    return st;
}
