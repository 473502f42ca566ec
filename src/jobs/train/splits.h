/* jobs/train/splits.h - training, validation and test samples of a job: sets that were named, and
 * shares cut off the training set. The test share is cut first, then the validation share,
 * stratified where there are classes, by split_seed (scikit-learn's train_test_split): the same
 * rows on any number of ranks.  Where samples stay together (together.h) a share is made of whole
 * groups: the first fold of scikit-learn's StratifiedGroupKFold or GroupKFold of about its size. In
 * cross-validation the part `fold` is what the fold holds out of the training set.   Collective,
 * unless said. */
#ifndef ORR_JOBS_TRAIN_SPLITS_H
#define ORR_JOBS_TRAIN_SPLITS_H

#include "jobs/model/samples.h"
#include "jobs/model/train_job.h"

enum { ORR_TRAIN, ORR_VALIDATION, ORR_TEST, ORR_FOLD, ORR_N_SPLITS };

typedef struct orr_splits {
    orr_samples sets[ORR_N_SPLITS]; /* those that were named; empty where samples are borrowed */
    orr_split part[ORR_N_SPLITS];   /* n = 0: there is none */
    int64_t *rows[ORR_N_SPLITS];    /* what part[i].rows points to */
    int64_t *groups;                /* of each row of the training set, kept together; NULL: none */
    char identity[128];             /* of the training rows: a checkpoint belongs to them */
} orr_splits;

/* What the other sets must be like; the training set's schema is the caller's to put in. */
orr_samples_want orr_data_want(const orr_data_opts *d);
orr_status orr_splits_open(orr_splits *p, orr_context *context, const orr_data_opts *d);
void orr_splits_close(orr_splits *p);

/* One fold of sets that are open already, which stay the caller's. */
typedef struct orr_fold_rows {
    const orr_samples *train; /* all its rows are in some fold */
    const orr_samples *test;  /* NULL: none */
    const int32_t *fold;      /* of each row of train: which fold holds it out */
    const int64_t *groups;    /* of each row of train, kept together; NULL: none */
    int held_out;             /* the fold that is held out now */
    int validates;            /* 1: it also chooses the best epoch; no share is cut off then */
    const char *identity;     /* of train */
} orr_fold_rows;
/* What data.overlap: drop leaves out of the parts: of a job, where train, validation and test keep
 * in this order; of a fold, where test, the fold, train and validation do, so that every row has an
 * answer out of its fold.  Nothing under other policies. */
orr_status orr_splits_drop(orr_splits *p, orr_context *context, const orr_data_opts *d);
/* Parts of a fold: what it holds out, and of the other rows a validation share
 * (o->validation_fraction, by whole groups where there are groups) and the training rows.  Not
 * collective. */
orr_status orr_splits_of_fold(orr_splits *p, const orr_fold_rows *f, const orr_data_opts *o);
/* "index sha256 ..." of a set.  Not collective. */
orr_status orr_set_identity(char out[128], const char *path);
/* ORR_ERR_FORMAT when a target of any part lies outside the bins: how many, and which.  Not
 * collective. */
orr_status orr_splits_check_targets(const orr_splits *p, const orr_bins *bins);
/* counts[c] = samples of class c; 0 of all where the set has values.  Not collective. */
void orr_split_count_classes(const orr_split *p, int n_classes, int64_t *counts);
/* Samples of the largest part beside training. */
int64_t orr_splits_most(const orr_splits *p);

#endif
