/* jobs/context/context.h - one running program: who takes part, and how it ends.
 * The only place that knows argv, MPI_COMM_WORLD, exit codes and standard output.
 *
 * Ending.  A command is a sequence of phases (jobs/context/phase.h), after each of which every rank
 * holds the same status.  A command that returns an agreed failure ends everywhere with one printed
 * sentence and the same exit code.  A failure that one rank met alone, where the others wait for
 * it, ends the job by MPI_Abort after that rank has printed it; so does one of MPI itself, after which
 * they cannot meet any more.  MPI_Init, MPI_Finalize and MPI_Abort get a deadline (jobs/context/deadline.h).
 * Exit codes: 0 done; 1 failed; 2
 * usage or job file; 75 stopped by a signal after saving, start again to go on; 76 a rank was ended
 * by its supervisor, or has lost it (jobs/context/heartbeat.h); 77 a fault of the machine was seen
 * (jobs/train/replicas.h), start again to go on from the last checkpoint. */
#ifndef ORR_JOBS_CONTEXT_CONTEXT_H
#define ORR_JOBS_CONTEXT_CONTEXT_H

#include "comm/comm.h"
#include "core/config.h"
#include "core/options.h"
#include "core/status.h"
#include "core/text.h"
#include "data/storage/shared_file.h"

enum {
    ORR_EXIT_OK = 0,
    ORR_EXIT_FAILED = 1,
    ORR_EXIT_USAGE = 2,
    ORR_EXIT_REQUEUE = 75,
    ORR_EXIT_LOST = 76,
    ORR_EXIT_MACHINE = 77
};

/* Private to jobs/context/phase.c. */
typedef struct orr_phase_state {
    const char *name;       /* NULL: none is under way, or it has none */
    int depth;              /* 1: in one */
    int64_t began;          /* orr_timeline_now() */
    orr_status failed;      /* before its call was made */
    int64_t count, fail_at; /* phases so far; which of them is to fail (0: none) */
} orr_phase_state;

typedef struct orr_context {
    orr_comm *world;
    int rank, size;
    int threads;       /* OpenMP threads of this process */
    int mpi_started;   /* MPI_Init was ours to call */
    orr_status agreed; /* the last failure all ranks know of */
    double started;    /* orr_now() at start */
    int quiet;         /* prints nothing: a group of a larger job */
    /* Called between pieces of long work, at least every few seconds; NULL: none. */
    void (*alive)(void *ctx);
    void *alive_ctx;
    char *timeline; /* folder of the timeline; NULL: there is none (jobs/context/tracing.h) */
    double timeline_share;
    orr_phase_state phase;
} orr_context;

/* What every job file may hold beside its own keys; never part of a result. */
typedef struct orr_runtime_opts {
    int threads; /* 0: from the cores this process may use */
    int progress;
    int checkpoint_async; /* where there is training */
    const char *timeline; /* "" or NULL: none */
    double timeline_mib, timeline_share;
} orr_runtime_opts;
extern const orr_option orr_runtime_options[];

/* And its section `restart`, for orrery launch alone: the commands do not see it. */
typedef struct orr_restart_opts {
    int max, min_ranks;
} orr_restart_opts;
extern const orr_option orr_restart_options[];

/* Starts MPI when the process was launched as one of several ranks (or when forced by ORR_MPI=1);
 * else one rank and no MPI. */
orr_status orr_context_start(orr_context *context, int *argc, char ***argv);
/* Sizes the thread pool, starts the timeline.  Collective. */
orr_status orr_context_runtime(orr_context *context, const orr_runtime_opts *o);
/* orr_comm_agree, remembered: the bare end of a phase.  Nearly all are calls of
 * jobs/context/phase.h; who uses this says why.  Collective. */
static inline orr_status orr_context_agree(orr_context *context, orr_status st)
{
    context->agreed = orr_comm_agree(context->world, st);
    return context->agreed;
}
/* Prints what there is to print about st, ends MPI, returns the exit code.  Collective when st is
 * ORR_OK or agreed. */
int orr_context_finish(orr_context *context, const char *command, orr_status st);
/* All ranks, as writers of one file; NULL: there is one.   Not collective. */
const orr_store_ranks *orr_context_writers(const orr_context *context);
int orr_exit_code(orr_status st);
/* What was printed is out, unless standard output was closed on purpose.  ORR_ERR_IO. */
orr_status orr_context_flush(void);
/* Lets handler see SIGTERM, SIGINT, SIGUSR1, SIGUSR2 and SIGHUP, those that are not ignored already
 * (nohup); SIGPIPE and SIGXFSZ are ignored: writes fail instead. */
void orr_context_on_signals(void (*handler)(int));
/* True once one of these signals has come to this rank, or a stop was asked for. */
int orr_context_signalled(void);
/* As if a signal had come: another group of the job was stopped. */
void orr_context_stop(void);
static inline void orr_context_alive(const orr_context *context)
{
    if (context->alive) context->alive(context->alive_ctx);
}
/* printf to standard output on rank 0 alone, unless quiet. */
void orr_context_print(const orr_context *context, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* ---- commands ---- */
/* "a.b=c" is an assignment when what stands before '=' looks like a key. */
int orr_is_assignment(const char *s);
typedef struct orr_args {
    int n_words;
    const char *words[16]; /* what is not key=value */
    int n_assignments;
    const char *assignments[64]; /* "key=value" */
} orr_args;

/* The job file (NULL: none) with the assignments laid over it, less the section `restart`, which is
 * checked.  Rank 0's view is what all ranks get told apart by agree. */
orr_status orr_job_config(orr_config **out, const char *file, const orr_args *args);
/* The same, and the section's keys. */
orr_status orr_job_config_restart(orr_config **out, orr_restart_opts *restart, const char *file,
                                  const orr_args *args);

#endif
