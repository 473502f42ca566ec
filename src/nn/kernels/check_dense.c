/* nn/kernels/check_dense.c - the fully connected layer, as its formulas read. */
#include "nn/kernels/check.h"

/* y[i][o] = bias[o] + sum_j x[i][j] w[o][j] */
void orr_check_linear_forward(orr_backend *be, const orr_batch *b, int in, int out,
                              const orr_real *x, const orr_real *w, const orr_real *bias,
                              orr_real *y)
{
    (void)be;
    for (int i = 0; i < b->n; i++) {
        for (int o = 0; o < out; o++) {
            const orr_real *xi = x + (size_t)i * (size_t)in, *wo = w + (size_t)o * (size_t)in;
            double sum = bias ? bias[o] : 0;
            for (int j = 0; j < in; j++)
                sum += (double)xi[j] * (double)wo[j];
            y[(size_t)i * (size_t)out + (size_t)o] = (orr_real)sum;
        }
    }
}

/* dx[i][j] = sum_o dy[i][o] w[o][j] */
void orr_check_linear_backward_data(orr_backend *be, const orr_batch *b, int in, int out,
                                    const orr_real *dy, const orr_real *w, orr_real *dx)
{
    (void)be;
    for (int i = 0; i < b->n; i++) {
        for (int j = 0; j < in; j++) {
            const orr_real *dyi = dy + (size_t)i * (size_t)out;
            double sum = 0;
            for (int o = 0; o < out; o++)
                sum += (double)dyi[o] * (double)w[(size_t)o * (size_t)in + (size_t)j];
            dx[(size_t)i * (size_t)in + (size_t)j] = (orr_real)sum;
        }
    }
}

/* One element of a segment's weight gradient: per leaf sum_i dy[i][o] x[i][j], rounded, then the
 * tree over leaves. */
static orr_real weight_gradient(const orr_batch *b, int segment, int in, int out,
                                const orr_real *x_j, const orr_real *dy_o)
{
    orr_real leaf[ORR_MAX_LEAVES], total;
    int first = b->segment[segment], m = b->segment[segment + 1] - first;

    for (int l = 0; l < m; l++) {
        double sum = 0;
        for (int i = b->leaf[first + l]; i < b->leaf[first + l + 1]; i++)
            sum += (double)dy_o[(size_t)i * (size_t)out] * (double)x_j[(size_t)i * (size_t)in];
        leaf[l] = (orr_real)sum;
    }
    orr_leaf_sum(&total, leaf, 1, m, 1);
    return total;
}

/* dw[segment][o][j] = tree over leaves of sum_i dy[i][o] x[i][j];  db[segment][o] = tree over
 * leaves of sum_i dy[i][o] */
void orr_check_linear_backward_params(orr_backend *be, const orr_batch *b, int in, int out,
                                      const orr_real *x, const orr_real *dy, orr_real *const *dw,
                                      orr_real *const *db)
{
    (void)be;
    for (int segment = 0; segment < b->n_segments; segment++) {
        for (int o = 0; o < out; o++) {
            for (int j = 0; j < in; j++)
                dw[segment][(size_t)o * (size_t)in + (size_t)j] =
                    weight_gradient(b, segment, in, out, x + j, dy + o);
        }
    }
    if (db) orr_check_bias_gradient(b, 1, out, dy, db);
}

void orr_check_bias_gradient(const orr_batch *b, size_t rows_per_sample, int k, const orr_real *dy,
                             orr_real *const *db)
{
    orr_real leaf[ORR_MAX_LEAVES];

    for (int segment = 0; segment < b->n_segments; segment++) {
        int first = b->segment[segment], m = b->segment[segment + 1] - first;
        for (int o = 0; o < k; o++) {
            for (int l = 0; l < m; l++) {
                size_t row = (size_t)b->leaf[first + l] * rows_per_sample;
                size_t end = (size_t)b->leaf[first + l + 1] * rows_per_sample;
                double sum = 0;
                for (; row < end; row++)
                    sum += (double)dy[row * (size_t)k + (size_t)o];
                leaf[l] = (orr_real)sum;
            }
            orr_leaf_sum(&db[segment][o], leaf, 1, m, 1);
        }
    }
}
