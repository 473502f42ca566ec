/* jobs/predict/submission.h - predictions in the form and order of a competition's sample
 * submission.
 *
 * The sample is a csv with a header: its first column holds ids, the others predictions, whose
 * values are not looked at.  What is written has the same header, ids and order (comma separated).
 * Ids must be those of the set, each once: one too many or too few on either side is refused.
 *
 * What a prediction column gets, of two classes: the probability of the positive class (of the
 * other one when the column bears its name); with a column for each class their probabilities, by
 * name where the columns are names of classes, else in the order of the classes, which is logged;
 * values likewise by the names of targets; of a density its mean.  Or the named class.   Not
 * collective. */
#ifndef ORR_JOBS_PREDICT_SUBMISSION_H
#define ORR_JOBS_PREDICT_SUBMISSION_H

#include "core/file.h"
#include "jobs/model/ids.h"
#include "jobs/model/model.h"
#include "jobs/model/samples.h"
#include "jobs/model/scores.h"

typedef struct orr_submission {
    char path[ORR_PATH_MAX]; /* of the sample */
    int n_columns;           /* that of ids, and predictions */
    char **names;
    int64_t n;
    orr_id *id;     /* [n] */
    int64_t *row;   /* [n] of the set */
    int *column;    /* [n_columns - 1] of the answers */
    int as_classes; /* the named class, not its probability */
} orr_submission;

/* Reads a sample.  ORR_ERR_IO, ORR_ERR_FORMAT (an id that is empty or stands twice, no rows, one
 * column). */
orr_status orr_submission_read(orr_submission *s, const char *path);
/* Finds its rows and columns.  ORR_ERR_FORMAT: ids differ; how many and the first few are told.
 * ORR_ERR_SHAPE: other columns than the model has answers. */
orr_status orr_submission_match(orr_submission *s, const orr_model *m, const orr_dataset *set,
                                int as_classes);
/* Writes the answers of all rows of the set, whole or not at all.  ORR_ERR_NUMERIC for one that is
 * not finite. */
orr_status orr_submission_write(const orr_submission *s, const char *path, const orr_model *m,
                                const orr_scores *scores);
void orr_submission_free(orr_submission *s); /* zeroed is fine */

#endif
