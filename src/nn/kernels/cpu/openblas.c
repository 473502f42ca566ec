#include "nn/kernels/cpu/openblas.h"

#include <cblas.h>
#include <string.h>
#include <stdlib.h>

int orr_blas_block = 512;

void orr_blas_forward(const orr_batch *b, int in, int out, const float *x, const float *w,
                      const float *bias, float *y)
{
    const int BLOCK = orr_blas_block, blocks = (out + BLOCK - 1) / BLOCK, m = b->n_leaves;

#pragma omp parallel for schedule(static)
    for (int u = 0; u < blocks * m; u++) {
        const int o = u / m * BLOCK, width = out - o < BLOCK ? out - o : BLOCK, s = b->leaf[u % m],
                  n = b->leaf[u % m + 1] - s;
        float *to = y + (size_t)s * out + o;
        for (int i = 0; bias && i < n; i++)
            memcpy(to + (size_t)i * out, bias + o, (size_t)width * sizeof *to);
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, n, width, in, 1.0f,
                    x + (size_t)s * in, in, w + (size_t)o * in, in, bias ? 1.0f : 0.0f, to, out);
    }
}

void orr_blas_backward_data(const orr_batch *b, int in, int out, const float *dy, const float *w,
                            float *dx)
{
    const int BLOCK = orr_blas_block, blocks = (in + BLOCK - 1) / BLOCK, m = b->n_leaves;

#pragma omp parallel for schedule(static)
    for (int u = 0; u < blocks * m; u++) {
        const int k = u / m * BLOCK, width = in - k < BLOCK ? in - k : BLOCK, s = b->leaf[u % m],
                  n = b->leaf[u % m + 1] - s;
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, n, width, out, 1.0f,
                    dy + (size_t)s * out, out, w + k, in, 0.0f, dx + (size_t)s * in + k, in);
    }
}

void orr_blas_backward_weights(const orr_batch *b, int in, int out, const float *x,
                                     const float *dy, float *dw)
{
    const int BLOCK = orr_blas_block, blocks = (out + BLOCK - 1) / BLOCK, m = b->n_leaves;

#pragma omp parallel for schedule(static)
    for (int u = 0; u < blocks; u++) 
        for (int l = 0; l < m; l++) {
        const int o = u * BLOCK, width = out - o < BLOCK ? out - o : BLOCK, s = b->leaf[l],
                  n = b->leaf[l + 1] - s;
        cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, width, in, n, 1.0f,
                    dy + (size_t)s * out + o, out, x + (size_t)s * in, in, l ? 1.0f : 0.0f, dw + (size_t)o * in, in);
    }
}
