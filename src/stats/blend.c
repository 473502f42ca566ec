/* stats/blend.c - means of columns, of ranks, and by given weights; the weights on the simplex with
 * the least log loss.
 *
 * With l[i][j] the probability that model j gives to row i's class, minimise over a >= 0
 *     f(a) = -1/n sum_i log(sum_j a_j l[i][j]) + sum_j a_j:
 * at its minimum the a_j sum to 1, so the simplex needs no constraint of its own (Kim, Carbonetto,
 * Stephens & Anitescu 2020, prop. 3.2).  Primal-dual interior point (Boyd & Vandenberghe 2004,
 * sec. 11.7): with z the multipliers of a >= 0, each step solves
 *     (H + diag(z / a)) da = -grad + mu / a,    dz = mu / a - z - z da / a.
 * By convexity the loss at a / sum(a) is within max_j(1/n sum_i l[i][j] / p_i) - 1 of the least. */
#include "stats/blend.h"

#include "core/memory.h"
#include "stats/argsort_private.h"

#include <f77blas.h>
#include <float.h>
#include <math.h>
#include <omp.h>
#include <string.h>

enum { MAX_STEPS = 200 };
static const double proven = 1e-12, least_weight = 1e-9, centring = 0.1, to_boundary = 0.995;

/* ---- blends ---- */
/* Sizes, and every value: finite, and in [0, 1] when they are probabilities. */
static orr_status check(const double *x, int64_t n, int m, int k, int probabilities)
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
    ORR_TRY(check(x, n, m, k, 0));
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
    ORR_TRY(check(x, n, m, k, 0));
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
    ORR_TRY(check(x, n, m, k, 0));
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

/* ---- the best weights ---- */
typedef struct problem {
    const double *l; /* [n][m] */
    int64_t n;
    int m;
    double *a, *z, *gradient, *hessian, *step, *row;
} problem;

/* f, its gradient and (if wanted) its Hessian at a; returns the gap that proves how good a is. */
static double look(const problem *q, const double *a, int hessian)
{
    const int m = q->m;
    double most = 0;

    memset(q->gradient, 0, (size_t)m * sizeof *q->gradient);
    if (hessian) memset(q->hessian, 0, (size_t)m * (size_t)m * sizeof *q->hessian);
    for (int64_t i = 0; i < q->n; i++) {
        const double *l = q->l + i * m;
        double p = 0;
        for (int j = 0; j < m; j++)
            p += a[j] * l[j];
        p = 1 / p;
        for (int j = 0; j < m; j++) {
            q->row[j] = l[j] * p;
            q->gradient[j] -= q->row[j];
        }
        for (int j = 0; hessian && j < m; j++)
            for (int k = 0; k <= j; k++)
                q->hessian[(size_t)j * (size_t)m + (size_t)k] += q->row[j] * q->row[k];
    }
    for (int j = 0; j < m; j++) {
        most = fmax(most, -q->gradient[j] / (double)q->n);
        q->gradient[j] = q->gradient[j] / (double)q->n + 1;
        for (int k = 0; hessian && k <= j; k++)
            q->hessian[(size_t)j * (size_t)m + (size_t)k] /= (double)q->n;
    }
    return most - 1;
}

/* The step of a for this mu: LAPACK on one thread, so that its sums' order depends on nothing.
 * Row-major lower is column-major upper. */
static int solve(const problem *q, double mu)
{
    const int threads = omp_get_max_threads();
    char upper[] = "U";
    int m = q->m, one = 1, info;

    for (int j = 0; j < m; j++) {
        q->hessian[(size_t)j * (size_t)m + (size_t)j] += q->z[j] / q->a[j];
        q->step[j] = -q->gradient[j] + mu / q->a[j];
    }
    omp_set_num_threads(1);
    dpotrf_(upper, &m, q->hessian, &m, &info);
    if (info == 0) dpotrs_(upper, &m, &one, q->hessian, &m, q->step, &m, &info);
    omp_set_num_threads(threads);
    return info == 0;
}

/* Newton's step for a and z, cut where one of them would leave the positive numbers. */
static void advance(const problem *q, double mu)
{
    double t = 1;

    for (int j = 0; j < q->m; j++) {
        double dz = mu / q->a[j] - q->z[j] - q->z[j] * q->step[j] / q->a[j];
        q->row[j] = dz;
        if (q->step[j] < 0) t = fmin(t, -to_boundary * q->a[j] / q->step[j]);
        if (dz < 0) t = fmin(t, -to_boundary * q->z[j] / dz);
    }
    for (int j = 0; j < q->m; j++) {
        q->a[j] += t * q->step[j];
        q->z[j] += t * q->row[j];
    }
}

static void to_simplex(double *a, int m)
{
    double sum = 0;

    for (int j = 0; j < m; j++)
        sum += a[j];
    for (int j = 0; j < m; j++)
        a[j] /= sum;
}

static void minimise(const problem *q)
{
    const int m = q->m;

    for (int j = 0; j < m; j++)
        q->a[j] = q->z[j] = 1.0 / m;
    for (int i = 0; i < MAX_STEPS; i++) {
        double mu = 0, gap = look(q, q->a, 1);
        for (int j = 0; j < m; j++)
            mu += q->a[j] * q->z[j] / m;
        if (gap <= proven && mu <= 1e-3 * proven) break;
        if (!solve(q, centring * mu)) break;
        advance(q, centring * mu);
    }
    to_simplex(q->a, m);
    for (int j = 0; j < m; j++)
        if (q->a[j] < least_weight) q->a[j] = 0;
    to_simplex(q->a, m);
}

static orr_status true_class(const double *x, const int32_t *y, int64_t n, int m, int k, double *l)
{
    const int classes = k == 1 ? 2 : k;

    for (int64_t i = 0; i < n; i++) {
        if (y[i] < 0 || y[i] >= classes)
            return orr_fail(ORR_ERR_ARG, "blend: the label of row %lld is %d, not one of 0 to %d",
                            (long long)i, (int)y[i], classes - 1);
        for (int j = 0; j < m; j++) {
            const double *p = x + (i * m + j) * k;
            l[i * m + j] = fmax(k > 1 ? p[y[i]] : y[i] ? *p : 1 - *p, DBL_EPSILON);
        }
    }
    return ORR_OK;
}

orr_status orr_blend_weights(const double *x, const int32_t *y, int64_t n, int m, int k,
                             double *weight, double *loss)
{
    orr_status st = ORR_OK;
    double *l = NULL, *work = NULL, sum = 0;

    ORR_TRY(check(x, n, m, k, 1));
    l = orr_alloc((size_t)n * (size_t)m, sizeof *l);
    work = orr_alloc((size_t)m * ((size_t)m + 5), sizeof *work);
    if (!l || !work) {
        st =
            orr_fail(ORR_ERR_NOMEM, "blend: no memory for %lld rows of %d models", (long long)n, m);
        goto done;
    }
    ORR_TRY_GOTO(st, done, true_class(x, y, n, m, k, l));
    problem q = { .l = l,
                  .n = n,
                  .m = m,
                  .a = work + 4 * (size_t)m,
                  .z = work,
                  .gradient = work + m,
                  .step = work + 2 * (size_t)m,
                  .row = work + 3 * (size_t)m,
                  .hessian = work + 5 * (size_t)m };
    minimise(&q);
    memcpy(weight, q.a, (size_t)m * sizeof *weight);
    for (int64_t i = 0; loss && i < n; i++) {
        double p = 0;
        for (int j = 0; j < m; j++)
            p += weight[j] * l[i * m + j];
        sum -= log(p);
    }
    if (loss) *loss = sum / (double)n;
done:
    orr_free(l);
    orr_free(work);
    return st;
}
