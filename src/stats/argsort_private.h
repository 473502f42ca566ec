/* stats/argsort_private.h - the order of numbers, and the rank sums that follow from it.  Private
 * to this folder.  Linear in n for scores that spread, whatever they are otherwise (n log of their
 * range). Not collective. */
#ifndef ORR_STATS_ARGSORT_PRIVATE_H
#define ORR_STATS_ARGSORT_PRIVATE_H

#include <stdint.h>

/* The low half of keys[i] becomes the index of the i-th smallest of v[n] (finite, n < 2^31); order
 * among equals is fixed, but no particular one.  keys and scratch hold n. */
void orr_argsort(const double *v, int64_t n, uint64_t *keys, uint64_t *scratch);
static inline uint32_t orr_argsort_index(uint64_t key)
{
    return (uint32_t)key;
}

/* The area under the ROC curve of score[n], positive[i] 0 or 1, as orr_roc_auc: pairs counted in
 * integers.  NaN when a class is missing. */
double orr_auc_by_order(const double *score, const uint8_t *positive, int64_t n, uint64_t *keys,
                        uint64_t *scratch);

#endif
