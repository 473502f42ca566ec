/* nn/kernels/cpu/avg_pool.c - average pooling; loops over channels are innermost, for the compiler
 * to vectorise. */
#include "nn/isa_private.h"
#include "nn/kernels/cpu/cpu.h"

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

/* y = (sum of the window's pixels) / divisor.  Up to four are added in float, more in double. */
ORR_INLINE void mean_of(int c, int n, const float *const *x, float divisor, float *y)
{
    const float scale = 1.0f / divisor;

    if (n == 4)
        for (int i = 0; i < c; i++)
            y[i] = ((x[0][i] + x[1][i]) + (x[2][i] + x[3][i])) * scale;
    else if (n == 2)
        for (int i = 0; i < c; i++)
            y[i] = (x[0][i] + x[1][i]) * scale;
    else
        for (int i = 0; i < c; i++)
            y[i] = n ? (n == 1 ? x[0][i] : (x[0][i] + x[1][i]) + x[2][i]) * scale : 0.0f;
}

ORR_INLINE void mean_wide(const orr_pool_shape *s, const window *w, const float *x, float *y)
{
    double sum[CHANNELS];

    for (int from = 0; from < s->c; from += CHANNELS) {
        int n = s->c - from < CHANNELS ? s->c - from : CHANNELS;
        memset(sum, 0, (size_t)n * sizeof *sum);
        for (int i = w->row; i < w->row_end; i++)
            for (int j = w->col; j < w->col_end; j++)
                for (int c = 0; c < n; c++)
                    sum[c] += (double)x[((size_t)i * s->w + j) * s->c + from + c];
        for (int c = 0; c < n; c++)
            y[from + c] = (float)(sum[c] / (double)w->divisor);
    }
}

ORR_INLINE void forward_sample_body(const orr_pool_shape *s, const float *x, float *y)
{
    for (int p = 0; p < s->ho; p++)
        for (int q = 0; q < s->wo; q++, y += s->c) {
            const window w = window_at(s, p, q);
            const float *pixels[4];
            int n = 0;
            if (s->r * s->s > 4) {
                mean_wide(s, &w, x, y);
                continue;
            }
            for (int i = w.row; i < w.row_end; i++)
                for (int j = w.col; j < w.col_end; j++)
                    pixels[n++] = x + ((size_t)i * s->w + j) * s->c;
            mean_of(s->c, n, pixels, w.divisor, y);
        }
}
ORR_CLONES(forward_sample, (const orr_pool_shape *s, const float *x, float *y), (s, x, y))

/* dx = sum of dy[i] * scale[i]: each pixel of dx is written once. */
ORR_INLINE void spread_of(int c, int n, const float *const *dy, const float *scale, float *dx)
{
    if (n == 1)
        for (int i = 0; i < c; i++)
            dx[i] = dy[0][i] * scale[0];
    else if (n == 2)
        for (int i = 0; i < c; i++)
            dx[i] = dy[0][i] * scale[0] + dy[1][i] * scale[1];
    else if (n == 4)
        for (int i = 0; i < c; i++)
            dx[i] = (dy[0][i] * scale[0] + dy[1][i] * scale[1]) +
                    (dy[2][i] * scale[2] + dy[3][i] * scale[3]);
    else
        memset(dx, 0, (size_t)c * sizeof *dx);
}

/* Windows [first, end) that cover a place. */
typedef struct cover {
    int first, end;
} cover;

ORR_INLINE cover cover_at(int i, int pad, int size, int stride, int out)
{
    const int at = i + pad;
    cover c = { at < size ? 0 : (at - size) / stride + 1, at / stride + 1 };

    if (c.end > out) c.end = out;
    return c;
}

/* A pixel under at most four windows. */
ORR_INLINE void backward_pixel(const orr_pool_shape *s, const cover *rows, const cover *cols,
                               const float *dy, float *dx)
{
    const float *part[4];
    float scale[4];
    int n = 0;

    for (int p = rows->first; p < rows->end; p++)
        for (int q = cols->first; q < cols->end; q++, n++) {
            part[n] = dy + ((size_t)p * s->wo + q) * s->c;
            scale[n] = 1.0f / window_at(s, p, q).divisor;
        }
    if (n == 3) {
        part[3] = part[2];
        scale[n++] = 0;
    }
    spread_of(s->c, n, part, scale, dx);
}

ORR_INLINE void gather_sample(const orr_pool_shape *s, const float *dy, float *dx)
{
    for (int i = 0; i < s->h; i++) {
        const cover rows = cover_at(i, s->pad_top, s->r, s->stride_h, s->ho);
        for (int j = 0; j < s->w; j++, dx += s->c) {
            const cover cols = s->stride_w == 1
                                   ? cover_at(j, s->pad_left, s->s, 1, s->wo)
                                   : cover_at(j, s->pad_left, s->s, s->stride_w, s->wo);
            backward_pixel(s, &rows, &cols, dy, dx);
        }
    }
}

/* Windows beside one another: each writes its own pixels. */
ORR_INLINE void fill_sample(const orr_pool_shape *s, const float *dy, float *dx)
{
    if (s->ho * s->stride_h < s->h + s->pad_top || s->wo * s->stride_w < s->w + s->pad_left ||
        s->r != s->stride_h || s->s != s->stride_w)
        memset(dx, 0, (size_t)s->h * s->w * s->c * sizeof *dx);
    for (int p = 0; p < s->ho; p++)
        for (int q = 0; q < s->wo; q++, dy += s->c) {
            const window w = window_at(s, p, q);
            const float scale = 1.0f / w.divisor;
            for (int i = w.row; i < w.row_end; i++)
                for (int j = w.col; j < w.col_end; j++)
                    spread_of(s->c, 1, &dy, &scale, dx + ((size_t)i * s->w + j) * s->c);
        }
}

ORR_INLINE void backward_sample_body(const orr_pool_shape *s, const float *dy, float *dx)
{
    const int windows = ((s->r + s->stride_h - 1) / s->stride_h) *
                        ((s->s + s->stride_w - 1) / s->stride_w); /* over one pixel, at most */

    if (windows == 1) {
        fill_sample(s, dy, dx);
        return;
    }
    if (windows <= 4) {
        gather_sample(s, dy, dx);
        return;
    }
    memset(dx, 0, (size_t)s->h * s->w * s->c * sizeof *dx);
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

void orr_cpu_avg_pool_forward(orr_backend *be, int n, const orr_pool_shape *s, const float *x,
                              float *y)
{
    (void)be;
    const size_t in = (size_t)s->h * s->w * s->c, out = (size_t)s->ho * s->wo * s->c;

#pragma omp parallel for schedule(static) if (n > 1 && n * in > THREAD_WORK)
    for (int i = 0; i < n; i++)
        forward_sample(s, x + i * in, y + i * out);
}

void orr_cpu_avg_pool_backward(orr_backend *be, int n, const orr_pool_shape *s, const float *dy,
                               float *dx)
{
    (void)be;
    const size_t in = (size_t)s->h * s->w * s->c, out = (size_t)s->ho * s->wo * s->c;

#pragma omp parallel for schedule(static) if (n > 1 && n * in > THREAD_WORK)
    for (int i = 0; i < n; i++)
        backward_sample(s, dy + i * out, dx + i * in);
}
