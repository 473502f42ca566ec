/* comm/mpi/mpi_collectives.c - collectives of any size, each a non-blocking MPI call polled with
 * the deadline. MPI 3 counts are ints: what is larger goes in pieces, and the deadline starts anew
 * with each piece. */
#include "comm/mpi/mpi_private.h"

#include <limits.h>
#include <string.h>

enum { GATHER_TAG = ORR_TAGS /* the tags below are the reductions' */ };

#define TRY_MPI(c, operation, call)                                                                \
    do {                                                                                           \
        int try_rc_ = (call);                                                                      \
        if (try_rc_ != MPI_SUCCESS) return orr_mpi_fail(c, try_rc_, operation);                    \
    } while (0)

static MPI_Op mpi_op(orr_reduce_op op)
{
    return op == ORR_SUM ? MPI_SUM : op == ORR_MIN ? MPI_MIN : MPI_MAX;
}

static int piece_of(size_t left)
{
    return left < ORR_PIECE ? (int)left : ORR_PIECE;
}

orr_status orr_mpi_barrier(orr_comm *c)
{
    return orr_mpi_meet(c, orr_mpi(c)->all, "barrier");
}

static orr_status bcast_pieces(orr_comm *c, char *buf, size_t bytes, int root,
                               const char *operation)
{
    while (bytes > 0) {
        MPI_Request request;
        int n = piece_of(bytes);
        TRY_MPI(c, operation, MPI_Ibcast(buf, n, MPI_BYTE, root, orr_mpi(c)->all, &request));
        ORR_TRY(orr_mpi_wait(c, &request, 1, operation));
        buf += n;
        bytes -= (size_t)n;
    }
    return ORR_OK;
}

orr_status orr_mpi_bcast(orr_comm *c, void *buf, size_t bytes, int root)
{
    return bcast_pieces(c, buf, bytes, root, "bcast");
}

orr_status orr_mpi_allreduce(orr_comm *c, void *buf, size_t n, orr_dtype t, orr_reduce_op op)
{
    char *at = buf;

    while (n > 0) {
        MPI_Request request;
        int m = piece_of(n);
        TRY_MPI(c, "allreduce",
                MPI_Iallreduce(MPI_IN_PLACE, at, m, orr_mpi_type(t), mpi_op(op), orr_mpi(c)->all,
                               &request));
        ORR_TRY(orr_mpi_wait(c, &request, 1, "allreduce"));
        at += (size_t)m * orr_dtype_bytes(t);
        n -= (size_t)m;
    }
    return ORR_OK;
}

orr_status orr_mpi_exscan(orr_comm *c, int64_t value, int64_t *out, int64_t *total)
{
    MPI_Request requests[2];
    int64_t before = 0;

    TRY_MPI(c, "exscan",
            MPI_Iexscan(&value, &before, 1, MPI_INT64_T, MPI_SUM, orr_mpi(c)->all, &requests[0]));
    TRY_MPI(c, "exscan",
            MPI_Iallreduce(&value, total, 1, MPI_INT64_T, MPI_SUM, orr_mpi(c)->all, &requests[1]));
    ORR_TRY(orr_mpi_wait(c, requests, 2, "exscan"));
    *out = c->rank == 0 ? 0 : before; /* MPI leaves rank 0's undefined */
    return ORR_OK;
}

/* Offsets in the scratch when everything fits MPI's ints; 0 when it does not. */
static int fits_ints(mpi_comm *m, const size_t *bytes)
{
    size_t at = 0;

    for (int r = 0; r < m->base.size; r++) {
        if (bytes[r] > INT_MAX || at + bytes[r] > INT_MAX) return 0;
        m->count[r] = (int)bytes[r];
        m->offset[r] = (int)at;
        at += bytes[r];
    }
    return 1;
}

orr_status orr_mpi_allgather(orr_comm *c, const void *in, void *out, const size_t *bytes)
{
    mpi_comm *m = orr_mpi(c);
    MPI_Request request;
    char *at = out;
    size_t before = 0;

    for (int r = 0; r < c->rank; r++)
        before += bytes[r];
    if (bytes[c->rank] > 0 && at + before != in) memmove(at + before, in, bytes[c->rank]);
    if (fits_ints(m, bytes)) {
        TRY_MPI(c, "allgather",
                MPI_Iallgatherv(MPI_IN_PLACE, 0, MPI_BYTE, out, m->count, m->offset, MPI_BYTE,
                                m->all, &request));
        return orr_mpi_wait(c, &request, 1, "allgather");
    }
    for (int r = 0; r < c->size; r++) {
        ORR_TRY(bcast_pieces(c, at, bytes[r], r, "allgather"));
        at += bytes[r];
    }
    return ORR_OK;
}

static orr_status send_pieces(orr_comm *c, const char *in, size_t bytes, int to)
{
    while (bytes > 0) {
        MPI_Request request;
        int n = piece_of(bytes);
        TRY_MPI(c, "gather", MPI_Isend(in, n, MPI_BYTE, to, GATHER_TAG, orr_mpi(c)->all, &request));
        ORR_TRY(orr_mpi_wait(c, &request, 1, "gather"));
        in += n;
        bytes -= (size_t)n;
    }
    return ORR_OK;
}

static orr_status receive_pieces(orr_comm *c, char *out, size_t bytes, int from)
{
    while (bytes > 0) {
        MPI_Request request;
        int n = piece_of(bytes);
        TRY_MPI(c, "gather",
                MPI_Irecv(out, n, MPI_BYTE, from, GATHER_TAG, orr_mpi(c)->all, &request));
        ORR_TRY(orr_mpi_wait(c, &request, 1, "gather"));
        out += n;
        bytes -= (size_t)n;
    }
    return ORR_OK;
}

static orr_status gather_large(orr_comm *c, const void *in, char *out, const size_t *bytes,
                               int root)
{
    if (c->rank != root) return send_pieces(c, in, bytes[c->rank], root);
    for (int r = 0; r < c->size; r++) {
        if (r != root)
            ORR_TRY(receive_pieces(c, out, bytes[r], r));
        else if (bytes[r] > 0 && out != in)
            memmove(out, in, bytes[r]);
        out += bytes[r];
    }
    return ORR_OK;
}

orr_status orr_mpi_gather(orr_comm *c, const void *in, void *out, const size_t *bytes, int root)
{
    mpi_comm *m = orr_mpi(c);
    MPI_Request request;

    if (!fits_ints(m, bytes)) return gather_large(c, in, out, bytes, root);
    if (c->rank == root && bytes[root] > 0 && (char *)out + m->offset[root] != in)
        memmove((char *)out + m->offset[root], in, bytes[root]);
    TRY_MPI(c, "gather",
            MPI_Igatherv(c->rank == root ? MPI_IN_PLACE : in, m->count[c->rank], MPI_BYTE, out,
                         m->count, m->offset, MPI_BYTE, root, m->all, &request));
    return orr_mpi_wait(c, &request, 1, "gather");
}

/* ---- non-blocking ---- */

orr_status orr_mpi_isend(orr_comm *c, const void *buf, size_t bytes, int to, int tag,
                         void *requests, int i)
{
    TRY_MPI(c, "reduce",
            MPI_Isend(buf, (int)bytes, MPI_BYTE, to, tag, orr_mpi(c)->all,
                      (MPI_Request *)requests + i));
    return ORR_OK;
}

orr_status orr_mpi_irecv(orr_comm *c, void *buf, size_t bytes, int from, int tag, void *requests,
                         int i)
{
    TRY_MPI(c, "reduce",
            MPI_Irecv(buf, (int)bytes, MPI_BYTE, from, tag, orr_mpi(c)->all,
                      (MPI_Request *)requests + i));
    return ORR_OK;
}

orr_status orr_mpi_iallreduce(orr_comm *c, void *buf, size_t n, orr_dtype t, void *requests, int i)
{
    TRY_MPI(c, "reduce",
            MPI_Iallreduce(MPI_IN_PLACE, buf, (int)n, orr_mpi_type(t), MPI_SUM, orr_mpi(c)->all,
                           (MPI_Request *)requests + i));
    return ORR_OK;
}

orr_status orr_mpi_test(orr_comm *c, void *requests, int n, int *pending)
{
    MPI_Request *request = requests;
    int done = 0;

    *pending = -1;
    orr_mpi_serve();
    TRY_MPI(c, "reduce", MPI_Testall(n, request, &done, MPI_STATUSES_IGNORE));
    for (int i = 0; !done && *pending < 0 && i < n; i++) {
        int over = 0;
        TRY_MPI(c, "reduce", MPI_Request_get_status(request[i], &over, MPI_STATUS_IGNORE));
        if (!over) *pending = i;
    }
    return ORR_OK;
}
