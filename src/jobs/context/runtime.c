/* jobs/context/runtime.c - threads and the timeline, as the job file wants them. */
#include "jobs/context/runtime.h"
#include "core/cores.h"
#include "core/memory.h"
#include "core/threads.h"
#include "jobs/context/phase.h"
#include "jobs/context/tracing.h"

const orr_option orr_runtime_options[] = {
    ORR_OPTION_INT(
        orr_runtime_opts, threads, "0", 0, 4096,
        "threads a rank, fewer while others need the cores; 0 = cores it may use (affinity, "
        "quotas of control groups), shared by the ranks of the node"),
    ORR_OPTION_BOOL(orr_runtime_opts, progress, "true", "show progress lines"),
    ORR_OPTION_BOOL(orr_runtime_opts, checkpoint_async, "false",
                    "training: a thread writes the checkpoints while the steps go on; they are the "
                    "same, and rank 0 needs room for one in memory"),
    ORR_OPTION_REAL(orr_runtime_opts, checkpoint_seconds, "30", 0, 1e9,
                    "training: seconds between checkpoints, the most that a kill loses; there is "
                    "one after the first epoch, too; 0 = at the end of each epoch"),
    ORR_OPTION_STRING(orr_runtime_opts, timeline, "",
                      "folder for what every rank did when: timeline.json, for Perfetto or "
                      "chrome://tracing; \"\" = none"),
    ORR_OPTION_REAL(orr_runtime_opts, timeline_mib, "256", 1, 1048576,
                    "most that a rank writes there, MiB; later spans are counted and left out"),
    ORR_OPTION_REAL(orr_runtime_opts, timeline_share, "0.0025", 1e-6, 1,
                    "of a thread's time that recording may take: of shorter steps every second, "
                    "fourth, ... is recorded, the same ones by all ranks; 1 = every one"),
    ORR_OPTION_END,
};

/* Ranks of this node, and those that may use the same cores as this one. */
static orr_status sharing_ranks(orr_context *context, orr_thread_place *p)
{
    uint64_t mine[2] = { (uint64_t)orr_comm_node(context->world), orr_affinity_key() };
    uint64_t *all = orr_alloc((size_t)context->size, sizeof mine);
    size_t *bytes = orr_alloc((size_t)context->size, sizeof *bytes);
    orr_status st = orr_phase(
        context, NULL,
        all && bytes ? ORR_OK : orr_fail(ORR_ERR_NOMEM, "out of memory: %d ranks", context->size));

    if (st != ORR_OK) goto done;
    for (int r = 0; r < context->size; r++)
        bytes[r] = sizeof mine;
    ORR_TRY_GOTO(st, done, orr_comm_allgather(context->world, mine, all, bytes));
    for (int r = 0; r < context->size; r++) {
        p->ranks_on_node += all[2 * r] == mine[0];
        p->ranks_on_cores += all[2 * r] == mine[0] && all[2 * r + 1] == mine[1];
    }
done:
    orr_free(all);
    orr_free(bytes);
    return st;
}

orr_status orr_runtime_start(orr_context *context, const orr_runtime_opts *o)
{
    orr_thread_place place = { .wanted = o->threads, .cores = orr_cores_allowed() };

    ORR_TRY(sharing_ranks(context, &place));
    context->threads = orr_threads_init(&place);
    context->threads_vary = context->threads > 1 && orr_threads_may_vary();
    orr_core_room_start(&context->room, "");
    return orr_tracing_start(
        context, &(orr_tracing_opts){ o->timeline, o->timeline_mib, o->timeline_share });
}
