/* comm/mpi/mpi_window.c - memory shared by the ranks of a node, and the work counter.
 * Creation and freeing are blocking MPI calls: a polled barrier before each makes sure that all
 * ranks are there, and a watchdog looks after the call itself. */
#include "comm/mpi/mpi_private.h"

#include "core/memory.h"

#include <stdatomic.h>
#include <string.h>
#include <sys/statvfs.h>

typedef struct {
    orr_comm_window base;
    MPI_Win win;
} mpi_window;

/* On one node the value lies in a shared window and a processor's atomic add moves it, whatever
 * rank 0 does.  Over several nodes rank 0 holds it and answers messages, whenever it waits for
 * anything or looks at a counter of its own (one-sided operations over TCP are progressed by some
 * of Open MPI's components only inside calls on the window itself, and then two ranks that wait for
 * each other's other calls hang). */
typedef struct mpi_counter {
    orr_counter base;
    orr_comm_window *shared;
    _Atomic int64_t *value;
    MPI_Comm comm; /* of its messages */
    int64_t held;  /* on rank 0 */
    struct mpi_counter *next;
} mpi_counter;

enum { ASK = 1, ANSWER = 2 };

/* What this process holds and has to answer for.  MPI is called by one thread alone. */
static mpi_counter *held_here;

/* The commonest cause is a container's /dev/shm of 64 MB. */
static orr_status window_failed(orr_comm *c, int rc, size_t bytes)
{
    static const char place[] = "/dev/shm";
    struct statvfs v;
    double free_mib = -1;

    orr_mpi_fail(c, rc, "window");
    if (statvfs(place, &v) == 0) free_mib = (double)v.f_bavail * (double)v.f_frsize / 1048576;
    if (free_mib < 0 || free_mib * 1048576 >= 2 * (double)bytes)
        return orr_fail_prefix(ORR_ERR_COMM, "%zu bytes shared on a node: ", bytes);
    return orr_fail(ORR_ERR_NOMEM,
                    "%.1f MiB to share among the ranks of %s, but %s has %.1f MiB free; give it "
                    "more (docker run --shm-size=2g), use fewer ranks, or set "
                    "OMPI_MCA_osc_sm_backing_directory to a folder on a local disk",
                    (double)bytes / 1048576, c->host, place, free_mib);
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

orr_status orr_mpi_window_create(orr_comm_window **out, orr_comm *c, size_t bytes)
{
    mpi_comm *m = orr_mpi(c);
    mpi_window *w = orr_alloc(1, sizeof *w);
    orr_status st = w ? ORR_OK : orr_fail(ORR_ERR_NOMEM, "window: %zu bytes", sizeof *w);
    orr_mpi_guard guard;
    int rc;

    st = orr_comm_agree(c, st); /* also: everybody is here */
    if (st != ORR_OK) goto failed;
    w->base.comm = c;
    w->base.bytes = bytes;
    w->win = MPI_WIN_NULL;
    orr_mpi_guard_begin(&guard, c, "window");
    rc = allocate_shared(w, m->node, bytes);
    orr_mpi_guard_end(&guard);
    if (rc != MPI_SUCCESS) {
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

orr_status orr_mpi_window_fence(orr_comm_window *window)
{
    mpi_window *w = (mpi_window *)window;

    MPI_Win_sync(w->win);
    atomic_thread_fence(memory_order_seq_cst);
    ORR_TRY(orr_mpi_meet(w->base.comm, orr_mpi(w->base.comm)->node, "window fence"));
    atomic_thread_fence(memory_order_seq_cst);
    MPI_Win_sync(w->win);
    return ORR_OK;
}

void orr_mpi_window_destroy(orr_comm_window *window)
{
    mpi_window *w = (mpi_window *)window;
    orr_comm *c = window->comm;
    orr_mpi_guard guard;

    if (!c->broken && orr_mpi_meet(c, orr_mpi(c)->node, "closing a window") == ORR_OK) {
        orr_mpi_guard_begin(&guard, c, "closing a window");
        MPI_Win_unlock_all(w->win);
        MPI_Win_free(&w->win);
        orr_mpi_guard_end(&guard);
    }
    orr_free(w);
}

/* ---- counter ---- */

void orr_mpi_serve(void)
{
    for (mpi_counter *k = held_here; k; k = k->next) {
        int there = 1;
        while (there) {
            MPI_Status from;
            int64_t n, first = k->held;
            if (MPI_Iprobe(MPI_ANY_SOURCE, ASK, k->comm, &there, &from) != MPI_SUCCESS || !there)
                break;
            /* The message is here, and eight bytes go out at once: neither call waits. */
            if (MPI_Recv(&n, 1, MPI_INT64_T, from.MPI_SOURCE, ASK, k->comm, MPI_STATUS_IGNORE) !=
                MPI_SUCCESS)
                break;
            k->held += n;
            MPI_Send(&first, 1, MPI_INT64_T, from.MPI_SOURCE, ANSWER, k->comm);
        }
    }
}

static orr_status counter_over_nodes(mpi_counter *k, orr_comm *c)
{
    orr_mpi_guard guard;
    int rc;

    ORR_TRY(orr_mpi_meet(c, orr_mpi(c)->all, "counter"));
    orr_mpi_guard_begin(&guard, c, "counter");
    rc = MPI_Comm_dup(orr_mpi(c)->all, &k->comm);
    orr_mpi_guard_end(&guard);
    if (rc == MPI_SUCCESS) rc = MPI_Comm_set_errhandler(k->comm, MPI_ERRORS_RETURN);
    if (rc != MPI_SUCCESS) return orr_mpi_fail(c, rc, "counter");
    if (c->rank != 0) return ORR_OK;
    k->next = held_here;
    held_here = k;
    return ORR_OK;
}

static orr_status ask(mpi_counter *k, int64_t n, int64_t *first)
{
    MPI_Request requests[2] = { MPI_REQUEST_NULL, MPI_REQUEST_NULL };
    int rc = MPI_Irecv(first, 1, MPI_INT64_T, 0, ANSWER, k->comm, &requests[0]);

    if (rc == MPI_SUCCESS) rc = MPI_Isend(&n, 1, MPI_INT64_T, 0, ASK, k->comm, &requests[1]);
    if (rc != MPI_SUCCESS) return orr_mpi_fail(k->base.comm, rc, "counter");
    return orr_mpi_wait(k->base.comm, requests, 2, "counter");
}

orr_status orr_mpi_counter_create(orr_counter **out, orr_comm *c)
{
    mpi_counter *k = orr_alloc(1, sizeof *k);
    orr_status st = k ? ORR_OK : orr_fail(ORR_ERR_NOMEM, "counter: %zu bytes", sizeof *k);

    st = orr_comm_agree(c, st);
    if (st != ORR_OK) goto failed;
    k->base.comm = c;
    k->comm = MPI_COMM_NULL;
    if (c->n_nodes == 1) {
        ORR_TRY_GOTO(st, failed, orr_mpi_window_create(&k->shared, c, sizeof *k->value));
        k->value = orr_comm_window_base(k->shared);
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

    if (k->value) {
        *first = atomic_fetch_add(k->value, n);
        return ORR_OK;
    }
    if (k->base.comm->rank != 0) return ask(k, n, first);
    orr_mpi_serve();
    *first = k->held;
    k->held += n;
    return ORR_OK;
}

void orr_mpi_counter_destroy(orr_counter *counter)
{
    mpi_counter *k = (mpi_counter *)counter;
    orr_comm *c = k->base.comm;
    int together = k->comm != MPI_COMM_NULL && !c->broken &&
                   orr_mpi_meet(c, orr_mpi(c)->all, "closing a counter") == ORR_OK;

    for (mpi_counter **p = &held_here; *p; p = &(*p)->next)
        if (*p == k) {
            *p = k->next;
            break;
        }
    orr_comm_window_destroy(k->shared);
    if (together) {
        orr_mpi_guard guard;
        orr_mpi_guard_begin(&guard, c, "closing a counter");
        MPI_Comm_free(&k->comm);
        orr_mpi_guard_end(&guard);
    }
    orr_free(k);
}
