/* nn/blocks_private.h - named lists of layers with parameters (`blocks:`), as a job file defines
 * and uses them; nn/graph.h has the language.
 *
 * Definitions are checked whole before the first use, so that what is wrong in one is said with its
 * own place and not with that of a use: every `$word` is a parameter, and every parameter is used.
 * A use is a map like a layer's, read by a table that is made of the block's parameters; an item of
 * the block's list is then copied with the arguments in the places of the `$words`.
 * Borrows the nodes that it reads.   Not collective.   Errors: ORR_ERR_OPTION with file:line,
 * ORR_ERR_NOMEM. */
#ifndef ORR_NN_BLOCKS_PRIVATE_H
#define ORR_NN_BLOCKS_PRIVATE_H

#include "core/config.h"
#include "core/status.h"

enum { ORR_MAX_PARAMETERS = 32, ORR_MAX_REPEAT = 1024 };

typedef struct orr_block {
    const char *name;
    const orr_node *node;   /* its definition */
    const orr_node *layers; /* a list that is not empty */
    int n_parameters;
    const orr_node *parameters[ORR_MAX_PARAMETERS]; /* named by their keys; a NULL node: required */
    int used;
} orr_block;

typedef struct orr_blocks {
    int n;
    orr_block *block;
} orr_blocks;

/* What a use of a block says. */
typedef struct orr_block_use {
    const char *name, *input; /* "": not said */
    int repeat, numbered;     /* numbered: repeat was said, so a number stands in the names */
    const orr_node *arguments[ORR_MAX_PARAMETERS];
} orr_block_use;

/* From a `blocks:` map; NULL: there are none.  After a failure *b is to be freed, too. */
orr_status orr_blocks_read(orr_blocks *b, const orr_node *map);
void orr_blocks_free(orr_blocks *b);
orr_block *orr_blocks_find(const orr_blocks *b, const char *name); /* NULL: no block */
/* Fails when a block was used by no list. */
orr_status orr_blocks_check_used(const orr_blocks *b);
/* Fails where a list outside of all blocks has a `$word`. */
orr_status orr_blocks_check_plain(const orr_node *layers);
/* map NULL: a use that says nothing. */
orr_status orr_block_use_read(orr_block_use *use, const orr_block *b, const orr_node *map);
/* *out = an item of the block's list with the arguments of a use, owned by tree c. */
orr_status orr_block_fill(const orr_block *b, const orr_block_use *use, orr_config *c,
                          const orr_node *item, const orr_node **out);

#endif
