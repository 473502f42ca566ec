/* tests/stats/test_metrics.c - classification counts, their means, and what is undefined. */
#include "stats/metrics.h"

#include "stats/check.h"

#include <float.h>
#include <math.h>

static orr_classification *of(const int32_t *y, const double *p, int64_t n, int k, double threshold)
{
    orr_classification *m = NULL;

    assert_int_equal(orr_classification_create(&m, y, p, n, k, threshold), ORR_OK);
    assert_non_null(m);
    return m;
}

static void test_binary(void **state)
{
    static const int32_t y[] = { 0, 0, 0, 1, 1 };
    static const double p[] = { 0.9, 0.1, 0.5, 0.5, 0.3, 0.7, 0.6, 0.4, 0.2, 0.8 };
    static const int64_t confusion[] = { 2, 1, 1, 1 };
    orr_classification *m = of(y, p, 5, 2, 0.5); /* the row at 0.5 stays 0 */

    (void)state;
    assert_memory_equal(m->confusion, confusion, sizeof confusion);
    assert_number(m->accuracy, 0.6);
    assert_number(m->baseline_accuracy, 0.6);
    assert_number(m->balanced_accuracy, (2.0 / 3 + 0.5) / 2);
    assert_number(m->classes[1].precision, 0.5);
    assert_number(m->classes[1].recall, 0.5);
    assert_number(m->classes[1].f1, 0.5);
    assert_int_equal(m->classes[0].support, 3);
    assert_int_equal(m->classes[0].predicted, 3);
    assert_int_equal(m->classes[0].correct, 2);
    assert_number(m->auc, 4.0 / 6);
    assert_number(m->classes[0].auc, m->auc);
    assert_near(m->average_precision, 0.5 * 1 + 0.5 * 0.5);
    assert_near(m->log_loss, -(log(0.9) + log(0.5) + log(0.3) + log(0.4) + log(0.8)) / 5);
    orr_classification_destroy(m);
}

static void test_threshold(void **state)
{
    static const int32_t y[] = { 0, 1 };
    static const double p[] = { 0.75, 0.25, 0.7, 0.3 };
    orr_classification *m = of(y, p, 2, 2, 0.25);

    (void)state;
    assert_number(m->accuracy, 1);
    orr_classification_destroy(m);
}

static void test_ties_name_the_first(void **state)
{
    static const int32_t y[] = { 2, 1, 0 };
    static const double p[] = { 0.2, 0.4, 0.4, 0.1, 0.45, 0.45, 1.0 / 3, 1.0 / 3, 1.0 / 3 };
    static const int64_t confusion[] = { 1, 0, 0, 0, 1, 0, 0, 1, 0 };
    orr_classification *m = of(y, p, 3, 3, 0.5);

    (void)state;
    assert_memory_equal(m->confusion, confusion, sizeof confusion);
    assert_number(m->classes[2].precision, 0); /* never named: 0, as zero_division=0 */
    assert_number(m->classes[2].f1, 0);
    assert_number(m->macro_f1, (1 + 2.0 / 3) / 3);
    orr_classification_destroy(m);
}

static void test_missing_class(void **state)
{
    static const int32_t y[] = { 0, 1, 0 };
    static const double p[] = { 0.8, 0.1, 0.1, 0, 0.1, 0.3, 0.6, 0, 0.7, 0.2, 0.1, 0 };
    orr_classification *m = of(y, p, 3, 4, 0.5); /* 2 is named but absent; 3 is neither */

    (void)state;
    assert_number(m->balanced_accuracy, 0.5);
    assert_number(m->macro_f1, 1.0 / 3);
    assert_number(m->classes[2].auc, NAN);
    assert_number(m->auc, NAN);
    assert_number(m->average_precision, NAN);
    assert_number(m->classes[0].auc, 1);
    orr_classification_destroy(m);
}

static void test_single_class_and_empty(void **state)
{
    static const int32_t y[] = { 0, 0 };
    static const double p[] = { 1, 0, 0, 1 };
    orr_classification *m = of(y, p, 2, 2, 0.5);

    (void)state;
    assert_number(m->auc, NAN);
    assert_number(m->average_precision, NAN);
    assert_number(m->baseline_accuracy, 1);
    assert_number(m->accuracy, 0.5);
    assert_near(m->log_loss, -(log(1 - DBL_EPSILON) + log(DBL_EPSILON)) / 2);
    orr_classification_destroy(m);

    m = of(NULL, NULL, 0, 3, 0.5);
    assert_int_equal(m->n, 0);
    assert_number(m->accuracy, NAN);
    assert_number(m->balanced_accuracy, NAN);
    assert_number(m->log_loss, NAN);
    assert_number(m->auc, NAN);
    assert_number(m->macro_f1, NAN);
    assert_number(m->classes[1].precision, 0);
    orr_classification_destroy(m);
}

static void test_bad_input(void **state)
{
    static const int32_t y[] = { 0, 1, 2 }, negative[] = { -1 };
    static const double p[] = { 0.5, 0.5, 0.5, NAN, 0.5, 0.5 };
    orr_classification *m = (orr_classification *)1;

    (void)state;
    assert_fails(orr_classification_create(&m, y, p, 2, 2, 0.5), ORR_ERR_NUMERIC, "row 1, class 1");
    assert_null(m);
    assert_fails(orr_classification_create(&m, y + 2, p, 1, 2, 0.5), ORR_ERR_ARG, "row 0 is 2");
    assert_fails(orr_classification_create(&m, negative, p, 1, 2, 0.5), ORR_ERR_ARG, "is -1");
    assert_fails(orr_classification_create(&m, y, p, 1, 1, 0.5), ORR_ERR_ARG, "1 classes");
    assert_fails(orr_classification_create(&m, y, p, -1, 2, 0.5), ORR_ERR_ARG, "-1 rows");
    assert_fails(orr_classification_create(&m, y, p, 1, 2, NAN), ORR_ERR_ARG, "threshold");
    orr_classification_destroy(NULL);
}

static void test_no_memory(void **state)
{
    static const int32_t y[] = { 0, 1 };
    static const double p[] = { 0.5, 0.5, 0.5, 0.5 };
    orr_classification *m = NULL;
    int failures = 0;

    (void)state;
    while (orr_alloc_fail_at(failures + 1),
           orr_classification_create(&m, y, p, 2, 2, 0.5) != ORR_OK) {
        assert_non_null(strstr(orr_error_text(), "memory"));
        assert_null(m);
        failures++;
    }
    orr_alloc_fail_at(0);
    assert_int_equal(failures, 4);
    orr_classification_destroy(m);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_binary),
        cmocka_unit_test(test_threshold),
        cmocka_unit_test(test_ties_name_the_first),
        cmocka_unit_test(test_missing_class),
        cmocka_unit_test(test_single_class_and_empty),
        cmocka_unit_test(test_bad_input),
        cmocka_unit_test(test_no_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
