/* stats/logistic/logistic.c - checks, leaves and memory; what the rows look like, a start from a
 * sample of them, the optimum, the answer; and probabilities of new rows. */
#include "stats/logistic/logistic.h"

#include "core/memory.h"
#include "stats/logistic/logistic_private.h"

#include <float.h>
#include <math.h>
#include <omp.h>
#include <string.h>

enum {
    ROWS = ORR_LOGIT_ROWS,
    LEAF_ROWS = 4096, /* at least, */
    MAX_LEAVES = 64,  /* at most; fewer when each holds a large Hessian */
    LARGE_SUMS = 1 << 14,
    FEW_LEAVES = 16,
    EVERY = 16,          /* the start looks at one block of so many ... */
    MANY_ROWS = 1 << 16, /* ... of at least so many rows, ... */
    ROWS_AN_UNKNOWN = 50 /* ... if that leaves so many an unknown */
};

/* One fit on its way. */
typedef struct fit {
    const orr_logistic_rows *rows;
    const orr_logistic_opts *o;
    orr_leaf_plan plan;
    orr_logit_problem q;
    orr_logit_solver s;
    orr_logit_leaf leaves[ORR_MAX_LEAVES];
    double *moments; /* [local leaves][n_moments], then their sum */
    size_t n_moments;
    double *centre, *unit;
    void *held[3]; /* what the pointers above point into */
    int64_t n_global;
    int newton;
} fit;

/* ---- the rows, and what a fit works with ---- */
int orr_logistic_leaves(int64_t n_global, int d, int n_classes)
{
    const int64_t vectors = n_classes == 2 ? 1 : n_classes, u = vectors * ((int64_t)d + 1);
    const int large = u <= ORR_LOGISTIC_NEWTON && u * u / 2 > LARGE_SUMS;
    const int64_t most = large ? FEW_LEAVES : MAX_LEAVES, leaves = n_global / LEAF_ROWS;

    return (int)(leaves < 1 ? 1 : leaves > most ? most : leaves);
}

static orr_status check_sizes(const orr_logistic_rows *rows, const orr_logistic_opts *o)
{
    if (rows->d < 1 || rows->n_classes < 2 || rows->n_classes > ORR_LOGISTIC_MAX_CLASSES)
        return orr_fail(ORR_ERR_ARG,
                        "logistic regression: %d columns, %d classes; it takes at least 1, and 2 "
                        "to %d",
                        rows->d, rows->n_classes, ORR_LOGISTIC_MAX_CLASSES);
    if (!(o->c > 0) || !isfinite(o->c))
        return orr_fail(ORR_ERR_ARG, "logistic regression: C is %g; give a number above 0", o->c);
    if (!(o->tolerance > 0) || o->max_iterations < 0 || o->threads < 0)
        return orr_fail(ORR_ERR_ARG,
                        "logistic regression: tolerance %g, at most %d iterations, %d threads; "
                        "give a tolerance above 0, the others not below",
                        o->tolerance, o->max_iterations, o->threads);
    if (!o->start_w != !o->start_b || (!o->reduce && o->agree))
        return orr_fail(ORR_ERR_ARG, "logistic regression: start_w goes with start_b, and agree "
                                     "with reduce");
    return ORR_OK;
}

static orr_status check_start(const fit *f)
{
    const int n = f->q.vectors * f->q.d;

    for (int i = 0; f->o->start_w && i < n + f->q.vectors; i++)
        if (!isfinite(i < n ? f->o->start_w[i] : f->o->start_b[i - n]))
            return orr_fail(ORR_ERR_NUMERIC,
                            "logistic regression: start value %d of vector %d is not finite",
                            i < n ? i % f->q.d : f->q.d, i < n ? i / f->q.d : i - n);
    return ORR_OK;
}

/* Where the rows lie: f->plan, f->leaves. */
static orr_status place(fit *f)
{
    const orr_logistic_rows *r = f->rows;
    const int all = orr_logistic_leaves(r->n, r->d, r->n_classes);

    f->n_global = r->plan ? r->n_global : r->n;
    if (r->n < 0 || f->n_global < 1)
        return orr_fail(ORR_ERR_ARG, "logistic regression: no rows to fit");
    if (r->plan)
        f->plan = *r->plan;
    else
        ORR_TRY(orr_leaf_plan_init(&f->plan, all, 0, 1));
    const int64_t first = orr_leaf_begin(f->n_global, f->plan.n_leaves, f->plan.first);
    const int64_t last = orr_leaf_begin(f->n_global, f->plan.n_leaves, f->plan.last);
    if (last - first != r->n || (!f->o->reduce && f->n_global != r->n))
        return orr_fail(ORR_ERR_SHAPE,
                        "logistic regression: %lld rows here, but leaves %d to %d of %d hold %lld "
                        "of the %lld%s",
                        (long long)r->n, f->plan.first, f->plan.last, f->plan.n_leaves,
                        (long long)(last - first), (long long)f->n_global,
                        f->o->reduce ? "" : ", and no reduce was given");
    for (int i = f->plan.first; i < f->plan.last; i++) {
        const int64_t from = orr_leaf_begin(f->n_global, f->plan.n_leaves, i);
        f->leaves[i - f->plan.first] =
            (orr_logit_leaf){ from - first,
                              orr_leaf_begin(f->n_global, f->plan.n_leaves, i + 1) - from };
    }
    return ORR_OK;
}

static orr_status check_labels(const fit *f)
{
    const orr_logistic_rows *r = f->rows;
    const int64_t first = orr_leaf_begin(f->n_global, f->plan.n_leaves, f->plan.first);

    for (int64_t i = 0; i < r->n; i++)
        if (r->y[i] < 0 || r->y[i] >= r->n_classes)
            return orr_fail(ORR_ERR_ARG,
                            "logistic regression: the label of row %lld is %d, not one of 0 to %d",
                            (long long)(first + i), (int)r->y[i], r->n_classes - 1);
    return ORR_OK;
}

static orr_status allocate(fit *f)
{
    orr_logit_problem *q = &f->q;
    const size_t local = (size_t)(f->plan.last - f->plan.first);
    double *at;

    orr_logit_shape(q, f->rows->d, f->rows->n_classes, f->newton);
    q->x = f->rows->x;
    q->y = f->rows->y;
    q->leaves = f->leaves;
    q->n_leaves = (int)local;
    q->n = q->looked = (double)f->n_global;
    q->threads = f->o->threads ? f->o->threads : omp_get_max_threads();
    if (q->threads > (int)local) q->threads = local ? (int)local : 1;
    q->reduce = f->o->reduce;
    q->ctx = f->o->ctx;
    f->n_moments = 2 * (size_t)q->n_classes + 1 + (size_t)q->d;
    f->held[0] = orr_alloc((local + 1) * f->n_moments + 2 * (size_t)q->p, sizeof *at);
    f->held[1] = orr_logit_reserve(q);
    f->held[2] = orr_logit_solver_reserve(&f->s, q, f->newton);
    if (!f->held[0] || !f->held[1] || !f->held[2])
        return orr_fail(ORR_ERR_NOMEM,
                        "logistic regression: no memory for %d unknowns, %zu leaves and %d threads",
                        q->unknowns, local, q->threads);
    f->moments = f->held[0];
    f->centre = f->moments + (local + 1) * f->n_moments;
    f->unit = f->centre + q->p;
    q->centre = f->centre;
    return ORR_OK;
}

/* Checks, places the rows and reserves all memory: everything in which one rank may fail alone, but
 * for values that are not finite. */
static orr_status prepare(fit *f)
{
    ORR_TRY(check_sizes(f->rows, f->o));
    f->newton =
        (int64_t)(f->rows->n_classes == 2 ? 1 : f->rows->n_classes) * ((int64_t)f->rows->d + 1) <=
        ORR_LOGISTIC_NEWTON;
    ORR_TRY(place(f));
    ORR_TRY(check_labels(f));
    ORR_TRY(allocate(f));
    return check_start(f);
}

/* The worst status of all ranks. */
static orr_status agreed(const fit *f, orr_status st)
{
    return f->o->agree ? f->o->agree(f->o->ctx, st) : st;
}

/* Sums were not finite: says which value it is, on all ranks; also when sums overflowed. */
static orr_status not_finite(const fit *f)
{
    const orr_logistic_rows *r = f->rows;
    const int64_t first = orr_leaf_begin(f->n_global, f->plan.n_leaves, f->plan.first);
    orr_status st = ORR_OK;

    for (int64_t i = 0; st == ORR_OK && i < r->n * r->d; i++)
        if (!isfinite(r->x[i]))
            st = orr_fail(ORR_ERR_NUMERIC,
                          "logistic regression: the value of row %lld, column %lld is not finite",
                          (long long)(first + i / r->d), (long long)(i % r->d));
    st = agreed(f, st);
    if (st != ORR_OK) return st;
    return orr_fail(ORR_ERR_NUMERIC, "logistic regression: values so large that sums overflow, or "
                                     "not finite on another rank; scale the columns");
}

/* ---- centres, units and a start ---- */
/* Class counts of all rows and of those that the start looks at, their number and column sums. */
static void first_moments(fit *f, int leaf, double *m)
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

static void second_moments(fit *f, int leaf, double *m)
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
static orr_status moments(fit *f, void (*of)(fit *, int, double *), size_t n, double **out)
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
static orr_status describe(fit *f, int *starts)
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
    return finite ? ORR_OK : not_finite(f);
}

/* Intercepts belong to columns as they are in start and answer, to centred ones in theta. */
static double shift(const fit *f, const double *w)
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

static void take_start(fit *f)
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
static orr_status start_from_some(fit *f)
{
    f->s.tolerance = 1e-4;
    f->s.max_iterations = 20;
    return orr_logit_newton(&f->s);
}

static orr_status solve(fit *f)
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
        return st == ORR_ERR_NUMERIC ? not_finite(f) : st;
    f->q.every = 1;
    f->q.looked = f->q.n;
    s->known = 0;
    s->tolerance = f->o->tolerance;
    s->max_iterations = most ? most : f->newton ? 100 : 2000;
    st = f->newton ? orr_logit_newton(s) : orr_logit_lbfgs(s);
    return st == ORR_ERR_NUMERIC ? not_finite(f) : st;
}

/* Rows that are not strictly on their class's side. */
static void wrong_side(fit *f, int leaf, double *m)
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

static orr_status answer(fit *f, orr_logistic *m)
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
    fit *f = orr_alloc(1, sizeof *f), none = { .rows = rows, .o = o };

    *out = NULL;
    if (f) {
        *f = none;
        st = prepare(f);
    }
    if (st == ORR_OK && (!f || !(m = make_answer(rows->d, rows->n_classes))))
        st = orr_fail(ORR_ERR_NOMEM, "logistic regression: no memory for the model");
    worst = agreed(&none, st);
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

/* ---- probabilities of new rows, block by block ---- */
typedef struct scratch {
    double *theta; /* [vectors][d + 1] */
    double *zero;  /* [d]: nothing is centred */
    double *each;  /* [threads] of the rest */
    size_t size;
} scratch;

/* 0 when a value of the block is not finite. */
static int block(const orr_logistic *m, const orr_logit_kernels *f, const scratch *s, double *z,
                 const double *x, int n, double *p)
{
    const size_t width = (size_t)m->d + 1;
    const size_t values = (size_t)n * (size_t)m->d;
    double *eta = z + width * ROWS, *label = eta + (size_t)m->vectors * ROWS;
    int bad = 0;

    for (size_t i = 0; i < values; i++)
        bad |= !(fabs(x[i]) <= DBL_MAX);
    if (bad) return 0;
    for (int r = 0; r < ROWS; r++)
        label[r] = -1;
    f->columns(x, m->d, n, s->zero, NULL, z);
    for (int k = 0; k < m->vectors; k++)
        f->logits(z, (int)width, s->theta + (size_t)k * width, n, eta + (size_t)k * ROWS);
    if (m->vectors == 1)
        f->sigmoid(eta, n);
    else
        f->softmax(eta, m->vectors, label, n, NULL, NULL, NULL);
    for (int r = 0; r < n; r++)
        for (int c = 0; c < m->n_classes; c++)
            p[(size_t)r * (size_t)m->n_classes + (size_t)c] = m->vectors > 1
                                                                  ? eta[(size_t)c * ROWS + r]
                                                              : c ? eta[r]
                                                                  : 1 - eta[r];
    return 1;
}

static orr_status allocate_scratch(const orr_logistic *m, int threads, scratch *s)
{
    const size_t d = (size_t)m->d, v = (size_t)m->vectors;

    s->size = (d + 1 + v + 1) * ROWS;
    s->theta = orr_alloc(v * (d + 1) + d, sizeof *s->theta);
    s->each = orr_alloc((size_t)threads * s->size, sizeof *s->each);
    if (!s->theta || !s->each)
        return orr_fail(ORR_ERR_NOMEM, "logistic regression: no memory to predict from %d columns",
                        m->d);
    s->zero = s->theta + v * (d + 1);
    for (size_t k = 0; k < v; k++) {
        for (size_t j = 0; j < d; j++)
            s->theta[k * (d + 1) + j] = m->w[k * d + j];
        s->theta[k * (d + 1) + d] = m->b[k];
    }
    return ORR_OK;
}

static orr_status name_value(const double *x, int64_t n, int d)
{
    for (int64_t i = 0; i < n * d; i++)
        if (!isfinite(x[i]))
            return orr_fail(ORR_ERR_NUMERIC,
                            "logistic regression: the value of row %lld, column %lld is not finite",
                            (long long)(i / d), (long long)(i % d));
    return ORR_OK;
}

orr_status orr_logistic_predict(const orr_logistic *m, const double *x, int64_t n, int threads,
                                double *p)
{
    const orr_logit_kernels *f = orr_logit_kernels_get();
    const int64_t blocks = n > 0 ? (n + ROWS - 1) / ROWS : 0;
    orr_status st = ORR_OK;
    scratch s = { 0 };
    int good = 1;

    if (n < 0 || threads < 0)
        return orr_fail(ORR_ERR_ARG, "logistic regression: %lld rows to predict, %d threads",
                        (long long)n, threads);
    if (threads == 0) threads = omp_get_max_threads();
    if (threads > blocks) threads = blocks ? (int)blocks : 1;
    ORR_TRY_GOTO(st, done, allocate_scratch(m, threads, &s));
#pragma omp parallel for num_threads(threads) schedule(static) reduction(&& : good)
    for (int64_t b = 0; b < blocks; b++) {
        const int64_t row = b * ROWS, left = n - row;
        good = block(m, f, &s, s.each + (size_t)omp_get_thread_num() * s.size,
                     x + (size_t)row * (size_t)m->d, (int)(left < ROWS ? left : ROWS),
                     p + (size_t)row * (size_t)m->n_classes) &&
               good;
    }
    if (!good) st = name_value(x, n, m->d);
done:
    orr_free(s.theta);
    orr_free(s.each);
    return st;
}
