/* jobs/train/step.c - forward, backward, reduce, update. */
#include "jobs/train/step.h"
#include "core/log.h"
#include "core/memory.h"
#include "core/probe.h"
#include "core/threads.h"
#include "core/timeline.h"
#include "jobs/context/phase.h"
#include "jobs/context/signals.h"
#include "nn/objective.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* Per leaf: loss, correct answers, samples; whether a signal has come to the leaf's rank, what
 * rank 0 asks for, and whether the rank's gradients of the whole batch are not finite. */
enum { SUM_LOSS, SUM_CORRECT, SUM_SAMPLES, SUM_SIGNAL, SUM_ASKED, SUM_NONFINITE, N_SUMS };

/* A step of less than this on one thread is slower on two: they would be woken for every loop. */
static const double worth_threads = 150e-6; /* seconds */
enum { TRIALS = 5 };

struct orr_stepper {
    orr_context *context;
    const orr_model *model;
    orr_net *net;
    orr_optimiser *optimiser;
    orr_leaf_plan plan;
    orr_step_opts opts;
    int reduces;    /* false: one rank with one segment */
    int warm;       /* a step was made: from now on nothing is allocated */
    int trials;     /* steps on one thread that were clocked, or TRIALS: the number is known */
    double least;   /* seconds of the shortest of them */
    int asks;       /* orr_step_ask */
    int nonfinite;  /* this rank's gradients of the whole batch, in this step */
    int64_t number; /* of the step, for the timeline */
    double wait;    /* in this step so far */
    int local_segment[ORR_MAX_SEGMENTS + 1];
    orr_objective *objective;
    orr_memory memory; /* of the gradients */
    double *sums, *leaf_loss, *leaf_right, *sample_loss;
    size_t bucket_first, bucket_end; /* slab range that waits for its bucket to fill */
    int n_flying;
    orr_reduction *flying[ORR_MAX_REDUCTIONS];
};

void orr_step_leaf_sizes(const orr_leaf_plan *plan, int64_t batch, int *sizes, int *n)
{
    for (int i = plan->first; i < plan->last; i++) {
        int size = (int)(orr_joined_begin(batch, plan->n_leaves, plan->fewest, i + 1) -
                         orr_joined_begin(batch, plan->n_leaves, plan->fewest, i)),
            known = size == 0;
        for (int k = 0; k < *n; k++)
            known |= sizes[k] == size;
        if (!known) sizes[(*n)++] = size;
    }
}

/* What a fault schedule may look at: no device's memory. */
static void show(const orr_stepper *s, const char *point, orr_real *x, size_t n)
{
    if (orr_net_backend(s->net)->ops->memory == ORR_MEM_HOST)
        orr_probe_at(point, -1, x, n * sizeof *x);
}

/* Starts the reduction of the waiting range. */
static orr_status send_bucket(orr_stepper *s)
{
    orr_backend *be = orr_net_backend(s->net);
    void *segments[ORR_MAX_SEGMENTS] = { 0 };
    size_t first = s->bucket_first, n = s->bucket_end - s->bucket_first;

    if (n == 0) return ORR_OK;
    for (int r = 0; r < s->plan.n_segments; r++)
        segments[r] = orr_net_grads(s->net, r) + first;
    show(s, "gradients", segments[0], n);
    ORR_TRY(orr_comm_reduce_begin_on(&s->flying[s->n_flying], s->context->world, &s->plan,
                                     s->opts.mode, &s->memory, be->ops->mark(be), segments,
                                     segments[0], n, ORR_F32));
    s->n_flying++;
    s->bucket_first = s->bucket_end;
    return ORR_OK;
}

/* nn's report that [offset, offset + n) of the slab is final. */
static orr_status on_grad(void *ctx, size_t offset, size_t n)
{
    orr_stepper *s = ctx;
    size_t total = orr_net_slab_count(s->net),
           left_buckets = (size_t)(ORR_MAX_REDUCTIONS - 1 - s->n_flying);
    orr_status st;

    s->bucket_end = offset + n;
    if ((s->bucket_end - s->bucket_first) * sizeof(orr_real) >= s->opts.bucket_bytes &&
        left_buckets > 0)
        ORR_TRY(send_bucket(s));
    if (s->bucket_end == total) ORR_TRY(send_bucket(s));
    for (int i = 0; i < s->n_flying; i++)
        if ((st = orr_comm_reduce_test(s->flying[i])) < 0) return st;
    return ORR_OK;
}

static orr_status leaf_sum(void *ctx, double *in, double *out, size_t n)
{
    orr_stepper *s = ctx;
    int64_t span = orr_timeline_now();
    double begin = orr_now();
    orr_status st = orr_comm_leaf_sum(s->context->world, &s->plan, in, out, n);

    s->wait += orr_now() - begin;
    orr_timeline_span("reduce-wait", span, s->number);
    return st;
}

static orr_status allocate(orr_stepper *s)
{
    size_t n_leaves = (size_t)(s->plan.last - s->plan.first);
    size_t n = (size_t)(orr_leaf_begin(s->opts.batch, s->plan.n_leaves, s->plan.last) -
                        orr_leaf_begin(s->opts.batch, s->plan.n_leaves, s->plan.first)) +
               n_leaves;

    s->sums = orr_alloc((n_leaves + 1) * N_SUMS, sizeof *s->sums);
    s->leaf_loss = orr_alloc(n_leaves + 1, sizeof *s->leaf_loss);
    s->leaf_right = orr_alloc(n_leaves + 1, sizeof *s->leaf_right);
    s->sample_loss = orr_alloc(n + 1, sizeof *s->sample_loss);
    if (!s->sums || !s->leaf_loss || !s->leaf_right || !s->sample_loss)
        return orr_fail(ORR_ERR_NOMEM, "out of memory: a batch of %zu samples", n);
    return orr_objective_create(&s->objective, s->net, &s->model->loss, (int)n, (int)n_leaves);
}

orr_status orr_stepper_create(orr_stepper **out, orr_context *context, const orr_model *m,
                              orr_net *net, orr_optimiser *optimiser, const orr_leaf_plan *plan,
                              const orr_step_opts *o)
{
    orr_stepper *s = orr_alloc(1, sizeof *s);
    orr_status st;

    *out = NULL;
    if (s) {
        s->context = context;
        s->model = m;
        s->net = net;
        s->optimiser = optimiser;
        s->plan = *plan;
        s->opts = *o;
        s->memory = orr_backend_memory(orr_net_backend(net));
        s->reduces = context->size > 1 || plan->n_segments > 1;
        for (int i = 0; i <= plan->n_segments; i++)
            s->local_segment[i] = plan->segment[i] - plan->first;
    }
    ORR_TRY_GOTO(
        st, failed,
        orr_phase(context, NULL,
                  s ? allocate(s) : orr_fail(ORR_ERR_NOMEM, "out of memory: training step")));
    if (s->reduces) {
        ORR_TRY_GOTO(
            st, failed,
            orr_phase_joint(context, orr_comm_reduce_reserve(context->world, plan,
                                                             orr_net_slab_count(net), ORR_F32)));
        if (s->memory.kind == ORR_MEM_DEVICE)
            ORR_TRY_GOTO(st, failed,
                         orr_phase(context, NULL,
                                   orr_comm_reduce_stage(context->world, plan,
                                                         orr_net_slab_count(net), ORR_F32)));
        orr_net_on_grad(net, on_grad, s);
    }
    orr_net_on_leaf_sum(net, leaf_sum, s);
    *out = s;
    return ORR_OK;
failed:
    orr_stepper_destroy(s);
    return st;
}

void orr_stepper_destroy(orr_stepper *s)
{
    if (!s) return;
    orr_net_on_grad(s->net, NULL, NULL);
    orr_net_on_leaf_sum(s->net, NULL, NULL);
    orr_objective_destroy(s->objective);
    orr_free(s->sums);
    orr_free(s->leaf_loss);
    orr_free(s->leaf_right);
    orr_free(s->sample_loss);
    orr_free(s);
}

/* Sums over the whole batch, in leaf order, of loss, counts and what ranks have to say. */
static orr_status gather_sums(orr_stepper *s, const orr_loaded *b, orr_step_result *out)
{
    double total[N_SUMS];
    int n_leaves = s->plan.last - s->plan.first;

    for (int i = 0; i < n_leaves; i++) {
        double *row = s->sums + (size_t)i * N_SUMS;
        row[SUM_LOSS] = s->leaf_loss[i];
        row[SUM_CORRECT] = s->leaf_right[i];
        row[SUM_SAMPLES] = b->leaf[i + 1] - b->leaf[i];
        row[SUM_SIGNAL] = i == 0 && orr_stop_requested();
        row[SUM_ASKED] = i == 0 ? s->asks : 0;
        row[SUM_NONFINITE] = i == 0 && s->nonfinite;
    }
    ORR_TRY(orr_comm_leaf_sum(s->context->world, &s->plan, s->sums, total, N_SUMS));
    out->loss = total[SUM_LOSS];
    out->correct = (int64_t)total[SUM_CORRECT];
    out->samples = (int64_t)total[SUM_SAMPLES];
    out->stop = total[SUM_SIGNAL] > 0;
    out->asked = (int)total[SUM_ASKED]; /* of rank 0 alone */
    out->skipped = !isfinite(out->loss) || total[SUM_NONFINITE] > 0;
    if (out->samples != b->n_global)
        return orr_fail(ORR_ERR_INTERNAL, "a batch of %lld samples was trained with %lld",
                        (long long)b->n_global, (long long)out->samples);
    return ORR_OK;
}

/* Says which samples were not finite, where this rank can tell: the first of them, and how many. */
static orr_status log_nonfinite(const orr_stepper *s, const orr_loaded *b)
{
    char rows[160] = "";
    size_t used = 0;
    int n = 0;

    ORR_TRY(orr_objective_samples(s->objective, b->n, s->sample_loss));
    for (int i = 0; i < b->n; i++)
        if (!isfinite(s->sample_loss[i]) && n++ < 6)
            used +=
                (size_t)snprintf(rows + used, sizeof rows - used, " %lld", (long long)b->rows[i]);
    if (n)
        orr_log(ORR_WARN, "train",
                "epoch %lld step %lld: the loss of %d of %d samples is not finite: rows%s%s",
                (long long)b->epoch + 1, (long long)b->step + 1, n, b->n, rows,
                n > 6 ? " and so on" : "");
    return ORR_OK;
}

/* From here on this rank depends on the others: the gradients of all, and then what all say of the
 * step.  That comes last, since a rank whose sums were spoiled must not decide alone. */
static orr_status meet(orr_stepper *s, const orr_loaded *b, orr_step_result *out)
{
    orr_backend *be = orr_net_backend(s->net);
    size_t n_params = orr_net_param_count(s->net), n_all = orr_net_slab_count(s->net);
    orr_real *slab = orr_net_grads(s->net, 0);
    int64_t span = orr_timeline_now();
    double begin = orr_now(), stats_norm;
    orr_status st = ORR_OK;

    for (int i = 0; st == ORR_OK && i < s->n_flying; i++)
        st = orr_comm_reduce_end(s->flying[i]);
    s->wait += orr_now() - begin;
    if (st != ORR_OK) return st;
    ORR_TRY(orr_net_finish_grads(s->net, slab));
    show(s, "reduced", slab, n_params);
    ORR_TRY(be->ops->norm(be, n_params, slab, &out->grad_norm));
    ORR_TRY(be->ops->norm(be, n_all - n_params, slab + n_params, &stats_norm));
    s->nonfinite = !isfinite(out->grad_norm) || !isfinite(stats_norm);
    begin = orr_now();
    st = gather_sums(s, b, out);
    s->wait += orr_now() - begin;
    orr_timeline_span("reduce-wait", span, s->number);
    return st;
}

/* The sums are there: what they do to the weights. */
static orr_status update(orr_stepper *s, double lr, int non_empty, const orr_step_result *r)
{
    const orr_real *slab = orr_net_grads(s->net, 0);

    if (r->skipped) return ORR_OK;
    ORR_TRY(orr_optimiser_step(s->optimiser, orr_net_params(s->net), slab, lr,
                               orr_clip_scale(r->grad_norm, s->opts.clip_norm)));
    show(s, "weights", orr_net_params(s->net), orr_net_param_count(s->net));
    return orr_net_update_state(s->net, slab, non_empty);
}

static orr_status make_step(orr_stepper *s, const orr_loaded *b, double lr, orr_step_result *out)
{
    orr_batch batch = { .n = b->n,
                        .n_leaves = s->plan.last - s->plan.first,
                        .leaf = b->leaf,
                        .n_segments = s->plan.n_segments,
                        .segment = s->local_segment,
                        .n_global = b->n_global,
                        .keys = b->keys };
    int non_empty = orr_leaves_filled(b->n_global, s->plan.n_leaves, s->plan.fewest);
    const orr_real *y, *dy;
    int64_t span = orr_timeline_now();
    orr_status st;

    s->bucket_first = s->bucket_end = 0;
    s->n_flying = 0;
    ORR_TRY(orr_net_forward(s->net, &batch, b->x, b->aux, 1, &y));
    orr_timeline_span("forward", span, s->number);
    span = orr_timeline_now();
    ORR_TRY(orr_objective_eval(s->objective, &batch, y, b->labels, b->values, s->leaf_loss,
                               s->leaf_right, &dy));
    orr_timeline_span("loss", span, s->number);
    span = orr_timeline_now();
    ORR_TRY(orr_net_backward(s->net, &batch, dy));
    orr_timeline_span("backward", span, s->number);
    ORR_TRY(meet(s, b, out));
    span = orr_timeline_now();
    st = update(s, lr, non_empty, out);
    orr_timeline_span("optimiser", span, s->number);
    return st;
}

/* What is in the samples or the weights comes out the same a second time; what a machine did wrong
 * once does not. */
static orr_status make_again(orr_stepper *s, const orr_loaded *b, double lr, orr_step_result *out)
{
    ORR_TRY(make_step(s, b, lr, out));
    out->again = 1;
    if (out->skipped) return log_nonfinite(s, b);
    orr_log0(ORR_WARN, "train",
             "epoch %lld step %lld was not finite, and is when computed again: a fault of the "
             "machine on some rank; training goes on as if it had not been",
             (long long)b->epoch + 1, (long long)b->step + 1);
    return ORR_OK;
}

void orr_step_ask(orr_stepper *s, int what)
{
    s->asks |= what;
}

/* The first steps are made on one thread, to see what one costs; after a long one it is known that
 * more are worth it. */
static void choose_threads(orr_stepper *s)
{
    orr_context_use_threads(s->context);
    if (s->trials < TRIALS || s->least < worth_threads) orr_threads_use(1);
}

static void clock_trial(orr_stepper *s, double seconds)
{
    if (s->trials == TRIALS) return;
    if (s->trials++ == 0 || seconds < s->least) s->least = seconds;
    if (seconds > 10 * worth_threads) s->trials = TRIALS;
}

orr_status orr_step(orr_stepper *s, const orr_loaded *b, double lr, orr_step_result *out)
{
    int64_t before = orr_alloc_count(), more;
    double begin = orr_now();
    orr_status st;

    s->wait = 0;
    s->number = b->number;
    *out = (orr_step_result){ 0 };
    choose_threads(s);
    st = make_step(s, b, lr, out);
    clock_trial(s, orr_now() - begin - s->wait);
    if (st == ORR_OK && out->skipped) st = make_again(s, b, lr, out);
    orr_context_all_threads(s->context);
    if (st != ORR_OK) return st;
    s->asks = 0;
    out->wait = s->wait;
    more = orr_alloc_count() - before;
    if (s->warm && more)
        return orr_fail(ORR_ERR_INTERNAL, "%lld allocations inside a training step",
                        (long long)more);
    s->warm = 1;
    return ORR_OK;
}
