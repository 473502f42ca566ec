/* jobs/launch/launched.c - start, watch and end a process and what came from it. */
#include "jobs/launch/launched.h"
#include "core/log.h"
#include "core/memory.h"
#include "core/threads.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ENVIRON_MAX = 4 << 20 };

/* Within the child; between fork and exec only what is safe there. */
static void become(const char *const *argv, pid_t parent, int tell)
{
    sigset_t none;
    int nothing = open("/dev/null", O_RDONLY), why;

    setsid();
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent) _exit(127);
    if (nothing >= 0) dup2(nothing, STDIN_FILENO);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGPIPE, SIG_DFL);
    execvp(argv[0], (char *const *)(uintptr_t)argv);
    why = errno;
    (void)!write(tell, &why, sizeof why);
    _exit(127);
}

orr_status orr_launched_start(orr_launched *l, const char *const *argv)
{
    pid_t parent = getpid();
    int ends[2], why = 0;
    ssize_t n;

    *l = (orr_launched){ .stopped_since = -1 };
    if (pipe2(ends, O_CLOEXEC) != 0)
        return orr_fail(ORR_ERR_IO, "no pipe to start %s: %s", argv[0], strerror(errno));
    l->pid = fork();
    if (l->pid == 0) become(argv, parent, ends[1]);
    close(ends[1]);
    do
        n = read(ends[0], &why, sizeof why); /* nothing: exec closed it */
    while (n < 0 && errno == EINTR);
    close(ends[0]);
    if (l->pid > 0 && n != sizeof why) return ORR_OK;
    if (l->pid > 0) waitpid(l->pid, NULL, 0);
    why = l->pid > 0 ? why : errno;
    l->pid = 0;
    return orr_fail(ORR_ERR_ARG, "%s cannot be started: %s; mpirun= says what to start", argv[0],
                    strerror(why));
}

/* Somebody else has asked how it ended, or nobody can, where SIGCHLD is ignored: that is not taken
 * for well. */
static void lose_sight(orr_launched *l)
{
    orr_log(ORR_WARN, "launch", "process %d has ended, and the system does not say how",
            (int)l->pid);
    l->ended = 1;
    l->status = W_EXITCODE(1, 0);
}

void orr_launched_look(orr_launched *l)
{
    int status;
    pid_t got;

    while (l->pid > 0 && !l->ended) {
        got = waitpid(l->pid, &status, WNOHANG | WUNTRACED | WCONTINUED);
        if (got < 0 && errno == ECHILD) lose_sight(l);
        if (got != l->pid) break;
        if (WIFSTOPPED(status))
            l->stopped_since = orr_now();
        else if (WIFCONTINUED(status))
            l->stopped_since = -1;
        else {
            l->ended = 1;
            l->status = status;
        }
    }
}

void orr_launched_signal(const orr_launched *l, int number)
{
    if (l->pid > 0 && !l->ended) kill(-l->pid, number);
}

/* Is `mark` one of the strings of a process's environment? */
static int is_marked(const char *pid, const char *mark, char *buf)
{
    char path[64];
    size_t have = 0;
    ssize_t n = 0;
    int fd;

    snprintf(path, sizeof path, "/proc/%.20s/environ", pid);
    if ((fd = open(path, O_RDONLY | O_CLOEXEC)) < 0) return 0;
    while (have < ENVIRON_MAX && (n = read(fd, buf + have, ENVIRON_MAX - have)) > 0)
        have += (size_t)n;
    close(fd);
    return have > 0 && memmem(buf, have, mark, strlen(mark) + 1) != NULL;
}

int orr_marked_signal(const char *name, const char *value, int number)
{
    DIR *all = opendir("/proc");
    char *buf = orr_alloc(ENVIRON_MAX, 1), mark[256];
    struct dirent *e;
    int n = 0;

    snprintf(mark, sizeof mark, "%s=%s", name, value);
    while (all && buf && (e = readdir(all))) {
        pid_t pid = (pid_t)strtol(e->d_name, NULL, 10);
        if (pid <= 1 || pid == getpid() || !is_marked(e->d_name, mark, buf)) continue;
        n++;
        if (number) kill(pid, number);
    }
    if (all) closedir(all);
    orr_free(buf);
    return n;
}
