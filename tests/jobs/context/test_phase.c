/* Phases: every rank's call is made, all get the lowest failing rank's verdict, and what must not
 * be is a defect. */
#include "comm/ranks.h"
#include "jobs/context/phase.h"

static orr_context context_of(orr_comm *world)
{
    return (orr_context){
        .world = world, .rank = orr_comm_rank(world), .size = orr_comm_size(world), .threads = 1
    };
}

static orr_status work(int *calls, const orr_context *c, int fails_on)
{
    ++*calls;
    return c->rank == fails_on ? orr_fail(ORR_ERR_FORMAT, "rank %d has failed", c->rank) : ORR_OK;
}

static void check_sentence(const orr_context *c, int who)
{
    char want[128];

    snprintf(want, sizeof want, "rank %d has failed", who);
    assert_non_null(strstr(orr_error_text(), want));
    assert_non_null(strstr(orr_error_where(), "test_phase.c:")); /* where it was found */
    if (c->size > 1) assert_memory_equal(orr_error_text(), "rank ", 5);
}

static void test_one_verdict(void **state)
{
    orr_context c = context_of(ranks_comm(0));
    int calls = 0;

    (void)state;
    assert_int_equal(orr_phase(&c, "work", work(&calls, &c, -1)), ORR_OK);
    assert_int_equal(calls, 1);
    assert_int_equal(c.agreed, ORR_OK);
    for (int who = 0; who < c.size; who++) {
        assert_int_equal(orr_phase(&c, NULL, work(&calls, &c, who)), ORR_ERR_FORMAT);
        check_sentence(&c, who);
        assert_int_equal(c.agreed, ORR_ERR_FORMAT);
    }
    assert_int_equal(calls, 1 + c.size);
    assert_int_equal(orr_phase(&c, NULL, work(&calls, &c, -1)), ORR_OK); /* it may go on */
    orr_comm_destroy(c.world);
}

static void test_root_alone_works(void **state)
{
    orr_context c = context_of(ranks_comm(0));
    int calls = 0;

    (void)state;
    assert_int_equal(orr_phase_root(&c, "root", work(&calls, &c, -1)), ORR_OK);
    assert_int_equal(calls, c.rank == 0);
    assert_int_equal(orr_phase_root(&c, NULL, work(&calls, &c, 0)), ORR_ERR_FORMAT);
    check_sentence(&c, 0);
    assert_int_equal(calls, c.rank == 0 ? 2 : 0);
    orr_comm_destroy(c.world);
}

static orr_status meets(orr_context *c, int *calls, int fails_on)
{
    ORR_TRY(orr_comm_barrier(c->world));
    ORR_TRY(orr_phase(c, NULL, work(calls, c, -1))); /* a part */
    return work(calls, c, fails_on);
}

static void test_joint_work_may_meet(void **state)
{
    orr_context c = context_of(ranks_comm(0));
    int calls = 0;

    (void)state;
    assert_int_equal(orr_phase_joint(&c, meets(&c, &calls, -1)), ORR_OK);
    assert_int_equal(orr_phase_joint(&c, meets(&c, &calls, c.size - 1)), ORR_ERR_FORMAT);
    check_sentence(&c, c.size - 1);
    assert_int_equal(calls, 4);
    orr_comm_destroy(c.world);
}

/* The agreement of a part has said who it was; that of the whole does not say it again. */
static orr_status part_fails(orr_context *c, int *calls)
{
    return orr_phase(c, NULL, work(calls, c, c->size - 1));
}

static void test_owner_is_named_once(void **state)
{
    orr_context c = context_of(ranks_comm(0));
    const char *text = orr_error_text();
    int calls = 0;

    (void)state;
    assert_int_equal(orr_phase_joint(&c, part_fails(&c, &calls)), ORR_ERR_FORMAT);
    check_sentence(&c, c.size - 1);
    if (c.size > 1) assert_null(strstr(strstr(text, "): ") + 3, "): "));

    orr_comm_destroy(c.world);
}

static orr_status nested(orr_context *c, int *calls)
{
    return orr_phase(c, "inner", work(calls, c, -1));
}

static void test_within_another_is_a_defect(void **state)
{
    orr_context c = context_of(ranks_comm(0));
    int calls = 0;

    (void)state;
    assert_int_equal(orr_phase(&c, "outer", nested(&c, &calls)), ORR_ERR_INTERNAL);
    assert_non_null(strstr(orr_error_text(), "phase inner begins within another"));
    assert_int_equal(calls, 0);
    assert_int_equal(orr_phase(&c, "outer", work(&calls, &c, -1)), ORR_OK); /* counts are right */
    orr_comm_destroy(c.world);
}

static void test_fails_where_it_is_asked_to(void **state)
{
    orr_context c = context_of(ranks_comm(0));
    int calls = 0, here = c.rank == c.size - 1;

    (void)state;
    c.phase.fail_at = here ? 2 : 0;
    assert_int_equal(orr_phase(&c, NULL, work(&calls, &c, -1)), ORR_OK);
    assert_int_equal(orr_phase(&c, NULL, work(&calls, &c, -1)), ORR_ERR_IO);
    assert_non_null(strstr(orr_error_text(), "phase 2 failed on purpose"));
    assert_int_equal(calls, here ? 1 : 2);
    c.phase.fail_at = here ? 3 : 0;
    assert_int_equal(orr_phase_joint(&c, meets(&c, &calls, -1)), ORR_ERR_IO); /* nobody hangs */
    orr_comm_destroy(c.world);
}

static void test_same_for_all(void **state)
{
    orr_context c = context_of(ranks_comm(0));

    (void)state;
    assert_int_equal(orr_phase_same(&c, orr_fail(ORR_ERR_OPTION, "too many")), ORR_ERR_OPTION);
    assert_int_equal(c.agreed, ORR_ERR_OPTION);
    assert_string_equal(orr_error_text(), "too many");
    orr_comm_destroy(c.world);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_one_verdict),
    cmocka_unit_test(test_root_alone_works),
    cmocka_unit_test(test_joint_work_may_meet),
    cmocka_unit_test(test_owner_is_named_once),
    cmocka_unit_test(test_within_another_is_a_defect),
    cmocka_unit_test(test_fails_where_it_is_asked_to),
    cmocka_unit_test(test_same_for_all),
};

RANKS_MAIN(tests, 60)
