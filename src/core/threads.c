/* core/threads.c - the OpenMP pool. */
#include "core/threads.h"
#include "core/cores.h"
#include "core/log.h"

#include <omp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

/* Turns of libgomp's waiting loop, about 10 ns each, before a thread sleeps: longer than the gaps
 * between the parallel loops of a step, shorter than anybody's turn on a core. */
static const char spins[] = "10000";

void orr_threads_wait_briefly(char *const argv[])
{
    char program[ORR_PATH_MAX];
    ssize_t n;

    if (getenv("GOMP_SPINCOUNT") || getenv("OMP_WAIT_POLICY") || orr_cores_allowed() == 1) return;
    n = readlink("/proc/self/exe", program, sizeof program - 1);
    if (n <= 0) return;
    program[n] = '\0';
    if (strncmp(orr_path_name(program), "ld", 2) == 0) return; /* a loader that was given ours */
    if (setenv("GOMP_SPINCOUNT", spins, 1) == 0) (void)execv(program, argv);
    (void)unsetenv("GOMP_SPINCOUNT"); /* as it is, then */
}

/* A share of the cores, and of the quota, at least 1.  *by_quota: it is the quota that counts. */
static int fair_share(const orr_thread_place *p, double quota, int *by_quota)
{
    int on_mask = p->ranks_on_cores > 0 ? p->ranks_on_cores : 1,
        on_node = p->ranks_on_node > 0 ? p->ranks_on_node : 1, cores = p->cores / on_mask;
    double part = quota / on_node;

    *by_quota = part < (double)cores - 0.5;
    if (*by_quota) cores = (int)(part + 0.5);
    return cores > 0 ? cores : 1;
}

static void tell(int n, int fair, const orr_thread_place *p, double quota, const char *where)
{
    if (n > fair && where[0])
        orr_log(ORR_WARN, "threads",
                "%d threads, and the quota of its control group (%s) is %.3g cores: expect it to "
                "be slow; ask for fewer threads",
                n, where, quota);
    else if (n > fair)
        orr_log(
            ORR_WARN, "threads",
            "%d threads on %d of the %d cores this process may use: expect it to be slow; ask for "
            "fewer threads, or give each rank more cores (mpirun --bind-to none)",
            n, fair, p->cores);
    else if (where[0])
        orr_log0(ORR_INFO, "threads",
                 "%d threads a rank: the quota of its control group (%s) is %.3g of %d cores", n,
                 where, quota, p->cores);
}

int orr_threads_init(const orr_thread_place *p)
{
    char where[ORR_PATH_MAX];
    double quota = orr_cores_quota(p->root ? p->root : "", where);
    int by_quota, fair = fair_share(p, quota, &by_quota), n = fair;

    if (p->wanted > 0)
        n = p->wanted;
    else if (getenv("OMP_NUM_THREADS"))
        n = omp_get_max_threads(); /* the runtime has read it */
    tell(n, fair, p, quota, by_quota ? where : "");
    omp_set_num_threads(n);
    return n;
}

int orr_threads_may_vary(void)
{
    const char *dynamic = getenv("OMP_DYNAMIC");

    return !dynamic || strcasecmp(dynamic, "false") != 0;
}

void orr_threads_use(int n)
{
    if (n != omp_get_max_threads()) omp_set_num_threads(n);
}

int orr_threads_of(int planned)
{
    const int n = omp_get_max_threads();

    return n < planned ? n : planned;
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

double orr_processor_seconds(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}
