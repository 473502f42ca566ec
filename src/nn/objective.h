/* nn/objective.h - a loss at the end of a net: the last operation of forward, and the first of
 * backward. Owns what lies between host and back end: targets on the way down, losses and counts on
 * the way up. Nothing is allocated after create.  Not collective.   Errors: ORR_ERR_NOMEM, and what
 * the back end says. */
#ifndef ORR_NN_OBJECTIVE_H
#define ORR_NN_OBJECTIVE_H

#include "nn/loss.h"
#include "nn/net.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct orr_objective orr_objective;

/* For batches of at most so many samples and leaves; the net (and its back end) outlives it. */
orr_status orr_objective_create(orr_objective **out, const orr_net *net, const orr_loss *loss,
                                int max_samples, int max_leaves);
void orr_objective_destroy(orr_objective *o); /* NULL is fine */

/* y: the outputs of a forward of b.  labels[n] or values[n][width] (the host's), as the loss wants.
 * leaf_loss[leaf] (the host's) = sum of the samples' losses, not divided; leaf_right[leaf] = right
 * answers, 0 where there are no labels.  *dy, in the back end's memory until the next call, is what
 * orr_net_backward wants. */
orr_status orr_objective_eval(orr_objective *o, const orr_batch *b, const orr_real *y,
                              const int32_t *labels, const float *values, double *leaf_loss,
                              double *leaf_right, const orr_real **dy);
/* Each sample's loss in the last eval; out[n], the host's. */
orr_status orr_objective_samples(const orr_objective *o, int n, double *out);

#ifdef __cplusplus
}
#endif
#endif
