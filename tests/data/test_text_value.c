/* tests/data/test_text_value.c - what texts mean: nothing, reals, ids (whole numbers: columns). */
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

static void test_ids(void **state)
{
    static const struct {
        const char *text;
        int64_t value;
    } integers[] = { { "0", 0 },
                     { "-1", -1 },
                     { "1237645876861337601", 1237645876861337601 },
                     { "9223372036854775807", INT64_MAX },
                     { "-9223372036854775808", INT64_MIN } };
    static const char *const texts[] = {
        "007", "+7",  "-0",       "J12",      "9223372036854775808",
        "1.0", "1e5", "12e34567", "123e4567", "1.5E+3"
    };
    int64_t v;

    (void)state;
    for (size_t i = 0; i < sizeof integers / sizeof *integers; i++) {
        assert_true(orr_id_integer(integers[i].text, strlen(integers[i].text), &v));
        assert_true(v == integers[i].value);
        assert_null(orr_id_fault(integers[i].text, strlen(integers[i].text)));
    }
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        const char *why = orr_id_fault(texts[i], strlen(texts[i]));

        if (why) fail_msg("%s %s", texts[i], why);
        assert_false(orr_id_integer(texts[i], strlen(texts[i]), &v));
    }
}

static void test_no_ids(void **state)
{
    static const char *const rounded[] = { "1.23764587686134E+18", "1e+18", "-1.2E18",
                                           "1.23764870457714E+018", "9.007199254740992e15" };
    static const char long_one[] =
        "12345678901234567890123456789012345678901234567890123456789012345";

    (void)state;
    for (size_t i = 0; i < sizeof rounded / sizeof *rounded; i++) {
        const char *why = orr_id_fault(rounded[i], strlen(rounded[i]));

        if (!why || !strstr(why, "has an exponent")) fail_msg("%s is an id", rounded[i]);
    }
    assert_string_equal(orr_id_fault("", 0), "is empty");
    assert_string_equal(orr_id_fault("NULL", 4), "is null");
    assert_string_equal(orr_id_fault("a\0b", 3), "has a zero byte in it");
    assert_null(orr_id_fault(long_one, 64));
    assert_string_equal(orr_id_fault(long_one, 65), "is longer than 64 bytes");
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
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_nothing), cmocka_unit_test(test_ids),
                                        cmocka_unit_test(test_no_ids),
                                        cmocka_unit_test(test_classes) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
