/* jobs/context/deadline.h - a limit for calls that nothing can interrupt: MPI_Init, MPI_Finalize,
 * MPI_Abort, MPI's own ways to make communicators, HDF5's collective writes.
 *
 * A thread (core/watchdog.h) ends the process by _exit when the call has not come back within
 * ORR_WAIT seconds, or within a minute where ORR_WAIT is less (for tests: ORR_WAIT_LEAST seconds):
 * a start and a disk take their time, and what waits for data has deadlines of its own
 * (comm/comm.h). Not collective. */
#ifndef ORR_JOBS_CONTEXT_DEADLINE_H
#define ORR_JOBS_CONTEXT_DEADLINE_H

#include "core/watchdog.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct orr_deadline {
    orr_watchdog dog;
    const char *what;
    int code, lost;
} orr_deadline;

/* what: a literal.  code: to end with.  lost: that is for want of the other ranks, and the
 * supervisor is told so (jobs/context/heartbeat.h).  Without a thread there is no limit. */
void orr_deadline_start(orr_deadline *d, const char *what, int code, int lost);
/* The next of several calls: from 0 again. */
void orr_deadline_again(orr_deadline *d);
void orr_deadline_stop(orr_deadline *d);
/* Says the sentence and ends the process, for want of the other ranks (orr_comm_opts.stuck). */
void orr_deadline_end(const char *sentence);

#ifdef __cplusplus
}
#endif
#endif
