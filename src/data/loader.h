/* data/loader.h - batches ahead of the step.
 *
 * The cache holds all rows of the set as stored, in memory that the caller gives (jobs: one
 * window a node); its ranks fill it together, each a run of rows, in large sequential reads.  A
 * loader thread then makes batches: for each place of its slice of the batch it finds the row
 * (order), copies and transforms it, augments it, and notes label, key and row; `depth` batches
 * wait ready.
 *
 * A batch is made by one thread; with `threads` > 1 successive batches are made at the same time
 * and max(depth, threads) wait.  The threads touch neither MPI nor HDF5 and block all signals.  A
 * fault in a thread comes out of orr_loader_next, after the batches before it.
 *
 * Epochs follow one another without a gap: the sequence of batches is (epoch, step) = (e, 0),
 * (e, 1), ... (e+1, 0) ...  Owns its buffers; the dataset, cache, order, transforms and augment
 * are borrowed. Not collective.  One consumer thread. */
#ifndef ORR_DATA_LOADER_H
#define ORR_DATA_LOADER_H

#include "core/status.h"
#include "data/augment.h"
#include "data/order.h"
#include "data/shard.h"
#include "data/transform.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Bytes a cache of all rows takes. */
size_t orr_cache_bytes(const orr_dataset *d);
/* Fills rows [rows * part / n_parts, rows * (part+1) / n_parts) of the cache at base. */
orr_status orr_cache_fill(orr_dataset *d, void *base, int part, int n_parts);

typedef struct orr_loader_opts {
    const orr_dataset *set;
    const void *cache; /* rows as stored */
    const orr_order *order;
    const orr_transform *transform;
    const orr_augment *augment; /* NULL: none */
    /* aux numbers that the net takes beside a sample: columns of the set's aux, picked into a
     * vector, then transformed; 0 = none */
    int n_aux;
    const int *aux_columns;             /* copied */
    const orr_transform *aux_transform; /* of n_aux numbers; NULL: as they are */
    uint64_t seed;
    int64_t batch; /* samples of a whole batch; the last one of an epoch may be smaller */
    int n_leaves;  /* of the whole batch (core/leaves.h) */
    int first_leaf, last_leaf; /* this rank's */
    int fewest;                /* samples of a leaf (core/leaves.h); 0: any */
    int drop_last;
    int64_t first_epoch, first_step, last_epoch; /* [first, last) epochs */
    int depth;                                   /* batches ready ahead; >= 1 */
    int threads;                                 /* that make a batch; >= 1 */
} orr_loader_opts;

/* A batch as the step needs it; valid until the next orr_loader_next. */
typedef struct orr_loaded {
    int64_t epoch, step;   /* step within the epoch */
    int64_t number;        /* of the step, from the first one of epoch 0 */
    int64_t n_global;      /* samples of the whole batch */
    int n;                 /* here */
    const int *leaf;       /* n_local_leaves + 1 offsets */
    const float *x;        /* n samples */
    const int32_t *labels; /* n, or NULL */
    const float *values;   /* n * y_width, or NULL */
    const float *aux;      /* n * (numbers of aux_transform's result), or NULL */
    const uint64_t *keys;  /* n: orr_draw_key */
    const int64_t *rows;   /* n: dataset rows, for messages */
} orr_loaded;

typedef struct orr_loader orr_loader;
orr_status orr_loader_create(orr_loader **out, const orr_loader_opts *o); /* starts the thread */
int64_t orr_loader_steps_per_epoch(const orr_loader_opts *o);
/* Waits for the next batch; *out = NULL when all epochs are done. */
orr_status orr_loader_next(orr_loader *l, const orr_loaded **out);
double orr_loader_waited(const orr_loader *l); /* seconds the consumer has waited so far */
void orr_loader_destroy(orr_loader *l);        /* stops and joins the thread */

#ifdef __cplusplus
}
#endif
#endif
