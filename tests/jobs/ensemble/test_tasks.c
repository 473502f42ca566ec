/* Tasks over groups of ranks: each once, longest first, failures told, a stop heard by all. */
#include "comm/ranks.h"
#include "core/threads.h"
#include "jobs/context/signals.h"
#include "jobs/ensemble/tasks.h"

#include <time.h>

enum { MOST = 60 };

typedef struct job {
    int n, fails_at, stops_at, ran[MOST]; /* ran: by this rank */
    int group_of[MOST];                   /* size of the group that ran it here */
    double seconds[MOST];
} job;

static void pause_for(double seconds)
{
    struct timespec t = { .tv_nsec = (long)(seconds * 1e9) };

    nanosleep(&t, NULL);
}

static orr_status run(void *ctx, orr_context *group, int i)
{
    job *j = ctx;
    int64_t sum = 1;

    j->ran[i]++;
    j->group_of[i] = group->size;
    ranks_ok(orr_comm_allreduce(group->world, &sum, 1, ORR_I64, ORR_SUM));
    assert_int_equal(sum, group->size);
    for (double left = j->seconds[i]; left > 0; left -= 0.01) {
        pause_for(0.01);
        orr_context_alive(group);
    }
    if (i == j->stops_at && group->rank == 0) orr_stop_request();
    if (orr_context_agree(group, orr_stop_requested() ? orr_fail(ORR_ERR_INTERRUPTED, "stopped")
                                                      : ORR_OK) != ORR_OK)
        return ORR_ERR_INTERRUPTED;
    return orr_context_agree(group, i == j->fails_at && group->rank == group->size - 1
                                        ? orr_fail(ORR_ERR_IO, "no room for task %d", i)
                                        : ORR_OK);
}

static const char *name(void *ctx, int i, char *buf, size_t bytes)
{
    (void)ctx;
    snprintf(buf, bytes, "number %d", i);
    return buf;
}

static orr_context app_of(orr_comm *world)
{
    return (orr_context){
        .world = world, .rank = orr_comm_rank(world), .size = orr_comm_size(world), .threads = 1
    };
}

/* Which rank ran what, over all ranks: how many times each task ran, in ranks. */
static orr_status run_all(job *j, int group_ranks, int most, int32_t *total)
{
    orr_comm *world = ranks_comm(0);
    orr_context context = app_of(world);
    double cost[MOST];
    orr_tasks t = { .n = j->n,
                    .cost = cost,
                    .group_ranks = group_ranks,
                    .most_ranks = most,
                    .what = "task",
                    .component = "test",
                    .run = run,
                    .name = name,
                    .ctx = j };
    orr_status st;

    for (int i = 0; i < j->n; i++)
        cost[i] = j->seconds[i];
    st = orr_tasks_run(&context, &t);
    for (int i = 0; i < j->n; i++)
        total[i] = j->ran[i] ? (j->ran[i] == 1 ? 1000 / j->group_of[i] : -100000) : 0;
    ranks_ok(orr_comm_allreduce(world, total, (size_t)j->n, ORR_I32, ORR_SUM));
    orr_comm_destroy(world);
    return st;
}

/* Every task ran once on every rank of just one group. */
static void test_each_once(void **state)
{
    static const int groups[] = { 0, 1, 2, 3 };

    (void)state;
    for (size_t g = 0; g < sizeof groups / sizeof *groups; g++) {
        job j = { .n = 17, .fails_at = -1, .stops_at = -1 };
        int32_t total[MOST];
        for (int i = 0; i < j.n; i++)
            j.seconds[i] = 0.002 * (i % 5);
        ranks_ok(run_all(&j, groups[g], 1 << 20, total));
        for (int i = 0; i < j.n; i++)
            assert_in_range(total[i], 996, 1000);
    }
}

static void test_more_ranks_than_a_group_can_use(void **state)
{
    job j = { .n = 2, .fails_at = -1, .stops_at = -1 };
    int32_t total[MOST];

    (void)state;
    ranks_ok(run_all(&j, 0, 1, total));
    for (int i = 0; i < j.n; i++) {
        assert_int_equal(total[i], 1000);
        assert_in_range(j.group_of[i], 0, 1);
    }
}

static void test_failure_is_told_and_the_others_run(void **state)
{
    job j = { .n = 9, .fails_at = 4, .stops_at = -1 };
    int32_t total[MOST];

    (void)state;
    assert_int_equal(run_all(&j, 0, 1 << 20, total), ORR_ERR_IO);
    assert_non_null(strstr(orr_error_text(), "1 of 9 tasks failed"));
    assert_non_null(strstr(orr_error_text(), "number 4"));
    assert_non_null(strstr(orr_error_text(), "no room for task 4"));
    for (int i = 0; i < j.n; i++)
        assert_in_range(total[i], 996, 1000);
}

static void test_order(void **state)
{
    const double cost[] = { 1, 3, 2, 3, 0 };
    const int want[] = { 1, 3, 2, 0, 4 };
    int order[5];

    (void)state;
    orr_tasks_order(cost, 5, order);
    assert_memory_equal(order, want, sizeof want);
}

static void test_groups(void **state)
{
    orr_tasks t = { .n = 5, .most_ranks = 8 };

    (void)state;
    assert_int_equal(orr_tasks_groups(&t, 3), 3);
    assert_int_equal(orr_tasks_groups(&t, 12), 5);
    t.group_ranks = 4;
    assert_int_equal(orr_tasks_groups(&t, 12), 3);
    assert_int_equal(orr_tasks_groups(&t, 3), 1);
    assert_int_equal(orr_tasks_group_of(&t, 14, 13), -1); /* a rest of two ranks stays idle */
    t.group_ranks = 0;
    for (int size = 1; size < 30; size++) {
        int members[8] = { 0 }, n = orr_tasks_groups(&t, size);
        for (int r = 0; r < size; r++)
            members[orr_tasks_group_of(&t, size, r)]++;
        for (int g = 0; g < n; g++)
            assert_in_range(members[g], size / n, size / n + 1);
    }
}

/* Last, since a stop stays asked for: all groups hear it. */
static void test_stop(void **state)
{
    job j = { .n = 40, .fails_at = -1, .stops_at = 2 };
    int32_t total[MOST];
    double began = orr_now();
    int ran = 0;

    (void)state;
    for (int i = 0; i < j.n; i++)
        j.seconds[i] = i == 2 ? 0.4 : 0.3; /* the longest comes first */
    assert_int_equal(run_all(&j, 0, 1 << 20, total), ORR_ERR_INTERRUPTED);
    assert_true(orr_now() - began < 10);
    for (int i = 0; i < j.n; i++)
        ran += total[i] != 0;
    assert_true(ran < j.n);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_order),
    cmocka_unit_test(test_groups),
    cmocka_unit_test(test_each_once),
    cmocka_unit_test(test_more_ranks_than_a_group_can_use),
    cmocka_unit_test(test_failure_is_told_and_the_others_run),
    cmocka_unit_test(test_stop),
};

RANKS_MAIN(tests, 110)
