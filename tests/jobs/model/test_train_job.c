/* train.seeds as a number and as a list, and what it may not be. */
#include "core/core_test.h"
#include "jobs/model/train_job.h"

static orr_status seeds_of(const char *text, orr_seeds *out)
{
    orr_config *c;
    orr_train_opts o = { .seed = 7 };
    orr_status st;

    assert_ok(orr_config_parse(&c, text, "job.yaml"));
    o.seeds = orr_node_get(orr_config_root(c), "seeds");
    st = orr_train_seeds(&o, out);
    orr_config_destroy(c);
    return st;
}

static void test_given(void **state)
{
    const orr_train_opts none = { .seed = 7 };
    orr_seeds s;

    (void)state;
    assert_ok(orr_train_seeds(&none, &s));
    assert_int_equal(s.n, 0);
    assert_ok(seeds_of("seeds: 3", &s));
    assert_int_equal(s.n, 3);
    for (int i = 0; i < 3; i++)
        assert_int_equal(s.v[i], 7 + i);
    assert_ok(seeds_of("seeds: [9, 0, 9000000000000000]", &s));
    assert_int_equal(s.n, 3);
    assert_int_equal(s.v[0], 9);
    assert_int_equal(s.v[1], 0);
    assert_int_equal(s.v[2], 9000000000000000);
}

static void test_refused(void **state)
{
    static const char *const bad[][2] = {
        { "seeds: 0", "1 to 64" },      { "seeds: 65", "1 to 64" },
        { "seeds: -1", "1 to 64" },     { "seeds: 1.5", "whole" },
        { "seeds: five", "whole" },     { "seeds: [1, 2, 1]", "twice" },
        { "seeds: [1, x]", "whole" },   { "seeds: []", "1 to 64" },
        { "seeds: [1, [2]]", "whole" }, { "seeds: {a: 1}", "1 to 64" },
        { "seeds: [-3]", "whole" },     { "seeds: [9000000000000001]", "whole" },
    };
    orr_seeds s;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(seeds_of(bad[i][0], &s), ORR_ERR_OPTION);
        if (!strstr(orr_error_text(), bad[i][1]) || !strstr(orr_error_text(), "job.yaml:1"))
            fail_msg("%s: %s", bad[i][0], orr_error_text());
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_given),
                                        cmocka_unit_test(test_refused) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
