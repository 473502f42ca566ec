/* jobs/launch/status_view.c - which files tell of a run, and whether they are to be believed. */
#include "jobs/launch/status_view.h"
#include "core/json.h"
#include "core/memory.h"
#include "jobs/context/run_status.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { FILE_MAX = 64 << 20 };
static const double gone_after = 3, stuck_after = 60; /* seconds */

/* ---- reading ---- */
int64_t orr_status_count(const cJSON *o, const char *key)
{
    double v = orr_json_get(o, key, -1);

    return v >= 0 && v < 9e15 ? (int64_t)v : -1;
}

double orr_status_age(const cJSON *o, const char *key)
{
    const char *s = orr_json_text(o, key, "");
    struct tm t = { 0 };
    const char *end = strptime(s, "%Y-%m-%dT%H:%M:%SZ", &t);

    return end && *end == '\0' ? difftime(time(NULL), timegm(&t)) : NAN;
}

static orr_status read_json(cJSON **out, const char *path, const char *format)
{
    struct stat what;
    char *text;
    size_t n;

    *out = NULL;
    if (stat(path, &what) == 0 && !S_ISREG(what.st_mode)) /* a pipe would be waited for */
        return orr_fail(ORR_ERR_FORMAT, "%s: is no file, and so no status of orrery", path);
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
int orr_status_is_gone(const cJSON *o)
{
    char host[256] = "";
    int64_t pid = orr_status_count(o, "pid"), started = orr_status_count(o, "process_started"),
            began;

    if (pid <= 0 || pid > INT_MAX || gethostname(host, sizeof host - 1) != 0) return 0;
    if (strcmp(host, orr_json_text(o, "launch_host", orr_json_text(o, "host", ""))) != 0) return 0;
    if (kill((pid_t)pid, 0) != 0 && errno == ESRCH) return 1;
    began = orr_process_began(pid);
    return began < 0 || (began > 0 && started > 0 && began != started);
}

static void judge(orr_found *f)
{
    const cJSON *o = f->json;
    double updated = orr_status_age(o, "updated"), moved = orr_status_age(o, "moved");
    long long pid = (long long)orr_status_count(o, "pid");
    const char *host = orr_json_text(o, "host", "?");

    f->state = orr_json_text(o, "state", "?");
    if (strcmp(f->state, "running") != 0) return;
    if (!(updated >= -ORR_STATUS_AHEAD && updated < gone_after) && orr_status_is_gone(o)) {
        f->stale = 1;
        f->state = "gone";
        snprintf(
            f->sentence, sizeof f->sentence,
            "it does not run any more: its process %lld on %s is gone without a last word; the "
            "same command resumes from what it saved",
            pid, host);
    } else if (isnan(updated)) {
        f->stale = 1;
        f->state = "unknown";
        snprintf(f->sentence, sizeof f->sentence,
                 "it says that it runs, but not when it was written: whether that is so still "
                 "cannot be told");
    } else if (updated < -ORR_STATUS_AHEAD) {
        snprintf(
            f->sentence, sizeof f->sentence,
            "the clock of %s is %.0f s ahead of this machine's: whether it has stopped writing "
            "is not seen before",
            host, -updated);
    } else if (updated > ORR_STATUS_OLD) {
        f->stale = 1;
        f->state = "silent";
        snprintf(f->sentence, sizeof f->sentence,
                 "it says that it runs, but has not written for %.0f s: its process %lld on %s is "
                 "stopped, cut off or gone",
                 updated, pid, host);
    } else if (moved > stuck_after)
        snprintf(f->sentence, sizeof f->sentence,
                 "it lives, but has got no further for %.0f s (%s)", moved,
                 orr_json_text(o, "phase", "?"));
}

static orr_status read_found(orr_found *f)
{
    ORR_TRY(read_json(&f->json, f->path, ORR_STATUS_FORMAT));
    judge(f);
    return ORR_OK;
}

/* ---- which files ---- */
static int is_status_name(const char *name)
{
    size_t n = strlen(name);

    return strcmp(name, ORR_STATUS_FILE) == 0 ||
           (strncmp(name, "status-fold-", 12) == 0 && n > 5 && strcmp(name + n - 5, ".json") == 0);
}

static orr_status add_file(orr_view *v, const char *path)
{
    orr_found *f = &v->files[v->n];

    if (v->n == ORR_LIST_MAX)
        return orr_fail(ORR_ERR_FORMAT, "%s: more than %d status files; name one of them",
                        v->folder, ORR_LIST_MAX);
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

static void note_bad(orr_view *v, orr_status st)
{
    orr_error_keep(&v->bad, st);
}

static orr_status add_folder(orr_view *v, const char *folder)
{
    char path[ORR_PATH_MAX];
    names l;
    orr_status st = names_of(&l, folder, is_status_name);

    for (int i = 0; st == ORR_OK && i < l.n; i++) {
        st = orr_path_join(path, folder, l.v[i]);
        if (st == ORR_OK) note_bad(v, add_file(v, path));
    }
    names_free(&l);
    return st;
}

orr_status orr_view_look(orr_view *v, const char *given)
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
        if (orr_path_exists(path)) note_bad(v, read_json(&v->launch, path, NULL));
    }
    for (size_t i = 0; v->n == 0 && i < sizeof beside / sizeof *beside; i++) {
        n = snprintf(path, sizeof path, "%s%s", trimmed, beside[i]);
        if (n < (int)sizeof path && orr_path_exists(path)) ORR_TRY(add_file(v, path));
    }
    if (v->n > 0 || v->launch) return ORR_OK;
    ORR_TRY(orr_error_raise(&v->bad));
    if (!orr_path_is_dir(trimmed)) return orr_fail(ORR_ERR_IO, "%s: there is no such run", given);
    return orr_fail(ORR_ERR_IO,
                    "%s: no run of train, cv, fetch or crop has left a status here (%s)", given,
                    ORR_STATUS_FILE);
}

/* ---- the trainings of a cross-validation, or with seeds: their ledger is the folders ---- */
const char *const orr_task_states[ORR_TASK_STATES] = { "done", "under way", "failed", "stopped" };

static int state_of_task(const char *dir, orr_found *f)
{
    char path[ORR_PATH_MAX];
    const char *state;

    if (orr_path_join(path, dir, "model.h5") == ORR_OK && orr_path_exists(path))
        return ORR_TASK_DONE;
    if (orr_path_join(f->path, dir, ORR_STATUS_FILE) != ORR_OK || !orr_path_exists(f->path) ||
        read_found(f) != ORR_OK) {
        orr_error_clear();
        return ORR_TASK_STARTED;
    }
    state = orr_json_text(f->json, "state", "");
    if (strcmp(state, "running") == 0) return f->stale ? ORR_TASK_STARTED : ORR_TASK_RUNS;
    return strcmp(state, "failed") == 0 ? ORR_TASK_FAILED : ORR_TASK_STARTED;
}

static cJSON *task_json(const char *name, int state, const orr_found *f)
{
    static const char *const kept[] = { "done", "total", "epoch", "epochs", "loss", "sentence" };
    cJSON *o = cJSON_CreateObject();

    cJSON_AddStringToObject(o, "name", name);
    cJSON_AddStringToObject(o, "state", orr_task_states[state]);
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

cJSON *orr_view_tasks(const orr_view *v)
{
    names l;
    char tasks[ORR_PATH_MAX], dir[ORR_PATH_MAX];
    int64_t counts[ORR_TASK_STATES] = { 0 },
            total = v->n ? orr_status_count(v->files[0].json, "total") : -1;
    cJSON *o, *list;

    if (!v->folder[0] || v->n == 0 ||
        strcmp(orr_json_text(v->files[0].json, "unit", ""), "trainings") != 0)
        return NULL;
    if (orr_path_join(tasks, v->folder, "tasks") != ORR_OK) return NULL;
    if (names_of(&l, tasks, no_dot) != ORR_OK) orr_error_clear(); /* none has begun */
    list = cJSON_CreateArray();
    for (int i = 0; i < l.n; i++) {
        orr_found *f = orr_alloc(1, sizeof *f);
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
    for (int k = 0; k < ORR_TASK_STATES; k++)
        cJSON_AddNumberToObject(o, orr_task_states[k], (double)counts[k]);
    if (total >= 0)
        cJSON_AddNumberToObject(o, "left",
                                (double)(total - counts[ORR_TASK_DONE] - counts[ORR_TASK_RUNS]));
    cJSON_AddItemToObject(o, "tasks", list);
    return o;
}

void orr_view_free(orr_view *v)
{
    if (!v) return;
    for (int i = 0; i < v->n; i++)
        cJSON_Delete(v->files[i].json);
    cJSON_Delete(v->launch);
    orr_free(v);
}
