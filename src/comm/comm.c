/* comm/comm.c - the public calls: arguments checked, then dispatched through the table; deadlines;
 * the common verdict. */
#include "comm/comm.h"
#include "comm/comm_private.h"

#include "core/options.h"

#include <limits.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_SAME = 4 };

/* ---- waiting ---- */

orr_status orr_comm_opts_read(orr_comm_opts *out, const orr_comm_opts *o)
{
    const char *text = getenv("ORR_WAIT");

    *out = o ? *o : (orr_comm_opts)ORR_COMM_OPTS_INIT;
    if (text && *text && orr_parse_real(&out->deadline, text) != ORR_OK)
        return orr_fail(ORR_ERR_OPTION, "ORR_WAIT=%s is not a number of seconds", text);
    if (!(out->deadline > 0))
        return orr_fail(ORR_ERR_OPTION,
                        "a deadline of %g seconds: give more than 0 (ORR_WAIT or the option)",
                        out->deadline);
    if (out->ranks_per_node < 0)
        return orr_fail(ORR_ERR_OPTION, "ranks_per_node %d: give 0 or more", out->ranks_per_node);
    return ORR_OK;
}

orr_wait orr_wait_start(const orr_comm *c)
{
    return (orr_wait){ .patience = orr_patience_of(c->opts.deadline),
                       .serve = c->ops->counter_serve };
}

int orr_wait_again(orr_wait *w)
{
    enum { CLOCK_EVERY = 64 };

    if (w->serve) w->serve();
    sched_yield();
    return ++w->tries % CLOCK_EVERY != 0 || orr_patience_lasts(&w->patience);
}

orr_status orr_comm_timeout(orr_comm *c, const char *operation, int missing)
{
    c->broken = 1;
    if (missing >= 0)
        return orr_fail(ORR_ERR_TIMEOUT,
                        "rank %d of %d (%s): %s: rank %d did not come within %g s; see what it "
                        "does, or raise ORR_WAIT",
                        c->rank, c->size, c->host, operation, missing, c->opts.deadline);
    return orr_fail(ORR_ERR_TIMEOUT,
                    "rank %d of %d (%s): %s: not every rank came within %g s; look for one that "
                    "stopped, or raise ORR_WAIT",
                    c->rank, c->size, c->host, operation, c->opts.deadline);
}

/* ---- checks ---- */

static orr_status usable(const orr_comm *c, const char *operation)
{
    if (c->broken)
        return orr_fail(ORR_ERR_COMM,
                        "rank %d of %d (%s): %s on a communicator that has failed before", c->rank,
                        c->size, c->host, operation);
    return ORR_OK;
}

size_t orr_dtype_bytes(orr_dtype t)
{
    switch (t) {
    case ORR_I32:
    case ORR_F32:
        return 4;
    case ORR_I64:
    case ORR_F64:
        return 8;
    case ORR_U8:
        return 1;
    }
    return 0;
}

/* The smallest over ranks, on behalf of an operation that a timeout names. */
static orr_status allreduce_for(orr_comm *c, const char *operation, void *buf, size_t n,
                                orr_dtype t)
{
    orr_status st = c->ops->allreduce(c, buf, n, t, ORR_MIN);

    return st == ORR_ERR_TIMEOUT ? orr_comm_timeout(c, operation, -1) : st;
}

orr_status orr_comm_same(orr_comm *c, const char *operation, const char *const *what,
                         const int64_t *value, int n)
{
    int64_t v[2 * MAX_SAME];

    if (c->size == 1) return ORR_OK;
    if (n > MAX_SAME) return orr_fail(ORR_ERR_INTERNAL, "%s: %d values to compare", operation, n);
    for (int i = 0; i < n; i++) {
        v[2 * i] = value[i];
        v[2 * i + 1] = -value[i];
    }
    ORR_TRY(allreduce_for(c, operation, v, 2 * (size_t)n, ORR_I64));
    for (int i = 0; i < n; i++)
        if (v[2 * i] != -v[2 * i + 1])
            return orr_fail(
                ORR_ERR_ARG,
                "%s: ranks disagree about %s: %lld on rank %d, %lld to %lld over the ranks",
                operation, what[i], (long long)value[i], c->rank, (long long)v[2 * i],
                (long long)-v[2 * i + 1]);
    return ORR_OK;
}

#ifdef ORR_COMM_CHECKS
typedef enum {
    CALL_BARRIER = 1,
    CALL_BCAST,
    CALL_ALLREDUCE,
    CALL_EXSCAN,
    CALL_ALLGATHER,
    CALL_GATHER
} call_id;

/* Debug builds: every rank is in the same call with the same sizes. */
static orr_status same_call(orr_comm *c, const char *operation, call_id id, int64_t size,
                            int64_t detail)
{
    static const char *const what[] = { "which call this is", "its size",
                                        "its root, type or operation" };

    return orr_comm_same(c, operation, what, (int64_t[]){ id, size, detail }, 3);
}

/* A number that differs when the list does, for comparing lists of any length. */
static int64_t digest(const size_t *bytes, int n)
{
    uint64_t h = 14695981039346656037u; /* FNV-1a over 64-bit words */

    for (int i = 0; i < n; i++)
        h = (h ^ bytes[i]) * 1099511628211u;
    return (int64_t)(h >> 1);
}
#define SAME_CALL(...) ORR_TRY(same_call(__VA_ARGS__))
#else
#define SAME_CALL(...) ((void)0)
#endif

static orr_status check_root(const orr_comm *c, const char *operation, int root)
{
    if (root < 0 || root >= c->size)
        return orr_fail(ORR_ERR_ARG, "%s: root %d of %d ranks", operation, root, c->size);
    return ORR_OK;
}

/* ---- life and who ---- */

orr_status orr_comm_split(orr_comm **out, orr_comm *c, int color, int key)
{
    *out = NULL;
    ORR_TRY(usable(c, "split"));
    return c->ops->split(out, c, color, key);
}

void orr_comm_destroy(orr_comm *c)
{
    if (!c) return;
    orr_reducer_destroy(c->reducer);
    c->ops->destroy(c);
}

int orr_comm_rank(const orr_comm *c)
{
    return c->rank;
}

int orr_comm_size(const orr_comm *c)
{
    return c->size;
}

int orr_comm_node(const orr_comm *c)
{
    return c->node;
}

int orr_comm_n_nodes(const orr_comm *c)
{
    return c->n_nodes;
}

int orr_comm_node_rank(const orr_comm *c)
{
    return c->node_rank;
}

int orr_comm_node_size(const orr_comm *c)
{
    return c->node_size;
}

const char *orr_comm_host(const orr_comm *c)
{
    return c->host;
}

/* ---- together ---- */

orr_status orr_comm_barrier(orr_comm *c)
{
    ORR_TRY(usable(c, "barrier"));
    SAME_CALL(c, "barrier", CALL_BARRIER, 0, 0);
    return c->ops->barrier(c);
}

orr_status orr_comm_bcast(orr_comm *c, void *buf, size_t bytes, int root)
{
    ORR_TRY(usable(c, "bcast"));
    ORR_TRY(check_root(c, "bcast", root));
    SAME_CALL(c, "bcast", CALL_BCAST, (int64_t)bytes, root);
    return bytes == 0 ? ORR_OK : c->ops->bcast(c, buf, bytes, root);
}

orr_status orr_comm_allreduce(orr_comm *c, void *buf, size_t n, orr_dtype t, orr_reduce_op op)
{
    ORR_TRY(usable(c, "allreduce"));
    if (orr_dtype_bytes(t) == 0 || op < ORR_SUM || op > ORR_MAX)
        return orr_fail(ORR_ERR_ARG, "allreduce: type %d, operation %d", (int)t, (int)op);
    SAME_CALL(c, "allreduce", CALL_ALLREDUCE, (int64_t)n, 16 * (int)t + (int)op);
    return n == 0 ? ORR_OK : c->ops->allreduce(c, buf, n, t, op);
}

orr_status orr_comm_exscan(orr_comm *c, int64_t value, int64_t *out, int64_t *total)
{
    int64_t sum = 0;

    ORR_TRY(usable(c, "exscan"));
    SAME_CALL(c, "exscan", CALL_EXSCAN, 0, 0);
    ORR_TRY(c->ops->exscan(c, value, out, &sum));
    if (total) *total = sum;
    return ORR_OK;
}

orr_status orr_comm_allgather(orr_comm *c, const void *in, void *out, const size_t *bytes)
{
    ORR_TRY(usable(c, "allgather"));
    SAME_CALL(c, "allgather", CALL_ALLGATHER, digest(bytes, c->size), 0);
    return c->ops->allgather(c, in, out, bytes);
}

orr_status orr_comm_gather(orr_comm *c, const void *in, void *out, const size_t *bytes, int root)
{
    ORR_TRY(usable(c, "gather"));
    ORR_TRY(check_root(c, "gather", root));
    SAME_CALL(c, "gather", CALL_GATHER, digest(bytes, c->size), root);
    return c->ops->gather(c, in, out, bytes, root);
}

/* ---- the common verdict ---- */

typedef struct {
    char host[ORR_HOST_MAX];
    orr_error error;
} verdict;

static void copy_text(char *to, size_t cap, const char *from)
{
    size_t n = strlen(from);

    if (n >= cap) n = cap - 1;
    memcpy(to, from, n);
    to[n] = '\0';
}

static verdict own_verdict(const orr_comm *c, orr_status st)
{
    verdict v = { 0 };

    copy_text(v.host, sizeof v.host, c->host);
    orr_error_take(&v.error, st < 0 ? st : ORR_OK);
    if (!v.error.text[0]) copy_text(v.error.text, sizeof v.error.text, orr_status_name(st));
    return v;
}

/* Does it begin with "rank 3 ("?  Then an agreement within the one at hand has named its owner. */
static int has_owner(const char *text)
{
    size_t digits = strncmp(text, "rank ", 5) == 0 ? strspn(text + 5, "0123456789") : 0;

    return digits > 0 && strncmp(text + 5 + digits, " (", 2) == 0;
}

/* The sentence with its owner before it. */
static orr_status raise_verdict(const verdict *v, int who)
{
    orr_status st = orr_error_raise(&v->error);

    return has_owner(v->error.text) ? st : orr_fail_prefix(st, "rank %d (%s): ", who, v->host);
}

static orr_status first_failing(orr_comm *c, orr_status st, int32_t *who)
{
    *who = st < 0 ? c->rank : INT32_MAX;
    ORR_TRY(usable(c, "agree"));
    return allreduce_for(c, "agree", who, 1, ORR_I32);
}

orr_status orr_comm_agree_all(orr_comm *c, orr_status st)
{
    verdict v;
    int32_t who = INT32_MAX;
    orr_status comm_st;

    if (c->size == 1) return st < 0 ? st : ORR_OK;
    v = own_verdict(c, st); /* before anything below can replace the sentence */
    comm_st = first_failing(c, st, &who);
    if (comm_st == ORR_OK && who == INT32_MAX) return ORR_OK;
    if (comm_st == ORR_OK) {
        verdict theirs = v;
        comm_st = c->ops->bcast(c, &theirs, sizeof theirs, who);
        if (comm_st == ORR_OK) return raise_verdict(&theirs, who);
    }
    if (st < 0) /* the others cannot be told; what went wrong here is still the news */
        return raise_verdict(&v, c->rank);
    return comm_st;
}

/* ---- windows and counters ---- */

orr_status orr_comm_window_create(orr_comm_window **out, orr_comm *c, size_t bytes)
{
    *out = NULL;
    ORR_TRY(usable(c, "window"));
    return c->ops->window_create(out, c, bytes);
}

void *orr_comm_window_base(const orr_comm_window *w)
{
    return w->base;
}

orr_status orr_comm_window_fence(orr_comm_window *w)
{
    ORR_TRY(usable(w->comm, "window fence"));
    return w->comm->ops->window_fence(w);
}

void orr_comm_window_destroy(orr_comm_window *w)
{
    if (w) w->comm->ops->window_destroy(w);
}

orr_status orr_counter_create(orr_counter **out, orr_comm *c)
{
    *out = NULL;
    ORR_TRY(usable(c, "counter"));
    return c->ops->counter_create(out, c);
}

orr_status orr_counter_next(orr_counter *k, int64_t n, int64_t *first)
{
    ORR_TRY(usable(k->comm, "counter"));
    return k->comm->ops->counter_next(k, n, first);
}

void orr_counter_serve(orr_counter *k)
{
    if (k->comm->ops->counter_serve) k->comm->ops->counter_serve();
}

void orr_counter_destroy(orr_counter *k)
{
    if (k) k->comm->ops->counter_destroy(k);
}
