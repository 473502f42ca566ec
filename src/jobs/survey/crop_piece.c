/* jobs/survey/crop_piece.c - fields to cubes.
 * A frame of one field and band is a task; threads take tasks in order, so at most `threads` frames
 * are unpacked at a time.  Each task fills its band of its objects' cubes.  When all are done,
 * objects with a stamp in every band are moved together and written.  A field with more objects
 * than fit into memory is done in several pieces; its frames stay open from one to the next. */
#include "jobs/survey/crop_piece.h"
#include "core/memory.h"
#include "jobs/context/signals.h"

#include <omp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
    KEPT_FRAMES = 8 /* unpacked at once for a field in several pieces; more are unpacked anew */
};

/* A frame while it is used. */
typedef struct open_frame {
    orr_crop_bytes packed;
    orr_frame *frame;
    int taken;
} open_frame;

/* How a task ended. */
typedef struct frame_state {
    orr_aside end;
    int width, height;
    char units[ORR_DATA_NAME_MAX], sky[ORR_SKY_TEXT], reason[ORR_CROP_REASON];
} frame_state;

typedef struct piece {
    orr_cropper *k;
    const orr_crop_part *part;
    int first_field, n_fields; /* within the part */
    int64_t first;             /* object */
    int n, n_bands;
    orr_survey_object *objects;
    double *ra, *dec;
    orr_rows rows;
    orr_band_result *results; /* [n_bands][n] */
    frame_state *states;      /* [n_fields][n_bands] */
    open_frame *kept;         /* [n_bands], of a field in several pieces; NULL otherwise */
    int next_task;            /* shared by threads */
} piece;

void orr_cropper_fail(orr_cropper *k, orr_status st)
{
#pragma omp critical(orr_cropper_failed)
    orr_error_keep(&k->failed, st);
    __atomic_store_n(&k->stop, 1, __ATOMIC_SEQ_CST);
}

static int stopping(orr_cropper *k)
{
    return __atomic_load_n(&k->stop, __ATOMIC_SEQ_CST) || orr_stop_requested();
}

/* ---- one frame ---- */
static orr_status get_bytes(piece *p, int field, int band, orr_crop_bytes *out)
{
    orr_cropper *k = p->k;
    orr_status st = ORR_PENDING;

    if (!k->stream) return orr_crop_read(k->c, &p->part->fields[field], band, out);
    while (st == ORR_PENDING && !stopping(k)) {
        st = orr_crop_stream_take(k->stream, p->part->number, field, band, out);
        if (st == ORR_PENDING && omp_get_thread_num() == 0) k->between(k->ctx);
    }
    return st;
}

static void close_frame(piece *p, open_frame *f)
{
    orr_frame_close(f->frame);
    f->frame = NULL;
    orr_crop_bytes_free(p->k->stream, &f->packed);
}

/* The sentence of this thread is why. */
static void set_damaged(piece *p, open_frame *f)
{
    orr_crop_set_damaged(&f->packed);
    close_frame(p, f);
}

/* A frame that serves several pieces must not turn out damaged after the first of them. */
static orr_status unpack_all(orr_frame *f)
{
    float last;

    return orr_frame_read(f, 0, orr_frame_height(f) - 1, 1, 1, &last);
}

static orr_status open_bytes(piece *p, open_frame *f)
{
    const orr_crop *c = p->k->c;

    const orr_frame_opts o = { .sky = *c->o->crop.sky ? &c->frame_sky : NULL,
                               .max_unpacked = c->o->archive.download.max_unpacked };

    ORR_TRY(orr_frame_open(&f->frame, f->packed.bytes, f->packed.n, &o, f->packed.name));
    if (p->k->sums) ORR_TRY(orr_frame_check_sums(f->frame));
    return p->kept ? unpack_all(f->frame) : ORR_OK;
}

/* One band of the field's objects that lie in this piece. */
static orr_status cut_out(piece *p, int field, int band, open_frame *f, frame_state *s)
{
    const orr_crop *c = p->k->c;
    const orr_survey_field *of = &p->part->fields[field];
    int64_t a = of->first_object > p->first ? of->first_object : p->first,
            end = of->first_object + of->n_objects, stop = p->first + p->n;
    int at = (int)(a - p->first), n = (int)((end < stop ? end : stop) - a);
    size_t cube = orr_schema_x_bytes(&c->schema) / sizeof(float);

    s->width = orr_frame_width(f->frame);
    s->height = orr_frame_height(f->frame);
    orr_frame_keyword(f->frame, "BUNIT", s->units, sizeof s->units);
    orr_sky_text(orr_frame_sky(f->frame), s->sky, sizeof s->sky);
    return orr_cutout_band(&c->o->crop, f->frame, n, p->ra + at, p->dec + at, band, p->n_bands,
                           (float *)p->rows.x + (size_t)at * cube,
                           p->results + (size_t)band * (size_t)p->n + at);
}

static void do_frame(piece *p, int task)
{
    int field = p->first_field + task / p->n_bands, band = task % p->n_bands;
    frame_state *s = &p->states[task];
    open_frame own = { 0 }, *f = p->kept ? &p->kept[band] : &own;
    orr_status st = ORR_OK;

    if (!f->taken) {
        st = get_bytes(p, field, band, &f->packed);
        if (st == ORR_PENDING) return; /* stopping */
        if (st != ORR_OK) {
            orr_cropper_fail(p->k, st);
            return;
        }
        f->taken = 1;
    }
    if (f->packed.bytes) {
        if (!f->frame) st = open_bytes(p, f);
        if (st == ORR_OK) st = cut_out(p, field, band, f, s);
        if (orr_is_data_fault(st))
            set_damaged(p, f);
        else if (st != ORR_OK)
            orr_cropper_fail(p->k, st);
    }
    s->end = f->packed.end;
    snprintf(s->reason, sizeof s->reason, "%s", f->packed.reason);
    if (f == &own) {
        close_frame(p, f);
    } else if (p->n_bands > KEPT_FRAMES) {
        orr_frame_close(f->frame);
        f->frame = NULL;
    }
}

static void do_frames(piece *p)
{
    int n_tasks = p->n_fields * p->n_bands;

#pragma omp parallel num_threads(p->k->threads)
    {
        for (;;) {
            int task = __atomic_fetch_add(&p->next_task, 1, __ATOMIC_SEQ_CST);

            if (task >= n_tasks || stopping(p->k)) break;
            do_frame(p, task);
            __atomic_fetch_add(&p->k->frames, 1, __ATOMIC_SEQ_CST);
            if (omp_get_thread_num() == 0) p->k->between(p->k->ctx);
        }
    }
}

/* ---- what becomes of the objects ---- */
/* Bands of a field lie on pixels of one kind: their frames are of one size. */
static void compare_sizes(piece *p, int field, frame_state *out)
{
    const frame_state *s = &p->states[field * p->n_bands];
    const orr_strings *bands = &p->k->c->bands;

    for (int b = 1; b < p->n_bands; b++)
        if (s[b].width != s[0].width || s[b].height != s[0].height) {
            out->end = ORR_ASIDE_SIZE;
            snprintf(out->reason, sizeof out->reason,
                     "its frame in band %s is %d x %d pixels, in band %s %d x %d", bands->v[0],
                     s[0].width, s[0].height, bands->v[b], s[b].width, s[b].height);
            return;
        }
}

/* Is there a frame, in the lowest band, that sets all objects of the field aside? */
static frame_state judge_field(piece *p, int field, orr_crop_record *r)
{
    frame_state verdict = { .end = ORR_ASIDE_NO };

    for (int b = 0; b < p->n_bands; b++) {
        const frame_state *s = &p->states[field * p->n_bands + b];

        if (s->end == ORR_ASIDE_NO) {
            orr_crop_note(&r->units, s->units);
            orr_crop_note(&r->sky, s->sky);
        } else if (verdict.end == ORR_ASIDE_NO) {
            verdict = *s;
        }
        if (p->first == p->part->fields[p->first_field].first_object) { /* once a frame */
            r->counts.frames++;
            r->counts.bad_frames += s->end != ORR_ASIDE_NO;
        }
    }
    if (verdict.end == ORR_ASIDE_NO) compare_sizes(p, field, &verdict);
    if (verdict.end != ORR_ASIDE_NO && strcmp(p->k->c->o->on_bad_frame, "fail") == 0)
        orr_cropper_fail(p->k, orr_fail(ORR_ERR_FORMAT,
                                        "%s; put it right, or say on_bad_frame: list to go on "
                                        "without its objects",
                                        verdict.reason));
    return verdict;
}

/* Has the object a stamp in every band? */
static orr_aside judge_object(const piece *p, int i, char *reason, size_t bytes)
{
    for (int b = 0; b < p->n_bands; b++) {
        const orr_band_result *e = &p->results[(size_t)b * (size_t)p->n + (size_t)i];

        if (!e->aside) continue;
        snprintf(reason, bytes, "band %s: %s", p->k->c->bands.v[b], e->reason);
        return e->nans > 0 ? ORR_ASIDE_NAN : ORR_ASIDE_PLACE;
    }
    return ORR_ASIDE_NO;
}

static void keep_object(piece *p, int i, orr_crop_record *r)
{
    const orr_schema *s = &p->k->c->schema;
    const orr_survey_object *o = &p->objects[i];
    size_t to = (size_t)p->rows.n++, x = orr_schema_x_bytes(s), y = orr_schema_y_bytes(s),
           id = orr_schema_id_bytes(s);
    int64_t nans = 0;
    int moved = 0;

    if (to != (size_t)i) memcpy((char *)p->rows.x + to * x, (char *)p->rows.x + (size_t)i * x, x);
    if (s->y_type == ORR_Y_CLASS)
        memcpy((char *)p->rows.y + to * y, &o->label, y);
    else
        memcpy((char *)p->rows.y + to * y, o->y, y);
    if (s->id_type == ORR_ID_INT)
        memcpy((char *)p->rows.id + to * id, &o->id, id);
    else
        memcpy((char *)p->rows.id + to * id, o->id_text, strnlen(o->id_text, id));
    if (s->n_aux) memcpy(p->rows.aux + to * (size_t)s->n_aux, o->aux, orr_schema_aux_bytes(s));
    for (int b = 0; b < p->n_bands; b++) {
        const orr_band_result *e = &p->results[(size_t)b * (size_t)p->n + (size_t)i];
        moved |= e->moved;
        nans += e->nans;
    }
    r->counts.cubes++;
    r->counts.moved += moved;
    r->counts.nan_pixels += nans;
    r->counts.nan_cubes += nans > 0;
}

static void judge_objects(piece *p, orr_crop_record *r)
{
    int i = 0;

    for (int f = 0; f < p->n_fields; f++) {
        const orr_survey_field *of = &p->part->fields[p->first_field + f];
        frame_state field = judge_field(p, f, r);

        for (; i < p->n && p->first + i < of->first_object + of->n_objects; i++) {
            char reason[ORR_CROP_REASON];
            orr_aside why = field.end;

            snprintf(reason, sizeof reason, "%s", field.reason);
            if (why == ORR_ASIDE_NO) why = judge_object(p, i, reason, sizeof reason);
            r->counts.objects++;
            if (why == ORR_ASIDE_NO) {
                keep_object(p, i, r);
            } else {
                r->counts.aside[why]++;
                orr_crop_list_add(&r->list, p->objects[i].id_text, p->objects[i].row, reason);
            }
        }
    }
}

/* ---- pieces ---- */
static void free_piece(piece *p)
{
    orr_free(p->objects);
    orr_free(p->ra);
    orr_free(p->dec);
    orr_rows_free(&p->rows);
    orr_free(p->results);
    orr_free(p->states);
}

static orr_status load_objects(piece *p)
{
    size_t n = (size_t)p->n, bands = (size_t)p->n_bands;

    p->objects = orr_alloc(n, sizeof *p->objects);
    p->ra = orr_alloc(n, sizeof *p->ra);
    p->dec = orr_alloc(n, sizeof *p->dec);
    p->results = orr_alloc(n * bands, sizeof *p->results);
    p->states = orr_alloc((size_t)p->n_fields * bands, sizeof *p->states);
    if (orr_rows_alloc(&p->rows, &p->k->c->schema, p->n) != ORR_OK || !p->objects || !p->ra ||
        !p->dec || !p->results || !p->states)
        return orr_fail(ORR_ERR_NOMEM, "out of memory: cubes of %d objects", p->n);
    ORR_TRY(orr_catalogue_objects(p->k->c->catalogue, p->first, p->n, p->objects));
    for (int i = 0; i < p->n; i++) {
        p->ra[i] = p->objects[i].ra;
        p->dec[i] = p->objects[i].dec;
    }
    return ORR_OK;
}

/* Objects [first, first + n): those of whole fields, or some of one. */
static orr_status do_piece(orr_cropper *k, const orr_crop_part *part, int first_field, int n_fields,
                           int64_t first, int64_t n, open_frame *kept, orr_crop_record *r)
{
    const orr_shard_opts plain = { 0 };
    char path[ORR_PATH_MAX];
    piece p = { .k = k,
                .part = part,
                .first_field = first_field,
                .n_fields = n_fields,
                .first = first,
                .n = (int)n,
                .n_bands = k->c->bands.n,
                .kept = kept };
    orr_status st;

    ORR_TRY_GOTO(st, done, load_objects(&p));
    do_frames(&p);
    if (stopping(k)) goto done;
    judge_objects(&p, r);
    ORR_TRY_GOTO(st, done, orr_crop_piece_path(k->c, first, path));
    (void)unlink(path); /* of a start that was stopped before the part was finished */
    if (p.rows.n > 0)
        ORR_TRY_GOTO(
            st, done,
            orr_shard_write(k->c->parts, (int)first, &k->c->schema, &p.rows, NULL, &plain));
    st = orr_crop_record_add_piece(r, first, p.rows.n);
done:
    free_piece(&p);
    return st;
}

/* A field with more objects than a piece may have. */
static orr_status do_large_field(orr_cropper *k, const orr_crop_part *part, int field,
                                 orr_crop_record *r)
{
    const orr_survey_field *f = &part->fields[field];
    int n_bands = k->c->bands.n;
    int64_t most = (k->c->max_objects + 2) / 3; /* frames take the place of cubes */
    open_frame *kept = orr_alloc((size_t)n_bands, sizeof *kept);
    piece closing = { .k = k };
    orr_status st = kept ? ORR_OK : orr_fail(ORR_ERR_NOMEM, "out of memory: %d frames", n_bands);

    for (int64_t at = 0; st == ORR_OK && at < f->n_objects && !stopping(k); at += most) {
        int64_t left = f->n_objects - at, n = left < most ? left : most;

        st = do_piece(k, part, field, 1, f->first_object + at, n, kept, r);
    }
    for (int b = 0; kept && b < n_bands; b++)
        close_frame(&closing, &kept[b]);
    orr_free(kept);
    return st;
}

orr_status orr_crop_part_do(orr_cropper *k, const orr_crop_part *p, orr_crop_record *r)
{
    int64_t most = k->c->max_objects;
    orr_status st = ORR_OK;

    for (int f = 0; st == ORR_OK && f < p->n_fields && !stopping(k);) {
        int64_t n = 0;
        int last = f;

        while (last < p->n_fields && n + p->fields[last].n_objects <= most)
            n += p->fields[last++].n_objects;
        if (last == f) {
            st = do_large_field(k, p, f++, r);
        } else {
            st = do_piece(k, p, f, last - f, p->fields[f].first_object, n, NULL, r);
            f = last;
        }
    }
    return st == ORR_OK ? orr_error_raise(&k->failed) : st;
}
