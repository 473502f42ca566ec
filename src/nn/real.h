/* nn/real.h - the number type of activations, parameters and gradients.
 * nn is compiled twice from the same sources: orr_nn with float, and orr_nn_f64 with double (check kernels alone), so
 * that finite differences test the very code that trains. */
#ifndef ORR_NN_REAL_H
#define ORR_NN_REAL_H

#ifdef ORR_REAL_F64
typedef double orr_real;
#define ORR_REAL_NAME "float64"
#else
typedef float orr_real;
#define ORR_REAL_NAME "float32"
#endif

#endif
