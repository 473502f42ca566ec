/* core/threads.h - how many threads this process should use, and how they wait.
 *
 * A pool larger than the cores it may use (core/cores.h) is slow beyond measure, and so is one of
 * which a thread waits in a loop on the core that another thread needs: libgomp's threads do so for
 * milliseconds.  Ours spin as long as the gaps between two parallel loops of a step last, then
 * sleep; and while others keep cores busy there are fewer of them, since with equal parts for all
 * threads the slowest decides.  Results do not depend on it.   Not collective. */
#ifndef ORR_CORE_THREADS_H
#define ORR_CORE_THREADS_H

#include "core/status.h"

#include <pthread.h>

#ifdef __cplusplus
extern "C" {
#endif

/* First of all in main(): threads wait for about 0.1 ms before they sleep.  libgomp asks its
 * environment before main, so the program is started once more, with GOMP_SPINCOUNT; who has set
 * that or OMP_WAIT_POLICY is left alone, and so is a process with one core.  Returns when there is
 * nothing to do, or no way. */
void orr_threads_wait_briefly(char *const argv[]);

typedef struct orr_thread_place {
    int wanted;         /* threads; 0 = from the cores */
    int cores;          /* orr_cores_allowed() */
    int ranks_on_cores; /* those with this process's mask: all of a node when nothing is bound */
    int ranks_on_node;  /* they share the quota */
    const char *root;   /* of orr_cores_quota; NULL = "" */
} orr_thread_place;

/* Sets the size of the OpenMP pool: wanted > 0 as asked (with a warning when that is more than the
 * rank's share of cores and quota), 0 = OMP_NUM_THREADS if set, else that share, at least 1.  A
 * quota that decides is told.  Returns the number of threads. */
int orr_threads_init(const orr_thread_place *p);
/* May fewer be used for a while?  Not with OMP_DYNAMIC=false. */
int orr_threads_may_vary(void);
/* The calling thread's parallel loops have n threads from here on; of those that were planned for
 * `planned`, so many take part. */
void orr_threads_use(int n);
int orr_threads_of(int planned);
/* pthread_create for a thread beside the work: all signals stay with the threads that are there.
 * Returns 0 or an error number. */
int orr_thread_start(pthread_t *thread, void *(*run)(void *ctx), void *ctx);
double orr_now(void);               /* seconds on the monotonic clock */
double orr_processor_seconds(void); /* of all threads of this process */

#ifdef __cplusplus
}
#endif
#endif
