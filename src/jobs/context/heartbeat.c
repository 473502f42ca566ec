/* jobs/context/heartbeat.c - the thread that speaks for a rank. */
#include "jobs/context/heartbeat.h"
#include "core/options.h"
#include "core/probe.h"
#include "core/threads.h"
#include "core/watchdog.h"
#include "jobs/context/context.h"
#include "jobs/context/exit_code.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { LINE = 1024, WORD = 64 };
static const double connect_patience = 2, drain_patience = 1, daemon_patience = 1,
                    doubt_patience = 3; /* seconds */

/* What the other threads say. */
static atomic_int on, rank_now, size_now, done, gave_up, end_code, leaving;
static const char *_Atomic phase_now;
static _Atomic int64_t step_now;
static _Atomic double moved;

/* The thread's own. */
typedef struct pulse {
    char host[ORR_HOST_MAX], here[ORR_HOST_MAX], key[WORD];
    const char *port; /* within host */
    double grace, heard, spoke, since;
    orr_patience awake; /* asked every round */
    double doubt;       /* until then a word must come; 0: all is well */
    void (*on_stop)(void);
    int fd, connected, wake[2];
    int told_done;
    unsigned calls; /* which of its addresses is next */
    char out[LINE], in[WORD];
    size_t out_at, out_len, in_len;
    sem_t announced;
    pthread_t thread;
} pulse;

static pulse p = { .fd = -1, .wake = { -1, -1 } };

void orr_heartbeat_at(const char *phase, int64_t step)
{
    orr_probe_at(phase, step, NULL, 0);
    if (!atomic_load_explicit(&on, memory_order_relaxed)) return;
    atomic_store_explicit(&phase_now, phase, memory_order_relaxed);
    atomic_store_explicit(&step_now, step, memory_order_relaxed);
    atomic_store_explicit(&moved, orr_now(), memory_order_relaxed);
}

void orr_heartbeat_who(int rank, int size)
{
    atomic_store(&rank_now, rank);
    atomic_store(&size_now, size);
}

/* ---- leaving ---- */
/* Is the parent one of Open MPI's daemons?  Then its number, else 0. */
static pid_t daemon_above(void)
{
    static const char *const daemons[] = { "orted", "prted", "mpirun", "orterun", "prterun" };
    char path[64], name[32] = "";
    pid_t parent = getppid();
    int fd;
    ssize_t n;

    snprintf(path, sizeof path, "/proc/%d/comm", (int)parent);
    if (parent <= 1 || (fd = open(path, O_RDONLY | O_CLOEXEC)) < 0) return 0;
    n = read(fd, name, sizeof name - 1);
    close(fd);
    name[n > 0 ? strcspn(name, "\n") : 0] = '\0';
    for (size_t i = 0; i < sizeof daemons / sizeof *daemons; i++)
        if (strcmp(name, daemons[i]) == 0) return parent;
    return 0;
}

/* Open MPI's daemon on a host that is cut off waits for its master for good, and an mpirun that
 * hangs does not heed SIGTERM: it gets a second to clean up. */
static void end_daemon(void)
{
    const struct timespec pause = { .tv_nsec = 20000000 };
    double until = orr_now() + daemon_patience;
    pid_t daemon = daemon_above();

    if (!daemon) return;
    kill(daemon, SIGTERM);
    while (getppid() == daemon && orr_now() < until)
        nanosleep(&pause, NULL);
    if (getppid() == daemon) kill(daemon, SIGKILL);
}

static void leave(const char *why, int lost)
{
    char text[LINE];
    int n = snprintf(text, sizeof text, "orrery: rank %d on %s: %s; it ends here\n",
                     atomic_load(&rank_now), p.here, why);

    if (n > 0 && write(STDERR_FILENO, text, (size_t)n < sizeof text ? (size_t)n : LINE - 1) < 0)
        text[0] = '\0'; /* nowhere to say it */
    if (lost) end_daemon();
    _exit(ORR_EXIT_LOST);
}

static void hang_up(void)
{
    if (p.fd >= 0) close(p.fd);
    p.fd = -1;
    p.connected = 0;
    p.out_at = p.out_len = p.in_len = 0;
    p.told_done = 0;
}

/* A silence that this process slept through (it was suspended) proves nothing, nor does a word that
 * lay there meanwhile: another start may have the job by now.  A supervisor that answers a new call
 * has this one still. */
static void leave_if_lost(double now)
{
    double gap = orr_patience_forgive(&p.awake);
    char why[LINE / 2];

    p.heard += gap;
    if (gap > 0) atomic_store(&moved, atomic_load(&moved) + gap);
    if (p.doubt > 0 && now <= (p.doubt += gap)) return;
    if (p.doubt == 0 && now - p.heard + gap <= p.grace) return;
    if (p.doubt == 0 && gap > 0) {
        p.doubt = now + doubt_patience;
        hang_up();
        return;
    }
    snprintf(why, sizeof why, "no word from its supervisor (%s port %s) for %.0f s", p.host, p.port,
             now - p.heard);
    leave(why, 1);
}

/* ---- the connection ---- */

/* A name may have several addresses, and not all lead there: the next one each time. */
static void call(double now)
{
    struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *found = NULL, *to;
    unsigned n = 1, skip;

    p.since = now;
    if (getaddrinfo(p.host, p.port, &hints, &found) != 0 || !found) return;
    for (to = found->ai_next; to; to = to->ai_next)
        n++;
    skip = p.calls++ % n;
    for (to = found; skip > 0 && to->ai_next; skip--)
        to = to->ai_next;
    p.fd = socket(to->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (p.fd >= 0 && connect(p.fd, to->ai_addr, to->ai_addrlen) != 0 && errno != EINPROGRESS)
        hang_up();
    freeaddrinfo(found);
}

/* ---- speaking ---- */
static void compose(double now)
{
    const char *phase = atomic_load_explicit(&phase_now, memory_order_relaxed);
    int ends = atomic_load(&done);
    cJSON *o = cJSON_CreateObject();

    cJSON_AddStringToObject(o, "key", p.key);
    cJSON_AddNumberToObject(o, "rank", atomic_load(&rank_now));
    cJSON_AddNumberToObject(o, "size", atomic_load(&size_now));
    cJSON_AddNumberToObject(o, "pid", getpid());
    cJSON_AddStringToObject(o, "host", p.here);
    cJSON_AddStringToObject(o, "phase", phase ? phase : "");
    cJSON_AddNumberToObject(o, "step", (double)atomic_load(&step_now));
    cJSON_AddNumberToObject(o, "idle", now - atomic_load(&moved));
    if (ends) {
        cJSON_AddNumberToObject(o, "done", 1);
        cJSON_AddNumberToObject(o, "code", atomic_load(&end_code));
        cJSON_AddNumberToObject(o, "gave_up", atomic_load(&gave_up));
    }
    if (cJSON_PrintPreallocated(o, p.out, LINE - 8, 0)) {
        p.out_len = strlen(p.out);
        p.out[p.out_len++] = '\n';
        p.out_at = 0;
        p.told_done = ends;
    }
    cJSON_Delete(o);
}

static void speak(double now)
{
    ssize_t n;

    if (p.out_at == p.out_len) {
        if (now < p.spoke + ORR_HEARTBEAT_MS * 1e-3 && !(atomic_load(&done) && !p.told_done))
            return;
        p.spoke = now;
        compose(now);
    }
    n = send(p.fd, p.out + p.out_at, p.out_len - p.out_at, MSG_NOSIGNAL);
    if (n > 0) p.out_at += (size_t)n;
    if (n < 0 && errno != EAGAIN && errno != EINTR) hang_up();
    if (p.told_done && p.out_at == p.out_len) sem_post(&p.announced);
}

/* ---- hearing ---- */
static void obey(const char *word, double now)
{
    if (strcmp(word, "end") == 0) leave("told to end by its supervisor", 0);
    if (strcmp(word, "stop") == 0 && p.on_stop) p.on_stop();
    p.heard = now;
    p.doubt = 0;
}

static void hear(double now)
{
    ssize_t n = recv(p.fd, p.in + p.in_len, sizeof p.in - p.in_len, 0);
    char *line;

    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) hang_up();
    if (n <= 0) return;
    p.in_len += (size_t)n;
    while ((line = memchr(p.in, '\n', p.in_len))) {
        size_t used = (size_t)(line - p.in) + 1;
        *line = '\0';
        obey(p.in, now);
        memmove(p.in, p.in + used, p.in_len -= used);
    }
    if (p.in_len == sizeof p.in) hang_up(); /* no word of ours is that long */
}

/* ---- the thread ---- */
/* Milliseconds until the next word is due. */
static int patience(void)
{
    double left = p.spoke + ORR_HEARTBEAT_MS * 1e-3 - orr_now();

    if (!p.connected || left > ORR_HEARTBEAT_MS * 1e-3) return ORR_HEARTBEAT_MS;
    return left > 0 ? (int)(left * 1e3) + 1 : 0;
}

/* Waits for the next thing to do; what was polled is left in ready. */
static void doze(struct pollfd ready[2])
{
    char bytes[16];
    int busy = p.out_at < p.out_len || !p.connected;

    ready[0] = (struct pollfd){ .fd = p.wake[0], .events = POLLIN };
    ready[1] = (struct pollfd){ .fd = p.fd, .events = (short)(POLLIN | (busy ? POLLOUT : 0)) };
    if (poll(ready, 2, patience()) <= 0) ready[0].revents = ready[1].revents = 0;
    if (ready[0].revents && read(p.wake[0], bytes, sizeof bytes) < 0) ready[0].revents = 0;
}

static void see_connected(void)
{
    int error = 0;
    socklen_t n = sizeof error;

    if (getsockopt(p.fd, SOL_SOCKET, SO_ERROR, &error, &n) != 0 || error != 0) {
        if (error == ECONNREFUSED && p.doubt > 0) leave("its supervisor is gone", 1);
        hang_up();
    } else {
        p.connected = 1;
        p.calls--; /* here again */
    }
}

static void round_once(void)
{
    struct pollfd ready[2];
    double now = orr_now();

    if (p.fd < 0 && now >= p.since + ORR_HEARTBEAT_MS * 1e-3) call(now);
    if (p.fd >= 0 && !p.connected && now > p.since + connect_patience) hang_up();
    doze(ready);
    leave_if_lost(orr_now()); /* before it hears */
    if (p.fd >= 0 && !p.connected && ready[1].revents) see_connected();
    if (p.connected && (ready[1].revents & (POLLIN | POLLHUP | POLLERR))) hear(orr_now());
    if (p.connected) speak(orr_now());
}

/* Says the last words, and reads what is left: closing before would throw them away. */
static void part(void)
{
    double until = orr_now() + drain_patience;
    char rest[WORD];

    if (!p.connected) return;
    speak(orr_now());
    if (p.fd < 0) return;
    shutdown(p.fd, SHUT_WR);
    while (orr_now() < until) {
        struct pollfd ready = { .fd = p.fd, .events = POLLIN };
        if (poll(&ready, 1, ORR_HEARTBEAT_MS) > 0 && recv(p.fd, rest, sizeof rest, 0) == 0) break;
    }
}

static void *run(void *ctx)
{
    (void)ctx;
    while (!atomic_load(&leaving))
        round_once();
    part();
    hang_up();
    return NULL;
}

/* ---- from outside ---- */
static int rank_in(const char *const *names)
{
    for (; *names; names++) {
        const char *text = getenv(*names);
        int64_t v;
        if (text && orr_parse_int64(&v, text) == ORR_OK && v >= 0 && v < INT32_MAX) return (int)v;
    }
    return 0;
}

static orr_status read_environment(const char *where)
{
    static const char *const ranks[] = { "OMPI_COMM_WORLD_RANK", "PMIX_RANK", "PMI_RANK",
                                         "SLURM_PROCID", NULL };
    const char *key = getenv("ORR_HEARTBEAT_KEY"), *grace = getenv("ORR_HEARTBEAT_GRACE"),
               *colon = strrchr(where, ':');

    if (!colon || colon == where || !colon[1] || strlen(where) >= sizeof p.host)
        return orr_fail(ORR_ERR_OPTION, "ORR_HEARTBEAT=%.80s is not host:port", where);
    if (!key || !*key || strlen(key) >= sizeof p.key)
        return orr_fail(ORR_ERR_OPTION,
                        "ORR_HEARTBEAT is set, ORR_HEARTBEAT_KEY is not (a word of 1 to "
                        "63 bytes)");
    p.grace = 10;
    if (grace && (orr_parse_real(&p.grace, grace) != ORR_OK || p.grace < 1))
        return orr_fail(ORR_ERR_OPTION,
                        "ORR_HEARTBEAT_GRACE=%.80s is not a number of seconds from 1", grace);
    snprintf(p.host, sizeof p.host, "%s", where);
    p.host[colon - where] = '\0';
    p.port = p.host + (colon - where) + 1;
    snprintf(p.key, sizeof p.key, "%s", key);
    if (gethostname(p.here, sizeof p.here - 1) != 0) snprintf(p.here, sizeof p.here, "unknown");
    orr_heartbeat_who(rank_in(ranks), 0);
    return ORR_OK;
}

static orr_status start_thread(void)
{
    int failed;

    if (pipe2(p.wake, O_CLOEXEC | O_NONBLOCK) != 0 || sem_init(&p.announced, 0, 0) != 0)
        return orr_fail(ORR_ERR_IO, "no pipe for the pulse: %s", strerror(errno));
    failed = orr_thread_start(&p.thread, run, NULL);
    if (failed) return orr_fail(ORR_ERR_IO, "no thread for the pulse: %s", strerror(failed));
    return ORR_OK;
}

orr_status orr_heartbeat_start(void (*on_stop)(void))
{
    const char *where = getenv("ORR_HEARTBEAT");

    if (!where || !*where || atomic_load(&on)) return ORR_OK;
    ORR_TRY(read_environment(where));
    p.on_stop = on_stop;
    p.heard = orr_now();
    p.awake = orr_patience_of(p.grace);
    p.since = p.spoke = p.heard - 1;
    atomic_store(&on, 1);
    orr_heartbeat_at("start", -1);
    if (start_thread() == ORR_OK) return ORR_OK;
    atomic_store(&on, 0);
    return ORR_ERR_IO;
}

static void wake_up(void)
{
    if (write(p.wake[1], "", 1) < 0) return; /* full: it is awake */
}

void orr_heartbeat_done(int code, int lost)
{
    struct timespec until;

    if (!atomic_load(&on)) return;
    orr_heartbeat_at("end", -1);
    atomic_store(&end_code, code);
    atomic_store(&gave_up, lost);
    atomic_store(&done, 1);
    wake_up();
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += 1;
    while (sem_clockwait(&p.announced, CLOCK_MONOTONIC, &until) != 0 && errno == EINTR)
        continue;
}

void orr_heartbeat_stop(void)
{
    if (!atomic_load(&on)) return;
    atomic_store(&leaving, 1);
    wake_up();
    pthread_join(p.thread, NULL);
    close(p.wake[0]);
    close(p.wake[1]);
    sem_destroy(&p.announced);
    atomic_store(&on, 0);
}
