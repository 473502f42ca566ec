/* stats/logistic.c - what the rows look like, a start from a sample of them, the optimum, the answer.
 */
#include "stats/logistic.h"

#include "core/memory.h"
#include "stats/logistic_fit.h"

#include <float.h>
#include <math.h>
#include <omp.h>
#include <string.h>

enum {
    ROWS = ORR_LOGIT_ROWS,
    EVERY = 16,          /* the start looks at one block of so many ... */
    MANY_ROWS = 1 << 16, /* ... of at least so many rows, ... */
    ROWS_AN_UNKNOWN = 50 /* ... if that leaves so many an unknown */
};

/* Class counts of all rows and of those that the start looks at, their number and column sums. */
static void first_moments(orr_logit_fit *f, int leaf, double *m)
{
    const orr_logit_problem *q = &f->q;
    const orr_logit_leaf *l = &f->leaves[leaf];
    double *part = m + q->n_classes, *sums = part + q->n_classes + 1;

    memset(m, 0, f->n_moments * sizeof *m);
    for (int64_t i = 0; i < l->n; i++) {
        const int64_t row = l->first + i;
        m[q->y[row]]++;
        if (i / ROWS % q->every != 0) {
            continue;
        }
        part[q->y[row]]++;
        part[q->n_classes]++;
        for (int j = 0; j < q->d; j++)
            sums[j] += q->x[(size_t)row * (size_t)q->d + (size_t)j];
    }
}

static void second_moments(orr_logit_fit *f, int leaf, double *m)
{
    const orr_logit_problem *q = &f->q;
    const orr_logit_leaf *l = &f->leaves[leaf];

    memset(m, 0, (size_t)q->d * sizeof *m);
    for (int64_t i = 0; i < l->n; i++) {
        if (i / ROWS % q->every != 0) continue;
        const double *x = q->x + (size_t)(l->first + i) * (size_t)q->d;
        for (int j = 0; j < q->d; j++)
            m[j] += (x[j] - f->centre[j]) * (x[j] - f->centre[j]);
    }
}

/* Sums of n numbers a leaf, arriving behind those of the leaves. */
static orr_status moments(orr_logit_fit *f, void (*of)(orr_logit_fit *, int, double *), size_t n,
                          double **out)
{
    const int leaves = f->q.n_leaves;

#pragma omp parallel for num_threads(f->q.threads) schedule(static)
    for (int i = 0; i < leaves; i++)
        of(f, i, f->moments + (size_t)i * n);
    *out = f->moments + (size_t)leaves * f->n_moments;
    return orr_logit_reduce(&f->q, f->moments, *out, n);
}

/* Centres and units of the columns, from the rows looked at; *starts: whether these rows do for a
 * start; theta gets the intercepts that the classes' frequencies give. */
static orr_status describe(orr_logit_fit *f, int *starts)
{
    orr_logit_problem *q = &f->q;
    const int k = q->n_classes;
    int classes = 0, finite = 1;
    double *m, looked, mean = 0;

    q->every = f->newton && f->n_global >= MANY_ROWS ? EVERY : 1;
    ORR_TRY(moments(f, first_moments, f->n_moments, &m));
    looked = m[2 * k];
    *starts = q->every > 1 && looked >= (double)ROWS_AN_UNKNOWN * q->unknowns;
    f->s.curvature = 0;
    for (int c = 0; c < k; c++) {
        double share = m[c] / q->n;
        classes += m[c] > 0;
        *starts &= m[k + c] > 0;
        f->s.curvature += share * (1 - share) / k;
        /* a class without rows has its optimum far below the others, yet finite */
        f->s.trial[c] = log(fmax(m[c], 0.5) / q->n);
        mean += f->s.trial[c] / k;
    }
    if (classes < 2)
        return orr_fail(ORR_ERR_ARG, "logistic regression: all rows are of one class; it takes "
                                     "rows of two or more, so look at the labels or the fold");
    if (q->vectors == 1) f->s.theta[q->d] = f->s.trial[1] - f->s.trial[0];
    for (int c = 0; q->vectors > 1 && c < k; c++)
        f->s.theta[(size_t)c * q->p + q->d] = f->s.trial[c] - mean;
    for (int j = 0; j < q->d; j++)
        f->centre[j] = looked > 0 ? m[2 * k + 1 + j] / looked : 0;
    q->looked = looked;
    ORR_TRY(moments(f, second_moments, (size_t)q->d, &m));
    for (int j = 0; j < q->d; j++) {
        f->unit[j] = sqrt(m[j] / looked);
        finite &= isfinite(f->unit[j]) != 0;
        if (!(f->unit[j] > DBL_EPSILON * fabs(f->centre[j]))) f->unit[j] = 1; /* constant */
    }
    f->unit[q->d] = 1;
    return finite ? ORR_OK : orr_logit_not_finite(f);
}

/* Intercepts belong to columns as they are in start and answer, to centred ones in theta. */
static double shift(const orr_logit_fit *f, const double *w)
{
    double sum = 0;

    for (int j = 0; j < f->q.d; j++)
        sum += w[j] * f->centre[j];
    return sum;
}

/* Takes the mean over the vectors from each of width numbers: softmax does not see it, and the
 * penalty wants it gone. */
static void centre_vectors(double *v, int vectors, int width)
{
    for (int j = 0; vectors > 1 && j < width; j++) {
        double mean = 0;
        for (int k = 0; k < vectors; k++)
            mean += v[(size_t)k * (size_t)width + (size_t)j] / vectors;
        for (int k = 0; k < vectors; k++)
            v[(size_t)k * (size_t)width + (size_t)j] -= mean;
    }
}

static void take_start(orr_logit_fit *f)
{
    const orr_logit_problem *q = &f->q;

    for (int k = 0; k < q->vectors; k++) {
        const double *w = f->o->start_w + (size_t)k * q->d;
        double *to = f->s.theta + (size_t)k * q->p;
        memcpy(to, w, (size_t)q->d * sizeof *to);
        to[q->d] = f->o->start_b[k] + shift(f, w);
    }
    centre_vectors(f->s.theta, q->vectors, q->p);
}

/* A few rows first: the optimum for them is the start for all. */
static orr_status start_from_some(orr_logit_fit *f)
{
    f->s.tolerance = 1e-4;
    f->s.max_iterations = 20;
    return orr_logit_newton(&f->s);
}

static orr_status solve(orr_logit_fit *f)
{
    orr_logit_solver *s = &f->s;
    const int most = f->o->max_iterations;
    int starts;
    orr_status st;

    ORR_TRY(describe(f, &starts));
    s->unit = f->unit;
    s->lambda = 1 / (f->o->c * f->q.n);
    if (f->o->start_w)
        take_start(f);
    else if (starts && (st = start_from_some(f)) != ORR_OK)
        return st == ORR_ERR_NUMERIC ? orr_logit_not_finite(f) : st;
    f->q.every = 1;
    f->q.looked = f->q.n;
    s->known = 0;
    s->tolerance = f->o->tolerance;
    s->max_iterations = most ? most : f->newton ? 100 : 2000;
    st = f->newton ? orr_logit_newton(s) : orr_logit_lbfgs(s);
    return st == ORR_ERR_NUMERIC ? orr_logit_not_finite(f) : st;
}

/* Rows that are not strictly on their class's side. */
static void wrong_side(orr_logit_fit *f, int leaf, double *m)
{
    const orr_logit_problem *q = &f->q;
    const orr_logit_leaf *l = &f->leaves[leaf];
    orr_logit_work *w = &q->work[omp_get_thread_num()];
    const double *z, *label;
    int n;

    *m = 0;
    for (int64_t b = 0; b * ROWS < l->n; b++) {
        orr_logit_block(q, l, b, w, &z, &label, &n);
        for (int k = 0; k < q->vectors; k++)
            q->kernels->logits(z, q->p, f->s.theta + (size_t)k * q->p, n,
                               w->eta + (size_t)k * ROWS);
        for (int r = 0; r < n; r++) {
            const double *eta = w->eta + r;
            int own = q->vectors > 1 ? (int)label[r] : 0, wrong = q->vectors == 1 && eta[0] <= 0;
            for (int k = 0; q->vectors > 1 && k < q->vectors; k++)
                wrong |= k != own && eta[(size_t)k * ROWS] >= eta[(size_t)own * ROWS];
            *m += wrong;
        }
    }
}

static orr_status answer(orr_logit_fit *f, orr_logistic *m)
{
    const orr_logit_problem *q = &f->q;
    const orr_logit_solver *s = &f->s;
    double *wrong;

    centre_vectors(s->theta, q->vectors, q->p);
    for (int k = 0; k < q->vectors; k++) {
        const double *theta = s->theta + (size_t)k * q->p, *g = s->gradient + (size_t)k * q->p;
        memcpy(m->w + (size_t)k * q->d, theta, (size_t)q->d * sizeof *theta);
        m->b[k] = theta[q->d] - shift(f, theta);
        m->max_gradient = fmax(m->max_gradient, fabs(g[q->d]));
        for (int j = 0; j < q->d; j++)
            m->max_gradient = fmax(m->max_gradient, fabs(g[j] + f->centre[j] * g[q->d]));
    }
    centre_vectors(m->b, q->vectors, 1);
    m->iterations = s->iterations;
    m->converged = s->converged;
    m->objective = s->objective * f->o->c * q->n;
    if (s->sum[ORR_SUM_LINE] != 0) return ORR_OK;
    ORR_TRY(moments(f, wrong_side, 1, &wrong));
    m->separable = wrong[0] == 0;
    return ORR_OK;
}

static orr_logistic *make_answer(int d, int n_classes)
{
    const int vectors = n_classes == 2 ? 1 : n_classes;
    orr_logistic *m = orr_alloc(1, sizeof *m);

    if (!m || !(m->w = orr_alloc((size_t)vectors * (size_t)d, sizeof *m->w)) ||
        !(m->b = orr_alloc((size_t)vectors, sizeof *m->b))) {
        orr_logistic_destroy(m);
        return NULL;
    }
    m->d = d;
    m->n_classes = n_classes;
    m->vectors = vectors;
    return m;
}

orr_status orr_logistic_fit(orr_logistic **out, const orr_logistic_rows *rows,
                            const orr_logistic_opts *o)
{
    orr_status st = ORR_OK, worst;
    orr_logistic *m = NULL;
    orr_logit_fit *f = orr_alloc(1, sizeof *f), none = { .rows = rows, .o = o };

    *out = NULL;
    if (f) {
        *f = none;
        st = orr_logit_prepare(f);
    }
    if (st == ORR_OK && (!f || !(m = make_answer(rows->d, rows->n_classes))))
        st = orr_fail(ORR_ERR_NOMEM, "logistic regression: no memory for the model");
    worst = orr_logit_agreed(&none, st);
    st = worst != ORR_OK ? worst : st;
    if (st != ORR_OK) goto done;
    ORR_TRY_GOTO(st, done, solve(f));
    ORR_TRY_GOTO(st, done, answer(f, m));
    *out = m;
    m = NULL;
done:
    for (size_t i = 0; f && i < sizeof f->held / sizeof *f->held; i++)
        orr_free(f->held[i]);
    orr_free(f);
    orr_logistic_destroy(m);
    return st;
}

void orr_logistic_destroy(orr_logistic *m)
{
    if (!m) return;
    orr_free(m->w);
    orr_free(m->b);
    orr_free(m);
}
