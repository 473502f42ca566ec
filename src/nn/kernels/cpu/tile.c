/* nn/kernels/cpu/tile.c - register tiles for AVX-512 (24 accumulators of 16), AVX2 (12 of 8) and
 * the rest (12 of 4). */
#include "nn/kernels/cpu/tile.h"

#include "nn/isa_private.h"
#include "nn/kernels/cpu/leaf_stack_private.h"

#define DEFINE_DOT(NAME, TARGET, V, O, S)                                                          \
    TARGET static void NAME(int k, const float *w, size_t ldw, const float *x, size_t ldx,         \
                            float *acc)                                                            \
    {                                                                                              \
        enum { LANES = sizeof(V) / sizeof(float) };                                                \
        V sum[S][O];                                                                               \
        ORR_UNROLL for (int s = 0; s < S; s++) ORR_UNROLL for (int o = 0; o < O; o++) sum[s][o] =  \
            *(const V *)(acc + (size_t)(s * O + o) * LANES);                                       \
        for (int i = 0; i < k; i += LANES) {                                                       \
            V row[O];                                                                              \
            ORR_UNROLL for (int o = 0; o < O; o++) row[o] = *(const V *)(w + (size_t)o * ldw + i); \
            ORR_UNROLL for (int s = 0; s < S; s++)                                                 \
            {                                                                                      \
                V in = *(const V *)(x + (size_t)s * ldx + i);                                      \
                ORR_UNROLL for (int o = 0; o < O; o++) sum[s][o] += in * row[o];                   \
            }                                                                                      \
        }                                                                                          \
        ORR_UNROLL for (int s = 0; s < S; s++) ORR_UNROLL for (int o = 0; o < O; o++) *            \
            (V *)(acc + (size_t)(s * O + o) * LANES) = sum[s][o];                                  \
    }

/* Halves are added on to each other until one lane is left; FOUR does it down to four, from memory:
 * vector parts need no shuffle there. */
#define DEFINE_FOLD(NAME, TARGET, V, FOUR)                                                         \
    TARGET static void NAME(int n, const float *acc, float *out)                                   \
    {                                                                                              \
        enum { LANES = sizeof(V) / sizeof(float) };                                                \
        for (int i = 0; i < n; i++, acc += LANES) {                                                \
            const orr_f4 *p = (const orr_f4 *)acc, v = FOUR;                                       \
            out[i] = (v[0] + v[2]) + (v[1] + v[3]);                                                \
        }                                                                                          \
    }

#define DEFINE_OUTER(NAME, TARGET, V, W, I)                                                        \
    TARGET static void NAME(const orr_outer_args *p)                                               \
    {                                                                                              \
        enum { LANES = sizeof(V) / sizeof(float), SIZE = I * W * LANES };                          \
        const size_t ai = p->ai, aj = p->aj, ldb = p->ldb, ahead = (size_t)p->ahead * ldb;         \
        const float *a = p->a + (size_t)p->leaf[0] * aj, *b = p->b + (size_t)p->leaf[0] * ldb;     \
        float *top = p->stack;                                                                     \
        V sum[I][W];                                                                               \
        ORR_UNROLL for (int i = 0; i < I; i++) ORR_UNROLL for (int v = 0; v < W; v++)              \
            __builtin_prefetch(p->c + i * p->ldc + (W + v) * LANES, 1);                            \
        for (int l = 0;; l++) {                                                                    \
            ORR_UNROLL for (int i = 0; i < I; i++) ORR_UNROLL for (int v = 0; v < W; v++)          \
                sum[i][v] = (V){ 0 };                                                              \
            for (int j = p->leaf[l]; j < p->leaf[l + 1]; j++, a += aj, b += ldb) {                 \
                V row[W];                                                                          \
                ORR_UNROLL for (int v = 0; v < W; v++) row[v] = *(const V *)(b + v * LANES);       \
                if (ahead)                                                                         \
                    ORR_UNROLL for (int v = 0; v < W; v++)                                         \
                        __builtin_prefetch(b + ahead + v * LANES);                                 \
                ORR_UNROLL for (int i = 0; i < I; i++) ORR_UNROLL for (int v = 0; v < W; v++)      \
                    sum[i][v] += a[i * ai] * row[v];                                               \
            }                                                                                      \
            for (int m = orr_leaf_merges(l, p->m); m > 0; m--) {                                   \
                top -= SIZE;                                                                       \
                ORR_UNROLL for (int i = 0; i < I; i++) ORR_UNROLL for (int v = 0; v < W; v++)      \
                    sum[i][v] += *(const V *)(top + (i * W + v) * LANES);                          \
            }                                                                                      \
            if (l + 1 == p->m) break;                                                              \
            ORR_UNROLL for (int i = 0; i < I; i++) ORR_UNROLL for (int v = 0; v < W; v++) *        \
                (V *)(top + (i * W + v) * LANES) = sum[i][v];                                      \
            top += SIZE;                                                                           \
        }                                                                                          \
        ORR_UNROLL for (int i = 0; i < I; i++) ORR_UNROLL for (int v = 0; v < W; v++) *            \
            (V *)(p->c + i * p->ldc + v * LANES) = sum[i][v];                                      \
    }

#define DEFINE_TILES(ISA, TARGET, V, W)                                                            \
    DEFINE_DOT(dot_##ISA##_n1, TARGET, V, 1, 1)                                                    \
    DEFINE_DOT(dot_##ISA##_n2, TARGET, V, 1, 2)                                                    \
    DEFINE_DOT(dot_##ISA##_n4, TARGET, V, 1, 4)                                                    \
    DEFINE_DOT(dot_##ISA##_n6, TARGET, V, 1, 6)                                                    \
    DEFINE_DOT(dot_##ISA##_w1, TARGET, V, W, 1)                                                    \
    DEFINE_DOT(dot_##ISA##_w2, TARGET, V, W, 2)                                                    \
    DEFINE_DOT(dot_##ISA##_w4, TARGET, V, W, 4)                                                    \
    DEFINE_DOT(dot_##ISA##_w6, TARGET, V, W, 6)                                                    \
    DEFINE_OUTER(outer_##ISA##_n1, TARGET, V, 1, 1)                                                \
    DEFINE_OUTER(outer_##ISA##_n2, TARGET, V, 1, 2)                                                \
    DEFINE_OUTER(outer_##ISA##_n4, TARGET, V, 1, 4)                                                \
    DEFINE_OUTER(outer_##ISA##_n6, TARGET, V, 1, 6)                                                \
    DEFINE_OUTER(outer_##ISA##_w1, TARGET, V, W, 1)                                                \
    DEFINE_OUTER(outer_##ISA##_w2, TARGET, V, W, 2)                                                \
    DEFINE_OUTER(outer_##ISA##_w4, TARGET, V, W, 4)                                                \
    DEFINE_OUTER(outer_##ISA##_w6, TARGET, V, W, 6)                                                \
    static const orr_tiles tiles_##ISA = {                                                         \
        .lanes = sizeof(V) / sizeof(float),                                                        \
        .wide = W,                                                                                 \
        .fold = fold_##ISA,                                                                        \
        .dot = { { dot_##ISA##_n1, dot_##ISA##_n2, dot_##ISA##_n4, dot_##ISA##_n6 },               \
                 { dot_##ISA##_w1, dot_##ISA##_w2, dot_##ISA##_w4, dot_##ISA##_w6 } },             \
        .outer = { { outer_##ISA##_n1, outer_##ISA##_n2, outer_##ISA##_n4, outer_##ISA##_n6 },     \
                   { outer_##ISA##_w1, outer_##ISA##_w2, outer_##ISA##_w4, outer_##ISA##_w6 } },   \
    };

DEFINE_FOLD(fold_base, , orr_f4, p[0])
DEFINE_TILES(base, , orr_f4, 2)
#if defined(__x86_64__)
DEFINE_FOLD(fold_avx2, ORR_AVX2, orr_f8, p[0] + p[1])
DEFINE_FOLD(fold_avx512, ORR_AVX512, orr_f16, (p[0] + p[2]) + (p[1] + p[3]))
DEFINE_TILES(avx2, ORR_AVX2, orr_f8, 2)
DEFINE_TILES(avx512, ORR_AVX512, orr_f16, 4)
#endif

const orr_tiles *orr_tiles_get(void)
{
#if defined(__x86_64__)
    orr_isa isa = orr_cpu_isa();
    if (isa == ORR_ISA_AVX512) return &tiles_avx512;
    if (isa == ORR_ISA_AVX2) return &tiles_avx2;
#endif
    return &tiles_base;
}
