/* jobs/model/report.h - scores for people (tables), for programs (JSON), and predictions as files.
 * Not collective. */
#ifndef ORR_JOBS_MODEL_REPORT_H
#define ORR_JOBS_MODEL_REPORT_H

#include "core/text.h"
#include "jobs/model/ids.h"
#include "jobs/model/scores.h"

#include <cjson/cJSON.h>

/* The same metrics in groups of samples, by the truth or by a number beside the sample. */
typedef struct orr_grouping {
    char name[ORR_DATA_NAME_MAX]; /* "target", or an aux name */
    int n;
    double *edges;        /* n + 1 */
    orr_redshift *groups; /* n */
} orr_grouping;
enum { ORR_MAX_GROUPINGS = 8 };
typedef struct orr_groupings {
    int n;
    orr_grouping g[ORR_MAX_GROUPINGS];
} orr_groupings;
/* by: names; n_groups groups with nearly equal numbers of samples each.  Scores of redshifts or
 * densities alone (else none).  ORR_ERR_OPTION: a name that the set does not have. */
orr_status orr_groupings_create(orr_groupings *out, const orr_scores *s, const orr_samples *samples,
                                const int64_t *rows, const orr_strings *by, int n_groups,
                                double outlier);
void orr_groupings_free(orr_groupings *g);

/* All there is to say about the scores; NaN becomes null.  groups may be NULL.  The caller deletes
 * it. */
cJSON *orr_scores_json(const orr_scores *s, const orr_schema *schema, const orr_groupings *groups);
/* Loss and the main metrics; and the numbers of one line of metrics.jsonl, which are these and,
 * where there are several targets, those of each ("targets"). */
cJSON *orr_scores_brief(const orr_scores *s);
cJSON *orr_scores_line(const orr_scores *s, const orr_schema *schema);
/* " (z 0.12, w 3.4)": a metric of each of a few targets; nothing where there are not several, or
 * many. */
void orr_scores_name_targets(const orr_scores *s, const orr_schema *schema, const orr_metric *m,
                             orr_text *out);
/* Further columns of history.csv, each behind a comma: of up to ORR_MAX_TARGET_NAMES targets, where
 * there are several, the metrics of that table of each, as "validation_rmse_NAME".  s NULL: not
 * evaluated.  The first says of how many targets; 0 without several. */
int orr_scores_n_history(const orr_model *m);
void orr_scores_history_names(const orr_model *m, orr_text *out);
void orr_scores_history_values(const orr_model *m, const orr_scores *s, orr_text *out);
void orr_scores_table(const orr_scores *s, const orr_schema *schema, const orr_groupings *groups,
                      const char *title, orr_text *out);

/* Writes one row a sample, in the order of rows, by the ending of path: .csv (id, truth when known,
 * prediction and probabilities, or values, or of a density the mean, the 16, 50 and 84 % quantiles
 * and, with the truth known, its PIT; 9 digits, which a float32 survives), .npy (n x columns
 * float32 of probabilities, values or densities), .h5 (datasets id, y, p; of densities also value
 * and bin_edges). Appears whole.  ORR_ERR_ARG for
 * another ending, ORR_ERR_EXISTS unless overwrite. */
orr_status orr_predictions_write(const char *path, int overwrite, const orr_model *m,
                                 const orr_samples *samples, const int64_t *rows,
                                 const orr_scores *s, double threshold);
/* What a .h5 of them says, with its checksum checked; the truth is left out. */
typedef struct orr_predictions {
    int64_t n;
    int width;
    char (*id)[ORR_ID_TEXT_MAX + 1]; /* [n] */
    double *p;                       /* [n][width] */
} orr_predictions;
orr_status orr_predictions_read(orr_predictions *out, const char *path);
void orr_predictions_free(orr_predictions *p); /* zeroed is fine */
/* p[n][width] of such a file, which must be of these samples in this order: rows[i] of id, or i
 * where rows is NULL.  ORR_ERR_FORMAT says what differs. */
orr_status orr_predictions_take(const char *path, int64_t n, int width, const orr_id *id,
                                const int64_t *rows, double *p);
/* What orr_predictions_write would refuse, before the work is done. */
orr_status orr_predictions_check(const char *path, int overwrite);

#endif
