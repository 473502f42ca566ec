/* tests/jobs/context/test_same_job.c - the same job however it is written, and others told apart.
 */
#include "core/core_test.h"
#include "jobs/context/same_job.h"

static orr_status compare(const char *now, const char *then)
{
    return orr_same_job(now, then, "runs/a", "a run", "give another folder");
}

static void same(void **state)
{
    (void)state;
    assert_ok(compare("a: 1\nb:\n  c: [x, y]\n", "a: 1\nb:\n  c: [x, y]\n"));
    assert_ok(compare("a: 1\nb:\n  c: [x, y]\n", "a:   1\nb: {c: [x, \"y\"]}\n"));
    assert_ok(compare("a: \"t\\tx\"\n# p: sha256 1\n", "a: \"t\\u0009x\"\n# p: sha256 1\n"));
    assert_ok(compare("", ""));
}

static void different(void **state)
{
    (void)state;
    assert_failure(compare("run: a\nlr: 0.1\n", "run: a\nlr: 0.2\n"), ORR_ERR_OPTION,
                   "runs/a holds a run of another job: \"lr: 0.1\" was \"lr: 0.2\"; give another "
                   "folder");
    assert_int_equal(compare("a: [x, y]\n", "a: [y, x]\n"), ORR_ERR_OPTION);
    assert_int_equal(compare("a: 1\n", "a: 1\nb: 2\n"), ORR_ERR_OPTION);
    assert_int_equal(compare("a: {b: 1}\n", "a: {c: 1}\n"), ORR_ERR_OPTION);
    assert_int_equal(compare("a: \"null\"\n", "a: null\n"), ORR_ERR_OPTION);
    assert_int_equal(compare("a: 1\n# p: sha256 1\n", "a: 1\n# p: sha256 2\n"), ORR_ERR_OPTION);
    assert_int_equal(compare("a: 1\n", "a: 1\n# p: sha256 2\n"), ORR_ERR_OPTION);
    assert_int_equal(compare("a: 1\n", "a: [\n"), ORR_ERR_OPTION);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same),
        cmocka_unit_test(different),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
