/* core/numpy_random.h - numpy's legacy RandomState (MT19937), as far as published recipes and
 * scikit-learn splits need it.  Same seed, same numbers, same order of draws as
 * numpy.random.RandomState.   Not collective. */
#ifndef ORR_CORE_NUMPY_RANDOM_H
#define ORR_CORE_NUMPY_RANDOM_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct orr_numpy_random {
    uint32_t mt[624];
    int pos;
    int has_gauss;
    double gauss; /* kept from the last polar pair */
} orr_numpy_random;

void orr_numpy_seed(orr_numpy_random *r, uint32_t seed);
uint32_t orr_numpy_u32(orr_numpy_random *r);
double orr_numpy_double(orr_numpy_random *r); /* random_sample(): [0, 1) */
double orr_numpy_normal(orr_numpy_random *r); /* standard_normal(): polar, second value first */
uint64_t orr_numpy_interval(orr_numpy_random *r, uint64_t max); /* [0, max], masked rejection */
void orr_numpy_shuffle(orr_numpy_random *r, int64_t *x, int64_t n);
void orr_numpy_permutation(orr_numpy_random *r, int64_t *x, int64_t n); /* x = shuffled 0..n-1 */

#ifdef __cplusplus
}
#endif
#endif
