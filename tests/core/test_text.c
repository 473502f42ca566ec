/* tests/core/test_text.c - growing, the bound, failures that stick; CSV fields. */
#include "core/core_test.h"
#include "core/memory.h"
#include "core/text.h"

static void grows(void **state)
{
    orr_text t = ORR_TEXT_INIT;

    (void)state;
    for (int i = 0; i < 1000; i++)
        orr_text_printf(&t, "%d,", i % 10);
    orr_text_add(&t, "end");
    orr_text_addn(&t, "!?", 1);
    assert_ok(orr_text_status(&t));
    assert_int_equal(t.len, 2004);
    assert_int_equal(strlen(t.s), 2004);
    assert_memory_equal(t.s + 1990, "5,6,7,8,9,end!", 15);
    orr_text_free(&t);
    assert_null(t.s);
    orr_text_add(&t, "again");
    assert_string_equal(t.s, "again");
    orr_text_free(&t);
}

static void empty_is_a_string(void **state)
{
    orr_text t = ORR_TEXT_INIT;

    (void)state;
    orr_text_add(&t, "");
    assert_string_equal(t.s, "");
    orr_text_free(&t);
}

static void bound_is_exact_and_sticks(void **state)
{
    orr_text t = { .max = 10 };

    (void)state;
    orr_text_add(&t, "123456789"); /* nine and the end */
    assert_ok(orr_text_status(&t));
    orr_text_add(&t, "0");
    assert_failure(orr_text_status(&t), ORR_ERR_NOMEM, "text of more than 10 bytes");
    assert_string_equal(t.s, "123456789");
    orr_text_free(&t);
    assert_int_equal(t.max, 10);
    t.max = 300;
    for (int i = 0; i < 400; i++)
        orr_text_add(&t, "x");
    assert_int_equal(orr_text_status(&t), ORR_ERR_NOMEM);
    assert_int_equal(t.len, 299);
    orr_text_printf(&t, "y");
    assert_int_equal(t.len, 299);
    orr_text_free(&t);
    orr_text_addn(&t, "x", SIZE_MAX); /* a length that overflows */
    assert_int_equal(orr_text_status(&t), ORR_ERR_NOMEM);
    orr_text_free(&t);
}

static void no_memory_sticks(void **state)
{
    orr_text t = ORR_TEXT_INIT;

    (void)state;
    orr_alloc_fail_at(2);
    orr_text_add(&t, "first");
    for (int i = 0; i < 300; i++)
        orr_text_add(&t, "x"); /* the second allocation */
    orr_alloc_fail_at(0);
    assert_failure(orr_text_status(&t), ORR_ERR_NOMEM, "out of memory: 512 bytes of text");
    assert_memory_equal(t.s, "firstxxx", 8);
    orr_text_free(&t);
}

static const struct {
    const char *field, *csv;
} fields[] = {
    { "", "" },
    { "plain", "plain" },
    { " blanks; and 'marks' ", " blanks; and 'marks' " },
    { "a,b", "\"a,b\"" },
    { ",", "\",\"" },
    { "\"", "\"\"\"\"" },
    { "say \"x\"", "\"say \"\"x\"\"\"" },
    { "\"\"", "\"\"\"\"\"\"" },
    { "two\nlines", "\"two\nlines\"" },
    { "\r", "\"\r\"" },
    { "\"a\",\"b\"\n", "\"\"\"a\"\",\"\"b\"\"\n\"" },
};

static void csv_fields(void **state)
{
    orr_text t = ORR_TEXT_INIT;

    (void)state;
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        char *written = NULL;
        size_t n;
        FILE *f = open_memstream(&written, &n);

        orr_text_csv(&t, fields[i].field);
        assert_ok(orr_text_status(&t));
        assert_string_equal(t.s, fields[i].csv);
        orr_text_free(&t);
        assert_non_null(f);
        orr_csv_put(f, fields[i].field);
        assert_int_equal(fclose(f), 0);
        assert_string_equal(written, fields[i].csv);
        free(written);
    }
    t.max = 8;
    orr_text_csv(&t, "a,b,c,d");
    assert_int_equal(orr_text_status(&t), ORR_ERR_NOMEM);
    orr_text_free(&t);
}

static void csv_on_a_full_disk(void **state)
{
    FILE *f = fopen("/dev/full", "w");

    (void)state;
    assert_non_null(f);
    setvbuf(f, NULL, _IONBF, 0);
    orr_csv_put(f, "a,b");
    assert_true(ferror(f));
    fclose(f);
}

static void wraps(void **state)
{
    orr_text t = ORR_TEXT_INIT;

    (void)state;
    assert_int_equal(orr_text_wrap(&t, "one two  three\n  four\n\nfive", 0, 2, 9), 6);
    assert_string_equal(t.s, "one two\n  three\n    four\n\n  five");
    orr_text_free(&t);
    orr_text_add(&t, "key: ");
    orr_text_wrap(&t, "fits it ten_letters_long x", 5, 5, 12);
    assert_string_equal(t.s, "key: fits it\n     ten_letters_long\n     x");
    orr_text_free(&t);
    orr_text_wrap(&t, "a|bb|ccc|dddd end", 0, 0, 6);
    assert_string_equal(t.s, "a|bb|\nccc|\ndddd\nend");
    orr_text_free(&t);
    orr_text_wrap(&t, "exactly so", 0, 0, 10);
    assert_string_equal(t.s, "exactly so");
    orr_text_free(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(grows),
        cmocka_unit_test(empty_is_a_string),
        cmocka_unit_test(bound_is_exact_and_sticks),
        cmocka_unit_test(no_memory_sticks),
        cmocka_unit_test(wraps),
        cmocka_unit_test(csv_fields),
        cmocka_unit_test(csv_on_a_full_disk),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
