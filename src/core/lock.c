/* core/lock.c - flock(2), which a process loses when it ends, however it ends. */
#include "core/lock.h"
#include "core/log.h"
#include "core/threads.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

void orr_lock_release(orr_lock *l)
{
    if (l->fd >= 0) close(l->fd);
    *l = (orr_lock)ORR_LOCK_INIT;
}

static orr_status fail_busy(const char *path, const orr_lock_opts *o)
{
    return orr_fail(
        ORR_ERR_EXISTS, "%s: %s", path,
        o->busy ? o->busy : "another orrery is at work on it; wait for it, or choose another out");
}

/* Until it is ours, or the time is over. */
static orr_status wait_for(orr_lock *l, const char *path, const orr_lock_opts *o)
{
    const struct timespec pause = { .tv_nsec = 50000000 };
    double end = orr_now() + o->seconds;

    while (flock(l->fd, (o->shared ? LOCK_SH : LOCK_EX) | LOCK_NB) != 0) {
        if (errno == EINTR) continue;
        if (errno != EWOULDBLOCK) {
            l->none = 1;
            orr_log(ORR_WARN, "lock", "%s: %s: nothing keeps a second job out", path,
                    strerror(errno));
            return ORR_OK;
        }
        if (orr_now() >= end) return fail_busy(path, o);
        nanosleep(&pause, NULL);
    }
    return ORR_OK;
}

int orr_lock_holds(const orr_lock *l, const char *path)
{
    struct stat mine, named;

    return fstat(l->fd, &mine) == 0 && stat(path, &named) == 0 && mine.st_ino == named.st_ino &&
           mine.st_dev == named.st_dev;
}

orr_status orr_lock_take(orr_lock *l, const char *path, const orr_lock_opts *o)
{
    enum { TRIES = 100 };
    int folder = o->kind == ORR_LOCK_FOLDER;
    orr_status st;

    for (int i = 0; i < TRIES; i++) {
        *l = (orr_lock)ORR_LOCK_INIT;
        l->fd =
            open(path, folder ? O_RDONLY | O_DIRECTORY | O_CLOEXEC : O_WRONLY | O_CREAT | O_CLOEXEC,
                 0666);
        if (l->fd < 0)
            return orr_fail(ORR_ERR_IO, "%s: %s%s", path,
                            folder ? "" : "cannot create: ", strerror(errno));
        st = wait_for(l, path, o);
        if (st == ORR_OK && (l->none || orr_lock_holds(l, path))) return ORR_OK;
        orr_lock_release(l);
        ORR_TRY(st);
        if (folder) break; /* it has another name now, or is gone: whoever had it is done */
    }
    return fail_busy(path, o);
}

orr_status orr_lock_alone(orr_lock *l, const char *path, const orr_lock_opts *o)
{
    orr_lock_opts alone = *o;

    if (l->none) return ORR_OK;
    alone.shared = 0;
    (void)flock(l->fd, LOCK_UN); /* two that both wait to be alone would wait for each other */
    return wait_for(l, path, &alone);
}

orr_status orr_lock_tmp(orr_lock *l, const char *tmp)
{
    return orr_lock_take(l, tmp, &(orr_lock_opts){ .kind = ORR_LOCK_FILE });
}
