/* tests/comm/ranks.h - main() of a cmocka test that runs on several ranks: a watchdog that kills a
 * hang, and the communicators that the tests run over. */
#ifndef ORR_TESTS_COMM_RANKS_H
#define ORR_TESTS_COMM_RANKS_H

#include "comm/comm.h"
#include "comm/mpi/mpi_comm.h"
#include "core/memory.h"
#include "core/rng.h"

#include <mpi.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* What a rank may look like: all share memory; all do and use messages; pretended nodes of 1, 2 and
 * 3 ranks. */
static const orr_comm_opts ranks_opts[] = {
    { .deadline = 40 },
    { .deadline = 40, .no_shared_reduce = 1 },
    { .deadline = 40, .ranks_per_node = 1 },
    { .deadline = 40, .ranks_per_node = 2 },
    { .deadline = 40, .ranks_per_node = 3 },
};
enum { RANKS_OPTS = sizeof ranks_opts / sizeof *ranks_opts };

/* Fails with the library's own sentence. */
#define ranks_ok(call)                                                                             \
    do {                                                                                           \
        orr_status ranks_st_ = (call);                                                             \
        if (ranks_st_ != ORR_OK) fail_msg("%s: %s", #call, orr_error_text());                      \
    } while (0)

static inline orr_comm *ranks_comm(int opts)
{
    orr_comm *c = NULL;

    ranks_ok(orr_comm_mpi_create(&c, MPI_COMM_WORLD, &ranks_opts[opts]));
    assert_non_null(c);
    return c;
}

static inline uint64_t ranks_random(uint64_t a, uint64_t b, uint64_t i)
{
    orr_philox w = orr_rng_block(orr_rng_key(1, ORR_RNG_TEST, a, b, 0), i);

    return (uint64_t)w.v[0] << 32 | w.v[1];
}

#define RANKS_MAIN(tests, seconds)                                                                 \
    int main(int argc, char **argv)                                                                \
    {                                                                                              \
        int level, failed;                                                                         \
        alarm(seconds);                                                                            \
        MPI_Init_thread(&argc, &argv, MPI_THREAD_FUNNELED, &level);                                \
        failed = cmocka_run_group_tests(tests, NULL, NULL);                                        \
        if (failed) MPI_Abort(MPI_COMM_WORLD, 1);                                                  \
        MPI_Finalize();                                                                            \
        return failed != 0;                                                                        \
    }

#endif
