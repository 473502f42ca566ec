/* comm/mpi/mpi_window.c - memory shared by the ranks of a node, and the work counter.
 * Creation and freeing are blocking MPI calls; a polled barrier before each makes sure that all
 * ranks are there, so that only a rank dying within the call itself can hang it. */
#include "comm/mpi/mpi_impl.h"

#include "core/memory.h"

#include <stdatomic.h>
#include <string.h>

typedef struct {
    orr_window base;
    MPI_Win win;
} mpi_window;

/* On one node the value lies in a shared window and a processor's atomic add moves it, whatever
 * rank 0 does.  Over several nodes it lies in rank 0's part of an MPI window. */
typedef struct {
    orr_counter base;
    orr_window *shared;
    _Atomic int64_t *value;
    MPI_Win win;
} mpi_counter;

static orr_status window_failed(orr_comm *c, int rc, size_t bytes)
{
    orr_mpi_fail(c, rc, "window");
    return orr_fail_prefix(ORR_ERR_COMM,
                           "%zu bytes shared on a node (is there room in /dev/shm?): ", bytes);
}

/* Rank 0 of the node brings all memory, with some to align the start. */
static int allocate_shared(mpi_window *w, MPI_Comm node, size_t bytes)
{
    void *mine = NULL, *base = NULL;
    MPI_Aint size = 0;
    int rank = 0, unit = 1, rc;

    MPI_Comm_rank(node, &rank);
    rc = MPI_Win_allocate_shared(rank == 0 ? (MPI_Aint)(bytes + ORR_ALIGN) : 0, 1, MPI_INFO_NULL,
                                 node, &mine, &w->win);
    if (rc == MPI_SUCCESS) rc = MPI_Win_set_errhandler(w->win, MPI_ERRORS_RETURN);
    if (rc == MPI_SUCCESS) rc = MPI_Win_shared_query(w->win, 0, &size, &unit, &base);
    if (rc == MPI_SUCCESS) rc = MPI_Win_lock_all(MPI_MODE_NOCHECK, w->win);
    /* Pages are mapped at page boundaries everywhere, so all ranks round to the same byte. */
    w->base.base = (void *)(((uintptr_t)base + ORR_ALIGN - 1) & ~(uintptr_t)(ORR_ALIGN - 1));
    return rc;
}

/* Each rank clears its share, so that pages spread over the node's memory. */
static void clear_share(mpi_window *w, int rank, int size)
{
    size_t bytes = w->base.bytes, share = bytes / (size_t)size;
    size_t begin = share * (size_t)rank, end = rank + 1 == size ? bytes : begin + share;

    memset((char *)w->base.base + begin, 0, end - begin);
}

orr_status orr_mpi_window_create(orr_window **out, orr_comm *c, size_t bytes)
{
    mpi_comm *m = orr_mpi(c);
    mpi_window *w = orr_alloc(1, sizeof *w);
    orr_status st = w ? ORR_OK : orr_fail(ORR_ERR_NOMEM, "window: %zu bytes", sizeof *w);
    int rc;

    st = orr_comm_agree(c, st); /* also: everybody is here */
    if (st != ORR_OK) goto failed;
    w->base.comm = c;
    w->base.bytes = bytes;
    w->win = MPI_WIN_NULL;
    if ((rc = allocate_shared(w, m->node, bytes)) != MPI_SUCCESS) {
        st = window_failed(c, rc, bytes);
        goto failed;
    }
    clear_share(w, c->node_rank, c->node_size);
    ORR_TRY_GOTO(st, failed, orr_mpi_window_fence(&w->base));
    *out = &w->base;
    return ORR_OK;
failed: /* the window itself, if any, stays: freeing it is collective, and c is broken */
    orr_free(w);
    return st;
}

orr_status orr_mpi_window_fence(orr_window *window)
{
    mpi_window *w = (mpi_window *)window;

    MPI_Win_sync(w->win);
    atomic_thread_fence(memory_order_seq_cst);
    ORR_TRY(orr_mpi_meet(w->base.comm, orr_mpi(w->base.comm)->node, "window fence"));
    atomic_thread_fence(memory_order_seq_cst);
    MPI_Win_sync(w->win);
    return ORR_OK;
}

void orr_mpi_window_destroy(orr_window *window)
{
    mpi_window *w = (mpi_window *)window;
    orr_comm *c = window->comm;

    if (!c->broken && orr_mpi_meet(c, orr_mpi(c)->node, "closing a window") == ORR_OK) {
        MPI_Win_unlock_all(w->win);
        MPI_Win_free(&w->win);
    }
    orr_free(w);
}

/* ---- counter ---- */

static orr_status counter_over_nodes(mpi_counter *k, orr_comm *c)
{
    int64_t *value = NULL;
    int rc = MPI_Win_allocate(c->rank == 0 ? sizeof *value : 0, sizeof *value, MPI_INFO_NULL,
                              orr_mpi(c)->all, &value, &k->win);

    if (rc == MPI_SUCCESS) rc = MPI_Win_set_errhandler(k->win, MPI_ERRORS_RETURN);
    if (rc == MPI_SUCCESS) rc = MPI_Win_lock_all(0, k->win);
    if (rc != MPI_SUCCESS) return orr_mpi_fail(c, rc, "counter");
    if (c->rank == 0) *value = 0;
    MPI_Win_sync(k->win);
    return orr_mpi_meet(c, orr_mpi(c)->all, "counter");
}

orr_status orr_mpi_counter_create(orr_counter **out, orr_comm *c)
{
    mpi_counter *k = orr_alloc(1, sizeof *k);
    orr_status st = k ? ORR_OK : orr_fail(ORR_ERR_NOMEM, "counter: %zu bytes", sizeof *k);

    st = orr_comm_agree(c, st);
    if (st != ORR_OK) goto failed;
    k->base.comm = c;
    k->win = MPI_WIN_NULL;
    if (c->n_nodes == 1) {
        ORR_TRY_GOTO(st, failed, orr_mpi_window_create(&k->shared, c, sizeof *k->value));
        k->value = orr_window_base(k->shared);
    } else {
        ORR_TRY_GOTO(st, failed, counter_over_nodes(k, c));
    }
    *out = &k->base;
    return ORR_OK;
failed:
    orr_free(k);
    return st;
}

orr_status orr_mpi_counter_next(orr_counter *counter, int64_t n, int64_t *first)
{
    mpi_counter *k = (mpi_counter *)counter;
    MPI_Request request;
    int rc;

    if (k->value) {
        *first = atomic_fetch_add(k->value, n);
        return ORR_OK;
    }
    /* MPI_Fetch_and_op has no request to poll; this is the same operation with one. */
    rc = MPI_Rget_accumulate(&n, 1, MPI_INT64_T, first, 1, MPI_INT64_T, 0, 0, 1, MPI_INT64_T,
                             MPI_SUM, k->win, &request);
    if (rc != MPI_SUCCESS) return orr_mpi_fail(k->base.comm, rc, "counter");
    return orr_mpi_wait(k->base.comm, &request, 1, "counter");
}

void orr_mpi_counter_destroy(orr_counter *counter)
{
    mpi_counter *k = (mpi_counter *)counter;
    orr_comm *c = k->base.comm;

    orr_window_destroy(k->shared);
    if (k->win != MPI_WIN_NULL && !c->broken &&
        orr_mpi_meet(c, orr_mpi(c)->all, "closing a counter") == ORR_OK) {
        MPI_Win_unlock_all(k->win);
        MPI_Win_free(&k->win);
    }
    orr_free(k);
}
