/* nn/kernels/cpu/bf16.c - rounding to bf16, and who can. */
#include "nn/kernels/cpu/bf16.h"

#include "nn/isa_private.h"

#include <string.h>

int orr_bf16_supported(void)
{
#if defined(__x86_64__)
    /* every processor with AMX has it, too */
    return orr_cpu_isa() == ORR_ISA_AVX512 && __builtin_cpu_supports("avx512bf16");
#else
    return 0;
#endif
}

ORR_INLINE void halve_body(size_t n, const float *x, uint16_t *y)
{
    for (size_t i = 0; i < n; i++) {
        uint32_t u;
        memcpy(&u, &x[i], sizeof u);
        const uint32_t even = (u >> 16) & 1u, rounded = (u + 0x7fffu + even) >> 16,
                       quiet = (u >> 16) | 0x40u;
        y[i] = (uint16_t)((u & 0x7fffffffu) > 0x7f800000u ? quiet : rounded);
    }
}
ORR_CLONES(halve, (size_t n, const float *x, uint16_t *y), (n, x, y))

void orr_bf16_round(size_t n, const float *x, uint16_t *y)
{
    halve(n, x, y);
}
