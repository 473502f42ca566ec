/* jobs/apply.h - a model over a shard set: what evaluate and predict share.   Collective. */
#ifndef ORR_JOBS_APPLY_H
#define ORR_JOBS_APPLY_H

#include "jobs/predictor.h"

typedef struct orr_applied {
    orr_model model;
    orr_samples samples;
    int64_t *rows;
    orr_scores scores;
} orr_applied;

/* Loads the model (file or run folder), opens the data, checks that they fit, predicts every
 * sample.  threshold < 0: the model's. */
orr_status orr_apply(orr_applied *a, orr_app *app, const char *model, const char *data,
                     const char *kernels, double threshold);
void orr_applied_free(orr_applied *a);

#endif
