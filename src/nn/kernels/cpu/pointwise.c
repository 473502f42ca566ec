/* nn/kernels/cpu/pointwise.c - PReLU, softmax and dropout.
 * Sources: PReLU, He et al. 2015; dropout, Srivastava et al. 2014. */
#include "core/rng.h"
#include "nn/block_exp_private.h"
#include "nn/kernels/cpu/cpu.h"

#include <math.h>

enum { THREAD_WORK = 1 << 15, CHANNELS = 64 };

ORR_INLINE void prelu_rows_body(size_t rows, int c, int step, const float *x, const float *w,
                                float *y)
{
    for (size_t r = 0; r < rows; r++)
        for (int j = 0; j < c; j++)
            y[r * c + j] = x[r * c + j] <= 0.0f ? w[j * step] * x[r * c + j] : x[r * c + j];
}
ORR_CLONES(prelu_rows, (size_t rows, int c, int step, const float *x, const float *w, float *y),
           (rows, c, step, x, w, y))

void orr_cpu_prelu_forward(orr_backend *be, size_t rows, int c, int shared, const float *x,
                           const float *w, float *y)
{
    (void)be;
    const size_t span = 1 + THREAD_WORK / (size_t)c;

#pragma omp parallel for schedule(static) if (rows > 2 * span)
    for (size_t r = 0; r < rows; r += span)
        prelu_rows(rows - r < span ? rows - r : span, c, !shared, x + r * c, w, y + r * c);
}

ORR_INLINE void prelu_grad_body(size_t rows, int c, int step, const float *x, const float *w,
                                const float *dy, float *dx)
{
    for (size_t r = 0; r < rows; r++)
        for (int j = 0; j < c; j++)
            dx[r * c + j] = x[r * c + j] > 0.0f ? dy[r * c + j] : w[j * step] * dy[r * c + j];
}
ORR_CLONES(prelu_grad,
           (size_t rows, int c, int step, const float *x, const float *w, const float *dy,
            float *dx),
           (rows, c, step, x, w, dy, dx))

/* sum[j] += x dy where x <= 0, for `width` of the c channels */
ORR_INLINE void prelu_sums_body(size_t rows, int c, int width, const float *x, const float *dy,
                                double *sum)
{
    for (size_t r = 0; r < rows; r++)
        for (int j = 0; j < width; j++)
            sum[j] += x[r * c + j] > 0.0f ? 0.0 : (double)x[r * c + j] * (double)dy[r * c + j];
}
ORR_CLONES(prelu_sums,
           (size_t rows, int c, int width, const float *x, const float *dy, double *sum),
           (rows, c, width, x, dy, sum))

/* out[c], or out[1] when shared, of one leaf */
static void prelu_leaf(size_t rows, int c, int shared, const float *x, const float *dy, float *out)
{
    double sum[CHANNELS], total = 0;

    for (int j = 0; j < c; j += CHANNELS) {
        int width = c - j < CHANNELS ? c - j : CHANNELS;
        memset(sum, 0, sizeof sum);
        prelu_sums(rows, c, width, x + j, dy + j, sum);
        for (int k = 0; k < width; k++) {
            total += sum[k];
            if (!shared) out[j + k] = (float)sum[k];
        }
    }
    if (shared) *out = (float)total;
}

void orr_cpu_prelu_backward(orr_backend *be, const orr_batch *b, size_t rows_per_sample, int c,
                            int shared, const float *x, const float *w, const float *dy, float *dx,
                            float *const *dw, float *scratch)
{
    (void)be;
    const size_t width = shared ? 1 : (size_t)c, size = rows_per_sample * c;

#pragma omp parallel for schedule(static) if (b->n_leaves > 1 && b->n * size > THREAD_WORK)
    for (int l = 0; l < b->n_leaves; l++)
        prelu_leaf((size_t)(b->leaf[l + 1] - b->leaf[l]) * rows_per_sample, c, shared,
                   x + b->leaf[l] * size, dy + b->leaf[l] * size, scratch + l * width);
    for (int r = 0; r < b->n_segments; r++)
        orr_leaf_sum_f32(dw[r], scratch + b->segment[r] * width, width,
                         b->segment[r + 1] - b->segment[r], width);
    if (!dx) return;
#pragma omp parallel for schedule(static) if (b->n > 1 && b->n * size > THREAD_WORK)
    for (int i = 0; i < b->n; i++)
        prelu_grad(rows_per_sample, c, !shared, x + i * size, w, dy + i * size, dx + i * size);
}

/* y = e^(x - max) in blocks; returns the sum, in the order of the channels */
ORR_INLINE void exp_row_body(int c, const float *x, float max, float *y, double *sum)
{
    float block[ORR_BLOCK], out[ORR_BLOCK];

    *sum = 0;
    for (int j = 0; j < c; j += ORR_BLOCK) {
        int n = c - j < ORR_BLOCK ? c - j : ORR_BLOCK;
        for (int k = 0; k < ORR_BLOCK; k++)
            block[k] = 0;
        memcpy(block, x + j, (size_t)n * sizeof *x);
        for (int k = 0; k < ORR_BLOCK; k++)
            out[k] = orr_exp_one(block[k] - max);
        for (int k = 0; k < n; k++)
            *sum += (double)out[k];
        memcpy(y + j, out, (size_t)n * sizeof *y);
    }
}
ORR_CLONES(exp_row, (int c, const float *x, float max, float *y, double *sum), (c, x, max, y, sum))

static void softmax_row(int c, const float *x, float *y)
{
    float max = -INFINITY;
    double sum;

    for (int j = 0; j < c; j++)
        max = x[j] > max ? x[j] : max;
    exp_row(c, x, max, y, &sum);
    for (int j = 0; j < c; j++)
        y[j] = (float)((double)y[j] / sum);
}

void orr_cpu_softmax_forward(orr_backend *be, size_t rows, int c, const float *x, float *y)
{
    (void)be;
#pragma omp parallel for schedule(static) if (rows > 1 && rows * c > THREAD_WORK)
    for (size_t r = 0; r < rows; r++)
        softmax_row(c, x + r * c, y + r * c);
}

void orr_cpu_softmax_backward(orr_backend *be, size_t rows, int c, const float *y, const float *dy,
                              float *dx)
{
    (void)be;
#pragma omp parallel for schedule(static) if (rows > 1 && rows * c > THREAD_WORK)
    for (size_t r = 0; r < rows; r++) {
        double dot = 0;
        for (size_t j = r * c; j < (r + 1) * c; j++)
            dot += (double)y[j] * (double)dy[j];
        for (size_t j = r * c; j < (r + 1) * c; j++)
            dx[j] = (float)((double)y[j] * ((double)dy[j] - dot));
    }
}

/* Dropout draws Philox blocks for LANES (sample, block) pairs at once.  A 64-bit lane holds a
 * 32-bit word, so that a product needs no widening.  Lane by lane this is core/rng.h's
 * orr_philox4x32 and orr_rng_key: test_kernels_cpu holds it to the check table, which calls those.
 */
enum { LANES = 8, DROP_SAMPLES = 64 };
typedef uint64_t lanes __attribute__((vector_size(LANES * sizeof(uint64_t))));
typedef struct {
    lanes v[4];
} lanes4;

ORR_INLINE lanes4 philox_lanes(lanes4 c, lanes k0, lanes k1)
{
    const lanes none = { 0 };
    const lanes mask = none + 0xFFFFFFFFu;

    for (int i = 0; i < ORR_PHILOX_ROUNDS; i++) {
        const lanes p0 = c.v[0] * ORR_PHILOX_M0, p1 = c.v[2] * ORR_PHILOX_M1;
        c.v[0] = (p1 >> 32) ^ c.v[1] ^ k0;
        c.v[1] = p1 & mask;
        c.v[2] = (p0 >> 32) ^ c.v[3] ^ k1;
        c.v[3] = p0 & mask;
        k0 = (k0 + ORR_PHILOX_W0) & mask;
        k1 = (k1 + ORR_PHILOX_W1) & mask;
    }
    return c;
}

/* orr_rng_key(keys[i], ORR_RNG_DROPOUT, layer, 0, 0) of n <= DROP_SAMPLES samples, as two words. */
ORR_INLINE void drop_keys(int n, const uint64_t *keys, int layer, uint64_t (*out)[DROP_SAMPLES])
{
    const lanes none = { 0 };

    for (int at = 0; at < n; at += LANES) {
        lanes k0 = none, k1 = none;
        for (int l = 0; l < LANES && at + l < n; l++) {
            k0[l] = (uint32_t)keys[at + l];
            k1[l] = keys[at + l] >> 32;
        }
        lanes4 c = { { none + (uint64_t)(uint32_t)layer, none, none, none } };
        c = philox_lanes(c, k0, k1);
        c = philox_lanes(c, k0 ^ (uint64_t)ORR_RNG_DROPOUT, k1 ^ 0xFFFFFFFFu);
        for (int l = 0; l < LANES; l++) {
            out[0][at + l] = c.v[0][l];
            out[1][at + l] = c.v[1][l];
        }
    }
}

typedef struct {
    size_t per_sample;
    int layer;
    uint32_t limit; /* orr_rng_unit(w) < p, in whole numbers: w >> 8 below it */
    float keep;
} drop_args;

/* Elements of one block, at most 4. */
ORR_INLINE void drop_block(const drop_args *p, const uint64_t w[4], size_t n, const float *x,
                           float *y)
{
    if (n >= 4)
        for (int k = 0; k < 4; k++)
            y[k] = w[k] >> 8 < p->limit ? 0.0f : x[k] * p->keep;
    else
        for (size_t k = 0; k < n; k++)
            y[k] = w[k] >> 8 < p->limit ? 0.0f : x[k] * p->keep;
}

/* n <= DROP_SAMPLES samples */
ORR_INLINE void drop_samples_body(const drop_args *p, int n, const uint64_t *keys, const float *x,
                                  float *y)
{
    uint64_t key[2][DROP_SAMPLES], words[LANES][4];
    const size_t blocks = (p->per_sample + 3) / 4, all = blocks * (size_t)n;
    const lanes none = { 0 };
    size_t sample = 0, block = 0;

    drop_keys(n, keys, p->layer, key);
    for (size_t at = 0; at < all; at += LANES) {
        const int here = all - at < LANES ? (int)(all - at) : LANES;
        const size_t first_sample = sample, first_block = block;
        lanes k0 = none, k1 = none, c0 = none, c1 = none;
        for (int l = 0; l < here; l++) {
            k0[l] = key[0][sample];
            k1[l] = key[1][sample];
            c0[l] = (uint32_t)block;
            c1[l] = block >> 32;
            if (++block == blocks) {
                block = 0;
                sample++;
            }
        }
        const lanes4 c = philox_lanes((lanes4){ { c0, c1, none, none } }, k0, k1);
        for (int l = 0; l < LANES; l++)
            for (int k = 0; k < 4; k++)
                words[l][k] = c.v[k][l];
        sample = first_sample;
        block = first_block;
        for (int l = 0; l < here; l++) {
            const size_t j = sample * p->per_sample + 4 * block;
            drop_block(p, words[l], p->per_sample - 4 * block, x + j, y + j);
            if (++block == blocks) {
                block = 0;
                sample++;
            }
        }
    }
}
ORR_CLONES(drop_samples,
           (const drop_args *p, int n, const uint64_t *keys, const float *x, float *y),
           (p, n, keys, x, y))

void orr_cpu_dropout(orr_backend *be, const orr_batch *b, size_t per_sample, double p, int layer,
                     const float *x, float *y)
{
    (void)be;
    const drop_args args = { per_sample, layer, (uint32_t)ceil(p * 0x1p24),
                             (float)(1.0 / (1.0 - p)) };
    const int step = b->n * per_sample > THREAD_WORK ? 1 + b->n / 16 : DROP_SAMPLES;
    const int group = step < DROP_SAMPLES ? step : DROP_SAMPLES;

#pragma omp parallel for schedule(static) if (b->n > group)
    for (int i = 0; i < b->n; i += group)
        drop_samples(&args, b->n - i < group ? b->n - i : group, b->keys + i,
                     x + (size_t)i * per_sample, y + (size_t)i * per_sample);
}
