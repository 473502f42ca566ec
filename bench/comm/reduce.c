/* bench/comm/reduce.c - what a reproducible sum costs: ordered (through shared memory and through
 * messages), fast, and plain MPI_Allreduce of the same floats, interleaved so that all meet the
 * same machine.
 *
 *   mpirun -n 2 bench_comm_reduce [repeats=31] [leaves=ranks]
 *
 * One CSV line a size and way; seconds are the slowest rank's, from a common barrier; ratio =
 * MPI_Allreduce's median over this one's (above 1: quicker than MPI).  Buffers are touched before,
 * as gradients are. */
#include "comm/comm.h"
#include "comm/mpi/mpi_comm.h"

#include "core/memory.h"
#include "core/options.h"

#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { N_WAYS = 4, MAX_REPEATS = 1000 };

static const char *const way_name[N_WAYS] = { "ordered-shared", "ordered-messages", "fast-messages",
                                              "MPI_Allreduce" };
static const size_t sizes[] = { 64 << 10, 256 << 10, 1 << 20, 4 << 20, 11 << 20, 64 << 20 };

typedef struct {
    orr_comm *shared, *messages;
    orr_leaf_plan plan;
    float *segment[ORR_MAX_SEGMENTS], *result;
    int rank, size, repeats;
    double seconds[N_WAYS][MAX_REPEATS];
} bench;

static orr_status reduce_once(bench *b, orr_comm *c, orr_reduce_mode mode, size_t n)
{
    orr_reduction *r;

    ORR_TRY(orr_comm_reduce_begin(&r, c, &b->plan, mode, (void *const *)b->segment, b->result, n,
                                  ORR_F32));
    return orr_comm_reduce_end(r);
}

static orr_status one(bench *b, int way, size_t n)
{
    switch (way) {
    case 0:
        return reduce_once(b, b->shared, ORR_REDUCE_ORDERED, n);
    case 1:
        return reduce_once(b, b->messages, ORR_REDUCE_ORDERED, n);
    case 2:
        return reduce_once(b, b->messages, ORR_REDUCE_FAST,
                           n); /* with shared memory it is the first way */
    default:
        break;
    }
    if (MPI_Allreduce(b->segment[0], b->result, (int)n, MPI_FLOAT, MPI_SUM, MPI_COMM_WORLD) !=
        MPI_SUCCESS)
        return orr_fail(ORR_ERR_COMM, "MPI_Allreduce");
    return ORR_OK;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static orr_status measure(bench *b, size_t bytes)
{
    size_t n = bytes / sizeof(float);

    for (int i = -2; i < b->repeats; i++) /* two rounds to warm up */
        for (int way = 0; way < N_WAYS; way++) {
            double t;
            MPI_Barrier(MPI_COMM_WORLD);
            t = MPI_Wtime();
            ORR_TRY(one(b, way, n));
            t = MPI_Wtime() - t;
            MPI_Allreduce(MPI_IN_PLACE, &t, 1, MPI_DOUBLE, MPI_MAX, MPI_COMM_WORLD);
            if (i >= 0) b->seconds[way][i] = t;
        }
    for (int way = 0; way < N_WAYS; way++)
        qsort(b->seconds[way], (size_t)b->repeats, sizeof(double), by_value);
    for (int way = 0; way < N_WAYS && b->rank == 0; way++)
        printf("%s,%s,%d,%d,%zu,%s,%.1f,%.1f,%.2f\n", ORRERY_VERSION, orr_comm_host(b->shared),
               b->size, b->plan.n_leaves, bytes, way_name[way],
               1e6 * b->seconds[way][b->repeats / 2], 1e6 * b->seconds[way][b->repeats * 9 / 10],
               b->seconds[N_WAYS - 1][b->repeats / 2] / b->seconds[way][b->repeats / 2]);
    fflush(stdout);
    return ORR_OK;
}

static orr_status set_up(bench *b, int argc, char **argv)
{
    orr_comm_opts opts = ORR_COMM_OPTS_INIT;
    size_t most = sizes[sizeof sizes / sizeof *sizes - 1] / sizeof(float);
    int64_t repeats = 31, leaves;

    ORR_TRY(orr_comm_mpi_create(&b->shared, MPI_COMM_WORLD, &opts));
    opts.no_shared_reduce = 1;
    ORR_TRY(orr_comm_mpi_create(&b->messages, MPI_COMM_WORLD, &opts));
    b->rank = orr_comm_rank(b->shared);
    leaves = b->size = orr_comm_size(b->shared);
    if (argc > 1) ORR_TRY(orr_parse_int64(&repeats, argv[1]));
    if (argc > 2) ORR_TRY(orr_parse_int64(&leaves, argv[2]));
    if (repeats < 1 || repeats > MAX_REPEATS)
        return orr_fail(ORR_ERR_ARG, "1 to %d repeats", MAX_REPEATS);
    b->repeats = (int)repeats;
    ORR_TRY(orr_leaf_plan_init(&b->plan, (int)leaves, b->rank, b->size));
    ORR_TRY(orr_comm_reduce_reserve(b->shared, &b->plan, most, ORR_F32));
    ORR_TRY(orr_comm_reduce_reserve(b->messages, &b->plan, most, ORR_F32));
    if (!(b->result = orr_alloc(most, sizeof(float)))) return orr_fail(ORR_ERR_NOMEM, "result");
    for (int i = 0; i < b->plan.n_segments || i == 0; i++) {
        if (!(b->segment[i] = orr_alloc(most, sizeof(float))))
            return orr_fail(ORR_ERR_NOMEM, "segment");
        for (size_t j = 0; j < most; j++)
            b->segment[i][j] = (float)(j % 1021) + (float)b->rank;
    }
    return ORR_OK;
}

static orr_status run(bench *b, int argc, char **argv)
{
    ORR_TRY(set_up(b, argc, argv));
    if (b->rank == 0) printf("version,host,ranks,leaves,bytes,way,p50_us,p90_us,ratio\n");
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        ORR_TRY(measure(b, sizes[i]));
    return ORR_OK;
}

int main(int argc, char **argv)
{
    static bench b;
    orr_status st;
    int level;

#ifndef __OPTIMIZE__
    fprintf(stderr,
            "bench_comm_reduce: built without optimisation, its figures would mean nothing\n");
    return 1;
#endif
    MPI_Init_thread(&argc, &argv, MPI_THREAD_FUNNELED, &level);
    st = run(&b, argc, argv);
    if (st != ORR_OK) {
        fprintf(stderr, "bench_comm_reduce: %s\n", orr_error_text());
        MPI_Abort(MPI_COMM_WORLD, 1);
    }
    orr_comm_destroy(b.shared);
    orr_comm_destroy(b.messages);
    for (int i = 0; i < ORR_MAX_SEGMENTS; i++)
        orr_free(b.segment[i]);
    orr_free(b.result);
    MPI_Finalize();
    return 0;
}
