/* jobs/launch/launch.h - starts a command on many ranks, hears them (supervisor.h), says what went
 * wrong (verdict.h, attempt.h) and starts it again, without the hosts that were lost.
 *
 * It runs outside MPI, before anything of jobs/context is started, and prints what it has to say
 * itself.   Not collective: it is no rank. */
#ifndef ORR_JOBS_LAUNCH_LAUNCH_H
#define ORR_JOBS_LAUNCH_LAUNCH_H

#include "core/options.h"

typedef struct orr_launch_opts {
    int ranks, min_ranks, restarts;
    double grace, silence, start; /* seconds */
    const char *mpirun, *hosts, *address, *status;
} orr_launch_opts;
extern const orr_option orr_launch_options[];

/* argv: what follows `launch` on the line, its own key=value first, then the command.  Returns the
 * exit code (jobs/context/context.h). */
int orr_launch(int argc, char **argv);

#endif
