/* data/half.c - float16 conversions in integer arithmetic that compilers vectorise. */
#include "data/half.h"

#include <string.h>

static inline float as_float(uint32_t u)
{
    float f;

    memcpy(&f, &u, sizeof f);
    return f;
}

static inline uint32_t as_bits(float f)
{
    uint32_t u;

    memcpy(&u, &f, sizeof u);
    return u;
}

void orr_half_to_float(float *restrict out, const uint16_t *restrict in, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        uint32_t h = in[i], sign = (h & 0x8000u) << 16, rest = (h & 0x7fffu) << 13;
        uint32_t normal = rest + (112u << 23);  /* exponent bias 15 -> 127 */
        uint32_t special = rest + (224u << 23); /* infinity and NaN */
        /* A subnormal half is fraction * 2^-24: 2^-14 * 1.fraction, minus 2^-14. */
        uint32_t tiny = as_bits(as_float(rest + (113u << 23)) - as_float(113u << 23));
        uint32_t bits = rest >= (31u << 23) ? special : normal;

        bits = rest < (1u << 23) ? tiny : bits;
        out[i] = as_float(bits | sign);
    }
}

void orr_float_to_half(uint16_t *restrict out, const float *restrict in, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        uint32_t u = as_bits(in[i]), sign = (u >> 16) & 0x8000u, rest = u & 0x7fffffffu;
        uint32_t odd = (rest >> 13) & 1u;
        uint32_t normal = (rest - (112u << 23) + 0xfffu + odd) >> 13; /* may carry into infinity */
        /* Below 2^-14: adding 0.5 leaves round(x * 2^24) in the low bits of the sum. */
        uint32_t tiny = as_bits(as_float(rest < (113u << 23) ? rest : 0) + 0.5f) - as_bits(0.5f);
        uint32_t h = rest < (113u << 23) ? tiny : normal;

        h = rest >= (143u << 23) ? 0x7c00u : h; /* 2^16 and above, infinity */
        h = rest > 0x7f800000u ? 0x7e00u : h;   /* NaN */
        out[i] = (uint16_t)(h | sign);
    }
}
