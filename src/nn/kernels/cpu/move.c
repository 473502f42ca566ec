/* nn/kernels/cpu/move.c - adding, copying and transposing. */
#include "nn/isa_private.h"
#include "nn/kernels/cpu/cpu.h"

#include <string.h>

enum { SPAN = 1 << 15, TILE = 32, THREAD_WORK = 1 << 16 };

ORR_INLINE void add_span_body(size_t n, const float *a, const float *b, float *y)
{
    for (size_t i = 0; i < n; i++)
        y[i] = a[i] + b[i];
}
ORR_CLONES(add_span, (size_t n, const float *a, const float *b, float *y), (n, a, b, y))

void orr_cpu_add(orr_backend *be, size_t n, const float *a, const float *b, float *y)
{
    (void)be;
#pragma omp parallel for schedule(static) if (n > 2 * SPAN)
    for (size_t i = 0; i < n; i += SPAN)
        add_span(n - i < SPAN ? n - i : SPAN, a + i, b + i, y + i);
}

void orr_cpu_copy_channels(orr_backend *be, size_t rows, int n_c, const float *x, int x_stride,
                           float *y, int y_stride)
{
    (void)be;
#pragma omp parallel for schedule(static) if (rows * n_c > THREAD_WORK)
    for (size_t r = 0; r < rows; r++)
        memcpy(y + r * y_stride, x + r * x_stride, (size_t)n_c * sizeof *y);
}

static void transpose_tile(int rows, int cols, int r, int c, const float *x, float *y)
{
    int r_end = rows - r < TILE ? rows : r + TILE, c_end = cols - c < TILE ? cols : c + TILE;

    for (int i = r; i < r_end; i++)
        for (int j = c; j < c_end; j++)
            y[(size_t)j * rows + i] = x[(size_t)i * cols + j];
}

void orr_cpu_transpose(orr_backend *be, int n, int rows, int cols, const float *x, float *y)
{
    (void)be;
    const size_t size = (size_t)rows * cols;

#pragma omp parallel for schedule(static) if (n > 1 && n * size > THREAD_WORK)
    for (int i = 0; i < n; i++)
        for (int r = 0; r < rows; r += TILE)
            for (int c = 0; c < cols; c += TILE)
                transpose_tile(rows, cols, r, c, x + i * size, y + i * size);
}
