/* core/threads.h - how many threads this process should use.
 * mpirun binds a rank to one core by default, and a pool larger than the cores it may use is slow
 * beyond measure.   Not collective. */
#ifndef ORR_CORE_THREADS_H
#define ORR_CORE_THREADS_H

#include "core/status.h"

#include <pthread.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

int orr_cores_allowed(void); /* cores in this process's affinity mask, at least 1 */
/* A hash of the affinity mask: processes of a node with the same key share their cores. */
uint64_t orr_affinity_key(void);
/* Sets the size of the OpenMP pool: wanted > 0 as asked (with a warning when it exceeds the cores
 * allowed for ranks_on_node processes), 0 = OMP_NUM_THREADS if set, else cores allowed /
 * ranks_on_node (at least 1).  ranks_on_node counts the ranks that share the mask: all of a node
 * when nothing is bound, 1 when each has its own.  Returns the number of threads. */
int orr_threads_init(int wanted, int ranks_on_node);
/* pthread_create for a thread beside the work: all signals stay with the threads that are there.
 * Returns 0 or an error number. */
int orr_thread_start(pthread_t *thread, void *(*run)(void *ctx), void *ctx);
double orr_now(void); /* seconds on the monotonic clock */

#ifdef __cplusplus
}
#endif
#endif
