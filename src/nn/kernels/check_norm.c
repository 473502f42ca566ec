/* nn/kernels/check_norm.c - the pieces of batch normalisation.  Source: Ioffe & Szegedy 2015,
 * algorithm 1. x[row][channel]; xhat = (x - mean) inv_std. */
#include "nn/kernels/check.h"

static double xhat(const orr_real *x, size_t row, int c, int j, const orr_real *mean,
                   const orr_real *inv_std)
{
    return ((double)x[row * (size_t)c + (size_t)j] - (double)mean[j]) * (double)inv_std[j];
}

/* mean[j] = sum_row x / rows;  m2[j] = sum_row (x - mean)^2;  both 0 without rows */
void orr_check_norm_moments(orr_backend *be, size_t rows, int c, const orr_real *x, double *mean,
                            double *m2)
{
    (void)be;
    for (int j = 0; j < c; j++) {
        double sum = 0, squares = 0;
        for (size_t row = 0; row < rows; row++)
            sum += (double)x[row * (size_t)c + (size_t)j];
        mean[j] = rows ? sum / (double)rows : 0;
        for (size_t row = 0; row < rows; row++) {
            double d = (double)x[row * (size_t)c + (size_t)j] - mean[j];
            squares += d * d;
        }
        m2[j] = squares;
    }
}

/* y = gamma xhat + beta */
void orr_check_norm_forward(orr_backend *be, size_t rows, int c, const orr_real *x,
                            const orr_real *mean, const orr_real *inv_std, const orr_real *gamma,
                            const orr_real *beta, orr_real *y)
{
    (void)be;
    for (size_t row = 0; row < rows; row++) {
        for (int j = 0; j < c; j++)
            y[row * (size_t)c + (size_t)j] =
                (orr_real)((double)gamma[j] * xhat(x, row, c, j, mean, inv_std) + (double)beta[j]);
    }
}

/* sum_dy[j] = sum_row dy;  sum_dy_xhat[j] = sum_row dy xhat */
void orr_check_norm_backward_sums(orr_backend *be, size_t rows, int c, const orr_real *x,
                                  const orr_real *mean, const orr_real *inv_std, const orr_real *dy,
                                  double *sum_dy, double *sum_dy_xhat)
{
    (void)be;
    for (int j = 0; j < c; j++) {
        double a = 0, b = 0;
        for (size_t row = 0; row < rows; row++) {
            double d = (double)dy[row * (size_t)c + (size_t)j];
            a += d;
            b += d * xhat(x, row, c, j, mean, inv_std);
        }
        sum_dy[j] = a;
        sum_dy_xhat[j] = b;
    }
}

/* dx = gamma inv_std (dy - mean_dy - xhat mean_dy_xhat) */
void orr_check_norm_backward_data(orr_backend *be, size_t rows, int c, const orr_real *x,
                                  const orr_real *mean, const orr_real *inv_std,
                                  const orr_real *gamma, const orr_real *mean_dy,
                                  const orr_real *mean_dy_xhat, const orr_real *dy, orr_real *dx)
{
    (void)be;
    for (size_t row = 0; row < rows; row++) {
        for (int j = 0; j < c; j++) {
            size_t e = row * (size_t)c + (size_t)j;
            double d = (double)dy[e] - (double)mean_dy[j] -
                       xhat(x, row, c, j, mean, inv_std) * (double)mean_dy_xhat[j];
            dx[e] = (orr_real)((double)gamma[j] * (double)inv_std[j] * d);
        }
    }
}
