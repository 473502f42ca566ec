/* jobs/ensemble/cv_work.c - the tasks: which are done, how long each takes, and training them. */
#include "core/log.h"
#include "core/memory.h"
#include "jobs/context/phase.h"
#include "jobs/ensemble/cv.h"
#include "jobs/ensemble/ledger.h"
#include "jobs/ensemble/tasks.h"
#include "jobs/model/model.h"
#include "jobs/train/splits.h"
#include "jobs/train/trainer.h"
#include "nn/graph.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

/* Those of cv.seeds, else the configuration's own: train.seeds, or the one of train.seed. */
static int64_t seed_of(const orr_cv *cv, int configuration, int s)
{
    const orr_reals *seeds = &cv->job->cv.seeds;
    const orr_cv_configuration *c = &cv->job->c[configuration];

    if (seeds->n) return (int64_t)seeds->v[s];
    return c->seeds.n ? c->seeds.v[s] : c->job.train.seed;
}

int orr_cv_n_columns(const orr_cv *cv)
{
    return cv->n_tasks / cv->n_folds;
}

orr_cv_task orr_cv_task_of(const orr_cv *cv, int i)
{
    orr_cv_task t = { .fold = i % cv->n_folds, .column = i / cv->n_folds };
    int left = t.column;

    t.repeat = left % cv->n_repeats;
    left /= cv->n_repeats;
    t.configuration = left / cv->n_seeds;
    t.seed = seed_of(cv, t.configuration, left % cv->n_seeds);
    return t;
}

/* The column as the file of predictions names it. */
orr_oof_column orr_cv_column(const orr_cv *cv, const orr_cv_task *t)
{
    orr_oof_column c = { .seed = t->seed, .repeat = t->repeat };

    snprintf(c.model, sizeof c.model, "%s", cv->job->c[t->configuration].name);
    return c;
}

orr_status orr_cv_task_path(const orr_cv *cv, int i, const char *file, char out[ORR_PATH_MAX])
{
    orr_cv_task t = orr_cv_task_of(cv, i);
    orr_oof_column c = orr_cv_column(cv, &t);
    char name[192], dir[ORR_PATH_MAX];

    ORR_TRY(orr_path_join(dir, cv->job->run,
                          orr_oof_task(&c, cv->n_repeats, t.fold, name, sizeof name)));
    if (file[0]) return orr_path_join(out, dir, file);
    memcpy(out, dir, sizeof dir);
    return ORR_OK;
}

/* ---- the ledger ---- */
typedef struct ledger {
    orr_cv *cv;
    int n, *task; /* those that are left */
    double *cost;
} ledger;

static int is_wanted(const orr_cv *cv, int fold)
{
    const orr_reals *only = &cv->job->cv.only;

    for (int i = 0; i < only->n; i++)
        if ((int)only->v[i] == fold) return 1;
    return only->n == 0;
}

static orr_status is_done(const orr_cv *cv, int i, int *done)
{
    char path[ORR_PATH_MAX];

    ORR_TRY(orr_cv_task_path(cv, i, "", path));
    return orr_ledger_is_done(path, done);
}

/* The rows that task i is trained with and without. */
static orr_fold_rows rows_of(const orr_cv *cv, const orr_cv_task *t)
{
    return (orr_fold_rows){ .train = &cv->train,
                            .test = cv->test.set ? &cv->test : NULL,
                            .fold = cv->fold + (int64_t)t->repeat * cv->n,
                            .groups = cv->groups,
                            .held_out = t->fold,
                            .validates = strcmp(cv->job->cv.validate, "fold") == 0,
                            .identity = cv->identity };
}

/* A training that is done was done on this set with these folds, or its answers are of other
 * samples. */
static orr_status check_done(const orr_cv *cv, int i, int *done)
{
    orr_cv_task t = orr_cv_task_of(cv, i);
    const orr_fold_rows rows = rows_of(cv, &t);
    char path[ORR_PATH_MAX];
    orr_splits parts;
    orr_status st;

    ORR_TRY(orr_cv_task_path(cv, i, "", path));
    ORR_TRY(orr_splits_of_fold(&parts, &rows, &cv->job->c[t.configuration].job.data));
    st = orr_ledger_judge(path, parts.identity,
                          "on another training set or on other folds; remove its folder, say "
                          "overwrite=true, or give this cross-validation a run of its own",
                          cv->job->overwrite, done);
    orr_splits_close(&parts);
    return st;
}

/* Multiply-adds of a training step's worth of each configuration. */
static orr_status weigh(const orr_cv *cv, double *cost)
{
    for (int c = 0; c < cv->job->n; c++) {
        const orr_train_job *job = &cv->job->c[c].job;
        orr_model m;
        ORR_TRY(orr_model_create(&m, job, orr_dataset_schema(cv->train.set)));
        cost[c] = orr_graph_products(m.graph) * (double)job->train.epochs *
                  (double)(job->data.epoch_length ? job->data.epoch_length : cv->n);
        orr_model_destroy(&m);
    }
    return ORR_OK;
}

static orr_status look_at_all(ledger *l, double *cost, int32_t *done)
{
    const orr_cv *cv = l->cv;

    l->task = orr_alloc((size_t)cv->n_tasks, sizeof *l->task);
    l->cost = orr_alloc((size_t)cv->n_tasks, sizeof *l->cost);
    if (!done || !cost || !l->task || !l->cost)
        return orr_fail(ORR_ERR_NOMEM, "out of memory: %d tasks", cv->n_tasks);
    ORR_TRY(weigh(cv, cost));
    for (int i = 0; cv->context->rank == 0 && i < cv->n_tasks; i++) {
        ORR_TRY(is_done(cv, i, &done[i]));
        if (done[i]) ORR_TRY(check_done(cv, i, &done[i]));
    }
    return ORR_OK;
}

/* Rank 0 looks; the others are told, since a file may appear between two looks. */
static orr_status find_left(ledger *l)
{
    orr_cv *cv = l->cv;
    orr_context *context = cv->context;
    int32_t *done = orr_alloc((size_t)cv->n_tasks, sizeof *done);
    double *cost = orr_alloc((size_t)cv->job->n, sizeof *cost);
    orr_status st;

    ORR_TRY_GOTO(st, done, orr_phase(context, NULL, look_at_all(l, cost, done)));
    ORR_TRY_GOTO(st, done,
                 orr_comm_bcast(context->world, done, (size_t)cv->n_tasks * sizeof *done, 0));
    for (int i = 0; i < cv->n_tasks; i++)
        if (!done[i] && is_wanted(cv, orr_cv_task_of(cv, i).fold)) {
            l->task[l->n] = i;
            l->cost[l->n++] = cost[orr_cv_task_of(cv, i).configuration];
        }
done:
    orr_free(done);
    orr_free(cost);
    return st;
}

/* ---- one task ---- */
static const char *name_of(void *ctx, int i, char *buf, size_t bytes)
{
    const ledger *l = ctx;

    orr_cv_task t = orr_cv_task_of(l->cv, l->task[i]);

    snprintf(buf, bytes, "%d of %s, seed %lld", t.fold, l->cv->job->c[t.configuration].name,
             (long long)t.seed);
    return buf;
}

static orr_status train_fold(void *ctx, orr_context *group, int i)
{
    const ledger *l = ctx;
    orr_cv *cv = l->cv;
    orr_cv_task t = orr_cv_task_of(cv, l->task[i]);
    orr_fold_rows rows = rows_of(cv, &t);
    orr_train_job job = cv->job->c[t.configuration].job;
    char run[ORR_PATH_MAX];
    orr_splits parts;
    orr_status st;

    job.run = run;
    job.overwrite = cv->job->overwrite;
    job.train.seed = t.seed;
    job.train.seeds = NULL;
    job.runtime = cv->job->runtime;
    job.runtime.progress = 0;
    ORR_TRY(orr_phase(group, NULL, orr_cv_task_path(cv, l->task[i], "", run)));
    ORR_TRY(orr_phase(group, NULL, orr_splits_of_fold(&parts, &rows, &job.data)));
    orr_cv_stand(cv);
    st = orr_splits_drop(&parts, group, &job.data);
    if (st == ORR_OK) st = orr_train_parts(group, &job, &parts);
    orr_cv_stand(cv);
    orr_splits_close(&parts);
    return st;
}

static int most_ranks(const orr_cv *cv)
{
    int most = INT_MAX;

    for (int c = 0; c < cv->job->n; c++)
        if (cv->job->c[c].job.train.leaves < most) most = cv->job->c[c].job.train.leaves;
    return most;
}

orr_status orr_cv_count_left(const orr_cv *cv, int *left)
{
    int done;

    *left = 0;
    for (int i = 0; i < cv->n_tasks; i++) {
        ORR_TRY(is_done(cv, i, &done));
        *left += !done;
    }
    return ORR_OK;
}

void orr_cv_stand(orr_cv *cv)
{
    int left;

    if (!cv->status) return;
    if (orr_cv_count_left(cv, &left) == ORR_OK) cv->standing.done = cv->n_tasks - left;
    orr_run_status_set(cv->status, &cv->standing);
}

orr_status orr_cv_train(orr_cv *cv)
{
    ledger l = { .cv = cv };
    orr_tasks t = { .group_ranks = cv->job->cv.ranks,
                    .most_ranks = most_ranks(cv),
                    .what = "fold",
                    .component = "cv",
                    .run = train_fold,
                    .name = name_of,
                    .ctx = &l };
    orr_status st = find_left(&l);

    if (st == ORR_OK) {
        t.n = l.n;
        t.cost = l.cost;
        orr_log0(ORR_INFO, "cv", "%s: %d of %d trainings are left; %d at a time on %d ranks",
                 cv->job->run, l.n, cv->n_tasks, l.n ? orr_tasks_groups(&t, cv->context->size) : 0,
                 cv->context->size);
        st = orr_tasks_run(cv->context, &t);
    }
    orr_free(l.task);
    orr_free(l.cost);
    return st;
}
