/* Every collective against what each rank computes by itself, over one node and over pretended
 * ones. */
#include "comm/ranks.h"
#include "core/threads.h"

static const size_t counts[] = { 0, 1, 7, 17, 4096, 50001 };
enum { N_COUNTS = sizeof counts / sizeof *counts, MOST = 50001 };

static void test_who(void **state)
{
    (void)state;
    for (int o = 0; o < RANKS_OPTS; o++) {
        orr_comm *c = ranks_comm(o);
        int rank, size, per = ranks_opts[o].ranks_per_node;
        MPI_Comm_rank(MPI_COMM_WORLD, &rank);
        MPI_Comm_size(MPI_COMM_WORLD, &size);
        if (per == 0) per = size;
        assert_int_equal(orr_comm_rank(c), rank);
        assert_int_equal(orr_comm_size(c), size);
        assert_int_equal(orr_comm_node(c), rank / per);
        assert_int_equal(orr_comm_n_nodes(c), (size + per - 1) / per);
        assert_int_equal(orr_comm_node_rank(c), rank % per);
        assert_int_equal(orr_comm_node_size(c), rank / per * per + per <= size ? per : size % per);
        assert_true(strlen(orr_comm_host(c)) > 0);
        orr_comm_destroy(c);
    }
}

static void test_barrier(void **state)
{
    orr_comm *c = ranks_comm(0);
    double enter, leave;

    (void)state;
    usleep((useconds_t)(10000 * (orr_comm_size(c) - orr_comm_rank(c))));
    enter = orr_now();
    ranks_ok(orr_comm_barrier(c));
    leave = orr_now();
    MPI_Allreduce(MPI_IN_PLACE, &enter, 1, MPI_DOUBLE, MPI_MAX, MPI_COMM_WORLD);
    assert_true(leave >= enter); /* nobody left before the last one came */
    orr_comm_destroy(c);
}

static void test_bcast(void **state)
{
    orr_comm *c = ranks_comm(0);
    unsigned char *buf = orr_alloc(MOST + 1, 1);

    (void)state;
    for (int i = 0; i < N_COUNTS; i++)
        for (int root = 0; root < orr_comm_size(c); root++) {
            size_t n = counts[i];
            for (size_t j = 0; j < n; j++)
                buf[j] = orr_comm_rank(c) == root
                             ? (unsigned char)(ranks_random((uint64_t)root, n, j))
                             : 0xAA;
            buf[n] = 0x55;
            ranks_ok(orr_comm_bcast(c, buf, n, root));
            for (size_t j = 0; j < n; j++)
                if (buf[j] != (unsigned char)ranks_random((uint64_t)root, n, j))
                    fail_msg("byte %zu of %zu", j, n);
            assert_int_equal(buf[n], 0x55);
        }
    orr_free(buf);
    orr_comm_destroy(c);
}

/* A small whole number, so that float sums are exact in any order. */
static int value(orr_dtype t, int rank, size_t j)
{
    int v = (int)(ranks_random((uint64_t)rank, 77, j) % 31);

    return t == ORR_U8 ? v : v - 15;
}

#define FOR_TYPE(MACRO)                                                                            \
    switch (t) {                                                                                   \
    case ORR_I32:                                                                                  \
        MACRO(int32_t);                                                                            \
        break;                                                                                     \
    case ORR_I64:                                                                                  \
        MACRO(int64_t);                                                                            \
        break;                                                                                     \
    case ORR_F32:                                                                                  \
        MACRO(float);                                                                              \
        break;                                                                                     \
    case ORR_F64:                                                                                  \
        MACRO(double);                                                                             \
        break;                                                                                     \
    case ORR_U8:                                                                                   \
        MACRO(uint8_t);                                                                            \
        break;                                                                                     \
    }

static void put(void *buf, size_t j, orr_dtype t, int v)
{
#define PUT(TYPE) ((TYPE *)buf)[j] = (TYPE)v
    FOR_TYPE(PUT)
}

static int get(const void *buf, size_t j, orr_dtype t)
{
#define GET(TYPE) return (int)((const TYPE *)buf)[j]
    FOR_TYPE(GET)
    return 0;
}

static void test_allreduce(void **state)
{
    orr_comm *c = ranks_comm(0);
    void *buf = orr_alloc(MOST, 8);

    (void)state;
    for (orr_dtype t = ORR_I32; t <= ORR_U8; t++)
        for (orr_reduce_op op = ORR_SUM; op <= ORR_MAX; op++)
            for (int i = 0; i < N_COUNTS; i++) {
                for (size_t j = 0; j < counts[i]; j++)
                    put(buf, j, t, value(t, orr_comm_rank(c), j));
                ranks_ok(orr_comm_allreduce(c, buf, counts[i], t, op));
                for (size_t j = 0; j<counts[i]; j += counts[i]> 100 ? 97 : 1) {
                    int want = value(t, 0, j);
                    for (int r = 1; r < orr_comm_size(c); r++) {
                        int v = value(t, r, j);
                        want = op == ORR_SUM ? want + v : (op == ORR_MIN) == (v < want) ? v : want;
                    }
                    assert_int_equal(get(buf, j, t), want);
                }
            }
    assert_int_equal(orr_comm_allreduce(c, buf, 1, (orr_dtype)9, ORR_SUM), ORR_ERR_ARG);
    orr_free(buf);
    orr_comm_destroy(c);
}

static void test_exscan(void **state)
{
    orr_comm *c = ranks_comm(0);
    int64_t out = -1, total = -1, before = 0, all = 0;

    (void)state;
    for (int r = 0; r < orr_comm_size(c); r++) {
        if (r < orr_comm_rank(c)) before += 1000000000000 + r;
        all += 1000000000000 + r;
    }
    ranks_ok(orr_comm_exscan(c, 1000000000000 + orr_comm_rank(c), &out, &total));
    assert_true(out == before && total == all);
    ranks_ok(orr_comm_exscan(c, 1, &out, NULL));
    assert_int_equal(out, orr_comm_rank(c));
    orr_comm_destroy(c);
}

static unsigned char gathered(int rank, size_t j)
{
    return (unsigned char)ranks_random((uint64_t)rank, 5, j);
}

static void check_gathered(const unsigned char *out, const size_t *bytes, int size)
{
    for (int r = 0; r < size; r++)
        for (size_t j = 0; j < bytes[r]; j++)
            if (*out++ != gathered(r, j)) fail_msg("byte %zu of rank %d", j, r);
}

/* Uneven, some ranks empty; from outside and from the place in out. */
static void test_gathers(void **state)
{
    orr_comm *c = ranks_comm(0);
    int size = orr_comm_size(c), rank = orr_comm_rank(c);
    size_t *bytes = orr_alloc((size_t)size, sizeof *bytes);
    unsigned char *in = orr_alloc(MOST, 1), *out = orr_alloc((size_t)size, MOST);

    (void)state;
    for (int i = 0; i < N_COUNTS; i++) {
        size_t before = 0;
        for (int r = 0; r < size; r++) {
            bytes[r] = counts[(i + r) % N_COUNTS];
            if (r < rank) before += bytes[r];
        }
        for (size_t j = 0; j < bytes[rank]; j++)
            in[j] = gathered(rank, j);
        memset(out, 0, (size_t)size * MOST);
        ranks_ok(orr_comm_allgather(c, in, out, bytes));
        check_gathered(out, bytes, size);
        memset(out, 0, (size_t)size * MOST);
        memcpy(out + before, in, bytes[rank]);
        ranks_ok(orr_comm_allgather(c, out + before, out, bytes));
        check_gathered(out, bytes, size);
        for (int root = 0; root < size; root++) {
            memset(out, 0, (size_t)size * MOST);
            ranks_ok(orr_comm_gather(c, in, rank == root ? out : NULL, bytes, root));
            if (rank == root) check_gathered(out, bytes, size);
        }
    }
    assert_int_equal(orr_comm_gather(c, in, out, bytes, size), ORR_ERR_ARG);
    assert_int_equal(orr_comm_bcast(c, in, 1, -1), ORR_ERR_ARG);
    orr_free(bytes);
    orr_free(in);
    orr_free(out);
    orr_comm_destroy(c);
}

/* Groups of uneven sizes, some ranks in none, in reverse order; and a split of the split. */
static void test_split(void **state)
{
    (void)state;
    for (int o = 0; o < RANKS_OPTS; o++) {
        orr_comm *c = ranks_comm(o), *part = NULL, *again = NULL;
        int size = orr_comm_size(c), rank = orr_comm_rank(c);
        int color = rank == 3 ? -1 : rank < 2 ? 0 : 7;
        int64_t mates = 0, above = 0, sum = 1;
        for (int r = 0; r < size; r++)
            if (r != 3 && (r < 2 ? 0 : 7) == color) {
                mates++;
                above += r > rank;
            }
        ranks_ok(orr_comm_split(&part, c, color, -rank));
        assert_int_equal(part == NULL, color < 0);
        if (part) {
            assert_int_equal(orr_comm_size(part), mates);
            assert_int_equal(orr_comm_rank(part), above); /* highest first */
            ranks_ok(orr_comm_allreduce(part, &sum, 1, ORR_I64, ORR_SUM));
            assert_int_equal(sum, mates);
            ranks_ok(orr_comm_split(&again, part, orr_comm_rank(part), 0));
            assert_int_equal(orr_comm_size(again), 1);
            ranks_ok(orr_comm_barrier(again));
        }
        orr_comm_destroy(again);
        orr_comm_destroy(part);
        ranks_ok(orr_comm_barrier(c)); /* the parent still works */
        orr_comm_destroy(c);
    }
}

static void test_window(void **state)
{
    enum { EACH = 1000, ROUNDS = 20 };

    (void)state;
    for (int o = 0; o < RANKS_OPTS; o++) {
        orr_comm *c = ranks_comm(o);
        orr_comm_window *w = NULL, *empty = NULL;
        int ns = orr_comm_node_size(c), nr = orr_comm_node_rank(c), first = orr_comm_rank(c) - nr;
        int64_t *all;
        ranks_ok(orr_comm_window_create(&w, c, (size_t)ns * EACH * sizeof *all));
        all = orr_comm_window_base(w);
        assert_int_equal((uintptr_t)all % 64, 0);
        for (int i = 0; i < ns * EACH; i++)
            assert_int_equal(all[i], 0);
        ranks_ok(orr_comm_window_fence(w));
        for (int round = 1; round <= ROUNDS; round++) {
            for (int i = 0; i < EACH; i++)
                all[nr * EACH + i] = 1000000 * orr_comm_rank(c) + 1000 * round + i % 7;
            ranks_ok(orr_comm_window_fence(w));
            for (int i = 0; i < ns * EACH; i++) /* this node's ranks, all of them, and this round */
                if (all[i] != 1000000 * (first + i / EACH) + 1000 * round + i % EACH % 7)
                    fail_msg("word %d", i);
            ranks_ok(orr_comm_window_fence(w));
        }
        ranks_ok(orr_comm_window_create(&empty, c, 0));
        ranks_ok(orr_comm_window_fence(empty));
        orr_comm_window_destroy(empty);
        orr_comm_window_destroy(w);
        orr_comm_destroy(c);
    }
}

enum { LIMIT = 3000 };

/* Draws until the numbers are used up. */
static void draw(orr_counter *k, int *hits)
{
    for (int64_t first = 0, n = 1; first < LIMIT; n = n % 3 + 1) {
        ranks_ok(orr_counter_next(k, n, &first));
        for (int64_t i = first; i < first + n && i < LIMIT; i++)
            hits[i]++;
    }
}

/* Every number is drawn exactly once, while rank 0 is at work until all others are done: on one
 * node it stays away from MPI, over several it answers now and then. */
static void draw_without_rank_0(const orr_comm_opts *opts, _Atomic int *done)
{
    orr_comm *c = NULL;
    orr_counter *k = NULL;
    int hits[LIMIT] = { 0 };
    double start;

    ranks_ok(orr_comm_mpi_create(&c, MPI_COMM_WORLD, opts));
    ranks_ok(orr_counter_create(&k, c));
    if (orr_comm_rank(c) == 0) *done = 1;
    ranks_ok(orr_comm_barrier(c));
    start = orr_now();
    if (orr_comm_rank(c) > 0 || orr_comm_size(c) == 1) {
        draw(k, hits);
        ++*done;
    } else {
        while (*done < orr_comm_size(c) && orr_now() - start < 30) {
            if (orr_comm_n_nodes(c) > 1) orr_counter_serve(k);
            usleep(20);
        }
        if (*done < orr_comm_size(c)) fail_msg("the others wait for rank 0");
    }
    MPI_Allreduce(MPI_IN_PLACE, hits, LIMIT, MPI_INT, MPI_SUM, MPI_COMM_WORLD);
    for (int i = 0; i < LIMIT; i++)
        if (hits[i] != 1) fail_msg("number %d drawn %d times", i, hits[i]);
    orr_counter_destroy(k);
    orr_comm_destroy(c);
}

static void test_counter(void **state)
{
    MPI_Win win;
    MPI_Aint bytes;
    int rank, unit;
    void *done;

    (void)state;
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Win_allocate_shared(rank == 0 ? 64 : 0, 1, MPI_INFO_NULL, MPI_COMM_WORLD, &done, &win);
    MPI_Win_shared_query(win, 0, &bytes, &unit, &done);
    for (int o = 0; o < RANKS_OPTS; o++)
        draw_without_rank_0(&ranks_opts[o], done);
    MPI_Win_free(&win);
}

static void check_verdict(orr_comm *c, unsigned failing)
{
    static const orr_status codes[] = { ORR_ERR_FORMAT, ORR_ERR_IO, ORR_ERR_NOMEM };
    orr_status st = ORR_OK, got;
    int rank = orr_comm_rank(c), lowest = __builtin_ctz(failing);
    char want[200];

    if (failing >> rank & 1)
        st = orr_fail(codes[rank % 3], "shard-%d.h5: row %d is torn", rank, 10 * rank);
    got = orr_comm_agree(c, st);
    assert_int_equal(got, codes[lowest % 3]);
    if (orr_comm_size(c) == 1)
        snprintf(want, sizeof want, "shard-%d.h5: row %d is torn", lowest, 10 * lowest);
    else
        snprintf(want, sizeof want, "rank %d (%s): shard-%d.h5: row %d is torn", lowest,
                 orr_comm_host(c), lowest, 10 * lowest);
    assert_string_equal(orr_error_text(), want);
    assert_non_null(strstr(orr_error_where(), "test_comm.c:"));
}

static void test_agree(void **state)
{
    orr_comm *c = ranks_comm(0);

    (void)state;
    assert_int_equal(orr_comm_agree(c, ORR_OK), ORR_OK);
    for (unsigned failing = 1; failing < 1u << orr_comm_size(c); failing += failing < 8 ? 1 : 11)
        check_verdict(c, failing);
    assert_int_equal(orr_comm_agree(c, ORR_OK), ORR_OK);
    orr_comm_destroy(c);
}

/* One rank runs out of memory at its n-th allocation: every rank is told, none hangs. */
static void test_no_memory(void **state)
{
    int rank, size, failures = 0;
    double start = orr_now();

    (void)state;
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    for (int n = 1; n < 40; n++) {
        orr_comm *c = NULL;
        orr_comm_window *w = NULL;
        orr_counter *k = NULL;
        orr_leaf_plan plan;
        orr_status st;
        int worst, best;
        ranks_ok(orr_leaf_plan_init(&plan, 4, rank, size));
        if (rank == size - 1) orr_alloc_fail_at(n);
        st = orr_comm_mpi_create(&c, MPI_COMM_WORLD, &ranks_opts[n % 2]);
        if (st == ORR_OK) st = orr_comm_window_create(&w, c, 100);
        if (st == ORR_OK) st = orr_counter_create(&k, c);
        if (st == ORR_OK) st = orr_comm_reduce_reserve(c, &plan, 1000, ORR_F32);
        orr_alloc_fail_at(0);
        worst = best = st;
        MPI_Allreduce(MPI_IN_PLACE, &worst, 1, MPI_INT, MPI_MIN, MPI_COMM_WORLD);
        MPI_Allreduce(MPI_IN_PLACE, &best, 1, MPI_INT, MPI_MAX, MPI_COMM_WORLD);
        assert_int_equal(worst, best); /* the same verdict everywhere */
        assert_true(st == ORR_OK || st == ORR_ERR_NOMEM);
        failures += st != ORR_OK;
        orr_counter_destroy(k);
        orr_comm_window_destroy(w);
        orr_comm_destroy(c);
    }
    assert_true(failures > 8 && failures < 39);
    assert_true(orr_now() - start <
                ranks_opts[0].deadline); /* no rank waited for another in vain */
}

static void test_options(void **state)
{
    orr_comm *c = (orr_comm *)1;
    orr_comm_opts bad = { .deadline = 0 };

    (void)state;
    assert_int_equal(orr_comm_mpi_create(&c, MPI_COMM_WORLD, &bad), ORR_ERR_OPTION);
    assert_null(c);
    bad = (orr_comm_opts){ .deadline = 1, .ranks_per_node = -1 };
    assert_int_equal(orr_comm_mpi_create(&c, MPI_COMM_WORLD, &bad), ORR_ERR_OPTION);
    setenv("ORR_WAIT", "12 minutes", 1);
    assert_int_equal(orr_comm_mpi_create(&c, MPI_COMM_WORLD, NULL), ORR_ERR_OPTION);
    assert_non_null(strstr(orr_error_text(), "12 minutes"));
    unsetenv("ORR_WAIT");
    orr_comm_destroy(NULL);
    orr_comm_window_destroy(NULL);
    orr_counter_destroy(NULL);
}

#ifdef ORR_COMM_CHECKS
static void test_checks(void **state)
{
    orr_comm *c = ranks_comm(0);
    int last = orr_comm_rank(c) == orr_comm_size(c) - 1;
    int64_t buf[4] = { 0 };

    (void)state;
    if (orr_comm_size(c) > 1) {
        assert_int_equal(orr_comm_bcast(c, buf, last ? 8 : 16, 0), ORR_ERR_ARG);
        assert_non_null(strstr(orr_error_text(), "its size"));
        assert_int_equal(orr_comm_allreduce(c, buf, 2, last ? ORR_I64 : ORR_F64, ORR_SUM),
                         ORR_ERR_ARG);
        assert_int_equal(last ? orr_comm_barrier(c) : orr_comm_bcast(c, buf, 8, 0), ORR_ERR_ARG);
        assert_non_null(strstr(orr_error_text(), "which call this is"));
    }
    ranks_ok(orr_comm_barrier(c));
    orr_comm_destroy(c);
}
#endif

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_who),     cmocka_unit_test(test_barrier),
    cmocka_unit_test(test_bcast),   cmocka_unit_test(test_allreduce),
    cmocka_unit_test(test_exscan),  cmocka_unit_test(test_gathers),
    cmocka_unit_test(test_split),   cmocka_unit_test(test_window),
    cmocka_unit_test(test_counter), cmocka_unit_test(test_agree),
    cmocka_unit_test(test_options), cmocka_unit_test(test_no_memory),
#ifdef ORR_COMM_CHECKS
    cmocka_unit_test(test_checks),
#endif
};

RANKS_MAIN(tests, 100)
