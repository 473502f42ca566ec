/* stats/folds.h - who is in which part.   Not collective. */
#ifndef ORR_STATS_FOLDS_H
#define ORR_STATS_FOLDS_H

#include "core/status.h"

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* scikit-learn's train_test_split(arange(n), test_size, random_state=seed, stratify=labels or
 * None), same indices in the same order.  train and test hold n entries each; *n_train, *n_test say
 * how many were filled.  labels NULL: not stratified.  ORR_ERR_ARG: sizes out of range, a class
 * with a single member, fewer test rows than classes. */
orr_status orr_train_test_split(const int32_t *labels, int64_t n, double test_size, uint32_t seed,
                                int64_t *train, int64_t *n_train, int64_t *test, int64_t *n_test);

#ifdef __cplusplus
}
#endif
#endif
