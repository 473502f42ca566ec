/* jobs/predict/spread.h - how far the scores of models that answer together lie apart: of each
 * model its metrics, and of each metric mean, deviation (the population's, as in reports of folds),
 * least and largest over the models.
 *
 * Scores of all models must be of the same samples and of the same kind.  The metrics are those of
 * reports on folds (stats/metric.h).   Not collective; ORR_ERR_NOMEM. */
#ifndef ORR_JOBS_PREDICT_SPREAD_H
#define ORR_JOBS_PREDICT_SPREAD_H

#include "core/file.h"
#include "core/text.h"
#include "jobs/model/scores.h"

#include <cjson/cJSON.h>

typedef struct orr_model_spread {
    int n; /* models */
    int n_metrics;
    const orr_metric *m[ORR_MAX_METRICS];
    char (*name)[ORR_PATH_MAX]; /* [n] */
    double *v;                  /* [n][n_metrics] */
} orr_model_spread;

/* One more model.  s: zeroed before the first. */
orr_status orr_model_spread_add(orr_model_spread *s, const char *name, const orr_scores *scores);
void orr_model_spread_free(orr_model_spread *s); /* zeroed is fine */
/* A line a metric; nothing of fewer than two models. */
void orr_model_spread_table(const orr_model_spread *s, orr_text *out);
/* Adds to o "models": [{"name", a number a metric}, ...] and "spread": {metric: {"mean",
 * "deviation", "least", "largest"}}; NaN becomes null; nothing of fewer than two models. */
void orr_model_spread_json(const orr_model_spread *s, cJSON *o);

#endif
