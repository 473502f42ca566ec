/* stats/logistic/solver.c - the two ways down to the optimum.
 *
 * Newton's method with step halving (Nocedal & Wright 2006, sec. 3.1 and 3.3).  Where a step is
 * foreseen to end within the tolerance, its Hessian is not summed; should it not, the old one
 * serves once more (the chord method), as it does for the first step when only the penalty has
 * changed.
 *
 * L-BFGS with 10 pairs (alg. 7.4 and 7.5 there), Armijo backtracking; H0 is the diagonal that
 * columns of these sizes would have, times gamma_k. */
#include "stats/logistic/logistic_private.h"

#include "core/memory.h"

#include <f77blas.h>
#include <math.h>
#include <omp.h>
#include <string.h>

enum { PAIRS = 10 /* of L-BFGS */, HALVINGS = 40 };

/* ---- what both need ---- */
void *orr_logit_solver_reserve(orr_logit_solver *s, orr_logit_problem *q, int newton)
{
    const size_t u = ((size_t)q->unknowns + 7) / 8 * 8, sums = (q->n_sums + 7) / 8 * 8;
    const size_t rest = newton ? u * u : (2 * PAIRS + 1) * u;
    double *at = orr_alloc(2 * sums + 5 * u + rest, sizeof *at);

    if (!at) return NULL;
    s->q = q;
    s->sum = at;
    s->other = s->sum + sums;
    s->theta = s->other + sums;
    s->step = s->theta + u;
    s->trial = s->step + u;
    s->gradient = s->trial + u;
    s->scale = s->gradient + u;
    s->chol = s->history = s->scale + u;
    return at;
}

double orr_logit_objective(const orr_logit_solver *s, const double *theta, const double *sum)
{
    double squares = 0;

    for (int u = 0; u < s->q->unknowns; u++)
        if (u % s->q->p != s->q->d) squares += theta[u] * theta[u];
    return sum[ORR_SUM_LOSS] / s->q->looked + 0.5 * s->lambda * squares;
}

int orr_logit_gradient(const orr_logit_solver *s, const double *theta, const double *sum,
                       double *gradient, double *largest)
{
    const orr_logit_problem *q = s->q;
    int finite = isfinite(sum[ORR_SUM_LOSS]);

    *largest = 0;
    for (int u = 0; u < q->unknowns; u++) {
        int j = u % q->p;
        double g = sum[ORR_SUM_GRADIENT + u] / q->looked;
        if (j != q->d) g += s->lambda * theta[u];
        finite &= isfinite(g) != 0;
        gradient[u] = g;
        *largest = fabs(g) / s->unit[j] > *largest ? fabs(g) / s->unit[j] : *largest;
    }
    return finite;
}

/* Half the trust is in the last digits: sums of n terms are right to about 1e-15 of their size. */
int orr_logit_falls(double before, double after, double slope)
{
    return isfinite(after) && after <= before + 1e-4 * slope + 1e-13 * fabs(before) + 1e-15;
}

/* ---- Newton ---- */
/* Both triangles of block (a, b), and of (b, a). */
static void fill_pair(const orr_logit_problem *q, const double *from, int a, int b, double *full)
{
    const size_t size = (size_t)q->unknowns;

    for (int i = 0; i < q->p; i++)
        for (int j = i; j < q->p; j++) {
            const size_t ai = (size_t)a * q->p + i, aj = (size_t)a * q->p + j;
            const size_t bi = (size_t)b * q->p + i, bj = (size_t)b * q->p + j;
            double v = *from++ / q->looked;
            full[ai * size + bj] = full[aj * size + bi] = v;
            full[bj * size + ai] = full[bi * size + aj] = v;
        }
}

/* The Hessian with the penalty.  Softmax does not see a constant added to one column's weights (or
 * the intercept) in all vectors: only the penalty, or nothing, bends that way, where weights sum to
 * 0 from the start to the end.  A curvature of its own keeps them there, and rounding out. */
static void assemble(const orr_logit_solver *s, const double *sum, double *full)
{
    const orr_logit_problem *q = s->q;
    const size_t size = (size_t)q->unknowns, p = (size_t)q->p, v = (size_t)q->vectors;
    const double *from = sum + ORR_SUM_GRADIENT + q->unknowns;

    for (int a = 0; a < q->vectors; a++)
        for (int b = a; b < q->vectors; b++, from += p * (p + 1) / 2)
            fill_pair(q, from, a, b, full);
    for (size_t u = 0; u < size; u++)
        if (u % p != (size_t)q->d) full[u * size + u] += s->lambda;
    for (size_t j = 0; v > 1 && j < p; j++) {
        double mean = 0;
        for (size_t a = 0; a < v; a++)
            mean += full[(a * p + j) * size + a * p + j] / (double)v;
        for (size_t a = 0; a < v; a++)
            for (size_t b = 0; b < v; b++)
                full[(a * p + j) * size + b * p + j] += mean;
    }
}

/* LAPACK on one thread, so that its order of sums depends on nothing.  rhs NULL: factorises, else
 * solves. */
static int cholesky(double *full, int n, double *rhs)
{
    const int threads = omp_get_max_threads();
    char lower[] = "L";
    int one = 1, info;

    omp_set_num_threads(1);
    if (rhs)
        dpotrs_(lower, &n, &one, full, &n, rhs, &n, &info);
    else
        dpotrf_(lower, &n, full, &n, &info);
    omp_set_num_threads(threads);
    return info == 0;
}

/* Scaled to a diagonal of ones, with as much more on it as it takes; 0 when it is not finite. */
static int factorise(orr_logit_solver *s)
{
    const int n = s->q->unknowns;
    const size_t size = (size_t)n;

    for (int i = 0;; i++) {
        const double more = i ? 1e-14 * pow(100, i - 1) : 0;
        assemble(s, s->sum, s->chol);
        for (size_t u = 0; i == 0 && u < size; u++) {
            double v = s->chol[u * size + u];
            if (!isfinite(v)) return 0;
            s->scale[u] = v > 0 ? 1 / sqrt(v) : 1;
        }
        for (size_t u = 0; u < size; u++)
            for (size_t v = 0; v < size; v++)
                s->chol[u * size + v] *= s->scale[u] * s->scale[v];
        for (size_t u = 0; u < size; u++)
            s->chol[u * size + u] += more;
        if (cholesky(s->chol, n, NULL) || more > 1e10) return 1;
    }
}

/* step = -H^-1 gradient; *moves is its largest entry in the columns' units.  Returns the slope. */
static double solve(orr_logit_solver *s, double *moves)
{
    const int n = s->q->unknowns;
    double slope = 0;

    for (int u = 0; u < n; u++)
        s->step[u] = -s->gradient[u] * s->scale[u];
    cholesky(s->chol, n, s->step);
    *moves = 0;
    for (int u = 0; u < n; u++) {
        double by = fabs(s->step[u] *= s->scale[u]) * s->unit[u % s->q->p];
        *moves = by > *moves ? by : *moves;
        slope += s->step[u] * s->gradient[u];
    }
    return slope;
}

/* Moves theta along the step, as far as it falls; 0 when nowhere. */
static orr_status descend(orr_logit_solver *s, double slope, int hessian, int *moved)
{
    const size_t n = (size_t)s->q->unknowns;

    *moved = 0;
    for (int i = 0; i < HALVINGS && slope < 0; i++) {
        const double t = ldexp(1, -i);
        for (size_t u = 0; u < n; u++)
            s->trial[u] = s->theta[u] + t * s->step[u];
        ORR_TRY(orr_logit_sums(s->q, s->trial, hessian, s->other));
        double after = orr_logit_objective(s, s->trial, s->other);
        if (!orr_logit_falls(s->objective, after, t * slope)) continue;
        memcpy(s->theta, s->trial, n * sizeof *s->theta);
        memcpy(s->sum, s->other, (hessian ? s->q->n_sums : ORR_SUM_GRADIENT + n) * sizeof *s->sum);
        s->objective = after;
        s->iterations++;
        *moved = 1;
        return ORR_OK;
    }
    return ORR_OK;
}

orr_status orr_logit_newton(orr_logit_solver *s)
{
    /* The next derivative is foreseen as this one times the last ratio, squared if the Hessian is
     * this point's. */
    double ratio = 1, before, moves, slope;
    int fresh = !s->known, factored = 0, stalled = 0, moved;

    s->iterations = s->converged = 0;
    if (!s->known) ORR_TRY(orr_logit_sums(s->q, s->theta, 1, s->sum));
    s->known = 1;
    s->objective = orr_logit_objective(s, s->theta, s->sum);
    int finite = orr_logit_gradient(s, s->theta, s->sum, s->gradient, &s->largest);
    for (;;) {
        if (finite && !factored) finite = factorise(s);
        if (!finite) return orr_fail(ORR_ERR_NUMERIC, "logistic regression: sums are not finite");
        factored = 1;
        slope = solve(s, &moves);
        s->converged = s->largest <= s->tolerance && (moves <= 100 * s->tolerance || stalled);
        if (s->converged || s->iterations >= s->max_iterations) return ORR_OK;
        int hessian = !(s->largest * ratio * (fresh ? ratio : 1) <= 0.1 * s->tolerance);
        ORR_TRY(descend(s, slope, hessian, &moved));
        if (!moved && fresh) { /* rounding has the last word */
            s->converged = s->largest <= s->tolerance;
            return ORR_OK;
        }
        if (!moved) {
            ORR_TRY(orr_logit_sums(s->q, s->theta, 1, s->sum));
            hessian = 1;
        }
        before = s->largest;
        orr_logit_gradient(s, s->theta, s->sum, s->gradient, &s->largest);
        ratio = moved && s->largest < before ? s->largest / before : 1;
        stalled = moved && ratio > 0.5;
        fresh = hessian;
        if (hessian) factored = 0;
    }
}

/* ---- L-BFGS ---- */
static double dot(const double *a, const double *b, int n)
{
    double sum = 0;

    for (int i = 0; i < n; i++)
        sum += a[i] * b[i];
    return sum;
}

static void add(double *to, double by, const double *v, int n)
{
    for (int i = 0; i < n; i++)
        to[i] += by * v[i];
}

typedef struct memory {
    double *s[PAIRS], *y[PAIRS], rho[PAIRS], gamma;
    int count, next;
} memory;

/* step = -H gradient by the two-loop recursion; scale is H0's diagonal. */
static void direction(const orr_logit_solver *s, const memory *m)
{
    const int n = s->q->unknowns;
    double alpha[PAIRS] = { 0 };

    for (int u = 0; u < n; u++)
        s->step[u] = -s->gradient[u];
    for (int i = 0; i < m->count; i++) {
        int k = (m->next - 1 - i + PAIRS) % PAIRS;
        alpha[k] = m->rho[k] * dot(m->s[k], s->step, n);
        add(s->step, -alpha[k], m->y[k], n);
    }
    for (int u = 0; u < n; u++)
        s->step[u] *= m->gamma * s->scale[u];
    for (int i = m->count - 1; i >= 0; i--) {
        int k = (m->next - 1 - i + PAIRS) % PAIRS;
        add(s->step, alpha[k] - m->rho[k] * dot(m->y[k], s->step, n), m->s[k], n);
    }
}

/* The pair's s is the step taken; its y holds the old gradient until now. */
static void remember(const orr_logit_solver *s, memory *m, double t)
{
    const int n = s->q->unknowns, k = m->next;
    double sy, yhy = 0;

    for (int u = 0; u < n; u++) {
        m->s[k][u] = t * s->step[u];
        m->y[k][u] = s->gradient[u] - m->y[k][u];
        yhy += m->y[k][u] * m->y[k][u] * s->scale[u];
    }
    sy = dot(m->s[k], m->y[k], n);
    if (!(sy > 0 && yhy > 0)) return; /* rounding: a convex function has none such */
    m->rho[k] = 1 / sy;
    m->gamma = sy / yhy;
    m->next = (k + 1) % PAIRS;
    m->count = m->count < PAIRS ? m->count + 1 : PAIRS;
}

/* The step's length, 0 when it falls nowhere. */
static orr_status search(orr_logit_solver *s, double slope, double *taken)
{
    const size_t n = (size_t)s->q->unknowns;

    *taken = 0;
    for (int i = 0; i < HALVINGS && slope < 0; i++) {
        const double t = ldexp(1, -i);
        for (size_t u = 0; u < n; u++)
            s->trial[u] = s->theta[u] + t * s->step[u];
        ORR_TRY(orr_logit_sums(s->q, s->trial, 0, s->other));
        double after = orr_logit_objective(s, s->trial, s->other);
        if (!orr_logit_falls(s->objective, after, t * slope)) continue;
        memcpy(s->theta, s->trial, n * sizeof *s->theta);
        memcpy(s->sum, s->other, (ORR_SUM_GRADIENT + n) * sizeof *s->sum);
        s->objective = after;
        *taken = t;
        return ORR_OK;
    }
    return ORR_OK;
}

orr_status orr_logit_lbfgs(orr_logit_solver *s)
{
    const int n = s->q->unknowns;
    const size_t padded = ((size_t)n + 7) / 8 * 8;
    memory m = { .gamma = 1 };
    double taken;

    for (int k = 0; k < PAIRS; k++) {
        m.s[k] = s->history + 2 * (size_t)k * padded;
        m.y[k] = m.s[k] + padded;
    }
    for (int u = 0; u < n; u++) {
        int j = u % s->q->p;
        double size = s->unit[j] * s->unit[j] * s->curvature + (j == s->q->d ? 0 : s->lambda);
        s->scale[u] = size > 0 ? 1 / size : 1;
    }
    s->iterations = s->converged = 0;
    ORR_TRY(orr_logit_sums(s->q, s->theta, 0, s->sum));
    s->objective = orr_logit_objective(s, s->theta, s->sum);
    if (!orr_logit_gradient(s, s->theta, s->sum, s->gradient, &s->largest))
        return orr_fail(ORR_ERR_NUMERIC, "logistic regression: sums are not finite");
    for (;;) {
        s->converged = s->largest <= s->tolerance;
        if (s->converged || s->iterations >= s->max_iterations) return ORR_OK;
        direction(s, &m);
        ORR_TRY(search(s, dot(s->gradient, s->step, n), &taken));
        if (taken == 0 && m.count == 0) return ORR_OK;
        if (taken == 0) { /* once more, downhill */
            m.count = 0;
            continue;
        }
        s->iterations++;
        memcpy(m.y[m.next], s->gradient, (size_t)n * sizeof *s->gradient);
        orr_logit_gradient(s, s->theta, s->sum, s->gradient, &s->largest);
        remember(s, &m, taken);
    }
}
