/* Who is slow: spreads, the straggler and its cause, and seconds that come to rank 0. */
#include "comm/ranks.h"
#include "jobs/context/skew.h"

#include <stddef.h>

enum { MOST = 8 };

static void test_spread(void **state)
{
    const orr_load load[] = { { 3, 0, 1 }, { 1, 2, 0 }, { 2, 1, 0 }, { 2, 0, 5 } };
    double room[MOST];
    orr_spread s = orr_spread_of(load, 4, offsetof(orr_load, compute), room);

    (void)state;
    assert_true(s.max == 3 && s.median == 2 && s.min == 1);
    s = orr_spread_of(load, 4, sizeof(orr_load), room); /* compute + input: 4 1 2 7 */
    assert_true(s.max == 7 && s.median == 2 && s.min == 1);
    s = orr_spread_of(load, 1, offsetof(orr_load, input), room);
    assert_true(s.max == 1 && s.median == 1 && s.min == 1);
}

static void test_straggler(void **state)
{
    orr_load load[] = { { 1, 1, 0 }, { 1, 1, 0 }, { 2, 0, 0 }, { 1, 1, 0 } };
    double room[MOST];
    orr_straggler s;

    (void)state;
    orr_straggler_find(&s, load, 4, 0.1, room);
    assert_int_equal(s.rank, 2);
    assert_string_equal(s.cause, "compute");
    assert_true(s.seconds == 2 && s.median == 1);
    load[2] = (orr_load){ 1, 0, 1.2 };
    orr_straggler_find(&s, load, 4, 0.1, room);
    assert_string_equal(s.cause, "input");
    orr_straggler_find(&s, load, 4, 2, room); /* so few seconds are not worth naming */
    assert_int_equal(s.rank, -1);
    load[2] = (orr_load){ 1.4, 0, 0 }; /* not ORR_SKEW_FACTOR times the median */
    orr_straggler_find(&s, load, 4, 0.1, room);
    assert_int_equal(s.rank, -1);
    orr_straggler_find(&s, load, 1, 0, room); /* alone */
    assert_int_equal(s.rank, -1);
}

static void test_gather(void **state)
{
    orr_comm *world = ranks_comm(0);
    orr_context c = { .world = world, .rank = orr_comm_rank(world), .size = orr_comm_size(world) };
    orr_skew s;

    (void)state;
    ranks_ok(orr_skew_create(&s, &c));
    orr_skew_add(&s, 1 + c.rank, 0, 0.5);
    ranks_ok(orr_skew_gather(&s));
    if (c.rank == 0) orr_skew_mark(&s, s.epoch, &s.epoch_steps);
    orr_skew_add(&s, 10, 2, 0);
    ranks_ok(orr_skew_gather(&s));
    if (c.rank == 0) {
        const orr_load *since = orr_skew_since(&s, s.epoch);
        assert_int_equal(s.epoch_steps, 1);
        assert_int_equal(s.gathered, 2);
        for (int r = 0; r < c.size; r++) {
            assert_true(s.all[r].compute == 11 + r && s.all[r].wait == 2);
            assert_true(since[r].compute == 10 && since[r].wait == 2 && since[r].input == 0);
            assert_true(s.host[r][0] != '\0');
        }
    } else {
        assert_null(s.all);
    }
    orr_skew_free(&s);
    orr_skew_free(&s); /* zeroed is fine */
    orr_comm_destroy(world);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_spread),
    cmocka_unit_test(test_straggler),
    cmocka_unit_test(test_gather),
};

RANKS_MAIN(tests, 60)
