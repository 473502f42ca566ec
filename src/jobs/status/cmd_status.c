/* jobs/status/cmd_status.c - orrery status PATH: what a run is doing, from the files it leaves. */
#include "core/file.h"
#include "core/memory.h"
#include "core/text.h"
#include "jobs/app.h"
#include "jobs/json.h"
#include "jobs/status/run_status.h"

#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { FILE_MAX = 64 << 20, BAR = 30, RANKS_SHOWN = 16, TASKS_SHOWN = 12 };
static const double old = 30, gone_after = 3, stuck_after = 60; /* seconds */

typedef struct status_opts {
    const char *format;
} status_opts;
static const orr_option options[] = {
    ORR_OPTION_CHOICE(status_opts, format, "page", "page|json", "for people, or for programs"),
    ORR_OPTION_END,
};

/* A status file, and what may be said of it from here. */
typedef struct found {
    char path[ORR_PATH_MAX];
    cJSON *json;
    int stale;
    char sentence[ORR_ERROR_MAX]; /* "" = nothing to say */
} found;

/* ---- reading ---- */
static int64_t count(const cJSON *o, const char *key)
{
    double v = orr_json_get(o, key, -1);

    return v >= 0 && v < 9e15 ? (int64_t)v : -1;
}

/* Seconds since a time of the file; NaN when there is none. */
static double age(const cJSON *o, const char *key)
{
    const char *s = orr_json_text(o, key, "");
    struct tm t = { 0 };
    const char *end = strptime(s, "%Y-%m-%dT%H:%M:%SZ", &t);

    return end && *end == '\0' ? difftime(time(NULL), timegm(&t)) : NAN;
}

static orr_status read_json(cJSON **out, const char *path, const char *format)
{
    char *text;
    size_t n;

    *out = NULL;
    ORR_TRY(orr_read_file(&text, &n, path, FILE_MAX));
    *out = cJSON_ParseWithLength(text, n);
    orr_free(text);
    if (cJSON_IsObject(*out) && (!format || strcmp(orr_json_text(*out, "format", ""), format) == 0))
        return ORR_OK;
    cJSON_Delete(*out);
    *out = NULL;
    return orr_fail(ORR_ERR_FORMAT, "%s: is not a status file of orrery, or was cut", path);
}

/* ---- is it true? ---- */
/* Is the process gone that wrote the file?  Only its own machine can tell. */
static int is_gone(const cJSON *o)
{
    char host[256] = "";
    int64_t pid = count(o, "pid"), started = count(o, "process_started"), began;

    if (pid <= 0 || gethostname(host, sizeof host - 1) != 0) return 0;
    if (strcmp(host, orr_json_text(o, "host", "")) != 0) return 0;
    if (kill((pid_t)pid, 0) != 0 && errno == ESRCH) return 1;
    began = orr_process_began(pid);
    return began < 0 || (began > 0 && started > 0 && began != started);
}

static void judge(found *f)
{
    const cJSON *o = f->json;
    double updated = age(o, "updated"), moved = age(o, "moved");
    long long pid = (long long)count(o, "pid");
    const char *host = orr_json_text(o, "host", "?");

    if (strcmp(orr_json_text(o, "state", ""), "running") != 0) return;
    if (!(updated < gone_after) && is_gone(o)) {
        f->stale = 1;
        snprintf(
            f->sentence, sizeof f->sentence,
            "it does not run any more: its process %lld on %s is gone without a last word; the "
            "same command goes on from what it saved",
            pid, host);
    } else if (!(updated <= old)) {
        f->stale = 1;
        snprintf(f->sentence, sizeof f->sentence,
                 "it says that it runs, but has not written for %.0f s: its process %lld on %s is "
                 "stopped, cut off or gone",
                 updated, pid, host);
    } else if (moved > stuck_after)
        snprintf(f->sentence, sizeof f->sentence,
                 "it lives, but has got no further for %.0f s (%s)", moved,
                 orr_json_text(o, "phase", "?"));
}

static orr_status read_found(found *f)
{
    ORR_TRY(read_json(&f->json, f->path, ORR_STATUS_FORMAT));
    judge(f);
    return ORR_OK;
}

/* ---- which files ---- */
typedef struct view {
    char folder[ORR_PATH_MAX]; /* of the run; "" = a file was named */
    found files[ORR_LIST_MAX];
    int n;
    cJSON *launch; /* NULL: none */
} view;

static int is_status_name(const char *name)
{
    size_t n = strlen(name);

    return strcmp(name, ORR_STATUS_FILE) == 0 ||
           (strncmp(name, "status-fold-", 12) == 0 && n > 5 && strcmp(name + n - 5, ".json") == 0);
}

static orr_status add_file(view *v, const char *path)
{
    found *f = &v->files[v->n];

    if (v->n == ORR_LIST_MAX) return ORR_OK;
    ORR_TRY(orr_path_join(f->path, "", path));
    ORR_TRY(read_found(f));
    v->n++;
    return ORR_OK;
}

/* ---- names in a folder, sorted ---- */
typedef struct names {
    char **v;
    int n;
} names;

static void names_free(names *l)
{
    for (int i = 0; i < l->n; i++)
        orr_free(l->v[i]);
    orr_free(l->v);
    *l = (names){ 0 };
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static orr_status names_add(names *l, const char *name)
{
    char **more = orr_realloc(l->v, (size_t)l->n, (size_t)l->n + 1, sizeof *more);

    if (more) l->v = more;
    if (!more || !(more[l->n] = orr_strdup(name)))
        return orr_fail(ORR_ERR_NOMEM, "out of memory: %d names", l->n);
    l->n++;
    return ORR_OK;
}

static orr_status names_of(names *l, const char *folder, int (*wanted)(const char *))
{
    DIR *d = opendir(folder);
    const struct dirent *e;
    orr_status st = d ? ORR_OK : orr_fail(ORR_ERR_IO, "%s: %s", folder, strerror(errno));

    *l = (names){ 0 };
    while (st == ORR_OK && (e = readdir(d)))
        if (wanted(e->d_name)) st = names_add(l, e->d_name);
    if (d) closedir(d);
    if (l->n) qsort(l->v, (size_t)l->n, sizeof *l->v, by_name);
    return st;
}

static orr_status add_folder(view *v, const char *folder)
{
    char path[ORR_PATH_MAX];
    names l;
    orr_status st = names_of(&l, folder, is_status_name);

    for (int i = 0; st == ORR_OK && i < l.n; i++) {
        st = orr_path_join(path, folder, l.v[i]);
        if (st == ORR_OK) st = add_file(v, path);
    }
    names_free(&l);
    return st;
}

static orr_status look(view *v, const char *given)
{
    static const char *const beside[] = { "/.orrery/" ORR_STATUS_FILE, /* of fetch, of crop */
                                          "." ORR_STATUS_FILE };
    char trimmed[ORR_PATH_MAX], path[ORR_PATH_MAX];
    int n;

    ORR_TRY(orr_path_trim(trimmed, given));
    if (orr_path_exists(trimmed) && !orr_path_is_dir(trimmed)) return add_file(v, trimmed);
    if (orr_path_is_dir(trimmed)) {
        ORR_TRY(orr_path_join(v->folder, "", trimmed));
        ORR_TRY(add_folder(v, trimmed));
        ORR_TRY(orr_path_join(path, trimmed, "launch.json"));
        if (orr_path_exists(path)) ORR_TRY(read_json(&v->launch, path, NULL));
    }
    for (size_t i = 0; v->n == 0 && i < sizeof beside / sizeof *beside; i++) {
        n = snprintf(path, sizeof path, "%s%s", trimmed, beside[i]);
        if (n < (int)sizeof path && orr_path_exists(path)) ORR_TRY(add_file(v, path));
    }
    if (v->n > 0) return ORR_OK;
    if (!orr_path_is_dir(trimmed)) return orr_fail(ORR_ERR_IO, "%s: there is no such run", given);
    return orr_fail(ORR_ERR_IO,
                    "%s: no run of train, cv, fetch or crop has left a status here (%s)", given,
                    ORR_STATUS_FILE);
}

/* ---- the trainings of a cross-validation: its ledger is the folders ---- */
enum { TASK_DONE, TASK_RUNS, TASK_FAILED, TASK_STARTED, TASK_STATES };
static const char *const task_states[] = { "done", "under way", "failed", "stopped" };

static int state_of_task(const char *dir, found *f)
{
    char path[ORR_PATH_MAX];
    const char *state;

    if (orr_path_join(path, dir, "model.h5") == ORR_OK && orr_path_exists(path)) return TASK_DONE;
    if (orr_path_join(f->path, dir, ORR_STATUS_FILE) != ORR_OK || !orr_path_exists(f->path) ||
        read_found(f) != ORR_OK) {
        orr_error_clear();
        return TASK_STARTED;
    }
    state = orr_json_text(f->json, "state", "");
    if (strcmp(state, "running") == 0) return f->stale ? TASK_STARTED : TASK_RUNS;
    return strcmp(state, "failed") == 0 ? TASK_FAILED : TASK_STARTED;
}

static cJSON *task_json(const char *name, int state, const found *f)
{
    static const char *const kept[] = { "done", "total", "epoch", "epochs", "loss", "sentence" };
    cJSON *o = cJSON_CreateObject();

    cJSON_AddStringToObject(o, "name", name);
    cJSON_AddStringToObject(o, "state", task_states[state]);
    for (size_t i = 0; f->json && i < sizeof kept / sizeof *kept; i++) {
        const cJSON *item = cJSON_GetObjectItemCaseSensitive(f->json, kept[i]);
        if (item) cJSON_AddItemToObject(o, kept[i], cJSON_Duplicate(item, 1));
    }
    return o;
}

static int no_dot(const char *name)
{
    return name[0] != '.';
}

/* {"done", "under way", ..., "left", "tasks": [...]}; NULL: there are none. */
static cJSON *read_tasks(const view *v)
{
    names l;
    char tasks[ORR_PATH_MAX], dir[ORR_PATH_MAX];
    int64_t counts[TASK_STATES] = { 0 }, total = v->n ? count(v->files[0].json, "total") : -1;
    cJSON *o, *list;

    if (!v->folder[0] || v->n == 0 ||
        strcmp(orr_json_text(v->files[0].json, "command", ""), "cv") != 0)
        return NULL;
    if (orr_path_join(tasks, v->folder, "tasks") != ORR_OK) return NULL;
    if (names_of(&l, tasks, no_dot) != ORR_OK) orr_error_clear(); /* none has begun */
    list = cJSON_CreateArray();
    for (int i = 0; i < l.n; i++) {
        found *f = orr_alloc(1, sizeof *f);
        if (f && orr_path_join(dir, tasks, l.v[i]) == ORR_OK && orr_path_is_dir(dir)) {
            int state = state_of_task(dir, f);
            counts[state]++;
            cJSON_AddItemToArray(list, task_json(l.v[i], state, f));
            cJSON_Delete(f->json);
        }
        orr_free(f);
    }
    names_free(&l);
    o = cJSON_CreateObject();
    for (int k = 0; k < TASK_STATES; k++)
        cJSON_AddNumberToObject(o, task_states[k], (double)counts[k]);
    if (total >= 0)
        cJSON_AddNumberToObject(o, "left", (double)(total - counts[TASK_DONE] - counts[TASK_RUNS]));
    cJSON_AddItemToObject(o, "tasks", list);
    return o;
}

/* ---- for people ---- */
static const char *span(double seconds, char *buf, size_t bytes)
{
    long long s = seconds > 0 ? (long long)(seconds + 0.5) : 0;

    if (s < 90)
        snprintf(buf, bytes, "%lld s", s);
    else if (s < 5400)
        snprintf(buf, bytes, "%lld min %lld s", s / 60, s % 60);
    else if (s < 48 * 3600)
        snprintf(buf, bytes, "%lld h %lld min", s / 3600, s / 60 % 60);
    else
        snprintf(buf, bytes, "%lld d %lld h", s / 86400, s / 3600 % 24);
    return buf;
}

static void page_head(const found *f, orr_text *t)
{
    const cJSON *o = f->json;
    int64_t size = count(o, "size"), code = count(o, "exit_code");
    char for_how_long[32];

    orr_text_printf(t, "%s: %s, %s", f->path, orr_json_text(o, "command", "?"),
                    orr_json_text(o, "state", "?"));
    if (code >= 0) orr_text_printf(t, " with code %lld", (long long)code);
    orr_text_printf(t, "; %lld rank%s, rank 0 is process %lld on %s", (long long)size,
                    size == 1 ? "" : "s", (long long)count(o, "pid"),
                    orr_json_text(o, "host", "?"));
    orr_text_printf(t, "\n  started %s, last written %s ago\n", orr_json_text(o, "started", "?"),
                    span(age(o, "updated"), for_how_long, sizeof for_how_long));
    if (f->sentence[0]) orr_text_printf(t, "  %s\n", f->sentence);
    if (orr_json_text(o, "sentence", "")[0])
        orr_text_printf(t, "  %s\n", orr_json_text(o, "sentence", ""));
}

static void page_progress(const cJSON *o, orr_text *t)
{
    int64_t done = count(o, "done"), total = count(o, "total"), epoch = count(o, "epoch");
    double rate = orr_json_get(o, "per_second", NAN), left = orr_json_get(o, "seconds_left", NAN);
    char buf[32];

    if (done < 0 && total > 0) done = 0;
    if (done >= 0 && total > 0) {
        int filled = (int)(BAR * (done < total ? done : total) / total);
        orr_text_printf(t, "  [%.*s%.*s] %3.0f%%  %lld of %lld %s", filled,
                        "##############################", BAR - filled,
                        "..............................",
                        floor(100.0 * (double)done / (double)total), (long long)done,
                        (long long)total, orr_json_text(o, "unit", ""));
    } else
        orr_text_add(t, "  ");
    if (epoch > 0)
        orr_text_printf(t, ", epoch %lld of %lld", (long long)epoch, (long long)count(o, "epochs"));
    orr_text_printf(t, "; phase: %s\n", orr_json_text(o, "phase", "?"));
    if (strcmp(orr_json_text(o, "state", ""), "running") == 0 &&
        (isfinite(rate) || isfinite(left))) {
        orr_text_add(t, " ");
        if (isfinite(rate))
            orr_text_printf(t, " %.4g %s a second", rate, orr_json_text(o, "of", ""));
        if (isfinite(left))
            orr_text_printf(t, "%s about %s left", isfinite(rate) ? "," : "",
                            span(left, buf, sizeof buf));
        orr_text_add(t, "\n");
    }
}

static void page_training(const cJSON *o, orr_text *t)
{
    const cJSON *best = cJSON_GetObjectItemCaseSensitive(o, "best"),
                *saved = cJSON_GetObjectItemCaseSensitive(o, "checkpoint");
    double loss = orr_json_get(o, "loss", NAN);
    char buf[32];

    if (isfinite(loss)) {
        orr_text_printf(t, "  loss %.5g (of the last batch)", loss);
        if (best)
            orr_text_printf(t, "; best %s %.5g, epoch %lld", orr_json_text(best, "metric", "?"),
                            orr_json_get(best, "value", NAN), (long long)count(best, "epoch"));
        orr_text_add(t, "\n");
    }
    if (saved) {
        orr_text_printf(t, "  last checkpoint: step %lld", (long long)count(saved, "step"));
        if (isfinite(age(saved, "time")))
            orr_text_printf(t, ", %s ago", span(age(saved, "time"), buf, sizeof buf));
        orr_text_add(t, "\n");
    } else if (strcmp(orr_json_text(o, "command", ""), "train") == 0)
        orr_text_add(t, "  no checkpoint yet\n");
}

/* All ranks, or of many those that are busiest. */
static int is_shown(const cJSON *ranks, const cJSON *one)
{
    double busy = orr_json_get(one, "compute", 0) + orr_json_get(one, "input", 0);
    int n = cJSON_GetArraySize(ranks), above = 0;
    const cJSON *r;

    if (n <= RANKS_SHOWN) return 1;
    cJSON_ArrayForEach (r, ranks) {
        double other = orr_json_get(r, "compute", 0) + orr_json_get(r, "input", 0);
        above += other > busy || (other == busy && count(r, "rank") < count(one, "rank"));
    }
    return above < RANKS_SHOWN;
}

static void page_ranks(const cJSON *o, orr_text *t)
{
    const cJSON *ranks = cJSON_GetObjectItemCaseSensitive(o, "ranks"), *r,
                *slow = cJSON_GetObjectItemCaseSensitive(o, "straggler");
    int n = cJSON_GetArraySize(ranks);

    if (n == 0) return;
    orr_text_printf(t, "  milliseconds a step%s\n  %6s  %-20s %10s %10s %10s\n",
                    n > RANKS_SHOWN ? ", of the busiest ranks" : "", "rank", "host", "compute",
                    "wait", "input");
    cJSON_ArrayForEach (r, ranks) {
        if (!is_shown(ranks, r)) continue;
        orr_text_printf(t, "  %6lld  %-20s %10.3f %10.3f %10.3f%s%s\n", (long long)count(r, "rank"),
                        orr_json_text(r, "host", "?"), 1e3 * orr_json_get(r, "compute", NAN),
                        1e3 * orr_json_get(r, "wait", NAN), 1e3 * orr_json_get(r, "input", NAN),
                        cJSON_IsObject(slow) && count(slow, "rank") == count(r, "rank")
                            ? "   slow: the others wait for its "
                            : "",
                        cJSON_IsObject(slow) && count(slow, "rank") == count(r, "rank")
                            ? orr_json_text(slow, "cause", "")
                            : "");
    }
}

static void page_faults(const cJSON *o, orr_text *t)
{
    static const struct {
        const char *key, *words;
    } rows[] = { { "skipped_steps", "steps skipped, not finite" },
                 { "recomputed_steps", "steps computed again" },
                 { "retries", "tries beyond the first" },
                 { "failed", "failed" },
                 { "missing", "missing" },
                 { "quarantined", "set aside" } };
    const cJSON *faults = cJSON_GetObjectItemCaseSensitive(o, "faults"), *e,
                *earlier = cJSON_GetObjectItemCaseSensitive(o, "earlier");
    int n = 0;

    orr_text_add(t, "  faults so far:");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (count(faults, rows[i].key) > 0)
            orr_text_printf(t, "%s %lld %s", n++ ? "," : "", (long long)count(faults, rows[i].key),
                            rows[i].words);
    orr_text_add(t, n ? "\n" : " none\n");
    if (cJSON_GetArraySize(earlier) > 0)
        orr_text_printf(t, "  this is start %lld; before:\n", (long long)count(o, "starts"));
    cJSON_ArrayForEach (e, earlier) {
        const char *state = orr_json_text(e, "state", "?");
        orr_text_printf(t, "    %s to %s: %s", orr_json_text(e, "started", "?"),
                        orr_json_text(e, "updated", "?"),
                        strcmp(state, "running") == 0 ? "was killed" : state);
        if (count(e, "done") >= 0) orr_text_printf(t, " at %lld", (long long)count(e, "done"));
        if (orr_json_text(e, "sentence", "")[0])
            orr_text_printf(t, ": %s", orr_json_text(e, "sentence", ""));
        orr_text_add(t, "\n");
    }
}

static void page_tasks(const cJSON *tasks, orr_text *t)
{
    const cJSON *e;
    int shown = 0;

    if (!tasks) return;
    orr_text_printf(t, "  trainings: %lld done, %lld under way, %lld left",
                    (long long)count(tasks, "done"), (long long)count(tasks, "under way"),
                    (long long)count(tasks, "left"));
    if (count(tasks, "failed") > 0)
        orr_text_printf(t, " (%lld of them failed)", (long long)count(tasks, "failed"));
    orr_text_add(t, "\n");
    cJSON_ArrayForEach (e, cJSON_GetObjectItemCaseSensitive(tasks, "tasks")) {
        const char *state = orr_json_text(e, "state", "");
        if (strcmp(state, task_states[TASK_DONE]) == 0 || shown++ >= TASKS_SHOWN) continue;
        orr_text_printf(t, "    %-32s %s", orr_json_text(e, "name", "?"), state);
        if (count(e, "done") >= 0)
            orr_text_printf(t, ", step %lld of %lld", (long long)count(e, "done"),
                            (long long)count(e, "total"));
        if (orr_json_text(e, "sentence", "")[0])
            orr_text_printf(t, ": %s", orr_json_text(e, "sentence", ""));
        orr_text_add(t, "\n");
    }
    if (shown > TASKS_SHOWN) orr_text_printf(t, "    and %d more\n", shown - TASKS_SHOWN);
}

static void page_launch(const cJSON *o, orr_text *t)
{
    const cJSON *e;

    if (!o) return;
    orr_text_printf(t, "  launch: %s, %lld restart%s\n", orr_json_text(o, "state", "?"),
                    (long long)count(o, "restarts"), count(o, "restarts") == 1 ? "" : "s");
    cJSON_ArrayForEach (e, cJSON_GetObjectItemCaseSensitive(o, "faults"))
        orr_text_printf(t, "    %s\n", orr_json_text(e, "what", "?"));
}

static void page(const view *v, const cJSON *tasks, orr_text *t)
{
    for (int i = 0; i < v->n; i++) {
        page_head(&v->files[i], t);
        page_progress(v->files[i].json, t);
        page_training(v->files[i].json, t);
        page_ranks(v->files[i].json, t);
        page_faults(v->files[i].json, t);
    }
    page_tasks(tasks, t);
    page_launch(v->launch, t);
}

/* ---- for programs ---- */
static void as_json(const view *v, const cJSON *tasks, orr_text *t)
{
    cJSON *top = cJSON_CreateObject(), *list = cJSON_AddArrayToObject(top, "runs");
    char *text;

    for (int i = 0; i < v->n; i++) {
        const found *f = &v->files[i];
        cJSON *o = cJSON_CreateObject();
        cJSON_AddStringToObject(o, "path", f->path);
        cJSON_AddBoolToObject(o, "stale", f->stale);
        if (f->sentence[0]) cJSON_AddStringToObject(o, "sentence", f->sentence);
        cJSON_AddItemToObject(o, "status", cJSON_Duplicate(f->json, 1));
        cJSON_AddItemToArray(list, o);
    }
    if (tasks) cJSON_AddItemToObject(top, "trainings", cJSON_Duplicate(tasks, 1));
    if (v->launch) cJSON_AddItemToObject(top, "launch", cJSON_Duplicate(v->launch, 1));
    text = cJSON_Print(top);
    orr_text_printf(t, "%s\n", text ? text : "{}");
    cJSON_free(text);
    cJSON_Delete(top);
}

/* ---- the command ---- */
static orr_status tell(const char *path, const status_opts *o)
{
    view *v = orr_alloc(1, sizeof *v);
    orr_text t = ORR_TEXT_INIT;
    cJSON *tasks = NULL;
    orr_status st = v ? look(v, path) : orr_fail(ORR_ERR_NOMEM, "out of memory: status");

    if (st == ORR_OK) {
        tasks = read_tasks(v);
        if (strcmp(o->format, "json") == 0)
            as_json(v, tasks, &t);
        else
            page(v, tasks, &t);
        st = orr_text_status(&t);
    }
    if (st == ORR_OK) printf("%s", t.s);
    cJSON_Delete(tasks);
    for (int i = 0; v && i <= v->n && i < ORR_LIST_MAX; i++)
        cJSON_Delete(v->files[i].json);
    if (v) cJSON_Delete(v->launch);
    orr_text_free(&t);
    orr_free(v);
    return st;
}

static orr_status run(orr_app *app, const orr_args *args)
{
    orr_config *config = NULL;
    status_opts o;
    orr_status st;

    st = orr_job_config(&config, NULL, args);
    if (st == ORR_OK) st = orr_options_read(&o, options, orr_config_root(config), "");
    if (st == ORR_OK && args->n_words != 1)
        st =
            orr_fail(ORR_ERR_ARG, "status takes one path: the folder of a run, or its status file");
    st = orr_app_agree(app, st);
    if (st == ORR_OK) st = orr_app_agree(app, app->rank == 0 ? tell(args->words[0], &o) : ORR_OK);
    orr_config_destroy(config);
    return st;
}

const orr_command orr_cmd_status = {
    .name = "status",
    .summary = "what a run is doing: progress, time left, last checkpoint, slow ranks, faults",
    .usage = "orrery status PATH [format=json]",
    .details =
        "PATH is a run folder of train or cv, the folder of a fetch, the `out` of a crop, or a "
        "status file itself\n"
        "(status.json in a run folder, .orrery/status.json of a fetch, OUT.status.json beside a "
        "crop's).  Runs write it once a "
        "second and at their end.\n"
        "It says what the run is doing, how far it is and how long it will take, its last "
        "checkpoint, each rank's\n"
        "milliseconds a step (compute, waiting for other ranks, waiting for input) and which rank "
        "is slow with what,\n"
        "faults so far, and how earlier starts ended; of a cross-validation which trainings are "
        "done, under way and left;\n"
        "of a run under orrery launch its restarts (launch.json).  A file that says \"running\" is "
        "not believed when its\n"
        "process is gone from this machine, or when it is older than 30 s.",
    .options = options,
    .options_title = "Keys:",
    .run = run,
};
