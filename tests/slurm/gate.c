/* tests/slurm/gate.c - LD_PRELOAD: a run whose checkpoint-last.h5 has just got its name waits there
 * for as long as there is a file $ORRERY_TEST_GATE, so that a test may do things to it in peace.
 * $ORRERY_TEST_GATE.reached says that it waits. */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

int rename(const char *from, const char *to)
{
    static int (*real)(const char *, const char *);
    const struct timespec pause = { .tv_nsec = 20000000 };
    const char *gate = getenv("ORRERY_TEST_GATE");
    char reached[4096];
    int code, fd;

    if (!real) *(void **)&real = dlsym(RTLD_NEXT, "rename");
    code = real(from, to);
    if (!gate || !strstr(to, "checkpoint-last.h5") || access(gate, F_OK) != 0) return code;
    snprintf(reached, sizeof reached, "%s.reached", gate);
    if ((fd = open(reached, O_WRONLY | O_CREAT | O_CLOEXEC, 0644)) >= 0) close(fd);
    while (access(gate, F_OK) == 0)
        nanosleep(&pause, NULL);
    return code;
}
