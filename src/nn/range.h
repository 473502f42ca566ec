/* nn/range.h - between which bounds the outputs of a net lie, whatever its input and its weights
 * are. A layer whose kind `passes` hands numbers on as they are (flatten, dropout, concat, pools);
 * one whose kind has `range` computes new ones (an activation, softmax, add); all others can give
 * any number.   Not collective.  Errors: ORR_ERR_NOMEM. */
#ifndef ORR_NN_RANGE_H
#define ORR_NN_RANGE_H

#include "core/status.h"

#ifdef __cplusplus
extern "C" {
#endif

struct orr_graph;

typedef struct orr_range {
    double lo, hi; /* infinite: no bound */
} orr_range;

/* The layer that narrows some of the net's outputs most: with a bound on both sides before one with
 * a bound on one side. */
typedef struct orr_narrowing {
    const char *name, *kind; /* of the layer; NULL: nothing has a bound */
    orr_range range;
} orr_narrowing;

orr_status orr_graph_narrowing(const struct orr_graph *g, orr_narrowing *out);

#ifdef __cplusplus
}
#endif
#endif
