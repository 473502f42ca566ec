/* nn/block_exp_private.h - exponentials of whole blocks, for loops the compiler vectorises.
 * Range reduction by powers of two (Cody & Waite 1980) and a Taylor polynomial of degree 7 on |r|
 * <= ln(2)/2, within 2 units of the last place.  Arguments are clamped to [-87, 88]; a NaN stays
 * one.  Blocks have one size, and a tail is computed in a padded block, so an element's bits never
 * depend on where in an array it lies.   Not collective. */
#ifndef ORR_NN_BLOCK_EXP_PRIVATE_H
#define ORR_NN_BLOCK_EXP_PRIVATE_H

#include "nn/isa_private.h"

#include <stdint.h>
#include <string.h>

enum { ORR_BLOCK = 64 }; /* elements */

/* e^x - 1 = *scale * p + (*scale - 1), with p returned and *scale a power of two */
ORR_INLINE float orr_expm1_parts(float x, float *scale)
{
    const float magic = 12582912.0f; /* 1.5 * 2^23: its sum with x is x rounded */
    uint32_t bits, base;
    float t, n, r, p;

    x = x < -87.0f ? -87.0f : x;
    x = x > 88.0f ? 88.0f : x;
    t = x * 1.44269504f + magic;
    n = t - magic;
    r = x - n * 0.693359375f;
    r = r + n * 2.12194440e-4f;
    p = 1.0f / 5040;
    p = p * r + 1.0f / 720;
    p = p * r + 1.0f / 120;
    p = p * r + 1.0f / 24;
    p = p * r + 1.0f / 6;
    p = p * r + 0.5f;
    p = p * (r * r) + r;
    memcpy(&bits, &t, sizeof bits);
    memcpy(&base, &magic, sizeof base);
    bits = (bits - base + 127u) << 23;
    memcpy(scale, &bits, sizeof *scale);
    return p;
}

ORR_INLINE float orr_expm1_one(float x)
{
    float scale, p = orr_expm1_parts(x, &scale);

    return scale * p + (scale - 1.0f);
}

ORR_INLINE float orr_exp_one(float x)
{
    float scale, p = orr_expm1_parts(x, &scale);

    return scale * p + scale;
}

#endif
