/* jobs/survey/crop_frames.c - packed frames: read from a folder, or by the downloader beside the
 * croppers.
 * Its thread runs the transfer engine, which asks for the next frame whenever it has room; it gets
 * one as long as the bytes that wait to be cropped, with those under way, stay below a bound.  The
 * frame wanted next is always under way or there, so waiting for it ends. */
#include "jobs/survey/crop_frames.h"
#include "core/memory.h"
#include "jobs/context/signals.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum {
    MOST_BYTES = 1 << 30,   /* of one frame on disk */
    AHEAD_BYTES = 40 << 20, /* packed frames of a rank that lie in memory or are under way */
    GUESS_BYTES = 4 << 20,  /* of a frame, before one was seen */
    WAIT_NS = 10000000
};

/* ---- one frame, from the folder ---- */
void orr_crop_set_damaged(orr_crop_bytes *out)
{
    out->end = ORR_ASIDE_DAMAGED;
    snprintf(out->reason, sizeof out->reason, "%s", orr_error_text());
    orr_error_clear();
}

/* Empties *out but for the name; path is where it lies on disk.  Values of which no name can be
 * made end as ORR_ASIDE_DAMAGED; what fails otherwise is the job's (a folder too deep). */
static orr_status name_frame(const orr_crop *c, const orr_survey_field *f, int band,
                             char path[ORR_PATH_MAX], orr_crop_bytes *out)
{
    orr_status st = orr_archive_path(c->archive, f, c->bands.v[band], path);

    *out = (orr_crop_bytes){ .end = ORR_ASIDE_NO };
    if (st == ORR_OK) snprintf(out->name, sizeof out->name, "%.255s", orr_path_name(path));
    if (!orr_is_data_fault(st)) return st;
    orr_crop_set_damaged(out);
    return ORR_OK;
}

static void set_missing(orr_crop_bytes *out)
{
    out->end = ORR_ASIDE_MISSING;
    snprintf(out->reason, sizeof out->reason, "%s: there is no such frame", out->name);
}

orr_status orr_crop_read(const orr_crop *c, const orr_survey_field *f, int band,
                         orr_crop_bytes *out)
{
    char path[ORR_PATH_MAX];
    char *bytes;
    orr_status st;

    ORR_TRY(name_frame(c, f, band, path, out));
    if (out->end != ORR_ASIDE_NO) return ORR_OK;
    if (!orr_path_exists(path)) {
        set_missing(out);
        return ORR_OK;
    }
    st = orr_read_file(&bytes, &out->n, path, MOST_BYTES);
    if (st == ORR_OK) {
        out->bytes = bytes;
        return ORR_OK;
    }
    if (!orr_is_data_fault(st)) return st;
    orr_crop_set_damaged(out);
    return ORR_OK;
}

/* ---- over the network ---- */
typedef struct request {
    enum { IDLE, UNDER_WAY, THERE, TAKEN } state;
    orr_download_end end;
    void *body;
    size_t bytes;
    char (*urls)[ORR_URL_MAX];
    char reason[256];
} request;

/* The frames of one part, field after field, band after band. */
typedef struct batch {
    struct batch *next;
    int64_t part, first_field;
    const orr_survey_field *fields;
    int n;
    request *requests;
} batch;

struct orr_crop_stream {
    const orr_crop *c;
    orr_download_opts options;
    int n_bands;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t change;
    batch *first, *at; /* all; where the next request is to be begun */
    int next;          /* in at */
    size_t held, guess;
    int waiting;     /* frames that are under way, or there and not yet taken */
    int ended;       /* the engine */
    orr_error error; /* it ended by */
    atomic_int stop;
};

/* ---- the engine's side: its thread ---- */
/* Writes the URLs of a request; they live until it is done. */
static orr_status fill_task(orr_crop_stream *s, batch *b, int i, orr_download_task *task)
{
    request *r = &b->requests[i];
    const orr_survey_field *f = &b->fields[i / s->n_bands];
    const char *band = s->c->bands.v[i % s->n_bands];
    int n = orr_archive_n_urls(s->c->archive);

    if (n > ORR_DOWNLOAD_URLS) n = ORR_DOWNLOAD_URLS;
    r->urls = orr_alloc((size_t)n, sizeof *r->urls);
    if (!r->urls) return orr_fail(ORR_ERR_NOMEM, "out of memory: URLs of a frame");
    *task = (orr_download_task){ .number = b->first_field * s->n_bands + i, .n_urls = n, .ctx = r };
    for (int k = 0; k < n; k++) {
        ORR_TRY(orr_archive_url(s->c->archive, k, f, band, r->urls[k]));
        task->urls[k] = r->urls[k];
    }
    return ORR_OK;
}

static void end_request(orr_crop_stream *s, request *r, orr_download_end end, const char *reason)
{
    orr_free(r->urls);
    r->urls = NULL;
    r->end = end;
    r->state = THERE;
    snprintf(r->reason, sizeof r->reason, "%s", reason);
    pthread_cond_broadcast(&s->change);
}

/* The next request to begin; NULL when all that were announced have begun. */
static request *next_request(orr_crop_stream *s)
{
    while (s->at && s->next == s->at->n) {
        if (!s->at->next) return NULL;
        s->at = s->at->next;
        s->next = 0;
    }
    return s->at ? &s->at->requests[s->next] : NULL;
}

static orr_status next_task(void *ctx, orr_download_task *task, int *more, int *wait)
{
    orr_crop_stream *s = ctx;
    orr_status st = ORR_OK;
    request *r;

    pthread_mutex_lock(&s->lock);
    *more = 0;
    *wait = 1; /* the end comes by stop */
    while (!*more && (r = next_request(s)) &&
           (s->waiting == 0 || s->held + s->guess <= AHEAD_BYTES)) {
        st = fill_task(s, s->at, s->next, task);
        if (st != ORR_OK && !orr_is_data_fault(st)) break;
        s->next++;
        s->waiting++;
        if (st == ORR_OK) {
            r->state = UNDER_WAY;
            r->bytes = s->guess;
            s->held += r->bytes;
            *more = 1;
        } else { /* a value that no URL can hold */
            end_request(s, r, ORR_DOWNLOAD_FAILED, orr_error_text());
            orr_error_clear();
            st = ORR_OK;
        }
    }
    pthread_mutex_unlock(&s->lock);
    return st;
}

static orr_status task_done(void *ctx, const orr_download_task *task, orr_download_outcome *outcome)
{
    orr_crop_stream *s = ctx;
    request *r = task->ctx;

    pthread_mutex_lock(&s->lock);
    s->held -= r->bytes;
    r->body = outcome->body;
    r->bytes = outcome->body ? (size_t)outcome->bytes : 0;
    outcome->body = NULL;
    s->held += r->bytes;
    if (r->bytes > s->guess) s->guess = r->bytes;
    end_request(s, r, outcome->end, outcome->reason);
    pthread_mutex_unlock(&s->lock);
    return ORR_OK;
}

static int asked_to_stop(void *ctx)
{
    orr_crop_stream *s = ctx;

    return atomic_load(&s->stop) || orr_stop_requested();
}

static void *engine(void *ctx)
{
    orr_crop_stream *s = ctx;
    const orr_download_calls calls = {
        .next = next_task, .done = task_done, .stop = asked_to_stop, .ctx = s
    };
    orr_status st = orr_download_run(&s->options, &calls);

    pthread_mutex_lock(&s->lock);
    s->ended = 1;
    orr_error_take(&s->error, st);
    pthread_cond_broadcast(&s->change);
    pthread_mutex_unlock(&s->lock);
    return NULL;
}

/* ---- the croppers' side ---- */
orr_status orr_crop_stream_start(orr_crop_stream **out, const orr_crop *c)
{
    orr_crop_stream *s = orr_alloc(1, sizeof *s);
    int rc;

    *out = NULL;
    if (!s) return orr_fail(ORR_ERR_NOMEM, "out of memory: a stream of frames");
    s->c = c;
    s->options = orr_download_share(&c->o->archive.download, c->context->rank, c->context->size);
    s->n_bands = c->bands.n;
    s->guess = GUESS_BYTES;
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->change, NULL);
    rc = pthread_create(&s->thread, NULL, engine, s);
    if (rc != 0) {
        orr_free(s);
        return orr_fail(ORR_ERR_IO, "cannot start the thread that downloads: %s", strerror(rc));
    }
    *out = s;
    return ORR_OK;
}

orr_status orr_crop_stream_announce(orr_crop_stream *s, int64_t part, int64_t first_field,
                                    const orr_survey_field *fields, int n_fields)
{
    batch *b = orr_alloc(1, sizeof *b), **end;

    if (b) b->requests = orr_alloc((size_t)n_fields * (size_t)s->n_bands, sizeof *b->requests);
    if (!b || !b->requests) {
        orr_free(b);
        return orr_fail(ORR_ERR_NOMEM, "out of memory: frames of %d fields", n_fields);
    }
    b->part = part;
    b->first_field = first_field;
    b->fields = fields;
    b->n = n_fields * s->n_bands;
    pthread_mutex_lock(&s->lock);
    for (end = &s->first; *end; end = &(*end)->next)
        continue;
    *end = b;
    if (!s->at) {
        s->at = b;
        s->next = 0;
    }
    pthread_mutex_unlock(&s->lock);
    return ORR_OK;
}

int orr_crop_stream_hungry(orr_crop_stream *s)
{
    int64_t left = 0;

    pthread_mutex_lock(&s->lock);
    for (const batch *b = s->at; b; b = b->next)
        left += b->n;
    left -= s->at ? s->next : 0;
    pthread_mutex_unlock(&s->lock);
    return left < 2 * s->n_bands;
}

static void wait_a_little(orr_crop_stream *s)
{
    struct timespec until;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += WAIT_NS;
    if (until.tv_nsec >= 1000000000) {
        until.tv_nsec -= 1000000000;
        until.tv_sec++;
    }
    pthread_cond_timedwait(&s->change, &s->lock, &until);
}

static request *find_request(orr_crop_stream *s, int64_t part, int i)
{
    for (batch *b = s->first; b; b = b->next)
        if (b->part == part) return &b->requests[i];
    return NULL;
}

static void hand_over(orr_crop_stream *s, request *r, orr_crop_bytes *out)
{
    s->waiting--;
    out->bytes = r->body;
    out->n = r->bytes;
    r->body = NULL;
    r->state = TAKEN;
    if (r->end == ORR_DOWNLOAD_MISSING) set_missing(out);
    if (r->end == ORR_DOWNLOAD_FAILED) {
        out->end = ORR_ASIDE_DAMAGED;
        snprintf(out->reason, sizeof out->reason, "%s: could not be fetched: %s", out->name,
                 r->reason);
    }
}

orr_status orr_crop_stream_take(orr_crop_stream *s, int64_t part, int field, int band,
                                orr_crop_bytes *out)
{
    orr_status st = ORR_OK;
    request *r;

    pthread_mutex_lock(&s->lock);
    r = find_request(s, part, field * s->n_bands + band);
    if (!r)
        st = orr_fail(ORR_ERR_INTERNAL, "part %lld was not announced", (long long)part);
    else if (r->state != THERE && !s->ended)
        wait_a_little(s);
    if (r && r->state == THERE) {
        char path[ORR_PATH_MAX];
        const batch *b = s->first;

        while (b->part != part)
            b = b->next;
        st = name_frame(s->c, &b->fields[field], band, path, out);
        hand_over(s, r, out);
    } else if (st == ORR_OK && s->ended) {
        st = orr_error_raise(&s->error);
        if (st == ORR_OK)
            st = orr_fail(ORR_ERR_INTERNAL, "the downloads ended before their last frame");
    } else if (st == ORR_OK) {
        st = ORR_PENDING;
    }
    pthread_mutex_unlock(&s->lock);
    return st;
}

void orr_crop_bytes_free(orr_crop_stream *s, orr_crop_bytes *b)
{
    if (s && b->bytes) {
        pthread_mutex_lock(&s->lock);
        s->held -= b->n;
        pthread_mutex_unlock(&s->lock);
    }
    orr_free(b->bytes);
    b->bytes = NULL;
}

static void free_batch(batch *b)
{
    for (int i = 0; i < b->n; i++) {
        orr_free(b->requests[i].urls);
        orr_free(b->requests[i].body);
    }
    orr_free(b->requests);
    orr_free(b);
}

void orr_crop_stream_drop(orr_crop_stream *s)
{
    batch *b;

    pthread_mutex_lock(&s->lock);
    b = s->first;
    if (b) {
        s->first = b->next;
        if (s->at == b) {
            s->at = b->next;
            s->next = 0;
        }
    }
    pthread_mutex_unlock(&s->lock);
    if (b) free_batch(b);
}

void orr_crop_stream_destroy(orr_crop_stream *s)
{
    if (!s) return;
    atomic_store(&s->stop, 1);
    pthread_join(s->thread, NULL);
    while (s->first)
        orr_crop_stream_drop(s);
    pthread_cond_destroy(&s->change);
    pthread_mutex_destroy(&s->lock);
    orr_free(s);
}
