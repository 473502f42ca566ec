/* jobs/survey/crop_parts.c - ranks take parts of the plan until none is left.
 * Parts differ in work and frames may be slow to come, so ranks reach the end far apart and meet
 * there (jobs/context/meeting.h). */
#include "core/log.h"
#include "core/memory.h"
#include "core/progress.h"
#include "core/timeline.h"
#include "data/survey/proof.h"
#include "jobs/context/meeting.h"
#include "jobs/context/phase.h"
#include "jobs/context/signals.h"
#include "jobs/survey/crop_piece.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_THREADS = 5 /* frames unpacked at once */ };

typedef struct worker {
    orr_crop *c;
    orr_cropper cropper;
    orr_meeting *meeting;
    orr_counter *parts, *frames; /* dealt; done, for the progress line */
    orr_counter *aside;          /* objects without a cube, for the status */
    orr_crop_part ahead; /* announced to the stream before its turn; fields NULL: there is none */
    int exhausted;
    orr_progress *progress;
    orr_crop_result *result;      /* of this rank until they are joined */
    int64_t units_part, sky_part; /* whose frames said result->units.first, ->sky.first */
} worker;

static void part_free(orr_crop_part *p)
{
    orr_free(p->fields);
    *p = (orr_crop_part){ 0 };
}

static orr_status part_load(orr_crop_part *p, orr_crop *c, int64_t number)
{
    int64_t n;

    *p = (orr_crop_part){ .number = number };
    ORR_TRY(orr_catalogue_part(c->catalogue, number, &p->first_field, &n));
    p->n_fields = (int)n;
    if (!(p->fields = orr_alloc((size_t)n, sizeof *p->fields)))
        return orr_fail(ORR_ERR_NOMEM, "out of memory: %d fields", p->n_fields);
    for (int f = 0; f < p->n_fields; f++)
        ORR_TRY(orr_catalogue_field(c->catalogue, p->first_field + f, &p->fields[f]));
    return ORR_OK;
}

static orr_status tell_status(worker *w, int64_t frames)
{
    orr_standing *s = &w->c->standing;

    s->done = frames;
    s->amount = (double)frames;
    ORR_TRY(orr_counter_next(w->aside, 0, &s->quarantined));
    s->quarantined += w->c->counts.aside;
    orr_run_status_set(w->c->status, s);
    return ORR_OK;
}

static orr_status tell_progress(worker *w)
{
    int64_t mine = __atomic_exchange_n(&w->cropper.frames, 0, __ATOMIC_SEQ_CST), before;

    ORR_TRY(orr_counter_next(w->frames, mine, &before));
    orr_progress_update(w->progress, before + mine, NULL);
    return w->c->status ? tell_status(w, before + mine) : ORR_OK;
}

/* ---- what parts give ---- */
/* The lowest part's word is the set's; another one's is told.  *part: whose word *to has. */
static void note_word(orr_crop_word *to, int64_t *part, const orr_crop_word *found, int64_t of)
{
    const orr_crop_word before = *to;

    if (found->first[0] && (*part < 0 || of < *part)) {
        memcpy(to->first, found->first, sizeof to->first);
        *part = of;
        orr_crop_note(to, before.first);
    }
    orr_crop_note(to, found->first);
    orr_crop_note(to, found->other);
}

static orr_status add_result(worker *w, const orr_crop_record *r)
{
    orr_crop_result *to = w->result;
    const int64_t *from = &r->counts.objects;
    int64_t before;
    orr_crop_piece *more = orr_realloc(to->pieces, (size_t)to->n_pieces,
                                       (size_t)(to->n_pieces + r->n_pieces), sizeof *more);

    if (!more && r->n_pieces > 0)
        return orr_fail(ORR_ERR_NOMEM, "out of memory: %" PRId64 " pieces", to->n_pieces);
    if (more) to->pieces = more;
    for (int i = 0; i < r->n_pieces; i++)
        to->pieces[to->n_pieces++] = r->pieces[i];
    for (int i = 0; i < ORR_CROP_COUNTS; i++)
        (&to->counts.objects)[i] += from[i];
    note_word(&to->units, &w->units_part, &r->units, r->part);
    note_word(&to->sky, &w->sky_part, &r->sky, r->part);
    return orr_counter_next(w->aside, r->counts.objects - r->counts.cubes, &before);
}

/* Was the part finished by an earlier start?  Then its record is read. */
static orr_status is_finished(worker *w, int64_t part, orr_crop_record *r, int *finished)
{
    char path[ORR_PATH_MAX];
    int64_t rows;

    *finished = 0;
    *r = (orr_crop_record){ .part = part };
    ORR_TRY(orr_crop_record_path(w->c, part, path));
    if (!orr_path_exists(path)) return ORR_OK;
    ORR_TRY(orr_crop_record_read(r, path));
    for (int i = 0; i < r->n_pieces; i++) {
        if (r->pieces[i].rows == 0) continue;
        ORR_TRY(orr_crop_piece_path(w->c, r->pieces[i].first, path));
        ORR_TRY(orr_shard_rows(path, &w->c->schema, &rows));
        if (rows != r->pieces[i].rows)
            return orr_fail(ORR_ERR_FORMAT,
                            "%s: has %" PRId64 " rows, its record says %" PRId64
                            "; remove %s and start anew",
                            path, rows, r->pieces[i].rows, w->c->tmp);
    }
    *finished = 1;
    return ORR_OK;
}

/* ---- the next part ---- */
/* Takes parts until one is not finished yet; p->fields NULL: there are no more. */
static orr_status take_part(worker *w, orr_crop_part *p)
{
    orr_crop_record r = { 0 };
    orr_status st = ORR_OK;
    int finished = 1;

    *p = (orr_crop_part){ 0 };
    while (st == ORR_OK && finished && !w->exhausted) {
        int64_t number;

        ORR_TRY(orr_counter_next(w->parts, 1, &number));
        w->exhausted = number >= w->c->counts.parts;
        if (w->exhausted) break;
        st = is_finished(w, number, &r, &finished);
        if (st == ORR_OK && finished) {
            w->result->parts_kept++;
            __atomic_fetch_add(&w->cropper.frames, (int)r.counts.frames, __ATOMIC_SEQ_CST);
            st = add_result(w, &r);
        }
        if (st == ORR_OK && !finished) st = part_load(p, w->c, number);
        orr_crop_record_free(&r);
    }
    if (st != ORR_OK) part_free(p);
    if (p->fields && w->cropper.stream)
        st = orr_crop_stream_announce(w->cropper.stream, p->number, p->first_field, p->fields,
                                      p->n_fields);
    return st;
}

static orr_status next_part(worker *w, orr_crop_part *p)
{
    if (!w->ahead.fields) return take_part(w, p);
    *p = w->ahead;
    w->ahead = (orr_crop_part){ 0 };
    return ORR_OK;
}

/* Between two frames, on the main thread: keeps the downloader busy, and hears of others' ends. */
static void between_frames(void *ctx)
{
    worker *w = ctx;
    orr_cropper *k = &w->cropper;
    int halted = 0;
    orr_status st = orr_meeting_look(w->meeting, &halted);

    if (halted) __atomic_store_n(&k->stop, 1, __ATOMIC_SEQ_CST);
    if (st == ORR_OK && k->stream && !w->ahead.fields && !w->exhausted &&
        orr_crop_stream_hungry(k->stream))
        st = take_part(w, &w->ahead);
    if (st == ORR_OK) st = tell_progress(w);
    if (st != ORR_OK) orr_cropper_fail(k, st);
}

static int stopped(const worker *w)
{
    return __atomic_load_n(&w->cropper.stop, __ATOMIC_SEQ_CST) || orr_stop_requested();
}

static orr_status do_part(worker *w, const orr_crop_part *p)
{
    orr_crop_record r = { .part = p->number };
    char path[ORR_PATH_MAX];
    orr_status st = orr_crop_part_do(&w->cropper, p, &r);

    if (st == ORR_OK && !stopped(w)) {
        st = orr_crop_record_path(w->c, p->number, path);
        if (st == ORR_OK) st = orr_crop_record_write(&r, path);
        if (st == ORR_OK) st = add_result(w, &r);
        if (w->cropper.stream) orr_crop_stream_drop(w->cropper.stream);
    }
    orr_crop_record_free(&r);
    return st;
}

static orr_status do_parts(worker *w)
{
    orr_crop_part p = { 0 };
    orr_status st = ORR_OK;

    while (st == ORR_OK && !stopped(w)) {
        int64_t span = orr_timeline_now();
        st = next_part(w, &p);
        if (st != ORR_OK || !p.fields) break;
        orr_phase_at(w->c->context, "crop", p.number);
        st = do_part(w, &p);
        orr_timeline_span("part", span, p.number);
        part_free(&p);
    }
    orr_crop_stream_destroy(w->cropper.stream);
    w->cropper.stream = NULL;
    part_free(&p);
    part_free(&w->ahead);
    if (st == ORR_OK) st = orr_error_raise(&w->cropper.failed);
    if (st == ORR_OK && orr_stop_requested())
        st = orr_fail(ORR_ERR_INTERRUPTED,
                      "stopped by a signal; finished parts are kept in %s, start again to resume",
                      w->c->tmp);
    return st;
}

static orr_status wait_on(void *ctx)
{
    return tell_progress(ctx);
}

/* Waits for the others for as long as they work, unless it has failed. */
static orr_status meet(worker *w, orr_status st)
{
    if (st == ORR_OK) st = orr_meeting_wait(w->meeting, wait_on, w);
    if (st != ORR_OK) orr_meeting_halt(w->meeting);
    return st == ORR_OK ? tell_progress(w) : st;
}

/* ---- what all ranks have ---- */
static int by_first(const void *a, const void *b)
{
    const orr_crop_piece *x = a, *y = b;

    return (x->first > y->first) - (x->first < y->first);
}

static orr_status join_pieces(worker *w, size_t *bytes)
{
    orr_context *context = w->c->context;
    orr_crop_result *r = w->result;
    orr_crop_piece *all;
    orr_status st;
    int64_t total = 0;
    size_t mine = (size_t)r->n_pieces * sizeof *r->pieces;

    for (int i = 0; i < context->size; i++)
        bytes[i] = i == context->rank ? mine : 0;
    ORR_TRY(orr_comm_allreduce(context->world, bytes, (size_t)context->size, ORR_I64, ORR_SUM));
    for (int i = 0; i < context->size; i++)
        total += (int64_t)(bytes[i] / sizeof *all);
    all = orr_alloc((size_t)total + 1, sizeof *all);
    st = orr_phase(context, NULL,
                   all ? ORR_OK
                       : orr_fail(ORR_ERR_NOMEM, "out of memory: %" PRId64 " pieces", total));
    if (st == ORR_OK) st = orr_comm_allgather(context->world, r->pieces, all, bytes);
    if (st == ORR_OK) {
        orr_free(r->pieces);
        r->pieces = all;
        r->n_pieces = total;
        all = NULL;
        qsort(r->pieces, (size_t)total, sizeof *r->pieces, by_first);
    }
    orr_free(all);
    return st;
}

typedef struct word_found {
    int64_t part;
    orr_crop_word word;
} word_found;

/* The word of the first part that has one, whoever did it. */
static orr_status join_word(worker *w, orr_crop_word *word, int64_t part, size_t *bytes)
{
    orr_context *context = w->c->context;
    word_found mine = { .part = part < 0 ? INT64_MAX : part, .word = *word }, *all;
    int first = 0;
    orr_status st;

    all = orr_alloc((size_t)context->size, sizeof *all);
    ORR_TRY_GOTO(
        st, done,
        orr_phase(context, NULL,
                  all ? ORR_OK
                      : orr_fail(ORR_ERR_NOMEM, "out of memory: %d ranks", context->size)));
    for (int i = 0; i < context->size; i++)
        bytes[i] = sizeof mine;
    ORR_TRY_GOTO(st, done, orr_comm_allgather(context->world, &mine, all, bytes));
    *word = (orr_crop_word){ "", "" };
    for (int i = 1; i < context->size; i++)
        if (all[i].part < all[first].part) first = i;
    orr_crop_note(word, all[first].word.first);
    for (int i = 0; i < context->size; i++) {
        orr_crop_note(word, all[i].word.first);
        orr_crop_note(word, all[i].word.other);
    }
done:
    orr_free(all);
    return st;
}

static orr_status join_results(worker *w)
{
    orr_context *context = w->c->context;
    orr_crop_result *r = w->result;
    size_t *bytes = orr_alloc((size_t)context->size, sizeof *bytes);
    orr_status st = orr_phase(
        context, NULL,
        bytes ? ORR_OK : orr_fail(ORR_ERR_NOMEM, "out of memory: %d ranks", context->size));

    if (st == ORR_OK)
        st = orr_comm_allreduce(context->world, &r->counts, ORR_CROP_COUNTS, ORR_I64, ORR_SUM);
    if (st == ORR_OK) st = orr_comm_allreduce(context->world, &r->parts_kept, 1, ORR_I64, ORR_SUM);
    if (st == ORR_OK) st = join_pieces(w, bytes);
    if (st == ORR_OK) st = join_word(w, &r->units, w->units_part, bytes);
    if (st == ORR_OK) st = join_word(w, &r->sky, w->sky_part, bytes);
    orr_free(bytes);
    return st;
}

/* Frames come over the network: a rank without a connection of its own takes no parts. */
static orr_status start_stream(worker *w)
{
    orr_crop *c = w->c;
    orr_download_opts share =
        orr_download_share(&c->o->archive.download, c->context->rank, c->context->size);

    w->exhausted = share.connections == 0;
    if (share.connections == 1 && c->context->size > c->o->archive.download.connections)
        orr_log0(ORR_WARN, "crop",
                 "archive.connections is %d: only so many of the %d ranks download and crop",
                 c->o->archive.download.connections, c->context->size);
    return w->exhausted ? ORR_OK : orr_crop_stream_start(&w->cropper.stream, c);
}

static orr_status begin(worker *w)
{
    orr_context *context = w->c->context;
    orr_proof level = ORR_PROOF_STRUCTURE;

    ORR_TRY(orr_phase_joint(context, orr_counter_create(&w->parts, context->world)));
    ORR_TRY(orr_phase_joint(context, orr_counter_create(&w->frames, context->world)));
    ORR_TRY(orr_phase_joint(context, orr_counter_create(&w->aside, context->world)));
    ORR_TRY(orr_meeting_create(&w->meeting, context));
    ORR_TRY(orr_proof_from_name(&level, w->c->o->archive.download.proof));
    w->cropper.sums = level == ORR_PROOF_FULL;
    return orr_phase(context, NULL, w->c->o->stream ? start_stream(w) : ORR_OK);
}

orr_status orr_crop_parts(orr_crop *c, orr_crop_result *r)
{
    int threads = c->context->threads < MOST_THREADS ? c->context->threads : MOST_THREADS;
    worker w = { .c = c, .result = r, .units_part = -1, .sky_part = -1 };
    orr_status st;

    w.cropper = (orr_cropper){ .c = c, .threads = threads, .between = between_frames, .ctx = &w };
    *r = (orr_crop_result){ 0 };
    orr_phase_at(c->context, "crop", -1);
    st = begin(&w);
    if (st == ORR_OK) {
        if (c->context->rank == 0 && c->o->runtime.progress)
            (void)orr_progress_create(&w.progress, "crop", "frames", c->counts.fields * c->bands.n);
        st = orr_phase_joint(c->context, meet(&w, do_parts(&w)));
        orr_progress_end(w.progress, NULL);
    }
    orr_crop_stream_destroy(w.cropper.stream);
    orr_meeting_destroy(w.meeting);
    orr_counter_destroy(w.aside);
    orr_counter_destroy(w.frames);
    orr_counter_destroy(w.parts);
    return st == ORR_OK ? join_results(&w) : st;
}
