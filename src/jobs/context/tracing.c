/* jobs/context/tracing.c - one timeline of many ranks.  The offset of a clock is that of Cristian
 * (1989): at the middle of the shortest round trip, wrong by half of it at most. */
#include "jobs/context/tracing.h"
#include "core/log.h"
#include "core/memory.h"
#include "core/threads.h"
#include "core/timeline.h"
#include "jobs/context/phase.h"

#include <math.h>
#include <string.h>

enum { ROUNDS = 16 };

typedef struct reading {
    double then, node; /* this rank's clock in the round; the node it is on */
} reading;

/* One round: rank 0 calls, all read their clocks and answer.  Rank 0 keeps a rank's offset of the
 * round that took the shortest time. */
static orr_status one_round(orr_context *context, reading *all, const size_t *bytes, double *best,
                            double *offset)
{
    double begin, end;
    char call = 0;
    reading mine = { .node = orr_comm_node(context->world) };

    ORR_TRY(orr_comm_barrier(context->world));
    begin = orr_now();
    ORR_TRY(orr_comm_bcast(context->world, &call, sizeof call, 0));
    mine.then = orr_now();
    ORR_TRY(orr_comm_gather(context->world, &mine, context->rank == 0 ? all : NULL, bytes, 0));
    end = orr_now();
    if (context->rank != 0 || end - begin >= *best) return ORR_OK;
    *best = end - begin;
    for (int r = 0; r < context->size; r++)
        offset[r] = all[r].node == all[0].node ? 0 : 0.5 * (begin + end) - all[r].then;
    return ORR_OK;
}

/* Seconds that make each rank's clock rank 0's, the same for all ranks of a node, and how wrong
 * they may be. */
static orr_status measure(orr_context *context, double *offset, double *error)
{
    reading *all = orr_alloc((size_t)context->size, sizeof *all);
    size_t *bytes = orr_alloc((size_t)context->size, sizeof *bytes);
    double *offsets = orr_alloc((size_t)context->size + 1, sizeof *offsets), best = INFINITY;
    orr_status st =
        orr_phase(context, NULL,
                  all && bytes && offsets
                      ? ORR_OK
                      : orr_fail(ORR_ERR_NOMEM, "out of memory: %d ranks", context->size));

    if (st != ORR_OK) goto done;
    for (int r = 0; r < context->size; r++)
        bytes[r] = sizeof *all;
    for (int i = 0; i < ROUNDS; i++)
        ORR_TRY_GOTO(st, done, one_round(context, all, bytes, &best, offsets));
    for (int r = 1; context->rank == 0 && r < context->size; r++)
        for (int first = 0; first < r; first++)
            if (all[first].node == all[r].node) {
                offsets[r] = offsets[first];
                break;
            }
    offsets[context->size] = 0.5 * best;
    ORR_TRY_GOTO(
        st, done,
        orr_comm_bcast(context->world, offsets, ((size_t)context->size + 1) * sizeof *offsets, 0));
    *offset = offsets[context->rank];
    *error = orr_comm_node(context->world) == 0 ? 0 : offsets[context->size];
done:
    orr_free(all);
    orr_free(bytes);
    orr_free(offsets);
    return st;
}

static orr_status open_timeline(orr_context *context, const orr_timeline_opts *o)
{
    context->timeline_share = o->share;
    if (!(context->timeline = orr_strdup(o->folder)))
        return orr_fail(ORR_ERR_NOMEM, "out of memory: timeline");
    ORR_TRY(orr_timeline_open(o));
    orr_timeline_span("start", (int64_t)(context->started * 1e9), -1);
    return ORR_OK;
}

orr_status orr_tracing_start(orr_context *context, const orr_tracing_opts *wanted)
{
    orr_timeline_opts o = { .folder = wanted->folder,
                            .rank = context->rank,
                            .max_mib = wanted->max_mib,
                            .share = wanted->share };

    if (!o.folder || !o.folder[0]) return ORR_OK;
    if (orr_comm_n_nodes(context->world) > 1) ORR_TRY(measure(context, &o.offset, &o.error));
    o.host = orr_comm_host(context->world);
    o.origin = context->started + o.offset; /* of the earliest */
    ORR_TRY(orr_comm_allreduce(context->world, &o.origin, 1, ORR_F64, ORR_MIN));
    return orr_phase(context, NULL, open_timeline(context, &o));
}

static orr_status join(const orr_context *context)
{
    int found;

    ORR_TRY(orr_timeline_merge(context->timeline, context->size, &found));
    if (found < context->size)
        orr_log(ORR_WARN, "timeline",
                "%s/timeline.json has %d of %d ranks: the others' files lie on disks of their own",
                context->timeline, found, context->size);
    return ORR_OK;
}

void orr_tracing_end(orr_context *context, const char *command, int together)
{
    orr_timeline_left_out left;

    if (!context->timeline) return;
    orr_timeline_span(command ? command : "orrery", (int64_t)(context->started * 1e9), -1);
    orr_timeline_close(&left);
    if (left.spans > 0)
        orr_log(ORR_WARN, "timeline",
                "%lld spans are not in %s: it had no room (runtime.timeline_mib)",
                (long long)left.spans, context->timeline);
    if (left.units > 0)
        orr_log0(ORR_INFO, "timeline",
                 "%lld of %lld short steps and batches are not in %s: recording all would have "
                 "cost more than %g%% of their time (runtime.timeline_share)",
                 (long long)left.units, (long long)left.of_units, context->timeline,
                 100 * context->timeline_share);
    if (together && orr_comm_barrier(context->world) == ORR_OK && context->rank == 0 &&
        join(context) != ORR_OK)
        orr_log(ORR_WARN, "timeline", "%s", orr_error_text());
    orr_free(context->timeline);
    context->timeline = NULL;
}
