/* nn/isa_private.h - one source text, compiled for three instruction sets, picked at run time.
 *
 * A kernel that the compiler vectorises is written once as a static always-inline NAME_body and
 * wrapped by ORR_CLONES, which makes a copy for each instruction set and NAME to pick among them.
 * (target_clones would do the same with load-time resolvers, which some sanitizers and C libraries
 * lack, and leaves OpenMP regions behind.)  Kernels that count registers are written with vector
 * types by a short macro a width (tile.c). ORR_ISA_MAX (compile time) lowers the choice, to test
 * the narrow paths on a wide machine.   Not collective. */
#ifndef ORR_NN_ISA_PRIVATE_H
#define ORR_NN_ISA_PRIVATE_H

#include <stddef.h>

#ifndef ORR_ISA_MAX
#define ORR_ISA_MAX 2
#endif

typedef enum { ORR_ISA_BASE, ORR_ISA_AVX2, ORR_ISA_AVX512 } orr_isa;

#define ORR_INLINE static inline __attribute__((always_inline))

#if defined(__x86_64__)
#define ORR_AVX512_FEATURES "avx2,fma,bmi,bmi2,avx512f,avx512bw,avx512cd,avx512dq,avx512vl"
#if defined(__clang__)
#define ORR_AVX512 __attribute__((target(ORR_AVX512_FEATURES), min_vector_width(512)))
#else
#define ORR_AVX512 __attribute__((target(ORR_AVX512_FEATURES ",prefer-vector-width=512")))
#endif
#define ORR_AVX2 __attribute__((target("avx2,fma,bmi,bmi2")))

/* Exactly the features that the targets above name. */
ORR_INLINE orr_isa orr_cpu_isa(void)
{
    if (ORR_ISA_MAX < 1 || !__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma") ||
        !__builtin_cpu_supports("bmi") || !__builtin_cpu_supports("bmi2"))
        return ORR_ISA_BASE;
    if (ORR_ISA_MAX < 2 || !__builtin_cpu_supports("avx512f") ||
        !__builtin_cpu_supports("avx512bw") || !__builtin_cpu_supports("avx512cd") ||
        !__builtin_cpu_supports("avx512dq") || !__builtin_cpu_supports("avx512vl"))
        return ORR_ISA_AVX2;
    return ORR_ISA_AVX512;
}
#else
#define ORR_AVX512
#define ORR_AVX2

ORR_INLINE orr_isa orr_cpu_isa(void)
{
    return ORR_ISA_BASE;
}
#endif

/* NAME##_body must exist; PARAMS and ARGS in parentheses. */
#define ORR_CLONES(NAME, PARAMS, ARGS)                                                             \
    ORR_AVX512 static void NAME##_avx512 PARAMS                                                    \
    {                                                                                              \
        NAME##_body ARGS;                                                                          \
    }                                                                                              \
    ORR_AVX2 static void NAME##_avx2 PARAMS                                                        \
    {                                                                                              \
        NAME##_body ARGS;                                                                          \
    }                                                                                              \
    static void NAME PARAMS                                                                        \
    {                                                                                              \
        orr_isa isa_ = orr_cpu_isa();                                                              \
        if (isa_ == ORR_ISA_AVX512)                                                                \
            NAME##_avx512 ARGS;                                                                    \
        else if (isa_ == ORR_ISA_AVX2)                                                             \
            NAME##_avx2 ARGS;                                                                      \
        else                                                                                       \
            NAME##_body ARGS;                                                                      \
    }

/* Unaligned vectors of 4, 8 and 16 floats, and the integers of the same width. */
typedef float orr_f4 __attribute__((vector_size(16), aligned(4), may_alias));
typedef float orr_f8 __attribute__((vector_size(32), aligned(4), may_alias));
typedef float orr_f16 __attribute__((vector_size(64), aligned(4), may_alias));
typedef int orr_i4 __attribute__((vector_size(16), aligned(4), may_alias));
typedef int orr_i8 __attribute__((vector_size(32), aligned(4), may_alias));
typedef int orr_i16 __attribute__((vector_size(64), aligned(4), may_alias));
typedef unsigned short orr_u4 __attribute__((vector_size(8), aligned(2), may_alias));
typedef unsigned short orr_u8 __attribute__((vector_size(16), aligned(2), may_alias));
typedef unsigned short orr_u16 __attribute__((vector_size(32), aligned(2), may_alias));

#define ORR_UNROLL _Pragma("GCC unroll 16")

#endif
