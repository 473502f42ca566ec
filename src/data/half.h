/* data/half.h - IEEE 754 half precision (float16) to and from float, without help from the compiler
 * or the processor.  Every half is exact as a float.  The way back rounds to the nearest, ties to
 * even; what is too large becomes infinity, and a NaN stays one.   Not collective. */
#ifndef ORR_DATA_HALF_H
#define ORR_DATA_HALF_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

void orr_half_to_float(float *out, const uint16_t *in, size_t n);
void orr_float_to_half(uint16_t *out, const float *in, size_t n);

#ifdef __cplusplus
}
#endif
#endif
