/* core/leaves.h - how a batch is cut into leaves, leaves are dealt to ranks, and sums over leaves
 * are ordered.
 *
 * A batch of B samples is cut into L leaves: leaf i holds samples [i*B/L, (i+1)*B/L) of the batch
 * (integer division; a leaf may be empty).  Rank r of N owns leaves [r*L/N, (r+1)*L/N).  Where a
 * leaf must have some fewest samples (a layer takes statistics of it), a short batch fills fewer
 * leaves, the first U = min(L, B / fewest) and at least one, and the others are empty: leaves join,
 * ranks keep theirs.
 *
 * Every ordered sum over leaves follows one binary tree.  A node over m leaves adds (left) +
 * (right), where left holds the first h leaves, h the largest power of two below m.  The shape of a
 * node depends on m alone, and the root on L alone, so the sum has the same bits however the leaves
 * were dealt.  A rank's leaves decompose into segments: the maximal nodes of the root's tree that
 * lie within them, left to right.  A rank sums each segment by itself; the segments of all ranks
 * are then summed along the rest of the tree (comm/reduce).  With L and N powers of two a rank has
 * one segment. Not collective. */
#ifndef ORR_CORE_LEAVES_H
#define ORR_CORE_LEAVES_H

#include "core/status.h"

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { ORR_MAX_LEAVES = 1024, ORR_MAX_SEGMENTS = 24 /* 2 * (log2(1024) + 1), and some */ };

typedef struct orr_leaf_plan {
    int n_leaves;                      /* L */
    int first, last;                   /* this rank's leaves [first, last) */
    int fewest;                        /* samples that a leaf must have, where the batch has them */
    int n_segments;                    /* 0 when the rank owns no leaf */
    int segment[ORR_MAX_SEGMENTS + 1]; /* segment i = leaves [segment[i], segment[i+1]) of the L */
} orr_leaf_plan;

/* ORR_ERR_OPTION unless 1 <= n_leaves <= ORR_MAX_LEAVES and 0 <= rank < size. */
orr_status orr_leaf_plan_init(orr_leaf_plan *p, int n_leaves, int rank, int size);

static inline int64_t orr_leaf_begin(int64_t batch, int n_leaves, int leaf)
{
    return batch * leaf / n_leaves;
}

/* Leaves that a batch fills, and where they begin, when each must have `fewest` samples. */
static inline int orr_leaves_filled(int64_t batch, int n_leaves, int fewest)
{
    int64_t most = fewest > 1 ? batch / fewest : batch;

    if (most < 1) most = batch > 0;
    return (int)(most < n_leaves ? most : n_leaves);
}

static inline int64_t orr_joined_begin(int64_t batch, int n_leaves, int fewest, int leaf)
{
    int filled = orr_leaves_filled(batch, n_leaves, fewest);

    if (fewest < 2 || filled == n_leaves || filled < 1)
        return orr_leaf_begin(batch, n_leaves, leaf);
    return leaf < filled ? orr_leaf_begin(batch, filled, leaf) : batch;
}

/* Leaves in the left half of a node over m >= 2 leaves. */
static inline int orr_leaf_split(int m)
{
    return 1 << (31 - __builtin_clz((unsigned)m - 1));
}

/* out[j] = tree sum over i of in[i*stride + j], j < n, i < m; m = 0 gives zeros.  out may be in
 * (row 0) itself.  in is overwritten: partial sums live in it.  Plain loops, vectorised; one call
 * is one thread. */
void orr_leaf_sum_f32(float *out, float *in, size_t stride, int m, size_t n);
void orr_leaf_sum_f64(double *out, double *in, size_t stride, int m, size_t n);

/* What a rank works on in one step: its samples, leaf after leaf.  Plain data that jobs fills and
 * nn reads. */
typedef struct orr_batch {
    int n;                /* local samples */
    int n_leaves;         /* local leaves */
    const int *leaf;      /* n_leaves + 1: leaf i = local samples [leaf[i], leaf[i+1]) */
    int n_segments;       /* local segments; parameter gradients are summed within each */
    const int *segment;   /* n_segments + 1: segment i = local leaves [segment[i], segment[i+1]) */
    int64_t n_global;     /* samples of the whole batch: what a mean divides by */
    const uint64_t *keys; /* n stream keys (core/rng), one a sample; NULL when evaluating */
} orr_batch;

#ifdef __cplusplus
}
#endif
#endif
