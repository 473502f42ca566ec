/* nn/kernels/cpu/conv_tile.c - register tiles of the direct convolution, vectors over output
 * channels. */
#include "nn/kernels/cpu/conv_tile.h"

#include "nn/isa_private.h"

#define DEFINE_CONV(NAME, TARGET, V, W, P)                                                         \
    TARGET static void NAME(const orr_conv_args *a)                                                \
    {                                                                                              \
        enum { LANES = sizeof(V) / sizeof(float) };                                                \
        const size_t pitch = a->pitch, ldw = (size_t)a->taps * LANES;                              \
        const float *w = a->w;                                                                     \
        V sum[P][W];                                                                               \
        ORR_UNROLL for (int p = 0; p < P; p++) ORR_UNROLL for (int v = 0; v < W; v++) sum[p][v] =  \
            *(const V *)(a->bias + v * LANES);                                                     \
        for (int t = 0; t < a->taps; t++, w += LANES) {                                            \
            const float *x = a->x + a->off[t];                                                     \
            V row[W];                                                                              \
            ORR_UNROLL for (int v = 0; v < W; v++) row[v] = *(const V *)(w + v * ldw);             \
            ORR_UNROLL for (int p = 0; p < P; p++) ORR_UNROLL for (int v = 0; v < W; v++)          \
                sum[p][v] += x[p * pitch] * row[v];                                                \
        }                                                                                          \
        ORR_UNROLL for (int p = 0; p < P; p++) ORR_UNROLL for (int v = 0; v < W; v++) *            \
            (V *)(a->y[v] + p * a->ldy) = sum[p][v];                                               \
    }

#define DEFINE_GRAD(NAME, TARGET, V, W, T)                                                         \
    TARGET static void NAME(const orr_grad_args *a)                                                \
    {                                                                                              \
        enum { LANES = sizeof(V) / sizeof(float) };                                                \
        const size_t pitch = a->pitch, lddy = a->lddy;                                             \
        const float *x[T], *dy[W];                                                                 \
        V sum[T][W];                                                                               \
        ORR_UNROLL for (int v = 0; v < W; v++) dy[v] = a->dy[v];                                   \
        ORR_UNROLL for (int t = 0; t < T; t++)                                                     \
        {                                                                                          \
            x[t] = a->x + a->off[t];                                                               \
            ORR_UNROLL for (int v = 0; v < W; v++) sum[t][v] = (V){ 0 };                           \
        }                                                                                          \
        size_t at = 0;                                                                             \
        for (int p = 0; p < a->n; p++, at += pitch) {                                              \
            V row[W];                                                                              \
            ORR_UNROLL for (int v = 0; v < W; v++) row[v] =                                        \
                *(const V *)(dy[v] + (size_t)p * lddy);                                            \
            ORR_UNROLL for (int t = 0; t < T; t++) ORR_UNROLL for (int v = 0; v < W; v++)          \
                sum[t][v] += x[t][at] * row[v];                                                    \
        }                                                                                          \
        ORR_UNROLL for (int t = 0; t < T; t++) ORR_UNROLL for (int v = 0; v < W; v++) *            \
            (V *)(a->sum + (size_t)t * a->ld + v * LANES) += sum[t][v];                            \
    }

#define DEFINE_TILES(ISA, TARGET, V, P)                                                            \
    DEFINE_CONV(conv_##ISA##_11, TARGET, V, 1, 1)                                                  \
    DEFINE_CONV(conv_##ISA##_1p, TARGET, V, 1, P)                                                  \
    DEFINE_CONV(conv_##ISA##_21, TARGET, V, 2, 1)                                                  \
    DEFINE_CONV(conv_##ISA##_2p, TARGET, V, 2, P)                                                  \
    DEFINE_GRAD(grad_##ISA##_11, TARGET, V, 1, 1)                                                  \
    DEFINE_GRAD(grad_##ISA##_13, TARGET, V, 1, 3)                                                  \
    DEFINE_GRAD(grad_##ISA##_16, TARGET, V, 1, 6)                                                  \
    DEFINE_GRAD(grad_##ISA##_1c, TARGET, V, 1, 12)                                                 \
    DEFINE_GRAD(grad_##ISA##_21, TARGET, V, 2, 1)                                                  \
    DEFINE_GRAD(grad_##ISA##_23, TARGET, V, 2, 3)                                                  \
    DEFINE_GRAD(grad_##ISA##_26, TARGET, V, 2, 6)                                                  \
    DEFINE_GRAD(grad_##ISA##_2c, TARGET, V, 2, 12)                                                 \
    static const orr_conv_tiles tiles_##ISA = {                                                    \
        .lanes = sizeof(V) / sizeof(float),                                                        \
        .pixels = P,                                                                               \
        .conv = { { conv_##ISA##_11, conv_##ISA##_1p }, { conv_##ISA##_21, conv_##ISA##_2p } },    \
        .grad = { { grad_##ISA##_11, grad_##ISA##_13, grad_##ISA##_16, grad_##ISA##_1c },          \
                  { grad_##ISA##_21, grad_##ISA##_23, grad_##ISA##_26, grad_##ISA##_2c } },        \
    };

DEFINE_TILES(base, , orr_f4, 6)
#if defined(__x86_64__)
DEFINE_TILES(avx2_4, ORR_AVX2, orr_f4, 6)
DEFINE_TILES(avx2_8, ORR_AVX2, orr_f8, 6)
DEFINE_TILES(avx512_4, ORR_AVX512, orr_f4, 12)
DEFINE_TILES(avx512_8, ORR_AVX512, orr_f8, 12)
DEFINE_TILES(avx512_16, ORR_AVX512, orr_f16, 12)
#endif

const orr_conv_tiles *orr_conv_tiles_get(int channels)
{
#if defined(__x86_64__)
    orr_isa isa = orr_cpu_isa();
    if (isa == ORR_ISA_AVX512)
        return channels <= 4 ? &tiles_avx512_4 : channels <= 8 ? &tiles_avx512_8 : &tiles_avx512_16;
    if (isa == ORR_ISA_AVX2) return channels <= 4 ? &tiles_avx2_4 : &tiles_avx2_8;
#endif
    (void)channels;
    return &tiles_base;
}
