/* nn/kernels/cpu/leaf_stack_private.h - the leaf tree of core/leaves.h as a stack, for sums that
 * visit leaves one by one.
 *
 * Before leaf i of m is known, the partial sums on the stack are nodes of descending size.  A leaf
 * that completes nodes adds those on top, smallest first; the last leaf adds all that are left.  So
 * with product p of leaf i: "p += top; pop" orr_leaf_merges(i, m) times, then push p.  The order of
 * the two addends is the tree's but for the side, and addition does not care.   Not collective. */
#ifndef ORR_NN_KERNELS_CPU_LEAF_STACK_PRIVATE_H
#define ORR_NN_KERNELS_CPU_LEAF_STACK_PRIVATE_H

#include "core/leaves.h"

enum { ORR_LEAF_DEPTH = 11 }; /* partial sums held at most for ORR_MAX_LEAVES */

/* Entries on the stack before leaf i. */
static inline int orr_leaf_held(int i)
{
    return __builtin_popcount((unsigned)i);
}

/* Entries that leaf i of m takes off the stack. */
static inline int orr_leaf_merges(int i, int m)
{
    return i + 1 == m ? orr_leaf_held(i) : __builtin_ctz((unsigned)i + 1);
}

#endif
