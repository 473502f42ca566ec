/* stats/kfold.h - k folds: which fold holds out which row.   Not collective.
 *
 * fold[i] (0 .. k-1) is the fold that holds out row i: the rows with fold[i] == f, in rising order,
 * are the test rows of scikit-learn's f-th split, the others its training rows.  Every row is in
 * exactly one fold and no fold is empty.
 *
 *   PLAIN             KFold: blocks of rows in file order, the first n % k of them one row longer
 *   STRATIFIED        StratifiedKFold: each fold gets its share of each class, to within one row
 *   GROUP             GroupKFold: rows of one group stay together, folds of about equal rows
 *   STRATIFIED_GROUP  StratifiedGroupKFold: groups stay together, shares of classes about equal
 *
 * shuffle draws from rng: orr_numpy_seed(rng, seed) before the call is random_state=seed.  A
 * further call with the same rng goes on drawing, and is the next repeat of RepeatedKFold or
 * RepeatedStratifiedKFold (random_state=seed), or of any of the four with random_state=
 * RandomState(seed) kept over the calls.  Without shuffle nothing is drawn and rng may be NULL.
 *
 * Names of groups rank as numbers; who has texts ranks them first, as numpy.unique would.
 *
 * Versions of scikit-learn differ, and `like` says which one is meant:
 *   GROUP             Groups are dealt out by falling number of rows.  Those of equal number come
 *                     in the order in which an argsort leaves them, read backwards: a stable one
 *                     (1.9), or the introsort of numpy 1.24 (1.2; between the two, numpy leaves
 *                     them in an order that goes by the processor).  Both agree if no two groups
 *                     have the same number of rows, or if there are 16 groups or fewer; otherwise
 *                     the folds have the same numbers of rows, with tied groups exchanged.
 *   GROUP, shuffle    1.9: distinct groups in random order, cut into k runs of equal number of
 *                     groups; rows per fold are not balanced.  1.2 has no such option: refused.
 *   STRATIFIED_GROUP  With shuffle 1.2 mixes up which group is which, and its folds need not be
 *                     stratified; 1.9 does not.
 */
#ifndef ORR_STATS_KFOLD_H
#define ORR_STATS_KFOLD_H

#include "core/numpy_random.h"
#include "core/status.h"

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum {
    ORR_FOLDS_PLAIN,
    ORR_FOLDS_STRATIFIED,
    ORR_FOLDS_GROUP,
    ORR_FOLDS_STRATIFIED_GROUP
} orr_fold_kind;

/* 1.9.1 with any numpy; 1.2.1 with numpy 1.24. */
typedef enum { ORR_SKLEARN_1_9, ORR_SKLEARN_1_2 } orr_sklearn;

typedef struct orr_kfold_opts {
    orr_fold_kind kind;
    int k;       /* folds: 2 .. n */
    int shuffle; /* 0: the rows, classes and groups decide alone */
    orr_sklearn like;
} orr_kfold_opts;

/* Fills fold[n].  labels[n]: any numbers, one per class, read by the stratified kinds only;
 * groups[n]: any numbers, one per group, read by the group kinds only; otherwise NULL will do.
 * ORR_ERR_ARG: k below 2 or above n; no labels, groups or rng where the kind needs them; the
 * stratified kinds: a class with fewer than k rows (scikit-learn warns; a fold without a class has
 * no ROC AUC); the group kinds: fewer than k groups; STRATIFIED_GROUP: a fold that ended up without
 * a class, as it must for a class in fewer than k groups and may for others.  After a failure fold
 * is as it was; rng may have been drawn from.
 * Time goes with n, but for groups * (k + log groups) of GROUP and groups * (k * classes + k * k *
 * classes in the group) of STRATIFIED_GROUP.  Memory while it runs: up to 48 bytes per row and 52
 * per group. */
orr_status orr_kfold(int32_t *fold, int64_t n, const int32_t *labels, const int64_t *groups,
                     const orr_kfold_opts *o, orr_numpy_random *rng);

#ifdef __cplusplus
}
#endif
#endif
