/* tests/stats/test_fold_scores.c - means and deviations by hand, verdicts on either side of the
 * standard error. */
#include "stats/fold_scores.h"

#include "stats/check.h"

#include <math.h>

static void mean_and_deviation(void **state)
{
    const double v[] = { 1, 9, 2, 9, 4, 9, 5, 9 };
    double mean, sd;

    (void)state;
    orr_fold_mean(v, 4, 2, &mean, &sd);
    assert_true(mean == 3 && sd == sqrt(2.5));
    orr_fold_mean(v + 1, 4, 2, &mean, &sd);
    assert_true(mean == 9 && sd == 0);
}

static void one_against_another(void **state)
{
    const double a[] = { 4, 2, 6, 4 }, b[] = { 1, 2, 3, 2 }, c[] = { 3, 3, 5, 5 };
    orr_fold_gain g = orr_fold_compare(a, b, 4); /* 3 0 3 2 */

    (void)state;
    assert_true(g.mean == 2 && g.sd == sqrt(1.5));
    assert_true(g.better == 3 && g.verdict == 1);
    g = orr_fold_compare(b, a, 4);
    assert_true(g.mean == -2 && g.better == 0 && g.verdict == -1);
    g = orr_fold_compare(a, c, 4); /* 1 -1 1 -1 */
    assert_true(g.mean == 0 && g.better == 2 && g.verdict == 0);
}

/* A mean of exactly one standard error is no more than level: 1 and 0, sd 0.5, error 0.5. */
static void at_the_standard_error(void **state)
{
    const double a[] = { 1, 0 }, zero[] = { 0, 0 }, above[] = { 1, 0.01 };

    (void)state;
    assert_int_equal(orr_fold_compare(a, zero, 2).verdict, 0);
    assert_int_equal(orr_fold_compare(above, zero, 2).verdict, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mean_and_deviation),
        cmocka_unit_test(one_against_another),
        cmocka_unit_test(at_the_standard_error),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
