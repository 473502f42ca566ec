/* stats/logistic_rows.c - what a fit is asked and what it works with: checks, leaves, memory. */
#include "stats/logistic_fit.h"

#include "core/memory.h"

#include <math.h>
#include <omp.h>

enum {
    LEAF_ROWS = 4096, /* at least, */
    MAX_LEAVES = 64,  /* at most; fewer when each holds a large Hessian */
    LARGE_SUMS = 1 << 14,
    FEW_LEAVES = 16
};

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

static orr_status check_start(const orr_logit_fit *f)
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
static orr_status place(orr_logit_fit *f)
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

static orr_status check_labels(const orr_logit_fit *f)
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

static orr_status allocate(orr_logit_fit *f)
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

orr_status orr_logit_prepare(orr_logit_fit *f)
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

orr_status orr_logit_agreed(const orr_logit_fit *f, orr_status st)
{
    return f->o->agree ? f->o->agree(f->o->ctx, st) : st;
}

orr_status orr_logit_not_finite(const orr_logit_fit *f)
{
    const orr_logistic_rows *r = f->rows;
    const int64_t first = orr_leaf_begin(f->n_global, f->plan.n_leaves, f->plan.first);
    orr_status st = ORR_OK;

    for (int64_t i = 0; st == ORR_OK && i < r->n * r->d; i++)
        if (!isfinite(r->x[i]))
            st = orr_fail(ORR_ERR_NUMERIC,
                          "logistic regression: the value of row %lld, column %lld is not finite",
                          (long long)(first + i / r->d), (long long)(i % r->d));
    st = orr_logit_agreed(f, st);
    if (st != ORR_OK) return st;
    return orr_fail(ORR_ERR_NUMERIC, "logistic regression: values so large that sums overflow, or "
                                     "not finite on another rank; scale the columns");
}
