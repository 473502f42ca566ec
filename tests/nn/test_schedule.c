/* tests/nn/test_schedule.c - golden rates, ends, refusals, a copied state; every step against
 * PyTorch is in schedule.py. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "nn/schedule.h"

#include <math.h>
#include <string.h>

static orr_schedule_opts defaults(const char *kind)
{
    orr_schedule_opts o;

    assert_int_equal(orr_options_read(&o, orr_schedule_options, NULL, "schedule"), ORR_OK);
    assert_string_equal(o.kind, "constant");
    assert_true(o.pct == 0.3 && o.div == 25 && o.final_div == 1e4 && o.warmup == 0);
    assert_true(o.factor == 0.1 && o.threshold == 1e-4 && o.patience == 10 && o.lr_min == 0);
    o.kind = kind;
    return o;
}

static void test_onecycle_golden(void **state)
{
    (void)state;
    const struct {
        int64_t step;
        double lr, within;
    } golden[] = {
        { 0, 1.0e-4, 1e-15 },     { 500, 2.2515128e-4, 1e-11 },   { 749, 3.4973803e-4, 1e-11 },
        { 1499, 6.0e-4, 1e-15 },  { 1500, 5.99999992e-4, 1e-12 }, { 8249, 3.00005e-4, 1e-12 },
        { 14999, 1.0e-8, 1e-15 }, { 20000, 1.0e-8, 1e-15 },
    };
    orr_schedule_opts o = defaults("onecycle");
    orr_schedule s;

    o.div = 6;
    o.pct = 0.1;
    assert_int_equal(orr_schedule_init(&s, &o, 6e-4, 15000, 0), ORR_OK);
    for (size_t i = 0; i < sizeof golden / sizeof *golden; i++)
        assert_true(fabs(orr_schedule_lr(&s, golden[i].step) - golden[i].lr) < golden[i].within);
}

static void test_onecycle_of_few_steps_is_finite(void **state)
{
    (void)state;
    orr_schedule_opts o = defaults("onecycle");
    orr_schedule s;

    for (int steps = 1; steps < 12; steps++) {
        for (int p = 0; p <= 10; p++) {
            o.pct = p / 10.0;
            assert_int_equal(orr_schedule_init(&s, &o, 1, steps, 0), ORR_OK);
            for (int64_t t = 0; t < steps + 3; t++) {
                double lr = orr_schedule_lr(&s, t);
                assert_true(lr > 0 && lr <= 1);
            }
        }
    }
}

static void test_cosine(void **state)
{
    (void)state;
    orr_schedule_opts o = defaults("cosine");
    orr_schedule s;

    o.warmup = 3;
    o.lr_min = 0.1;
    assert_int_equal(orr_schedule_init(&s, &o, 1, 13, 0), ORR_OK);
    assert_true(orr_schedule_lr(&s, 0) == 0.25 && orr_schedule_lr(&s, 2) == 0.75 &&
                orr_schedule_lr(&s, 3) == 1);
    assert_true(fabs(orr_schedule_lr(&s, 8) - 0.55) < 1e-15);
    assert_true(orr_schedule_lr(&s, 12) > 0.1 && orr_schedule_lr(&s, 12) < 0.13);
    assert_true(orr_schedule_lr(&s, 99) == orr_schedule_lr(&s, 12));
}

static void test_constant_ignores_epochs(void **state)
{
    (void)state;
    orr_schedule_opts o = defaults("constant");
    orr_schedule s;

    assert_int_equal(orr_schedule_init(&s, &o, 0.5, 0, 0), ORR_OK);
    for (int e = 0; e < 50; e++)
        orr_schedule_epoch_end(&s, 1);
    assert_true(orr_schedule_lr(&s, 1000000) == 0.5 && s.state.bad_epochs == 0);
}

/* The state alone carries a plateau on. */
static void test_plateau_state(void **state)
{
    (void)state;
    orr_schedule_opts o = defaults("plateau");
    orr_schedule a, b;

    o.patience = 2;
    assert_int_equal(orr_schedule_init(&a, &o, 1, 0, 0), ORR_OK);
    assert_int_equal(orr_schedule_init(&b, &o, 1, 0, 0), ORR_OK);
    const double seen[] = { 5, 4, NAN, 4, 3.9999 };
    for (int i = 0; i < 4; i++)
        orr_schedule_epoch_end(&a, seen[i]);
    assert_true(orr_schedule_lr(&a, 0) == 1 && a.state.bad_epochs == 2 && a.state.best == 4 &&
                a.state.has_best);
    b.state = a.state;
    orr_schedule_epoch_end(&b, seen[4]); /* not better by 1e-4 of it */
    assert_true(orr_schedule_lr(&b, 0) == 0.1 && b.state.bad_epochs == 0);
    orr_schedule_epoch_end(&a, 3.99);
    assert_true(orr_schedule_lr(&a, 0) == 1 && a.state.best == 3.99);
}

static void test_refusals(void **state)
{
    (void)state;
    orr_schedule s;
    orr_schedule_opts o = defaults("onecicle");

    assert_int_equal(orr_schedule_init(&s, &o, 1, 10, 0), ORR_ERR_OPTION);
    o = defaults("onecycle");
    assert_int_equal(orr_schedule_init(&s, &o, 1, 0, 0), ORR_ERR_OPTION);
    assert_int_equal(orr_schedule_init(&s, &o, NAN, 10, 0), ORR_ERR_OPTION);
    assert_int_equal(orr_schedule_init(&s, &o, -1, 10, 0), ORR_ERR_OPTION);
    o.div = 0;
    assert_int_equal(orr_schedule_init(&s, &o, 1, 10, 0), ORR_ERR_OPTION);
    o = defaults("onecycle");
    o.pct = 1.5;
    assert_int_equal(orr_schedule_init(&s, &o, 1, 10, 0), ORR_ERR_OPTION);
    o = defaults("cosine");
    o.warmup = 10;
    assert_int_equal(orr_schedule_init(&s, &o, 1, 10, 0), ORR_ERR_OPTION);
    o.warmup = 0;
    o.lr_min = 2;
    assert_int_equal(orr_schedule_init(&s, &o, 1, 10, 0), ORR_ERR_OPTION);
    o = defaults("plateau");
    o.factor = 1;
    assert_int_equal(orr_schedule_init(&s, &o, 1, 10, 0), ORR_ERR_OPTION);
    o = defaults("plateau");
    o.patience = -1;
    assert_int_equal(orr_schedule_init(&s, &o, 1, 10, 0), ORR_ERR_OPTION);
    o = defaults("plateau");
    o.threshold = INFINITY;
    assert_int_equal(orr_schedule_init(&s, &o, 1, 10, 0), ORR_ERR_OPTION);
}

/* Every row can be asked for by its name, and moves a rate. */
static void test_every_row(void **state)
{
    const char *name;
    int n = 0;

    (void)state;
    for (; (name = orr_schedule_name(n)); n++) {
        orr_schedule_opts o;
        orr_schedule s;
        assert_int_equal(orr_options_read(&o, orr_schedule_options, NULL, "schedule"), ORR_OK);
        o.kind = name;
        assert_int_equal(orr_schedule_init(&s, &o, 0.5, 10, 1), ORR_OK);
        assert_string_equal(s.opts.kind, name);
        for (int64_t step = 0; step < 12; step++) {
            double lr = orr_schedule_lr(&s, step);
            assert_true(lr >= 0 && lr <= 0.5);
            orr_schedule_epoch_end(&s, 1);
        }
        assert_true(orr_schedule_lr(&s, 10) == orr_schedule_lr(&s, 9));
    }
    assert_int_equal(n, 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_onecycle_golden),
        cmocka_unit_test(test_every_row),
        cmocka_unit_test(test_onecycle_of_few_steps_is_finite),
        cmocka_unit_test(test_cosine),
        cmocka_unit_test(test_constant_ignores_epochs),
        cmocka_unit_test(test_plateau_state),
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
