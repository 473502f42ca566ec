/* tests/core/test_text_table.c - widths, sides, cut titles, long cells, no blanks at a line's end.
 */
#include "core/text_table.h"

#include "core/core_test.h"

static void rows_line_up(void **state)
{
    orr_text out = ORR_TEXT_INIT;
    orr_text_table t = { .out = &out, .gap = 1 };

    (void)state;
    orr_text_table_column(&t, "a long title", 6, ORR_LEFT);
    orr_text_table_column(&t, "n", 4, ORR_RIGHT);
    orr_text_table_column(&t, "what", 6, ORR_LEFT);
    orr_text_table_head(&t);
    orr_text_table_cell(&t, "%s", "x");
    orr_text_table_cell(&t, "%d", 12);
    orr_text_table_cell(&t, "%s", "");
    orr_text_table_end_row(&t);
    orr_text_table_cell(&t, "%s", "too long it is");
    orr_text_table_cell(&t, "%.1f", 0.5);
    orr_text_table_end_row(&t);
    assert_string_equal(out.s, "  a long    n what\n"
                               "  x        12\n"
                               "  too long it is  0.5\n");
    orr_text_free(&out);
}

static void what_does_not_fit_is_left_out(void **state)
{
    orr_text out = ORR_TEXT_INIT;
    orr_text_table t = { .out = &out, .gap = 2 };

    (void)state;
    for (int i = 0; i < ORR_TABLE_COLUMNS + 3; i++)
        orr_text_table_column(&t, "c", 1, ORR_LEFT);
    assert_int_equal(t.n, ORR_TABLE_COLUMNS);
    for (int i = 0; i < ORR_TABLE_COLUMNS + 3; i++)
        orr_text_table_cell(&t, "x");
    orr_text_table_end_row(&t);
    assert_int_equal(out.len, 2 + 3 * ORR_TABLE_COLUMNS - 2 + 1);
    orr_text_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_line_up),
        cmocka_unit_test(what_does_not_fit_is_left_out),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
