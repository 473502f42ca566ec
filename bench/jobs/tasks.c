/* bench/jobs/cv/tasks.c - how close the dealing of tasks comes to its bound.
 *   mpirun --oversubscribe --bind-to none -n 8 bench_jobs_tasks [tasks=60] [seconds=12] [runs=3]
 *
 * Tasks of very different length (log-normal, 1 to about 30) that only sleep are run by groups of
 * one rank; lengths are scaled so that one rank would need `seconds` times ranks.  Printed: the
 * measured makespan; that of longest-first list scheduling without any overhead (the bound it is
 * held to); and the least that any schedule can have, max(sum / ranks, longest).
 * Claim: makespan <= 1.05 times the longest-first bound. */
#include "jobs/ensemble/tasks.h"
#include "core/memory.h"
#include "core/rng.h"
#include "core/threads.h"
#include "jobs/context/ending.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static double option(int argc, char **argv, const char *name, double fallback)
{
    size_t n = strlen(name);

    for (int i = 1; i < argc; i++)
        if (strncmp(argv[i], name, n) == 0 && argv[i][n] == '=')
            return strtod(argv[i] + n + 1, NULL);
    return fallback;
}

static orr_status nap(void *ctx, orr_context *group, int i)
{
    const double *seconds = ctx;
    double end = orr_now() + seconds[i], left;

    while ((left = end - orr_now()) > 0) {
        struct timespec t = { .tv_nsec = (long)(1e9 * fmin(left, 0.05)) };
        nanosleep(&t, NULL);
        orr_context_alive(group);
    }
    return orr_context_agree(group, ORR_OK);
}

static const char *name(void *ctx, int i, char *buf, size_t bytes)
{
    (void)ctx;
    snprintf(buf, bytes, "%d", i);
    return buf;
}

/* List scheduling on m machines in that order: when the last one ends. */
static double list_schedule(const double *cost, const int *order, int n, int m)
{
    double *busy = orr_alloc((size_t)m, sizeof *busy), end = 0;

    for (int i = 0; busy && i < n; i++) {
        int first = 0;
        for (int k = 1; k < m; k++)
            if (busy[k] < busy[first]) first = k;
        busy[first] += cost[order[i]];
        if (busy[first] > end) end = busy[first];
    }
    orr_free(busy);
    return end;
}

static orr_status measure(orr_context *context, int n, double seconds, int run)
{
    double *cost = orr_alloc((size_t)n, sizeof *cost), sum = 0, longest = 0, began, took, bound;
    int *order = orr_alloc((size_t)n, sizeof *order);
    orr_tasks t = {
        .n = n, .most_ranks = 1, .group_ranks = 1, .what = "task", .component = "bench"
    };
    orr_status st = ORR_OK;

    if (!cost || !order) return orr_fail(ORR_ERR_NOMEM, "out of memory: %d tasks", n);
    for (int i = 0; i < n; i++) {
        orr_philox w =
            orr_rng_block(orr_rng_key(1, ORR_RNG_TEST, (uint64_t)run, 0, 0), (uint64_t)i);
        cost[i] = exp(3.4 * (w.v[0] / 4294967296.0));
        sum += cost[i];
    }
    for (int i = 0; i < n; i++) {
        cost[i] *= seconds * context->size / sum;
        longest = fmax(longest, cost[i]);
    }
    t.cost = cost;
    t.run = nap;
    t.name = name;
    t.ctx = cost;
    ORR_TRY_GOTO(st, done, orr_comm_barrier(context->world));
    began = orr_now();
    ORR_TRY_GOTO(st, done, orr_tasks_run(context, &t));
    took = orr_now() - began;
    orr_tasks_order(cost, n, order);
    bound = list_schedule(cost, order, n, context->size);
    orr_context_print(
        context,
        "%d tasks on %d ranks: %.3f s, longest-first bound %.3f s (ratio %.4f), least "
        "possible %.3f s\n",
        n, context->size, took, bound, took / bound, fmax(seconds, longest));
done:
    orr_free(cost);
    orr_free(order);
    return st;
}

int main(int argc, char **argv)
{
    orr_context context;
    int n = (int)option(argc, argv, "tasks", 60), runs = (int)option(argc, argv, "runs", 3);
    orr_status st = orr_context_start(&context, &argc, &argv);

    for (int r = 0; st == ORR_OK && r < runs; r++)
        st = measure(&context, n, option(argc, argv, "seconds", 12), r);
    return orr_context_finish(&context, "bench", st);
}
