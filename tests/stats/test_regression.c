/* tests/stats/test_regression.c - errors small enough to work out by hand. */
#include "stats/metrics.h"

#include "stats/check.h"

#include <math.h>

static orr_regression of(const float *y, const double *p, int64_t n, int width)
{
    orr_regression r = { .n = -1 };

    assert_int_equal(orr_regression_metrics(y, p, n, width, &r, NULL), ORR_OK);
    assert_int_equal(r.n, n);
    return r;
}

static void test_known(void **state)
{
    static const float y[] = { 1, 2, 3, 4 };
    static const double p[] = { 1, 2, 4, 8 }; /* differences 0 0 1 4 */
    orr_regression r = of(y, p, 4, 1), two = of(y, p, 2, 2), each[2];

    (void)state;
    assert_number(r.mse, 17.0 / 4);
    assert_number(r.rmse, sqrt(17.0 / 4));
    assert_number(r.mae, 1.25);
    assert_number(r.bias, 1.25);
    assert_number(r.r2, 1 - 17.0 / 5);
    assert_number(r.sigma_mad, 1.4826 * 0.5); /* median 0.5; deviations 0.5 0.5 0.5 3.5 */
    /* two targets: differences 0 1 of one, 0 4 of the other */
    assert_number(two.mse, (0.5 + 8) / 2);
    assert_number(two.rmse, (sqrt(0.5) + sqrt(8)) / 2);
    assert_number(two.r2, (0.5 - 7) / 2);
    assert_number(two.sigma_mad, 1.4826 * (0.5 + 2) / 2);
    assert_int_equal(two.n, 2);
    assert_int_equal(orr_regression_metrics(y, p, 2, 2, &two, each), ORR_OK);
    assert_number(each[0].mse, 0.5);
    assert_number(each[0].r2, 0.5);
    assert_number(each[1].mae, 2);
    assert_number(each[1].r2, -7);
    assert_int_equal(each[1].n, 2);
}

static void test_odd_median(void **state)
{
    static const float y[] = { 0, 0, 0, 0, 0 };
    static const double p[] = { 5, -1, 2, 100, 3 }; /* median 3; deviations 2 4 1 97 0 */

    (void)state;
    assert_number(of(y, p, 5, 1).sigma_mad, 1.4826 * 2);
}

static void test_edges(void **state)
{
    static const float y[] = { 2, 2, 2 };
    static const double met[] = { 2, 2, 2 }, missed[] = { 2, 2, 2.5 };
    orr_regression none = of(NULL, NULL, 0, 1);

    (void)state;
    assert_number(none.mse, NAN);
    assert_number(none.sigma_mad, NAN);
    assert_number(of(y, met, 3, 1).r2, 1);
    assert_number(of(y, missed, 3, 1).r2, 0);
    assert_number(of(y, met, 1, 1).r2, NAN);
    assert_number(of(y, missed + 2, 1, 1).mse, 0.25);
}

static void test_bad_input(void **state)
{
    static const float y[] = { 1, 2, 3, NAN };
    static const double p[] = { 1, 2, INFINITY, 4 };
    orr_regression r;

    (void)state;
    assert_fails(orr_regression_metrics(y, p, 2, 2, &r, NULL), ORR_ERR_NUMERIC,
                 "prediction of row 1, column 0");
    assert_number(r.mse, NAN);
    assert_fails(orr_regression_metrics(y + 3, p + 3, 1, 1, &r, NULL), ORR_ERR_NUMERIC,
                 "target of row 0");
    assert_fails(orr_regression_metrics(y, p, -1, 1, &r, NULL), ORR_ERR_ARG, "-1 rows");
    assert_fails(orr_regression_metrics(y, p, 1, 0, &r, NULL), ORR_ERR_ARG, "0 values");
    assert_fails(orr_regression_metrics(y, p, INT64_MAX, 2, &r, NULL), ORR_ERR_ARG, "rows");
    orr_alloc_fail_at(1);
    assert_fails(orr_regression_metrics(y, p, 2, 1, &r, NULL), ORR_ERR_NOMEM, "memory");
    orr_alloc_fail_at(0);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known),
        cmocka_unit_test(test_odd_median),
        cmocka_unit_test(test_edges),
        cmocka_unit_test(test_bad_input),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
