/* A job as it was asked for: what is an assignment, which lies over the file, and launch's own
 * section. */
#include "core/core_test.h"
#include "jobs/context/job_config.h"

static void test_assignments(void **state)
{
    (void)state;
    assert_true(orr_is_assignment("train.lr=0.1"));
    assert_true(orr_is_assignment("a="));
    assert_false(orr_is_assignment("=a"));
    assert_false(orr_is_assignment("runs/a=b")); /* a path */
    assert_false(orr_is_assignment("job.yaml"));
}

static void test_line_lies_over_file(void **state)
{
    char path[] = "/tmp/orrery-job-XXXXXX";
    int fd = mkstemp(path);
    const char text[] = "lr: 0.1\nout: a\nrestart: {max: 7}\n";
    const orr_args args = { .n_assignments = 1, .assignments = { "lr=0.2" } };
    orr_restart_opts restart;
    orr_config *c;

    (void)state;
    assert_int_equal(write(fd, text, sizeof text - 1), sizeof text - 1);
    close(fd);
    assert_ok(orr_job_config_restart(&c, &restart, path, &args));
    assert_int_equal(restart.max, 7);
    assert_int_equal(restart.min_ranks, 1);
    assert_null(orr_node_get(orr_config_root(c), "restart")); /* commands do not see it */
    assert_string_equal(orr_node_get(orr_config_root(c), "lr")->scalar, "0.2");
    assert_string_equal(orr_node_get(orr_config_root(c), "out")->scalar, "a");
    orr_config_destroy(c);
    unlink(path);
    assert_int_equal(orr_job_config(&c, path, &args), ORR_ERR_OPTION); /* no such file: usage */
    assert_null(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_assignments),
        cmocka_unit_test(test_line_lies_over_file),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
