/* jobs/context/context.h - who takes part in one running program.
 *
 * The communicator of all ranks and what each rank knows of itself.  MPI_COMM_WORLD is named here
 * and nowhere else; MPI_Init has a deadline (jobs/context/deadline.h).  Beside it, each with a
 * header: phase (work that ends with one verdict), meeting (whose ranks reach its end far apart),
 * ending (exit codes, the last words), signals (requests to stop), runtime (threads, timeline),
 * heartbeat and run_status (what is said of it outside), job_config (what was asked for), run (its
 * folder). */
#ifndef ORR_JOBS_CONTEXT_CONTEXT_H
#define ORR_JOBS_CONTEXT_CONTEXT_H

#include "comm/comm.h"
#include "core/cores.h"
#include "core/status.h"
#include "data/storage/shared_file.h"

/* Private to jobs/context/phase.c. */
typedef struct orr_phase_state {
    const char *name;       /* NULL: none is under way, or it has none */
    int depth;              /* 1: in one */
    int64_t began;          /* orr_timeline_now() */
    orr_status failed;      /* before its call was made */
    int64_t count, fail_at; /* phases so far; which of them is to fail (0: none) */
} orr_phase_state;

struct orr_run_status;

typedef struct orr_context {
    orr_comm *world;
    int rank, size;
    int job_rank;     /* in the whole job: rank, but in a group of it */
    int threads;      /* OpenMP threads of this process, at most */
    int threads_vary; /* fewer, while others need the cores */
    int told_room;    /* that there are fewer: once */
    orr_core_room room;
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
    /* What is written of the run that is under way (run_status.h sets it): phases tell it their
     * names.  NULL: nothing is, or not by this rank. */
    struct orr_run_status *status;
} orr_context;

/* Starts MPI when the process was launched as one of several ranks (or when forced by ORR_MPI=1);
 * else one rank and no MPI. */
orr_status orr_context_start(orr_context *context, int *argc, char ***argv);
/* orr_comm_agree, remembered: the bare end of a phase.  Nearly all are calls of
 * jobs/context/phase.h; who uses this says why.  Collective. */
static inline orr_status orr_context_agree(orr_context *context, orr_status st)
{
    context->agreed = orr_comm_agree(context->world, st);
    return context->agreed;
}
/* Ends MPI: together with the others (then collective), or by MPI_Abort with that code.  Only
 * jobs/context/ending.h does this. */
void orr_context_leave(orr_context *context, int together, int code);
/* All ranks, as writers of one file; NULL: there is one.   Not collective. */
const orr_store_ranks *orr_context_writers(const orr_context *context);
static inline void orr_context_alive(const orr_context *context)
{
    if (context->alive) context->alive(context->alive_ctx);
}
/* Before a step or another short piece of work: the calling thread's parallel loops get as many
 * threads as there is room for, at most `threads`, and after it all of them again.  Not
 * collective. */
void orr_context_use_threads(orr_context *context);
void orr_context_all_threads(orr_context *context);
/* printf to standard output on rank 0 alone, unless quiet. */
void orr_context_print(const orr_context *context, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
