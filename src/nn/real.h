/* nn/real.h - the number type of activations, parameters and gradients.
 * nn is compiled twice from the same sources: orr_nn with float, and orr_nn_f64 with double (check
 * kernels alone), so that finite differences test the very code that trains. */
#ifndef ORR_NN_REAL_H
#define ORR_NN_REAL_H

#include "core/leaves.h"

#ifdef __cplusplus
extern "C" {
#endif

#ifdef ORR_REAL_F64
typedef double orr_real;
#define ORR_REAL_NAME "float64"
#else
typedef float orr_real;
#define ORR_REAL_NAME "float32"
#endif

/* The tree sum of core/leaves.h in the number type of this build. */
static inline void orr_leaf_sum(orr_real *out, orr_real *in, size_t stride, int m, size_t n)
{
#ifdef ORR_REAL_F64
    orr_leaf_sum_f64(out, in, stride, m, n);
#else
    orr_leaf_sum_f32(out, in, stride, m, n);
#endif
}

#ifdef __cplusplus
}
#endif
#endif
