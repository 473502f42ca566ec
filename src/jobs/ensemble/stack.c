/* jobs/ensemble/stack.c - a stack from out-of-fold predictions to its run folder. */
#include "jobs/ensemble/stack.h"
#include "core/log.h"
#include "core/memory.h"
#include "core/timeline.h"
#include "jobs/context/phase.h"
#include "jobs/context/run.h"
#include "jobs/context/same_job.h"
#include "jobs/ensemble/stack_report.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

/* ---- the folder ---- */
/* What job.yaml gets: the job, and as comments which predictions it was done with. */
static orr_status resolved_job(const orr_stack_job *job, const orr_stack_data *d, orr_text *out)
{
    ORR_TRY(orr_stack_job_dump(job, out));
    for (int i = 0; i < d->n_sources; i++)
        orr_text_printf(out, "# %s: sha256 %s\n", job->oof.v[i], d->sources[i].sha256);
    return orr_text_status(out);
}

/* *then = job.yaml of a stack that is there, NULL if none is; the caller's to orr_free. */
static orr_status find_job(const char *dir, char **then)
{
    char path[ORR_PATH_MAX];
    size_t bytes;

    *then = NULL;
    ORR_TRY(orr_path_join(path, dir, "job.yaml"));
    if (!orr_path_exists(path)) return ORR_OK;
    ORR_TRY(orr_read_file(then, &bytes, path, (size_t)16 << 20));
    if (strncmp(*then, orr_stack_job_mark, strlen(orr_stack_job_mark)) == 0) return ORR_OK;
    return orr_fail(ORR_ERR_EXISTS,
                    "%s holds a run of another command; give the stack a folder of its own", dir);
}

/* Under the folder's lock: the old stack ends here, whatever happens next. */
static orr_status replace_job(const char *dir, const char *now)
{
    char path[ORR_PATH_MAX];

    ORR_TRY(orr_path_join(path, dir, "stack.h5"));
    if (unlink(path) != 0 && errno != ENOENT)
        return orr_fail(ORR_ERR_IO, "%s: %s", path, strerror(errno));
    ORR_TRY(orr_path_join(path, dir, "job.yaml"));
    return orr_write_file(path, now, strlen(now));
}

static orr_status open_run(orr_run *r, const orr_stack_job *job, const orr_stack_data *d)
{
    orr_text now = ORR_TEXT_INIT;
    char *then = NULL;
    int other = 0, resume;
    orr_status st;

    ORR_TRY_GOTO(st, done, resolved_job(job, d, &now));
    ORR_TRY_GOTO(st, done, find_job(job->run, &then));
    other = then && strcmp(then, now.s) != 0;
    if (other && !job->overwrite)
        ORR_TRY_GOTO(st, done,
                     orr_same_job(now.s, then, job->run, "a stack",
                                  "give another folder, or say overwrite=true"));
    ORR_TRY_GOTO(st, done, orr_run_open(r, job->run, other ? then : now.s, &resume));
    if (other) st = replace_job(job->run, now.s);
done:
    orr_text_free(&now);
    orr_free(then);
    return st;
}

/* ---- the whole ---- */
static orr_status write_all(const orr_context *context, const orr_stack_job *job,
                            const orr_stack_data *d, const orr_stack_fit *f)
{
    orr_text table = ORR_TEXT_INIT;
    orr_status st = orr_stack_write(f, job, d, job->run);

    if (st == ORR_OK)
        st = orr_stack_model_write(&f->model, job->run); /* the last: now it is whole */
    if (st == ORR_OK) st = orr_stack_table(f, job, d, &table);
    if (st == ORR_OK) orr_context_print(context, "%s", table.s);
    orr_text_free(&table);
    return st;
}

orr_status orr_stack(orr_context *context, const orr_stack_job *job)
{
    orr_stack_data d = { 0 };
    orr_stack_fit f = { 0 };
    orr_run r = ORR_RUN_INIT;
    int64_t span = orr_timeline_now();
    orr_status st;

    ORR_TRY_GOTO(st, done, orr_phase(context, NULL, orr_stack_join(&d, job)));
    orr_timeline_span("read", span, d.n_sources);
    if (d.no_test[0]) orr_log0(ORR_WARN, "stack", "no test.csv is written: %s", d.no_test);
    ORR_TRY_GOTO(st, done, orr_phase_root(context, NULL, open_run(&r, job, &d)));
    span = orr_timeline_now();
    ORR_TRY_GOTO(st, done, orr_stack_fit_all(&f, context, job, &d));
    orr_timeline_span("fit", span, -1);
    span = orr_timeline_now();
    st = orr_phase_root(context, NULL, write_all(context, job, &d, &f));
    orr_timeline_span_of("write", span, -1, job->run);
done:
    orr_run_close(&r);
    orr_stack_fit_free(&f);
    orr_stack_data_free(&d);
    return st;
}
