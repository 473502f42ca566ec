/* nn/kernels/cpu/linear_narrow.c - dense layers with fewer inputs than a vector has lanes: vectors
 * run over outputs. Such layers are tiny (two inputs, twenty outputs): what counts is that a call
 * takes microseconds. */
#include "nn/isa_private.h"
#include "nn/kernels/cpu/cpu.h"
#include "nn/kernels/cpu/leaf_stack_private.h"

#include <string.h>

enum { MAX_IN = 16, CHUNK = 64 };

/* t[k][j] = w[j][k]; j < width. */
static void load_columns(int in, int width, const float *w, float t[MAX_IN][CHUNK])
{
    for (int j = 0; j < width; j++)
        for (int k = 0; k < in; k++)
            t[k][j] = w[(size_t)j * in + k];
}

/* y[s][0..width) = sum over k of x[s][k] t[k] + bias */
ORR_INLINE void forward_chunk_body(int n, int in, int out, int width, const float *x,
                                   float t[MAX_IN][CHUNK], const float *bias, float *y)
{
    float sum[CHUNK];

    for (int s = 0; s < n; s++) {
        for (int j = 0; j < CHUNK; j++)
            sum[j] = 0.0f;
        for (int k = 0; k < in; k++)
            for (int j = 0; j < CHUNK; j++)
                sum[j] += x[(size_t)s * in + k] * t[k][j];
        for (int j = 0; j < CHUNK; j++)
            sum[j] += bias[j];
        memcpy(y + (size_t)s * out, sum, (size_t)width * sizeof *y);
    }
}
ORR_CLONES(forward_chunk,
           (int n, int in, int out, int width, const float *x, float t[MAX_IN][CHUNK],
            const float *bias, float *y),
           (n, in, out, width, x, t, bias, y))

void orr_cpu_narrow_forward(int n, int in, int out, const float *x, const float *w,
                            const float *bias, float *y)
{
    float t[MAX_IN][CHUNK] = { { 0 } }, offset[CHUNK] = { 0 };

    for (int o = 0; o < out; o += CHUNK) {
        int width = out - o < CHUNK ? out - o : CHUNK;
        load_columns(in, width, w + (size_t)o * in, t);
        if (bias) memcpy(offset, bias + o, (size_t)width * sizeof *bias);
        forward_chunk(n, in, out, width, x, t, offset, y + o);
    }
}

/* sum[k] += dy[j] w[j][k] for one chunk of outputs of one sample, rows of w padded to MAX_IN */
ORR_INLINE void backward_chunk_body(int width, const float *dy, float t[CHUNK][MAX_IN], float *sum)
{
    float acc[MAX_IN];

    memcpy(acc, sum, sizeof acc);
    for (int j = 0; j < width; j++)
        for (int k = 0; k < MAX_IN; k++)
            acc[k] += dy[j] * t[j][k];
    memcpy(sum, acc, sizeof acc);
}
ORR_CLONES(backward_chunk, (int width, const float *dy, float t[CHUNK][MAX_IN], float *sum),
           (width, dy, t, sum))

void orr_cpu_narrow_backward_data(int n, int in, int out, const float *dy, const float *w,
                                  float *dx)
{
    float t[CHUNK][MAX_IN] = { { 0 } }, sum[MAX_IN];

    for (int o = 0; o < out; o += CHUNK) {
        int width = out - o < CHUNK ? out - o : CHUNK;
        for (int j = 0; j < width; j++)
            memcpy(t[j], w + (size_t)(o + j) * in, (size_t)in * sizeof *w);
        for (int s = 0; s < n; s++) {
            memset(sum, 0, sizeof sum);
            if (o > 0) memcpy(sum, dx + (size_t)s * in, (size_t)in * sizeof *sum);
            backward_chunk(width, dy + (size_t)s * out + o, t, sum);
            memcpy(dx + (size_t)s * in, sum, (size_t)in * sizeof *sum);
        }
    }
}

/* sum[k][j] += x[s][k] dy[s][j] over n samples */
ORR_INLINE void weight_chunk_body(int n, int in, int out, int width, const float *x,
                                  const float *dy, float sum[MAX_IN][CHUNK])
{
    float row[CHUNK] = { 0 };

    for (int s = 0; s < n; s++) {
        memcpy(row, dy + (size_t)s * out, (size_t)width * sizeof *row);
        for (int k = 0; k < in; k++)
            for (int j = 0; j < CHUNK; j++)
                sum[k][j] += x[(size_t)s * in + k] * row[j];
    }
}
ORR_CLONES(weight_chunk,
           (int n, int in, int out, int width, const float *x, const float *dy,
            float sum[MAX_IN][CHUNK]),
           (n, in, out, width, x, dy, sum))

ORR_INLINE void add_chunk_body(int n, float *sum, const float *more)
{
    for (int j = 0; j < n; j++)
        sum[j] += more[j];
}
ORR_CLONES(add_chunk, (int n, float *sum, const float *more), (n, sum, more))

static void segment_weight(const orr_batch *b, int first, int m, int in, int out, int o,
                           const float *x, const float *dy, float *dw)
{
    float stack[ORR_LEAF_DEPTH + 1][MAX_IN][CHUNK];
    int width = out - o < CHUNK ? out - o : CHUNK;

    memset(stack[0], 0, sizeof stack[0]);
    for (int i = 0; i < m; i++) {
        int s = b->leaf[first + i], top = orr_leaf_held(i);
        memset(stack[top], 0, (size_t)in * sizeof stack[top][0]);
        weight_chunk(b->leaf[first + i + 1] - s, in, out, width, x + (size_t)s * in,
                     dy + (size_t)s * out + o, stack[top]);
        for (int a = orr_leaf_merges(i, m); a > 0; a--, top--)
            add_chunk(in * CHUNK, stack[top - 1][0], stack[top][0]);
    }
    for (int j = 0; j < width; j++)
        for (int k = 0; k < in; k++)
            dw[(size_t)(o + j) * in + k] = stack[0][k][j];
}

void orr_cpu_narrow_backward_weights(const orr_batch *b, int in, int out, const float *x,
                                     const float *dy, float *const *dw)
{
    for (int r = 0; r < b->n_segments; r++)
        for (int o = 0; o < out; o += CHUNK)
            segment_weight(b, b->segment[r], b->segment[r + 1] - b->segment[r], in, out, o, x, dy,
                           dw[r]);
}
