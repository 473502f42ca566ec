/* core/leaves.c - dealing leaves and summing them in one fixed order. */
#include "core/leaves.h"

#include <string.h>

/* Appends to p the maximal nodes of tree [a, b) within [p->first, p->last). */
static void find_segments(orr_leaf_plan *p, int a, int b)
{
    if (b <= p->first || a >= p->last) return;
    if (a >= p->first && b <= p->last) {
        p->segment[p->n_segments++] = a;
        p->segment[p->n_segments] = b;
        return;
    }
    int mid = a + orr_leaf_split(b - a);
    find_segments(p, a, mid);
    find_segments(p, mid, b);
}

orr_status orr_leaf_plan_init(orr_leaf_plan *p, int n_leaves, int rank, int size)
{
    *p = (orr_leaf_plan){ 0 };
    if (n_leaves < 1 || n_leaves > ORR_MAX_LEAVES)
        return orr_fail(ORR_ERR_OPTION, "a batch of %d leaves: give 1 to %d", n_leaves,
                        ORR_MAX_LEAVES);
    if (size < 1 || rank < 0 || rank >= size)
        return orr_fail(ORR_ERR_OPTION, "rank %d of %d ranks", rank, size);
    p->n_leaves = n_leaves;
    p->first = (int)((int64_t)n_leaves * rank / size);
    p->last = (int)((int64_t)n_leaves * (rank + 1) / size);
    if (p->first < p->last) find_segments(p, 0, n_leaves);
    return ORR_OK;
}

/* Folds each node into its first row, one block of columns after another, so that partial sums are
 * still in the cache when they are needed again. */
enum { BLOCK_BYTES = 8192 };

#define DEFINE_SUM(NAME, TYPE)                                                                     \
    static void NAME##_add(TYPE *restrict left, const TYPE *restrict right, size_t n)              \
    {                                                                                              \
        for (size_t j = 0; j < n; j++)                                                             \
            left[j] += right[j];                                                                   \
    }                                                                                              \
    static void NAME##_node(TYPE *in, size_t stride, int m, size_t n)                              \
    {                                                                                              \
        if (m < 2) return;                                                                         \
        int h = orr_leaf_split(m);                                                                 \
        TYPE *right = in + (size_t)h * stride;                                                     \
        NAME##_node(in, stride, h, n);                                                             \
        NAME##_node(right, stride, m - h, n);                                                      \
        NAME##_add(in, right, n);                                                                  \
    }                                                                                              \
    void NAME(TYPE *out, TYPE *in, size_t stride, int m, size_t n)                                 \
    {                                                                                              \
        const size_t block = BLOCK_BYTES / sizeof(TYPE);                                           \
        if (m == 0) {                                                                              \
            memset(out, 0, n * sizeof *out);                                                       \
            return;                                                                                \
        }                                                                                          \
        for (size_t j = 0; j < n; j += block)                                                      \
            NAME##_node(in + j, stride, m, n - j < block ? n - j : block);                         \
        if (out != in) memcpy(out, in, n * sizeof *out);                                           \
    }

DEFINE_SUM(orr_leaf_sum_f32, float)
DEFINE_SUM(orr_leaf_sum_f64, double)
