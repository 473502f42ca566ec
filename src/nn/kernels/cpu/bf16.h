/* nn/kernels/cpu/bf16.h - the table "cpu-bf16": mixed precision on processors that multiply bf16.
 *
 * It is the cpu table but for convolutions, whose inputs (x and w, dy and w, x and dy) are rounded
 * to bf16, to nearest and ties to even, and whose products are summed in fp32 by the library.  All
 * that a net keeps stays fp32: weights, activations, gradients, the optimiser, statistics.  A
 * convolution that the library has no bf16 kernel for (groups, one channel in, the shapes it does
 * by plain loops) is the cpu table's, in fp32; so are dense layers, which read each weight once for
 * a few dozen samples and wait for memory, not for arithmetic.   Not collective. */
#ifndef ORR_NN_KERNELS_CPU_BF16_H
#define ORR_NN_KERNELS_CPU_BF16_H

#include <stddef.h>
#include <stdint.h>

/* Whether this processor multiplies bf16: AVX512-BF16 or AMX. */
int orr_bf16_supported(void);
/* y[i] = x[i] in bf16.  Denormal numbers keep their value, a NaN stays one. */
void orr_bf16_round(size_t n, const float *x, uint16_t *y);

#endif
