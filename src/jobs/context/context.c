/* jobs/context/context.c - start, agreement, end. */
#include "jobs/context/context.h"
#include "core/log.h"
#include "core/memory.h"
#include "core/threads.h"
#include "jobs/context/deadline.h"
#include "jobs/context/heartbeat.h"
#include "jobs/context/phase.h"
#include "jobs/context/tracing.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifdef ORRERY_MPI
#include "comm/mpi/mpi_comm.h"
#include <mpi.h>
#endif

const orr_option orr_runtime_options[] = {
    ORR_OPTION_INT(orr_runtime_opts, threads, "0", 0, 4096,
                   "threads a rank; 0 = cores it may use, shared by the ranks of the node"),
    ORR_OPTION_BOOL(orr_runtime_opts, progress, "true", "show progress lines"),
    ORR_OPTION_BOOL(orr_runtime_opts, checkpoint_async, "false",
                    "training: a thread writes the checkpoints while the steps go on; they are the "
                    "same, and rank 0 needs room for one in memory"),
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

const orr_option orr_restart_options[] = {
    ORR_OPTION_INT(orr_restart_opts, max, "3", 0, 1000000, "new starts after faults"),
    ORR_OPTION_INT(orr_restart_opts, min_ranks, "1", 1, 100000,
                   "fewer are not started when hosts are lost"),
    ORR_OPTION_END,
};

static volatile sig_atomic_t signal_seen;

static void on_signal(int number)
{
    (void)number;
    signal_seen = 1;
}

int orr_context_signalled(void)
{
    return signal_seen != 0;
}

void orr_context_stop(void)
{
    signal_seen = 1;
}

void orr_context_on_signals(void (*handler)(int))
{
    static const int numbers[] = { SIGTERM, SIGINT, SIGUSR1, SIGUSR2, SIGHUP };
    struct sigaction action, before;

    memset(&action, 0, sizeof action);
    action.sa_handler = handler;
    action.sa_flags = SA_RESTART;
    sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        sigaction(numbers[i], NULL, &before);
        if (before.sa_handler != SIG_IGN) sigaction(numbers[i], &action, NULL);
    }
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* then write says EFBIG */
}

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
    orr_context_on_signals(on_signal);
    ORR_TRY(orr_heartbeat_start(orr_context_stop));
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
    context->threads = 1;
    if (wanted && orr_parse_int64(&context->phase.fail_at, wanted) != ORR_OK)
        return orr_fail(ORR_ERR_OPTION, "ORR_PHASE_FAIL=%.80s is not a number", wanted);
    orr_heartbeat_who(context->rank, context->size);
    return orr_log_init(NULL, context->rank, context->size);
}

/* Ranks of this node that may use the same cores as this one. */
static orr_status sharing_ranks(orr_context *context, int *out)
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
    *out = 0;
    for (int r = 0; r < context->size; r++)
        *out += all[2 * r] == mine[0] && all[2 * r + 1] == mine[1];
done:
    orr_free(all);
    orr_free(bytes);
    return st;
}

orr_status orr_context_runtime(orr_context *context, const orr_runtime_opts *o)
{
    int sharing = 1;

    ORR_TRY(sharing_ranks(context, &sharing));
    context->threads = orr_threads_init(o->threads, sharing);
    return orr_tracing_start(context, o);
}

int orr_exit_code(orr_status st)
{
    switch (st) {
    case ORR_OK:
        return ORR_EXIT_OK;
    case ORR_ERR_OPTION:
    case ORR_ERR_ARG:
        return ORR_EXIT_USAGE;
    case ORR_ERR_INTERRUPTED:
        return ORR_EXIT_REQUEUE;
    case ORR_ERR_MACHINE:
        return ORR_EXIT_MACHINE;
    default:
        return ORR_EXIT_FAILED;
    }
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

/* Can all ranks end MPI together?  A failure that all of them hold may be one of MPI itself, which
 * each of them met alone: then they cannot meet once more. */
static int ends_together(const orr_context *context, orr_status *st)
{
    orr_status met;

    if (context->size == 1) return context->world != NULL || !context->mpi_started;
    if (*st != ORR_OK && *st != context->agreed) return 0;
    met = orr_comm_barrier(context->world);
    if (*st == ORR_OK) *st = met;
    return met == ORR_OK;
}

static void tell_failure(const orr_context *context, const char *command, int together,
                         const orr_error *e)
{
    if (together || strncmp(e->text, "rank ", 5) == 0) /* it says who it was */
        fprintf(stderr, "orrery%s%s: %s\n", command ? " " : "", command ? command : "", e->text);
    else
        fprintf(stderr, "orrery %s: rank %d (%s): %s\n", command ? command : "", context->rank,
                context->world ? orr_comm_host(context->world) : "?", e->text);
    if (orr_log_on(ORR_DEBUG, "jobs")) fprintf(stderr, "  detected at %s\n", e->where);
}

static void end_mpi(orr_context *context, int together, int code)
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

orr_status orr_context_flush(void)
{
    errno = 0;
    if ((fflush(stdout) == 0 && !ferror(stdout)) || errno == EBADF) return ORR_OK;
    return orr_fail(ORR_ERR_IO, "standard output: %s; what was printed is not all there",
                    errno ? strerror(errno) : "a write failed");
}

int orr_context_finish(orr_context *context, const char *command, orr_status st)
{
    orr_error own, met = { 0 };
    orr_status before = st;
    int together, code;

    if (st == ORR_OK && context->rank == 0) st = orr_context_flush();
    orr_error_take(&own, st);
    together = ends_together(context, &st);
    orr_error_take(&met, st == own.code ? ORR_OK : st);
    code = orr_exit_code(st);
    if (st != before)
        tell_failure(context, command, together, met.code == ORR_OK ? &own : &met);
    else if (st != ORR_OK && (!together || context->rank == 0))
        tell_failure(context, command, together, &own);
    orr_tracing_end(context, command, together);
    orr_heartbeat_done(code, !together && (st == ORR_ERR_COMM || st == ORR_ERR_TIMEOUT));
    orr_log_file(NULL);
    end_mpi(context, together, code);
    orr_heartbeat_stop();
    return code;
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

int orr_is_assignment(const char *s)
{
    size_t n = strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.");

    return n > 0 && s[n] == '=';
}

orr_status orr_job_config_restart(orr_config **out, orr_restart_opts *restart, const char *file,
                                  const orr_args *args)
{
    orr_config *c = NULL;
    orr_status st = file ? orr_config_load(&c, file) : orr_config_empty(&c);

    if (file && (st == ORR_ERR_IO || st == ORR_ERR_FORMAT)) st = ORR_ERR_OPTION; /* no job file */
    for (int i = 0; st == ORR_OK && i < args->n_assignments; i++)
        st = orr_config_set(c, args->assignments[i]);
    if (st == ORR_OK)
        st = orr_options_read(restart, orr_restart_options,
                              orr_node_get(orr_config_root(c), "restart"), "restart");
    if (st == ORR_OK) {
        orr_config_remove(c, "restart");
    } else {
        orr_config_destroy(c);
        c = NULL;
    }
    *out = c;
    return st;
}

orr_status orr_job_config(orr_config **out, const char *file, const orr_args *args)
{
    orr_restart_opts restart;

    return orr_job_config_restart(out, &restart, file, args);
}
