/* nn/plan.h - which activations and gradients share memory.
 *
 * Time runs from 1: layer i (node i) runs forward at i and backward at 2n + 1 - i.  A value lives
 * from the time it is written to the time it is last read; values whose lives do not meet may have
 * one slot.  A layer that may work in place writes over its input when nothing reads that input
 * later (in training: backward neither); a gradient likewise. Slots are separate allocations, so
 * that guard bytes stand between them.   Not collective. */
#ifndef ORR_NN_PLAN_H
#define ORR_NN_PLAN_H

#include "nn/graph.h"
#include "nn/layer.h"

typedef struct orr_plan_dx {
    int slot; /* where the layer writes this input's gradient; -1: nobody wants it */
    int add;  /* then it is added to the gradient in y_grad[node] */
} orr_plan_dx;

typedef struct orr_plan {
    int n_slots;
    size_t *slot;    /* elements a sample */
    int *y;          /* by node: slot of its value; -1 for the input, which is the caller's */
    int *y_in_place; /* by node: written over its first input */
    int *y_grad;     /* by node: slot of its gradient; -1: none, or (the last node) the caller's */
    int *wants_grad; /* by node: there are parameters at it or before it, or the input's gradient is
                        asked for */
    orr_plan_dx (*dx)[ORR_MAX_INPUTS]; /* by layer */
    int (*saved)[ORR_MAX_SAVED];       /* by layer: slots of what it saves */
    size_t unshared; /* elements a sample if every value and gradient had memory of its own */
} orr_plan;

/* Elements of a slot that a sample's part of a saved buffer takes. */
static inline size_t orr_plan_saved_reals(const orr_saved *s)
{
    return (s->bytes + sizeof(orr_real) - 1) / sizeof(orr_real);
}
orr_status orr_plan_make(orr_plan *p, const orr_graph *g, const orr_limits *limits);
void orr_plan_free(orr_plan *p);

#endif
