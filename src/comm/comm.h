/* comm/comm.h - ranks, and everything they do together.
 *
 * One table of operations, two implementations: mpi/ (Open MPI and friends) and self/ (one rank, no
 * library).  Each prototype says Collective (every rank of the communicator calls it, in the same
 * order) or Not collective.
 *
 * Waiting: every blocking call is a non-blocking one polled with a deadline (opts.deadline seconds,
 * ORR_WAIT in the environment overrides).  Past it the call fails with ORR_ERR_TIMEOUT and names
 * rank, host and operation; the communicator is then unusable (later calls answer ORR_ERR_COMM,
 * destroying leaves MPI alone) and the caller should abort.  Polling yields the core between tries.
 * MPI makes and frees communicators and windows by blocking calls only: a polled barrier before
 * each makes sure that all ranks have come, and a thread watches the call itself (opts.stuck).
 * Calls that move much wait up to the deadline for each GiB.  Time in which the process did not run
 * is not counted (core/watchdog.h).
 *
 * All calls come from one thread.  Debug builds compare every collective call and its sizes over
 * the ranks first.
 *
 * Sizes are size_t or int64_t throughout; what exceeds MPI's int is cut into pieces (or a derived
 * type) inside. Buffers of the non-blocking reduction are on loan until its end.   Errors:
 * ORR_ERR_COMM with MPI's words, ORR_ERR_NOMEM, ORR_ERR_TIMEOUT, ORR_ERR_ARG. */
#ifndef ORR_COMM_COMM_H
#define ORR_COMM_COMM_H

#include "core/leaves.h"
#include "core/memory_kind.h"
#include "core/status.h"

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct orr_comm orr_comm;
typedef struct orr_comm_window orr_comm_window;
typedef struct orr_counter orr_counter;
typedef struct orr_reduction orr_reduction;

typedef enum { ORR_I32, ORR_I64, ORR_F32, ORR_F64, ORR_U8 } orr_dtype;
typedef enum { ORR_SUM, ORR_MIN, ORR_MAX } orr_reduce_op;

typedef struct {
    double deadline;      /* seconds that a wait may take */
    int no_shared_reduce; /* 1: sums over leaves go through messages even on one node (tests) */
    int ranks_per_node;   /* > 0: pretend that nodes hold this many ranks (tests); 0: MPI's */
    /* A call of MPI's that blocks has passed the deadline, says the sentence; nothing can interrupt
     * it, so this is to end the process.  From another thread.  NULL: such calls have no limit. */
    void (*stuck)(const char *sentence);
} orr_comm_opts;
#define ORR_COMM_OPTS_INIT                                                                         \
    {                                                                                              \
        .deadline = 600.0                                                                          \
    }

/* ---- life ---- */
orr_status orr_comm_self_create(orr_comm **out); /* Not collective. */
/* Splits by color (< 0: this rank gets *out = NULL), ordered by key then rank.  Collective. */
orr_status orr_comm_split(orr_comm **out, orr_comm *c, int color, int key);
void orr_comm_destroy(orr_comm *c); /* Collective for mpi. NULL is fine. */

/* ---- who ---- Not collective. */
int orr_comm_rank(const orr_comm *c);
int orr_comm_size(const orr_comm *c);
int orr_comm_node(const orr_comm *c); /* number of this rank's node, 0.. in order of lowest rank */
int orr_comm_n_nodes(const orr_comm *c);
int orr_comm_node_rank(const orr_comm *c); /* rank among the ranks of this node */
int orr_comm_node_size(const orr_comm *c);
const char *orr_comm_host(const orr_comm *c);

/* ---- together ---- Collective. */
orr_status orr_comm_barrier(orr_comm *c);
orr_status orr_comm_bcast(orr_comm *c, void *buf, size_t bytes, int root);
/* Element-wise over ranks, in place, in MPI's own order: exact for integers, min, max; not
 * reproducible for float sums. */
orr_status orr_comm_allreduce(orr_comm *c, void *buf, size_t n, orr_dtype t, orr_reduce_op op);
/* *out = sum of value over lower ranks; *total over all (may be NULL). */
orr_status orr_comm_exscan(orr_comm *c, int64_t value, int64_t *out, int64_t *total);
/* Every rank's bytes[rank] bytes, rank after rank, into out on every rank (on root alone for
 * gather; out NULL elsewhere). bytes holds size entries and is the same on all ranks.  in may lie
 * at its place in out. */
orr_status orr_comm_allgather(orr_comm *c, const void *in, void *out, const size_t *bytes);
orr_status orr_comm_gather(orr_comm *c, const void *in, void *out, const size_t *bytes, int root);
/* The end of a phase: every rank brings its status and gets the worst one, the lowest failing
 * rank's.  On failure every rank's orr_error_text() reads "rank 3 (host): its sentence" (without
 * the words before the colon when size is 1). */
orr_status orr_comm_agree_all(orr_comm *c, orr_status st);
static inline orr_status orr_comm_agree(orr_comm *c, orr_status st)
{
    orr_status worst = orr_comm_agree_all(c, st);

    return worst == ORR_OK ? st : worst; /* the compiler sees that a failure stays one */
}

/* ---- memory shared by the ranks of a node ---- */
/* bytes must be the same on the ranks of a node; counted once a node.  Zeroed.  Collective. */
orr_status orr_comm_window_create(orr_comm_window **out, orr_comm *c, size_t bytes);
void *orr_comm_window_base(const orr_comm_window *w); /* Not collective. */
/* What any rank of the node wrote before, all ranks of the node read after.  Collective. */
orr_status orr_comm_window_fence(orr_comm_window *w);
void orr_comm_window_destroy(orr_comm_window *w); /* Collective. NULL is fine. */

/* ---- work shared out one piece at a time ---- */
orr_status orr_counter_create(orr_counter **out, orr_comm *c); /* from 0.  Collective. */
/* *first = value before n was added, by any rank at any time.  With all ranks on one node an atomic
 * add in shared memory, which rank 0 cannot hold up.  Over several nodes rank 0 is asked, and
 * answers when it next waits for anything, tests a reduction or looks at a counter.  Not
 * collective. */
orr_status orr_counter_next(orr_counter *k, int64_t n, int64_t *first);
/* Rank 0 answers those who have asked; for work that does none of the above for long.  Cheap. */
void orr_counter_serve(orr_counter *k);
void orr_counter_destroy(orr_counter *k); /* Collective. */

/* ---- sums over the leaves of a batch (comm/reduce.c, over the same table) ---- */
typedef enum {
    ORR_REDUCE_ORDERED, /* core/leaves.h's tree: same bits for every number of ranks */
    ORR_REDUCE_FAST     /* any order: own sums, then MPI's; on one node as ordered, quicker there */
} orr_reduce_mode;

/* Starts summing n elements (ORR_F32 or ORR_F64).  segments[i], i < plan->n_segments, is this
 * rank's sum of its i-th segment; the sum over all ranks arrives in result (n elements; may be
 * segments[0], else overlaps no segment) on every rank.  A rank without leaves brings no segment.
 * segments and result are on loan until the end; segments other than result are only read.  At most
 * ORR_MAX_REDUCTIONS at once; all ranks begin them in the same order.  All memory was set aside by
 * orr_comm_reduce_reserve: no allocation here.   Collective. Ordered: each rank adds every rank's
 * segments of its 1/N of the elements along the tree, then all get all parts: through shared memory
 * when all ranks are on one node, else through messages, 2 (N-1)/N n elements each way when a rank
 * has one segment, as a ring moves.  Small n: all segments to all ranks. When it fails, *out is
 * NULL if nothing was begun (a caller's mistake); otherwise the communicator is broken. */
orr_status orr_comm_reduce_begin(orr_reduction **out, orr_comm *c, const orr_leaf_plan *plan,
                                 orr_reduce_mode mode, void *const *segments, void *result,
                                 size_t n, orr_dtype t);
/* The same of somebody's memory, which outlives the reduction: with a device's, nothing of it is
 * looked at before the mark is reached; then the segments come into room that orr_comm_reduce_stage
 * set aside, and the end brings the sum to result.  With the host's it is orr_comm_reduce_begin.  A
 * reduction that waits for its mark holds up those begun after it.   Collective; the kind of memory
 * is each rank's own. */
orr_status orr_comm_reduce_begin_on(orr_reduction **out, orr_comm *c, const orr_leaf_plan *plan,
                                    orr_reduce_mode mode, const orr_memory *memory, int64_t mark,
                                    void *const *segments, void *result, size_t n, orr_dtype t);
/* Room in the host's memory for reductions of a device's under this plan, of up to n elements in
 * all; beside orr_comm_reduce_reserve, and while none is in flight.  Not collective. */
orr_status orr_comm_reduce_stage(orr_comm *c, const orr_leaf_plan *plan, size_t n, orr_dtype t);
/* ORR_OK done, ORR_PENDING, or an error; drives the progress of all reductions of the communicator:
 * nothing moves between calls.  Not collective. */
orr_status orr_comm_reduce_test(orr_reduction *r);
/* Waits (with the deadline) and gives r back.  Any order, but at the same place among the
 * collective calls on all ranks: those drive no reduction. */
orr_status orr_comm_reduce_end(orr_reduction *r);
enum { ORR_MAX_REDUCTIONS = 64 };
/* Sets memory aside for reductions under this plan of up to n elements in all, counting every one
 * begun since none was in flight.  While none is in flight; may be called again, for more or for
 * another plan.  All ranks get the same verdict.  Collective. */
orr_status orr_comm_reduce_reserve(orr_comm *c, const orr_leaf_plan *plan, size_t n, orr_dtype t);
/* Blocking form for small vectors of per-leaf values: in[i*n + j], i < local leaves (overwritten);
 * out[n] everywhere (may be in).  Always ordered; needs no reserve, may come while other reductions
 * are in flight.  Collective. */
orr_status orr_comm_leaf_sum(orr_comm *c, const orr_leaf_plan *plan, double *in, double *out,
                             size_t n);

#ifdef __cplusplus
}
#endif
#endif
