/* jobs/train/saver.c - a thread for each save, joined before the next. */
#include "jobs/train/saver.h"
#include "core/log.h"
#include "core/memory.h"
#include "core/threads.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct orr_saver {
    int asynchronous;
    orr_store_image *spare; /* written, for its memory */
    int64_t synced[ORR_SAVER_TABLES];
    /* The save under way: the thread's from its start until it is joined. */
    pthread_t thread;
    int under_way;
    orr_store_image *image;
    char paths[ORR_SAVER_NAMES][ORR_PATH_MAX];
    orr_saver_table tables[ORR_SAVER_TABLES];
    orr_error error;
};

orr_status orr_saver_create(orr_saver **out, int asynchronous)
{
    if (!(*out = orr_alloc(1, sizeof **out)))
        return orr_fail(ORR_ERR_NOMEM, "out of memory: saver");
    (*out)->asynchronous = asynchronous;
    return ORR_OK;
}

/* A checkpoint that has its name remembers the lengths of the tables: they must not be shorter
 * after a loss of power. */
static orr_status sync_tables(orr_saver *s)
{
    for (int i = 0; i < ORR_SAVER_TABLES; i++) {
        const orr_saver_table *t = &s->tables[i];
        if (!t->name || t->size <= s->synced[i]) continue;
        if (fsync(t->fd) != 0)
            return orr_fail(ORR_ERR_IO, "%s: %s beside it could not be written: %s",
                            s->paths[0][0] ? s->paths[0] : s->paths[1], t->name, strerror(errno));
        s->synced[i] = t->size;
    }
    return ORR_OK;
}

static orr_status write_names(orr_saver *s)
{
    ORR_TRY(sync_tables(s));
    for (int i = 0; i < ORR_SAVER_NAMES; i++)
        if (s->paths[i][0]) ORR_TRY(orr_store_image_write(s->image, s->paths[i]));
    return ORR_OK;
}

static void *work(void *arg)
{
    orr_saver *s = arg;

    orr_error_take(&s->error, write_names(s));
    return NULL;
}

/* What was written is for the next image, where there is one soon. */
static void keep_spare(orr_saver *s)
{
    orr_store_image_free(s->spare);
    s->spare = s->asynchronous ? s->image : NULL;
    if (!s->asynchronous) orr_store_image_free(s->image);
    s->image = NULL;
}

orr_status orr_saver_wait(orr_saver *s)
{
    orr_error error;

    if (s->under_way) {
        pthread_join(s->thread, NULL);
        s->under_way = 0;
        keep_spare(s);
    }
    error = s->error;
    s->error.code = ORR_OK;
    return orr_error_raise(&error);
}

orr_status orr_saver_ready(orr_saver *s, orr_store_image ***spare)
{
    *spare = &s->spare;
    return orr_saver_wait(s);
}

static int begin_thread(orr_saver *s)
{
    int failed;

    failed = orr_thread_start(&s->thread, work, s);
    return !failed;
}

static orr_status take_over(orr_saver *s, const orr_saver_job *job)
{
    for (int i = 0; i < ORR_SAVER_NAMES; i++)
        ORR_TRY(orr_path_join(s->paths[i], "", job->paths[i] ? job->paths[i] : ""));
    memcpy(s->tables, job->tables, sizeof s->tables);
    return ORR_OK;
}

orr_status orr_saver_put(orr_saver *s, orr_store_image *image, const orr_saver_job *job)
{
    orr_status st = orr_saver_wait(s);

    if (st == ORR_OK) st = take_over(s, job);
    if (st != ORR_OK) {
        orr_store_image_free(image);
        return st;
    }
    s->image = image;
    if (s->asynchronous && (s->under_way = begin_thread(s))) return ORR_OK;
    st = write_names(s);
    keep_spare(s);
    return st;
}

void orr_saver_destroy(orr_saver *s)
{
    if (!s) return;
    if (orr_saver_wait(s) != ORR_OK)
        orr_log(ORR_WARN, "train", "a checkpoint was not written: %s", orr_error_text());
    orr_store_image_free(s->spare);
    orr_free(s);
}
