/* stats/logistic/kernels.c - each loop written once, compiled for AVX-512, AVX2 and the rest, and
 * picked at run time; ORR_ISA_MAX (compile time) lowers the choice.
 *
 * exp: Cody & Waite 1980, range reduction by powers of two and a Taylor polynomial of degree 13 on
 * |r| <= ln(2)/2, within 2 units of the last place. */
#include "stats/logistic/kernels_private.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifndef ORR_ISA_MAX
#define ORR_ISA_MAX 2
#endif

#define INLINE static inline __attribute__((always_inline))
#define UNROLL _Pragma("GCC unroll 8")

enum { ROWS = ORR_LOGIT_ROWS, LANES = ORR_LOGIT_LANES, AHEAD = 8192 /* bytes */ };

typedef double v2 __attribute__((vector_size(16), aligned(8), may_alias));
typedef double v4 __attribute__((vector_size(32), aligned(8), may_alias));
typedef double v8 __attribute__((vector_size(64), aligned(8), may_alias));

INLINE int whole(int n, int step)
{
    return (n + step - 1) / step * step;
}

/* x <= 0 or NaN */
INLINE double exp_one(double x)
{
    const double magic = 0x1.8p52; /* its sum with x is x rounded */
    int64_t bits, base;
    double t, n, r, p, scale;

    x = x < -708 ? -708 : x;
    t = x * 1.4426950408889634 + magic;
    n = t - magic;
    r = x - n * 6.93147180369123816490e-01;
    r = r - n * 1.90821492927058770002e-10;
    p = 1.0 / 6227020800;
    p = p * r + 1.0 / 479001600;
    p = p * r + 1.0 / 39916800;
    p = p * r + 1.0 / 3628800;
    p = p * r + 1.0 / 362880;
    p = p * r + 1.0 / 40320;
    p = p * r + 1.0 / 5040;
    p = p * r + 1.0 / 720;
    p = p * r + 1.0 / 120;
    p = p * r + 1.0 / 24;
    p = p * r + 1.0 / 6;
    p = p * r + 0.5;
    p = p * (r * r) + r;
    memcpy(&bits, &t, sizeof bits);
    memcpy(&base, &magic, sizeof base);
    bits = (int64_t)((uint64_t)(bits - base + 1023) << 52);
    memcpy(&scale, &bits, sizeof scale);
    return scale * p + scale;
}

#define SHUFFLE(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)

/* Four rows' four columns, to four rows of z. */
INLINE void four_columns(const double *x, int d, const double *centre, const double *sign,
                         double *z)
{
    const v4 s = *(const v4 *)sign;
    const v4 c = *(const v4 *)centre;
    const v4 a0 = *(const v4 *)x - c, a1 = *(const v4 *)(x + d) - c;
    const v4 a2 = *(const v4 *)(x + 2 * (size_t)d) - c, a3 = *(const v4 *)(x + 3 * (size_t)d) - c;
    const v4 e0 = SHUFFLE(a0, a1, 0, 4, 2, 6), o0 = SHUFFLE(a0, a1, 1, 5, 3, 7);
    const v4 e1 = SHUFFLE(a2, a3, 0, 4, 2, 6), o1 = SHUFFLE(a2, a3, 1, 5, 3, 7);

    *(v4 *)z = SHUFFLE(e0, e1, 0, 1, 4, 5) * s;
    *(v4 *)(z + LANES) = SHUFFLE(o0, o1, 0, 1, 4, 5) * s;
    *(v4 *)(z + 2 * LANES) = SHUFFLE(e0, e1, 2, 3, 6, 7) * s;
    *(v4 *)(z + 3 * LANES) = SHUFFLE(o0, o1, 2, 3, 6, 7) * s;
}

INLINE void columns_body(const double *x, int d, int n, const double *centre, const double *sign,
                         double *z)
{
    const int rows = n / 4 * 4, wide = d / 4 * 4;
    const size_t p = (size_t)d + 1;
    static const double one[4] = { 1, 1, 1, 1 };

    for (int r = 0; r < rows; r += 4) {
        const double *from = x + (size_t)r * d, *s = sign ? sign + r : one;
        double *to = z + (size_t)(r / LANES) * p * LANES + r % LANES;
        for (int line = 0; line < d; line += 2) /* four rows are d / 2 cache lines */
            __builtin_prefetch((const char *)(from + 4 * line) + AHEAD);
        for (int j = 0; j < wide; j += 4)
            four_columns(from + j, d, centre + j, s, to + (size_t)j * LANES);
        for (int i = 0; i < 4; i++) {
            for (int j = wide; j < d; j++)
                to[(size_t)j * LANES + i] = (from[(size_t)i * d + j] - centre[j]) * s[i];
            to[(size_t)d * LANES + i] = s[i];
        }
    }
    for (int r = rows; r < whole(n, LANES); r++) {
        double *to = z + (size_t)(r / LANES) * p * LANES + r % LANES;
        double s = r >= n ? 0 : sign ? sign[r] : 1;
        for (int j = 0; j < d; j++)
            to[(size_t)j * LANES] = r < n ? (x[(size_t)r * d + j] - centre[j]) * s : 0;
        to[(size_t)d * LANES] = s;
    }
}

INLINE void binary_body(const double *restrict margin, int n, double *restrict res,
                        double *restrict weight, double *restrict line, double *restrict factor)
{
    const int full = whole(n, LANES);

    for (int r = 0; r < full; r++) {
        double m = margin[r], e = exp_one(m < 0 ? m : -m), inverse = 1 / (1 + e);
        res[r] = m < 0 ? -inverse : -(e * inverse); /* less the probability of the other class */
        weight[r] = e * inverse * inverse;
        line[r] = m < 0 ? -m : 0;
        factor[r] = 1 + e;
    }
    for (int r = n; r < full; r++)
        factor[r] = 1;
}

INLINE void sigmoid_body(double *eta, int n)
{
    n = whole(n, LANES);
    for (int r = 0; r < n; r++) {
        double x = eta[r], e = exp_one(x < 0 ? x : -x);
        eta[r] = (x < 0 ? e : 1) / (1 + e);
    }
}

INLINE void softmax_body(double *restrict eta, int k, const double *restrict label, int n,
                         double *restrict res, double *restrict line, double *restrict factor)
{
    double most[ROWS], sum[ROWS], own[ROWS];

    n = whole(n, LANES);
    for (int r = 0; r < n; r++) {
        most[r] = eta[r];
        sum[r] = own[r] = 0;
    }
    for (int c = 1; c < k; c++)
        for (int r = 0; r < n; r++)
            most[r] = eta[(size_t)c * ROWS + r] > most[r] ? eta[(size_t)c * ROWS + r] : most[r];
    for (int c = 0; c < k; c++)
        for (int r = 0; r < n; r++) {
            double x = eta[(size_t)c * ROWS + r], e = exp_one(x - most[r]);
            own[r] += label[r] == c ? x : 0;
            sum[r] += e;
            eta[(size_t)c * ROWS + r] = e;
        }
    for (int r = 0; res && r < n; r++) {
        line[r] = label[r] >= 0 ? most[r] - own[r] : 0;
        factor[r] = label[r] >= 0 ? sum[r] : 1;
    }
    for (int r = 0; r < n; r++)
        sum[r] = 1 / sum[r];
    for (int c = 0; c < k; c++)
        for (int r = 0; r < n; r++)
            eta[(size_t)c * ROWS + r] *= sum[r];
    for (int c = 0; res && c < k; c++)
        for (int r = 0; r < n; r++) {
            double off = eta[(size_t)c * ROWS + r] - (label[r] == c ? 1 : 0);
            res[(size_t)c * ROWS + r] = label[r] >= 0 ? off : 0;
        }
}

INLINE void pair_body(const double *a, const double *b, int same, const double *label, int n,
                      double *restrict weight)
{
    const double add = same ? 1 : 0;

    n = whole(n, LANES);
    for (int r = 0; r < n; r++) {
        double w = a[r] * (add - b[r]);
        weight[r] = label[r] >= 0 ? w : 0;
    }
}

/* ---- sums: registers counted, so written with vector types, one macro for all widths ---- */

#define DEFINE_LOGITS(NAME, TARGET, V)                                                             \
    TARGET static void NAME(const double *z, int p, const double *theta, int n, double *eta)       \
    {                                                                                              \
        enum { W = sizeof(V) / sizeof(double), M = 2 * LANES / W };                                \
        const size_t next = (size_t)p * LANES;                                                     \
        for (int r = 0; r < n; r += 2 * LANES, z += 2 * next) {                                    \
            const double *left = z, *right = r + LANES < n ? z + next : z;                         \
            V sum[M] = { { 0 } };                                                                  \
            for (int j = 0; j < p; j++, left += LANES, right += LANES) {                           \
                UNROLL for (int i = 0; i < M / 2; i++)                                             \
                {                                                                                  \
                    sum[i] += theta[j] * *(const V *)(left + i * W);                               \
                    sum[i + M / 2] += theta[j] * *(const V *)(right + i * W);                      \
                }                                                                                  \
            }                                                                                      \
            UNROLL for (int i = 0; i < M / 2; i++) * (V *)(eta + r + i * W) = sum[i];              \
            if (right == z) break;                                                                 \
            UNROLL for (int i = M / 2; i < M; i++) * (V *)(eta + r + i * W) = sum[i];              \
        }                                                                                          \
    }

#define DEFINE_DOT(NAME, TARGET, V, J)                                                             \
    TARGET static void NAME(const double *z, int p, const double *res, int n, double *acc)         \
    {                                                                                              \
        enum { W = sizeof(V) / sizeof(double) };                                                   \
        const size_t next = (size_t)p * LANES;                                                     \
        for (int h = 0; h < LANES; h += W) {                                                       \
            const double *at = z + h;                                                              \
            V sum[J];                                                                              \
            UNROLL for (int j = 0; j < J; j++) sum[j] = *(const V *)(acc + j * LANES + h);         \
            for (int r = h; r < n; r += LANES, at += next) {                                       \
                V by = *(const V *)(res + r);                                                      \
                UNROLL for (int j = 0; j < J; j++) sum[j] += by * *(const V *)(at + j * LANES);    \
            }                                                                                      \
            UNROLL for (int j = 0; j < J; j++) * (V *)(acc + j * LANES + h) = sum[j];              \
        }                                                                                          \
    }

#define DEFINE_TILE(NAME, TARGET, V, I, J)                                                         \
    TARGET static void NAME(const double *zi, const double *zj, int p, const double *weight,       \
                            int n, double *acc)                                                    \
    {                                                                                              \
        enum { W = sizeof(V) / sizeof(double) };                                                   \
        const size_t next = (size_t)p * LANES;                                                     \
        for (int h = 0; h < LANES; h += W) {                                                       \
            const double *ai = zi + h, *aj = zj + h;                                               \
            V sum[I][J];                                                                           \
            UNROLL for (int i = 0; i < I; i++) UNROLL for (int j = 0; j < J; j++) sum[i][j] =      \
                *(const V *)(acc + i * next + j * LANES + h);                                      \
            for (int r = h; r < n; r += LANES, ai += next, aj += next) {                           \
                V by = *(const V *)(weight + r), right[J];                                         \
                UNROLL for (int j = 0; j < J; j++) right[j] = *(const V *)(aj + j * LANES);        \
                UNROLL for (int i = 0; i < I; i++)                                                 \
                {                                                                                  \
                    V left = by * *(const V *)(ai + i * LANES);                                    \
                    UNROLL for (int j = 0; j < J; j++) sum[i][j] += left * right[j];               \
                }                                                                                  \
            }                                                                                      \
            UNROLL for (int i = 0; i < I; i++) UNROLL for (int j = 0; j < J; j++) *                \
                (V *)(acc + i * next + j * LANES + h) = sum[i][j];                                 \
        }                                                                                          \
    }

typedef void dot_fn(const double *z, int p, const double *res, int n, double *acc);
typedef void tile_fn(const double *zi, const double *zj, int p, const double *weight, int n,
                     double *acc);

INLINE void dots_with(dot_fn *const *dot, const double *z, int p, const double *res, int n,
                      double *acc)
{
    n = whole(n, LANES);
    for (int j = 0; j < p; j += 4)
        dot[p - j < 4 ? p - j - 1 : 3](z + (size_t)j * LANES, p, res, n, acc + (size_t)j * LANES);
}

/* The last tiles of a row are as narrow as they must be; those of the last rows as low. */
INLINE void gram_with(tile_fn *const *tile, tile_fn *const *corner, int high, const double *z,
                      int p, const double *weight, int n, double *acc)
{
    const size_t ld = (size_t)p * LANES;

    n = whole(n, LANES);
    for (int i = 0; i < p; i += high)
        for (int j = i; j < p; j += 4) {
            int wide = p - j < 4 ? p - j : 4;
            tile_fn *f = p - i < high ? corner[p - i - 1] : tile[wide - 1];
            f(z + (size_t)i * LANES, z + (size_t)j * LANES, p, weight, n,
              acc + (size_t)i * ld + (size_t)j * LANES);
        }
}

#define CLONE(ISA, TARGET, NAME, PARAMS, ARGS)                                                     \
    TARGET static void NAME##_##ISA PARAMS                                                         \
    {                                                                                              \
        NAME##_body ARGS;                                                                          \
    }

#define DEFINE_KERNELS(ISA, TARGET, V, HIGH)                                                       \
    CLONE(ISA, TARGET, columns,                                                                    \
          (const double *x, int d, int n, const double *centre, const double *sign, double *z),    \
          (x, d, n, centre, sign, z))                                                              \
    CLONE(ISA, TARGET, binary,                                                                     \
          (const double *margin, int n, double *r, double *weight, double *line, double *factor),  \
          (margin, n, r, weight, line, factor))                                                    \
    CLONE(                                                                                         \
        ISA, TARGET, softmax,                                                                      \
        (double *eta, int k, const double *label, int n, double *r, double *line, double *factor), \
        (eta, k, label, n, r, line, factor))                                                       \
    CLONE(                                                                                         \
        ISA, TARGET, pair,                                                                         \
        (const double *a, const double *b, int same, const double *label, int n, double *weight),  \
        (a, b, same, label, n, weight))                                                            \
    CLONE(ISA, TARGET, sigmoid, (double *eta, int n), (eta, n))                                    \
    DEFINE_LOGITS(logits_##ISA, TARGET, V)                                                         \
    DEFINE_DOT(dot_##ISA##_1, TARGET, V, 1)                                                        \
    DEFINE_DOT(dot_##ISA##_2, TARGET, V, 2)                                                        \
    DEFINE_DOT(dot_##ISA##_3, TARGET, V, 3)                                                        \
    DEFINE_DOT(dot_##ISA##_4, TARGET, V, 4)                                                        \
    DEFINE_TILE(tile_##ISA##_1, TARGET, V, HIGH, 1)                                                \
    DEFINE_TILE(tile_##ISA##_2, TARGET, V, HIGH, 2)                                                \
    DEFINE_TILE(tile_##ISA##_3, TARGET, V, HIGH, 3)                                                \
    DEFINE_TILE(tile_##ISA##_4, TARGET, V, HIGH, 4)                                                \
    DEFINE_TILE(corner_##ISA##_1, TARGET, V, 1, 1)                                                 \
    DEFINE_TILE(corner_##ISA##_2, TARGET, V, 2, 2)                                                 \
    DEFINE_TILE(corner_##ISA##_3, TARGET, V, 3, 3)                                                 \
    static dot_fn *const dot_##ISA[] = { dot_##ISA##_1, dot_##ISA##_2, dot_##ISA##_3,              \
                                         dot_##ISA##_4 };                                          \
    static tile_fn *const tile_##ISA[] = { tile_##ISA##_1, tile_##ISA##_2, tile_##ISA##_3,         \
                                           tile_##ISA##_4 };                                       \
    static tile_fn *const corner_##ISA[] = { corner_##ISA##_1, corner_##ISA##_2,                   \
                                             corner_##ISA##_3 };                                   \
    static void dots_##ISA(const double *z, int p, const double *r, int n, double *acc)            \
    {                                                                                              \
        dots_with(dot_##ISA, z, p, r, n, acc);                                                     \
    }                                                                                              \
    static void gram_##ISA(const double *z, int p, const double *weight, int n, double *acc)       \
    {                                                                                              \
        gram_with(tile_##ISA, corner_##ISA, HIGH, z, p, weight, n, acc);                           \
    }                                                                                              \
    static const orr_logit_kernels kernels_##ISA = { columns_##ISA, logits_##ISA, binary_##ISA,    \
                                                     softmax_##ISA, pair_##ISA,   sigmoid_##ISA,   \
                                                     dots_##ISA,    gram_##ISA };

DEFINE_KERNELS(base, , v2, 2)

#if defined(__x86_64__)
#define AVX512_FEATURES "avx2,fma,bmi,bmi2,avx512f,avx512bw,avx512cd,avx512dq,avx512vl"
#if defined(__clang__)
#define AVX512 __attribute__((target(AVX512_FEATURES), min_vector_width(512)))
#else
#define AVX512 __attribute__((target(AVX512_FEATURES ",prefer-vector-width=512")))
#endif
#define AVX2 __attribute__((target("avx2,fma,bmi,bmi2")))

DEFINE_KERNELS(avx2, AVX2, v4, 2)
DEFINE_KERNELS(avx512, AVX512, v8, 4)

const orr_logit_kernels *orr_logit_kernels_get(void)
{
    int avx2 = ORR_ISA_MAX >= 1 && __builtin_cpu_supports("avx2") &&
               __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi") &&
               __builtin_cpu_supports("bmi2");

    if (avx2 && ORR_ISA_MAX >= 2 && __builtin_cpu_supports("avx512f") &&
        __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512cd") &&
        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl"))
        return &kernels_avx512;
    return avx2 ? &kernels_avx2 : &kernels_base;
}
#else
const orr_logit_kernels *orr_logit_kernels_get(void)
{
    return &kernels_base;
}
#endif
