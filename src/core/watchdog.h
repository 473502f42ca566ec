/* core/watchdog.h - limits for waits.
 *
 * A patience is the limit of a wait that polls.  A watchdog is the limit of a call that nothing can
 * interrupt (MPI_Comm_split, a collective write): a thread that calls back when it takes too long.
 *
 * Both count time in which this process ran.  A job that was suspended for an hour (^Z, Slurm's
 * suspend) has then waited no longer than before: nobody could have come in that hour.   Not
 * collective. */
#ifndef ORR_CORE_WATCHDOG_H
#define ORR_CORE_WATCHDOG_H

#include <pthread.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct orr_patience {
    double until, asked; /* orr_now() */
} orr_patience;

orr_patience orr_patience_of(double seconds);
/* 0: it is over.  To be asked several times a second: more than a second between two of them is
 * taken for time in which the process did not run. */
int orr_patience_lasts(orr_patience *p);
/* How many seconds were taken for such since the last call of either: for a wait that has more to
 * forgive than its own end. */
double orr_patience_forgive(orr_patience *p);

/* Called once, from the watchdog's thread, when the call has not come back after so many seconds:
 * to end the process, as nothing else helps.  When it returns nothing more happens. */
typedef void orr_watchdog_fn(void *ctx, double seconds);

typedef struct orr_watchdog {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t change;
    orr_patience patience;
    double seconds;
    orr_watchdog_fn *late;
    void *ctx;
    int over, started;
} orr_watchdog;

/* Where no thread is to be had there is no limit.  d must not move until it was stopped. */
void orr_watchdog_start(orr_watchdog *d, double seconds, orr_watchdog_fn *late, void *ctx);
void orr_watchdog_feed(orr_watchdog *d); /* the next of several calls: from 0 again */
void orr_watchdog_stop(orr_watchdog *d);

#ifdef __cplusplus
}
#endif
#endif
