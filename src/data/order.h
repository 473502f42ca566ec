/* data/order.h - which row stands at which place of an epoch.
 *
 * File: place p is row p (again from the first when the epoch is longer).
 *
 * Shuffled: a keyed bijection on [0, n): a Feistel network with Philox as round function (4
 * rounds; 10 below 2^14, where 4 are uneven) over the smallest even number of bits (6 or more)
 * that holds n, walked until the value falls below n.  Any place is O(1) to find, so a resumed
 * run does not skip through.  Draws are numbered through the job, epoch * length + place; each n
 * of them are one pass with a key of (seed, pass), so epochs shorter or longer than n use all
 * rows equally often; with length n, pass = epoch.
 *
 * Balanced: every epoch has the same number of draws of each class, its share of the length by
 * largest remainder, at places that are shuffled anew each epoch (exact shares an epoch; batches
 * vary as hands from a shuffled deck do).  Within a class the rows are used up in shuffled order,
 * across epochs, before one comes again: the counts of two rows never differ by more than 1.
 *
 * Weighted: each place draws a row with probability proportional to its weight, independently.
 *
 * The plan depends on (seed, epoch, rows) alone, never on ranks.   Not collective. */
#ifndef ORR_DATA_ORDER_H
#define ORR_DATA_ORDER_H

#include "core/status.h"

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Image of i under the bijection of [0, n) named by key.  0 <= i < n, n >= 1. */
uint64_t orr_shuffle(uint64_t n, uint64_t key, uint64_t i);

typedef struct orr_order orr_order;
typedef enum {
    ORR_ORDER_FILE,
    ORR_ORDER_SHUFFLED,
    ORR_ORDER_BALANCED,
    ORR_ORDER_WEIGHTED
} orr_order_kind;

typedef struct orr_order_opts {
    orr_order_kind kind;
    uint64_t seed;
    int64_t n_rows;       /* rows to draw from: places in `rows` */
    const int64_t *rows;  /* their numbers in the dataset, borrowed for life; NULL: 0..n_rows-1 */
    int64_t epoch_length; /* places an epoch has; 0 = n_rows */
    /* Borrowed for the call: */
    const int32_t *labels; /* balanced: label of each of the n_rows (not indexed by dataset row) */
    int n_classes;
    const double *shares;  /* balanced: n_classes shares of the epoch (any scale); NULL: equal */
    const double *weights; /* weighted: n_rows */
} orr_order_opts;

/* ORR_ERR_ARG: no rows; a class with a share and no rows; a negative or NaN weight. */
orr_status orr_order_create(orr_order **out, const orr_order_opts *o);
void orr_order_destroy(orr_order *d);
/* Places an epoch has. */
int64_t orr_order_length(const orr_order *d);
/* Dataset row at a place.  Thread-safe. */
int64_t orr_order_row(const orr_order *d, int64_t epoch, int64_t place);

#ifdef __cplusplus
}
#endif
#endif
