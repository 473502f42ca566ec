/* nn/kernels/check_pool.c - maximum and average pooling.  Padding never wins a maximum. */
#include "nn/kernels/check.h"

#include <math.h>

static size_t at(int i, int row, int n_rows, int col, int n_cols, int c, int n_c)
{
    return (((size_t)i * (size_t)n_rows + (size_t)row) * (size_t)n_cols + (size_t)col) *
               (size_t)n_c +
           (size_t)c;
}
static size_t x_at(const orr_pool_shape *s, int i, int row, int col, int c)
{
    return at(i, row, s->h, col, s->w, c, s->c);
}
static size_t y_at(const orr_pool_shape *s, int i, int p, int q, int c)
{
    return at(i, p, s->ho, q, s->wo, c, s->c);
}

static int inside(const orr_pool_shape *s, int row, int col)
{
    return row >= 0 && row < s->h && col >= 0 && col < s->w;
}

/* y[i][p][q][c] = max over the window's pixels inside x; arg = r*S + s of the first maximum, or of
 * the first NaN */
static void max_of_window(const orr_pool_shape *s, const orr_real *x, int i, int p, int q, int c,
                          orr_real *y, uint16_t *arg)
{
    orr_real best = (orr_real)-INFINITY;
    int place = -1;

    for (int j = 0; j < s->r * s->s; j++) {
        int row = p * s->stride_h - s->pad_top + j / s->s,
            col = q * s->stride_w - s->pad_left + j % s->s;
        if (!inside(s, row, col)) continue;
        orr_real v = x[x_at(s, i, row, col, c)];
        if (place >= 0 && !(v > best) && !(isnan(v) && !isnan(best))) continue;
        best = v;
        place = j;
    }
    *y = best;
    *arg = (uint16_t)(place < 0 ? 0 : place);
}

void orr_check_max_pool_forward(orr_backend *be, int n, const orr_pool_shape *s, const orr_real *x,
                                orr_real *y, uint16_t *arg)
{
    (void)be;
    for (int i = 0; i < n; i++) {
        for (int p = 0; p < s->ho; p++) {
            for (int q = 0; q < s->wo; q++) {
                for (int c = 0; c < s->c; c++) {
                    size_t j = y_at(s, i, p, q, c);
                    max_of_window(s, x, i, p, q, c, &y[j], &arg[j]);
                }
            }
        }
    }
}

/* The output row (or column) whose window holds input row `in` at place `k`; -1 when there is none.
 */
static int window_of(int in, int pad, int k, int stride, int out)
{
    int d = in + pad - k;

    return d >= 0 && d % stride == 0 && d / stride < out ? d / stride : -1;
}

/* Pixels of the window of output (p, q) that lie inside x, or all of them, as the shape says. */
static int divisor(const orr_pool_shape *s, int p, int q)
{
    int count = 0;

    if (s->count_padding) return s->r * s->s;
    for (int j = 0; j < s->r * s->s; j++)
        count += inside(s, p * s->stride_h - s->pad_top + j / s->s,
                        q * s->stride_w - s->pad_left + j % s->s);
    return count;
}

/* dx[i][row][col][c] = sum over windows (p,q) that hold the pixel of dy[i][p][q][c] times
 *   maximum: 1 when arg says this pixel, else 0;   average: 1 / divisor */
static double input_gradient(const orr_pool_shape *s, const orr_real *dy, const uint16_t *arg,
                             int i, int row, int col, int c)
{
    double sum = 0;

    for (int j = 0; j < s->r * s->s; j++) {
        int p = window_of(row, s->pad_top, j / s->s, s->stride_h, s->ho);
        int q = window_of(col, s->pad_left, j % s->s, s->stride_w, s->wo);
        if (p < 0 || q < 0) continue;
        size_t o = y_at(s, i, p, q, c);
        if (!arg)
            sum += (double)dy[o] / divisor(s, p, q);
        else if (arg[o] == j)
            sum += (double)dy[o];
    }
    return sum;
}

static void backward(int n, const orr_pool_shape *s, const orr_real *dy, const uint16_t *arg,
                     orr_real *dx)
{
    for (int i = 0; i < n; i++) {
        for (int row = 0; row < s->h; row++) {
            for (int col = 0; col < s->w; col++) {
                for (int c = 0; c < s->c; c++)
                    dx[x_at(s, i, row, col, c)] =
                        (orr_real)input_gradient(s, dy, arg, i, row, col, c);
            }
        }
    }
}

void orr_check_max_pool_backward(orr_backend *be, int n, const orr_pool_shape *s,
                                 const orr_real *dy, const uint16_t *arg, orr_real *dx)
{
    (void)be;
    backward(n, s, dy, arg, dx);
}

void orr_check_avg_pool_backward(orr_backend *be, int n, const orr_pool_shape *s,
                                 const orr_real *dy, orr_real *dx)
{
    (void)be;
    backward(n, s, dy, NULL, dx);
}

/* y[i][p][q][c] = sum over the window's pixels inside x / divisor; 0 for a window of padding alone
 */
static double mean_of_window(const orr_pool_shape *s, const orr_real *x, int i, int p, int q, int c)
{
    int count = divisor(s, p, q);
    double sum = 0;

    for (int j = 0; j < s->r * s->s; j++) {
        int row = p * s->stride_h - s->pad_top + j / s->s,
            col = q * s->stride_w - s->pad_left + j % s->s;
        if (inside(s, row, col)) sum += (double)x[x_at(s, i, row, col, c)];
    }
    return count ? sum / count : 0;
}

void orr_check_avg_pool_forward(orr_backend *be, int n, const orr_pool_shape *s, const orr_real *x,
                                orr_real *y)
{
    (void)be;
    for (int i = 0; i < n; i++) {
        for (int p = 0; p < s->ho; p++) {
            for (int q = 0; q < s->wo; q++) {
                for (int c = 0; c < s->c; c++)
                    y[y_at(s, i, p, q, c)] = (orr_real)mean_of_window(s, x, i, p, q, c);
            }
        }
    }
}
