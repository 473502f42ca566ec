/* Which tensors of another net are taken: by name and shape, whole layers, not the head's. */
#include "core/core_test.h"
#include "jobs/train/warm_start.h"

#include <stdio.h>

static orr_net_tensor tensor(const char *name, int rows, int columns, int is_state)
{
    orr_net_tensor t = { .is_state = is_state,
                         .n_dims = columns ? 2 : 1,
                         .dims = { rows, columns } };

    snprintf(t.name, sizeof t.name, "%s", name);
    return t;
}

enum { WANT = 8, HAVE = 7 };
static orr_weight_match match[WANT];
static char used[HAVE];

static int match_with(const char *fresh)
{
    const orr_net_tensor want[WANT] = {
        tensor("a.weight", 4, 3, 0),   tensor("a.bias", 4, 0, 0),
        tensor("bn.weight", 4, 0, 0),  tensor("b.weight", 5, 4, 0),
        tensor("b.bias", 5, 0, 0),     tensor("head.weight", 1, 5, 0),
        tensor("new.weight", 2, 2, 0), tensor("bn.running_mean", 4, 0, 1),
    };
    const orr_net_tensor have[HAVE] = {
        tensor("b.bias", 5, 0, 0),          tensor("b.weight", 4, 5, 0),
        tensor("a.bias", 4, 0, 0),          tensor("a.weight", 4, 3, 0),
        tensor("head.weight", 1, 5, 0),     tensor("bn.weight", 4, 0, 0),
        tensor("bn.running_mean", 4, 0, 1),
    };

    return orr_weights_match(want, WANT, have, HAVE, fresh, match, used);
}

static void test_by_name_and_shape(void **state)
{
    static const orr_weight_fate fate[WANT] = { ORR_WEIGHT_TAKEN,   ORR_WEIGHT_TAKEN,
                                                ORR_WEIGHT_TAKEN,   ORR_WEIGHT_SHAPE,
                                                ORR_WEIGHT_LAYER,   ORR_WEIGHT_TAKEN,
                                                ORR_WEIGHT_MISSING, ORR_WEIGHT_TAKEN };
    static const char takes[HAVE] = { 0, 0, 1, 1, 1, 1, 1 };

    (void)state;
    assert_int_equal(match_with(NULL), 5);
    for (int i = 0; i < WANT; i++)
        assert_int_equal(match[i].fate, fate[i]);
    assert_int_equal(match[0].from, 3);
    assert_int_equal(match[6].from, -1);
    assert_memory_equal(used, takes, HAVE);
}

static void test_head(void **state)
{
    (void)state;
    assert_int_equal(match_with("head"), 4);
    assert_int_equal(match[5].fate, ORR_WEIGHT_HEAD);
    assert_false(used[4]);
    assert_int_equal(match_with("hea"), 5); /* of that name, not one that begins like it */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_by_name_and_shape),
        cmocka_unit_test(test_head),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
