/* tests/data/test_table.c - the table itself: options, calls in the wrong order, ranges, labels
 * found in pieces. */
#include "reader_cases.h"

static void write_csv(void)
{
    char text[4000], *p = text;

    for (int i = 0; i < 100; i++)
        p += snprintf(p, (size_t)(text + sizeof text - p), "%s%d,%d,%d.5\n", i == 60 ? "star" : "",
                      i, i % 7, i);
    case_write("a.csv", text, (size_t)(p - text));
}

/* As several ranks do it: parts in any order, labels by ranges, merged by maximum. */
static void test_pieces(void **state)
{
    orr_table_opts o = { .files = { 1, { "a.csv" } }, .header = "no", .label = "2", .id = "1" };
    orr_scan parts[64];
    orr_table *t;
    int32_t max_label = -1;
    int max_id = 0, n;

    (void)state;
    write_csv();
    assert_int_equal(orr_table_open_parts(&t, &o, case_dir, 100), ORR_OK);
    n = orr_table_n_parts(t);
    assert_in_range(n, 8, 64);
    for (int i = n - 1; i >= 0; i--)
        assert_int_equal(orr_table_scan_part(t, i, &parts[i]), ORR_OK);
    assert_int_equal(orr_table_scan_end(t, parts), ORR_OK);
    assert_int_equal(orr_table_rows(t), 100);
    for (int64_t at = 0; at < 100; at += 33) {
        int32_t label;
        int id;

        assert_int_equal(orr_table_label_range(t, at, at + 33 > 100 ? 100 - at : 33, &label, &id),
                         ORR_OK);
        max_label = label > max_label ? label : max_label;
        max_id = id > max_id ? id : max_id;
    }
    assert_int_equal(max_label, 6);
    assert_int_equal(max_id, 6);
    assert_int_equal(orr_table_set_label_range(t, max_label, max_id), ORR_OK);
    assert_int_equal(orr_table_schema(t)->n_classes, 7);
    assert_int_equal(orr_table_schema(t)->id_type, ORR_ID_TEXT);
    orr_table_close(t);
}

/* Another rank scanned: there is no index here, and rows are found all the same. */
static void test_foreign_scan(void **state)
{
    orr_table_opts o = { .files = { 1, { "q.csv" } } };
    static char text[40000];
    char *p = text;
    orr_scan parts[512];
    orr_table *a, *b;
    float x[4], y[4];

    (void)state;
    for (int i = 0; i < 900; i++)
        p += snprintf(p, (size_t)(text + sizeof text - p), i % 5 ? "%d,1\n" : "\"%d\",\"\n1\n\"\n",
                      i);
    case_write("q.csv", text, (size_t)(p - text));
    o.features = "1";
    o.header = "no";
    assert_int_equal(orr_table_open_parts(&a, &o, case_dir, 61), ORR_OK);
    assert_int_equal(orr_table_open_parts(&b, &o, case_dir, 61), ORR_OK);
    for (int i = 0; i < orr_table_n_parts(a); i++)
        assert_int_equal(orr_table_scan_part(a, i, &parts[i]), ORR_OK);
    assert_int_equal(orr_table_scan_end(a, parts), ORR_OK);
    assert_int_equal(orr_table_scan_end(b, parts), ORR_OK);
    assert_int_equal(orr_table_rows(b), 900);
    for (int64_t at = 0; at + 4 <= 900; at++) {
        orr_rows ra = { .x = x }, rb = { .x = y };

        assert_int_equal(orr_table_read(a, at, 4, &ra, 1), ORR_OK);
        assert_int_equal(orr_table_read(b, at, 4, &rb, 2), ORR_OK);
        assert_memory_equal(x, y, sizeof x);
        assert_true(x[0] == (float)at && x[3] == (float)(at + 3));
    }
    orr_table_close(a);
    orr_table_close(b);
}

static void test_misuse(void **state)
{
    orr_table_opts o = {
        .files = { 1, { "a.csv" } }, .header = "no", .label = "2", .features = "3"
    };
    orr_rows rows = { 0 };
    orr_table *t;
    orr_scan scan;
    int32_t label;
    int id;

    (void)state;
    write_csv();
    assert_int_equal(orr_table_open(&t, &o, case_dir), ORR_OK);
    assert_int_equal(orr_table_n_parts(t), 1);
    assert_int_equal(orr_table_n_inputs(t), 1);
    assert_non_null(strstr(orr_table_input(t, 0), "a.csv"));
    assert_null(orr_table_input(t, 1));
    case_expect(orr_table_read(t, 0, 1, &rows, 1), ORR_ERR_ARG,
                "table: rows are asked for before the scan");
    case_expect(orr_table_label_range(t, 0, 1, &label, &id), ORR_ERR_ARG, "before the scan");
    case_expect(orr_table_scan_part(t, 1, &scan), ORR_ERR_ARG, "table: part 1 of 1");
    assert_int_equal(orr_table_scan(t), ORR_OK);
    case_expect(orr_table_read(t, 99, 2, &rows, 1), ORR_ERR_ARG, "table: rows 99 to 101 of 100");
    case_expect(orr_table_read(t, -1, 2, &rows, 1), ORR_ERR_ARG, "table: rows -1 to 1 of 100");
    case_expect(orr_table_read(t, 0, INT64_MAX, &rows, 1), ORR_ERR_ARG, "table: rows 0 to");
    assert_int_equal(orr_table_read(t, 100, 0, &rows, 1), ORR_OK);
    assert_int_equal(orr_table_read(t, 0, 100, &rows, 1), ORR_OK); /* nothing wanted */
    orr_table_close(t);
    orr_table_close(NULL);
}

static void test_option_table(void **state)
{
    orr_table_opts o;
    orr_config *c;

    (void)state;
    assert_int_equal(
        orr_config_parse(
            &c, "{files: [a.csv, b.csv], label: 1, classes: [1, 2.0], shape: [3, 4], nan: keep}",
            "t"),
        ORR_OK);
    if (orr_options_read(&o, orr_table_options, orr_config_root(c), "input") != ORR_OK)
        fail_msg("%s", orr_error_text());
    assert_int_equal(o.files.n, 2);
    assert_string_equal(o.label, "1");
    assert_string_equal(o.classes.v[1], "2.0");
    assert_string_equal(o.features, "rest");
    assert_true(o.shape.n == 2 && o.shape.v[1] == 4);
    assert_true(o.target.n == 0 && o.class_names.n == 0 && o.max_rows == 0);
    orr_config_destroy(c);
    assert_int_equal(orr_config_parse(&c, "{format: csv}", "t"), ORR_OK);
    case_expect(orr_options_read(&o, orr_table_options, orr_config_root(c), "input"),
                ORR_ERR_OPTION, "input.files is missing");
    orr_config_destroy(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_pieces),
                                        cmocka_unit_test(test_foreign_scan),
                                        cmocka_unit_test(test_misuse),
                                        cmocka_unit_test(test_option_table) };

    return cmocka_run_group_tests(tests, case_folder_make, case_folder_remove);
}
