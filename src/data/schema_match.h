/* data/schema_match.h - meaning by name: what a set calls the parts of its samples against what is
 * wanted of it, by a model or by the set that a net is trained on.  All ways in go through here.
 *
 * Numbers of a sample (columns of a table), channels, aux numbers, classes and targets have names
 * where their source had some.  Of each kind, one list against the other:
 *
 *   same names, same order   nothing to do
 *   same names, other order  a permutation, and a line that says so; whether samples are put into
 *                            the wanted order is the caller's to decide
 *   other names              ORR_ERR_SHAPE with both lists and the first name that is missing, one
 *                            too many, there twice, or written in other case
 *   one side has no names    taken by place, and a line says so; numbers of them must agree
 *   neither has              taken by place
 *
 * Classes: a set may have fewer than are wanted, and then they need names to stand elsewhere.  A
 * class without a name is called by its number.  Targets are compared where both sides have
 * targets, classes where both have classes; anything else is no truth, which is not decided here.
 * Names that a schema keeps as a sum (too long in all) must be the same in the same order.
 * Not collective. */
#ifndef ORR_DATA_SCHEMA_MATCH_H
#define ORR_DATA_SCHEMA_MATCH_H

#include "core/status.h"
#include "core/text.h"
#include "data/shard.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Names of one kind. */
typedef struct orr_name_list {
    const char *whose; /* "data/test" */
    int n;
    const char *const *v; /* [n]; "" = it has none */
} orr_name_list;

typedef enum {
    ORR_NAMES_CHANNEL,
    ORR_NAMES_COLUMN,
    ORR_NAMES_AUX,
    ORR_NAMES_CLASS,
    ORR_NAMES_TARGET
} orr_names_kind;

/* What a match has to say, a line each, as text that ends in a newline: what may be wrong, and what
 * stands in another order. */
typedef struct orr_match_notes {
    orr_text warnings, infos;
} orr_match_notes;
void orr_match_notes_free(orr_match_notes *n);

/* How many names `have` may lack or have beyond `want`. */
typedef enum { ORR_MATCH_EXACT, ORR_MATCH_MORE, ORR_MATCH_FEWER } orr_match_rule;
/* at[want->n]: where each wanted one stands in have; with ORR_MATCH_FEWER -1 where it does not. */
orr_status orr_names_match(const orr_name_list *want, const orr_name_list *have,
                           orr_names_kind kind, orr_match_rule rule, int32_t *at,
                           orr_match_notes *notes);

/* Who wants or has: a schema, and what it is called in messages. */
typedef struct orr_schema_side {
    const orr_schema *schema;
    const char *whose;
    int n_classes; /* wanted: how many there may be, when that is more than the schema's; 0 = not
                      known yet, where they have no names */
} orr_schema_side;

/* How samples that are had become those that are wanted; NULL: as they lie. */
typedef struct orr_schema_match {
    int n_x;
    int32_t *x; /* [n_x]: from where number i comes, of a sample or (n_x = c) of each pixel of it */
    int n_labels;
    int32_t *label; /* [n_labels]: what class k of the set is called by number */
    int n_y;
    int32_t *y; /* [n_y]: from where target i comes */
    orr_match_notes notes;
} orr_schema_match;

/* Shape, names of numbers or channels, and of classes or targets; not aux numbers, which a model
 * picks one by one.  To be freed also after a failure. */
orr_status orr_schema_match_make(orr_schema_match *m, const orr_schema_side *want,
                                 const orr_schema_side *have);
int orr_schema_match_moves(const orr_schema_match *m); /* is anything put elsewhere? */
void orr_schema_match_free(orr_schema_match *m);       /* zeroed is fine */

/* The names of a schema's aux numbers: pointers into it, v[ORR_MAX_AUX]. */
orr_name_list orr_schema_aux_list(const orr_schema *s, const char *whose,
                                  const char *v[ORR_MAX_AUX]);

/* From now on the set gives labels, targets and samples (orr_dataset_read_x) as they are wanted,
 * and has the names of `want`.  May be done again for another order.  ORR_ERR_NOMEM. */
orr_status orr_dataset_arrange(orr_dataset *d, const orr_schema_match *m, const orr_schema *want);

#ifdef __cplusplus
}
#endif
#endif
