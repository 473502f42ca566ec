/* comm/reduce_tree.h - the part of core/leaves.h's tree that lies above the segments of all ranks,
 * as a fixed sequence. Private to comm/.   Not collective. */
#ifndef ORR_COMM_REDUCE_TREE_H
#define ORR_COMM_REDUCE_TREE_H

#include "comm/comm.h"

enum {
    ORR_TREE_BLOCK =
        4096, /* bytes added at a time: the blocks in hand stay in the first-level cache */
    ORR_TREE_DEPTH = 12 /* log2(ORR_MAX_LEAVES) + 1 blocks can be in hand, and one */
};

typedef struct orr_reduce_tree {
    struct orr_reduce_tree *next;
    int n_leaves, size;
    int n_segments;     /* of all ranks, numbered from left to right */
    int max_segments;   /* of one rank */
    int *first_segment; /* size + 1 entries: rank r has segments [first_segment[r], first_segment[r
                           + 1]) */
    int16_t *op; /* n_ops steps on a stack: >= 0 pushes that segment, -1 adds the upper two */
    int n_ops;
} orr_reduce_tree;

orr_status orr_reduce_tree_create(orr_reduce_tree **out, int n_leaves, int size);
void orr_reduce_tree_destroy(orr_reduce_tree *t); /* one, not its next; NULL is fine */

/* out[j] = sum along the tree of source[segment][j], j < n, in elements of type dt (ORR_F32 or
 * ORR_F64).  Sources are only read; out may be one of them.  scratch holds ORR_TREE_DEPTH *
 * ORR_TREE_BLOCK bytes. */
void orr_reduce_tree_fold(const orr_reduce_tree *t, const void *const *source, void *scratch,
                          void *out, size_t n, orr_dtype dt);
/* sum[j] = a[j] + b[j]; sum may be a or b. */
void orr_reduce_add(void *sum, const void *a, const void *b, size_t n, orr_dtype dt);

#endif
