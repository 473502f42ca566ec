/* tests/data/test_text_value.c - what texts mean: nothing, reals (ids: test_id.c; whole numbers:
 * test_columns.c). */
#include "data/formats/classes.h"
#include "data/formats/text_value.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void test_nothing(void **state)
{
    static const char *const nothing[] = { "", "nan", "NaN", "NULL", "null" };
    static const char *const something[] = { "0", "-nan", "nul", "nulls", "inf", "NA", "-" };
    double v;

    (void)state;
    for (size_t i = 0; i < sizeof nothing / sizeof *nothing; i++) {
        assert_true(orr_text_is_null(nothing[i], strlen(nothing[i])));
        assert_true(orr_text_real(nothing[i], strlen(nothing[i]), &v) && isnan(v));
    }
    for (size_t i = 0; i < sizeof something / sizeof *something; i++)
        assert_false(orr_text_is_null(something[i], strlen(something[i])));
    assert_true(orr_text_real("-1.5e3", 6, &v) && v == -1500);
    assert_false(orr_text_real("NA", 2, &v));
}

static void test_classes(void **state)
{
    const orr_strings values = { 4, { "2", "STAR", "1.50", "null" } };
    const orr_strings twice = { 2, { "", "NaN" } };
    orr_classes c;

    (void)state;
    assert_int_equal(orr_classes_init(&c, &values, "input.classes"), ORR_OK);
    assert_int_equal(orr_classes_label(&c, "2.0", 3), 0);
    assert_int_equal(orr_classes_label_number(&c, 2), 0);
    assert_int_equal(orr_classes_label(&c, "STAR", 4), 1);
    assert_int_equal(orr_classes_label(&c, "star", 4), -1);
    assert_int_equal(orr_classes_label(&c, "1.5", 3), 2);
    assert_int_equal(orr_classes_label(&c, "", 0), 3);
    assert_int_equal(orr_classes_label(&c, "nan", 3), 3);
    assert_int_equal(orr_classes_label_number(&c, NAN), -1);
    orr_classes_free(&c);
    assert_int_equal(orr_classes_init(&c, &twice, "input.classes"), ORR_ERR_OPTION);
    c = (orr_classes){ 0 };
    assert_int_equal(orr_classes_label(&c, "17", 2), 17);
    assert_int_equal(orr_classes_label(&c, "nan", 3), -1);
    assert_int_equal(orr_classes_label_number(&c, 1.5), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_nothing),
                                        cmocka_unit_test(test_classes) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
