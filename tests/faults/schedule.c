/* tests/faults/schedule.c - LD_PRELOAD: makes the faults of a schedule happen inside a rank.
 *   ORR_SCHEDULE=FILE   one fault a line: point,step,rank,kind,a,b,attempt
 *   ORR_ATTEMPTS=FOLDER a file for each rank there counts its starts, and "said" gets a line for
 *                       every fault that was made: row, point, step, seconds (CLOCK_MONOTONIC)
 *
 * A point without a slash is one of core/probe.h: a phase, or a buffer; the fault is made the first
 * time that the rank comes there at this step or later.  A point with a slash is a part of a file's
 * path; the step is the number of the call, from 1, among those on files that have it in their
 * path: open that creates, write, ftruncate, fsync, rename, fflush; for reads: read and pread.
 *   kill, stop    SIGKILL, SIGSTOP          exit   ends with code a
 *   nan           number a of the buffer    flip   bit b of number a of the buffer
 *   slow          sleeps a milliseconds, b times
 *   enospc, eio   the call fails; a: 0 any of these, 1 only fsync, 2 only reads;
 *                 b: 0 this call, 1 all later ones, too
 *   short         the read gives half of what was asked for
 * attempt: the start of the rank in which it is made, from 1; 0: in each. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { ROWS = 32, WORD = 64 };
enum { CALL = 0, SYNC = 1, READ = 2 }; /* what a file's fault is about */

typedef struct row {
    char point[WORD], kind[WORD];
    long long step, a, b;
    int rank, attempt, made;
    long calls;
} row;

static row rows[ROWS];
static int n_rows, my_rank, my_attempt;
static long long step_now = -1;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;

/* ---- what there is to do ---- */
static int open_note(const char *name, int flags)
{
    const char *folder = getenv("ORR_ATTEMPTS");
    char path[4096];

    snprintf(path, sizeof path, "%s/%s", folder ? folder : ".", name);
    return (int)syscall(SYS_openat, AT_FDCWD, path, flags | O_CREAT | O_CLOEXEC, 0644);
}

static int count_attempt(void)
{
    char name[WORD];
    off_t n;
    int fd;

    snprintf(name, sizeof name, "rank-%d", my_rank);
    if ((fd = open_note(name, O_WRONLY | O_APPEND)) < 0) return 1;
    if (syscall(SYS_write, fd, "x", 1) != 1) abort();
    n = lseek(fd, 0, SEEK_END);
    close(fd);
    return (int)n;
}

static void read_rows(void)
{
    const char *path = getenv("ORR_SCHEDULE"), *rank = getenv("OMPI_COMM_WORLD_RANK");
    char line[256];
    FILE *f = path ? fopen(path, "re") : NULL;

    if (!f) return;
    my_rank = rank ? (int)strtol(rank, NULL, 10) : 0;
    my_attempt = count_attempt();
    while (fgets(line, sizeof line, f)) {
        row r = { .rank = -1 };
        if (n_rows == ROWS || sscanf(line, "%63[^,],%lld,%d,%63[^,],%lld,%lld,%d", r.point, &r.step,
                                     &r.rank, r.kind, &r.a, &r.b, &r.attempt) != 7) {
            fprintf(stderr, "schedule: not a row: %s", line);
            abort();
        }
        if (r.rank == my_rank && (r.attempt == 0 || r.attempt == my_attempt)) rows[n_rows++] = r;
    }
    fclose(f);
}

static int is_kind(const row *r, const char *kind)
{
    return strcmp(r->kind, kind) == 0;
}

/* ---- doing it ---- */
static void say(const row *r, long long step)
{
    char line[512];
    struct timespec t;
    int fd = open_note("said", O_WRONLY | O_APPEND), n;

    clock_gettime(CLOCK_MONOTONIC, &t);
    n = snprintf(line, sizeof line, "%s,%s,%lld,%d,%.6f\n", r->kind, r->point, step, my_rank,
                 (double)t.tv_sec + (double)t.tv_nsec * 1e-9);
    if (fd >= 0 && syscall(SYS_write, fd, line, (size_t)n) != n) abort();
    if (fd >= 0) close(fd);
}

/* To this process, or a delay.  1: it was one of these. */
static int strike(const row *r)
{
    struct timespec pause = { .tv_sec = r->a / 1000, .tv_nsec = r->a % 1000 * 1000000 };

    if (is_kind(r, "kill")) kill(getpid(), SIGKILL);
    if (is_kind(r, "stop")) kill(getpid(), SIGSTOP);
    if (is_kind(r, "exit")) _exit((int)r->a);
    if (is_kind(r, "slow")) nanosleep(&pause, NULL);
    return is_kind(r, "kill") || is_kind(r, "stop") || is_kind(r, "exit") || is_kind(r, "slow");
}

static void spoil(const row *r, void *bytes, size_t n)
{
    size_t at = (size_t)r->a % (n / sizeof(float)) * sizeof(float);
    const float nan = NAN;
    uint32_t word;

    if (is_kind(r, "nan")) memcpy((char *)bytes + at, &nan, sizeof nan);
    if (!is_kind(r, "flip")) return;
    memcpy(&word, (char *)bytes + at, sizeof word);
    word ^= (uint32_t)1 << (r->b & 31);
    memcpy((char *)bytes + at, &word, sizeof word);
}

void orr_probe(const char *point, int64_t step, void *bytes, size_t n);
void orr_probe(const char *point, int64_t step, void *bytes, size_t n)
{
    long long now = bytes && step < 0 ? step_now : step;

    pthread_once(&once, read_rows);
    if (!bytes) step_now = step;
    for (int i = 0; i < n_rows; i++) {
        row *r = &rows[i];
        int times = is_kind(r, "slow") ? (int)r->b : 1;
        if (r->made >= times || strcmp(r->point, point) != 0 || now < r->step) continue;
        if (r->made++ == 0) say(r, now);
        if (!strike(r) && n >= sizeof(float)) spoil(r, bytes, n);
    }
}

/* ---- calls on files ---- */
static int is_about(const row *r, int call)
{
    if (is_kind(r, "short")) return call == READ;
    if (is_kind(r, "enospc") || is_kind(r, "eio"))
        return r->a == READ ? call == READ : r->a == SYNC ? call == SYNC : call != READ;
    return call != READ;
}

/* 0: go on; 1: fail, errno is set; 2: a short read. */
static int reached(const char *path, int call)
{
    int answer = 0, made = -1;

    pthread_once(&once, read_rows);
    pthread_mutex_lock(&lock);
    for (int i = 0; i < n_rows; i++) {
        row *r = &rows[i];
        if (r->point[0] != '/' || !is_about(r, call) || !strstr(path, r->point)) continue;
        r->calls++;
        if (r->calls < r->step || (r->calls > r->step && !r->b)) continue;
        if (r->made++ == 0) say(r, r->calls);
        made = i;
        answer = is_kind(r, "short") ? 2 : 1;
    }
    pthread_mutex_unlock(&lock);
    if (made < 0) return 0;
    if (strike(&rows[made])) return 0;
    errno = is_kind(&rows[made], "enospc") ? ENOSPC : EIO;
    return answer;
}

static int reached_fd(int fd, int call)
{
    char link[WORD], path[4096];
    ssize_t n;
    int error = errno, answer;

    pthread_once(&once, read_rows);
    if (n_rows == 0 || fd <= 2) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    n = readlink(link, path, sizeof path - 1);
    errno = error;
    if (n <= 0) return 0;
    path[n] = '\0';
    answer = reached(path, call);
    if (answer != 1) errno = error;
    return answer;
}

/* As the caller wrote it: relative to the folder that it is in. */
static int reached_path(const char *path, int call)
{
    char full[8192];
    size_t n;

    if (path[0] == '/' || !getcwd(full, sizeof full / 2)) return reached(path, call);
    n = strlen(full);
    snprintf(full + n, sizeof full - n, "/%s", path);
    return reached(full, call);
}

#define REAL(type, name, ...)                                                                      \
    static type (*real)(__VA_ARGS__);                                                              \
    if (!real) *(void **)&real = dlsym(RTLD_NEXT, name)

ssize_t write(int fd, const void *data, size_t n)
{
    REAL(ssize_t, "write", int, const void *, size_t);
    return reached_fd(fd, CALL) ? -1 : real(fd, data, n);
}

ssize_t pwrite(int fd, const void *data, size_t n, off_t at)
{
    REAL(ssize_t, "pwrite", int, const void *, size_t, off_t);
    return reached_fd(fd, CALL) ? -1 : real(fd, data, n, at);
}

ssize_t pwrite64(int fd, const void *data, size_t n, off64_t at)
{
    return pwrite(fd, data, n, (off_t)at);
}

ssize_t writev(int fd, const struct iovec *v, int n)
{
    REAL(ssize_t, "writev", int, const struct iovec *, int);
    return reached_fd(fd, CALL) ? -1 : real(fd, v, n);
}

ssize_t pwritev(int fd, const struct iovec *v, int n, off_t at)
{
    REAL(ssize_t, "pwritev", int, const struct iovec *, int, off_t);
    return reached_fd(fd, CALL) ? -1 : real(fd, v, n, at);
}

ssize_t read(int fd, void *data, size_t n)
{
    REAL(ssize_t, "read", int, void *, size_t);
    int what = reached_fd(fd, READ);

    return what == 1 ? -1 : real(fd, data, what == 2 && n > 1 ? n / 2 : n);
}

ssize_t pread(int fd, void *data, size_t n, off_t at)
{
    REAL(ssize_t, "pread", int, void *, size_t, off_t);
    int what = reached_fd(fd, READ);

    return what == 1 ? -1 : real(fd, data, what == 2 && n > 1 ? n / 2 : n, at);
}

ssize_t pread64(int fd, void *data, size_t n, off64_t at)
{
    return pread(fd, data, n, (off_t)at);
}

int ftruncate(int fd, off_t size)
{
    REAL(int, "ftruncate", int, off_t);
    return reached_fd(fd, CALL) ? -1 : real(fd, size);
}

int ftruncate64(int fd, off64_t size)
{
    return ftruncate(fd, (off_t)size);
}

int fsync(int fd)
{
    REAL(int, "fsync", int);
    return reached_fd(fd, SYNC) ? -1 : real(fd);
}

int rename(const char *from, const char *to)
{
    REAL(int, "rename", const char *, const char *);
    return reached_path(to, CALL) ? -1 : real(from, to);
}

/* What was to be written is lost, as on a disk that refuses it. */
int fflush(FILE *f)
{
    REAL(int, "fflush", FILE *);
    if (f && reached_fd(fileno(f), CALL)) {
        __fpurge(f);
        return EOF;
    }
    return real(f);
}

int open(const char *path, int flags, ...)
{
    mode_t mode = 0;
    REAL(int, "open", const char *, int, ...);

    if (flags & O_CREAT) {
        va_list ap;
        va_start(ap, flags);
        mode = (mode_t)va_arg(ap, int);
        va_end(ap);
        if (reached_path(path, CALL)) return -1;
    }
    return real(path, flags, mode);
}

int open64(const char *path, int flags, ...)
{
    mode_t mode = 0;

    if (flags & O_CREAT) {
        va_list ap;
        va_start(ap, flags);
        mode = (mode_t)va_arg(ap, int);
        va_end(ap);
    }
    return open(path, flags | O_LARGEFILE, mode);
}
