/* tests/stats/test_roc.c - areas whose value is known by counting pairs. */
#include "stats/metrics.h"

#include "stats/check.h"

#include <math.h>

static double auc_of(const int32_t *y, const double *s, int64_t n)
{
    double auc = -1;

    assert_int_equal(orr_roc_auc(y, s, n, &auc), ORR_OK);
    return auc;
}

static double ap_of(const int32_t *y, const double *s, int64_t n)
{
    double ap = -1;

    assert_int_equal(orr_average_precision(y, s, n, &ap), ORR_OK);
    return ap;
}

static void test_known(void **state)
{
    static const int32_t y[] = { 0, 0, 1, 1 };
    static const double s[] = { 0.1, 0.4, 0.35, 0.8 };
    static const double backwards[] = { 4, 3, 2, 1 };
    static const double right[] = { 1, 2, 3, 4 };

    (void)state;
    assert_number(auc_of(y, s, 4), 0.75);
    assert_near(ap_of(y, s, 4), 0.5 + 0.5 * (2.0 / 3));
    assert_number(auc_of(y, backwards, 4), 0);
    assert_number(auc_of(y, right, 4), 1);
    assert_number(ap_of(y, right, 4), 1);
}

static void test_ties(void **state)
{
    static const int32_t y[] = { 1, 0, 1, 0, 0 };
    static const double equal[] = { 0.3, 0.3, 0.3, 0.3, 0.3 };
    static const double some[] = { 2, 2, 1, 1, 0 };
    static const double zeros[] = { 0.0, -0.0, 1, -1, -1 };

    (void)state;
    assert_number(auc_of(y, equal, 5), 0.5);
    assert_number(ap_of(y, equal, 5), 0.4);
    assert_number(auc_of(y, some, 5), (0.5 + 1 + 1 + 0 + 0.5 + 1) / 6);
    assert_near(ap_of(y, some, 5), 0.5 * 0.5 + 0.5 * 0.5);
    assert_number(auc_of(y, zeros, 5), (0.5 + 1 + 1 + 3) / 6); /* -0 ties with 0 */
}

static void test_order_does_not_matter(void **state)
{
    int32_t y[300], y2[300];
    double s[300], s2[300];

    (void)state;
    for (int i = 0; i < 300; i++) {
        int j = i * 7 % 300; /* 7 and 300 have no common factor */
        y[i] = i * i % 11 < 3;
        s[i] = i * 37 % 19 / 19.0;
        y2[j] = y[i];
        s2[j] = s[i];
    }
    assert_number(auc_of(y, s, 300), auc_of(y2, s2, 300));
    assert_number(ap_of(y, s, 300), ap_of(y2, s2, 300));
}

static void test_undefined(void **state)
{
    static const int32_t none[] = { 0, 0 }, all[] = { 1, 1 };
    static const double s[] = { 1, 2 };

    (void)state;
    assert_number(auc_of(none, s, 2), NAN);
    assert_number(ap_of(none, s, 2), NAN);
    assert_number(auc_of(all, s, 2), NAN);
    assert_number(ap_of(all, s, 2), 1);
    assert_number(auc_of(NULL, NULL, 0), NAN);
    assert_number(ap_of(NULL, NULL, 0), NAN);
}

static void test_bad_input(void **state)
{
    static const int32_t y[] = { 0, 1, 2 };
    static const double s[] = { 1, NAN, 3 };
    static const double infinite[] = { -INFINITY, INFINITY };
    double v = 5;

    (void)state;
    assert_fails(orr_roc_auc(y, s, 2, &v), ORR_ERR_NUMERIC, "row 1");
    assert_number(v, NAN);
    assert_fails(orr_average_precision(y, s, 2, &v), ORR_ERR_NUMERIC, "row 1");
    assert_fails(orr_roc_auc(y + 1, s + 1, 1, &v), ORR_ERR_NUMERIC, "NaN");
    assert_fails(orr_roc_auc(y + 2, s + 2, 1, &v), ORR_ERR_ARG, "is 2, not 0 or 1");
    assert_fails(orr_roc_auc(y, s, -1, &v), ORR_ERR_ARG, "-1 rows");
    assert_number(auc_of(y, infinite, 2), 1); /* an order is all it needs */
    orr_alloc_fail_at(1);
    assert_fails(orr_roc_auc(y, infinite, 2, &v), ORR_ERR_NOMEM, "memory");
    orr_alloc_fail_at(0);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known),     cmocka_unit_test(test_ties),
        cmocka_unit_test(test_undefined), cmocka_unit_test(test_order_does_not_matter),
        cmocka_unit_test(test_bad_input),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
