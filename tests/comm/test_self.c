/* One rank without MPI: the same calls, the same answers. */
#include "comm/comm.h"
#include "core/memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static orr_comm *create(void)
{
    orr_comm *c = NULL;

    assert_int_equal(orr_comm_self_create(&c), ORR_OK);
    return c;
}

static void test_who(void **state)
{
    orr_comm *c = create(), *part = NULL;

    (void)state;
    assert_int_equal(orr_comm_rank(c), 0);
    assert_int_equal(orr_comm_size(c), 1);
    assert_int_equal(orr_comm_node(c), 0);
    assert_int_equal(orr_comm_n_nodes(c), 1);
    assert_int_equal(orr_comm_node_rank(c), 0);
    assert_int_equal(orr_comm_node_size(c), 1);
    assert_true(strlen(orr_comm_host(c)) > 0);
    assert_int_equal(orr_comm_split(&part, c, -1, 0), ORR_OK);
    assert_null(part);
    assert_int_equal(orr_comm_split(&part, c, 3, 0), ORR_OK);
    assert_int_equal(orr_comm_size(part), 1);
    orr_comm_destroy(part);
    orr_comm_destroy(c);
}

static void test_together(void **state)
{
    orr_comm *c = create();
    double x[2] = { 1.5, -2 };
    char text[8] = "abc", out[8] = "";
    int64_t before = -1, total = -1;

    (void)state;
    assert_int_equal(orr_comm_barrier(c), ORR_OK);
    assert_int_equal(orr_comm_bcast(c, x, sizeof x, 0), ORR_OK);
    assert_int_equal(orr_comm_bcast(c, x, sizeof x, 1), ORR_ERR_ARG);
    assert_int_equal(orr_comm_allreduce(c, x, 2, ORR_F64, ORR_SUM), ORR_OK);
    assert_true(x[0] == 1.5 && x[1] == -2);
    assert_int_equal(orr_comm_exscan(c, 7, &before, &total), ORR_OK);
    assert_true(before == 0 && total == 7);
    assert_int_equal(orr_comm_allgather(c, text, out, (size_t[]){ 4 }), ORR_OK);
    assert_string_equal(out, "abc");
    assert_int_equal(orr_comm_gather(c, "xy", out, (size_t[]){ 3 }, 0), ORR_OK);
    assert_string_equal(out, "xy");
    assert_int_equal(orr_comm_agree(c, ORR_OK), ORR_OK);
    assert_int_equal(orr_comm_agree(c, orr_fail(ORR_ERR_IO, "no such shard")), ORR_ERR_IO);
    assert_string_equal(orr_error_text(), "no such shard");
    orr_comm_destroy(c);
}

static void test_shared(void **state)
{
    orr_comm *c = create();
    orr_comm_window *w = NULL;
    orr_counter *k = NULL;
    int64_t first = -1;

    (void)state;
    assert_int_equal(orr_comm_window_create(&w, c, 1000), ORR_OK);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(((char *)orr_comm_window_base(w))[i], 0);
    assert_int_equal(orr_comm_window_fence(w), ORR_OK);
    orr_comm_window_destroy(w);
    assert_int_equal(orr_counter_create(&k, c), ORR_OK);
    assert_int_equal(orr_counter_next(k, 3, &first), ORR_OK);
    assert_int_equal(first, 0);
    assert_int_equal(orr_counter_next(k, 1, &first), ORR_OK);
    assert_int_equal(first, 3);
    orr_counter_destroy(k);
    orr_comm_destroy(c);
}

static void test_reduce(void **state)
{
    orr_comm *c = create();
    orr_leaf_plan plan;
    orr_reduction *r = NULL;
    float run[3] = { 1, 2, 3 }, result[3] = { 0 };
    double in[5] = { 1e16, 1, -1e16, 1, 3 }, copy[5], want, out = 0;
    void *runs[] = { run };

    (void)state;
    assert_int_equal(orr_leaf_plan_init(&plan, 5, 0, 1), ORR_OK);
    assert_int_equal(orr_comm_reduce_reserve(c, &plan, 3, ORR_F32), ORR_OK);
    for (orr_reduce_mode mode = ORR_REDUCE_ORDERED; mode <= ORR_REDUCE_FAST; mode++) {
        memset(result, 0, sizeof result);
        assert_int_equal(orr_comm_reduce_begin(&r, c, &plan, mode, runs, result, 3, ORR_F32),
                         ORR_OK);
        assert_int_equal(orr_comm_reduce_test(r), ORR_OK);
        assert_int_equal(orr_comm_reduce_end(r), ORR_OK);
        assert_memory_equal(result, run, sizeof run);
    }
    memcpy(copy, in, sizeof in);
    orr_leaf_sum_f64(&want, copy, 1, 5, 1);
    assert_int_equal(orr_comm_leaf_sum(c, &plan, in, &out, 1), ORR_OK);
    assert_true(out == want);
    orr_comm_destroy(c);
}

static void test_no_memory(void **state)
{
    (void)state;
    for (int n = 1; n <= 3; n++) {
        orr_comm *c = (orr_comm *)1;
        orr_comm_window *w = NULL;
        orr_alloc_fail_at(n);
        if (n == 1) {
            assert_int_equal(orr_comm_self_create(&c), ORR_ERR_NOMEM);
            assert_null(c);
            continue;
        }
        assert_int_equal(orr_comm_self_create(&c), ORR_OK);
        assert_int_equal(orr_comm_window_create(&w, c, 10), ORR_ERR_NOMEM);
        assert_null(w);
        orr_alloc_fail_at(0);
        orr_comm_destroy(c);
    }
    orr_alloc_fail_at(0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_who),       cmocka_unit_test(test_together),
        cmocka_unit_test(test_shared),    cmocka_unit_test(test_reduce),
        cmocka_unit_test(test_no_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
