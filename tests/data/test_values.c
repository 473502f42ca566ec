/* tests/data/test_values.c - what is no value, whatever a table lists; what rounding costs. */
#include "data/formats/values.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static orr_classes list(orr_strings values)
{
    orr_classes c;

    assert_int_equal(orr_classes_init(&c, &values, "missing"), ORR_OK);
    return c;
}

static void test_is_missing(void **state)
{
    orr_classes all = list((orr_strings){ 3, { "-9999", "99.99", "N/A" } }),
                own = list((orr_strings){ 1, { "0" } });
    const orr_missing m = { &all, &own }, none = { 0 };

    (void)state;
    assert_true(orr_is_missing(&m, -9999) && orr_is_missing(&m, 0) && orr_is_missing(&m, -0.0));
    assert_true(orr_is_missing(&m, 99.99) && orr_is_missing(&m, (double)99.99f));
    assert_false(orr_is_missing(&m, 99.990001) || orr_is_missing(&m, 9999));
    assert_true(orr_is_missing(&none, INFINITY) && orr_is_missing(&none, NAN));
    assert_false(orr_is_missing(&none, 1e300) || orr_is_missing(&none, -9999));
    assert_true(orr_is_missing_text(&m, "N/A", 3) && orr_is_missing_text(&m, "-9999.0", 7));
    assert_true(orr_is_missing_text(&none, "", 0) && orr_is_missing_text(&none, "-Inf", 4));
    assert_false(orr_is_missing_text(&m, "NA", 2) || orr_is_missing_text(&none, "N/A", 3));
    orr_classes_free(&all);
    orr_classes_free(&own);
}

/* 99.99 of a double column beside one that float32 cannot tell from it. */
static void test_near_is_not_missing(void **state)
{
    orr_classes all = list((orr_strings){ 1, { "2454833" } });
    const orr_missing m = { &all, NULL };

    (void)state;
    assert_true(orr_is_missing(&m, 2454833));
    assert_false(orr_is_missing(&m, 2454833.05));
    orr_classes_free(&all);
}

static void test_clean(void **state)
{
    orr_classes all = list((orr_strings){ 1, { "-1" } });
    orr_missing of[2] = { { &all, NULL }, { 0 } };
    double shift[2] = { 0, 100 }, v[4] = { -1, -1, 5, INFINITY };
    orr_value_rule r = { .policy = ORR_MISSING_KEEP, .of = of, .shift = shift, .n = 2 };
    int gaps = 0;

    (void)state;
    assert_int_equal(orr_values_clean(&r, v, 4, &gaps), 4);
    assert_int_equal(gaps, 2);
    assert_true(isnan(v[0]) && v[1] == -101 && v[2] == 5 && isnan(v[3]));
    r.policy = ORR_MISSING_REFUSE;
    memcpy(v, ((double[]){ 1, -1, -1, 3 }), sizeof v);
    assert_int_equal(orr_values_clean(&r, v, 4, &gaps), 2);
    orr_classes_free(&all);
}

static void test_store(void **state)
{
    const double v[3] = { 1, NAN, 1e300 }, b[2] = { 3, NAN };
    orr_value_rule r = { .policy = ORR_MISSING_KEEP, .n = 1 };
    float f[3];
    uint16_t h[3];
    uint8_t u[2];

    (void)state;
    assert_int_equal(orr_values_store(&r, f, ORR_X_F32, v, 3), 2);
    assert_true(f[0] == 1 && isnan(f[1]));
    assert_int_equal(orr_values_store(&r, h, ORR_X_F16, v, 3), 2);
    assert_int_equal(orr_values_store(&r, u, ORR_X_U8, b, 2), 1);
    r.policy = ORR_MISSING_DROP;
    assert_int_equal(orr_values_store(&r, u, ORR_X_U8, b, 2), 2);
    assert_int_equal(u[1], 0);
}

static void test_losses(void **state)
{
    const double v[4] = { 2454833.12, 1, 2454833.12 + 0.25, 0.1 };
    orr_value_rule r = { .n = 2 };
    orr_value_loss got[2];
    float out[4];

    (void)state;
    assert_int_equal(orr_value_losses_create(&r.losses, 2), ORR_OK);
    assert_int_equal(orr_values_store(&r, out, ORR_X_F32, v, 4), 4);
    orr_value_losses_get(r.losses, got);
    assert_true(got[0].value == 2454833.12 && fabs(got[0].error - 0.12) < 1e-6);
    assert_true(got[1].value == 0.1 && got[1].error == fabs(0.1 - (double)0.1f));
    orr_value_losses_destroy(r.losses);
}

static void test_zscore_leaves_nan_out(void **state)
{
    double v[4] = { 1, NAN, 3, 5 };

    (void)state;
    orr_values_zscore(v, 4);
    assert_true(isnan(v[1]) && v[2] == 0 && v[0] == -v[3]);
    assert_true(fabs(v[3] - 2 / sqrt(8.0 / 3)) < 1e-15);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_is_missing), cmocka_unit_test(test_near_is_not_missing),
        cmocka_unit_test(test_clean),      cmocka_unit_test(test_store),
        cmocka_unit_test(test_losses),     cmocka_unit_test(test_zscore_leaves_nan_out),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
