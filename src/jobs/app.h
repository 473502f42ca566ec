/* jobs/app.h - one running program: who takes part, and how it ends.
 * The only place that knows argv, MPI_COMM_WORLD, exit codes and standard output.
 *
 * Ending.  A command is a sequence of phases; each ends with orr_app_agree, after which every rank
 * holds the same status.  A command that returns an agreed failure ends everywhere with one printed
 * sentence and the same exit code.  A failure that one rank met alone, where the others wait for
 * it, ends the job by MPI_Abort after that rank has printed it; so does one of MPI itself, after which
 * they cannot meet any more.  MPI_Init, MPI_Finalize and MPI_Abort get a deadline (jobs/deadline.h).
 * Exit codes: 0 done; 1 failed; 2
 * usage or job file; 75 stopped by a signal after saving, start again to go on; 76 a rank was ended
 * by its supervisor, or has lost it (jobs/pulse.h); 77 a fault of the machine was seen
 * (jobs/train/replicas.h), start again to go on from the last checkpoint. */
#ifndef ORR_JOBS_APP_H
#define ORR_JOBS_APP_H

#include "comm/comm.h"
#include "core/config.h"
#include "core/options.h"
#include "core/status.h"
#include "core/text.h"

enum {
    ORR_EXIT_OK = 0,
    ORR_EXIT_FAILED = 1,
    ORR_EXIT_USAGE = 2,
    ORR_EXIT_REQUEUE = 75,
    ORR_EXIT_LOST = 76,
    ORR_EXIT_MACHINE = 77
};

typedef struct orr_app {
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
    char *timeline; /* folder of the timeline; NULL: there is none (jobs/tracing.h) */
    double timeline_share;
} orr_app;

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
orr_status orr_app_start(orr_app *app, int *argc, char ***argv);
/* Sizes the thread pool, starts the timeline.  Collective. */
orr_status orr_app_runtime(orr_app *app, const orr_runtime_opts *o);
/* Ends a phase (orr_comm_agree).  Collective. */
static inline orr_status orr_app_agree(orr_app *app, orr_status st)
{
    app->agreed = orr_comm_agree(app->world, st);
    return app->agreed;
}
/* Prints what there is to print about st, ends MPI, returns the exit code.  Collective when st is
 * ORR_OK or agreed. */
int orr_app_finish(orr_app *app, const char *command, orr_status st);
int orr_exit_code(orr_status st);
/* What was printed is out, unless standard output was closed on purpose.  ORR_ERR_IO. */
orr_status orr_app_flush(void);
/* Lets handler see SIGTERM, SIGINT, SIGUSR1, SIGUSR2 and SIGHUP, those that are not ignored already
 * (nohup); SIGPIPE and SIGXFSZ are ignored: writes fail instead. */
void orr_app_on_signals(void (*handler)(int));
/* True once one of these signals has come to this rank, or a stop was asked for. */
int orr_app_signalled(void);
/* As if a signal had come: another group of the job was stopped. */
void orr_app_stop(void);
static inline void orr_app_alive(const orr_app *app)
{
    if (app->alive) app->alive(app->alive_ctx);
}
/* printf to standard output on rank 0 alone, unless quiet. */
void orr_app_print(const orr_app *app, const char *format, ...)
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

typedef struct orr_command {
    const char *name, *summary, *usage, *details;
    const orr_option *options; /* the job's rows, for --help and the reference; NULL: none */
    const char *options_title;
    void (*more_help)(orr_text *out); /* further tables; NULL: none */
    orr_status (*run)(orr_app *app, const orr_args *args);
    /* Instead of run: takes what follows the command as it stands, before anything is started, and
     * returns the exit code. */
    int (*raw)(int argc, char **argv);
} orr_command;

extern const orr_command orr_cmd_synth, orr_cmd_import, orr_cmd_fetch, orr_cmd_crop, orr_cmd_info,
    orr_cmd_launch, orr_cmd_status, orr_cmd_train, orr_cmd_lr_range, orr_cmd_cv, orr_cmd_stack,
    orr_cmd_evaluate, orr_cmd_predict;

/* The job file (NULL: none) with the assignments laid over it, less the section `restart`, which is
 * checked.  Rank 0's view is what all ranks get told apart by agree. */
orr_status orr_job_config(orr_config **out, const char *file, const orr_args *args);
/* The same, and the section's keys. */
orr_status orr_job_config_restart(orr_config **out, orr_restart_opts *restart, const char *file,
                                  const orr_args *args);

#endif
