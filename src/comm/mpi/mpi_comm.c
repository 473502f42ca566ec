/* comm/mpi/mpi_comm.c - communicators over MPI: creation, splitting, nodes, errors and polled
 * waits. */
#include "comm/mpi/mpi_comm.h"
#include "comm/mpi/mpi_private.h"

#include "core/memory.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const orr_comm_ops mpi_ops;

/* ---- errors and waits ---- */

orr_status orr_mpi_fail(orr_comm *c, int rc, const char *operation)
{
    char words[MPI_MAX_ERROR_STRING] = "";
    int n = 0;

    c->broken = 1;
    MPI_Error_string(rc, words, &n);
    return orr_fail(ORR_ERR_COMM, "rank %d of %d (%s): %s: %.*s", c->rank, c->size, c->host,
                    operation, n, words);
}

orr_status orr_mpi_wait(orr_comm *c, MPI_Request *requests, int n, const char *operation)
{
    orr_wait wait = orr_wait_start(c);

    orr_mpi_serve(); /* also where nothing has to be waited for */
    for (;;) {
        int done = 0, rc;

        rc = MPI_Testall(n, requests, &done, MPI_STATUSES_IGNORE);
        if (rc != MPI_SUCCESS) return orr_mpi_fail(c, rc, operation);
        if (done) return ORR_OK;
        if (!orr_wait_again(&wait)) return orr_comm_timeout(c, operation, -1);
    }
}

orr_status orr_mpi_meet(orr_comm *c, MPI_Comm comm, const char *operation)
{
    MPI_Request request;
    int rc = MPI_Ibarrier(comm, &request);

    if (rc != MPI_SUCCESS) return orr_mpi_fail(c, rc, operation);
    return orr_mpi_wait(c, &request, 1, operation);
}

static void is_stuck(void *ctx, double seconds)
{
    const orr_mpi_guard *g = ctx;
    const orr_comm *c = g->comm;
    char sentence[ORR_ERROR_MAX];

    snprintf(sentence, sizeof sentence,
             "rank %d of %d (%s): %s: MPI did not come back within %g s; look for a rank that "
             "stopped, or raise ORR_WAIT",
             c->rank, c->size, c->host, g->operation, seconds);
    c->opts.stuck(sentence);
}

void orr_mpi_guard_begin(orr_mpi_guard *g, const orr_comm *c, const char *operation)
{
    *g = (orr_mpi_guard){ .comm = c, .operation = operation };
    if (c->opts.stuck && c->size > 1)
        orr_watchdog_start(&g->dog, c->opts.deadline, is_stuck, g);
    else
        g->comm = NULL;
}

void orr_mpi_guard_end(orr_mpi_guard *g)
{
    if (g->comm) orr_watchdog_stop(&g->dog);
}

MPI_Datatype orr_mpi_type(orr_dtype t)
{
    switch (t) {
    case ORR_I32:
        return MPI_INT32_T;
    case ORR_I64:
        return MPI_INT64_T;
    case ORR_F32:
        return MPI_FLOAT;
    case ORR_F64:
        return MPI_DOUBLE;
    case ORR_U8:
        return MPI_UINT8_T;
    }
    return MPI_DATATYPE_NULL;
}

/* ---- nodes ---- */

/* Ranks that share memory; with ranks_per_node, cut further into pretended nodes. */
static int split_node(mpi_comm *m)
{
    MPI_Comm shared = MPI_COMM_NULL;
    int pretend = m->base.opts.ranks_per_node;
    int rc =
        MPI_Comm_split_type(m->all, MPI_COMM_TYPE_SHARED, m->base.rank, MPI_INFO_NULL, &shared);

    if (rc != MPI_SUCCESS || pretend == 0) {
        m->node = shared;
        return rc;
    }
    rc = MPI_Comm_split(shared, m->base.rank / pretend, m->base.rank, &m->node);
    MPI_Comm_free(&shared);
    return rc;
}

/* Numbers nodes in the order of their lowest ranks. */
static int number_nodes(mpi_comm *m)
{
    int rc, lowest = m->base.rank;

    if ((rc = MPI_Bcast(&lowest, 1, MPI_INT, 0, m->node)) != MPI_SUCCESS) return rc;
    if ((rc = MPI_Allgather(&lowest, 1, MPI_INT, m->count, 1, MPI_INT, m->all)) != MPI_SUCCESS)
        return rc;
    for (int r = 0; r < m->base.size; r++) {
        if (m->count[r] != r) continue; /* not the first rank of its node */
        if (r < lowest) m->base.node++;
        m->base.n_nodes++;
    }
    return MPI_SUCCESS;
}

static orr_status find_nodes(mpi_comm *m)
{
    int rc;

    if ((rc = split_node(m)) == MPI_SUCCESS)
        rc = MPI_Comm_set_errhandler(m->node, MPI_ERRORS_RETURN);
    if (rc == MPI_SUCCESS) rc = MPI_Comm_rank(m->node, &m->base.node_rank);
    if (rc == MPI_SUCCESS) rc = MPI_Comm_size(m->node, &m->base.node_size);
    if (rc == MPI_SUCCESS) rc = number_nodes(m);
    return rc == MPI_SUCCESS ? ORR_OK
                             : orr_mpi_fail(&m->base, rc, "finding the ranks of each node");
}

/* ---- life ---- */

/* Past a failure ranks may be missing, and MPI is left alone: the caller is about to abort. */
static void release(mpi_comm *m)
{
    orr_mpi_guard guard;

    if (!m->base.broken) {
        orr_mpi_guard_begin(&guard, &m->base, "closing the communicator");
        if (m->node != MPI_COMM_NULL) MPI_Comm_free(&m->node);
        MPI_Comm_free(&m->all);
        orr_mpi_guard_end(&guard);
    }
    orr_free(m->count);
    orr_free(m->offset);
    orr_free(m);
}

static void mpi_destroy(orr_comm *c)
{
    if (!c->broken)
        (void)orr_mpi_meet(c, orr_mpi(c)->all, "closing the communicator"); /* or marks c broken */
    release(orr_mpi(c));
}

/* Who this is among the ranks of comm. */
static orr_comm identity(MPI_Comm comm, const orr_comm_opts *opts)
{
    orr_comm c = { .ops = &mpi_ops, .opts = *opts };

    MPI_Comm_rank(comm, &c.rank);
    MPI_Comm_size(comm, &c.size);
    if (gethostname(c.host, sizeof c.host - 1) != 0)
        memcpy(c.host, "unknown host", sizeof "unknown host");
    return c;
}

/* Takes over `all`. */
static orr_status adopt(orr_comm **out, MPI_Comm all, const orr_comm_opts *opts)
{
    orr_status st = ORR_OK;
    mpi_comm *m = orr_alloc(1, sizeof *m);
    orr_comm base = identity(all, opts);
    orr_mpi_guard guard;
    int enough, everywhere = 0;

    MPI_Comm_set_errhandler(all, MPI_ERRORS_RETURN);
    if (m) {
        m->base = base;
        m->all = all;
        m->node = MPI_COMM_NULL;
        m->count = orr_alloc((size_t)base.size, sizeof *m->count);
        m->offset = orr_alloc((size_t)base.size, sizeof *m->offset);
    }
    /* All or none go on to the collective calls. */
    enough = m && m->count && m->offset;
    orr_mpi_guard_begin(&guard, &base, "finding the ranks of each node");
    if (MPI_Allreduce(&enough, &everywhere, 1, MPI_INT, MPI_MIN, all) != MPI_SUCCESS)
        everywhere = 0;
    if (!m || !everywhere)
        st = orr_fail(ORR_ERR_NOMEM, "communicator of %d ranks: %s", base.size,
                      enough ? "another rank had no memory" : "no memory");
    else
        st = find_nodes(m);
    orr_mpi_guard_end(&guard);
    if (st == ORR_OK) {
        *out = &m->base;
        return ORR_OK;
    }
    if (m)
        release(m);
    else
        MPI_Comm_free(&all);
    return st;
}

static orr_status check_threads(void)
{
    int up = 0, level = MPI_THREAD_SINGLE;

    MPI_Initialized(&up);
    if (!up) return orr_fail(ORR_ERR_ARG, "MPI is not initialised: call MPI_Init_thread first");
    MPI_Query_thread(&level);
    if (level < MPI_THREAD_FUNNELED)
        return orr_fail(ORR_ERR_UNSUPPORTED,
                        "MPI runs without thread support: call MPI_Init_thread with "
                        "MPI_THREAD_FUNNELED, in an MPI that grants it");
    return ORR_OK;
}

orr_status orr_comm_mpi_create(orr_comm **out, MPI_Comm parent, const orr_comm_opts *o)
{
    orr_comm_opts opts;
    orr_comm base;
    orr_mpi_guard guard;
    MPI_Comm all = MPI_COMM_NULL;
    int rc;

    *out = NULL;
    ORR_TRY(check_threads());
    ORR_TRY(orr_comm_opts_read(&opts, o));
    base = identity(parent, &opts);
    orr_mpi_guard_begin(&guard, &base, "making the communicator");
    rc = MPI_Comm_dup(parent, &all);
    orr_mpi_guard_end(&guard);
    if (rc != MPI_SUCCESS) return orr_fail(ORR_ERR_COMM, "MPI_Comm_dup failed with code %d", rc);
    return adopt(out, all, &opts);
}

static orr_status mpi_split(orr_comm **out, orr_comm *c, int color, int key)
{
    mpi_comm *m = orr_mpi(c);
    MPI_Comm part = MPI_COMM_NULL;
    orr_mpi_guard guard;
    int rc;

    ORR_TRY(orr_mpi_meet(c, m->all, "split"));
    orr_mpi_guard_begin(&guard, c, "split");
    rc = MPI_Comm_split(m->all, color < 0 ? MPI_UNDEFINED : color, key, &part);
    orr_mpi_guard_end(&guard);
    if (rc != MPI_SUCCESS) return orr_mpi_fail(c, rc, "split");
    return part == MPI_COMM_NULL ? ORR_OK : adopt(out, part, &c->opts);
}

static const orr_comm_ops mpi_ops = {
    .name = "mpi",
    .request_bytes = sizeof(MPI_Request),
    .split = mpi_split,
    .destroy = mpi_destroy,
    .barrier = orr_mpi_barrier,
    .bcast = orr_mpi_bcast,
    .allreduce = orr_mpi_allreduce,
    .exscan = orr_mpi_exscan,
    .allgather = orr_mpi_allgather,
    .gather = orr_mpi_gather,
    .window_create = orr_mpi_window_create,
    .window_fence = orr_mpi_window_fence,
    .window_destroy = orr_mpi_window_destroy,
    .counter_create = orr_mpi_counter_create,
    .counter_next = orr_mpi_counter_next,
    .counter_serve = orr_mpi_serve,
    .counter_destroy = orr_mpi_counter_destroy,
    .isend = orr_mpi_isend,
    .irecv = orr_mpi_irecv,
    .iallreduce = orr_mpi_iallreduce,
    .test = orr_mpi_test,
};
