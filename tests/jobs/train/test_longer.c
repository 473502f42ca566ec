/* Which job may go on with the run of another: one that asks for more of the same. */
#include "core/core_test.h"
#include "jobs/train/longer.h"

#include <stdio.h>

static const char *job(int epochs, int max_steps, int patience, const char *more)
{
    static char text[2][256];
    static int at;
    char *s = text[at ^= 1];

    snprintf(s, sizeof text[0],
             "data:\n  train: a\ntrain:\n  epochs: %d\n  max_steps: %d\n  patience: %d\n"
             "  evaluate_every: 1\n%s",
             epochs, max_steps, patience, more);
    return s;
}

static int goes_on(const char *now, const char *then)
{
    int does = -1;

    assert_ok(orr_train_goes_on(now, then, "run", &does));
    return does;
}

static void test_more_of_the_same(void **state)
{
    (void)state;
    assert_true(goes_on(job(5, 0, 0, ""), job(3, 0, 0, "")));
    assert_true(goes_on(job(5, 0, 4, ""), job(5, 0, 2, "")));
    assert_true(goes_on(job(5, 0, 0, ""), job(5, 0, 2, ""))); /* patience without end */
    assert_true(goes_on(job(5, 0, 0, ""), job(5, 70, 0, "")));
    assert_true(goes_on(job(5, 90, 0, ""), job(5, 70, 0, "")));
}

static void test_another_job(void **state)
{
    (void)state;
    assert_false(goes_on(job(3, 0, 0, ""), job(5, 0, 0, "")));
    assert_false(goes_on(job(5, 0, 2, ""), job(5, 0, 0, "")));
    assert_false(goes_on(job(5, 70, 0, ""), job(5, 0, 0, "")));
    assert_false(goes_on(job(6, 0, 1, ""), job(5, 0, 2, "")));
    assert_false(goes_on(job(6, 0, 0, "  lr: 2\n"), job(5, 0, 0, "  lr: 1\n")));
    assert_false(goes_on("hello", job(5, 0, 0, "")));
    assert_false(goes_on(job(5, 0, 0, ""), "cv:\n  folds: 5\n"));
}

static void test_schedules(void **state)
{
    const char *spread = "  schedule:\n    kind: onecycle\n",
               *free = "  schedule:\n    kind: plateau\n";
    int does;

    (void)state;
    assert_true(goes_on(job(5, 0, 0, free), job(3, 0, 0, free)));
    assert_true(goes_on(job(5, 0, 3, spread), job(5, 0, 2, spread)));
    assert_int_equal(orr_train_goes_on(job(5, 0, 0, spread), job(3, 0, 0, spread), "run", &does),
                     ORR_ERR_OPTION);
    assert_non_null(strstr(orr_error_text(), "train.epochs was 3 and is 5"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_more_of_the_same),
        cmocka_unit_test(test_another_job),
        cmocka_unit_test(test_schedules),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
