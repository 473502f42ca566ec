/* tests/jobs/hold.c - LD_PRELOAD: whoever opens PATH for reading while there is a PATH.hold makes
 * PATH.held and waits until PATH.hold has gone (tests/jobs/orrery.py: Hold).  Where
 * ORR_CLOSE_FAILS is the end of a file's name, closing what writes it fails (EIO), as on a network
 * file system that tells there that a write was lost: from the ORR_CLOSE_FROM-th of them on. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

typedef int open_fn(const char *path, int flags, ...);

static void hold(const char *path, int flags, open_fn *real)
{
    const struct timespec pause = { .tv_nsec = 10000000 };
    char name[4096];

    if ((flags & O_ACCMODE) != O_RDONLY) return;
    snprintf(name, sizeof name, "%s.hold", path);
    if (access(name, F_OK) != 0) return;
    snprintf(name, sizeof name, "%s.held", path);
    close(real(name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    snprintf(name, sizeof name, "%s.hold", path);
    while (access(name, F_OK) == 0)
        nanosleep(&pause, NULL);
}

/* NOLINTBEGIN(clang-analyzer-valist.Uninitialized): it was begun a line above */
#define WRAP(name)                                                                                 \
    int name(const char *path, int flags, ...);                                                    \
    int name(const char *path, int flags, ...)                                                     \
    {                                                                                              \
        open_fn *real = (open_fn *)dlsym(RTLD_NEXT, #name);                                        \
        mode_t mode = 0;                                                                           \
        va_list ap;                                                                                \
                                                                                                   \
        va_start(ap, flags);                                                                       \
        if (flags & O_CREAT) mode = va_arg(ap, mode_t);                                            \
        va_end(ap);                                                                                \
        hold(path, flags, real);                                                                   \
        return real(path, flags, mode);                                                            \
    }
WRAP(open)
WRAP(open64)
/* NOLINTEND(clang-analyzer-valist.Uninitialized) */

static int fails(int fd)
{
    const char *end = getenv("ORR_CLOSE_FAILS"), *from = getenv("ORR_CLOSE_FROM");
    static int count;
    char link[64], path[4096];
    ssize_t n;

    if (!end || (fcntl(fd, F_GETFL) & O_ACCMODE) == O_RDONLY) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    if ((n = readlink(link, path, sizeof path - 1)) <= 0) return 0;
    path[n] = '\0';
    if (strlen(path) < strlen(end) || strcmp(path + n - strlen(end), end) != 0) return 0;
    return ++count >= (from ? strtol(from, NULL, 10) : 1);
}

int close(int fd)
{
    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, "close"), bad = fails(fd), r = real(fd);

    if (bad) errno = EIO;
    return bad ? -1 : r;
}
