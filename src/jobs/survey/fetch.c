/* jobs/survey/fetch.c - the frames of a catalogue's fields, from an archive to a folder.
 *
 * Phases: rank 0 takes the folder's lock, merges what an earlier start noted and makes the plan; all
 * open them; check (if asked); download; rank 0 merges again; report.  What is done is never asked
 * for again, so a start after any stop does only what is left. */
#include "jobs/survey/fetch.h"
#include "core/log.h"
#include "core/memory.h"
#include "jobs/context/phase.h"
#include "jobs/context/runtime.h"

#include <stdio.h>
#include <string.h>

enum { PART_OBJECTS = 4096, PART_FIELDS = 64, ASIDE_TOLD = 20 };

const orr_option orr_fetch_options[] = {
    ORR_OPTION_SECTION(orr_fetch_opts, archive, orr_archive_options,
                       "where frames come from, and where they go"),
    ORR_OPTION_SECTION(orr_fetch_opts, catalogue, orr_catalogue_options,
                       "what is wanted: id, ra, dec, and the columns that archive.url names"),
    ORR_OPTION_BOOL(orr_fetch_opts, check, "false",
                    "prove the frames that are there again; damaged ones are removed and fetched"),
    ORR_OPTION_CHOICE(orr_fetch_opts, missing, "allow", "allow|fail",
                      "frames that the archive does not have (404): say so, or fail"),
    ORR_OPTION_BOOL(orr_fetch_opts, retry_missing, "false",
                    "ask again for frames that an earlier start found missing"),
    ORR_OPTION_SECTION(orr_fetch_opts, runtime, orr_runtime_options, "this start only"),
    ORR_OPTION_END,
};

/* ---- plan ---- */
static orr_status tell_aside(void *ctx, int64_t row, const char *id, const char *reason)
{
    int *told = ctx;

    if (*told < ASIDE_TOLD)
        orr_log(ORR_WARN, "fetch", "catalogue row %lld (%s) is set aside: %s", (long long)row + 1,
                id, reason);
    ++*told;
    return ORR_OK;
}

static orr_status tell_plan(orr_fetch *f)
{
    orr_catalogue_counts n = orr_catalogue_count(f->catalogue);
    int told = 0;

    if (n.aside > 0) ORR_TRY(orr_catalogue_aside(f->catalogue, tell_aside, &told));
    if (told > ASIDE_TOLD)
        orr_log(ORR_WARN, "fetch", "%d more rows are set aside", told - ASIDE_TOLD);
    orr_context_print(
        f->context,
        "%s: %lld rows: %lld objects, %lld merged, %lld set aside; %lld fields in %d bands\n",
        f->o->catalogue.file, (long long)n.rows, (long long)n.objects, (long long)n.merged,
        (long long)n.aside, (long long)n.fields, f->bands.n);
    return ORR_OK;
}

/* Rank 0's preparation: a fetch needs where objects are, not what they are. */
static orr_status prepare(orr_fetch *f, const char *plan)
{
    orr_catalogue_opts c = f->o->catalogue;

    c.target.n = c.classes.n = c.class_names.n = c.aux.n = 0;
    c.label = "";
    ORR_TRY(orr_make_dirs(f->folder));
    ORR_TRY(orr_manifest_lock(&f->lock, f->folder));
    ORR_TRY(orr_manifest_merge(f->folder));
    return orr_catalogue_build(plan, &c, orr_archive_fields(f->archive),
                               orr_archive_field_is_int(f->archive),
                               orr_archive_n_fields(f->archive), PART_OBJECTS, PART_FIELDS);
}

/* Among orrery's own files: all else in the folder is frames.  The lock is held: it is this job's to write. */
static void open_status(orr_fetch *f)
{
    char path[ORR_PATH_MAX];

    if (f->context->rank != 0 ||
        orr_path_join(path, f->folder, ".orrery/" ORR_STATUS_FILE) != ORR_OK)
        return;
    orr_run_status_open(&f->status, f->context, path, "fetch", "frames", "MiB");
    f->standing.total = f->n_tasks;
    orr_run_status_set(f->status, &f->standing);
}

static orr_status name_plan(const orr_fetch *f, char plan[ORR_PATH_MAX])
{
    char dir[ORR_PATH_MAX];

    ORR_TRY(orr_path_join(dir, f->folder, ".orrery"));
    return orr_path_join(plan, dir, "fetch-plan.sqlite");
}

static orr_status open_plan(orr_fetch *f, const char *plan)
{
    ORR_TRY(orr_catalogue_open(&f->catalogue, plan));
    ORR_TRY(orr_manifest_open(&f->manifest, f->folder, f->context->rank));
    f->n_tasks = orr_catalogue_count(f->catalogue).fields * f->bands.n;
    return ORR_OK;
}

static orr_status check_plan(orr_fetch *f)
{
    open_status(f);
    ORR_TRY(orr_archive_check_places(f->archive, f->catalogue));
    return tell_plan(f);
}

static orr_status make_plan(orr_fetch *f)
{
    char plan[ORR_PATH_MAX];

    ORR_TRY(orr_phase(f->context, NULL, name_plan(f, plan)));
    ORR_TRY(orr_phase_root(f->context, "plan", prepare(f, plan)));
    ORR_TRY(orr_phase(f->context, NULL, open_plan(f, plan)));
    return orr_phase_root(f->context, NULL, check_plan(f));
}

/* ---- end ---- */
/* All know the counts, so all say the same. */
static orr_status verdict(orr_fetch *f)
{
    const int64_t *n = f->counts;
    int64_t known =
        n[ORR_FETCH_THERE] + n[ORR_FETCH_FETCHED] + n[ORR_FETCH_MISSING] + n[ORR_FETCH_FAILED];
    orr_status st = ORR_OK;

    if (n[ORR_FETCH_FAILED] > 0)
        st = orr_fail(ORR_ERR_IO,
                      "%lld of %lld frames failed; start again to try them again (%s/manifest.csv "
                      "says why)",
                      (long long)n[ORR_FETCH_FAILED], (long long)f->n_tasks, f->folder);
    else if (n[ORR_FETCH_MISSING] > 0 && strcmp(f->o->missing, "fail") == 0)
        st = orr_fail(ORR_ERR_IO,
                      "the archive does not have %lld of %lld frames (%s/manifest.csv names them); "
                      "missing=allow goes on without them",
                      (long long)n[ORR_FETCH_MISSING], (long long)f->n_tasks, f->folder);
    else if (known != f->n_tasks)
        st = orr_fail(ORR_ERR_INTERNAL, "%lld frames, %lld accounted for", (long long)f->n_tasks,
                      (long long)known);
    return st == ORR_OK ? ORR_OK : orr_phase_same(f->context, st);
}

/* What was noted is kept whatever happened; the first failure, which all know of, is told. */
static orr_status finish(orr_fetch *f, orr_status st)
{
    orr_error first;
    orr_status end, last;

    if (st == ORR_ERR_COMM || st == ORR_ERR_TIMEOUT) return st;
    orr_error_take(&first, st);
    orr_manifest_close(f->manifest);
    f->manifest = NULL;
    ORR_TRY(orr_comm_barrier(f->context->world)); /* all journals are closed */
    end = orr_phase_root(f->context, NULL, orr_manifest_merge(f->folder));
    if (st == ORR_OK && end != ORR_OK) return end;
    last = orr_fetch_report(f);
    if (st == ORR_OK) return last == ORR_OK ? verdict(f) : last;
    return orr_phase_same(f->context, orr_error_raise(&first));
}

static orr_status fetch_all(orr_fetch *f)
{
    orr_status st;

    ORR_TRY(orr_phase(f->context, NULL, orr_archive_create(&f->archive, &f->o->archive)));
    ORR_TRY(make_plan(f));
    st = f->o->check ? orr_fetch_check(f) : ORR_OK;
    if (st == ORR_OK) st = orr_phase_joint(f->context, orr_fetch_download(f));
    return finish(f, st);
}

static void close_all(orr_fetch *f)
{
    orr_counter *all[] = { f->deal, f->frames, f->bytes, f->bad[0], f->bad[1], f->bad[2] };

    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        orr_counter_destroy(all[i]);
    orr_meeting_destroy(f->meeting);
    orr_manifest_close(f->manifest);
    orr_manifest_unlock(f->lock);
    orr_catalogue_close(f->catalogue);
    orr_archive_destroy(f->archive);
    orr_free(f);
}

orr_status orr_fetch_run(orr_context *context, const orr_fetch_opts *o)
{
    orr_fetch *f = orr_alloc(1, sizeof *f);
    orr_status st =
        orr_phase(context, NULL, f ? ORR_OK : orr_fail(ORR_ERR_NOMEM, "out of memory: fetch"));

    if (st == ORR_OK) {
        *f = (orr_fetch){ .context = context, .o = o, .lock = -1, .field_number = -1 };
        f->folder = *o->archive.folder ? o->archive.folder : ".";
        f->bands = orr_catalogue_bands(&o->catalogue);
        f->standing = (orr_standing)ORR_STANDING_INIT;
        st = fetch_all(f);
        orr_run_status_end(f->status, st);
    }
    if (f) close_all(f);
    return st;
}
