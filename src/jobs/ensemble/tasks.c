/* jobs/ensemble/tasks.c - groups of ranks take tasks, longest first. */
#include "jobs/ensemble/tasks.h"
#include "core/log.h"
#include "core/memory.h"
#include "core/threads.h"
#include "core/timeline.h"
#include "jobs/context/meeting.h"
#include "jobs/context/phase.h"
#include "jobs/context/signals.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct dealer {
    const orr_tasks *t;
    orr_context *context, group; /* group.world NULL: this rank is idle */
    orr_meeting *meeting;
    orr_counter *deal, *ended;
    int *order;
    int32_t *failed; /* [n] status of tasks that failed, as seen by this rank's group */
    orr_error why;   /* of the first of them */
    int first;       /* its number; n: none */
    int stopped;
} dealer;

/* ---- order and groups ---- */
typedef struct weighed {
    double cost;
    int task;
} weighed;

static int longest_first(const void *a, const void *b)
{
    const weighed *x = a, *y = b;

    if (x->cost != y->cost) return x->cost > y->cost ? -1 : 1;
    return x->task - y->task;
}

void orr_tasks_order(const double *cost, int n, int *order)
{
    weighed *w = orr_alloc((size_t)n + 1, sizeof *w);

    for (int i = 0; i < n; i++)
        order[i] = i;
    if (!w) return; /* any order is right, if not quick */
    for (int i = 0; i < n; i++)
        w[i] = (weighed){ cost[i], i };
    qsort(w, (size_t)n, sizeof *w, longest_first);
    for (int i = 0; i < n; i++)
        order[i] = w[i].task;
    orr_free(w);
}

int orr_tasks_groups(const orr_tasks *t, int size)
{
    int n = t->group_ranks > 0 ? size / t->group_ranks : size;

    if (n < 1) n = 1;
    return n < t->n ? n : t->n;
}

int orr_tasks_group_of(const orr_tasks *t, int size, int rank)
{
    int n = orr_tasks_groups(t, size), group = (int)((int64_t)rank * n / size),
        first = (int)(((int64_t)group * size + n - 1) / n);

    if (t->group_ranks > 0) {
        first = rank / t->group_ranks * t->group_ranks;
        group = rank / t->group_ranks < n ? rank / t->group_ranks : -1;
    }
    return rank - first < t->most_ranks ? group : -1;
}

/* ---- one task ---- */
static void between(void *ctx)
{
    dealer *d = ctx;
    int halted = 0;

    if (orr_meeting_look(d->meeting, &halted) == ORR_OK && halted) orr_stop_request();
}

static void note_failure(dealer *d, int i, orr_status st)
{
    char name[128];

    d->failed[i] = (int32_t)st;
    if (d->group.rank == 0)
        orr_log(ORR_ERROR, d->t->component, "%s %s failed: %s", d->t->what,
                d->t->name(d->t->ctx, i, name, sizeof name), orr_error_text());
    if (i > d->first) return;
    d->first = i;
    orr_error_take(&d->why, st);
}

/* Is the group's communicator of no further use? */
static int is_broken(orr_status st)
{
    return st == ORR_ERR_COMM || st == ORR_ERR_TIMEOUT;
}

static orr_status tell_done(dealer *d, int i, double seconds)
{
    char name[128];
    int64_t before;

    if (d->group.rank != 0) return ORR_OK;
    ORR_TRY(orr_counter_next(d->ended, 1, &before));
    orr_log(ORR_INFO, d->t->component, "%lld of %d: %s %s, %.1f s on %d rank%s",
            (long long)before + 1, d->t->n, d->t->what, d->t->name(d->t->ctx, i, name, sizeof name),
            seconds, d->group.size, d->group.size == 1 ? "" : "s");
    return ORR_OK;
}

static orr_status run_task(dealer *d, int i)
{
    double began = orr_now();
    int64_t span = orr_timeline_now();
    char name[128];
    orr_status st;

    orr_phase_at(d->context, d->t->what, i);
    d->group.agreed = ORR_OK;
    st = d->t->run(d->t->ctx, &d->group, i);
    if (span) orr_timeline_span_of("task", span, i, d->t->name(d->t->ctx, i, name, sizeof name));
    if (st == ORR_OK) return tell_done(d, i, orr_now() - began);
    if (st == ORR_ERR_INTERRUPTED) {
        d->stopped = 1;
        return ORR_OK;
    }
    /* One rank of the group alone, or all without a way to go on: this ends the job. */
    if (st != d->group.agreed || is_broken(st)) return st;
    note_failure(d, i, st);
    return ORR_OK;
}

/* The group's rank 0: the number of the next task, and whether to leave off. */
static orr_status ask_for_task(dealer *d, int64_t take[2])
{
    int halted = 0;

    ORR_TRY(orr_meeting_look(d->meeting, &halted));
    ORR_TRY(orr_counter_next(d->deal, 1, &take[0]));
    take[1] = halted || orr_stop_requested();
    return ORR_OK;
}

static orr_status take_tasks(dealer *d)
{
    while (!d->stopped) {
        int64_t take[2] = { 0, 0 };
        ORR_TRY(orr_phase_root(&d->group, NULL, ask_for_task(d, take)));
        ORR_TRY(orr_comm_bcast(d->group.world, take, sizeof take, 0));
        if (take[1]) d->stopped = 1;
        if (take[0] >= d->t->n || d->stopped) break;
        ORR_TRY(run_task(d, d->order[take[0]]));
    }
    return ORR_OK;
}

/* ---- all ---- */
static orr_status wait_on(void *ctx)
{
    (void)ctx;
    return orr_stop_requested() ? ORR_ERR_INTERRUPTED : ORR_OK;
}

static orr_status begin(dealer *d)
{
    orr_context *context = d->context;
    int group = orr_tasks_group_of(d->t, context->size, context->rank);
    orr_comm *world = NULL;

    d->first = d->t->n;
    d->order = orr_alloc((size_t)d->t->n + 1, sizeof *d->order);
    d->failed = orr_alloc((size_t)d->t->n + 1, sizeof *d->failed);
    ORR_TRY(orr_phase(context, NULL,
                      d->order && d->failed
                          ? ORR_OK
                          : orr_fail(ORR_ERR_NOMEM, "out of memory: %d tasks", d->t->n)));
    orr_tasks_order(d->t->cost, d->t->n, d->order);
    ORR_TRY(orr_meeting_create(&d->meeting, context));
    ORR_TRY(orr_phase_joint(context, orr_counter_create(&d->deal, context->world)));
    ORR_TRY(orr_phase_joint(context, orr_counter_create(&d->ended, context->world)));
    ORR_TRY(orr_phase_joint(context, orr_comm_split(&world, context->world, group, context->rank)));
    d->group = *context;
    d->group.world = world;
    d->group.quiet = 1;
    d->group.alive = between;
    d->group.alive_ctx = d;
    if (!world) return ORR_OK;
    d->group.rank = orr_comm_rank(world);
    d->group.size = orr_comm_size(world);
    return ORR_OK;
}

/* The lowest failed task's sentence, on all ranks. */
static orr_status tell_failures(dealer *d)
{
    orr_context *context = d->context;
    int n = d->t->n, n_failed = 0, first = n;
    int32_t owner;
    char name[128];

    ORR_TRY(orr_comm_allreduce(context->world, d->failed, (size_t)n, ORR_I32, ORR_MIN));
    for (int i = n; i-- > 0;)
        if (d->failed[i] != ORR_OK) {
            n_failed++;
            first = i;
        }
    if (n_failed == 0) return ORR_OK;
    owner = d->first == first ? context->rank : context->size;
    ORR_TRY(orr_comm_allreduce(context->world, &owner, 1, ORR_I32, ORR_MIN));
    ORR_TRY(orr_comm_bcast(context->world, &d->why, sizeof d->why, owner));
    return orr_fail_prefix(orr_phase_same(context, orr_error_raise(&d->why)),
                           "%d of %d %ss failed, the first is %s: ", n_failed, n, d->t->what,
                           d->t->name(d->t->ctx, first, name, sizeof name));
}

static orr_status interrupted(dealer *d)
{
    int32_t any = d->stopped || orr_stop_requested();

    ORR_TRY(orr_comm_allreduce(d->context->world, &any, 1, ORR_I32, ORR_MAX));
    if (!any) return ORR_OK;
    return orr_phase_same(
        d->context,
        orr_fail(ORR_ERR_INTERRUPTED,
                 "stopped by a signal; what is done is kept; the same command resumes it"));
}

static orr_status work(dealer *d)
{
    int64_t span;
    orr_status st = ORR_OK;

    if (d->group.world) {
        orr_log_group(d->group.rank == 0, d->t->component);
        st = take_tasks(d);
        orr_log_group_end();
    }
    if (st != ORR_OK) return st; /* not agreed: the caller aborts the job */
    if (d->stopped) orr_meeting_halt(d->meeting);
    orr_phase_at(d->context, "wait for the others", -1);
    span = orr_timeline_now();
    st = orr_meeting_wait(d->meeting, wait_on, d);
    orr_timeline_span("wait for the others", span, -1);
    if (st == ORR_ERR_INTERRUPTED) {
        orr_meeting_halt(d->meeting);
        st = ORR_OK;
    }
    /* bare: a rank whose group broke left the loop by itself above, and ends the job */
    ORR_TRY(orr_context_agree(d->context, st));
    ORR_TRY(interrupted(d));
    return tell_failures(d);
}

orr_status orr_tasks_run(orr_context *context, const orr_tasks *t)
{
    dealer d = { .t = t, .context = context };
    orr_status st;

    if (t->n == 0) return ORR_OK;
    st = begin(&d);
    if (st == ORR_OK) st = work(&d);
    if (st == ORR_OK || st == context->agreed) {
        orr_comm_destroy(d.group.world != context->world ? d.group.world : NULL);
        orr_counter_destroy(d.ended);
        orr_counter_destroy(d.deal);
        orr_meeting_destroy(d.meeting);
    }
    orr_free(d.order);
    orr_free(d.failed);
    return st;
}
