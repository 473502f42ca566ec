/* jobs/report.h - scores for people (tables), for programs (JSON), and predictions as files.   Not
 * collective. */
#ifndef ORR_JOBS_REPORT_H
#define ORR_JOBS_REPORT_H

#include "core/text.h"
#include "jobs/predictor.h"

#include <cjson/cJSON.h>

/* All there is to say about the scores; NaN becomes null.  The caller deletes it. */
cJSON *orr_scores_json(const orr_scores *s, const orr_schema *schema);
/* The numbers of one line of metrics.jsonl: loss and the main metrics. */
cJSON *orr_scores_brief(const orr_scores *s);
void orr_scores_table(const orr_scores *s, const orr_schema *schema, const char *title,
                      orr_text *out);

/* Writes one row a sample, in the order of rows, by the ending of path: .csv (id, truth when known,
 * prediction and probabilities, or values; 9 digits, which a float32 survives), .npy (n x columns
 * float32 of probabilities or values), .h5 (datasets id, y, p). Appears whole.  ORR_ERR_ARG for
 * another ending, ORR_ERR_EXISTS unless overwrite. */
orr_status orr_predictions_write(const char *path, int overwrite, const orr_model *m,
                                 const orr_samples *samples, const int64_t *rows,
                                 const orr_scores *s, double threshold);
/* What orr_predictions_write would refuse, before the work is done. */
orr_status orr_predictions_check(const char *path, int overwrite);

#endif
