/* tests/faults/shim.c - LD_PRELOAD: counts the calls that change files below one folder, and at a
 * chosen one kills the process, or lets it fail.
 *   ORR_SHIM_DIR=DIR      only files whose path begins so count
 *   ORR_SHIM_AT=K         the K-th call, from 1; 0 or unset: none, only counted
 *   ORR_SHIM_KIND=kill | half | enospc | eio
 *                         kill: SIGKILL instead of the call; half: the first half of a write, then
 *                         SIGKILL; enospc, eio: this call and all later ones fail
 *   ORR_SHIM_COUNT=FILE   the number of calls, written at exit
 *   ORR_SHIM_LOG=FILE     a line for each call: its number, its name, the file's name
 * Calls: write, pwrite, ftruncate, fsync, rename, unlink, fflush of what is buffered, and open that
 * creates. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

static long count;
static long at(void)
{
    const char *s = getenv("ORR_SHIM_AT");

    return s ? strtol(s, NULL, 10) : 0;
}

static int is_kind(const char *kind)
{
    const char *s = getenv("ORR_SHIM_KIND");

    return strcmp(s ? s : "kill", kind) == 0;
}

static int is_below(const char *path)
{
    const char *dir = getenv("ORR_SHIM_DIR");

    return dir && path && strncmp(path, dir, strlen(dir)) == 0;
}

static int is_ours(int fd, char path[4096])
{
    char link[64];
    ssize_t n;

    if (!getenv("ORR_SHIM_DIR")) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    n = readlink(link, path, 4095);
    if (n <= 0) return 0;
    path[n] = '\0';
    return is_below(path);
}

static void note(long k, const char *call, const char *path)
{
    const char *log = getenv("ORR_SHIM_LOG"), *name = strrchr(path, '/');
    char line[4352];
    int fd, n;

    if (!log) return;
    fd = (int)syscall(SYS_openat, AT_FDCWD, log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    n = snprintf(line, sizeof line, "%ld,%s,%s\n", k, call, name ? name + 1 : path);
    if (fd < 0 || syscall(SYS_write, fd, line, (size_t)n) != n) abort();
    close(fd);
}

/* 0: go on; 1: fail with errno set. */
static int reached(const char *call, const char *path)
{
    long k = __atomic_add_fetch(&count, 1, __ATOMIC_SEQ_CST), want = at();

    note(k, call, path);
    if (want == 0 || k < want) return 0;
    if (is_kind("enospc") || is_kind("eio")) {
        errno = is_kind("eio") ? EIO : ENOSPC;
        return 1;
    }
    if (k == want && !is_kind("half")) raise(SIGKILL);
    return 0;
}

static int is_half_way(void)
{
    return is_kind("half") && __atomic_load_n(&count, __ATOMIC_SEQ_CST) == at();
}

__attribute__((destructor)) static void tell(void)
{
    const char *path = getenv("ORR_SHIM_COUNT");
    FILE *f = path ? fopen(path, "w") : NULL;

    if (!f) return;
    fprintf(f, "%ld\n", count);
    fclose(f);
}

#define REAL(type, name, ...)                                                                      \
    static type (*real)(__VA_ARGS__);                                                              \
    if (!real) *(void **)&real = dlsym(RTLD_NEXT, name)

ssize_t write(int fd, const void *data, size_t n)
{
    char path[4096];
    REAL(ssize_t, "write", int, const void *, size_t);

    if (fd > 2 && is_ours(fd, path)) {
        if (reached("write", path)) return -1;
        if (is_half_way()) {
            real(fd, data, n / 2);
            raise(SIGKILL);
        }
    }
    return real(fd, data, n);
}

ssize_t pwrite(int fd, const void *data, size_t n, off_t offset)
{
    char path[4096];
    REAL(ssize_t, "pwrite", int, const void *, size_t, off_t);

    if (is_ours(fd, path)) {
        if (reached("pwrite", path)) return -1;
        if (is_half_way()) {
            real(fd, data, n / 2, offset);
            raise(SIGKILL);
        }
    }
    return real(fd, data, n, offset);
}

ssize_t pwrite64(int fd, const void *data, size_t n, off64_t offset)
{
    return pwrite(fd, data, n, (off_t)offset);
}

int ftruncate(int fd, off_t size)
{
    char path[4096];
    REAL(int, "ftruncate", int, off_t);

    return is_ours(fd, path) && reached("ftruncate", path) ? -1 : real(fd, size);
}

int ftruncate64(int fd, off64_t size)
{
    return ftruncate(fd, (off_t)size);
}

int fsync(int fd)
{
    char path[4096];
    REAL(int, "fsync", int);

    return is_ours(fd, path) && reached("fsync", path) ? -1 : real(fd);
}

/* A table's line: what a stream holds back.  Lost where the disk refuses it. */
int fflush(FILE *f)
{
    char path[4096];
    REAL(int, "fflush", FILE *);

    if (f && __fpending(f) > 0 && is_ours(fileno(f), path)) {
        if (reached("fflush", path)) {
            __fpurge(f);
            return EOF;
        }
        if (is_half_way()) {
            syscall(SYS_write, fileno(f), f->_IO_write_base, __fpending(f) / 2);
            raise(SIGKILL);
        }
    }
    return real(f);
}

int rename(const char *from, const char *to)
{
    REAL(int, "rename", const char *, const char *);
    return is_below(to) && reached("rename", to) ? -1 : real(from, to);
}

int unlink(const char *path)
{
    REAL(int, "unlink", const char *);
    return is_below(path) && reached("unlink", path) ? -1 : real(path);
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
        if (is_below(path) && reached("open", path)) return -1;
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
