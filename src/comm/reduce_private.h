/* comm/reduce_private.h - what the files of the leaf reductions share.  Private to comm/.
 *
 * reduce.c       the public calls, memory set aside, the fast mode, leaf_sum
 * reduce_tree.c  the additions, in their fixed order
 * reduce_node.c  ordered, all ranks on one node: through shared memory, in chunks that stay in the
 * cache reduce_net.c   ordered, over the network: through messages */
#ifndef ORR_COMM_REDUCE_PRIVATE_H
#define ORR_COMM_REDUCE_PRIVATE_H

#include "comm/comm_private.h"
#include "comm/reduce_tree.h"

typedef struct orr_node_pipe orr_node_pipe;

typedef enum {
    REDUCE_FREE,
    REDUCE_WAITING,
    REDUCE_NODE,
    REDUCE_NET,
    REDUCE_FAST,
    REDUCE_DONE
} reduce_path;
typedef enum { NET_EXCHANGE, NET_SHARE } net_phase;

struct orr_reduction {
    orr_comm *c;
    reduce_path path;
    const orr_reduce_tree *tree;
    const void *segments[ORR_MAX_SEGMENTS];
    int n_segments;
    char *result;
    size_t n, width; /* elements, and bytes of one */
    orr_dtype type;
    /* of a device's memory (NULL: the host's): what waits, and where it lies there */
    const orr_memory *memory;
    int64_t mark;
    orr_reduce_mode mode;
    void *device_segments[ORR_MAX_SEGMENTS], *device_result;
    orr_reduction *next_waiting; /* begun after this one */
    /* reduce_node.c */
    orr_reduction *next; /* begun after this one */
    size_t chunk;        /* elements that go through the pipe at a time */
    /* reduce_net.c and the fast mode */
    net_phase phase;
    int small; /* all segments to all ranks */
    int tag;
    char *received; /* other ranks' segments of this rank's part, in order of segment number */
    char *requests;
    int n_requests;
    int *peer; /* of each request */
};

struct orr_reducer {
    orr_comm *c;
    orr_reduce_tree *trees;
    orr_node_pipe *pipe; /* NULL: messages */
    const void **source; /* of each segment, while folding */
    char *scratch;       /* for the fold */
    size_t reserved;     /* bytes of elements in flight that memory was set aside for */
    size_t in_flight;    /* bytes of elements begun since none was in flight */
    int n_active;
    int next_tag;
    char *arena; /* reduce_net.c: handed out in order, all taken back when none is in flight */
    size_t arena_bytes, arena_used;
    orr_reduction *waiting, *last_waiting; /* for their marks, in the order of their beginning */
    char *stage; /* copies of devices' memory: handed out like the arena */
    size_t stage_bytes, stage_used;
    char *requests; /* slot_requests for each reduction */
    int *peer;
    int slot_requests;
    double *leaf_scratch;
    size_t leaf_scratch_n;
    orr_reduction slot[ORR_MAX_REDUCTIONS + 1]; /* the last is leaf_sum's */
};

/* [0, n) elements cut into size parts at multiples of 16 elements (a cache line, or two): begin of
 * part p; p = size gives n. */
static inline size_t orr_part_begin(size_t n, int p, int size)
{
    size_t lines = n / 16;

    /* the product must not overflow for any n that fits memory */
    return p == size ? n
                     : (lines / (size_t)size * (size_t)p +
                        lines % (size_t)size * (size_t)p / (size_t)size) *
                           16;
}

/* reduce_node.c */
orr_status orr_node_pipe_create(orr_node_pipe **out, orr_comm *c); /* Collective. */
void orr_node_pipe_destroy(orr_node_pipe *p);                      /* Collective.  NULL is fine. */
void orr_node_pipe_add(orr_node_pipe *p, orr_reduction *r);
/* Moves whatever can move; reductions that are complete become REDUCE_DONE. */
orr_status orr_node_pipe_advance(orr_node_pipe *p, orr_reducer *red);
int orr_node_pipe_missing(const orr_node_pipe *p); /* a rank that everyone waits for, or -1 */

/* reduce_net.c */
size_t orr_net_arena_bytes(const orr_reduce_tree *t, int rank, size_t bytes);
int orr_net_max_requests(const orr_reduce_tree *t, int rank, size_t bytes);
orr_status orr_net_begin(orr_reduction *r, orr_reducer *red);
orr_status orr_net_advance(orr_reduction *r, orr_reducer *red, int *missing);

#endif
