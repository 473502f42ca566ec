/* nn/kernels/cpu/max_pool.c - maximum pooling, vectors over channels.
 *
 * With fewer channels than lanes a pixel is still one vector: what it spoils beyond its channels
 * belongs to the next pixel, which is written next.  Windows that reach into the padding, and the
 * last pixels of a sample, go channel by channel. */
#include "nn/isa_private.h"
#include "nn/kernels/cpu/cpu.h"

#include <math.h>
#include <string.h>

enum { THREAD_WORK = 1 << 15 };

/* n windows inside the image, one after another: c channels each, vectors of LANES, the last of
 * which overlaps. x: first window's first pixel. */
typedef void (*pool_forward)(const orr_pool_shape *s, int n, const float *x, float *y,
                             uint16_t *arg);
/* One row of pixels of n windows side by side: dx = dy where arg is place, place + 1 ..., else 0.
 */
typedef void (*pool_backward)(const orr_pool_shape *s, int n, int place, const float *dy,
                              const uint16_t *arg, float *dx);

#define DEFINE_POOL(ISA, TARGET, V, VI, VU)                                                        \
    TARGET static void forward_##ISA(const orr_pool_shape *s, int n, const float *x, float *y,     \
                                     uint16_t *arg)                                                \
    {                                                                                              \
        enum { LANES = sizeof(V) / sizeof(float) };                                                \
        const int n_c = s->c, rows = s->r, cols = s->s;                                            \
        const size_t pitch = (size_t)s->w * n_c, step = (size_t)s->stride_w * n_c;                 \
        for (int q = 0; q < n; q++, x += step, y += n_c, arg += n_c)                               \
            for (int c = 0; c < n_c; c += LANES) {                                                 \
                const int at = c + LANES > n_c && n_c > LANES ? n_c - LANES : c;                   \
                V best = *(const V *)(x + at);                                                     \
                VI place = { 0 };                                                                  \
                for (int i = 0, k = 0; i < rows; i++)                                              \
                    for (int j = 0; j < cols; j++, k++) {                                          \
                        V v = *(const V *)(x + i * pitch + (size_t)(j * n_c + at));                \
                        VI wins = (VI)(v > best) | ((VI)(v != v) & (VI)(best == best));            \
                        best = (V)(((VI)v & wins) | ((VI)best & ~wins));                           \
                        place = (((VI){ 0 } + k) & wins) | (place & ~wins);                        \
                    }                                                                              \
                *(V *)(y + at) = best;                                                             \
                *(VU *)(arg + at) = __builtin_convertvector(place, VU);                            \
            }                                                                                      \
    }                                                                                              \
    TARGET static void backward_##ISA(const orr_pool_shape *s, int n, int place, const float *dy,  \
                                      const uint16_t *arg, float *dx)                              \
    {                                                                                              \
        enum { LANES = sizeof(V) / sizeof(float) };                                                \
        const int n_c = s->c, cols = s->s;                                                         \
        for (int q = 0; q < n; q++, dy += n_c, arg += n_c)                                         \
            for (int j = 0; j < cols; j++, dx += n_c)                                              \
                for (int c = 0; c < n_c; c += LANES) {                                             \
                    const int at = c + LANES > n_c && n_c > LANES ? n_c - LANES : c;               \
                    VI wins = __builtin_convertvector(*(const VU *)(arg + at), VI) ==              \
                              (VI){ 0 } + (place + j);                                             \
                    *(V *)(dx + at) = (V)((VI) * (const V *)(dy + at) & wins);                     \
                }                                                                                  \
    }

DEFINE_POOL(base, , orr_f4, orr_i4, orr_u4)
#if defined(__x86_64__)
DEFINE_POOL(avx2_4, ORR_AVX2, orr_f4, orr_i4, orr_u4)
DEFINE_POOL(avx2_8, ORR_AVX2, orr_f8, orr_i8, orr_u8)
DEFINE_POOL(avx512_8, ORR_AVX512, orr_f8, orr_i8, orr_u8)
DEFINE_POOL(avx512_16, ORR_AVX512, orr_f16, orr_i16, orr_u16)
#endif

typedef struct pool_kernels {
    int lanes;
    pool_forward forward;
    pool_backward backward;
} pool_kernels;

static pool_kernels pool_kernels_get(int c)
{
#if defined(__x86_64__)
    orr_isa isa = orr_cpu_isa();
    if (isa != ORR_ISA_BASE && c <= 4) return (pool_kernels){ 4, forward_avx2_4, backward_avx2_4 };
    if (isa == ORR_ISA_AVX512 && c > 8)
        return (pool_kernels){ 16, forward_avx512_16, backward_avx512_16 };
    if (isa == ORR_ISA_AVX512) return (pool_kernels){ 8, forward_avx512_8, backward_avx512_8 };
    if (isa == ORR_ISA_AVX2) return (pool_kernels){ 8, forward_avx2_8, backward_avx2_8 };
#endif
    (void)c;
    return (pool_kernels){ 4, forward_base, backward_base };
}

/* One window that may be cut off by the border, channel by channel. */
static void cut_window(const orr_pool_shape *s, int row, int col, const float *x, float *y,
                       uint16_t *arg)
{
    for (int c = 0; c < s->c; c++) {
        float best = -INFINITY;
        int place = -1;
        for (int i = 0; i < s->r; i++)
            for (int j = 0; j < s->s; j++) {
                if (row + i < 0 || row + i >= s->h || col + j < 0 || col + j >= s->w) continue;
                float v = x[((size_t)(row + i) * s->w + col + j) * s->c + c];
                if (place >= 0 && !(v > best) && !(isnan(v) && !isnan(best))) continue;
                best = v;
                place = i * s->s + j;
            }
        y[c] = best;
        arg[c] = (uint16_t)(place < 0 ? 0 : place);
    }
}

/* How many of n windows in a row, from the first, may be stored as whole vectors: reads and writes
 * stay in the sample. */
static int whole_windows(const orr_pool_shape *s, int spoil, int n, size_t in_left, size_t out_left)
{
    const size_t reach = ((size_t)(s->r - 1) * s->w + s->s) * s->c + spoil;

    while (n > 0 && ((size_t)(n - 1) * s->stride_w * s->c + reach > in_left ||
                     (size_t)n * s->c + spoil > out_left))
        n--;
    return n;
}

static void forward_sample(const orr_pool_shape *s, const pool_kernels *k, const float *x, float *y,
                           uint16_t *arg)
{
    const size_t in = (size_t)s->h * s->w * s->c, out = (size_t)s->ho * s->wo * s->c;
    const int spoil = s->c < k->lanes ? k->lanes - s->c : 0;
    const int first =
        (s->pad_left + s->stride_w - 1) / s->stride_w; /* window clear of the left border */
    const int right = s->w + s->pad_left - s->s;

    for (int p = 0; p < s->ho; p++) {
        const int row = p * s->stride_h - s->pad_top;
        int last = right < 0 ? 0 : right / s->stride_w + 1, n = 0;
        if (last > s->wo) last = s->wo;
        if (row >= 0 && row + s->r <= s->h && first < last) {
            size_t i = ((size_t)row * s->w + first * s->stride_w - s->pad_left) * s->c;
            size_t o = ((size_t)p * s->wo + first) * s->c;
            n = whole_windows(s, spoil, last - first, in - i, out - o);
            k->forward(s, n, x + i, y + o, arg + o);
        }
        for (int q = 0; q < s->wo; q++) { /* what is left, and what the last vector spoiled */
            size_t o = ((size_t)p * s->wo + q) * s->c;
            if (q < first || q >= first + n)
                cut_window(s, row, q * s->stride_w - s->pad_left, x, y + o, arg + o);
        }
    }
}

void orr_cpu_max_pool_forward(orr_backend *be, int n, const orr_pool_shape *s, const float *x,
                              float *y, uint16_t *arg)
{
    (void)be;
    const pool_kernels k = pool_kernels_get(s->c);
    const size_t in = (size_t)s->h * s->w * s->c, out = (size_t)s->ho * s->wo * s->c;

#pragma omp parallel for schedule(static) if (n > 1 && n * in > THREAD_WORK)
    for (int i = 0; i < n; i++)
        forward_sample(s, &k, x + i * in, y + i * out, arg + i * out);
}

/* Windows that tile the image: every input pixel is written once, in order. */
static void backward_tiled(const orr_pool_shape *s, const pool_kernels *k, const float *dy,
                           const uint16_t *arg, float *dx)
{
    const size_t in = (size_t)s->h * s->w * s->c, out = (size_t)s->ho * s->wo * s->c,
                 row = (size_t)s->w * s->c;
    const size_t spoil = s->c < k->lanes ? (size_t)(k->lanes - s->c) : 0;

    for (int h = 0; h < s->ho * s->r; h++) {
        const size_t o = (size_t)(h / s->r) * s->wo * s->c;
        const int place = h % s->r * s->s;
        int n = s->wo;
        while (n > 0 && (o + (size_t)n * s->c + spoil > out ||
                         h * row + (size_t)n * s->s * s->c + spoil > in))
            n--;
        k->backward(s, n, place, dy + o, arg + o, dx + h * row);
        for (int col = n * s->s; col < s->wo * s->s; col++)
            for (int c = 0; c < s->c; c++) {
                size_t w = o + (size_t)(col / s->s) * s->c + c;
                dx[h * row + (size_t)col * s->c + c] = arg[w] == place + col % s->s ? dy[w] : 0.0f;
            }
        memset(dx + h * row + (size_t)s->wo * s->s * s->c, 0,
               (size_t)(s->w - s->wo * s->s) * s->c * sizeof *dx);
    }
    memset(dx + s->ho * s->r * row, 0, (in - s->ho * s->r * row) * sizeof *dx);
}

static void backward_any(const orr_pool_shape *s, const float *dy, const uint16_t *arg, float *dx)
{
    memset(dx, 0, (size_t)s->h * s->w * s->c * sizeof *dx);
    for (int p = 0; p < s->ho; p++)
        for (int q = 0; q < s->wo; q++, dy += s->c, arg += s->c)
            for (int c = 0; c < s->c; c++) {
                int row = p * s->stride_h - s->pad_top + arg[c] / s->s;
                int col = q * s->stride_w - s->pad_left + arg[c] % s->s;
                if (row >= 0 && row < s->h && col >= 0 && col < s->w)
                    dx[((size_t)row * s->w + col) * s->c + c] += dy[c];
            }
}

void orr_cpu_max_pool_backward(orr_backend *be, int n, const orr_pool_shape *s, const float *dy,
                               const uint16_t *arg, float *dx)
{
    (void)be;
    const pool_kernels k = pool_kernels_get(s->c);
    const size_t in = (size_t)s->h * s->w * s->c, out = (size_t)s->ho * s->wo * s->c;
    const int tiled = s->stride_h == s->r && s->stride_w == s->s && s->pad_top == 0 &&
                      s->pad_left == 0 && s->ho * s->r <= s->h && s->wo * s->s <= s->w;

#pragma omp parallel for schedule(static) if (n > 1 && n * in > THREAD_WORK)
    for (int i = 0; i < n; i++)
        if (tiled)
            backward_tiled(s, &k, dy + i * out, arg + i * out, dx + i * in);
        else
            backward_any(s, dy + i * out, arg + i * out, dx + i * in);
}
