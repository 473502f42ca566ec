/* jobs/launch/launch_status.c - a thread that writes the newest text.  Without fsync: a reader sees the old
 * file or the new one, and nothing waits for a disk. */
#include "jobs/launch/launch_status.h"
#include "core/file.h"
#include "core/memory.h"
#include "core/threads.h"

#include <cjson/cJSON.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static const int patience = 2; /* seconds */

struct orr_launch_status {
    char path[ORR_PATH_MAX], beside[ORR_PATH_MAX];
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t change;
    char *next;
    int leaving;
};

static void write_file(const orr_launch_status *s, const char *text)
{
    char path[ORR_PATH_MAX];
    FILE *f;
    int bad;

    if (s->beside[0] && !orr_path_exists(s->beside)) return;
    if (orr_tmp_path(path, s->path) != ORR_OK || !(f = fopen(path, "we"))) return;
    bad = fprintf(f, "%s\n", text) < 0;
    if ((fclose(f) | bad) == 0) (void)!rename(path, s->path);
}

static void *work(void *ctx)
{
    orr_launch_status *s = ctx;

    pthread_mutex_lock(&s->lock);
    for (;;) {
        char *text = s->next;
        s->next = NULL;
        if (!text && s->leaving) break;
        if (!text) {
            pthread_cond_wait(&s->change, &s->lock);
            continue;
        }
        pthread_mutex_unlock(&s->lock);
        write_file(s, text);
        cJSON_free(text);
        pthread_mutex_lock(&s->lock);
    }
    pthread_mutex_unlock(&s->lock);
    return NULL;
}

static void release(orr_launch_status *s)
{
    cJSON_free(s->next);
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

void orr_launch_status_put(orr_launch_status *s, char *text)
{
    char *old;

    if (!text) return;
    pthread_mutex_lock(&s->lock);
    old = s->next;
    s->next = text;
    pthread_cond_signal(&s->change);
    pthread_mutex_unlock(&s->lock);
    cJSON_free(old);
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
