/* jobs/parts.h - training, validation and test samples of a job: sets that were named, and shares
 * cut off the training set. The test share is cut first, then the validation share, stratified
 * where there are classes, by split_seed (scikit-learn's train_test_split): the same rows on any
 * number of ranks.   Collective. */
#ifndef ORR_JOBS_PARTS_H
#define ORR_JOBS_PARTS_H

#include "jobs/samples.h"
#include "jobs/train_job.h"

enum { ORR_TRAIN, ORR_VALIDATION, ORR_TEST, ORR_N_PARTS };

typedef struct orr_parts {
    orr_samples sets[ORR_N_PARTS]; /* those that were named */
    orr_part part[ORR_N_PARTS];    /* n = 0: there is none */
    int64_t *rows[ORR_N_PARTS];    /* what part[i].rows points to */
    char identity[128];            /* of the training set: a checkpoint belongs to it */
} orr_parts;

orr_status orr_parts_open(orr_parts *p, orr_app *app, const orr_data_opts *d);
void orr_parts_close(orr_parts *p);
/* ORR_ERR_FORMAT when a target of any part lies outside the bins: how many, and which.  Not collective. */
orr_status orr_parts_check_targets(const orr_parts *p, const orr_bins *bins);
/* Samples of validation or test, whichever has more. */
int64_t orr_parts_most(const orr_parts *p);

#endif
