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
    orr_table_opts o = {
        .files = { 1, { "a.csv" } }, .header = "no", .label = "2", .id = { 1, { "1" } }
    };
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

/* A table with a filter, from the text of its options. */
static orr_status read_filtered(case_rows *r, const char *options, size_t part_bytes, int64_t block,
                                int threads)
{
    orr_table_opts o;
    orr_config *c = NULL;
    orr_status st;

    memset(r, 0, sizeof *r);
    ORR_TRY_GOTO(st, done, orr_config_parse(&c, options, "job"));
    ORR_TRY_GOTO(st, done, orr_options_read(&o, orr_table_options, orr_config_root(c), "input"));
    st = case_read(r, &o, part_bytes, block, threads);
done:
    orr_config_destroy(c);
    return st;
}

/* Quoted fields with line ends and quotes, rows that pass and rows that do not, any cut. */
static void test_where_cuts(void **state)
{
    static char text[60000];
    char *p = text + snprintf(text, sizeof text, "note,x,kind,k\n");
    static const char *const notes[] = { "a", "\"two\nlines\"", "\"\"",
                                         "\"a \"\"q\"\",\nGALAXY\"" };
    static const char *const options = "{files: [w.csv], features: x, aux: k, where: {kind: "
                                       "[GALAXY, \"say \\\"x\\\"\"], k: [1, 2.0]}, "
                                       "id_start: 5}";
    int64_t kept[900];
    int n = 0;

    (void)state;
    for (int i = 0; i < 900; i++) {
        const char *kind = i % 3 == 0 ? "GALAXY" : i % 3 == 1 ? "\"say \"\"x\"\"\"" : "STAR";

        p += snprintf(p, (size_t)(text + sizeof text - p), "%s,%d,%s,%d\n%s", notes[i % 4], i, kind,
                      i % 5, i % 50 ? "" : "\n");
        if (i % 3 < 2 && (i % 5 == 1 || i % 5 == 2)) kept[n++] = i;
    }
    case_write("w.csv", text, (size_t)(p - text));
    for (size_t part = 7; part < 30000; part = part * 3 + 1)
        for (int64_t block = 1; block <= 343; block *= 7) {
            case_rows r;

            if (read_filtered(&r, options, part, block, 1 + (int)(part % 3)) != ORR_OK)
                fail_msg("%s", orr_error_text());
            assert_int_equal(r.n, n);
            assert_string_equal(r.schema.aux_names[0], "k");
            for (int i = 0; i < n; i++) {
                assert_true(((float *)r.x)[i] == (float)kept[i]);
                assert_true(r.aux[i] == (float)(kept[i] % 5));
                assert_int_equal(((int64_t *)r.id)[i], kept[i] + 5);
            }
            case_free(&r);
        }
}

/* Another rank scanned: rows that pass are found without an index. */
static void test_where_foreign(void **state)
{
    static char text[20000];
    char *p = text;
    orr_config *c;
    orr_table_opts o;
    orr_scan parts[512];
    orr_table *a, *b;

    (void)state;
    for (int i = 0; i < 900; i++)
        p += snprintf(p, (size_t)(text + sizeof text - p), "%d,%d\n", i, i % 37);
    case_write("f.csv", text, (size_t)(p - text));
    assert_int_equal(
        orr_config_parse(&c, "{files: [f.csv], header: no, features: '1', where: {2: 0}}", "job"),
        ORR_OK);
    assert_int_equal(orr_options_read(&o, orr_table_options, orr_config_root(c), ""), ORR_OK);
    assert_int_equal(orr_table_open_parts(&a, &o, case_dir, 61), ORR_OK);
    assert_int_equal(orr_table_open_parts(&b, &o, case_dir, 61), ORR_OK);
    orr_config_destroy(c); /* nothing of the options is kept */
    for (int i = 0; i < orr_table_n_parts(a); i++)
        assert_int_equal(orr_table_scan_part(a, i, &parts[i]), ORR_OK);
    assert_int_equal(orr_table_scan_end(a, parts), ORR_OK);
    assert_int_equal(orr_table_scan_end(b, parts), ORR_OK);
    assert_int_equal(orr_table_rows(b), 25);
    assert_int_equal(orr_table_file_rows(b), 900);
    for (int64_t at = 0; at < 25; at++) {
        float x[2];
        int64_t id[2];
        orr_rows ra = { .x = &x[0], .id = &id[0] }, rb = { .x = &x[1], .id = &id[1] };

        assert_int_equal(orr_table_read(a, at, 1, &ra, 1), ORR_OK);
        assert_int_equal(orr_table_read(b, at, 1, &rb, 2), ORR_OK);
        assert_true(x[0] == (float)(37 * at) && x[1] == x[0]);
        assert_true(id[0] == 37 * at && id[1] == id[0]);
        x[0] = -1; /* ids alone */
        assert_int_equal(orr_table_read(a, at, 1, &(orr_rows){ .id = &id[0] }, 1), ORR_OK);
        assert_true(id[0] == 37 * at && x[0] == -1);
    }
    orr_table_close(a);
    orr_table_close(b);
}

/* Records of an int64 and two floats, as npy. */
static void write_records(void)
{
    char data[128 + 10 * 16];
    int n;

    memset(data, ' ', sizeof data);
    memcpy(data, "\x93NUMPY\x01\x00\x76\x00", 10);
    n = snprintf(data + 10, 118,
                 "{'descr': [('id', '<i8'), ('v', '<f4', (2,))], 'fortran_order': "
                 "False, 'shape': (10,), }");
    data[10 + n] = ' ';
    data[127] = '\n';
    for (int64_t i = 0; i < 10; i++) {
        float v[2] = { (float)i, i == 7 ? (float)(0.0 / 0.0) : (float)-i };

        memcpy(data + 128 + 16 * i, &i, 8);
        memcpy(data + 128 + 16 * i + 8, v, 8);
    }
    case_write("r.npy", data, sizeof data);
}

static void test_named_faults(void **state)
{
    static const struct {
        const char *options;
        orr_status code;
        const char *text;
    } bad[] = {
        { "{files: [a.csv], header: no, where: {5: 1}}", ORR_ERR_OPTION,
          "where is column 5; there are" },
        { "{files: [a.csv], header: no, where: [1]}", ORR_ERR_OPTION,
          "job:1: input.where: where must be a map" },
        { "{files: [a.csv], header: no, where: {1: []}}", ORR_ERR_OPTION,
          "1 needs 1 to 64 values" },
        { "{files: [a.csv], header: no, where: {1: {a: b}}}", ORR_ERR_OPTION,
          "1 is no value or list" },
        { "{files: [a.csv], header: no, where: {1: }}", ORR_ERR_OPTION, "1 is no value or list" },
        { "{files: [a.csv], header: no, where: {1: [1, 1]}}", ORR_ERR_OPTION,
          "\"1\" stands twice" },
        { "{files: [a.csv], header: no, features: '3', where: {1: none}}", ORR_ERR_FORMAT,
          "@/a.csv: no row passes input.where" },
        { "{files: [a.csv], header: no, features: '3', aux: ['2', '2']}", ORR_ERR_OPTION,
          "@/a.csv: input.aux: column 2 stands twice" },
        { "{files: [a.csv], header: no, features: '3', id: '2', aux: '2'}", ORR_ERR_OPTION,
          "column 2 cannot be the id and an aux number" },
        { "{files: [a.csv], header: no, features: '3', aux: '9'}", ORR_ERR_OPTION,
          "aux is column 9; there are 1 to 3" },
        { "{files: [a.csv], header: no, features: '3', aux: '1'}", ORR_ERR_FORMAT,
          "@/a.csv:61: column 1: \"star60\" is not a number" },
        { "{files: [a.csv], header: no, features: '3', aux: '2', aux_names: [a, b]}",
          ORR_ERR_OPTION, "2 names for 1 aux numbers" },
        { "{files: [r.npy], features: v}", ORR_ERR_FORMAT,
          "@/r.npy: row 8: column v[1] is nan; fix the file, or set nan: drop or keep" },
        { "{files: [r.npy], features: 'v[0]', aux: v}", ORR_ERR_FORMAT,
          "@/r.npy: row 8: column v[1] is nan" },
        { "{files: [r.npy], features: 'v[0],v'}", ORR_ERR_OPTION,
          "@/r.npy: input.features: column 2 (v) stands twice" },
        { "{files: [r.npy], features: 'v[2]'}", ORR_ERR_OPTION,
          "features is v[2]; the values of v go from 0 to 1" },
        { "{files: [r.npy], features: 'w'}", ORR_ERR_OPTION,
          "@/r.npy: no column \"w\" for input.features" },
        { "{files: [r.npy], features: '1-3'}", ORR_ERR_OPTION,
          "features 1-3; there are columns 1 to 2" },
        { "{files: [r.npy], features: id, label: v}", ORR_ERR_OPTION,
          "label: column v holds 2 values a row; say which, such as v[0]" },
        { "{files: [r.npy], features: id, where: {v: 1}}", ORR_ERR_OPTION,
          "where: column v holds 2 values" },
        { "{files: [r.npy], features: id, where: {'v[0]': 77}}", ORR_ERR_FORMAT,
          "@/r.npy: no row passes input.where" },
        { "{files: [r.npy], features: id, aux_names: [a]}", ORR_ERR_OPTION,
          "the columns have names of their own" },
        { "{files: [r.npy], features: 'v[0]', label: id, classes: [0, 1]}", ORR_ERR_FORMAT,
          "@/r.npy: row 3: column id: \"2\" is not one of classes: [0, 1]" },
        { "{files: [r.npy], id: id, features: v, axes: cw}", ORR_ERR_OPTION, "input.axes" },
        { "{files: [a.csv], format: fits}", ORR_ERR_FORMAT,
          "@/a.csv: not a fits file: it does not begin as one" },
    };
    case_rows r;

    (void)state;
    write_csv();
    write_records();
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        case_expect(read_filtered(&r, bad[i].options, 1 << 20, 100, 2), bad[i].code, bad[i].text);
    assert_int_equal(
        read_filtered(&r, "{files: [r.npy], features: v, where: {id: [3, 9, 8]}, aux: 'v[0]'}", 1,
                      2, 2),
        ORR_OK);
    assert_int_equal(r.n, 3);
    assert_true(r.aux[2] == 9 && ((float *)r.x)[5] == -9 && ((int64_t *)r.id)[1] == 8);
    case_free(&r);
}

static void test_named_memory(void **state)
{
    static const char *const options[] = {
        "{files: [a.csv], header: no, features: '3', aux: '2', where: {2: [1, 2]}}",
        "{files: [r.npy], features: 'v[0],id', aux: 'v[0]', where: {id: [1, 2]}}",
    };

    (void)state;
    write_csv();
    write_records();
    for (int i = 0; i < 2; i++) {
        int failed = 0;

        for (int k = 1; k < 250; k++) {
            orr_status st;
            case_rows r;

            orr_alloc_fail_at(k);
            st = read_filtered(&r, options[i], 1 << 20, 100, 1);
            orr_alloc_fail_at(0);
            assert_true(st == ORR_OK || st == ORR_ERR_NOMEM);
            failed += st != ORR_OK;
            case_free(&r);
        }
        assert_in_range(failed, 15, 240);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pieces),       cmocka_unit_test(test_foreign_scan),
        cmocka_unit_test(test_misuse),       cmocka_unit_test(test_option_table),
        cmocka_unit_test(test_where_cuts),   cmocka_unit_test(test_where_foreign),
        cmocka_unit_test(test_named_faults), cmocka_unit_test(test_named_memory)
    };

    return cmocka_run_group_tests(tests, case_folder_make, case_folder_remove);
}
