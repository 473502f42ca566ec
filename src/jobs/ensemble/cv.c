/* jobs/ensemble/cv.c - a cross-validation from its data to its report. */
#include "jobs/ensemble/cv.h"
#include "core/log.h"
#include "core/memory.h"
#include "core/timeline.h"
#include "jobs/context/phase.h"
#include "jobs/context/run.h"
#include "jobs/train/splits.h"
#include "jobs/train/together.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const double claim_seconds = 600;

/* ---- leaks ---- */
/* Each fold as a part of its own: what stands in two of them, or in the test set, is told once. */
static orr_status check_overlap(orr_cv *cv)
{
    int n = cv->n_folds + (cv->test.set != NULL);
    orr_split *parts = orr_alloc((size_t)n, sizeof *parts);
    int64_t *rows = orr_alloc((size_t)cv->n + 1, sizeof *rows), *test = NULL, at = 0;
    char(*names)[24] = orr_alloc((size_t)n, sizeof *names);
    const char *policy = cv->job->c[0].job.data.overlap;
    int64_t n_test = cv->test.set ? orr_dataset_rows(cv->test.set) : 0;
    orr_status st;

    if (strcmp(policy, "drop") == 0) return ORR_OK; /* each fold leaves out what it holds out */
    test = orr_alloc((size_t)n_test + 1, sizeof *test);
    ORR_TRY_GOTO(
        st, done,
        orr_phase(cv->context, NULL,
                  parts && rows && test && names
                      ? ORR_OK
                      : orr_fail(ORR_ERR_NOMEM, "out of memory: leak check of %lld samples",
                                 (long long)cv->n)));
    for (int f = 0; f < cv->n_folds; f++) {
        snprintf(names[f], sizeof names[f], "fold %d", f);
        parts[f] = (orr_split){ .name = names[f], .samples = &cv->train, .rows = rows + at };
        for (int64_t i = 0; i < cv->n; i++)
            if (cv->fold[i] == f) rows[at++] = i;
        parts[f].n = rows + at - parts[f].rows;
    }
    for (int64_t i = 0; i < n_test; i++)
        test[i] = i;
    if (cv->test.set) parts[cv->n_folds] = (orr_split){ "test", &cv->test, test, n_test };
    st = orr_splits_check_overlap(cv->context, parts, n, policy);
done:
    orr_free(parts);
    orr_free(rows);
    orr_free(test);
    orr_free(names);
    return st;
}

/* ---- the run ---- */
static orr_status open_data(orr_cv *cv)
{
    const orr_data_opts *d = &cv->job->c[0].job.data;
    orr_samples_want train = orr_data_want(d);
    orr_context *context = cv->context;

    ORR_TRY(orr_samples_open(&cv->train, context, d->train, d->verify, NULL));
    train.side.schema = orr_dataset_schema(cv->train.set);
    if (d->test[0]) ORR_TRY(orr_samples_open(&cv->test, context, d->test, d->verify, &train));
    cv->n = orr_dataset_rows(cv->train.set);
    cv->n_folds = cv->job->cv.folds;
    cv->n_repeats = cv->job->cv.repeats;
    cv->n_seeds = cv->job->cv.seeds.n ? cv->job->cv.seeds.n : cv->job->c[0].seeds.n;
    if (cv->n_seeds == 0) cv->n_seeds = 1;
    cv->n_tasks = cv->job->n * cv->n_seeds * cv->n_repeats * cv->n_folds;
    ORR_TRY(orr_phase(context, NULL, orr_set_identity(cv->identity, d->train)));
    if (cv->job->cv.groups[0]) ORR_TRY(orr_phase(context, NULL, orr_cv_read_groups(cv)));
    ORR_TRY(orr_groups_make(&cv->groups, context, &cv->train, d));
    return orr_phase(context, NULL, orr_cv_make_folds(cv));
}

static orr_status keep_log(const orr_cv *cv)
{
    char path[ORR_PATH_MAX];

    if (cv->context->rank != 0) return ORR_OK;
    ORR_TRY(orr_path_join(path, cv->job->run, "log.txt"));
    return orr_log_file(path);
}

/* Rank 0. */
static orr_status open_run(const orr_cv *cv, orr_run *run)
{
    orr_text job = ORR_TEXT_INIT;
    orr_run_offer offer = { .mark = "cv:\n", .overwrite = cv->job->overwrite };
    int resume, shared = cv->job->cv.only.n > 0;
    orr_status st = orr_cv_job_dump(cv->job, &job);

    offer.job = job.s;
    if (st == ORR_OK && shared && !cv->job->overwrite)
        st = orr_run_share(run, cv->job->run, job.s);
    else if (st == ORR_OK)
        st = orr_run_take(run, cv->job->run, &offer, &resume);
    if (st == ORR_OK && shared && cv->job->overwrite) { /* nobody else was at work there */
        orr_run_close(run);
        st = orr_run_share(run, cv->job->run, job.s);
    }
    if (st == ORR_OK) st = keep_log(cv);
    orr_text_free(&job);
    return st;
}

/* Starts that share the run have a file each. */
static orr_status open_status(orr_cv *cv)
{
    const orr_reals *only = &cv->job->cv.only;
    char path[ORR_PATH_MAX], name[64] = ORR_STATUS_FILE;

    if (only->n) snprintf(name, sizeof name, "status-fold-%d.json", (int)only->v[0]);
    if (cv->context->rank != 0) return ORR_OK;
    ORR_TRY(orr_path_join(path, cv->job->run, name));
    orr_run_status_open(&cv->status, cv->context, path, "cv", "trainings", "trainings");
    cv->standing = (orr_standing)ORR_STANDING_INIT;
    cv->standing.total = cv->n_tasks;
    orr_cv_stand(cv);
    return ORR_OK;
}

static orr_status finish(orr_cv *cv)
{
    orr_oof oof = { 0 };
    int64_t span = orr_timeline_now();
    orr_status st;

    orr_phase_at(cv->context, "gather", -1);
    orr_cv_stand(cv);
    st = orr_phase(cv->context, NULL, keep_log(cv));

    if (st == ORR_OK) st = orr_phase(cv->context, NULL, orr_cv_describe(cv, &oof));
    if (st == ORR_OK) st = orr_cv_gather(cv, &oof);
    orr_oof_free(&oof);
    if (st == ORR_OK) st = orr_phase_root(cv->context, NULL, orr_cv_report(cv));
    orr_timeline_span("gather", span, -1);
    return st;
}

static orr_status claim(const orr_cv *cv, orr_run *run, int *left)
{
    ORR_TRY(orr_cv_count_left(cv, left));
    return *left == 0 ? orr_run_claim(run, claim_seconds) : ORR_OK;
}

/* With folds left to other starts there is nothing to gather yet; the last one waits for those who
 * are gathering already, and does it again: the same bytes. */
static orr_status may_finish(const orr_cv *cv, orr_run *run, int *may)
{
    int left = 0;

    *may = 1;
    if (cv->job->cv.only.n == 0) return ORR_OK;
    ORR_TRY(orr_phase_root(cv->context, NULL, claim(cv, run, &left)));
    ORR_TRY(orr_comm_bcast(cv->context->world, &left, sizeof left, 0));
    *may = left == 0;
    if (left)
        orr_context_print(cv->context,
                          "%s: done with cv.only; %d of %d trainings are left to others\n",
                          cv->job->run, left, cv->n_tasks);
    return ORR_OK;
}

orr_status orr_cross_validate(orr_context *context, const orr_cv_job *job)
{
    orr_cv cv = { .context = context, .job = job };
    orr_run run = ORR_RUN_INIT;
    orr_oof like = { 0 };
    int may = 0;
    orr_status st = open_data(&cv);

    if (st == ORR_OK)
        st = orr_phase(context, NULL, orr_cv_describe(&cv, &like)); /* refused before work */
    orr_oof_free(&like);
    if (st == ORR_OK) st = check_overlap(&cv);
    if (st == ORR_OK) st = orr_phase(context, NULL, orr_cv_check(&cv));
    if (st == ORR_OK) st = orr_phase_root(context, NULL, open_run(&cv, &run));
    if (st == ORR_OK) st = orr_phase(context, NULL, open_status(&cv));
    if (st == ORR_OK) st = orr_cv_train(&cv);
    if (st == ORR_OK) st = may_finish(&cv, &run, &may);
    if (st == ORR_OK && may) st = finish(&cv);
    orr_run_status_end(cv.status, st);
    orr_log_file(NULL);
    orr_run_close(&run);
    if (st == ORR_OK || st == context->agreed) {
        orr_samples_close(&cv.test);
        orr_samples_close(&cv.train);
    }
    orr_free(cv.fold);
    orr_free(cv.groups);
    return st;
}
