/* jobs/ensemble/stack_fit.c - folds, the choice of C, and the fit on all rows. */
#include "jobs/ensemble/stack_fit.h"
#include "core/log.h"
#include "core/memory.h"
#include "core/timeline.h"
#include "jobs/context/phase.h"
#include "jobs/context/signals.h"
#include "stats/kfold.h"

#include <string.h>

void orr_stack_fit_free(orr_stack_fit *f)
{
    orr_free(f->c);
    orr_free(f->grid.auc);
    orr_free(f->grid.log_loss);
    orr_free(f->grid.iterations);
    orr_free(f->mean);
    orr_free(f->sd);
    orr_free(f->fold);
    orr_free(f->held_out);
    orr_free(f->weights);
    orr_free(f->auc);
    orr_free(f->candidates);
    orr_stack_model_free(&f->model);
    *f = (orr_stack_fit){ 0 };
}

/* ---- memory ---- */
static orr_status reserve_model(orr_stack_model *m, const orr_stack_job *job,
                                const orr_stack_data *d)
{
    size_t vectors;

    m->n_columns = d->n_columns;
    m->n_classes = d->n_classes;
    m->logits = strcmp(job->features, "logit") == 0;
    vectors = (size_t)orr_stack_vectors(m);
    m->columns = orr_alloc((size_t)d->n_columns, sizeof *m->columns);
    m->class_names = orr_alloc((size_t)d->n_classes, sizeof *m->class_names);
    m->w = orr_alloc(vectors * (size_t)orr_stack_features(m), sizeof *m->w);
    m->b = orr_alloc(vectors, sizeof *m->b);
    if (!m->columns || !m->class_names || !m->w || !m->b)
        return orr_fail(ORR_ERR_NOMEM, "out of memory: the stack");
    memcpy(m->columns, d->columns, (size_t)d->n_columns * sizeof *m->columns);
    memcpy(m->class_names, d->class_names, (size_t)d->n_classes * sizeof *m->class_names);
    return ORR_OK;
}

static orr_status reserve(orr_stack_fit *f, const orr_stack_job *job, const orr_stack_data *d)
{
    size_t n_c = (size_t)job->grid.count, n = (size_t)d->n, cells;

    f->n_c = job->grid.count;
    f->n_folds = strcmp(job->folds.kind, "own") == 0 ? d->n_own_folds : job->folds.count;
    f->n_candidates = d->n_columns + ORR_STACK_N_WAYS;
    cells = n_c * (size_t)f->n_folds;
    f->c = orr_alloc(n_c, sizeof *f->c);
    f->grid.auc = orr_alloc(cells, sizeof *f->grid.auc);
    f->grid.log_loss = orr_alloc(cells, sizeof *f->grid.log_loss);
    f->grid.iterations = orr_alloc(cells, sizeof *f->grid.iterations);
    f->mean = orr_alloc(n_c, sizeof *f->mean);
    f->sd = orr_alloc(n_c, sizeof *f->sd);
    f->fold = orr_alloc(n, sizeof *f->fold);
    f->held_out =
        orr_alloc(n * (size_t)d->n_classes * (size_t)ORR_STACK_N_WAYS, sizeof *f->held_out);
    f->weights = orr_alloc((size_t)d->n_columns, sizeof *f->weights);
    f->auc = orr_alloc((size_t)f->n_candidates * (size_t)f->n_folds, sizeof *f->auc);
    f->candidates = orr_alloc((size_t)f->n_candidates, sizeof *f->candidates);
    if (!f->c || !f->grid.auc || !f->grid.log_loss || !f->grid.iterations || !f->mean || !f->sd ||
        !f->fold || !f->held_out || !f->weights || !f->auc || !f->candidates)
        return orr_fail(ORR_ERR_NOMEM, "out of memory: a stack of %lld samples", (long long)d->n);
    for (int k = 0; k < f->n_c; k++)
        f->c[k] = orr_stack_grid_c(&job->grid, k);
    return reserve_model(&f->model, job, d);
}

/* ---- folds ---- */
/* A class that a fold lacks has no AUC there. */
static orr_status check_folds(const orr_stack_fit *f, const orr_stack_data *d)
{
    int64_t *count = orr_alloc((size_t)f->n_folds * (size_t)d->n_classes, sizeof *count);
    char name[ORR_DATA_NAME_MAX];
    orr_status st = count ? ORR_OK : orr_fail(ORR_ERR_NOMEM, "out of memory: folds");

    for (int64_t i = 0; count && i < d->n; i++)
        count[(int64_t)f->fold[i] * d->n_classes + d->labels[i]]++;
    for (int i = 0; st == ORR_OK && i < f->n_folds * d->n_classes; i++)
        if (count[i] == 0)
            st = orr_fail(ORR_ERR_OPTION,
                          "folds: no sample of class %s is in fold %d, so there is no ROC-AUC of "
                          "that fold; choose kind: stratified, or fewer folds",
                          orr_stack_class_name(d, i % d->n_classes, name, sizeof name),
                          i / d->n_classes);
    orr_free(count);
    return st;
}

static orr_status make_folds(orr_stack_fit *f, const orr_stack_job *job, const orr_stack_data *d)
{
    const orr_stack_fold_opts *o = &job->folds;
    orr_kfold_opts k = { .k = f->n_folds,
                         .shuffle = o->shuffle,
                         .kind = strcmp(o->kind, "plain") == 0 ? ORR_FOLDS_PLAIN
                                                               : ORR_FOLDS_STRATIFIED };
    orr_numpy_random rng;
    orr_status st = ORR_OK;

    if (strcmp(o->kind, "own") == 0) {
        memcpy(f->fold, d->own_fold, (size_t)d->n * sizeof *f->fold);
    } else {
        orr_numpy_seed(&rng, (uint32_t)o->seed);
        st = orr_kfold(f->fold, d->n, d->labels, NULL, &k, &rng);
    }
    if (st == ORR_ERR_ARG) return ORR_ERR_OPTION; /* the job's folds do not fit the data */
    return st == ORR_OK ? check_folds(f, d) : st;
}

/* ---- the grid, shared out over ranks ---- */
/* Takes tasks from the counter, one a thread, until there are none left. */
static orr_status run_tasks(const orr_context *context, const orr_logistic_grid *g,
                            orr_counter *counter, orr_logistic_scores *scores)
{
    int n = orr_logistic_grid_tasks(g), at_once = context->threads > 1 ? context->threads : 1;
    int *tasks = orr_alloc((size_t)n, sizeof *tasks);
    int64_t first = 0;
    orr_status st = tasks ? ORR_OK : orr_fail(ORR_ERR_NOMEM, "out of memory: %d tasks", n);

    if (context->size == 1) at_once = n;
    while (st == ORR_OK) {
        int64_t span = orr_timeline_now();
        int m = 0;
        if (orr_stop_requested())
            st = orr_fail(ORR_ERR_INTERRUPTED, "stopped by a signal; start again");
        if (st == ORR_OK) st = orr_counter_next(counter, at_once, &first);
        if (st != ORR_OK || first >= n) break;
        for (; m < at_once && first + m < n; m++)
            tasks[m] = (int)first + m;
        st = orr_logistic_grid_run(g, tasks, m, context->threads, scores);
        orr_timeline_span("cells", span, first);
    }
    orr_free(tasks);
    return st;
}

/* Every entry was written by one rank and is zero on the others: sums are exact. */
static orr_status gather_grid(orr_stack_fit *f, const orr_context *context)
{
    size_t cells = (size_t)f->n_c * (size_t)f->n_folds;

    ORR_TRY(orr_comm_allreduce(context->world, f->grid.auc, cells, ORR_F64, ORR_SUM));
    ORR_TRY(orr_comm_allreduce(context->world, f->grid.log_loss, cells, ORR_F64, ORR_SUM));
    return orr_comm_allreduce(context->world, f->grid.iterations, cells, ORR_I32, ORR_SUM);
}

static orr_status search(orr_stack_fit *f, orr_context *context, const orr_stack_job *job,
                         const orr_stack_data *d, const double *x)
{
    const orr_logistic_grid_input in = { .x = x,
                                         .y = d->labels,
                                         .fold = f->fold,
                                         .n = d->n,
                                         .d = orr_stack_features(&f->model),
                                         .n_classes = d->n_classes,
                                         .n_folds = f->n_folds,
                                         .c = f->c,
                                         .n_c = f->n_c,
                                         .tolerance = job->tolerance };
    orr_logistic_grid *g = NULL;
    orr_counter *counter = NULL;
    orr_status st = orr_phase(context, NULL, orr_logistic_grid_create(&g, &in));

    if (st == ORR_OK) st = orr_phase_joint(context, orr_counter_create(&counter, context->world));
    if (st == ORR_OK) st = orr_phase(context, NULL, run_tasks(context, g, counter, &f->grid));
    if (st == ORR_OK) st = gather_grid(f, context);
    if (st == ORR_OK)
        st = orr_phase(
            context, NULL,
            orr_logistic_grid_choose(f->grid.auc, f->n_c, f->n_folds, &f->best, f->mean, f->sd));
    orr_counter_destroy(counter);
    orr_logistic_grid_destroy(g);
    if (st == ORR_OK) f->model.c = f->c[f->best];
    return st;
}

static void tell_grid(const orr_stack_fit *f)
{
    int unfinished = 0;

    for (int i = 0; i < f->n_c * f->n_folds; i++)
        unfinished += f->grid.iterations[i] < 0;
    if (unfinished)
        orr_log0(ORR_WARN, "stack", "%d of %d fits of the grid did not reach the tolerance",
                 unfinished, f->n_c * f->n_folds);
    if (f->n_c > 1 && (f->best == 0 || f->best == f->n_c - 1))
        orr_log0(ORR_WARN, "stack",
                 "the best C, %g, is the %s of the grid; a wider one may do better", f->model.c,
                 f->best ? "last" : "first");
}

/* ---- the fit on all rows ---- */
static orr_status leaf_sum(void *ctx, double *in, double *out, size_t n)
{
    const void *const *two = ctx;

    return orr_comm_leaf_sum(((const orr_context *)two[0])->world, two[1], in, out, n);
}

static orr_status agree(void *ctx, orr_status st)
{
    const void *const *two = ctx;

    return orr_comm_agree(((const orr_context *)two[0])->world, st);
}

static orr_status fit(orr_stack_fit *f, const orr_logistic_rows *rows, const orr_logistic_opts *o)
{
    orr_logistic *m = NULL;
    size_t vectors = (size_t)orr_stack_vectors(&f->model),
           features = (size_t)orr_stack_features(&f->model);

    ORR_TRY(orr_logistic_fit(&m, rows, o));
    memcpy(f->model.w, m->w, vectors * features * sizeof *m->w);
    memcpy(f->model.b, m->b, vectors * sizeof *m->b);
    f->separable = m->separable;
    f->converged = m->converged;
    f->iterations = m->iterations;
    f->objective = m->objective;
    f->max_gradient = m->max_gradient;
    orr_logistic_destroy(m);
    return ORR_OK;
}

/* Few rows: rank 0 alone, and the others get its answer. */
static orr_status fit_alone(orr_stack_fit *f, orr_context *context, const orr_logistic_rows *rows,
                            const orr_logistic_opts *o)
{
    size_t vectors = (size_t)orr_stack_vectors(&f->model),
           features = (size_t)orr_stack_features(&f->model);
    double facts[5] = { 0 };

    ORR_TRY(orr_phase_root(context, NULL, fit(f, rows, o)));
    facts[0] = f->separable;
    facts[1] = f->converged;
    facts[2] = f->iterations;
    facts[3] = f->objective;
    facts[4] = f->max_gradient;
    ORR_TRY(orr_comm_bcast(context->world, facts, sizeof facts, 0));
    f->separable = (int)facts[0];
    f->converged = (int)facts[1];
    f->iterations = (int)facts[2];
    f->objective = facts[3];
    f->max_gradient = facts[4];
    ORR_TRY(orr_comm_bcast(context->world, f->model.w, vectors * features * sizeof *f->model.w, 0));
    return orr_comm_bcast(context->world, f->model.b, vectors * sizeof *f->model.b, 0);
}

/* Many rows: each rank its leaves of them.  The same bits as alone. */
static orr_status fit_together(orr_stack_fit *f, orr_context *context, orr_logistic_rows rows,
                               orr_logistic_opts o)
{
    int leaves = orr_logistic_leaves(rows.n, rows.d, rows.n_classes);
    orr_leaf_plan plan;
    const void *two[2] = { context, &plan };
    int64_t first, last;

    ORR_TRY(
        orr_phase(context, NULL, orr_leaf_plan_init(&plan, leaves, context->rank, context->size)));
    first = orr_leaf_begin(rows.n, leaves, plan.first);
    last = orr_leaf_begin(rows.n, leaves, plan.last);
    rows.n_global = rows.n;
    rows.plan = &plan;
    rows.x += first * rows.d;
    rows.y += first;
    rows.n = last - first;
    o.reduce = leaf_sum;
    o.agree = agree;
    o.ctx = two;
    return orr_phase_joint(context, fit(f, &rows, &o));
}

static orr_status refit(orr_stack_fit *f, orr_context *context, const orr_stack_job *job,
                        const orr_stack_data *d, const double *x)
{
    orr_logistic_rows rows = { .x = x,
                               .y = d->labels,
                               .n = d->n,
                               .d = orr_stack_features(&f->model),
                               .n_classes = d->n_classes };
    orr_logistic_opts o = ORR_LOGISTIC_OPTS_INIT;

    o.c = f->model.c;
    o.tolerance = job->tolerance;
    o.max_iterations = job->max_iterations;
    o.threads = context->threads;
    if (d->n >= ORR_STACK_MANY_ROWS && context->size > 1)
        ORR_TRY(fit_together(f, context, rows, o));
    else
        ORR_TRY(fit_alone(f, context, &rows, &o));
    if (!f->converged)
        orr_log0(ORR_WARN, "stack",
                 "the fit on all rows did not reach the tolerance in %d steps (gradient %.2g)",
                 f->iterations, f->max_gradient);
    if (f->separable)
        orr_log0(ORR_WARN, "stack",
                 "the classes are separable: all samples are told apart, and only C = %g keeps the "
                 "weights finite; do the labels leak into the predictions?",
                 f->model.c);
    return ORR_OK;
}

static orr_status get_ready(orr_stack_fit *f, const orr_stack_job *job, const orr_stack_data *d,
                            double **x)
{
    ORR_TRY(reserve(f, job, d));
    ORR_TRY(make_folds(f, job, d));
    *x = orr_alloc((size_t)d->n * (size_t)orr_stack_features(&f->model), sizeof **x);
    return *x ? ORR_OK : orr_fail(ORR_ERR_NOMEM, "out of memory: features");
}

orr_status orr_stack_fit_all(orr_stack_fit *f, orr_context *context, const orr_stack_job *job,
                             const orr_stack_data *d)
{
    double *x = NULL;
    int64_t span;
    orr_status st;

    *f = (orr_stack_fit){ 0 };
    ORR_TRY_GOTO(st, done, orr_phase(context, NULL, get_ready(f, job, d, &x)));
    orr_stack_take_features(&f->model, d->p, d->n, x);
    span = orr_timeline_now();
    ORR_TRY_GOTO(st, done, search(f, context, job, d, x));
    orr_timeline_span("grid", span, -1);
    tell_grid(f);
    span = orr_timeline_now();
    ORR_TRY_GOTO(st, done, orr_stack_compare(f, context, job, d, x));
    orr_timeline_span("compare", span, -1);
    span = orr_timeline_now();
    st = refit(f, context, job, d, x);
    orr_timeline_span("fit on all rows", span, -1);
done:
    orr_free(x);
    if (st != ORR_OK) orr_stack_fit_free(f);
    return st;
}
