/* jobs/run.c - the run folder. */
#include "jobs/run.h"
#include "core/log.h"
#include "core/memory.h"
#include "core/threads.h"
#include "jobs/same_job.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

orr_status orr_run_path(const orr_run *r, char out[ORR_PATH_MAX], const char *name)
{
    return orr_path_join(out, r->dir, name);
}

static orr_status take_lock(orr_run *r, int how)
{
    char path[ORR_PATH_MAX];

    ORR_TRY(orr_run_path(r, path, ".lock"));
    r->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (r->lock < 0) return orr_fail(ORR_ERR_IO, "%s: %s", path, strerror(errno));
    if (flock(r->lock, how | LOCK_NB) != 0)
        return orr_fail(ORR_ERR_EXISTS,
                        "%s: another job is running here; wait for it, or give another run folder",
                        r->dir);
    return ORR_OK;
}

/* Under a name of its own first: starts that share the folder may do this at the same time, and
 * each then reads what the last one has put there. */
static orr_status write_job(const char *path, const char *job)
{
    char mine[ORR_PATH_MAX + 64];
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    snprintf(mine, sizeof mine, "%s.%ld-%ld", path, (long)getpid(), now.tv_nsec);
    ORR_TRY(orr_write_file(mine, job, strlen(job)));
    return orr_commit_file(mine, path);
}

/* Compares with, or writes, job.yaml. */
static orr_status check_job(orr_run *r, const char *job)
{
    char path[ORR_PATH_MAX];
    char *then = NULL;
    size_t bytes;
    orr_status st;

    ORR_TRY(orr_run_path(r, path, "job.yaml"));
    if (!orr_path_exists(path)) ORR_TRY(write_job(path, job));
    ORR_TRY(orr_read_file(&then, &bytes, path, (size_t)16 << 20));
    st = orr_same_job(job, then, r->dir, "a run", "give another run folder, or the same job");
    orr_free(then);
    return st;
}

static orr_status open_folder(orr_run *r, const char *dir, const char *job, int how)
{
    orr_status st;

    *r = (orr_run){ .lock = -1 };
    ORR_TRY(orr_path_join(r->dir, "", dir));
    if (orr_path_exists(dir) && !orr_path_is_dir(dir))
        return orr_fail(ORR_ERR_EXISTS, "%s is a file; give a folder for the run", dir);
    ORR_TRY(orr_make_dirs(dir));
    st = take_lock(r, how);
    if (st == ORR_OK) st = check_job(r, job);
    if (st != ORR_OK) orr_run_close(r);
    return st;
}

orr_status orr_run_open(orr_run *r, const char *dir, const char *job, int *resume)
{
    char path[ORR_PATH_MAX];

    ORR_TRY(open_folder(r, dir, job, LOCK_EX));
    if (orr_run_path(r, path, "checkpoint-last.h5") != ORR_OK) {
        orr_run_close(r);
        return ORR_ERR_ARG;
    }
    *resume = orr_path_exists(path);
    return ORR_OK;
}

orr_status orr_run_share(orr_run *r, const char *dir, const char *job)
{
    return open_folder(r, dir, job, LOCK_SH);
}

orr_status orr_run_claim(orr_run *r, double seconds)
{
    const struct timespec pause = { .tv_nsec = 50000000 };
    double end = orr_now() + seconds;

    flock(r->lock, LOCK_UN); /* two that both wait to be alone would wait for each other */
    while (flock(r->lock, LOCK_EX | LOCK_NB) != 0) {
        if (orr_now() > end)
            return orr_fail(ORR_ERR_EXISTS, "%s: other jobs have been at work here for %.0f s",
                            r->dir, seconds);
        nanosleep(&pause, NULL);
    }
    return ORR_OK;
}

/* Opens name for appending after its first `bytes` bytes; what a killed start wrote after them
 * goes. */
static orr_status open_table(FILE **out, const orr_run *r, const char *name, int64_t bytes,
                             const char *header)
{
    char path[ORR_PATH_MAX];
    int fd;

    ORR_TRY(orr_run_path(r, path, name));
    fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0) return orr_fail(ORR_ERR_IO, "%s: %s", path, strerror(errno));
    if (bytes >= 0) {
        if (lseek(fd, 0, SEEK_END) < bytes) {
            close(fd);
            return orr_fail(
                ORR_ERR_FORMAT,
                "%s: shorter than when the checkpoint was written; the run was tampered with",
                path);
        }
        if (ftruncate(fd, bytes) != 0) {
            close(fd);
            return orr_fail(ORR_ERR_IO, "%s: %s", path, strerror(errno));
        }
    }
    if (!(*out = fdopen(fd, "a"))) {
        close(fd);
        return orr_fail(ORR_ERR_IO, "%s: %s", path, strerror(errno));
    }
    if (lseek(fd, 0, SEEK_END) == 0 && header && (fputs(header, *out) == EOF || fflush(*out) != 0))
        return orr_fail(ORR_ERR_IO, "%s: %s", path, strerror(errno));
    return ORR_OK;
}

/* timing.csv is for people: a run does not end for want of it. */
static void drop_timing(orr_run *r)
{
    orr_log(ORR_WARN, "train", "%s; the run goes on without timing.csv", orr_error_text());
    if (r->timing) fclose(r->timing);
    r->timing = NULL;
}

orr_status orr_run_open_tables(orr_run *r, int64_t metrics_bytes, int64_t history_bytes,
                               const char *history_header, const char *timing_header)
{
    ORR_TRY(open_table(&r->metrics, r, "metrics.jsonl", metrics_bytes, NULL));
    ORR_TRY(open_table(&r->history, r, "history.csv", history_bytes, history_header));
    if (open_table(&r->timing, r, "timing.csv", -1, timing_header) != ORR_OK) drop_timing(r);
    return ORR_OK;
}

static orr_status append(FILE *f, const orr_run *r, const char *name, const char *line)
{
    if (!line || !f) return ORR_OK;
    if (fputs(line, f) == EOF || fflush(f) != 0)
        return orr_fail(ORR_ERR_IO, "%s/%s: cannot grow: %s", r->dir, name, strerror(errno));
    return ORR_OK;
}

orr_status orr_run_append(orr_run *r, const char *metrics_line, const char *history_line,
                          const char *timing_line)
{
    ORR_TRY(append(r->metrics, r, "metrics.jsonl", metrics_line));
    ORR_TRY(append(r->history, r, "history.csv", history_line));
    if (append(r->timing, r, "timing.csv", timing_line) != ORR_OK) drop_timing(r);
    return ORR_OK;
}

orr_status orr_run_sizes(orr_run *r, int64_t *metrics_bytes, int64_t *history_bytes)
{
    *metrics_bytes = lseek(fileno(r->metrics), 0, SEEK_END);
    *history_bytes = lseek(fileno(r->history), 0, SEEK_END);
    if (*metrics_bytes < 0 || *history_bytes < 0)
        return orr_fail(ORR_ERR_IO, "%s: %s", r->dir, strerror(errno));
    return ORR_OK;
}

void orr_run_close(orr_run *r)
{
    if (r->metrics) fclose(r->metrics);
    if (r->history) fclose(r->history);
    if (r->timing) fclose(r->timing);
    if (r->lock >= 0) close(r->lock);
    *r = (orr_run){ .lock = -1 };
}
