/* nn/kernels/host.c - moving numbers in the host's memory, losses, and what follows from moments.
 */
#include "nn/kernels/host.h"

#include <math.h>
#include <string.h>

void orr_host_clear(orr_backend *be, void *p, size_t bytes)
{
    (void)be;
    memset(p, 0, bytes);
}

void orr_host_copy(orr_backend *be, void *to, const void *from, size_t bytes)
{
    (void)be;
    if (bytes) memcpy(to, from, bytes);
}

/* Everything is done when it has been asked for. */
int64_t orr_host_mark(orr_backend *be)
{
    (void)be;
    return 0;
}

orr_status orr_host_reached(orr_backend *be, int64_t mark)
{
    (void)be;
    (void)mark;
    return ORR_OK;
}

orr_status orr_host_synchronise(orr_backend *be)
{
    (void)be;
    return ORR_OK;
}

void orr_host_norm_factors(orr_backend *be, size_t rows, int c, double eps, const double *mean,
                           const double *m2, orr_real *mean_out, orr_real *inv_std, orr_real *stat)
{
    (void)be;
    memset(stat, 0, (2 * (size_t)c + 1) * sizeof *stat);
    if (rows == 0) return;
    for (int j = 0; j < c; j++) {
        mean_out[j] = stat[j] = (orr_real)mean[j];
        inv_std[j] = (orr_real)(1 / sqrt(m2[j] / (double)rows + eps));
        if (rows > 1) stat[c + j] = (orr_real)(m2[j] / (double)(rows - 1));
    }
    stat[2 * c] = rows > 1;
}

void orr_host_norm_inv_std(orr_backend *be, int c, double eps, const orr_real *var,
                           orr_real *inv_std)
{
    (void)be;
    for (int j = 0; j < c; j++)
        inv_std[j] = (orr_real)(1 / sqrt((double)var[j] + eps));
}

void orr_host_norm_means(orr_backend *be, int n, size_t rows, const double *sums, orr_real *rounded,
                         orr_real *means)
{
    (void)be;
    for (int j = 0; j < n; j++)
        rounded[j] = (orr_real)sums[j];
    for (int j = 0; means && j < n; j++)
        means[j] = (orr_real)(sums[j] / (double)rows);
}

void orr_host_norm_update(orr_backend *be, int c, double momentum, const orr_real *stat,
                          int n_leaves, orr_real *mean, orr_real *var)
{
    const double n_mean = n_leaves, n_var = (double)stat[2 * c];

    (void)be;
    for (int j = 0; j < c; j++) {
        if (n_mean > 0)
            mean[j] = (orr_real)((1 - momentum) * (double)mean[j] +
                                 momentum * ((double)stat[j] / n_mean));
        if (n_var > 0)
            var[j] = (orr_real)((1 - momentum) * (double)var[j] +
                                momentum * ((double)stat[c + j] / n_var));
    }
}

void orr_host_leaf_sum(orr_backend *be, orr_real *out, orr_real *in, size_t stride, int m, size_t n)
{
    (void)be;
    orr_leaf_sum(out, in, stride, m, n);
}

void orr_host_loss(orr_backend *be, const orr_loss *l, const orr_batch *b, const orr_real *x,
                   const int32_t *labels, const float *values, double *leaf_sums,
                   double *per_sample, orr_real *dx)
{
    (void)be;
    orr_loss_eval(l, b, x, labels, values, leaf_sums, per_sample, dx);
}

void orr_host_count_correct(orr_backend *be, const orr_loss *l, const orr_batch *b,
                            const orr_real *x, const int32_t *labels, double *right)
{
    (void)be;
    for (int leaf = 0; leaf < b->n_leaves; leaf++) {
        size_t first = (size_t)b->leaf[leaf];
        right[leaf] = orr_loss_count_correct(l, b->leaf[leaf + 1] - b->leaf[leaf],
                                             x + first * (size_t)l->outputs, labels + first);
    }
}
