/* stats/logistic_lbfgs.c - L-BFGS with 10 pairs (Nocedal & Wright 2006, alg. 7.4 and 7.5), Armijo
 * backtracking; H0 is the diagonal that columns of these sizes would have, times gamma_k. */
#include "stats/logistic_private.h"

#include <math.h>
#include <string.h>

enum { PAIRS = 10, HALVINGS = 40 };

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
