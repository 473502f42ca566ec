/* stats/blend.c - means of columns, of ranks, and by given weights. */
#include "stats/blend.h"

#include "core/memory.h"
#include "stats/argsort.h"
#include "stats/blend_check.h"

#include <math.h>
#include <string.h>

orr_status orr_blend_check(const double *x, int64_t n, int m, int k, int probabilities)
{
    if (n < 1 || m < 1 || k < 1)
        return orr_fail(ORR_ERR_ARG, "blend: %lld rows, %d models, %d columns; each at least 1",
                        (long long)n, m, k);
    for (int64_t i = 0; i < n * m * k; i++) {
        const int in_range = !probabilities || (x[i] >= 0 && x[i] <= 1);
        if (!isfinite(x[i]) || !in_range)
            return orr_fail(ORR_ERR_NUMERIC, "blend: row %lld, model %lld, column %lld is %g, %s",
                            (long long)(i / m / k), (long long)(i / k % m), (long long)(i % k),
                            x[i], isfinite(x[i]) ? "no probability" : "not finite");
    }
    return ORR_OK;
}

orr_status orr_blend_mean(const double *x, int64_t n, int m, int k, double *out)
{
    ORR_TRY(orr_blend_check(x, n, m, k, 0));
    for (int64_t i = 0; i < n; i++, x += (int64_t)m * k, out += k)
        for (int c = 0; c < k; c++) {
            double sum = 0;
            for (int j = 0; j < m; j++)
                sum += x[(int64_t)j * k + c];
            out[c] = sum / m;
        }
    return ORR_OK;
}

orr_status orr_blend_weighted(const double *x, int64_t n, int m, int k, const double *weight,
                              double *out)
{
    ORR_TRY(orr_blend_check(x, n, m, k, 0));
    for (int j = 0; j < m; j++)
        if (!isfinite(weight[j]))
            return orr_fail(ORR_ERR_NUMERIC, "blend: the weight of model %d is not finite", j);
    for (int64_t i = 0; i < n; i++, x += (int64_t)m * k, out += k)
        for (int c = 0; c < k; c++) {
            double sum = 0;
            for (int j = 0; j < m; j++)
                sum += weight[j] * x[(int64_t)j * k + c];
            out[c] = sum;
        }
    return ORR_OK;
}

/* out[i * stride] += the rank of v[i] from 1, ties sharing the mean of theirs. */
static void add_ranks(const double *v, int64_t n, uint64_t *keys, uint64_t *scratch, double *out,
                      int stride)
{
    orr_argsort(v, n, keys, scratch);
    for (int64_t i = 0, end; i < n; i = end) {
        for (end = i + 1;
             end < n && v[orr_argsort_index(keys[end])] == v[orr_argsort_index(keys[i])]; end++)
            ;
        for (int64_t t = i; t < end; t++)
            out[(int64_t)orr_argsort_index(keys[t]) * stride] += 0.5 * (double)(i + 1 + end);
    }
}

orr_status orr_blend_ranks(const double *x, int64_t n, int m, int k, double *out)
{
    orr_status st = ORR_OK;
    double *column = NULL;
    uint64_t *keys = NULL;

    if (n > INT32_MAX)
        return orr_fail(ORR_ERR_ARG, "blend: ranks of %lld rows; at most 2^31 - 1", (long long)n);
    ORR_TRY(orr_blend_check(x, n, m, k, 0));
    column = orr_alloc((size_t)n, sizeof *column);
    keys = orr_alloc(2 * (size_t)n, sizeof *keys);
    if (!column || !keys) {
        st = orr_fail(ORR_ERR_NOMEM, "blend: no memory to rank %lld rows", (long long)n);
        goto done;
    }
    memset(out, 0, (size_t)n * (size_t)k * sizeof *out);
    for (int j = 0; j < m; j++)
        for (int c = 0; c < k; c++) {
            for (int64_t i = 0; i < n; i++)
                column[i] = x[(i * m + j) * k + c];
            add_ranks(column, n, keys, keys + n, out + c, k);
        }
    for (int64_t i = 0; i < n * k; i++)
        out[i] /= (double)n * m;
done:
    orr_free(column);
    orr_free(keys);
    return st;
}
