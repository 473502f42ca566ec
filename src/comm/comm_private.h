/* comm/comm_private.h - what stands behind comm.h: the table of operations, and what every
 * communicator begins with. Private to comm/.  An implementation fills one static const table; a
 * NULL slot is ORR_ERR_UNSUPPORTED. The dispatch in comm.c has checked arguments before a slot is
 * called. */
#ifndef ORR_COMM_COMM_PRIVATE_H
#define ORR_COMM_COMM_PRIVATE_H

#include "comm/comm.h"
#include "core/watchdog.h"

typedef struct orr_reducer orr_reducer;

typedef struct orr_comm_ops {
    const char *name;
    size_t request_bytes; /* one request of the non-blocking operations below */

    orr_status (*split)(orr_comm **out, orr_comm *c, int color, int key);
    void (*destroy)(orr_comm *c); /* frees c itself */

    orr_status (*barrier)(orr_comm *c);
    orr_status (*bcast)(orr_comm *c, void *buf, size_t bytes, int root);
    orr_status (*allreduce)(orr_comm *c, void *buf, size_t n, orr_dtype t, orr_reduce_op op);
    orr_status (*exscan)(orr_comm *c, int64_t value, int64_t *out, int64_t *total);
    orr_status (*allgather)(orr_comm *c, const void *in, void *out, const size_t *bytes);
    orr_status (*gather)(orr_comm *c, const void *in, void *out, const size_t *bytes, int root);

    orr_status (*window_create)(orr_comm_window **out, orr_comm *c, size_t bytes);
    orr_status (*window_fence)(orr_comm_window *w);
    void (*window_destroy)(orr_comm_window *w);

    orr_status (*counter_create)(orr_counter **out, orr_comm *c);
    orr_status (*counter_next)(orr_counter *k, int64_t n, int64_t *first);
    void (*counter_serve)(void); /* NULL: nobody has to be answered */
    void (*counter_destroy)(orr_counter *k);

    /* Non-blocking, for reduce_net.c: request i of the array `requests` (a free one) tracks the
     * operation.  bytes and n are at most ORR_PIECE; the tag is below ORR_TAGS.  Messages with one
     * tag between two ranks keep their order. */
    orr_status (*isend)(orr_comm *c, const void *buf, size_t bytes, int to, int tag, void *requests,
                        int i);
    orr_status (*irecv)(orr_comm *c, void *buf, size_t bytes, int from, int tag, void *requests,
                        int i);
    orr_status (*iallreduce)(orr_comm *c, void *buf, size_t n, orr_dtype t, void *requests, int i);
    /* Of requests [0, n): *pending = index of one that is not done, or -1 when all are. */
    orr_status (*test)(orr_comm *c, void *requests, int n, int *pending);
} orr_comm_ops;

enum {
    ORR_PIECE = 1 << 30 /* bytes or elements in one MPI call */,
    ORR_TAGS = 16384,
    ORR_HOST_MAX = 64
};

struct orr_comm {
    const orr_comm_ops *ops;
    int rank, size;
    int node, n_nodes, node_rank, node_size;
    char host[ORR_HOST_MAX];
    orr_comm_opts opts;
    int broken; /* a wait ran out or MPI failed: every later call is refused, nothing is freed in
                   MPI */
    orr_reducer *reducer; /* NULL until the first reserve or leaf_sum */
};

struct orr_comm_window {
    orr_comm *comm;
    void *base;
    size_t bytes;
};

struct orr_counter {
    orr_comm *comm;
};

/* ---- waiting ---- */
typedef struct orr_wait {
    orr_patience patience;
    unsigned tries;
    void (*serve)(void); /* the communicator's counter_serve */
} orr_wait;

orr_wait orr_wait_start(const orr_comm *c);
/* Answers what others ask of counters, yields the core; 0 = the deadline has passed.  Every wait of
 * this folder turns here, so that two ranks never wait for each other's. */
int orr_wait_again(orr_wait *w);
/* Marks c broken; the sentence names rank, host, operation and, when known (>= 0), a rank that did
 * not come. */
orr_status orr_comm_timeout(orr_comm *c, const char *operation, int missing);

/* opts (NULL = defaults) with ORR_WAIT applied, checked. */
orr_status orr_comm_opts_read(orr_comm_opts *out, const orr_comm_opts *o);

size_t orr_dtype_bytes(orr_dtype t); /* 0 = no such type */
/* Collective: ORR_ERR_ARG on every rank unless all bring the same n values; what[i] names value i.
 */
orr_status orr_comm_same(orr_comm *c, const char *operation, const char *const *what,
                         const int64_t *value, int n);

void orr_reducer_destroy(orr_reducer *r); /* NULL is fine */

#endif
