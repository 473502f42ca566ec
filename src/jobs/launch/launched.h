/* jobs/launch/launched.h - the launcher's process (mpirun), in a session of its own, and all
 * processes of this machine that came from it.
 *
 * It gets SIGTERM when we die; what does not heed it is ended by the ranks
 * (jobs/context/heartbeat.h). Not collective. */
#ifndef ORR_JOBS_LAUNCH_LAUNCHED_H
#define ORR_JOBS_LAUNCH_LAUNCHED_H

#include "core/status.h"

#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct orr_launched {
    pid_t pid;            /* 0: there is none */
    int ended, status;    /* as waitpid says */
    double stopped_since; /* it has been stopped since then; < 0: it is not */
} orr_launched;

/* argv as execvp takes it, argv[0] found in PATH.  Standard input is empty, the output is ours. */
orr_status orr_launched_start(orr_launched *l, const char *const *argv);
void orr_launched_look(orr_launched *l); /* what has become of it? */
/* To its whole process group, unless it has ended. */
void orr_launched_signal(const orr_launched *l, int number);
/* Processes of this machine that have name=value in the environment that they were started with,
 * and may be seen; each gets the signal (0: none).  Returns how many they are. */
int orr_marked_signal(const char *name, const char *value, int number);

#ifdef __cplusplus
}
#endif
#endif
