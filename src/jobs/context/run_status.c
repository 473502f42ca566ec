/* jobs/context/run_status.c - the thread that writes a run's status file.
 * It takes no memory by core/memory.h: a training step asserts that none is taken meanwhile. */
#include "jobs/context/run_status.h"
#include "core/file.h"
#include "core/json.h"
#include "core/log.h"
#include "core/memory.h"
#include "core/threads.h"
#include "jobs/context/exit_code.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
    EARLIER_MAX = 16,
    TIME_TEXT = 32,
    RATES = 32 /* of half a second: 16 s */,
    FILE_MAX = 64 << 20
};
static const double period = 1, soonest = 0.1; /* seconds between two files; at a new phase */

/* What the other threads say, as the writer copies it. */
typedef struct said {
    orr_standing now;
    const char *phase;
    double phase_since; /* orr_now() */
    double moved;       /* orr_now() when done or phase last changed */
    time_t saved_at;    /* 0: not by this start */
    double base_at;     /* when this start knew first how far it was */
    int64_t base_done;  /* and how far that was; < 0: it does not know yet */
    int64_t load_steps;
    orr_straggler straggler;
    int ended;
} said;

struct orr_run_status {
    char path[ORR_PATH_MAX], tmp[ORR_PATH_MAX], host[ORR_PATH_MAX / 4];
    const char *command, *unit, *of;
    orr_context *context;
    orr_run_status *outer; /* the one whose place on the context this one has */
    const char *phase;     /* as s.phase, of the thread that works */
    int size, supervised;
    long long ticks; /* of the system, when this process began */
    double started, shown_at;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t news;
    int leaving, new_phase, begun; /* begun: it was told where the work stands */
    said s;
    orr_load *load; /* under the lock, as s */
    const orr_skew *skew;
    /* the writer's */
    orr_load *load_copy;
    cJSON *earlier;
    int starts, failed;
    double written, rate_at[RATES], rate_amount[RATES];
    int n_rates;
    /* the end */
    orr_status status;
    char sentence[ORR_ERROR_MAX];
};

/* ---- words and numbers ---- */
static void put_time(cJSON *o, const char *key, time_t at)
{
    char text[TIME_TEXT];
    struct tm utc;

    if (gmtime_r(&at, &utc) && strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &utc) > 0)
        cJSON_AddStringToObject(o, key, text);
}

/* orr_now()'s time as the calendar's. */
static time_t calendar(double at)
{
    return (time_t)((double)time(NULL) - (orr_now() - at) + 0.5);
}

static void put_known(cJSON *o, const char *key, double v)
{
    if (isfinite(v)) cJSON_AddNumberToObject(o, key, v);
}

static void put_count(cJSON *o, const char *key, int64_t v)
{
    if (v >= 0) cJSON_AddNumberToObject(o, key, (double)v);
}

static double micro(double seconds)
{
    return round(seconds * 1e6) * 1e-6;
}

/* ---- the file ---- */
static const char *state_name(const said *v, orr_status st)
{
    if (!v->ended) return "running";
    return st == ORR_OK ? "ended" : st == ORR_ERR_INTERRUPTED ? "interrupted" : "failed";
}

/* Amount a second over the last writes, ten seconds at most. */
static double rate_of(orr_run_status *s, double now, double amount)
{
    int n = s->n_rates < RATES ? s->n_rates : RATES, oldest = s->n_rates - n, last = s->n_rates - 1;

    if (amount < 0) return NAN;
    while (oldest < last && now - s->rate_at[oldest % RATES] > 10)
        oldest++;
    if (s->n_rates == 0 || now >= s->rate_at[last % RATES] + 0.5 * period) {
        s->rate_at[s->n_rates % RATES] = now;
        s->rate_amount[s->n_rates % RATES] = amount;
        s->n_rates++;
    }
    if (n == 0 || !(now > s->rate_at[oldest % RATES])) return NAN;
    if (amount < s->rate_amount[oldest % RATES]) return NAN; /* it went back, to a checkpoint */
    return (amount - s->rate_amount[oldest % RATES]) / (now - s->rate_at[oldest % RATES]);
}

static double seconds_left(const said *v, double now)
{
    double did = (double)(v->now.done - v->base_done), left = (double)(v->now.total - v->now.done);

    if (v->now.done < 0 || v->now.total < 0) return NAN;
    if (v->ended || left <= 0) return 0;
    return did > 0 ? left * (now - v->base_at) / did : NAN;
}

static void put_progress(orr_run_status *s, const said *v, cJSON *o, double now)
{
    const orr_standing *w = &v->now;
    cJSON *part;

    cJSON_AddStringToObject(o, "phase", v->phase);
    put_time(o, "phase_since", calendar(v->phase_since));
    cJSON_AddNumberToObject(o, "phase_rank", s->context->job_rank);
    cJSON_AddStringToObject(o, "unit", s->unit);
    put_count(o, "done", w->done);
    put_count(o, "total", w->total);
    put_count(o, "epoch", w->epoch);
    put_count(o, "epochs", w->epochs);
    put_known(o, "per_second", rate_of(s, now, w->amount));
    cJSON_AddStringToObject(o, "of", s->of);
    put_known(o, "seconds_left", round(10 * seconds_left(v, now)) / 10);
    put_known(o, "loss", w->loss);
    if (isfinite(w->best) && w->best_metric) {
        part = cJSON_AddObjectToObject(o, "best");
        cJSON_AddStringToObject(part, "metric", w->best_metric);
        cJSON_AddNumberToObject(part, "value", w->best);
        put_count(part, "epoch", w->best_epoch);
    }
    if (w->saved >= 0) {
        part = cJSON_AddObjectToObject(o, "checkpoint");
        put_count(part, "step", w->saved);
        if (v->saved_at) put_time(part, "time", v->saved_at);
    }
}

static void put_ranks(const orr_run_status *s, const said *v, cJSON *o)
{
    double n = (double)v->load_steps;
    cJSON *list, *part;

    if (v->load_steps <= 0) return;
    if (v->straggler.rank >= 0) {
        part = cJSON_AddObjectToObject(o, "straggler");
        cJSON_AddNumberToObject(part, "rank", v->straggler.rank);
        cJSON_AddStringToObject(part, "host", s->skew->host[v->straggler.rank]);
        cJSON_AddStringToObject(part, "cause", v->straggler.cause);
        cJSON_AddNumberToObject(part, "seconds", micro(v->straggler.seconds / n));
        cJSON_AddNumberToObject(part, "median", micro(v->straggler.median / n));
    } else
        cJSON_AddNullToObject(o, "straggler");
    list = cJSON_AddArrayToObject(o, "ranks");
    for (int r = 0; r < s->size; r++) {
        const orr_load *l = &s->load_copy[r];
        cJSON_AddItemToArray(list, part = cJSON_CreateObject());
        cJSON_AddNumberToObject(part, "rank", r);
        cJSON_AddStringToObject(part, "host", s->skew->host[r]);
        cJSON_AddNumberToObject(part, "compute", micro(l->compute / n));
        cJSON_AddNumberToObject(part, "wait", micro(l->wait / n));
        cJSON_AddNumberToObject(part, "input", micro(l->input / n));
    }
}

static void put_faults(const orr_standing *w, cJSON *o)
{
    cJSON *part = cJSON_AddObjectToObject(o, "faults");

    put_count(part, "skipped_steps", w->skipped);
    put_count(part, "recomputed_steps", w->recomputed);
    put_count(part, "retries", w->retries);
    put_count(part, "failed", w->failed);
    put_count(part, "missing", w->missing);
    put_count(part, "quarantined", w->quarantined);
}

static cJSON *compose(orr_run_status *s, const said *v)
{
    double now = orr_now();
    cJSON *o = cJSON_CreateObject();

    cJSON_AddStringToObject(o, "format", ORR_STATUS_FORMAT);
    cJSON_AddStringToObject(o, "version", ORRERY_VERSION);
    cJSON_AddStringToObject(o, "command", s->command);
    cJSON_AddStringToObject(o, "state", state_name(v, s->status));
    if (v->ended) cJSON_AddNumberToObject(o, "exit_code", orr_exit_code(s->status));
    if (v->ended && s->status != ORR_OK) cJSON_AddStringToObject(o, "sentence", s->sentence);
    cJSON_AddNumberToObject(o, "pid", getpid());
    cJSON_AddNumberToObject(o, "process_started", (double)s->ticks);
    cJSON_AddStringToObject(o, "host", s->host);
    cJSON_AddNumberToObject(o, "size", s->size);
    cJSON_AddBoolToObject(o, "supervised", s->supervised);
    put_time(o, "started", calendar(s->started));
    put_time(o, "updated", calendar(now));
    put_time(o, "moved", calendar(v->moved));
    put_progress(s, v, o, now);
    put_ranks(s, v, o);
    put_faults(&v->now, o);
    cJSON_AddNumberToObject(o, "starts", s->starts);
    cJSON_AddItemReferenceToObject(o, "earlier", s->earlier);
    return o;
}

/* renameat and streams: what tests count as calls that change a run are those of its results. */
static int put_file(const orr_run_status *s, const char *text)
{
    FILE *f = fopen(s->tmp, "we");
    int bad;

    if (!f) return -1;
    bad = fprintf(f, "%s\n", text) < 0;
    if ((fclose(f) | bad) != 0) return -1;
    return renameat(AT_FDCWD, s->tmp, AT_FDCWD, s->path);
}

static void write_now(orr_run_status *s, const said *v)
{
    cJSON *o = compose(s, v);
    char *text = cJSON_Print(o);

    errno = ENOMEM;
    if ((!text || put_file(s, text) != 0) && !s->failed) {
        s->failed = 1;
        orr_log(ORR_WARN, "status", "%s: %s; the job goes on, its status is old", s->path,
                strerror(errno));
    }
    cJSON_free(text);
    cJSON_Delete(o);
    s->written = orr_now();
}

/* ---- the thread ---- */
static void wait_until(orr_run_status *s, double at)
{
    struct timespec t = { .tv_sec = (time_t)at };

    t.tv_nsec = (long)((at - (double)t.tv_sec) * 1e9);
    (void)pthread_cond_timedwait(&s->news, &s->lock, &t);
}

static void *run(void *ctx)
{
    orr_run_status *s = ctx;
    said copy;

    pthread_mutex_lock(&s->lock);
    while (!s->leaving) {
        double now = orr_now(), due = s->written + (s->new_phase ? soonest : period);
        if (!s->begun) {
            pthread_cond_wait(&s->news, &s->lock);
            continue;
        }
        if (now < due) {
            wait_until(s, due);
            continue;
        }
        s->new_phase = 0;
        copy = s->s;
        if (s->load && copy.load_steps > 0)
            memcpy(s->load_copy, s->load, (size_t)s->size * sizeof *s->load);
        pthread_mutex_unlock(&s->lock);
        write_now(s, &copy);
        pthread_mutex_lock(&s->lock);
    }
    pthread_mutex_unlock(&s->lock);
    return NULL;
}

static orr_status start_thread(orr_run_status *s)
{
    pthread_condattr_t how;
    int failed;

    pthread_mutex_init(&s->lock, NULL);
    pthread_condattr_init(&how);
    pthread_condattr_setclock(&how, CLOCK_MONOTONIC);
    pthread_cond_init(&s->news, &how);
    pthread_condattr_destroy(&how);
    failed = orr_thread_start(&s->thread, run, s);
    return failed ? orr_fail(ORR_ERR_IO, "no thread for the status: %s", strerror(failed)) : ORR_OK;
}

/* ---- what was before ---- */
static void copy_item(cJSON *to, const cJSON *from, const char *key)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(from, key);

    if (item) cJSON_AddItemToObject(to, key, cJSON_Duplicate(item, 1));
}

/* An earlier start's file becomes a line of this one's; whatever is wrong with it, this one begins
 * anew. */
static void read_earlier(orr_run_status *s)
{
    static const char *const kept[] = { "started",  "updated", "state", "exit_code",
                                        "sentence", "phase",   "done",  "size" };
    char *text = NULL;
    size_t n;
    cJSON *o, *line;
    const cJSON *list;

    s->starts = 1;
    s->earlier = cJSON_CreateArray();
    if (!orr_path_exists(s->path) || orr_read_file(&text, &n, s->path, FILE_MAX) != ORR_OK) {
        orr_error_clear();
        return;
    }
    o = cJSON_ParseWithLength(text, n);
    orr_free(text);
    if (strcmp(orr_json_text(o, "format", ""), ORR_STATUS_FORMAT) == 0) {
        s->starts = 1 + (int)orr_json_get(o, "starts", 0);
        list = cJSON_GetObjectItemCaseSensitive(o, "earlier");
        if (cJSON_IsArray(list)) {
            cJSON_Delete(s->earlier);
            s->earlier = cJSON_Duplicate(list, 1);
        }
        line = cJSON_CreateObject();
        for (size_t i = 0; i < sizeof kept / sizeof *kept; i++)
            copy_item(line, o, kept[i]);
        cJSON_AddItemToArray(s->earlier, line);
        while (cJSON_GetArraySize(s->earlier) > EARLIER_MAX)
            cJSON_DeleteItemFromArray(s->earlier, 0);
    }
    cJSON_Delete(o);
}

long long orr_process_began(long long pid)
{
    char path[64], text[1024], *p;
    size_t n;
    FILE *f;

    snprintf(path, sizeof path, "/proc/%lld/stat", pid);
    if (!(f = fopen(path, "re"))) return 0;
    n = fread(text, 1, sizeof text - 1, f);
    fclose(f);
    text[n] = '\0';
    p = strrchr(text, ')');
    if (p && strncmp(p, ") Z", 3) == 0) return -1; /* ended, and nobody has asked how */
    for (int field = 2; p && field < 22; field++)
        p = strchr(p + 1, ' ');
    return p ? strtoll(p, NULL, 10) : 0;
}

/* ---- life ---- */
static void destroy(orr_run_status *s)
{
    if (!s) return;
    cJSON_Delete(s->earlier);
    orr_free(s->load);
    orr_free(s->load_copy);
    orr_free(s);
}

static orr_status prepare(orr_run_status *s, const orr_context *context, const char *path)
{
    ORR_TRY(orr_path_join(s->path, "", path));
    ORR_TRY(orr_tmp_path(s->tmp, path));
    s->size = context->size;
    s->load = orr_alloc((size_t)s->size, sizeof *s->load);
    s->load_copy = orr_alloc((size_t)s->size, sizeof *s->load_copy);
    if (!s->load || !s->load_copy) return orr_fail(ORR_ERR_NOMEM, "out of memory: status");
    snprintf(s->host, sizeof s->host, "%s", orr_comm_host(context->world));
    s->supervised = getenv("ORR_HEARTBEAT") != NULL;
    s->ticks = orr_process_began(getpid());
    s->started = context->started;
    s->shown_at = orr_now();
    s->written = s->shown_at - 2 * period;
    read_earlier(s);
    return start_thread(s);
}

void orr_run_status_open(orr_run_status **out, orr_context *context, const char *path,
                         const char *command, const char *unit, const char *of)
{
    static const orr_standing start = ORR_STANDING_INIT;
    orr_run_status *s;
    orr_status st;

    *out = NULL;
    if (context->rank != 0) return;
    s = orr_alloc(1, sizeof *s);
    st = s ? ORR_OK : orr_fail(ORR_ERR_NOMEM, "out of memory: status");
    if (s) {
        s->command = command;
        s->unit = unit;
        s->of = of;
        s->context = context;
        s->phase = "start";
        s->s = (said){ .now = start,
                       .phase = s->phase,
                       .phase_since = orr_now(),
                       .moved = orr_now(),
                       .base_done = -1,
                       .straggler = { .rank = -1 } };
        st = prepare(s, context, path);
    }
    if (st == ORR_OK) {
        s->outer = context->status;
        *out = context->status = s;
        return;
    }
    orr_log(ORR_WARN, "status", "%s; the job goes on without a status", orr_error_text());
    orr_error_clear();
    destroy(s);
}

void orr_run_status_phase(orr_run_status *s, const char *phase)
{
    if (!s || s->phase == phase) return;
    s->phase = phase;
    pthread_mutex_lock(&s->lock);
    s->s.phase = phase;
    s->s.phase_since = s->s.moved = orr_now();
    s->new_phase = 1;
    if (s->begun) pthread_cond_signal(&s->news);
    pthread_mutex_unlock(&s->lock);
}

void orr_run_status_set(orr_run_status *s, const orr_standing *now)
{
    if (!s) return;
    pthread_mutex_lock(&s->lock);
    if (s->s.now.done != now->done) s->s.moved = orr_now();
    if (s->s.now.saved != now->saved && s->s.base_done >= 0) s->s.saved_at = time(NULL);
    s->s.now = *now;
    if (s->s.base_done < 0 && now->done >= 0) {
        s->s.base_done = now->done;
        s->s.base_at = orr_now();
    }
    if (!s->begun) pthread_cond_signal(&s->news);
    s->begun = 1;
    pthread_mutex_unlock(&s->lock);
}

int orr_run_status_is_due(const orr_run_status *s, double now)
{
    return s && now >= s->shown_at + period;
}

void orr_run_status_loads(orr_run_status *s, const orr_skew *k, const orr_load *load, int64_t steps)
{
    orr_straggler found;

    if (!s) return;
    s->shown_at = orr_now();
    if (steps <= 0) return;
    orr_straggler_find(&found, load, s->size, 0.02 * period, k->room);
    pthread_mutex_lock(&s->lock);
    s->skew = k;
    memcpy(s->load, load, (size_t)s->size * sizeof *load);
    s->s.load_steps = steps;
    s->s.straggler = found;
    pthread_mutex_unlock(&s->lock);
}

void orr_run_status_end(orr_run_status *s, orr_status st)
{
    if (!s) return;
    s->context->status = s->outer;
    pthread_mutex_lock(&s->lock);
    s->leaving = 1;
    pthread_cond_signal(&s->news);
    pthread_mutex_unlock(&s->lock);
    pthread_join(s->thread, NULL);
    s->s.ended = 1;
    s->status = st;
    if (st != ORR_OK) snprintf(s->sentence, sizeof s->sentence, "%s", orr_error_text());
    memcpy(s->load_copy, s->load, (size_t)s->size * sizeof *s->load);
    write_now(s, &s->s);
    pthread_cond_destroy(&s->news);
    pthread_mutex_destroy(&s->lock);
    destroy(s);
}
