/* tests/jobs/hold.c - LD_PRELOAD: whoever opens PATH for reading while there is a PATH.hold makes
 * PATH.held and waits until PATH.hold has gone (tests/jobs/orrery.py: Hold). */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
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
