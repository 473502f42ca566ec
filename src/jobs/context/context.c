/* jobs/context/context.c - ranks come and go. */
#include "jobs/context/context.h"
#include "core/log.h"
#include "core/options.h"
#include "core/threads.h"
#include "jobs/context/deadline.h"
#include "jobs/context/exit_code.h"
#include "jobs/context/heartbeat.h"
#include "jobs/context/signals.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#ifdef ORRERY_MPI
#include "comm/mpi/mpi_comm.h"
#include <mpi.h>
#endif

#ifdef ORRERY_MPI
/* Launchers say so in the environment; a plain start then needs no MPI and begins at once. */
static int launched_by_mpi(void)
{
    static const char *const names[] = {
        "OMPI_COMM_WORLD_SIZE", "PMIX_RANK", "PMI_RANK", "PMI_SIZE", "MPI_LOCALNRANKS", "ORR_MPI"
    };

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (getenv(names[i])) return 1;
    return 0;
}

static orr_status start_mpi(orr_context *context, int *argc, char ***argv)
{
    orr_comm_opts opts = ORR_COMM_OPTS_INIT;
    int provided, initialised;

    opts.stuck = orr_deadline_end;
    MPI_Initialized(&initialised);
    if (!initialised) {
        orr_deadline limit;
        int failed;

        orr_deadline_start(&limit, "MPI_Init", ORR_EXIT_FAILED, 1);
        failed = MPI_Init_thread(argc, argv, MPI_THREAD_FUNNELED, &provided) != MPI_SUCCESS;
        orr_deadline_stop(&limit);
        if (failed) return orr_fail(ORR_ERR_COMM, "MPI did not start");
        context->mpi_started = 1;
    }
    return orr_comm_mpi_create(&context->world, MPI_COMM_WORLD, &opts);
}
#endif

orr_status orr_context_start(orr_context *context, int *argc, char ***argv)
{
    const char *wanted = getenv("ORR_PHASE_FAIL");

    *context = (orr_context){ .size = 1, .started = orr_now() };
    orr_stop_on_signals();
    ORR_TRY(orr_heartbeat_start(orr_stop_request));
#ifdef ORRERY_MPI
    if (launched_by_mpi())
        ORR_TRY(start_mpi(context, argc, argv));
    else
        ORR_TRY(orr_comm_self_create(&context->world));
#else
    (void)argc;
    (void)argv;
    ORR_TRY(orr_comm_self_create(&context->world));
#endif
    context->rank = orr_comm_rank(context->world);
    context->size = orr_comm_size(context->world);
    context->job_rank = context->rank;
    context->threads = 1;
    if (wanted && orr_parse_int64(&context->phase.fail_at, wanted) != ORR_OK)
        return orr_fail(ORR_ERR_OPTION, "ORR_PHASE_FAIL=%.80s is not a number", wanted);
    orr_heartbeat_who(context->rank, context->size);
    return orr_log_init(NULL, context->rank, context->size);
}

void orr_context_use_threads(orr_context *context)
{
    orr_core_room *room = &context->room;
    int n = context->threads;
    double now;

    if (context->threads_vary && (now = orr_now()) >= room->next &&
        orr_core_room_at(room, now, orr_processor_seconds()) < room->cores && room->room < n &&
        !context->told_room) {
        context->told_room = 1;
        orr_log(ORR_INFO, "threads",
                "others keep %.1f of the %d cores busy: fewer threads while they do, with the same "
                "results (OMP_DYNAMIC=false: always %d)",
                room->others, room->cores, n);
    }
    if (context->threads_vary && room->room < room->cores && room->room < n) n = room->room;
    orr_threads_use(n);
}

void orr_context_all_threads(orr_context *context)
{
    orr_threads_use(context->threads);
}

const orr_store_ranks *orr_context_writers(const orr_context *context)
{
#ifdef ORRERY_MPI
    static const MPI_Comm world = MPI_COMM_WORLD;
    static const MPI_Info none = MPI_INFO_NULL;
    static const orr_store_ranks all = { &world, &none };

    return context->size > 1 ? &all : NULL;
#else
    (void)context;
    return NULL;
#endif
}

void orr_context_leave(orr_context *context, int together, int code)
{
#ifdef ORRERY_MPI
    orr_deadline limit;

    if (together) {
        orr_comm_destroy(context->world);
        context->world = NULL;
    }
    if (!context->mpi_started) return;
    orr_deadline_start(&limit, together ? "MPI_Finalize" : "MPI_Abort", code, 0);
    if (together)
        MPI_Finalize();
    else
        MPI_Abort(MPI_COMM_WORLD, code);
    orr_deadline_stop(&limit);
#else
    (void)together;
    (void)code;
    orr_comm_destroy(context->world);
    context->world = NULL;
#endif
}

void orr_context_print(const orr_context *context, const char *format, ...)
{
    va_list ap;

    if (context->rank != 0 || context->quiet) return;
    va_start(ap, format);
    /* NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized): it was begun a line above */
    vprintf(format, ap);
    va_end(ap);
}
