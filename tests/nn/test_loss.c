/* tests/nn/test_loss.c - shapes and options refused, extreme logits, sums over leaves; values
 * against PyTorch are in loss.py. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "nn/loss.h"

#include <math.h>
#include <string.h>

static const orr_shape one = { 1, 1, 1 }, three = { 1, 1, 3 }, image = { 2, 1, 3 };

static void test_shapes(void **state)
{
    (void)state;
    orr_loss l;

    assert_int_equal(orr_loss_init(&l, "bce", one, 2, 0, 3), ORR_OK);
    assert_true(l.kind == ORR_LOSS_BCE && l.outputs == 1 && l.pos_weight == 3);
    assert_int_equal(orr_loss_init(&l, "ce", three, 3, 0, 1), ORR_OK);
    assert_true(l.kind == ORR_LOSS_CE && l.outputs == 3);
    assert_int_equal(orr_loss_init(&l, "mse", three, 0, 3, 1), ORR_OK);
    assert_true(l.kind == ORR_LOSS_MSE && l.outputs == 3);

    assert_int_equal(orr_loss_init(&l, "bce", three, 2, 0, 1), ORR_ERR_SHAPE);
    assert_non_null(strstr(orr_error_text(), "1 x 1 x 3"));
    assert_int_equal(orr_loss_init(&l, "bce", one, 3, 0, 1), ORR_ERR_SHAPE);
    assert_int_equal(orr_loss_init(&l, "bce", one, 0, 1, 1), ORR_ERR_SHAPE);
    assert_int_equal(orr_loss_init(&l, "ce", three, 4, 0, 1), ORR_ERR_SHAPE);
    assert_int_equal(orr_loss_init(&l, "ce", image, 3, 0, 1), ORR_ERR_SHAPE);
    assert_int_equal(orr_loss_init(&l, "ce", one, 1, 0, 1), ORR_ERR_SHAPE);
    assert_int_equal(orr_loss_init(&l, "mse", three, 0, 1, 1), ORR_ERR_SHAPE); /* would broadcast */
    assert_int_equal(orr_loss_init(&l, "mse", one, 0, 3, 1), ORR_ERR_SHAPE);
    assert_int_equal(orr_loss_init(&l, "mse", one, 2, 1, 1), ORR_ERR_SHAPE);
    assert_int_equal(orr_loss_init(&l, "mse", one, 0, 0, 1), ORR_ERR_SHAPE);
}

static void test_options(void **state)
{
    (void)state;
    orr_loss l;
    const double bad[] = { 0, -1, NAN, INFINITY };

    assert_int_equal(orr_loss_init(&l, "msee", one, 0, 1, 1), ORR_ERR_OPTION);
    assert_non_null(strstr(orr_error_text(), "\"mse\""));
    assert_int_equal(orr_loss_init(&l, "ce", three, 3, 0, 2), ORR_ERR_OPTION);
    for (int i = 0; i < 4; i++)
        assert_int_equal(orr_loss_init(&l, "bce", one, 2, 0, bad[i]), ORR_ERR_OPTION);
}

static const int leaf[4] = { 0, 2, 2, 3 };
static const orr_batch batch = { .n = 3, .n_leaves = 3, .leaf = leaf, .n_global = 10 };

static void test_extreme_logits(void **state)
{
    (void)state;
    const orr_loss bce = { ORR_LOSS_BCE, 1, 2 };
    const orr_real x[3] = { (orr_real)1e4, (orr_real)-1e4, 0 };
    const int32_t labels[3] = { 0, 1, 1 };
    double sums[3], each[3], p[3];
    orr_real dx[3];

    orr_loss_eval(&bce, &batch, x, labels, NULL, sums, each, dx);
    assert_true(each[0] == 1e4 && each[1] == 2e4 && fabs(each[2] - 2 * log(2)) < 1e-15);
    assert_true(sums[0] == 3e4 && sums[1] == 0 && sums[2] == each[2]);
    assert_true(dx[0] == (orr_real)0.1 && dx[1] == (orr_real)-0.2 && dx[2] == (orr_real)-0.1);
    orr_loss_link(&bce, 3, x, p);
    assert_true(p[0] == 1 && p[1] == 0 && p[2] == 0.5);

    const orr_loss ce = { ORR_LOSS_CE, 3, 1 };
    const orr_real logits[9] = { (orr_real)1e4, 0, (orr_real)-1e4, 1, 1, 1, 0, (orr_real)1e4, 0 };
    const int32_t classes[3] = { 2, 0, 1 };
    orr_real grad[9];
    double share[9];
    orr_loss_eval(&ce, &batch, logits, classes, NULL, sums, each, grad);
    assert_true(each[0] == 2e4 && fabs(each[1] - log(3)) < 1e-15 && each[2] == 0);
    assert_true(grad[0] == (orr_real)0.1 && grad[1] == 0 && grad[2] == (orr_real)-0.1 &&
                grad[7] == 0);
    orr_loss_link(&ce, 3, logits, share);
    assert_true(share[0] == 1 && share[2] == 0 && fabs(share[4] - 1.0 / 3) < 1e-15);
}

static void test_bad_labels_and_nan_show(void **state)
{
    (void)state;
    const orr_loss bce = { ORR_LOSS_BCE, 1, 1 }, ce = { ORR_LOSS_CE, 1, 1 };
    const orr_real x[3] = { 0, (orr_real)NAN, 0 };
    const int32_t labels[3] = { 2, 0, 1 }, classes[3] = { -1, 0, 0 };
    double sums[3];
    orr_real dx[3];

    orr_loss_eval(&bce, &batch, x, labels, NULL, sums, NULL, dx);
    assert_true(isnan(sums[0]) && isnan(dx[0]) && isnan(dx[1]) && isfinite(sums[2]) &&
                isfinite(dx[2]));
    orr_loss_eval(&ce, &batch, x, classes, NULL, sums, NULL, dx);
    assert_true(isnan(sums[0]) && isnan(dx[0]) && isnan(dx[1]) && sums[2] == 0);
}

static void test_mean_squares(void **state)
{
    (void)state;
    const orr_loss mse = { ORR_LOSS_MSE, 2, 1 };
    const orr_real x[6] = { 1, 2, 3, 4, 5, 6 };
    const float y[6] = { 0, 2, 3, 6, 5, 6 };
    double sums[3], p[6];
    orr_real dx[6];

    orr_loss_eval(&mse, &batch, x, NULL, y, sums, NULL, dx);
    assert_true(sums[0] == 0.5 + 2 && sums[1] == 0 && sums[2] == 0);
    assert_true(dx[0] == (orr_real)0.1 && dx[3] == (orr_real)-0.2 && dx[5] == 0);
    orr_loss_eval(&mse, &batch, x, NULL, y, sums, NULL, NULL);
    assert_true(sums[0] == 2.5);
    orr_loss_link(&mse, 3, x, p);
    assert_true(p[4] == 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shapes),         cmocka_unit_test(test_options),
        cmocka_unit_test(test_extreme_logits), cmocka_unit_test(test_bad_labels_and_nan_show),
        cmocka_unit_test(test_mean_squares),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
