/* jobs/launch/supervisor.c - one poll loop over the ranks' connections. */
#include "jobs/launch/supervisor.h"
#include "core/json.h"
#include "core/memory.h"
#include "core/threads.h"
#include "core/watchdog.h"

#include <arpa/inet.h>
#include <cjson/cJSON.h>
#include <errno.h>
#include <linux/sockios.h>
#include <math.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

enum { LINE = 1024, WORD = 16, BEATS = 16, KEY_BYTES = 16, STRANGERS = 16 };
static const double away = 1, introduction = 5, margin = 1; /* seconds */

typedef struct caller {
    int fd, rank;         /* -1: has not said who it is, or another connection is that rank's now */
    int named, late;      /* it has said who it is; it had ended when it was accepted */
    double since, closed; /* closed: by its host; < 0: it is not */
    char in[LINE];
    size_t in_len;
} caller;

struct orr_supervisor {
    int fd, ranks, n, max; /* callers */
    int ends;              /* epoll: whose connections ended, in the order of that */
    double last_end;
    char where[ORR_HOST_MAX + 16], key[2 * KEY_BYTES + 1], word[WORD];
    orr_rank_view *views;
    double (*beats)[BEATS]; /* of each rank, in turn */
    int64_t *n_beats;
    caller *callers;
    struct pollfd *polled;
    orr_patience awake;    /* asked whenever it serves */
    double pinged, looked; /* looked: what comes now was not there then */
    double unnamed;
};

/* ---- life ---- */
static orr_status make_key(char key[2 * KEY_BYTES + 1])
{
    unsigned char bytes[KEY_BYTES];

    if (getrandom(bytes, sizeof bytes, 0) != (ssize_t)sizeof bytes)
        return orr_fail(ORR_ERR_IO, "the system gives no random numbers: %s", strerror(errno));
    for (int i = 0; i < KEY_BYTES; i++)
        snprintf(key + 2 * i, 3, "%02x", bytes[i]);
    return ORR_OK;
}

/* On the address when it is one in numbers, else on all of this host's. */
static int bind_to(const char *address)
{
    struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST },
                    *found = NULL;
    int fd, failed;

    if (getaddrinfo(address, "0", &hints, &found) != 0) {
        hints.ai_flags = AI_PASSIVE;
        hints.ai_family = AF_INET;
        if (getaddrinfo(NULL, "0", &hints, &found) != 0) return -1;
    }
    fd = socket(found->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    failed = fd < 0 || bind(fd, found->ai_addr, found->ai_addrlen) != 0 || listen(fd, 1024) != 0;
    freeaddrinfo(found);
    if (!failed) return fd;
    if (fd >= 0) close(fd);
    return -1;
}

static orr_status start_listening(orr_supervisor *s, const char *address)
{
    struct sockaddr_storage bound;
    socklen_t n = sizeof bound;
    char port[NI_MAXSERV];

    if ((s->fd = bind_to(address)) < 0)
        return orr_fail(ORR_ERR_IO,
                        "cannot listen on %s: %s; address= takes an address of this host", address,
                        strerror(errno));
    if (getsockname(s->fd, (struct sockaddr *)&bound, &n) != 0 ||
        getnameinfo((struct sockaddr *)&bound, n, NULL, 0, port, sizeof port, NI_NUMERICSERV) != 0)
        return orr_fail(ORR_ERR_IO, "cannot tell the port on %s", address);
    if ((size_t)snprintf(s->where, sizeof s->where, "%s:%s", address, port) >= sizeof s->where)
        return orr_fail(ORR_ERR_ARG, "address=%.40s... is too long", address);
    return ORR_OK;
}

orr_status orr_supervisor_create(orr_supervisor **out, const char *address, int ranks)
{
    orr_supervisor *s = orr_alloc(1, sizeof *s);
    orr_status st = ORR_OK;

    *out = NULL;
    if (!s) return orr_fail(ORR_ERR_NOMEM, "out of memory: a supervisor");
    s->fd = -1;
    s->unnamed = -1;
    s->ends = epoll_create1(EPOLL_CLOEXEC);
    s->ranks = ranks;
    s->max = 2 * ranks + STRANGERS;
    s->views = orr_alloc((size_t)ranks, sizeof *s->views);
    s->beats = orr_alloc((size_t)ranks, sizeof *s->beats);
    s->n_beats = orr_alloc((size_t)ranks, sizeof *s->n_beats);
    s->callers = orr_alloc((size_t)s->max, sizeof *s->callers);
    s->polled = orr_alloc((size_t)s->max + 1, sizeof *s->polled);
    if (!s->views || !s->beats || !s->n_beats || !s->callers || !s->polled)
        st = orr_fail(ORR_ERR_NOMEM, "out of memory: %d ranks", ranks);
    else if (s->ends < 0)
        st = orr_fail(ORR_ERR_IO, "no epoll: %s", strerror(errno));
    for (int i = 0; st == ORR_OK && i < ranks; i++)
        s->views[i].closed = s->views[i].step = -1;
    if (st == ORR_OK) st = make_key(s->key);
    if (st == ORR_OK) st = start_listening(s, address);
    if (st != ORR_OK) {
        orr_supervisor_destroy(s);
        return st;
    }
    s->awake = orr_patience_of(0);
    *out = s;
    return ORR_OK;
}

void orr_supervisor_destroy(orr_supervisor *s)
{
    if (!s) return;
    for (int i = 0; s->callers && i < s->n; i++)
        close(s->callers[i].fd);
    if (s->fd >= 0) close(s->fd);
    if (s->ends >= 0) close(s->ends);
    orr_free(s->polled);
    orr_free(s->callers);
    orr_free(s->n_beats);
    orr_free(s->beats);
    orr_free(s->views);
    orr_free(s);
}

const char *orr_supervisor_where(const orr_supervisor *s)
{
    return s->where;
}

const char *orr_supervisor_key(const orr_supervisor *s)
{
    return s->key;
}

const orr_rank_view *orr_supervisor_views(const orr_supervisor *s)
{
    return s->views;
}

double orr_supervisor_unnamed(const orr_supervisor *s)
{
    return s->unnamed;
}

/* ---- callers ---- */
/* When the last data, or the last of all (a close in good order), came to this host: who was first
 * matters, also when we look late at several.  The kernel tells it by its coarse clock. */
static double came_at(const orr_supervisor *s, int fd, int data)
{
    struct tcp_info info = { 0 };
    socklen_t n = sizeof info;
    double now = orr_now();

    if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &n) != 0) return now;
    now -= fmin((data ? info.tcpi_last_data_recv : info.tcpi_last_ack_recv) * 1e-3, away);
    return fmax(now, s->looked);
}

/* mpirun ends the other ranks within a millisecond of the first one's death.  The kernel keeps the
 * connections that ended in a queue, so their order is right however late we look. */
static void note_ends(orr_supervisor *s)
{
    struct epoll_event ended[16];
    int n;

    do {
        n = epoll_wait(s->ends, ended, 16, 0);
        for (int k = 0; k < n; k++)
            for (int i = 0; i < s->n; i++)
                if (s->callers[i].fd == ended[k].data.fd && s->callers[i].closed < 0) {
                    s->last_end = fmax(came_at(s, ended[k].data.fd, 0), s->last_end + 1e-6);
                    s->callers[i].closed = s->last_end;
                }
    } while (n == 16);
}

/* closed: when its host closed the connection; < 0: it is we who have no use for it. */
static void drop(orr_supervisor *s, int i, double closed)
{
    caller *c = &s->callers[i];

    if (c->rank >= 0 && closed >= 0) {
        s->views[c->rank].closed = closed;
        s->views[c->rank].late = c->late;
    }
    if (!c->named && c->in_len == 0 && closed >= 0) s->unnamed = closed;
    close(c->fd);
    *c = s->callers[--s->n];
}

/* A word that does not fit into the socket's buffer is not said: the buffer holds hundreds. */
static void tell(const caller *c, const char *word)
{
    char line[WORD + 1];
    int n = snprintf(line, sizeof line, "%s\n", word);

    (void)!send(c->fd, line, (size_t)n, MSG_NOSIGNAL);
}

/* What had ended before has its place in the order of ends by the kernel's clock alone. */
static void take_caller(orr_supervisor *s, int fd)
{
    struct epoll_event event = { .events = EPOLLRDHUP | EPOLLET, .data.fd = fd };
    struct pollfd ended = { .fd = fd, .events = POLLRDHUP };
    caller c = { .fd = fd, .rank = -1, .since = orr_now(), .closed = -1 };

    if (poll(&ended, 1, 0) > 0 && (ended.revents & (POLLRDHUP | POLLHUP | POLLERR))) {
        c.late = 1;
        c.closed = came_at(s, fd, 0);
    } else
        (void)epoll_ctl(s->ends, EPOLL_CTL_ADD, fd, &event); /* else its end is when we see it */
    s->callers[s->n++] = c;
}

static void welcome(orr_supervisor *s)
{
    int fd;

    while ((fd = accept4(s->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        if (s->n == s->max)
            close(fd);
        else
            take_caller(s, fd);
    }
}

/* The rank's connection is this one from now on. */
static void adopt(orr_supervisor *s, caller *c, int rank)
{
    orr_rank_view *v = &s->views[rank];
    struct sockaddr_storage peer;
    socklen_t n = sizeof peer;

    for (int i = 0; i < s->n; i++)
        if (s->callers[i].rank == rank) s->callers[i].rank = -1;
    c->rank = rank;
    c->named = 1;
    v->came = 1;
    v->closed = -1;
    v->acked = orr_now();
    s->n_beats[rank] = 0;
    if (getpeername(c->fd, (struct sockaddr *)&peer, &n) == 0)
        (void)getnameinfo((struct sockaddr *)&peer, n, v->address, sizeof v->address, NULL, 0,
                          NI_NUMERICHOST);
    tell(c, s->word[0] ? s->word : "alive");
}

/* Seconds between the latest words, the silence since the last of them included. */
static double gap_of(const orr_supervisor *s, int rank, double now)
{
    int64_t n = s->n_beats[rank] < BEATS ? s->n_beats[rank] : BEATS;

    if (n < BEATS / 2) return 0;
    return (now - s->beats[rank][(s->n_beats[rank] - n) % BEATS]) / (double)n;
}

static void note(orr_supervisor *s, int rank, int fd, const cJSON *o)
{
    orr_rank_view *v = &s->views[rank];

    v->heard = orr_now();
    s->beats[rank][s->n_beats[rank]++ % BEATS] = v->heard;
    v->pid = (int)orr_json_get(o, "pid", 0);
    v->size = (int)orr_json_get(o, "size", 0);
    v->idle = orr_json_get(o, "idle", 0);
    if (!v->done && orr_json_get(o, "done", 0) > 0) {
        v->done = 1;
        v->ended = came_at(s, fd, 1);
    }
    v->code = (int)orr_json_get(o, "code", 0);
    v->gave_up = orr_json_get(o, "gave_up", 0) > 0;
    snprintf(v->host, sizeof v->host, "%s", orr_json_text(o, "host", ""));
    if (!v->done) { /* where it was before it ended */
        snprintf(v->phase, sizeof v->phase, "%s", orr_json_text(o, "phase", ""));
        v->step = (int64_t)orr_json_get(o, "step", -1);
        v->lockstep = strcmp(v->phase, "train") == 0;
    }
}

/* One line; 0: this is no rank of ours. */
static int hear_line(orr_supervisor *s, caller *c, const char *line)
{
    cJSON *o = cJSON_Parse(line);
    double rank = orr_json_get(o, "rank", -1);
    int ours = strcmp(orr_json_text(o, "key", ""), s->key) == 0 && rank >= 0 && rank < s->ranks;

    if (ours) {
        if (c->rank != (int)rank) adopt(s, c, (int)rank);
        note(s, (int)rank, c->fd, o);
    }
    cJSON_Delete(o);
    return ours;
}

/* 0: the connection is of no more use, and *closed says when its host ended it (< 0: it did not).
 * What ends for want of an answer says nothing about the process there: its silence will. */
static int hear(orr_supervisor *s, caller *c, double *closed)
{
    ssize_t n = recv(c->fd, c->in + c->in_len, sizeof c->in - c->in_len, 0);
    char *end;

    *closed = -1;
    if (n == 0 || (n < 0 && errno == ECONNRESET)) {
        note_ends(s);
        *closed = c->closed >= 0 ? c->closed : orr_now();
        return 0;
    }
    if (n < 0) return errno == EAGAIN || errno == EINTR;
    c->in_len += (size_t)n;
    while ((end = memchr(c->in, '\n', c->in_len))) {
        size_t used = (size_t)(end - c->in) + 1;
        *end = '\0';
        if (!hear_line(s, c, c->in)) return 0;
        memmove(c->in, c->in + used, c->in_len -= used);
    }
    return c->in_len < sizeof c->in;
}

/* ---- serving ---- */
/* Nobody's silence is counted for the time in which nobody listened. */
static void forgive(orr_supervisor *s, double seconds, double now)
{
    for (int r = 0; r < s->ranks; r++) {
        s->views[r].heard = fmin(s->views[r].heard + seconds, now);
        s->views[r].acked = fmin(s->views[r].acked + seconds, now);
        s->n_beats[r] = 0;
    }
}

static void look_after(orr_supervisor *s, double now)
{
    int pings = now >= s->pinged + ORR_PING_MS * 1e-3 && strcmp(s->word, "end") != 0;

    for (int i = s->n; i-- > 0;) {
        const caller *c = &s->callers[i];
        int left = 0;
        if (c->rank < 0) {
            if (now > c->since + introduction) drop(s, i, -1);
            continue;
        }
        if (ioctl(c->fd, SIOCOUTQ, &left) == 0 && left == 0) s->views[c->rank].acked = now;
        if (pings) tell(c, "alive");
    }
    if (pings) s->pinged = now;
    for (int r = 0; r < s->ranks; r++)
        s->views[r].gap = gap_of(s, r, now);
}

static void poll_once(orr_supervisor *s, int ms)
{
    int n = s->n, n_ready;
    double closed = -1, before;

    s->polled[n] = (struct pollfd){ .fd = s->fd, .events = POLLIN };
    for (int i = 0; i < n; i++)
        s->polled[i] = (struct pollfd){ .fd = s->callers[i].fd, .events = POLLIN };
    n_ready = poll(s->polled, (nfds_t)n + 1, ms);
    before = orr_now();
    if (n_ready <= 0) {
        s->looked = before;
        return;
    }
    for (int i = n; i-- > 0;) /* backwards: dropping moves the last one here */
        if (s->polled[i].revents && !hear(s, &s->callers[i], &closed)) drop(s, i, closed);
    if (s->polled[n].revents) welcome(s);
    s->looked = before;
}

void orr_supervisor_serve(orr_supervisor *s, double seconds)
{
    double now = orr_now(), until = now + seconds, gap;

    do {
        double left = until - now;
        poll_once(s, left > 0 ? (int)(left * 1e3) + 1 : 0);
        now = orr_now();
        if ((gap = orr_patience_forgive(&s->awake)) > 0) forgive(s, gap, now);
        look_after(s, now);
    } while (now < until);
}

void orr_supervisor_say(orr_supervisor *s, const char *word)
{
    snprintf(s->word, sizeof s->word, "%s", word);
    for (int i = 0; i < s->n; i++)
        if (s->callers[i].rank >= 0) tell(&s->callers[i], word);
}

int orr_supervisor_awaits(const orr_supervisor *s, double grace, double now)
{
    if (now >= s->pinged + grace + margin) return 0;
    for (int r = 0; r < s->ranks; r++)
        if (s->views[r].came && s->views[r].closed < 0) return 1;
    return 0;
}
