/* jobs/context/run.c - the run folder. */
#include "jobs/context/run.h"
#include "core/log.h"
#include "core/memory.h"
#include "core/text.h"
#include "core/threads.h"
#include "jobs/context/same_job.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { HEADER_MAX = 8192, ASIDE_MAX = 1000 };

orr_status orr_run_path(const orr_run *r, char out[ORR_PATH_MAX], const char *name)
{
    return orr_path_join(out, r->dir, name);
}

static orr_status take_lock(orr_run *r, int shared)
{
    char path[ORR_PATH_MAX];
    orr_status st;

    ORR_TRY(orr_run_path(r, path, ".lock"));
    st = orr_lock_take(&r->lock, path, &(orr_lock_opts){ .shared = shared });
    if (st != ORR_ERR_EXISTS) return st;
    return orr_fail(ORR_ERR_EXISTS,
                    "%s: another job is running here; wait for it, or give another run folder",
                    r->dir);
}

/* ---- job.yaml ---- */
static const char job_name[] = "job.yaml";

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

/* "job.yaml.4711-123456789", with ".tmp" or without, as write_job has it. */
static int is_leftover(const char *name)
{
    size_t n = sizeof job_name - 1, digits;

    if (strncmp(name, job_name, n) != 0 || name[n] != '.') return 0;
    name += n + 1;
    if ((digits = strspn(name, "0123456789")) == 0 || name[digits] != '-') return 0;
    name += digits + 1;
    if ((digits = strspn(name, "0123456789")) == 0) return 0;
    return name[digits] == '\0' || strcmp(name + digits, ".tmp") == 0;
}

/* Of starts that were killed in write_job.  With the lock for us alone nobody is in there: whoever
 * writes such a file has the lock, too. */
static void remove_leftovers(const orr_run *r)
{
    char path[ORR_PATH_MAX];
    DIR *d = opendir(r->dir);
    const struct dirent *e;

    while (d && (e = readdir(d)))
        if (is_leftover(e->d_name) && orr_run_path(r, path, e->d_name) == ORR_OK)
            (void)unlink(path);
    if (d) closedir(d);
}

/* ---- what is removed for another job ---- */
static const char *const results[] = { "metrics.jsonl",
                                       "history.csv",
                                       "timing.csv",
                                       "status.json",
                                       "checkpoint-last.h5",
                                       "checkpoint-best.h5",
                                       "model.h5",
                                       "report.json",
                                       "log.txt",
                                       "statistics.h5",
                                       "oof.h5",
                                       "oof.csv",
                                       "test.csv",
                                       "folds.csv",
                                       "seeds.h5",
                                       "weights.csv",
                                       "stop.json",
                                       ".not-finite" };

static int begins(const char *s, const char *with)
{
    return strncmp(s, with, strlen(with)) == 0;
}

static int ends(const char *s, const char *with)
{
    size_t n = strlen(s), m = strlen(with);

    return n >= m && strcmp(s + n - m, with) == 0;
}

/* A name that a command gives to a result, or to one that is not whole yet. */
static int is_ours(const char *name)
{
    char plain[256];

    snprintf(plain, sizeof plain, "%s", name);
    if (ends(plain, ".tmp")) plain[strlen(plain) - 4] = '\0';
    for (size_t i = 0; i < sizeof results / sizeof *results; i++)
        if (strcmp(plain, results[i]) == 0) return 1;
    return (begins(plain, "predictions-") && (ends(plain, ".csv") || ends(plain, ".h5"))) ||
           (begins(plain, "timing.") && ends(plain, ".csv")) ||
           (begins(plain, "status-fold-") && ends(plain, ".json"));
}

static orr_status remove_ours(const char *dir, int all)
{
    char path[ORR_PATH_MAX];
    DIR *d = opendir(dir);
    const struct dirent *e;
    orr_status st = ORR_OK;

    while (st == ORR_OK && d && (e = readdir(d))) {
        int goes = is_ours(e->d_name) ||
                   (all && (strcmp(e->d_name, job_name) == 0 || strcmp(e->d_name, ".lock") == 0));
        if (!goes || orr_path_join(path, dir, e->d_name) != ORR_OK) continue;
        if (unlink(path) != 0 && errno != ENOENT)
            st = orr_fail(ORR_ERR_IO, "%s: cannot be removed: %s", path, strerror(errno));
    }
    if (d) closedir(d);
    return st;
}

/* A training of a larger job: a folder in tasks that has a job. */
static orr_status remove_task(const char *tasks, const char *name)
{
    char dir[ORR_PATH_MAX], job[ORR_PATH_MAX];

    ORR_TRY(orr_path_join(dir, tasks, name));
    ORR_TRY(orr_path_join(job, dir, job_name));
    if (!orr_path_exists(job)) return ORR_OK;
    ORR_TRY(remove_ours(dir, 1));
    (void)rmdir(dir); /* what else is in it stays */
    return ORR_OK;
}

orr_status orr_run_clear(const char *dir)
{
    char tasks[ORR_PATH_MAX];
    const struct dirent *e;
    DIR *d;
    orr_status st = ORR_OK;

    ORR_TRY(remove_ours(dir, 0));
    ORR_TRY(orr_path_join(tasks, dir, "tasks"));
    d = opendir(tasks);
    while (st == ORR_OK && d && (e = readdir(d)))
        if (e->d_name[0] != '.') st = remove_task(tasks, e->d_name);
    if (d) closedir(d);
    (void)rmdir(tasks);
    return st;
}

static orr_status replace(const orr_run *r, const orr_run_offer *offer, const char *then)
{
    if (!begins(then, offer->mark))
        return orr_fail(ORR_ERR_EXISTS,
                        "%s holds a run of another command, which overwrite=true does not remove; "
                        "give another run folder",
                        r->dir);
    if (r->lock.none)
        return orr_fail(ORR_ERR_EXISTS,
                        "%s: no locks there, so it cannot be told whether a job is at work in it; "
                        "remove the folder yourself, or give another",
                        r->dir);
    orr_log(ORR_INFO, "run", "%s: results of another job are removed (overwrite=true)", r->dir);
    return orr_run_clear(r->dir);
}

/* ---- the folder and its job ---- */
/* Another job than the folder's. */
static orr_status judge_job(orr_run *r, const orr_run_offer *offer, const char *then, int alone)
{
    if (offer->judge) ORR_TRY(offer->judge(offer->job, then, r->dir, &r->longer));
    if (r->longer) return ORR_OK;
    if (offer->overwrite && alone) return replace(r, offer, then);
    return orr_same_job(offer->job, then, r->dir, "a run",
                        offer->mark ? "give another run folder, the same job, or overwrite=true"
                                    : "give another run folder, or the same job");
}

/* Compares with, or writes, job.yaml. */
static orr_status check_job(orr_run *r, const orr_run_offer *offer, int alone)
{
    char path[ORR_PATH_MAX];
    char *then = NULL;
    size_t bytes;
    orr_status st;

    ORR_TRY(orr_run_path(r, path, job_name));
    if (!orr_path_exists(path)) ORR_TRY(write_job(path, offer->job));
    ORR_TRY(orr_read_file(&then, &bytes, path, (size_t)16 << 20));
    st = orr_same_job(offer->job, then, r->dir, "a run", "");
    if (st != ORR_OK) {
        orr_error_clear();
        st = judge_job(r, offer, then, alone);
        if (st == ORR_OK) st = write_job(path, offer->job);
    }
    orr_free(then);
    return st;
}

static orr_status open_folder(orr_run *r, const char *dir, const orr_run_offer *offer, int shared)
{
    orr_status st;

    *r = (orr_run)ORR_RUN_INIT;
    ORR_TRY(orr_path_join(r->dir, "", dir));
    if (orr_path_exists(dir) && !orr_path_is_dir(dir))
        return orr_fail(ORR_ERR_EXISTS, "%s is a file; give a folder for the run", dir);
    ORR_TRY(orr_make_dirs(dir));
    st = take_lock(r, shared);
    if (st == ORR_OK && !shared && !r->lock.none) remove_leftovers(r);
    if (st == ORR_OK) st = check_job(r, offer, !shared);
    if (st != ORR_OK) orr_run_close(r);
    return st;
}

orr_status orr_run_take(orr_run *r, const char *dir, const orr_run_offer *offer, int *resume)
{
    char path[ORR_PATH_MAX];

    ORR_TRY(open_folder(r, dir, offer, 0));
    if (orr_run_path(r, path, "checkpoint-last.h5") != ORR_OK) {
        orr_run_close(r);
        return ORR_ERR_ARG;
    }
    *resume = orr_path_exists(path);
    return ORR_OK;
}

orr_status orr_run_open(orr_run *r, const char *dir, const char *job, int *resume)
{
    const orr_run_offer offer = { .job = job };

    return orr_run_take(r, dir, &offer, resume);
}

orr_status orr_run_share(orr_run *r, const char *dir, const char *job)
{
    const orr_run_offer offer = { .job = job };

    return open_folder(r, dir, &offer, 1);
}

orr_status orr_run_claim(orr_run *r, double seconds)
{
    char others[128];
    orr_status st;

    if (r->lock.none) return ORR_OK;
    snprintf(others, sizeof others, "other jobs have been at work here for %.0f s", seconds);
    st = orr_lock_alone(&r->lock, r->dir, &(orr_lock_opts){ .seconds = seconds, .busy = others });
    if (st == ORR_OK) remove_leftovers(r);
    return st;
}

/* ---- tables ---- */

/* Up to the end of the last whole line: the next one must not go on with half of another. */
static int64_t whole_lines(int fd)
{
    char tail[HEADER_MAX];
    off_t size = lseek(fd, 0, SEEK_END), from = size > HEADER_MAX ? size - HEADER_MAX : 0;
    ssize_t n = pread(fd, tail, sizeof tail, from);
    const char *end = n > 0 ? memrchr(tail, '\n', (size_t)n) : NULL;

    return end ? from + (end - tail) + 1 : size;
}

/* Opens name for appending after its first `bytes` bytes (-1: after its last whole line); what a
 * killed start wrote after them goes. */
static orr_status open_table(FILE **out, const orr_run *r, const char *name, int64_t bytes,
                             const char *header)
{
    char path[ORR_PATH_MAX];
    int fd;

    ORR_TRY(orr_run_path(r, path, name));
    fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0) return orr_fail(ORR_ERR_IO, "%s: %s", path, strerror(errno));
    if (bytes < 0) bytes = whole_lines(fd);
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

/* *out = the first line of a table, with its end; "" when it has none.  The caller's to orr_free.
 */
static orr_status read_header(char **out, const orr_run *r, const char *name)
{
    char path[ORR_PATH_MAX];
    FILE *f;

    *out = NULL;
    ORR_TRY(orr_run_path(r, path, name));
    if (!(*out = orr_alloc(HEADER_MAX, 1)))
        return orr_fail(ORR_ERR_NOMEM, "out of memory: %s", path);
    if (!(f = fopen(path, "re"))) {
        if (errno == ENOENT) return ORR_OK;
        return orr_fail(ORR_ERR_IO, "%s: %s", path, strerror(errno));
    }
    if (!fgets(*out, HEADER_MAX, f) || !strchr(*out, '\n')) (*out)[0] = '\0';
    fclose(f);
    return ORR_OK;
}

/* The history's columns, when they are not ours. */
static orr_status look_at_history(orr_run *r, int64_t bytes, const char *header)
{
    r->history_header = header;
    if (bytes == 0) return ORR_OK;
    ORR_TRY(read_header(&r->history_columns, r, "history.csv"));
    if (r->history_columns[0] == '\0')
        return orr_fail(ORR_ERR_FORMAT,
                        "%s/history.csv: it has no header any more; the run was tampered with",
                        r->dir);
    if (strcmp(r->history_columns, header) == 0) {
        orr_free(r->history_columns);
        r->history_columns = NULL;
    } else
        orr_log(ORR_INFO, "train",
                "%s/history.csv was begun by another version, and keeps the columns it has",
                r->dir);
    return ORR_OK;
}

/* timing.csv with other columns gets the first name that is free. */
static orr_status put_timing_aside(const orr_run *r)
{
    char from[ORR_PATH_MAX], to[ORR_PATH_MAX], name[32];

    ORR_TRY(orr_run_path(r, from, "timing.csv"));
    for (int i = 1; i < ASIDE_MAX; i++) {
        snprintf(name, sizeof name, "timing.%d.csv", i);
        ORR_TRY(orr_run_path(r, to, name));
        if (orr_path_exists(to)) continue;
        if (rename(from, to) != 0) return orr_fail(ORR_ERR_IO, "%s: %s", from, strerror(errno));
        orr_log(ORR_INFO, "train",
                "%s was begun by another version, with other columns: it is %s now", from, name);
        return ORR_OK;
    }
    return orr_fail(ORR_ERR_EXISTS, "%s: it has other columns, and so have %d before it", from,
                    ASIDE_MAX - 1);
}

static orr_status open_timing(orr_run *r, const char *header)
{
    char *then = NULL;
    orr_status st = read_header(&then, r, "timing.csv");

    if (st == ORR_OK && then[0] && strcmp(then, header) != 0) st = put_timing_aside(r);
    if (st == ORR_OK)
        st = open_table(&r->timing, r, "timing.csv", then[0] ? -1 : 0, header); /* 0: cut in it */
    orr_free(then);
    return st;
}

/* timing.csv is for people: a run does not end for want of it. */
static void drop_timing(orr_run *r)
{
    orr_log(ORR_WARN, "train", "%s; training goes on without timing.csv", orr_error_text());
    orr_error_clear();
    if (r->timing) fclose(r->timing);
    r->timing = NULL;
}

orr_status orr_run_open_tables(orr_run *r, int64_t metrics_bytes, int64_t history_bytes,
                               const char *history_header, const char *timing_header)
{
    ORR_TRY(open_table(&r->metrics, r, "metrics.jsonl", metrics_bytes, NULL));
    ORR_TRY(look_at_history(r, history_bytes, history_header));
    ORR_TRY(open_table(&r->history, r, "history.csv", history_bytes, history_header));
    if (open_timing(r, timing_header) != ORR_OK) drop_timing(r);
    return ORR_OK;
}

/* Where the n-th field of a line begins, and its length; NULL when there are fewer. */
static const char *field(const char *line, int n, size_t *len)
{
    for (; n > 0; n--) {
        line += strcspn(line, ",\n");
        if (*line++ != ',') return NULL;
    }
    *len = strcspn(line, ",\n");
    return line;
}

/* Which field of `header` has that name; -1: none. */
static int find_field(const char *header, const char *name, size_t len)
{
    const char *have;
    size_t n;

    for (int i = 0; (have = field(header, i, &n)); i++)
        if (n == len && memcmp(have, name, n) == 0) return i;
    return -1;
}

/* A line of ours under the columns that the file has. */
static orr_status fit_history(const orr_run *r, const char *line, orr_text *out)
{
    const char *name, *value;
    size_t n, len;

    for (int i = 0; (name = field(r->history_columns, i, &n)); i++) {
        int ours = find_field(r->history_header, name, n);
        if (i) orr_text_add(out, ",");
        if (ours >= 0 && (value = field(line, ours, &len))) orr_text_addn(out, value, len);
    }
    orr_text_add(out, "\n");
    return orr_text_status(out);
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
    orr_text fitted = ORR_TEXT_INIT;
    orr_status st = ORR_OK;

    ORR_TRY(append(r->metrics, r, "metrics.jsonl", metrics_line));
    if (r->history_columns && history_line) {
        st = fit_history(r, history_line, &fitted);
        history_line = fitted.s;
    }
    if (st == ORR_OK) st = append(r->history, r, "history.csv", history_line);
    orr_text_free(&fitted);
    ORR_TRY(st);
    if (append(r->timing, r, "timing.csv", timing_line) != ORR_OK) drop_timing(r);
    return ORR_OK;
}

/* Does the open file still have its name?  Some network file systems give an open file that was
 * removed another name, so that is looked for, too. */
static orr_status check_name(const orr_run *r, int fd, const char *name)
{
    char path[ORR_PATH_MAX];
    struct stat open_one, named;

    if (fd < 0) return ORR_OK;
    ORR_TRY(orr_run_path(r, path, name));
    if (fstat(fd, &open_one) != 0) return orr_fail(ORR_ERR_IO, "%s: %s", path, strerror(errno));
    if (open_one.st_nlink > 0 && (stat(path, &named) == 0 || errno != ENOENT)) return ORR_OK;
    return orr_fail(ORR_ERR_IO,
                    "%s was removed under this run; it cannot go on from what is left: remove all "
                    "of %s, and start again",
                    path, r->dir);
}

orr_status orr_run_sizes(orr_run *r, int64_t *metrics_bytes, int64_t *history_bytes)
{
    ORR_TRY(check_name(r, fileno(r->metrics), "metrics.jsonl"));
    ORR_TRY(check_name(r, fileno(r->history), "history.csv"));
    ORR_TRY(check_name(r, r->lock.fd, ".lock"));
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
    orr_free(r->history_columns);
    orr_lock_release(&r->lock);
    *r = (orr_run)ORR_RUN_INIT;
}
