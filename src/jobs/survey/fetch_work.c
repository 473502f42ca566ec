/* jobs/survey/fetch_work.c - a rank's part of a fetch.
 *
 * Frames are numbered field after field, band after band, and dealt one at a time by a counter.
 * Ranks end when they will, and meet (jobs/context/meeting.h). */
#include "core/log.h"
#include "core/memory.h"
#include "core/threads.h"
#include "core/timeline.h"
#include "jobs/context/heartbeat.h"
#include "jobs/context/phase.h"
#include "jobs/context/signals.h"
#include "jobs/survey/fetch.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

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
static orr_status name_frame(orr_fetch *f, int64_t task, frame *r)
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

static orr_status name_urls(orr_fetch *f, int64_t task, frame *r)
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

static orr_status tell_status(orr_fetch *f, int64_t frames, int64_t bytes)
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

static orr_status show(orr_fetch *f, double now)
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
        "stopped by a signal; what was fetched is kept, parts too; start again to go on");
}

/* Time to stop?  Also draws the progress line. */
static orr_status look(orr_fetch *f, int *stop)
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

static orr_status start_phase(orr_fetch *f, const char *name)
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
    f->standing.phase = name;
    if (f->context->rank == 0 && f->o->runtime.progress)
        (void)orr_progress_create(&f->progress, name, "frames", f->n_tasks);
    return ORR_OK;
}

static orr_status end_phase(orr_fetch *f, orr_status st)
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
static orr_status check_frame(orr_fetch *f, int64_t task, orr_proof level, frame *r)
{
    int64_t bytes;
    orr_status st;

    ORR_TRY(name_frame(f, task, r));
    ORR_TRY(orr_manifest_find(f->manifest, r->name, &r->note));
    if (!is_there(r, &bytes)) return ORR_OK;
    st = orr_prove_file(r->path, level);
    if (st != ORR_ERR_FORMAT) return st;
    orr_log(ORR_WARN, "fetch", "%s; it is removed and fetched again", orr_error_text());
    orr_error_clear();
    f->counts[ORR_FETCH_DAMAGED]++;
    if (unlink(r->path) == 0) return ORR_OK;
    return orr_fail(ORR_ERR_IO, "%s: damaged, and cannot be removed", r->path);
}

/* Frames off the counter until there are no more, or all are to stop. */
static orr_status check_frames(orr_fetch *f, orr_proof level, frame *r)
{
    int64_t task = 0;
    int stop = 0;

    for (;;) {
        ORR_TRY(look(f, &stop));
        if (stop) return ORR_OK;
        ORR_TRY(orr_counter_next(f->deal, 1, &task));
        if (task >= f->n_tasks) return ORR_OK;
        orr_heartbeat_at("check", task);
        ORR_TRY(check_frame(f, task, level, r));
        ORR_TRY(count(f->frames, 1));
    }
}

orr_status orr_fetch_check(orr_fetch *f)
{
    frame *r = orr_alloc(1, sizeof *r);
    orr_proof level = ORR_PROOF_STRUCTURE;
    orr_status st;

    ORR_TRY_GOTO(st, done,
                 orr_phase(f->context, NULL,
                           r ? orr_proof_from_name(&level, f->o->archive.download.proof)
                             : orr_fail(ORR_ERR_NOMEM, "out of memory: a frame")));
    ORR_TRY_GOTO(st, done, start_phase(f, "check"));
    st = orr_phase_joint(f->context, end_phase(f, check_frames(f, level, r)));
done:
    orr_free(r);
    return st;
}

/* ---- download ---- */
/* Is the frame to be asked for?  If not, it is counted. */
static orr_status is_wanted(orr_fetch *f, frame *r, int *wanted)
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
        orr_fetch_reason_add(f, r->note.reason);
        return count(f->frames, 1);
    }
    *wanted = 1;
    return ORR_OK;
}

static orr_status make_folder_of(orr_fetch *f, const char *path)
{
    char dir[ORR_PATH_MAX];

    ORR_TRY(orr_path_dir(dir, path));
    if (strcmp(dir, f->made) == 0) return ORR_OK;
    ORR_TRY(orr_make_dirs(dir));
    memcpy(f->made, dir, strlen(dir) + 1);
    return ORR_OK;
}

static void fill_task(const orr_fetch *f, int64_t number, frame *r, orr_download_task *task)
{
    *task = (orr_download_task){
        .number = number, .n_urls = orr_archive_n_urls(f->archive), .path = r->path, .ctx = r
    };
    for (int i = 0; i < task->n_urls; i++)
        task->urls[i] = r->urls[i];
}

/* Transfers of a rank overlap: each gets a lane that no other is in. */
static void begin_span(orr_fetch *f, frame *r)
{
    r->span = orr_timeline_now();
    if (!r->span) return;
    r->lane = 0;
    while (r->lane < LANES - 1 && (f->lanes >> r->lane & 1))
        r->lane++;
    f->lanes |= (uint64_t)1 << r->lane;
}

static void end_span(orr_fetch *f, const frame *r)
{
    if (!r->span) return;
    orr_timeline_span_in(orr_timeline_lane("transfer", r->lane), "frame", r->span, r->name);
    f->lanes &= ~((uint64_t)1 << r->lane);
}

/* Passes over frames that are there, for a while, then lets the engine look after its transfers. */
static orr_status next_frame(void *ctx, orr_download_task *task, int *more, int *wait)
{
    orr_fetch *f = ctx;
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

static void tell(orr_fetch *f, const frame *r, const char *what, const char *reason)
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
    static const orr_fetch_count counts[] = { [ORR_DOWNLOAD_DONE] = ORR_FETCH_FETCHED,
                                              [ORR_DOWNLOAD_MISSING] = ORR_FETCH_MISSING,
                                              [ORR_DOWNLOAD_FAILED] = ORR_FETCH_FAILED };
    orr_fetch *f = ctx;
    frame *r = task->ctx;
    orr_status st;

    orr_heartbeat_at("fetch", task->number);
    end_span(f, r);
    f->counts[counts[o->end]]++;
    f->counts[ORR_FETCH_TRIES] += o->tries;
    f->counts[ORR_FETCH_BYTES] += o->bytes;
    f->counts[ORR_FETCH_RESUMED] += o->resumed;
    if (o->end != ORR_DOWNLOAD_DONE) {
        orr_fetch_reason_add(f, o->reason);
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
    orr_fetch *f = ctx;
    int stop = 0;

    return look(f, &stop) != ORR_OK || stop;
}

orr_status orr_fetch_download(orr_fetch *f)
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
