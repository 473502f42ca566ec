/* core/guard.c - a call in a child that is bounded, and its verdict through a pipe. */
#include "core/guard.h"
#include "core/log.h"
#include "core/stop.h"
#include "core/watchdog.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

/* Sanitizers map terabytes, and say on standard error what they found. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define WATCHED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define WATCHED 1
#endif
#endif
#ifndef WATCHED
#define WATCHED 0
#endif

static const double MORE_BY_THE_CLOCK = 60;

orr_guard_bounds orr_guard_bounds_of(int64_t bytes)
{
    const double rate = 16 << 20;
    const size_t least = (size_t)1 << 30;
    double n = bytes > 0 ? (double)bytes : 0;

    return (orr_guard_bounds){ 0.3 + n / rate, least + 2 * (size_t)n };
}

/* ---- the child ---- */

/* Bytes of this process's address space. */
static size_t address_space(void)
{
    char text[64] = "";
    int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    unsigned long long pages = 0;
    ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof text - 1);

    if (fd >= 0) close(fd);
    for (ssize_t i = 0; i < n && text[i] >= '0' && text[i] <= '9'; i++)
        pages = 10 * pages + (unsigned long long)(text[i] - '0');
    return (size_t)pages * (size_t)sysconf(_SC_PAGESIZE);
}

/* Who watches this process's faults (MPI, sanitizers) does not watch the child's. */
static void forget_handlers(void)
{
    static const int numbers[] = { SIGSEGV, SIGBUS, SIGABRT, SIGFPE,  SIGILL, SIGPROF,
                                   SIGTERM, SIGINT, SIGHUP,  SIGUSR1, SIGUSR2 };
    sigset_t none;

    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        signal(numbers[i], SIG_DFL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

void orr_guard_extend(double seconds)
{
    struct itimerval t;

    if (getitimer(ITIMER_PROF, &t) != 0) return;
    seconds += (double)t.it_value.tv_sec + 1e-6 * (double)t.it_value.tv_usec;
    t = (struct itimerval){ .it_value = { .tv_sec = (time_t)seconds } };
    t.it_value.tv_usec = (suseconds_t)((seconds - (double)t.it_value.tv_sec) * 1e6);
    setitimer(ITIMER_PROF, &t, NULL);
}

static void be_bounded(orr_guard_bounds b)
{
    size_t most = address_space() + b.bytes;
    int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 });
    if (!WATCHED && most > b.bytes) setrlimit(RLIMIT_AS, &(struct rlimit){ most, most });
    orr_guard_extend(b.seconds);
    if (nowhere >= 0) dup2(nowhere, STDERR_FILENO);
    if (nowhere >= 0) dup2(nowhere, STDOUT_FILENO);
    (void)orr_log_init("off", 0, 1);
    (void)orr_log_file(NULL);
}

__attribute__((noreturn)) static void be_child(int to, orr_guard_bounds b,
                                               orr_status (*call)(void *ctx), void *ctx)
{
    orr_error verdict = { .code = ORR_OK };
    ssize_t sent;

    forget_handlers();
    be_bounded(b);
    orr_error_take(&verdict, call(ctx));
    sent = write(to, &verdict, sizeof verdict); /* whole: less than a pipe holds */
    _exit(sent == (ssize_t)sizeof verdict ? 0 : 1);
}

/* ---- the parent ---- */

/* 1: the verdict is there; 0: the child has gone without one; -1: time is over, or a stop wanted.
 */
static int wait_for_verdict(int from, orr_error *verdict, double seconds)
{
    enum { LOOK_MS = 100 };
    orr_patience patience = orr_patience_of(seconds);
    size_t have = 0;

    while (have < sizeof *verdict) {
        struct pollfd p = { .fd = from, .events = POLLIN };
        ssize_t n;

        if (orr_stop_requested() || !orr_patience_lasts(&patience)) return -1;
        if (poll(&p, 1, LOOK_MS) <= 0) continue;
        n = read(from, (char *)verdict + have, sizeof *verdict - have);
        if (n == 0) return 0;
        if (n > 0) have += (size_t)n;
    }
    return 1;
}

static orr_status say_end(const char *path, orr_guard_bounds b, int status)
{
    int number = WIFSIGNALED(status) ? WTERMSIG(status) : 0;

    if (number == SIGPROF || number == SIGXCPU)
        return orr_fail(ORR_ERR_FORMAT,
                        "%s: damaged: the library that reads it found no end in %.1f s; fetch or "
                        "make the file again",
                        path, b.seconds);
    return orr_fail(ORR_ERR_FORMAT,
                    "%s: damaged: the library that reads it crashed on it (%s, in a process of its "
                    "own); fetch or make the file again",
                    path, number ? strsignal(number) : "without a word");
}

orr_status orr_guard(const char *path, orr_guard_bounds bounds, orr_status (*call)(void *ctx),
                     void *ctx)
{
    orr_error verdict = { .code = ORR_OK };
    int ends[2], status = 0, got;
    pid_t child;

    if (pipe2(ends, O_CLOEXEC) != 0 || (child = fork()) < 0) {
        orr_log(ORR_WARN, "guard", "%s: read without a first look in a process of its own: %s",
                path, strerror(errno));
        return ORR_OK;
    }
    if (child == 0) be_child(ends[1], bounds, call, ctx);
    close(ends[1]);
    got = wait_for_verdict(ends[0], &verdict, bounds.seconds + MORE_BY_THE_CLOCK);
    close(ends[0]);
    if (got < 0) kill(child, SIGKILL);
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    if (got > 0) return orr_error_raise(&verdict);
    ORR_TRY(orr_stop_check(path));
    if (got == 0) return say_end(path, bounds, status);
    return orr_fail(ORR_ERR_TIMEOUT, "%s: a first look at it did not end in %.0f s", path,
                    bounds.seconds + MORE_BY_THE_CLOCK);
}
