/* stats/kfold_part.h - what the files of kfold share; for them alone. */
#ifndef ORR_STATS_KFOLD_PART_H
#define ORR_STATS_KFOLD_PART_H

#include "stats/kfold.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct orr_kfold_item {
    uint64_t key;
    int64_t value;
} orr_kfold_item;

orr_status orr_kfold_no_memory(int64_t n);

/* By rising key, stable.  Answers which of the two, items or spare, holds the result. */
orr_kfold_item *orr_kfold_sort(orr_kfold_item *items, orr_kfold_item *spare, int64_t n);

/* (*class_of)[i]: the rank, 0 .. *n_classes - 1, of row i's label among the distinct ones, as
 * numpy.unique's inverse.  For the caller to free, also after a failure. */
orr_status orr_kfold_labels(const int32_t *labels, int64_t n, int64_t **class_of,
                            int64_t *n_classes);
/* The same for groups, of which k folds need k. */
orr_status orr_kfold_groups(const int64_t *groups, int64_t n, int k, int64_t **group_of,
                            int64_t *n_groups);
/* The label of class c, which is there. */
int orr_kfold_label(const int32_t *labels, const int64_t *class_of, int64_t c);

/* Rows of each of the n_ids ids, for the caller to free; NULL when there is no memory. */
int64_t *orr_kfold_count(const int64_t *id, int64_t n, int64_t n_ids);
/* (*rows)[c]: rows of class c, of which k folds need k; for the caller to free, also after a
 * failure. */
orr_status orr_kfold_class_rows(const int32_t *labels, const int64_t *class_of, int64_t n,
                                int64_t n_classes, int k, int64_t **rows);

/* ORR_FOLDS_STRATIFIED_GROUP. */
orr_status orr_kfold_balanced(int32_t *fold, int64_t n, const int32_t *labels,
                              const int64_t *groups, const orr_kfold_opts *o,
                              orr_numpy_random *rng);

#ifdef __cplusplus
}
#endif
#endif
