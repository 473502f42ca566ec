/* nn/kernels/cpu/avg_pool.c - average pooling; loops over channels are innermost, for the compiler
 * to vectorise. */
#include "nn/kernels/cpu/cpu.h"
#include "nn/kernels/cpu/isa.h"

#include <string.h>

enum { THREAD_WORK = 1 << 15, CHANNELS = 256 };

typedef struct window {
    int row, row_end, col, col_end; /* inside the image */
    float divisor;
} window;

ORR_INLINE window window_at(const orr_pool_shape *s, int p, int q)
{
    int row = p * s->stride_h - s->pad_top, col = q * s->stride_w - s->pad_left;
    window w = { row < 0 ? 0 : row, row + s->r < s->h ? row + s->r : s->h, col < 0 ? 0 : col,
                 col + s->s < s->w ? col + s->s : s->w, 1.0f };
    int n_rows = w.row_end > w.row ? w.row_end - w.row : 0,
        n_cols = w.col_end > w.col ? w.col_end - w.col : 0;
    int count = s->count_padding ? s->r * s->s : n_rows * n_cols;

    w.divisor = count ? (float)count : 1.0f;
    return w;
}

ORR_INLINE void forward_sample_body(const orr_pool_shape *s, const float *x, float *y)
{
    double sum[CHANNELS];

    for (int p = 0; p < s->ho; p++)
        for (int q = 0; q < s->wo; q++, y += s->c) {
            window w = window_at(s, p, q);
            for (int from = 0; from < s->c; from += CHANNELS) {
                int n = s->c - from < CHANNELS ? s->c - from : CHANNELS;
                memset(sum, 0, (size_t)n * sizeof *sum);
                for (int i = w.row; i < w.row_end; i++)
                    for (int j = w.col; j < w.col_end; j++)
                        for (int c = 0; c < n; c++)
                            sum[c] += (double)x[((size_t)i * s->w + j) * s->c + from + c];
                for (int c = 0; c < n; c++)
                    y[from + c] = (float)(sum[c] / (double)w.divisor);
            }
        }
}
ORR_CLONES(forward_sample, (const orr_pool_shape *s, const float *x, float *y), (s, x, y))

ORR_INLINE void backward_sample_body(const orr_pool_shape *s, const float *dy, float *dx)
{
    for (int p = 0; p < s->ho; p++)
        for (int q = 0; q < s->wo; q++, dy += s->c) {
            window w = window_at(s, p, q);
            for (int i = w.row; i < w.row_end; i++)
                for (int j = w.col; j < w.col_end; j++)
                    for (int c = 0; c < s->c; c++)
                        dx[((size_t)i * s->w + j) * s->c + c] += dy[c] / w.divisor;
        }
}
ORR_CLONES(backward_sample, (const orr_pool_shape *s, const float *dy, float *dx), (s, dy, dx))

void orr_cpu_avg_pool_forward(int n, const orr_pool_shape *s, const float *x, float *y)
{
    const size_t in = (size_t)s->h * s->w * s->c, out = (size_t)s->ho * s->wo * s->c;

#pragma omp parallel for schedule(static) if (n > 1 && n * in > THREAD_WORK)
    for (int i = 0; i < n; i++)
        forward_sample(s, x + i * in, y + i * out);
}

void orr_cpu_avg_pool_backward(int n, const orr_pool_shape *s, const float *dy, float *dx)
{
    const size_t in = (size_t)s->h * s->w * s->c, out = (size_t)s->ho * s->wo * s->c;

#pragma omp parallel for schedule(static) if (n > 1 && n * in > THREAD_WORK)
    for (int i = 0; i < n; i++) {
        memset(dx + i * in, 0, in * sizeof *dx);
        backward_sample(s, dy + i * out, dx + i * in);
    }
}
