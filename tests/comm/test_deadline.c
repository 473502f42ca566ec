/* A rank that does not come: the others fail within the deadline, and the sentence names rank, host
 * and operation; where MPI cannot be interrupted it is said from outside. */
#include "comm/ranks.h"
#include "core/threads.h"

static const double deadline = 0.4;

typedef struct {
    const char *name; /* what the sentence must say */
    orr_comm_opts opts;
    orr_status (*call)(orr_comm *c, orr_comm_window *w, const orr_leaf_plan *plan);
    int everyone;     /* every rank that came fails; otherwise at least rank 0 does */
    int names_absent; /* the sentence names the rank that did not come */
} operation;

static orr_status call_barrier(orr_comm *c, orr_comm_window *w, const orr_leaf_plan *plan)
{
    (void)w, (void)plan;
    return orr_comm_barrier(c);
}

static orr_status call_bcast(orr_comm *c, orr_comm_window *w, const orr_leaf_plan *plan)
{
    int x = 0;

    (void)w, (void)plan;
    return orr_comm_bcast(c, &x, sizeof x, orr_comm_size(c) - 1);
}

static orr_status call_allreduce(orr_comm *c, orr_comm_window *w, const orr_leaf_plan *plan)
{
    float x = 0;

    (void)w, (void)plan;
    return orr_comm_allreduce(c, &x, 1, ORR_F32, ORR_SUM);
}

static orr_status call_exscan(orr_comm *c, orr_comm_window *w, const orr_leaf_plan *plan)
{
    int64_t a, b;

    (void)w, (void)plan;
    return orr_comm_exscan(c, 1, &a, &b);
}

static orr_status call_allgather(orr_comm *c, orr_comm_window *w, const orr_leaf_plan *plan)
{
    char in = 0, out[8];
    size_t bytes[8] = { 1, 1, 1, 1, 1, 1, 1, 1 };

    (void)w, (void)plan;
    return orr_comm_allgather(c, &in, out, bytes);
}

static orr_status call_gather(orr_comm *c, orr_comm_window *w, const orr_leaf_plan *plan)
{
    char in = 0, out[8];
    size_t bytes[8] = { 1, 1, 1, 1, 1, 1, 1, 1 };

    (void)w, (void)plan;
    return orr_comm_gather(c, &in, out, bytes, 0);
}

static orr_status call_agree(orr_comm *c, orr_comm_window *w, const orr_leaf_plan *plan)
{
    (void)w, (void)plan;
    return orr_comm_agree(c, ORR_OK);
}

static orr_status call_split(orr_comm *c, orr_comm_window *w, const orr_leaf_plan *plan)
{
    orr_comm *part;

    (void)w, (void)plan;
    return orr_comm_split(&part, c, 0, 0);
}

static orr_status call_window(orr_comm *c, orr_comm_window *w, const orr_leaf_plan *plan)
{
    (void)plan;
    return orr_comm_window_create(&w, c, 100);
}

static orr_status call_fence(orr_comm *c, orr_comm_window *w, const orr_leaf_plan *plan)
{
    (void)c, (void)plan;
    return orr_comm_window_fence(w);
}

static orr_status call_counter(orr_comm *c, orr_comm_window *w, const orr_leaf_plan *plan)
{
    orr_counter *k;

    (void)w, (void)plan;
    return orr_counter_create(&k, c);
}

static orr_status call_leaf_sum(orr_comm *c, orr_comm_window *w, const orr_leaf_plan *plan)
{
    double in[16] = { 0 }, out[1];

    (void)w;
    return orr_comm_leaf_sum(c, plan, in, out, 1);
}

static orr_status reduce(orr_comm *c, const orr_leaf_plan *plan, orr_reduce_mode mode)
{
    enum { N = 100000 };
    static float segment[ORR_MAX_SEGMENTS][N], result[N]; /* MPI may go on using them */
    void *segments[ORR_MAX_SEGMENTS];
    orr_reduction *r;

    for (int i = 0; i < plan->n_segments; i++)
        segments[i] = segment[i];
    ORR_TRY(orr_comm_reduce_begin(&r, c, plan, mode, segments, result, N, ORR_F32));
    return orr_comm_reduce_end(r);
}

static orr_status call_ordered(orr_comm *c, orr_comm_window *w, const orr_leaf_plan *plan)
{
    (void)w;
    return reduce(c, plan, ORR_REDUCE_ORDERED);
}

static orr_status call_fast(orr_comm *c, orr_comm_window *w, const orr_leaf_plan *plan)
{
    (void)w;
    return reduce(c, plan, ORR_REDUCE_FAST);
}

#define SHARED                                                                                     \
    {                                                                                              \
        .deadline = 0.4                                                                            \
    }
#define MESSAGES                                                                                   \
    {                                                                                              \
        .deadline = 0.4, .no_shared_reduce = 1                                                     \
    }
static const operation operations[] = {
    { "barrier", SHARED, call_barrier, 1, 0 },     { "bcast", SHARED, call_bcast, 1, 0 },
    { "allreduce", SHARED, call_allreduce, 1, 0 }, { "exscan", SHARED, call_exscan, 1, 0 },
    { "allgather", SHARED, call_allgather, 1, 0 }, { "gather", SHARED, call_gather, 0, 0 },
    { "agree", SHARED, call_agree, 1, 0 },         { "split", SHARED, call_split, 1, 0 },
    { "agree", SHARED, call_window, 1, 0 },        { "window fence", SHARED, call_fence, 1, 0 },
    { "agree", SHARED, call_counter, 1, 0 },       { "reduce", SHARED, call_leaf_sum, 1, 1 },
    { "reduce", SHARED, call_ordered, 1, 1 },      { "reduce", MESSAGES, call_ordered, 1, 1 },
    { "reduce", MESSAGES, call_fast, 1, 0 },
};

static void check_sentence(const orr_comm *c, const operation *op)
{
    char own[200], absent[100];
    const char *text = orr_error_text();

    snprintf(own, sizeof own, "rank %d of %d (%s): ", orr_comm_rank(c), orr_comm_size(c),
             orr_comm_host(c));
    snprintf(absent, sizeof absent, "rank %d did not come", orr_comm_size(c) - 1);
    if (strncmp(text, own, strlen(own)) != 0 || !strstr(text, op->name) ||
        (op->names_absent && !strstr(text, absent)))
        fail_msg("%s: \"%s\"", op->name, text);
}

static void stay_away(const operation *op)
{
    orr_comm *c = NULL;
    orr_comm_window *w = NULL;
    orr_leaf_plan plan;
    orr_status st;
    double start, took;

    ranks_ok(orr_comm_mpi_create(&c, MPI_COMM_WORLD, &op->opts));
    ranks_ok(orr_leaf_plan_init(&plan, 8, orr_comm_rank(c), orr_comm_size(c)));
    ranks_ok(orr_comm_window_create(&w, c, 100));
    ranks_ok(orr_comm_reduce_reserve(c, &plan, 100000, ORR_F32));
    if (orr_comm_rank(c) < orr_comm_size(c) - 1) {
        start = orr_now();
        st = op->call(c, w, &plan);
        took = orr_now() - start;
        if (op->everyone || orr_comm_rank(c) == 0) {
            assert_int_equal(st, ORR_ERR_TIMEOUT);
            check_sentence(c, op);
            if (took < deadline || took > deadline + 5) fail_msg("%s: took %g s", op->name, took);
            assert_int_equal(orr_comm_barrier(c), ORR_ERR_COMM); /* unusable from now on */
            orr_comm_window_destroy(w);
            orr_comm_destroy(c); /* returns at once */
            if (orr_now() - start > deadline + 6) fail_msg("%s: destroying waited", op->name);
        }
    }
    MPI_Barrier(MPI_COMM_WORLD);
}

static void test_absent_rank(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof operations / sizeof *operations; i++)
        stay_away(&operations[i]);
}

static void test_environment(void **state)
{
    orr_comm *c = NULL;
    double start;

    (void)state;
    setenv("ORR_WAIT", "0.2", 1);
    ranks_ok(orr_comm_mpi_create(&c, MPI_COMM_WORLD, NULL)); /* 600 s otherwise */
    unsetenv("ORR_WAIT");
    start = orr_now();
    if (orr_comm_rank(c) == 0) {
        assert_int_equal(orr_comm_barrier(c), ORR_ERR_TIMEOUT);
        assert_non_null(strstr(orr_error_text(), "0.2 s"));
        assert_true(orr_now() - start < 5);
    }
    MPI_Barrier(MPI_COMM_WORLD);
}

/* ---- calls of MPI's that block: the last rank lingers in them ---- */
static int lingers; /* the next such call does */
static char stuck_said[ORR_ERROR_MAX];
static int stuck_times;

static void linger(void)
{
    int rank, size;

    PMPI_Comm_rank(MPI_COMM_WORLD, &rank);
    PMPI_Comm_size(MPI_COMM_WORLD, &size);
    if (lingers && rank == size - 1) usleep(1500000);
    lingers = 0;
}

int MPI_Comm_dup(MPI_Comm comm, MPI_Comm *out)
{
    linger();
    return PMPI_Comm_dup(comm, out);
}

int MPI_Comm_split(MPI_Comm comm, int color, int key, MPI_Comm *out)
{
    linger();
    return PMPI_Comm_split(comm, color, key, out);
}

int MPI_Comm_split_type(MPI_Comm comm, int type, int key, MPI_Info info, MPI_Comm *out)
{
    linger();
    return PMPI_Comm_split_type(comm, type, key, info, out);
}

int MPI_Win_allocate_shared(MPI_Aint size, int unit, MPI_Info info, MPI_Comm comm, void *base,
                            MPI_Win *win)
{
    linger();
    return PMPI_Win_allocate_shared(size, unit, info, comm, base, win);
}

int MPI_Win_free(MPI_Win *win)
{
    linger();
    return PMPI_Win_free(win);
}

static void say_stuck(const char *sentence)
{
    snprintf(stuck_said, sizeof stuck_said, "%s", sentence);
    stuck_times++;
}

/* On ranks that had to wait. */
static void check_stuck(const orr_comm *c, const char *what)
{
    char want[200];

    MPI_Barrier(MPI_COMM_WORLD);
    if (orr_comm_rank(c) < orr_comm_size(c) - 1) {
        snprintf(want, sizeof want, "rank %d of %d (%s): %s: MPI did not come back within 0.4 s",
                 orr_comm_rank(c), orr_comm_size(c), orr_comm_host(c), what);
        if (strncmp(stuck_said, want, strlen(want)) != 0) fail_msg("\"%s\"", stuck_said);
    }
    assert_int_equal(stuck_times, 1);
    stuck_times = lingers = 0;
    stuck_said[0] = '\0';
}

static void test_blocking_calls(void **state)
{
    orr_comm_opts opts = { .deadline = deadline, .stuck = say_stuck };
    orr_comm *c = NULL, *part = NULL, *apart = NULL;
    orr_comm_window *w = NULL;
    orr_counter *k = NULL;

    (void)state;
    lingers = 1;
    ranks_ok(orr_comm_mpi_create(&c, MPI_COMM_WORLD, &opts));
    check_stuck(c, "making the communicator");
    lingers = 1;
    ranks_ok(orr_comm_split(&part, c, 0, 0));
    check_stuck(c, "split");
    lingers = 1;
    ranks_ok(orr_comm_window_create(&w, c, 100));
    check_stuck(c, "window");
    lingers = 1;
    orr_comm_window_destroy(w);
    check_stuck(c, "closing a window");
    opts.ranks_per_node = 1;
    ranks_ok(orr_comm_mpi_create(&apart, MPI_COMM_WORLD, &opts));
    lingers = 1;
    ranks_ok(orr_counter_create(&k, apart));
    check_stuck(apart, "counter");
    orr_counter_destroy(k);
    orr_comm_destroy(apart);
    orr_comm_destroy(part);
    orr_comm_destroy(c);
    assert_int_equal(stuck_times, 0); /* nobody lingered */
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_blocking_calls),
    cmocka_unit_test(test_absent_rank),
    cmocka_unit_test(test_environment),
};

RANKS_MAIN(tests, 60)
