/* data/augment_private.h - a kind of random change, as augment.c sees it: a row, in a file of its
 * own under augments/, and its line in augment_kinds.c.   Not collective. */
#ifndef ORR_DATA_AUGMENT_PRIVATE_H
#define ORR_DATA_AUGMENT_PRIVATE_H

#include "core/options.h"
#include "core/rng.h"
#include "data/augment.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What a change works on. */
typedef struct orr_augment_sample {
    orr_sample_shape shape;
    uint64_t key;       /* of this draw: everything random is a function of it */
    float *x, *scratch; /* both of shape */
} orr_augment_sample;

typedef struct orr_augment_kind {
    const char *name, *help;   /* the word in the job file, and what it does */
    const orr_option *options; /* NULL: none */
    size_t opts_bytes;         /* of the struct that they fill */
    /* Checks what was read against the shape; keeps nothing of the tree (texts!).  where:
     * "file:line" for messages.  NULL: nothing to check. */
    orr_status (*init)(void *opts, orr_sample_shape shape, const char *where);
    void (*apply)(const void *opts, const orr_augment_sample *at);
} orr_augment_kind;

/* The list, in the order of the reference. */
const orr_augment_kind *const *orr_augment_kinds(int *n);

#ifdef __cplusplus
}
#endif
#endif
