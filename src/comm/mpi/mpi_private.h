/* comm/mpi/mpi_private.h - what the files of comm/mpi share. */
#ifndef ORR_COMM_MPI_MPI_PRIVATE_H
#define ORR_COMM_MPI_MPI_PRIVATE_H

#include "comm/comm_private.h"

#include <mpi.h>

typedef struct mpi_comm {
    orr_comm base;
    MPI_Comm all;        /* a duplicate, ours */
    MPI_Comm node;       /* the ranks of `all` on this rank's node */
    int *count, *offset; /* scratch, size entries each */
} mpi_comm;

static inline mpi_comm *orr_mpi(orr_comm *c)
{
    return (mpi_comm *)c;
}

/* MPI's words for rc; marks c broken. */
orr_status orr_mpi_fail(orr_comm *c, int rc, const char *operation);
/* Polls until all n requests are done or the deadline passes. */
orr_status orr_mpi_wait(orr_comm *c, MPI_Request *requests, int n, const char *operation);
/* Makes sure that every rank of `comm` has come before an MPI call that blocks and cannot be
 * polled. */
orr_status orr_mpi_meet(orr_comm *c, MPI_Comm comm, const char *operation);
/* Around such calls: past the deadline opts.stuck ends the process.  c lends its rank, host and
 * options alone. */
typedef struct orr_mpi_guard {
    const orr_comm *comm;
    const char *operation;
    orr_watchdog dog;
} orr_mpi_guard;
void orr_mpi_guard_begin(orr_mpi_guard *g, const orr_comm *c, const char *operation);
void orr_mpi_guard_end(orr_mpi_guard *g);
MPI_Datatype orr_mpi_type(orr_dtype t);

/* mpi_collectives.c */
orr_status orr_mpi_barrier(orr_comm *c);
orr_status orr_mpi_bcast(orr_comm *c, void *buf, size_t bytes, int root);
orr_status orr_mpi_allreduce(orr_comm *c, void *buf, size_t n, orr_dtype t, orr_reduce_op op);
orr_status orr_mpi_exscan(orr_comm *c, int64_t value, int64_t *out, int64_t *total);
orr_status orr_mpi_allgather(orr_comm *c, const void *in, void *out, const size_t *bytes);
orr_status orr_mpi_gather(orr_comm *c, const void *in, void *out, const size_t *bytes, int root);
orr_status orr_mpi_isend(orr_comm *c, const void *buf, size_t bytes, int to, int tag,
                         void *requests, int i);
orr_status orr_mpi_irecv(orr_comm *c, void *buf, size_t bytes, int from, int tag, void *requests,
                         int i);
orr_status orr_mpi_iallreduce(orr_comm *c, void *buf, size_t n, orr_dtype t, void *requests, int i);
orr_status orr_mpi_test(orr_comm *c, void *requests, int n, int *pending);

/* mpi_window.c */
orr_status orr_mpi_window_create(orr_comm_window **out, orr_comm *c, size_t bytes);
orr_status orr_mpi_window_fence(orr_comm_window *w);
void orr_mpi_window_destroy(orr_comm_window *w);
orr_status orr_mpi_counter_create(orr_counter **out, orr_comm *c);
orr_status orr_mpi_counter_next(orr_counter *k, int64_t n, int64_t *first);
void orr_mpi_counter_destroy(orr_counter *k);
/* Answers what other ranks ask of the counters that this process holds; cheap without any. */
void orr_mpi_serve(void);

#endif
