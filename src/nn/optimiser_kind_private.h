/* nn/optimiser_kind_private.h - for those who write an optimiser.
 *
 * A kind is one file in nn/optimisers/ with one static const row, listed once in kinds.c there;
 * options that no other kind has are fields of orr_optimiser_opts and rows of
 * orr_optimiser_options.  A step is computed by operations of the back end, on ranges of the slab
 * in which all numbers have the same rate and decay: neighbouring tensors of one group are one
 * range, unless the kind wants each tensor by itself, for norms of it (be->ops->norm).  Numbers
 * between tensors are 0 in weights and gradients, and may be in a range.   Not collective. */
#ifndef ORR_NN_OPTIMISER_KIND_PRIVATE_H
#define ORR_NN_OPTIMISER_KIND_PRIVATE_H

#include "nn/optimiser.h"

enum { ORR_MAX_MOMENTS = 4 };

/* One step of one range. */
typedef struct orr_optimiser_range {
    orr_backend *be;
    const orr_optimiser_opts *o; /* without its texts, groups and no_decay */
    int keras;                   /* epsilon_form */
    int64_t t;                   /* this step, from 1 */
    double lr, weight_decay;     /* the range's own */
    double scale;                /* of the gradient */
    size_t n;
    orr_real *w;
    const orr_real *g;
    orr_real *moment[ORR_MAX_MOMENTS]; /* n numbers each; NULL past the last */
} orr_optimiser_range;

typedef struct orr_optimiser_kind {
    const char *name;                     /* the word in job files */
    const char *help;                     /* one line */
    const char *moments[ORR_MAX_MOMENTS]; /* what checkpoints call them */
    int by_tensor; /* each tensor is a range of its own, without what is between */
    int (*n_moments)(const orr_optimiser_opts *o);    /* how many of them are kept */
    orr_status (*check)(const orr_optimiser_opts *o); /* ORR_ERR_OPTION */
    orr_status (*step)(const orr_optimiser_range *r);
} orr_optimiser_kind;

const orr_optimiser_kind *const *orr_optimiser_kinds(int *n);
/* orr_optimiser_create_for with a row that need not be in the list, for tests; o->kind is not read.
 */
orr_status orr_optimiser_create_kind(orr_optimiser **out, const orr_optimiser_kind *kind,
                                     const orr_optimiser_opts *o, const struct orr_net *net);

#endif
