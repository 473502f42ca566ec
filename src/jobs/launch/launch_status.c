/* jobs/launch/launch_status.c - a thread that writes the newest object.  Without fsync: a reader
 * sees the old file or the new one, and nothing waits for a disk. */
#include "jobs/launch/launch_status.h"
#include "core/file.h"
#include "core/json.h"
#include "core/log.h"
#include "core/memory.h"
#include "core/threads.h"
#include "jobs/context/run_status.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { FILE_MAX = 64 << 20 };
static const int patience = 2; /* seconds */
static const double fresh = 10;

struct orr_launch_status {
    char path[ORR_PATH_MAX], beside[ORR_PATH_MAX], host[256];
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t change;
    cJSON *next;
    int leaving;
    /* the thread's */
    double began; /* of this process, as orr_process_began has it */
    cJSON *earlier;
    int starts, claimed, told_busy, told_failure;
};

/* ---- what is there ---- */
/* NULL: no file, or none of ours. */
static cJSON *read_there(const char *path)
{
    struct stat what;
    char *text;
    size_t n;
    cJSON *o;

    if (stat(path, &what) != 0 || !S_ISREG(what.st_mode)) return NULL;
    if (orr_read_file(&text, &n, path, FILE_MAX) != ORR_OK) return NULL;
    o = cJSON_ParseWithLength(text, n);
    orr_free(text);
    if (cJSON_IsObject(o)) return o;
    cJSON_Delete(o);
    return NULL;
}

static int is_own(const orr_launch_status *s, const cJSON *o)
{
    return (pid_t)orr_json_get(o, "pid", 0) == getpid() &&
           orr_json_get(o, "process_started", 0) == s->began &&
           strcmp(orr_json_text(o, "launch_host", ""), s->host) == 0;
}

/* Does the launch go on that wrote this? */
static int is_written(const orr_launch_status *s, const cJSON *o)
{
    double pid = orr_json_get(o, "pid", 0), started = orr_json_get(o, "process_started", 0);
    long long began;

    if (strcmp(orr_json_text(o, "state", ""), "ended") == 0) return 0;
    if (!(pid >= 1 && pid <= INT_MAX) || strcmp(orr_json_text(o, "launch_host", ""), s->host) != 0)
        return fabs((double)time(NULL) - orr_json_get(o, "updated", -INFINITY)) < fresh;
    if (kill((pid_t)pid, 0) != 0 && errno == ESRCH) return 0;
    began = orr_process_began((long long)pid);
    return began == 0 || (began > 0 && (started <= 0 || (double)began == started));
}

static int is_same_run(const orr_launch_status *s, const cJSON *o, const cJSON *now)
{
    const char *run = orr_json_text(now, "run", "");

    return s->beside[0] || (run[0] && strcmp(run, orr_json_text(o, "run", "")) == 0);
}

/* Once: the file is ours from now on. */
static void claim(orr_launch_status *s, cJSON *o, const cJSON *now)
{
    double starts = o ? orr_json_get(o, "starts", 1) : 0;

    if (s->claimed) return;
    s->claimed = 1;
    s->starts = 1;
    if (!o || !is_same_run(s, o, now)) return;
    s->starts += starts >= 1 && starts < INT_MAX ? (int)starts : 1;
    s->earlier = cJSON_DetachItemFromObjectCaseSensitive(o, "faults");
}

static int may_write(orr_launch_status *s, const cJSON *now)
{
    cJSON *o = read_there(s->path);
    int busy = o && !is_own(s, o) && is_written(s, o);

    if (busy && !s->told_busy)
        orr_log(
            ORR_WARN, "launch",
            "%s is of another launch that goes on (process %.0f on %s): while it does, this one "
            "keeps no status file",
            s->path, orr_json_get(o, "pid", 0),
            orr_json_text(o, "launch_host", "a host it did not name"));
    s->told_busy |= busy;
    if (!busy) claim(s, o, now);
    cJSON_Delete(o);
    return !busy;
}

/* ---- writing ---- */
static char *compose(const orr_launch_status *s, cJSON *o)
{
    cJSON *faults = cJSON_GetObjectItemCaseSensitive(o, "faults");
    const cJSON *e;
    int at = 0;

    cJSON_AddNumberToObject(o, "starts", s->starts);
    cJSON_AddNumberToObject(o, "pid", getpid());
    cJSON_AddNumberToObject(o, "process_started", s->began);
    cJSON_AddStringToObject(o, "launch_host", s->host);
    if (cJSON_IsArray(s->earlier))
        cJSON_ArrayForEach (e, s->earlier)
            cJSON_InsertItemInArray(faults, at++, cJSON_Duplicate(e, 1));
    while (cJSON_GetArraySize(faults) > ORR_LAUNCH_FAULTS_MAX)
        cJSON_DeleteItemFromArray(faults, 0);
    return cJSON_Print(o);
}

/* 0, or -1 with errno. */
static int put_file(const orr_launch_status *s, const char *text)
{
    char path[ORR_PATH_MAX];
    struct stat what;
    FILE *f;
    int bad;

    errno = EINVAL;
    if (!text || orr_tmp_path(path, s->path) != ORR_OK) return -1;
    if (stat(s->path, &what) == 0 && !S_ISREG(what.st_mode)) { /* a device keeps its name */
        errno = S_ISDIR(what.st_mode) ? EISDIR : ENOTSUP;
        return -1;
    }
    if (!(f = fopen(path, "we"))) return -1;
    bad = fprintf(f, "%s\n", text) < 0;
    if ((fclose(f) | bad) != 0) return -1;
    return rename(path, s->path);
}

static void write_now(orr_launch_status *s, cJSON *o)
{
    char *text;

    if (s->beside[0] && !orr_path_exists(s->beside)) return;
    if (!may_write(s, o)) return;
    text = compose(s, o);
    if (put_file(s, text) != 0 && !s->told_failure) {
        s->told_failure = 1;
        orr_log(ORR_WARN, "launch", "%s: %s; the job goes on, its status file is old or missing",
                s->path, strerror(errno));
    }
    cJSON_free(text);
}

/* ---- the thread ---- */
static void *work(void *ctx)
{
    orr_launch_status *s = ctx;

    pthread_mutex_lock(&s->lock);
    for (;;) {
        cJSON *o = s->next;
        s->next = NULL;
        if (!o && s->leaving) break;
        if (!o) {
            pthread_cond_wait(&s->change, &s->lock);
            continue;
        }
        pthread_mutex_unlock(&s->lock);
        write_now(s, o);
        cJSON_Delete(o);
        pthread_mutex_lock(&s->lock);
    }
    pthread_mutex_unlock(&s->lock);
    return NULL;
}

static void release(orr_launch_status *s)
{
    cJSON_Delete(s->next);
    cJSON_Delete(s->earlier);
    pthread_cond_destroy(&s->change);
    pthread_mutex_destroy(&s->lock);
    orr_free(s);
}

orr_status orr_launch_status_create(orr_launch_status **out, const char *path, const char *beside)
{
    orr_launch_status *s = orr_alloc(1, sizeof *s);
    int failed;

    *out = NULL;
    if (!s) return orr_fail(ORR_ERR_NOMEM, "out of memory: the status file");
    if (strlen(path) >= sizeof s->path || strlen(beside) >= sizeof s->beside) {
        orr_free(s);
        return orr_fail(ORR_ERR_OPTION, "status=%.80s... is too long a path", path);
    }
    snprintf(s->path, sizeof s->path, "%s", path);
    snprintf(s->beside, sizeof s->beside, "%s", beside);
    if (gethostname(s->host, sizeof s->host - 1) != 0) s->host[0] = '\0';
    s->began = (double)orr_process_began(getpid());
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->change, NULL);
    failed = orr_thread_start(&s->thread, work, s);
    if (failed) {
        release(s);
        return orr_fail(ORR_ERR_IO, "no thread for the status file: %s", strerror(failed));
    }
    *out = s;
    return ORR_OK;
}

void orr_launch_status_put(orr_launch_status *s, cJSON *o)
{
    cJSON *old;

    if (!o) return;
    pthread_mutex_lock(&s->lock);
    old = s->next;
    s->next = o;
    pthread_cond_signal(&s->change);
    pthread_mutex_unlock(&s->lock);
    cJSON_Delete(old);
}

void orr_launch_status_destroy(orr_launch_status *s)
{
    struct timespec until;

    if (!s) return;
    pthread_mutex_lock(&s->lock);
    s->leaving = 1;
    pthread_cond_signal(&s->change);
    pthread_mutex_unlock(&s->lock);
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += patience;
    /* A thread that hangs in the file system keeps what it has: the program is about to end. */
    if (pthread_timedjoin_np(s->thread, NULL, &until) == 0) release(s);
}
