/* jobs/train/warm_start.h - a training begins with another model's weights (model.weights).
 *
 * A tensor is taken where the file has one of the same name and shape, layer by layer: a layer of
 * which any tensor is missing or has another shape is drawn from the seed, all of it; running
 * moments of batch norm count as tensors.  The head (the last layer with parameters) is fresh when
 * it would answer something else: other classes, targets, bins or kind of answer.  Where nothing
 * fits, or the same channels, features or aux numbers stand in another order, it is refused; other
 * names, transforms or fitted numbers are told.  The optimiser begins anew. */
#ifndef ORR_JOBS_TRAIN_WARM_START_H
#define ORR_JOBS_TRAIN_WARM_START_H

#include "jobs/train/training.h"

/* What becomes of a tensor of the net. */
typedef enum {
    ORR_WEIGHT_TAKEN,
    ORR_WEIGHT_MISSING, /* the file has none of that name: fresh, as all that follow */
    ORR_WEIGHT_SHAPE,   /* of another shape */
    ORR_WEIGHT_LAYER,   /* it would fit, but not all of its layer */
    ORR_WEIGHT_HEAD     /* the head answers something else */
} orr_weight_fate;

typedef struct orr_weight_match {
    orr_weight_fate fate;
    int from; /* number in the file; -1: there is none */
} orr_weight_match;

/* match[n_want]; used[n_have] = 1 for tensors that are taken.  fresh_layer: its name; NULL: none.
 * Returns how many are taken.   Not collective. */
int orr_weights_match(const orr_net_tensor *want, int n_want, const orr_net_tensor *have,
                      int n_have, const char *fresh_layer, orr_weight_match *match, char *used);

/* Loads job->model.weights (what may stand for a model, jobs/model/model.h) and puts what fits into
 * the training's net; rank 0 logs the table.  *record = {"path", "sha256", "taken", "fresh",
 * "left"}, the caller's.  Samples of the other splits that trained these weights are told.
 * ORR_ERR_SHAPE, ORR_ERR_IO, ORR_ERR_FORMAT.   Collective; agreed. */
orr_status orr_warm_start(orr_training *t, cJSON **record);

#endif
