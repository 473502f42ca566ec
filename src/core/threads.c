/* core/threads.c - cores this process may use, and the OpenMP pool. */
#include "core/threads.h"
#include "core/log.h"

#include <omp.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>

enum { MASK_CORES = 8192 }; /* as many as Linux can be built for */

/* This process's affinity mask; all zero when the system does not tell. */
static void read_mask(cpu_set_t mask[MASK_CORES / CPU_SETSIZE])
{
    size_t bytes = MASK_CORES / 8;

    CPU_ZERO_S(bytes, mask);
    if (sched_getaffinity(0, bytes, mask) != 0) CPU_ZERO_S(bytes, mask);
}

int orr_cores_allowed(void)
{
    cpu_set_t mask[MASK_CORES / CPU_SETSIZE];
    int n;

    read_mask(mask);
    n = CPU_COUNT_S(MASK_CORES / 8, mask);
    return n > 0 ? n : 1;
}

uint64_t orr_affinity_key(void)
{
    cpu_set_t mask[MASK_CORES / CPU_SETSIZE];
    const unsigned char *bytes = (const unsigned char *)mask;
    uint64_t key = 0xCBF29CE484222325u; /* FNV-1a */

    read_mask(mask);
    for (size_t i = 0; i < sizeof mask; i++)
        key = (key ^ bytes[i]) * 0x100000001B3u;
    return key;
}

int orr_threads_init(int wanted, int ranks_on_node)
{
    int cores = orr_cores_allowed(), sharing = ranks_on_node > 0 ? ranks_on_node : 1;
    int fair = cores / sharing > 0 ? cores / sharing : 1, n = fair;

    if (wanted > 0)
        n = wanted;
    else if (getenv("OMP_NUM_THREADS"))
        n = omp_get_max_threads(); /* the runtime has read it */
    if (n > fair)
        orr_log(
            ORR_WARN, "threads",
            "%d threads on %d of the %d cores this process may use: expect it to be slow; ask for "
            "fewer threads, or give each rank more cores (mpirun --bind-to none)",
            n, fair, cores);
    omp_set_num_threads(n);
    return n;
}

int orr_thread_start(pthread_t *thread, void *(*run)(void *ctx), void *ctx)
{
    sigset_t all, before;
    int failed;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    failed = pthread_create(thread, NULL, run, ctx);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return failed;
}

double orr_now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}
