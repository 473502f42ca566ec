/* jobs/survey/fetch.c - the frames of a catalogue's fields, from an archive to a folder.
 *
 * Phases: rank 0 takes the folder's lock, merges what an earlier start noted and makes the plan;
 * all open them; check (if asked); download; rank 0 merges again; report.  What is done is never
 * asked for again, so a start after any stop does only what is left.
 *
 * A rank's part: frames are numbered field after field, band after band, and dealt one at a time by
 * a counter.  Ranks end when they will, and meet (jobs/context/meeting.h). */
#include "jobs/survey/fetch.h"
#include "core/file.h"
#include "core/log.h"
#include "core/memory.h"
#include "core/progress.h"
#include "core/threads.h"
#include "core/timeline.h"
#include "data/survey/manifest.h"
#include "data/survey/proof.h"
#include "jobs/context/meeting.h"
#include "jobs/context/phase.h"
#include "jobs/context/run_status.h"
#include "jobs/context/runtime.h"
#include "jobs/context/signals.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Over all ranks once added up. */
typedef enum {
    ORR_FETCH_THERE,   /* frames that were there before */
    ORR_FETCH_FETCHED, /* frames that came now */
    ORR_FETCH_MISSING,
    ORR_FETCH_FAILED,
    ORR_FETCH_DAMAGED, /* frames that were there and failed their check */
    ORR_FETCH_BYTES,   /* of the frames that came */
    ORR_FETCH_RESUMED, /* of those, what an earlier try had brought */
    ORR_FETCH_TRIES,
    ORR_FETCH_COUNTS
} fetch_count;

enum { MOST_REASONS = 24 };
typedef struct fetch_reason {
    char kind[56]; /* "HTTP 503" */
    int64_t frames;
} fetch_reason;

typedef struct fetch {
    orr_context *context;
    const orr_fetch_opts *o;
    const char *folder;
    orr_archive *archive;
    orr_catalogue *catalogue;
    orr_manifest *manifest;
    orr_strings bands;
    int64_t n_tasks; /* fields x bands */
    orr_lock lock;   /* rank 0 */
    orr_meeting *meeting;
    orr_counter *deal, *frames, *bytes; /* next frame; done, for the progress line */
    orr_counter *bad[3];    /* missing, failed, tries beyond the first: for the status */
    orr_run_status *status; /* rank 0's */
    orr_standing standing;
    uint64_t lanes; /* of the timeline, that transfers are in */
    int64_t counts[ORR_FETCH_COUNTS];
    fetch_reason reasons[MOST_REASONS];
    int n_reasons, n_told;
    double seconds; /* of the download */
    /* where this rank stands */
    int64_t field_number;
    orr_survey_field field;
    char made[ORR_PATH_MAX]; /* the last folder that was made */
    double shown;
    orr_progress *progress;
} fetch;

/* ---- what became of all frames, in one table ---- */
static void add_reason(fetch *f, const char *kind, int64_t frames)
{
    int i = 0;

    while (i < f->n_reasons && strcmp(f->reasons[i].kind, kind) != 0)
        i++;
    if (i == MOST_REASONS) {
        i--; /* the last one stands for all others */
        snprintf(f->reasons[i].kind, sizeof f->reasons[i].kind, "other reasons");
    } else if (i == f->n_reasons) {
        snprintf(f->reasons[i].kind, sizeof f->reasons[i].kind, "%s", kind);
        f->n_reasons++;
    }
    f->reasons[i].frames += frames;
}

static void note_reason(fetch *f, const char *reason)
{
    char kind[sizeof f->reasons[0].kind];
    size_t n = strcspn(reason, ":");

    if (n >= sizeof kind) n = sizeof kind - 1;
    memcpy(kind, reason, n);
    kind[n] = '\0';
    add_reason(f, kind, 1);
}

/* Every rank's reasons, on rank 0. */
static orr_status gather_reasons(fetch *f)
{
    int size = f->context->size, root = f->context->rank == 0;
    size_t mine = sizeof f->reasons;
    fetch_reason *all = orr_alloc((size_t)size, mine);
    size_t *bytes = orr_alloc((size_t)size, sizeof *bytes);
    orr_status st;

    ORR_TRY_GOTO(st, done,
                 orr_phase(f->context, NULL,
                           all && bytes ? ORR_OK
                                        : orr_fail(ORR_ERR_NOMEM,
                                                   "out of memory: report of %d ranks", size)));
    for (int r = 0; r < size; r++)
        bytes[r] = mine;
    ORR_TRY_GOTO(st, done,
                 orr_comm_gather(f->context->world, f->reasons, root ? all : NULL, bytes, 0));
    for (int i = MOST_REASONS; root && i < size * MOST_REASONS; i++)
        if (all[i].frames > 0) add_reason(f, all[i].kind, all[i].frames);
done:
    orr_free(all);
    orr_free(bytes);
    return st;
}

static void print_table(const fetch *f)
{
    const int64_t *n = f->counts;
    double mib = (double)n[ORR_FETCH_BYTES] / 1048576,
           resumed = (double)n[ORR_FETCH_RESUMED] / 1048576, now = mib - resumed;
    int64_t done = n[ORR_FETCH_THERE] + n[ORR_FETCH_FETCHED];
    int64_t left = f->n_tasks - n[ORR_FETCH_THERE] - n[ORR_FETCH_FETCHED] - n[ORR_FETCH_MISSING] -
                   n[ORR_FETCH_FAILED];

    orr_context_print(f->context, "%s: %lld frames\n", f->folder, (long long)f->n_tasks);
    orr_context_print(f->context, "  done     %8lld  (%lld were there, %lld fetched now)\n",
                      (long long)done, (long long)n[ORR_FETCH_THERE],
                      (long long)n[ORR_FETCH_FETCHED]);
    orr_context_print(f->context, "  missing  %8lld\n  failed   %8lld\n",
                      (long long)n[ORR_FETCH_MISSING], (long long)n[ORR_FETCH_FAILED]);
    if (left > 0) orr_context_print(f->context, "  left     %8lld\n", (long long)left);
    if (n[ORR_FETCH_DAMAGED] > 0)
        orr_context_print(f->context, "  damaged  %8lld  (removed by check, and asked for again)\n",
                          (long long)n[ORR_FETCH_DAMAGED]);
    orr_context_print(f->context,
                      "  %.1f MiB in %lld tries, %.1f s, %.1f MiB/s; %.1f MiB more were resumed\n",
                      now, (long long)n[ORR_FETCH_TRIES], f->seconds,
                      f->seconds > 0 ? now / f->seconds : 0.0, resumed);
    for (int i = 0; i < f->n_reasons; i++)
        orr_context_print(f->context, "  %6lld  %s\n", (long long)f->reasons[i].frames,
                          f->reasons[i].kind);
    orr_context_print(f->context, "  %s%smanifest.csv tells of each frame\n", f->folder,
                      f->folder[strlen(f->folder) - 1] == '/' ? "" : "/");
}

/* Adds counts and reasons up on all ranks, rank 0 prints the table.  Collective. */
static orr_status tell_report(fetch *f)
{
    ORR_TRY(orr_comm_allreduce(f->context->world, f->counts, ORR_FETCH_COUNTS, ORR_I64, ORR_SUM));
    ORR_TRY(orr_comm_allreduce(f->context->world, &f->seconds, 1, ORR_F64, ORR_MAX));
    ORR_TRY(gather_reasons(f));
    print_table(f);
    return ORR_OK;
}

/* ---- a rank's part ---- */
enum { TOLD = 10 };                   /* failures that a rank logs */
static const double show_every = 0.2; /* seconds */

typedef struct frame {
    char path[ORR_PATH_MAX];
    char urls[ORR_DOWNLOAD_URLS][ORR_URL_MAX];
    const char *name; /* within the folder */
    orr_frame_note note;
    int64_t span; /* of the timeline; 0: none */
    int lane;
} frame;

enum { MISSING, FAILED, RETRIES, LANES = 64 };

/* ---- which frame ---- */
static orr_status name_frame(fetch *f, int64_t task, frame *r)
{
    int64_t field = task / f->bands.n;
    size_t n = strlen(f->folder);

    if (field != f->field_number) {
        ORR_TRY(orr_catalogue_field(f->catalogue, field, &f->field));
        f->field_number = field;
    }
    ORR_TRY(orr_archive_path(f->archive, &f->field, f->bands.v[task % f->bands.n], r->path));
    r->name = r->path + n;
    while (*r->name == '/')
        r->name++;
    return ORR_OK;
}

static orr_status name_urls(fetch *f, int64_t task, frame *r)
{
    for (int i = 0; i < orr_archive_n_urls(f->archive); i++)
        ORR_TRY(
            orr_archive_url(f->archive, i, &f->field, f->bands.v[task % f->bands.n], r->urls[i]));
    return ORR_OK;
}

/* A frame counts as there when it is a file that is not empty and as long as was noted. */
static int is_there(const frame *r, int64_t *bytes)
{
    struct stat s;

    if (stat(r->path, &s) != 0 || !S_ISREG(s.st_mode) || s.st_size == 0) return 0;
    *bytes = s.st_size;
    if (r->note.state != ORR_FRAME_DONE || r->note.bytes == s.st_size) return 1;
    orr_log(ORR_WARN, "fetch", "%s: %lld bytes, %lld were fetched; it is fetched again", r->path,
            (long long)s.st_size, (long long)r->note.bytes);
    return 0;
}

/* ---- all ranks together, by counting ---- */
static orr_status count(orr_counter *k, int64_t n)
{
    int64_t before;

    return orr_counter_next(k, n, &before);
}

static orr_status tell_status(fetch *f, int64_t frames, int64_t bytes)
{
    orr_standing *s = &f->standing;

    s->done = frames;
    s->amount = (double)bytes / 1048576;
    ORR_TRY(orr_counter_next(f->bad[MISSING], 0, &s->missing));
    ORR_TRY(orr_counter_next(f->bad[FAILED], 0, &s->failed));
    ORR_TRY(orr_counter_next(f->bad[RETRIES], 0, &s->retries));
    orr_run_status_set(f->status, s);
    return ORR_OK;
}

static orr_status show(fetch *f, double now)
{
    int64_t frames = 0, bytes = 0;
    char note[64];

    if ((!f->progress && !f->status) || now < f->shown + show_every) return ORR_OK;
    f->shown = now;
    ORR_TRY(orr_counter_next(f->frames, 0, &frames));
    ORR_TRY(orr_counter_next(f->bytes, 0, &bytes));
    if (f->status) ORR_TRY(tell_status(f, frames, bytes));
    snprintf(note, sizeof note, "%.1f MiB/s", (double)bytes / 1048576 / (now - f->seconds));
    orr_progress_update(f->progress, frames, bytes > 0 ? note : NULL);
    return ORR_OK;
}

static orr_status interrupted(void)
{
    return orr_fail(
        ORR_ERR_INTERRUPTED,
        "stopped by a signal; what was fetched is kept, parts too; start again to resume");
}

/* Time to stop?  Also draws the progress line. */
static orr_status look(fetch *f, int *stop)
{
    ORR_TRY(orr_meeting_look(f->meeting, stop));
    if (*stop) return ORR_OK;
    if (!orr_stop_requested()) return show(f, orr_now());
    *stop = 1;
    return interrupted();
}

/* While others are still at work. */
static orr_status wait_on(void *ctx)
{
    return orr_stop_requested() ? interrupted() : show(ctx, orr_now());
}

static orr_status start_phase(fetch *f, const char *name)
{
    orr_counter **all[] = { &f->deal,         &f->frames,      &f->bytes,
                            &f->bad[MISSING], &f->bad[FAILED], &f->bad[RETRIES] };

    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        orr_counter_destroy(*all[i]);
        *all[i] = NULL;
        ORR_TRY(orr_phase_joint(f->context, orr_counter_create(all[i], f->context->world)));
    }
    orr_meeting_destroy(f->meeting);
    ORR_TRY(orr_meeting_create(&f->meeting, f->context));
    f->field_number = -1;
    f->seconds = orr_now();
    orr_phase_at(f->context, name, -1);
    if (f->context->rank == 0 && f->o->runtime.progress)
        (void)orr_progress_create(&f->progress, name, "frames", f->n_tasks);
    return ORR_OK;
}

static orr_status end_phase(fetch *f, orr_status st)
{
    if (st == ORR_OK) st = orr_meeting_wait(f->meeting, wait_on, f);
    if (st != ORR_OK) orr_meeting_halt(f->meeting);
    f->shown = 0;
    if (st == ORR_OK) st = show(f, orr_now());
    orr_progress_end(f->progress, NULL);
    f->progress = NULL;
    f->seconds = orr_now() - f->seconds;
    return st;
}

/* ---- check ---- */
static orr_status check_frame(fetch *f, int64_t task, orr_proof_opts proof, frame *r)
{
    int64_t bytes;
    orr_status st;

    ORR_TRY(name_frame(f, task, r));
    ORR_TRY(orr_manifest_find(f->manifest, r->name, &r->note));
    if (!is_there(r, &bytes)) return ORR_OK;
    st = orr_prove_file(r->path, proof);
    if (st != ORR_ERR_FORMAT) return st;
    orr_log(ORR_WARN, "fetch", "%s; it is removed and fetched again", orr_error_text());
    orr_error_clear();
    f->counts[ORR_FETCH_DAMAGED]++;
    if (unlink(r->path) == 0) return ORR_OK;
    return orr_fail(ORR_ERR_IO, "%s: damaged, and cannot be removed", r->path);
}

/* Frames off the counter until there are no more, or all are to stop. */
static orr_status check_frames(fetch *f, orr_proof_opts proof, frame *r)
{
    int64_t task = 0;
    int stop = 0;

    for (;;) {
        ORR_TRY(look(f, &stop));
        if (stop) return ORR_OK;
        ORR_TRY(orr_counter_next(f->deal, 1, &task));
        if (task >= f->n_tasks) return ORR_OK;
        orr_phase_at(f->context, "check", task);
        ORR_TRY(check_frame(f, task, proof, r));
        ORR_TRY(count(f->frames, 1));
    }
}

/* All frames that are there proved again; what fails is removed.  Collective. */
static orr_status check_there(fetch *f)
{
    frame *r = orr_alloc(1, sizeof *r);
    orr_proof_opts proof = { ORR_PROOF_STRUCTURE, f->o->archive.download.max_unpacked };
    orr_status st;

    ORR_TRY_GOTO(st, done,
                 orr_phase(f->context, NULL,
                           r ? orr_proof_from_name(&proof.level, f->o->archive.download.proof)
                             : orr_fail(ORR_ERR_NOMEM, "out of memory: a frame")));
    ORR_TRY_GOTO(st, done, start_phase(f, "check"));
    st = orr_phase_joint(f->context, end_phase(f, check_frames(f, proof, r)));
done:
    orr_free(r);
    return st;
}

/* ---- download ---- */
/* Is the frame to be asked for?  If not, it is counted. */
static orr_status is_wanted(fetch *f, frame *r, int *wanted)
{
    int64_t bytes = 0;

    *wanted = 0;
    ORR_TRY(orr_manifest_find(f->manifest, r->name, &r->note));
    if (is_there(r, &bytes)) {
        f->counts[ORR_FETCH_THERE]++;
        if (r->note.state != ORR_FRAME_DONE) {
            r->note =
                (orr_frame_note){ .state = ORR_FRAME_DONE, .tries = r->note.tries, .bytes = bytes };
            ORR_TRY(orr_manifest_note(f->manifest, r->name, &r->note));
        }
        return count(f->frames, 1);
    }
    if (r->note.state == ORR_FRAME_MISSING && !f->o->retry_missing) {
        f->counts[ORR_FETCH_MISSING]++;
        ORR_TRY(count(f->bad[MISSING], 1));
        note_reason(f, r->note.reason);
        return count(f->frames, 1);
    }
    *wanted = 1;
    return ORR_OK;
}

static orr_status make_folder_of(fetch *f, const char *path)
{
    char dir[ORR_PATH_MAX];

    ORR_TRY(orr_path_dir(dir, path));
    if (strcmp(dir, f->made) == 0) return ORR_OK;
    ORR_TRY(orr_make_dirs(dir));
    memcpy(f->made, dir, strlen(dir) + 1);
    return ORR_OK;
}

static void fill_task(const fetch *f, int64_t number, frame *r, orr_download_task *task)
{
    *task = (orr_download_task){
        .number = number, .n_urls = orr_archive_n_urls(f->archive), .path = r->path, .ctx = r
    };
    for (int i = 0; i < task->n_urls; i++)
        task->urls[i] = r->urls[i];
}

/* Transfers of a rank overlap: each gets a lane that no other is in. */
static void begin_span(fetch *f, frame *r)
{
    r->span = orr_timeline_now();
    if (!r->span) return;
    r->lane = 0;
    while (r->lane < LANES - 1 && (f->lanes >> r->lane & 1))
        r->lane++;
    f->lanes |= (uint64_t)1 << r->lane;
}

static void end_span(fetch *f, const frame *r)
{
    if (!r->span) return;
    orr_timeline_span_in(orr_timeline_lane("transfer", r->lane), "frame", r->span, r->name);
    f->lanes &= ~((uint64_t)1 << r->lane);
}

/* Passes over frames that are there, for a while, then lets the engine look after its transfers. */
static orr_status next_frame(void *ctx, orr_download_task *task, int *more, int *wait)
{
    fetch *f = ctx;
    frame *r = orr_alloc(1, sizeof *r);
    double until = orr_now() + 0.02;
    orr_status st = r ? ORR_OK : orr_fail(ORR_ERR_NOMEM, "out of memory: a frame");
    int64_t number = 0;

    *more = *wait = 0;
    while (st == ORR_OK && !*more && !*wait) {
        ORR_TRY_GOTO(st, done, orr_counter_next(f->deal, 1, &number));
        if (number >= f->n_tasks) break;
        ORR_TRY_GOTO(st, done, name_frame(f, number, r));
        ORR_TRY_GOTO(st, done, is_wanted(f, r, more));
        *wait = !*more && orr_now() > until;
    }
    if (st == ORR_OK && *more) {
        ORR_TRY_GOTO(st, done, name_urls(f, number, r));
        ORR_TRY_GOTO(st, done, make_folder_of(f, r->path));
        begin_span(f, r);
        fill_task(f, number, r, task);
        r = NULL;
    }
done:
    orr_free(r);
    return st;
}

static void tell(fetch *f, const frame *r, const char *what, const char *reason)
{
    if (f->n_told < TOLD) orr_log(ORR_WARN, "fetch", "%s: %s: %s", r->name, what, reason);
    if (f->n_told == TOLD) orr_log(ORR_WARN, "fetch", "further ones are in the manifest alone");
    f->n_told++;
}

static orr_status frame_done(void *ctx, const orr_download_task *task, orr_download_outcome *o)
{
    static const orr_frame_state states[] = { [ORR_DOWNLOAD_DONE] = ORR_FRAME_DONE,
                                              [ORR_DOWNLOAD_MISSING] = ORR_FRAME_MISSING,
                                              [ORR_DOWNLOAD_FAILED] = ORR_FRAME_FAILED };
    static const fetch_count counts[] = { [ORR_DOWNLOAD_DONE] = ORR_FETCH_FETCHED,
                                          [ORR_DOWNLOAD_MISSING] = ORR_FETCH_MISSING,
                                          [ORR_DOWNLOAD_FAILED] = ORR_FETCH_FAILED };
    fetch *f = ctx;
    frame *r = task->ctx;
    orr_status st;

    orr_phase_at(f->context, "fetch", task->number);
    end_span(f, r);
    f->counts[counts[o->end]]++;
    f->counts[ORR_FETCH_TRIES] += o->tries;
    f->counts[ORR_FETCH_BYTES] += o->bytes;
    f->counts[ORR_FETCH_RESUMED] += o->resumed;
    if (o->end != ORR_DOWNLOAD_DONE) {
        note_reason(f, o->reason);
        tell(f, r, o->end == ORR_DOWNLOAD_MISSING ? "missing" : "failed", o->reason);
    }
    r->note = (orr_frame_note){ .state = states[o->end],
                                .tries = r->note.tries + o->tries,
                                .bytes = o->bytes };
    snprintf(r->note.reason, sizeof r->note.reason, "%s", o->reason);
    st = orr_manifest_note(f->manifest, r->name, &r->note);
    if (st == ORR_OK) st = count(f->frames, 1);
    if (st == ORR_OK) st = count(f->bytes, o->bytes - o->resumed);
    if (st == ORR_OK) st = count(f->bad[MISSING], o->end == ORR_DOWNLOAD_MISSING);
    if (st == ORR_OK) st = count(f->bad[FAILED], o->end == ORR_DOWNLOAD_FAILED);
    if (st == ORR_OK) st = count(f->bad[RETRIES], o->tries > 1 ? o->tries - 1 : 0);
    orr_free(r);
    return st;
}

/* The engine asks several times a second. */
static int should_stop(void *ctx)
{
    fetch *f = ctx;
    int stop = 0;

    return look(f, &stop) != ORR_OK || stop;
}

/* What is not there is fetched.  Collective; the status is this rank's, ORR_OK when another rank's
 * failure or signal ended it. */
static orr_status fetch_missing(fetch *f)
{
    orr_download_opts o =
        orr_download_share(&f->o->archive.download, f->context->rank, f->context->size);
    orr_download_calls calls = {
        .next = next_frame, .done = frame_done, .stop = should_stop, .ctx = f
    };
    orr_status st = ORR_OK;

    ORR_TRY(start_phase(f, "fetch"));
    ORR_TRY(orr_phase(f->context, NULL, o.connections > 0 ? orr_download_start() : ORR_OK));
    if (o.connections > 0) {
        st = orr_download_run(&o, &calls);
        orr_download_end_all();
    }
    if (st == ORR_ERR_INTERRUPTED && orr_stop_requested())
        st = interrupted();
    else if (st == ORR_ERR_INTERRUPTED)
        st = ORR_OK; /* another rank says why */
    return end_phase(f, st);
}

/* ---- the whole ---- */
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

static orr_status tell_plan(fetch *f)
{
    orr_catalogue_counts n = orr_catalogue_count(f->catalogue);
    int told = 0;

    if (n.aside > 0) ORR_TRY(orr_catalogue_aside(f->catalogue, tell_aside, &told));
    if (told > ASIDE_TOLD)
        orr_log(ORR_WARN, "fetch",
                "%d more rows are set aside; orrery crop lists all of them in quarantine.csv",
                told - ASIDE_TOLD);
    if (n.rounded)
        orr_log(ORR_WARN, "fetch",
                "%lld ids end in 000, as numbers do that were rounded (in a spreadsheet, say): "
                "different objects may share one; get them again as texts (docs/formats.md)",
                (long long)n.rounded);
    orr_context_print(
        f->context,
        "%s: %lld rows: %lld objects, %lld merged, %lld set aside; %lld fields in %d bands\n",
        f->o->catalogue.file, (long long)n.rows, (long long)n.objects, (long long)n.merged,
        (long long)n.aside, (long long)n.fields, f->bands.n);
    return ORR_OK;
}

/* Rank 0's preparation: a fetch needs where objects are, not what they are. */
static orr_status prepare(fetch *f, const char *plan)
{
    orr_catalogue_opts c = f->o->catalogue;

    c.target.n = c.classes.n = c.class_names.n = c.aux.n = 0;
    c.target_kind = "";
    c.label = "";
    ORR_TRY(orr_make_dirs(f->folder));
    ORR_TRY(orr_manifest_lock(&f->lock, f->folder));
    ORR_TRY(orr_manifest_merge(f->folder));
    return orr_catalogue_build(plan, &c, orr_archive_fields(f->archive),
                               orr_archive_field_is_int(f->archive),
                               orr_archive_n_fields(f->archive), PART_OBJECTS, PART_FIELDS);
}

/* Among orrery's own files: all else in the folder is frames.  The lock is held: it is this job's
 * to write. */
static void open_status(fetch *f)
{
    char path[ORR_PATH_MAX];

    if (f->context->rank != 0 ||
        orr_path_join(path, f->folder, ".orrery/" ORR_STATUS_FILE) != ORR_OK)
        return;
    orr_run_status_open(&f->status, f->context, path, "fetch", "frames", "MiB");
    f->standing.total = f->n_tasks;
    orr_run_status_set(f->status, &f->standing);
}

static orr_status name_plan(const fetch *f, char plan[ORR_PATH_MAX])
{
    char dir[ORR_PATH_MAX];

    ORR_TRY(orr_path_join(dir, f->folder, ".orrery"));
    return orr_path_join(plan, dir, "fetch-plan.sqlite");
}

static orr_status open_plan(fetch *f, const char *plan)
{
    ORR_TRY(orr_catalogue_open(&f->catalogue, plan));
    ORR_TRY(orr_manifest_open(&f->manifest, f->folder, f->context->rank));
    f->n_tasks = orr_catalogue_count(f->catalogue).fields * f->bands.n;
    return ORR_OK;
}

static orr_status check_plan(fetch *f)
{
    open_status(f);
    ORR_TRY(orr_archive_check_places(f->archive, f->catalogue));
    return tell_plan(f);
}

static orr_status make_plan(fetch *f)
{
    char plan[ORR_PATH_MAX];

    ORR_TRY(orr_phase(f->context, NULL, name_plan(f, plan)));
    ORR_TRY(orr_phase_root(f->context, "plan", prepare(f, plan)));
    ORR_TRY(orr_phase(f->context, NULL, open_plan(f, plan)));
    return orr_phase_root(f->context, NULL, check_plan(f));
}

/* ---- end ---- */
/* All know the counts, so all say the same. */
static orr_status verdict(fetch *f)
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
static orr_status finish(fetch *f, orr_status st)
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
    last = tell_report(f);
    if (st == ORR_OK) return last == ORR_OK ? verdict(f) : last;
    return orr_phase_same(f->context, orr_error_raise(&first));
}

static orr_status fetch_all(fetch *f)
{
    orr_status st;

    ORR_TRY(orr_phase(f->context, NULL, orr_archive_create(&f->archive, &f->o->archive)));
    ORR_TRY(make_plan(f));
    st = f->o->check ? check_there(f) : ORR_OK;
    if (st == ORR_OK) st = orr_phase_joint(f->context, fetch_missing(f));
    return finish(f, st);
}

static void close_all(fetch *f)
{
    orr_counter *all[] = { f->deal, f->frames, f->bytes, f->bad[0], f->bad[1], f->bad[2] };

    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        orr_counter_destroy(all[i]);
    orr_meeting_destroy(f->meeting);
    orr_manifest_close(f->manifest);
    orr_lock_release(&f->lock);
    orr_catalogue_close(f->catalogue);
    orr_archive_destroy(f->archive);
    orr_free(f);
}

orr_status orr_fetch_run(orr_context *context, const orr_fetch_opts *o)
{
    fetch *f = orr_alloc(1, sizeof *f);
    orr_status st =
        orr_phase(context, NULL, f ? ORR_OK : orr_fail(ORR_ERR_NOMEM, "out of memory: fetch"));

    if (st == ORR_OK) {
        *f = (fetch){ .context = context, .o = o, .lock = ORR_LOCK_INIT, .field_number = -1 };
        f->folder = *o->archive.folder ? o->archive.folder : ".";
        f->bands = orr_catalogue_bands(&o->catalogue);
        f->standing = (orr_standing)ORR_STANDING_INIT;
        st = fetch_all(f);
        orr_run_status_end(f->status, st);
    }
    if (f) close_all(f);
    return st;
}
