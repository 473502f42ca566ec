/* nn/kernels/check_pointwise.c - activations, PReLU, softmax, dropout, and moving numbers.  A NaN
 * that goes in comes out, save where dropout drops it. Sources: ELU, Clevert et al. 2016; SiLU,
 * Elfwing et al. 2018; PReLU, He et al. 2015; dropout, Srivastava et al. 2014. */
#include "nn/kernels/check.h"

#include "core/rng.h"

#include <math.h>

void orr_check_act_forward(orr_backend *be, const orr_activation *a, double alpha, size_t n,
                           const orr_real *x, orr_real *y)
{
    (void)be;
    for (size_t i = 0; i < n; i++)
        y[i] = (orr_real)a->value(alpha, (double)x[i]);
}

void orr_check_act_backward(orr_backend *be, const orr_activation *a, double alpha, size_t n,
                            const orr_real *from, const orr_real *dy, orr_real *dx)
{
    (void)be;
    for (size_t i = 0; i < n; i++)
        dx[i] = (orr_real)(a->slope(alpha, (double)from[i]) * (double)dy[i]);
}

/* y = x where x > 0, else w[channel] x */
void orr_check_prelu_forward(orr_backend *be, size_t rows, int c, int shared, const orr_real *x,
                             const orr_real *w, orr_real *y)
{
    (void)be;
    for (size_t i = 0; i < rows * (size_t)c; i++) {
        double slope_w = (double)w[shared ? 0 : i % (size_t)c];
        y[i] = (orr_real)((double)x[i] <= 0 ? slope_w * (double)x[i] : (double)x[i]);
    }
}

/* Leaf l: sum over its rows of x dy where x <= 0, of channel j, or of all channels when the slope
 * is shared */
static double prelu_leaf_gradient(const orr_batch *b, int l, size_t rows_per_sample, int c,
                                  int shared, int j, const orr_real *x, const orr_real *dy)
{
    size_t first = (size_t)b->leaf[l] * rows_per_sample * (size_t)c;
    size_t last = (size_t)b->leaf[l + 1] * rows_per_sample * (size_t)c;
    double sum = 0;

    for (size_t e = first + (size_t)j; e < last; e += shared ? 1 : (size_t)c)
        sum += (double)x[e] > 0 ? 0 : (double)x[e] * (double)dy[e];
    return sum;
}

/* dw[segment][j] = tree over leaves of sum x dy where x <= 0;  dx = dy where x > 0, else w dy.  dx
 * may be NULL. */
void orr_check_prelu_backward(orr_backend *be, const orr_batch *b, size_t rows_per_sample, int c,
                              int shared, const orr_real *x, const orr_real *w, const orr_real *dy,
                              orr_real *dx, orr_real *const *dw, orr_real *scratch)
{
    (void)be;
    int width = shared ? 1 : c;

    for (int l = 0; l < b->n_leaves; l++) {
        for (int j = 0; j < width; j++)
            scratch[(size_t)l * (size_t)width + (size_t)j] =
                (orr_real)prelu_leaf_gradient(b, l, rows_per_sample, c, shared, j, x, dy);
    }
    for (int segment = 0; segment < b->n_segments; segment++)
        orr_leaf_sum(dw[segment], scratch + (size_t)b->segment[segment] * (size_t)width,
                     (size_t)width, b->segment[segment + 1] - b->segment[segment], (size_t)width);
    for (size_t i = 0; dx && i < (size_t)b->n * rows_per_sample * (size_t)c; i++) {
        double slope_w = (double)w[shared ? 0 : i % (size_t)c];
        dx[i] = (orr_real)((double)x[i] > 0 ? (double)dy[i] : slope_w * (double)dy[i]);
    }
}

/* y[j] = e^(x[j] - max) / sum_k e^(x[k] - max) */
void orr_check_softmax_forward(orr_backend *be, size_t rows, int c, const orr_real *x, orr_real *y)
{
    (void)be;
    for (size_t row = 0; row < rows; row++, x += c, y += c) {
        double max = -INFINITY, sum = 0;
        for (int j = 0; j < c; j++)
            max = (double)x[j] > max ? (double)x[j] : max;
        for (int j = 0; j < c; j++)
            sum += exp((double)x[j] - max);
        for (int j = 0; j < c; j++)
            y[j] = (orr_real)(exp((double)x[j] - max) / sum);
    }
}

/* dx[j] = y[j] (dy[j] - sum_k y[k] dy[k]) */
void orr_check_softmax_backward(orr_backend *be, size_t rows, int c, const orr_real *y,
                                const orr_real *dy, orr_real *dx)
{
    (void)be;
    for (size_t row = 0; row < rows; row++, y += c, dy += c, dx += c) {
        double dot = 0;
        for (int j = 0; j < c; j++)
            dot += (double)y[j] * (double)dy[j];
        for (int j = 0; j < c; j++)
            dx[j] = (orr_real)((double)y[j] * ((double)dy[j] - dot));
    }
}

/* y[i][j] = 0 when u < p, else x[i][j] / (1 - p); u = word j % 4 of block j / 4 of the sample's
 * stream for the layer */
void orr_check_dropout(orr_backend *be, const orr_batch *b, size_t per_sample, double p, int layer,
                       const orr_real *x, orr_real *y)
{
    (void)be;
    for (int i = 0; i < b->n; i++) {
        uint64_t key = orr_rng_key(b->keys[i], ORR_RNG_DROPOUT, (uint64_t)layer, 0, 0);
        for (size_t j = 0; j < per_sample; j++) {
            size_t e = (size_t)i * per_sample + j;
            float u = orr_rng_unit(orr_rng_block(key, j / 4).v[j % 4]);
            y[e] = (double)u < p ? 0 : (orr_real)((double)x[e] / (1 - p));
        }
    }
}

/* y = a + b */
void orr_check_add(orr_backend *be, size_t n, const orr_real *a, const orr_real *b, orr_real *y)
{
    (void)be;
    for (size_t i = 0; i < n; i++)
        y[i] = a[i] + b[i];
}

/* y[row][j] = x[row][j], j < n_c, where rows lie x_stride and y_stride elements apart */
void orr_check_copy_channels(orr_backend *be, size_t rows, int n_c, const orr_real *x, int x_stride,
                             orr_real *y, int y_stride)
{
    (void)be;
    for (size_t row = 0; row < rows; row++) {
        for (int j = 0; j < n_c; j++)
            y[row * (size_t)y_stride + (size_t)j] = x[row * (size_t)x_stride + (size_t)j];
    }
}

/* y[i][col][row] = x[i][row][col] */
void orr_check_transpose(orr_backend *be, int n, int rows, int cols, const orr_real *x, orr_real *y)
{
    (void)be;
    size_t size = (size_t)rows * (size_t)cols;

    for (int i = 0; i < n; i++, x += size, y += size) {
        for (int r = 0; r < rows; r++) {
            for (int q = 0; q < cols; q++)
                y[(size_t)q * (size_t)rows + (size_t)r] = x[(size_t)r * (size_t)cols + (size_t)q];
        }
    }
}
