/* jobs/deadline.h - a limit for calls that nothing can interrupt: MPI_Init, MPI_Finalize, MPI_Abort.
 *
 * A thread ends the process by _exit when the call has not come back within ORR_WAIT seconds, or
 * within a minute where ORR_WAIT is less: a start takes its time, and what waits for data has
 * deadlines of its own (comm/comm.h).   Not collective. */
#ifndef ORR_JOBS_DEADLINE_H
#define ORR_JOBS_DEADLINE_H

#include <pthread.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct orr_deadline {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t change;
    const char *what;
    double seconds;
    int code, lost, over, started;
} orr_deadline;

/* what: a literal.  code: to end with.  lost: that is for want of the other ranks, and the
 * supervisor is told so (jobs/pulse.h).  Without a thread there is no limit. */
void orr_deadline_start(orr_deadline *d, const char *what, int code, int lost);
void orr_deadline_stop(orr_deadline *d);

#ifdef __cplusplus
}
#endif
#endif
