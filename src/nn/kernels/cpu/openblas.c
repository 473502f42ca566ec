/* nn/kernels/cpu/openblas.c - dense layers by OpenBLAS: the only calls of it.
 *
 * Where OpenBLAS 0.3.21 is worth its packing, measured by bench/nn/kernels.c (speed of a call per
 * leaf over that of the own tiles, one thread, both on vectors of 16 floats; in brackets of 8):
 *
 *   leaf                    16            64            256
 *   forward    5664 x 500   0.6 (0.9)     1.1 (1.3)     1.2 (1.3)
 *              1024 x 1024  0.5 (1.2)     1.1 (1.4)     1.5 (1.6)
 *              4096 x 4096  0.8 (1.1)     1.2 (1.4)     1.3 (1.5)
 *   data       5664 x 500   0.5 (0.7)     0.8 (0.9)     0.8 (0.9)
 *              1024 x 1024  0.4 (1.5)     0.7 (1.8)     0.9 (1.8)
 *              4096 x 4096  0.9 (2.2)     1.4 (2.5)     1.4 (2.5)
 *   weights    5664 x 500   0.9 (1.0)     1.1 (1.1)     1.2 (1.2)
 *              1024 x 1024  0.9 (1.4)     1.0 (1.5)     1.1 (1.6)
 *              4096 x 4096  0.6 (1.0)     1.1 (1.6)     1.2 (1.8)
 *
 * An OpenBLAS that takes the processor for an older one, and so works on 8 floats where the tiles
 * work on 16, reaches 0.2 to 1.2 of their speed and gets nothing.  Weight gradients stay with the
 * tiles: the tree over a segment's leaves would need whole gradients to add up. */
#include "nn/kernels/cpu/openblas.h"

#include "nn/kernels/cpu/tile.h"

#include <cblas.h>
#include <string.h>
#include <strings.h>

enum {
    BLOCK = 128,        /* columns of the result that one call makes ... */
    MIN_COLUMNS = 1024, /* ... and eight such, so that a single leaf feeds eight threads */
    MIN_LEAF = 64,      /* samples that pay for packing the weights */
    MIN_SUM = 64,
    PAGE = 1024 /* floats */
};

/* Vectors as wide as the tiles' (by the name of its kernels: OpenBLAS does not tell otherwise), and
 * no threads of its own beside ours, which the pthreads build would start in every block. */
static int is_fit(int lanes)
{
    static const struct {
        const char *core;
        int lanes;
    } known[] = { { "SkylakeX", 16 },
                  { "Cooperlake", 16 },
                  { "SapphireRapids", 16 },
                  { "Haswell", 8 },
                  { "Zen", 8 } };
    const char *core = openblas_get_corename();
    int theirs = 4;

    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcasecmp(core, known[i].core) == 0) theirs = known[i].lanes;
    return theirs >= lanes && openblas_get_parallel() != OPENBLAS_THREAD;
}

int orr_blas_takes_forward(int n, int in, int out)
{
    return n >= MIN_LEAF && in >= MIN_SUM && out >= MIN_COLUMNS && is_fit(orr_tiles_get()->lanes);
}

/* The tiles walk down a strip of the weights.  When its rows lie whole pages apart they share a few
 * lines of each cache, and a long strip is fetched again for every six samples. */
int orr_blas_takes_backward_data(int n, int in, int out)
{
    if (n < MIN_LEAF || in < MIN_COLUMNS || in % PAGE != 0) return 0;
    const int lanes = orr_tiles_get()->lanes;
    return out >= 128 * lanes && is_fit(lanes);
}

typedef struct block {
    int first, n, column, width; /* samples and columns of the result */
} block;

/* Block u of the result's `columns`: all leaves of one block of columns come before the next. */
static block block_of(int u, int n_leaves, const int *leaf, int columns)
{
    const int i = u % n_leaves, column = u / n_leaves * BLOCK;

    return (block){ leaf[i], leaf[i + 1] - leaf[i], column,
                    columns - column < BLOCK ? columns - column : BLOCK };
}

void orr_blas_forward(int n_leaves, const int *leaf, int in, int out, const float *x,
                      const float *w, const float *bias, float *y)
{
    const int units = n_leaves * ((out + BLOCK - 1) / BLOCK);

    /* Within a parallel region, OpenBLAS starts no threads. */
#pragma omp parallel for schedule(static)
    for (int u = 0; u < units; u++) {
        const block k = block_of(u, n_leaves, leaf, out);
        float *to = y + (size_t)k.first * out + k.column;
        for (int s = 0; bias && s < k.n; s++)
            memcpy(to + (size_t)s * out, bias + k.column, (size_t)k.width * sizeof *to);
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, k.n, k.width, in, 1.0f,
                    x + (size_t)k.first * in, in, w + (size_t)k.column * in, in, bias ? 1.0f : 0.0f,
                    to, out);
    }
}

void orr_blas_backward_data(int n_leaves, const int *leaf, int in, int out, const float *dy,
                            const float *w, float *dx)
{
    const int units = n_leaves * ((in + BLOCK - 1) / BLOCK);

#pragma omp parallel for schedule(static)
    for (int u = 0; u < units; u++) {
        const block k = block_of(u, n_leaves, leaf, in);
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, k.n, k.width, out, 1.0f,
                    dy + (size_t)k.first * out, out, w + k.column, in, 0.0f,
                    dx + (size_t)k.first * in + k.column, in);
    }
}
