/* stats/blend_weights.c - the weights on the simplex with the least log loss.
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
#include "stats/blend_check.h"

#include <f77blas.h>
#include <float.h>
#include <math.h>
#include <omp.h>
#include <string.h>

enum { MAX_STEPS = 200 };
static const double proven = 1e-12, least_weight = 1e-9, centring = 0.1, to_boundary = 0.995;

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

    ORR_TRY(orr_blend_check(x, n, m, k, 1));
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
