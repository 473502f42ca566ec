/* nn/kernels/cpu/pointwise.c - PReLU, softmax and dropout.
 * Sources: PReLU, He et al. 2015; dropout, Srivastava et al. 2014. */
#include "core/rng.h"
#include "nn/kernels/cpu/block_exp.h"
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

void orr_cpu_prelu_forward(size_t rows, int c, int shared, const float *x, const float *w, float *y)
{
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

void orr_cpu_prelu_backward(const orr_batch *b, size_t rows_per_sample, int c, int shared,
                            const float *x, const float *w, const float *dy, float *dx,
                            float *const *dw, float *scratch)
{
    const size_t width = shared ? 1 : (size_t)c, size = rows_per_sample * c;

#pragma omp parallel for schedule(static) if (b->n_leaves > 1 && b->n * size > THREAD_WORK)
    for (int l = 0; l < b->n_leaves; l++)
        prelu_leaf((size_t)(b->leaf[l + 1] - b->leaf[l]) * rows_per_sample, c, shared,
                   x + b->leaf[l] * size, dy + b->leaf[l] * size, scratch + l * width);
    for (int r = 0; r < b->n_runs; r++)
        orr_leaf_sum_f32(dw[r], scratch + b->run[r] * width, width, b->run[r + 1] - b->run[r],
                         width);
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

void orr_cpu_softmax_forward(size_t rows, int c, const float *x, float *y)
{
#pragma omp parallel for schedule(static) if (rows > 1 && rows * c > THREAD_WORK)
    for (size_t r = 0; r < rows; r++)
        softmax_row(c, x + r * c, y + r * c);
}

void orr_cpu_softmax_backward(size_t rows, int c, const float *y, const float *dy, float *dx)
{
#pragma omp parallel for schedule(static) if (rows > 1 && rows * c > THREAD_WORK)
    for (size_t r = 0; r < rows; r++) {
        double dot = 0;
        for (size_t j = r * c; j < (r + 1) * c; j++)
            dot += (double)y[j] * (double)dy[j];
        for (size_t j = r * c; j < (r + 1) * c; j++)
            dx[j] = (float)((double)y[j] * ((double)dy[j] - dot));
    }
}

static void dropout_sample(uint64_t key, size_t n, double p, const float *x, float *y)
{
    const uint32_t limit = (uint32_t)ceil(p * 0x1p24); /* orr_rng_unit(w) < p, in whole numbers */
    const float keep = (float)(1.0 / (1.0 - p));
    size_t j = 0;

    for (; j + 4 <= n; j += 4) {
        const orr_philox block = orr_rng_block(key, j / 4);
        for (int k = 0; k < 4; k++)
            y[j + k] = block.v[k] >> 8 < limit ? 0.0f : x[j + k] * keep;
    }
    if (j < n) {
        const orr_philox block = orr_rng_block(key, j / 4);
        for (int k = 0; j < n; j++, k++)
            y[j] = block.v[k] >> 8 < limit ? 0.0f : x[j] * keep;
    }
}

void orr_cpu_dropout(const orr_batch *b, size_t per_sample, double p, int layer, const float *x,
                     float *y)
{
#pragma omp parallel for schedule(static) if (b->n > 1 && b->n * per_sample > THREAD_WORK / 8)
    for (int i = 0; i < b->n; i++)
        dropout_sample(orr_rng_key(b->keys[i], ORR_RNG_DROPOUT, (uint64_t)layer, 0, 0), per_sample,
                       p, x + i * per_sample, y + i * per_sample);
}
