/* core/timeline.c - a ring of spans, and the thread that writes them.
 * The ring is the bounded queue of D. Vyukov (1024cores.net, 2010), many producers, here one
 * consumer: cell i is free for the ticket t = i, i + N, ... when its turn is t, and full when it is
 * t + 1. */
#include "core/timeline.h"
#include "core/log.h"
#include "core/memory.h"
#include "core/out_file.h"
#include "core/threads.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
    CELLS = 16384, /* a power of two; 2 MiB */
    PAGE = 4096,   /* no event lies across a border of so many bytes in the file */
    BUFFER = 16 * PAGE,
    EVENT_MAX = 1024, /* bytes of an event in the file */
    PERIOD_MS = 250,
    SAVED_NS = 1000000, /* of a thread's time for recording, saved or owed at most */
    MAX_STRIDE = 1 << 20
};

int orr_timeline_is_on;
__thread int orr_timeline_is_muted;

typedef struct event {
    const char *name;
    int64_t began, ended, number; /* ns, ns, < 0: none */
    int lane, says_lane;          /* says_lane: no span, the lane's name */
    char text[ORR_TIMELINE_TEXT];
} event;

typedef struct cell {
    _Atomic uint64_t turn;
    event e;
} cell;

typedef struct lane {
    const char *name;
    int number;
} lane;

typedef struct timeline {
    cell *cells;
    _Atomic uint64_t tail, head; /* next ticket; next to be written */
    _Atomic int64_t dropped, units, muted;
    double share;
    int64_t cost; /* of a span, ns: the thread's and the writer's */
    atomic_int leaving, woken;
    atomic_uint start; /* counts openings: what threads remember of lanes ends with one */
    sem_t wake;
    pthread_t thread;
    int64_t shift; /* ns that this host's clock is behind the picture's */
    int rank;
    char path[ORR_PATH_MAX];
    /* the writer's */
    int fd, failed;
    int64_t at, max; /* bytes in the file and the buffer; at most */
    size_t used;
    char *buffer;
    /* lanes */
    pthread_mutex_t lock;
    int n_lanes, n_unnamed;
    lane lanes[ORR_TIMELINE_LANES];
} timeline;

static timeline t = { .fd = -1, .lock = PTHREAD_MUTEX_INITIALIZER };
static _Thread_local unsigned lane_start;
static _Thread_local int lane_here;

/* A thread's time for recording: its units give, spans take. */
static _Thread_local struct purse {
    unsigned start; /* which opening it is of */
    int64_t ns, last, stride;
} purse;

int64_t orr_timeline_clock(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* ---- into the ring ---- */
static void wake_writer(void)
{
    if (!atomic_exchange_explicit(&t.woken, 1, memory_order_relaxed)) sem_post(&t.wake);
}

/* A cell to fill, NULL: there is none. */
static cell *take_cell(uint64_t *ticket)
{
    uint64_t at = atomic_load_explicit(&t.tail, memory_order_relaxed);

    for (;;) {
        cell *c = &t.cells[at & (CELLS - 1)];
        int64_t ahead = (int64_t)(atomic_load_explicit(&c->turn, memory_order_acquire) - at);

        if (ahead == 0 && atomic_compare_exchange_weak_explicit(
                              &t.tail, &at, at + 1, memory_order_relaxed, memory_order_relaxed)) {
            *ticket = at;
            return c;
        }
        if (ahead < 0) return NULL;
        if (ahead > 0) at = atomic_load_explicit(&t.tail, memory_order_relaxed);
    }
}

static void push(const char *name, const event *like, const char *text)
{
    uint64_t ticket;
    cell *c = take_cell(&ticket);
    size_t n = text ? strlen(text) : 0;

    if (!c) {
        atomic_fetch_add_explicit(&t.dropped, 1, memory_order_relaxed);
        return;
    }
    c->e.name = name;
    c->e.began = like->began;
    c->e.ended = like->ended;
    c->e.number = like->number;
    c->e.lane = like->lane;
    c->e.says_lane = like->says_lane;
    if (n >= sizeof c->e.text) {
        text += n - (sizeof c->e.text - 1);
        n = sizeof c->e.text - 1;
    }
    if (n) memcpy(c->e.text, text, n);
    c->e.text[n] = '\0';
    atomic_store_explicit(&c->turn, ticket + 1, memory_order_release);
    if (ticket - atomic_load_explicit(&t.head, memory_order_relaxed) > CELLS / 2) wake_writer();
}

/* ---- units ---- */
static void open_purse(unsigned start, int64_t now)
{
    purse = (struct purse){ .start = start, .ns = SAVED_NS, .last = now, .stride = 1 };
}

/* Whether this unit is recorded: never between multiples of the stride, which grows when the purse
 * is empty and shrinks when it is full. */
static int is_recorded(int64_t number, int64_t now)
{
    if (t.share >= 1) return 1;
    purse.ns += (int64_t)((double)(now - purse.last) * t.share);
    if (purse.ns > SAVED_NS) purse.ns = SAVED_NS;
    purse.last = now;
    if (number & (purse.stride - 1)) return 0;
    if (purse.ns <= 0 && purse.stride < MAX_STRIDE)
        purse.stride *= 2;
    else if (purse.ns == SAVED_NS && purse.stride > 1)
        purse.stride /= 2;
    return purse.ns > 0;
}

int64_t orr_timeline_unit_begin(int64_t number)
{
    unsigned start = atomic_load_explicit(&t.start, memory_order_relaxed);
    int64_t now = orr_timeline_clock();
    int recorded;

    if (purse.start != start) open_purse(start, now);
    recorded = is_recorded(number, now);
    orr_timeline_is_muted = !recorded;
    atomic_fetch_add_explicit(&t.units, 1, memory_order_relaxed);
    if (!recorded) atomic_fetch_add_explicit(&t.muted, 1, memory_order_relaxed);
    return recorded ? now : 0;
}

/* ---- lanes ---- */
static void say_lane(int number)
{
    event e = { .lane = number, .number = t.lanes[number].number, .says_lane = 1 };

    push(t.lanes[number].name, &e, NULL);
}

static int lane_of(const char *name, int number)
{
    int i = 0;

    while (i < t.n_lanes && (t.lanes[i].number != number || strcmp(t.lanes[i].name, name) != 0))
        i++;
    if (i == ORR_TIMELINE_LANES) return 0;
    if (i == t.n_lanes) {
        t.lanes[t.n_lanes++] = (lane){ name, number };
        say_lane(i);
    }
    return i;
}

int orr_timeline_lane(const char *name, int number)
{
    int i;

    if (!__atomic_load_n(&orr_timeline_is_on, __ATOMIC_RELAXED)) return 0;
    pthread_mutex_lock(&t.lock);
    i = lane_of(name, number);
    pthread_mutex_unlock(&t.lock);
    return i;
}

void orr_timeline_thread(const char *name, int number)
{
    if (!__atomic_load_n(&orr_timeline_is_on, __ATOMIC_RELAXED)) return;
    lane_here = orr_timeline_lane(name, number);
    lane_start = atomic_load(&t.start);
}

static int own_lane(void)
{
    if (lane_start != atomic_load_explicit(&t.start, memory_order_relaxed)) {
        pthread_mutex_lock(&t.lock);
        lane_here = lane_of("thread", ++t.n_unnamed);
        pthread_mutex_unlock(&t.lock);
        lane_start = atomic_load(&t.start);
    }
    return lane_here;
}

void orr_timeline_record(const char *name, int64_t began, int64_t number, const char *text,
                         int at_lane)
{
    event e = { .began = began, .number = number };

    if (!__atomic_load_n(&orr_timeline_is_on, __ATOMIC_RELAXED)) return;
    e.ended = orr_timeline_clock();
    e.lane = at_lane < 0 ? own_lane() : at_lane;
    if (purse.ns > -SAVED_NS) purse.ns -= t.cost;
    push(name, &e, text);
}

/* ---- numbers and words ---- */
static char *put(char *p, const char *s)
{
    while (*s)
        *p++ = *s++;
    return p;
}

/* At least `digits` digits. */
static char *put_number(char *p, int64_t v, int digits)
{
    char reversed[24];
    int n = 0;
    uint64_t u = v < 0 ? 0 - (uint64_t)v : (uint64_t)v;

    if (v < 0) *p++ = '-';
    while (u > 0 || n < digits) {
        reversed[n++] = (char)('0' + u % 10);
        u /= 10;
    }
    while (n > 0)
        *p++ = reversed[--n];
    return p;
}

/* Nanoseconds as microseconds. */
static char *put_time(char *p, int64_t ns)
{
    if (ns < 0) {
        *p++ = '-';
        ns = -ns;
    }
    p = put_number(p, ns / 1000, 1);
    *p++ = '.';
    return put_number(p, ns % 1000, 3);
}

/* A word from outside, in quotes.  What is not ASCII may have been cut: it is not for JSON. */
static char *put_word(char *p, const char *s)
{
    char plain[ORR_ERROR_MAX], out[2 * ORR_ERROR_MAX];
    cJSON item = { .type = cJSON_String, .valuestring = plain };
    size_t n = 0;

    for (; s[n] && n < ORR_TIMELINE_TEXT; n++)
        plain[n] = (char)((unsigned char)s[n] < 0x80 ? s[n] : '?');
    plain[n] = '\0';
    return put(p, cJSON_PrintPreallocated(&item, out, sizeof out, 0) ? out : "\"?\"");
}

/* ---- the file ---- */
static void flush(void)
{
    size_t done = 0;

    while (done < t.used && !t.failed) {
        ssize_t n = write(t.fd, t.buffer + done, t.used - done);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) {
            t.failed = 1;
            orr_log(ORR_WARN, "timeline", "%s: %s; no more is written to it", t.path,
                    strerror(errno));
        } else
            done += (size_t)n;
    }
    /* What was half written is taken back to the last border that holds whole events. */
    if (t.failed && ftruncate(t.fd, (t.at - (int64_t)(t.used - done)) / PAGE * PAGE) != 0)
        orr_log(ORR_WARN, "timeline", "%s: its last event may be cut", t.path);
    t.used = 0;
}

/* One event, with what parts it from the one before. */
static int add(const char *text, size_t n)
{
    size_t in_page = (size_t)(t.at % PAGE), pad = in_page + n > PAGE ? PAGE - in_page : 0;

    if (t.failed || t.at + (int64_t)(pad + n) > t.max) return 0;
    if (t.used + pad + n > BUFFER) flush();
    if (t.failed) return 0;
    memset(t.buffer + t.used, ' ', pad);
    memcpy(t.buffer + t.used + pad, text, n);
    t.used += pad + n;
    t.at += (int64_t)(pad + n);
    return 1;
}

/* In EVENT_MAX bytes; returns how many there are. */
static size_t lay_out(char *line, const event *e)
{
    char *p = put(line, ",\n{\"ph\":\"");

    p = put(p, e->says_lane ? "M\",\"pid\":" : "X\",\"pid\":");
    p = put_number(p, t.rank, 1);
    p = put(p, ",\"tid\":");
    p = put_number(p, e->lane, 1);
    if (e->says_lane) {
        p = put(p, ",\"name\":\"thread_name\",\"args\":{\"name\":\"");
        p = put(p, e->name);
        if (e->number >= 0) p = put_number(put(p, " "), e->number, 1);
        p = put(p, "\"}}");
    } else {
        p = put_time(put(p, ",\"ts\":"), e->began + t.shift);
        p = put_time(put(p, ",\"dur\":"), e->ended - e->began);
        p = put(put(put(p, ",\"name\":\""), e->name), "\",\"args\":{");
        if (e->number >= 0) p = put_number(put(p, "\"number\":"), e->number, 1);
        if (e->text[0]) p = put_word(put(p, e->number >= 0 ? ",\"of\":" : "\"of\":"), e->text);
        p = put(p, "}}");
    }
    return (size_t)(p - line);
}

static void write_event(const event *e)
{
    char line[EVENT_MAX];

    if (!add(line, lay_out(line, e)))
        atomic_fetch_add_explicit(&t.dropped, 1, memory_order_relaxed);
}

/* What a span takes, ns: two readings of the clock and its line, of the best of some rounds; and as
 * much again for the ring and the file. */
static int64_t measure_cost(void)
{
    enum { ROUNDS = 8, SPANS = 32 };
    volatile size_t bytes = 0; /* or it would not be done */
    int64_t best = INT64_MAX;

    for (int r = 0; r < ROUNDS; r++) {
        char line[EVENT_MAX];
        int64_t began = orr_timeline_clock(), took;
        for (int i = 0; i < SPANS; i++) {
            event e = { .name = "span", .number = i };
            e.began = orr_timeline_clock();
            e.ended = orr_timeline_clock();
            bytes += lay_out(line, &e);
        }
        took = orr_timeline_clock() - began;
        if (took < best) best = took;
    }
    return 2 * best / SPANS + 1;
}

/* Who this is, and how it is ordered in the picture. */
static void write_head(const orr_timeline_opts *o)
{
    char line[2 * EVENT_MAX], name[ORR_TIMELINE_TEXT], *p;

    snprintf(name, sizeof name, "rank %d (%.60s)", o->rank, o->host);
    p = put_number(put(line, "[\n{\"ph\":\"M\",\"name\":\"process_name\",\"pid\":"), o->rank, 1);
    p = put(put_word(put(p, ",\"args\":{\"name\":"), name), "}}");
    p = put_number(put(p, ",\n{\"ph\":\"M\",\"name\":\"process_sort_index\",\"pid\":"), o->rank, 1);
    p = put(put_number(put(p, ",\"args\":{\"sort_index\":"), o->rank, 1), "}}");
    p = put_number(put(p, ",\n{\"ph\":\"M\",\"name\":\"clock\",\"pid\":"), o->rank, 1);
    p += snprintf(p, 128, ",\"args\":{\"offset_us\":%.3f,\"error_us\":%.3f}}", o->offset * 1e6,
                  o->error * 1e6);
    (void)add(line, (size_t)(p - line));
}

static void write_tail(void)
{
    char line[EVENT_MAX], *p;
    int64_t dropped = atomic_load(&t.dropped), muted = atomic_load(&t.muted);

    t.max += PAGE; /* room was left for this */
    if (dropped > 0 || muted > 0) {
        p = put_number(put(line, ",\n{\"ph\":\"M\",\"name\":\"dropped\",\"pid\":"), t.rank, 1);
        p = put_number(put(p, ",\"args\":{\"spans\":"), dropped, 1);
        p = put_number(put(p, ",\"units\":"), muted, 1);
        p = put(put_number(put(p, ",\"of_units\":"), atomic_load(&t.units), 1), "}}");
        (void)add(line, (size_t)(p - line));
    }
    (void)add("\n]\n", 3);
    flush();
}

/* ---- the thread ---- */
static void drain(void)
{
    uint64_t head = atomic_load_explicit(&t.head, memory_order_relaxed);

    for (;;) {
        cell *c = &t.cells[head & (CELLS - 1)];
        if (atomic_load_explicit(&c->turn, memory_order_acquire) != head + 1) break;
        write_event(&c->e);
        atomic_store_explicit(&c->turn, head + CELLS, memory_order_release);
        atomic_store_explicit(&t.head, ++head, memory_order_relaxed);
    }
    flush();
}

static void *run(void *ctx)
{
    (void)ctx;
    while (!atomic_load(&t.leaving)) {
        struct timespec until;

        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_nsec += PERIOD_MS * 1000000;
        until.tv_sec += until.tv_nsec / 1000000000;
        until.tv_nsec %= 1000000000;
        while (sem_timedwait(&t.wake, &until) != 0 && errno == EINTR)
            continue;
        atomic_store(&t.woken, 0);
        drain();
    }
    return NULL;
}

/* ---- life ---- */
static orr_status rank_path(char out[ORR_PATH_MAX], const char *folder, int rank, const char *end)
{
    char name[64];

    snprintf(name, sizeof name, "rank-%04d%s.json", rank, end);
    return orr_path_join(out, folder, name);
}

static orr_status open_file(const orr_timeline_opts *o)
{
    char before[ORR_PATH_MAX];

    ORR_TRY(orr_make_dirs(o->folder));
    ORR_TRY(rank_path(t.path, o->folder, o->rank, ""));
    ORR_TRY(rank_path(before, o->folder, o->rank, ".before"));
    if (rename(t.path, before) != 0 && errno != ENOENT)
        return orr_fail(ORR_ERR_IO, "%s: %s", t.path, strerror(errno));
    t.fd = open(t.path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (t.fd < 0) return orr_fail(ORR_ERR_IO, "%s: %s", t.path, strerror(errno));
    return ORR_OK;
}

static orr_status start_thread(void)
{
    int failed;

    if (sem_init(&t.wake, 0, 0) != 0) return orr_fail(ORR_ERR_IO, "timeline: %s", strerror(errno));
    failed = orr_thread_start(&t.thread, run, NULL);
    if (failed) {
        sem_destroy(&t.wake);
        return orr_fail(ORR_ERR_IO, "no thread for the timeline: %s", strerror(failed));
    }
    return ORR_OK;
}

static void free_all(void)
{
    if (t.fd >= 0) close(t.fd);
    orr_free(t.cells);
    orr_free(t.buffer);
    t.fd = -1;
    t.cells = NULL;
    t.buffer = NULL;
}

orr_status orr_timeline_open(const orr_timeline_opts *o)
{
    orr_status st = ORR_OK;

    if (t.fd >= 0) return orr_fail(ORR_ERR_EXISTS, "the timeline is open: %s", t.path);
    t.cells = orr_alloc(CELLS, sizeof *t.cells);
    t.buffer = orr_alloc(BUFFER, 1);
    if (!t.cells || !t.buffer) st = orr_fail(ORR_ERR_NOMEM, "out of memory: timeline");
    if (st == ORR_OK) st = open_file(o);
    if (st == ORR_OK) {
        for (uint64_t i = 0; i < CELLS; i++)
            atomic_init(&t.cells[i].turn, i);
        atomic_store(&t.tail, 0);
        atomic_store(&t.head, 0);
        atomic_store(&t.dropped, 0);
        atomic_store(&t.units, 0);
        atomic_store(&t.muted, 0);
        atomic_store(&t.leaving, 0);
        t.share = o->share;
        t.cost = measure_cost();
        atomic_fetch_add(&t.start, 1);
        t.shift = (int64_t)((o->offset - o->origin) * 1e9);
        t.rank = o->rank;
        t.failed = t.n_lanes = t.n_unnamed = 0;
        t.used = 0;
        t.at = 0;
        t.max = (int64_t)(o->max_mib * 1048576) - PAGE;
        write_head(o);
        st = start_thread();
    }
    if (st != ORR_OK) {
        free_all();
        return st;
    }
    __atomic_store_n(&orr_timeline_is_on, 1, __ATOMIC_RELEASE);
    orr_timeline_thread("main", -1);
    return ORR_OK;
}

void orr_timeline_close(orr_timeline_left_out *out)
{
    if (out) *out = (orr_timeline_left_out){ 0 };
    if (t.fd < 0) return;
    __atomic_store_n(&orr_timeline_is_on, 0, __ATOMIC_RELEASE);
    atomic_store(&t.leaving, 1);
    sem_post(&t.wake);
    pthread_join(t.thread, NULL);
    sem_destroy(&t.wake);
    drain();
    write_tail();
    if (out)
        *out = (orr_timeline_left_out){ atomic_load(&t.dropped), atomic_load(&t.muted),
                                        atomic_load(&t.units) };
    free_all();
}

/* ---- all ranks in one file ---- */
/* Behind the last whole event of a file, and the first byte of the first one. */
static orr_status find_ends(FILE *f, const char *path, off_t *first, off_t *last)
{
    char end[2 * PAGE];
    struct stat s;
    size_t n;

    *first = 1;
    *last = 0;
    if (fstat(fileno(f), &s) != 0) return orr_fail(ORR_ERR_IO, "%s: %s", path, strerror(errno));
    n = s.st_size < (off_t)sizeof end ? (size_t)s.st_size : sizeof end;
    if (fseeko(f, s.st_size - (off_t)n, SEEK_SET) != 0 || fread(end, 1, n, f) != n)
        return orr_fail(ORR_ERR_IO, "%s: cannot be read", path);
    while (n > 0 && end[n - 1] != '}')
        n--;
    if (n > 0)
        *last =
            s.st_size - (s.st_size < (off_t)sizeof end ? s.st_size : (off_t)sizeof end) + (off_t)n;
    return ORR_OK;
}

static orr_status copy_events(FILE *to, const char *path, char *buffer, size_t cap, int *found)
{
    FILE *f = fopen(path, "re");
    off_t at = 0, last = 0;
    orr_status st;

    if (!f) return ORR_OK; /* on a disk that is not seen from here, or there is none */
    st = find_ends(f, path, &at, &last);
    if (st == ORR_OK && at < last) {
        if (fseeko(f, at, SEEK_SET) != 0 || (*found > 0 && fputc(',', to) == EOF))
            st = orr_fail(ORR_ERR_IO, "%s: %s", path, strerror(errno));
        ++*found;
    }
    while (st == ORR_OK && at < last) {
        size_t want = last - at < (off_t)cap ? (size_t)(last - at) : cap;
        if (fread(buffer, 1, want, f) != want || fwrite(buffer, 1, want, to) != want)
            st = orr_fail(ORR_ERR_IO, "%s: cannot be copied", path);
        at += (off_t)want;
    }
    fclose(f);
    return st;
}

static orr_status merge_into(orr_out_file *to, const char *folder, int n, char *buffer, size_t cap,
                             int *found)
{
    static const char head[] = "{\"displayTimeUnit\":\"ms\",\"traceEvents\":[", tail[] = "\n]}\n";
    char one[ORR_PATH_MAX];

    ORR_TRY(orr_out_file_add(to, head, sizeof head - 1));
    for (int r = 0; r < n; r++) {
        ORR_TRY(rank_path(one, folder, r, ""));
        ORR_TRY(copy_events(to->f, one, buffer, cap, found));
    }
    return orr_out_file_add(to, tail, sizeof tail - 1);
}

orr_status orr_timeline_merge(const char *folder, int n, int *found)
{
    const size_t cap = (size_t)1 << 18;
    char path[ORR_PATH_MAX];
    char *buffer = orr_alloc(cap, 1);
    orr_out_file to;
    orr_status st = buffer ? ORR_OK : orr_fail(ORR_ERR_NOMEM, "out of memory: timeline");

    *found = 0;
    if (st == ORR_OK) st = orr_path_join(path, folder, "timeline.json");
    if (st == ORR_OK) st = orr_out_file_open(&to, path);
    if (st == ORR_OK) st = orr_out_file_close(&to, merge_into(&to, folder, n, buffer, cap, found));
    orr_free(buffer);
    return st;
}
