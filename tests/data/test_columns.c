/* tests/data/test_columns.c - named columns of a csv: what is a value, every sentence, any batch;
 * memory that runs out.  FITS and npy: tests/data/columns.py. */
#include "reader_cases.h"

#include "data/formats/columns.h"
#include "data/formats/text_value.h"

#include <math.h>

static orr_status open_text(orr_columns **c, const char *text)
{
    char path[256];

    case_write("c.csv", text, strlen(text));
    case_path(path, sizeof path, "c.csv");
    return orr_columns_open(c, path, "");
}

/* Reads one column of a text; n is how many rows there were. */
static orr_status read_one(const char *text, const char *name, orr_value_type type, void *values,
                           int64_t *n)
{
    orr_columns *c = NULL;
    orr_column_request r = { .type = type, .values = values };
    int64_t first;
    orr_status st;

    *n = 0;
    ORR_TRY_GOTO(st, done, open_text(&c, text));
    ORR_TRY_GOTO(st, done, orr_columns_find(c, name, "test.column", &r.column));
    ORR_TRY_GOTO(st, done, orr_columns_next(c, &r, 1, 8, &first, n));
done:
    orr_columns_close(c);
    return st;
}

static void test_integers(void **state)
{
    static const struct {
        const char *text;
        int64_t value;
    } good[] = { { "1237645876861337601", 1237645876861337601 },
                 { "-9223372036854775808", INT64_MIN },
                 { "9223372036854775807", INT64_MAX },
                 { "+7", 7 },
                 { "007", 7 },
                 { " 94\t", 94 },
                 { "94.0", 94 },
                 { "94.", 94 },
                 { "-94.000", -94 },
                 { "\"12\"", 12 },
                 { "9007199254740991.0", 9007199254740991 } };
    static const char *const bad[][2] = {
        { "1.23764587686134E+18", "\"1.23764587686134E+18\" has an exponent: it was rounded when" },
        { "1e5", "has an exponent" },
        { "1.23764870457714E+018", "has an exponent" },
        { "", "\"\" is empty" },
        { "null", "\"null\" is null" },
        { "NaN", "\"NaN\" is null" },
        { "1.5", "\"1.5\" is not a whole number" },
        { "x", "\"x\" is not a whole number" },
        { "1x", "is not a whole number" },
        { "-", "is not a whole number" },
        { ".", "is not a whole number" },
        { "1 2", "is not a whole number" },
        { "9223372036854775808", "does not fit into 64 bits" },
        { "-9223372036854775809", "does not fit into 64 bits" },
        { "99999999999999999999999", "does not fit into 64 bits" },
        { "1237645876861337601.0", "is too long for a number with a point" },
        { "9007199254740992.0", "is too long for a number with a point" },
        { "inf", "is not a whole number" },
        { "0x10", "is not a whole number" },
    };
    char text[200];
    int64_t v[8], n;

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        snprintf(text, sizeof text, "id,x\n%s,1\n", good[i].text);
        if (read_one(text, "ID", ORR_VALUE_INT, v, &n) != ORR_OK) fail_msg("%s", orr_error_text());
        assert_true(n == 1 && v[0] == good[i].value);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        snprintf(text, sizeof text, "x,id\n1,5\n\n2,%s\n", bad[i][0]);
        case_expect(read_one(text, "id", ORR_VALUE_INT, v, &n), ORR_ERR_FORMAT,
                    "@/c.csv:4: column id: \"");
        if (!strstr(orr_error_text(), bad[i][1]))
            fail_msg("got \"%s\", expected \"%s\"", orr_error_text(), bad[i][1]);
    }
}

static void test_reals_and_texts(void **state)
{
    orr_column_text t[8];
    double v[8];
    int64_t n;

    (void)state;
    assert_int_equal(read_one("a;b\n1.5;\" x \"\n;nan\nNULL;null\n-1e3; y\ninf;\"a;\"\"b\"\n", "a",
                              ORR_VALUE_REAL, v, &n),
                     ORR_OK);
    assert_int_equal(n, 5);
    assert_true(v[0] == 1.5 && isnan(v[1]) && isnan(v[2]) && v[3] == -1000 && isinf(v[4]));
    assert_int_equal(read_one("a;b\n1.5;\" x \"\n;nan\nNULL;null\n-1e3; y\ninf;\"a;\"\"b\"\n", "b",
                              ORR_VALUE_TEXT, t, &n),
                     ORR_OK);
    assert_string_equal(t[0], "x");
    assert_string_equal(t[1], "");
    assert_string_equal(t[2], "");
    assert_string_equal(t[3], "y");
    assert_string_equal(t[4], "a;\"b");
    assert_int_equal(read_one("#made, by\n# a,b\n1,x\n2,\n", "a", ORR_VALUE_REAL, v, &n), ORR_OK);
    assert_true(n == 2 && v[0] == 1 && v[1] == 2); /* a header in a comment */
    case_expect(read_one("a,b\n1,5\" off\n", "a", ORR_VALUE_REAL, v, &n), ORR_ERR_FORMAT,
                "@/c.csv:2: column 2 (b): a quote within a field");
    case_expect(read_one("a,b\n1,2\nx,3\n", "a", ORR_VALUE_REAL, v, &n), ORR_ERR_FORMAT,
                "@/c.csv:3: column a: \"x\" is not a number");
    case_expect(read_one("a,b\n1,"
                         "12345678901234567890123456789012345678901234567890123456789012345\n",
                         "b", ORR_VALUE_TEXT, t, &n),
                ORR_ERR_FORMAT, "is longer than 64 bytes");
}

static void test_names(void **state)
{
    static const char text[] = "Ra,ra,DEC,objID\n1,2,3,4\n";
    orr_columns *c;
    int column;

    (void)state;
    assert_int_equal(open_text(&c, text), ORR_OK);
    assert_int_equal(orr_columns_n(c), 4);
    assert_string_equal(orr_columns_name(c, 3), "objID");
    assert_int_equal(orr_columns_find(c, "ra", "o", &column), ORR_OK);
    assert_int_equal(column, 1);
    assert_int_equal(orr_columns_find(c, "Ra", "o", &column), ORR_OK);
    assert_int_equal(column, 0);
    assert_int_equal(orr_columns_find(c, "dec", "o", &column), ORR_OK);
    assert_int_equal(column, 2);
    case_expect(orr_columns_find(c, "RA", "catalogue.ra", &column), ORR_ERR_FORMAT,
                "2 columns are called \"RA\" but for upper and lower case (catalogue.ra)");
    case_expect(orr_columns_find(c, "objidd", "catalogue.id", &column), ORR_ERR_FORMAT,
                "@/c.csv: no column \"objidd\" for catalogue.id; did you mean \"objID\"?");
    orr_columns_close(c);
    case_expect(open_text(&c, "1,2\n3,4\n"), ORR_ERR_FORMAT, "has no names of columns");
    assert_null(c);
    case_expect(open_text(&c, "# nothing\n\n"), ORR_ERR_FORMAT, "the file holds no table");
    case_expect(orr_columns_open(&c, "no/such/file", ""), ORR_ERR_IO, "no/such/file: No such");
    orr_columns_close(NULL);
}

static void test_bad_rows(void **state)
{
    static const char *const bad[][2] = {
        { "a,b\n1,2\n3\n", "@/c.csv:3: 1 fields, 2 expected" },
        { "a,b\n1,2,3\n", "@/c.csv:2: 3 fields, 2 expected" },
        { "a,b\n\"1\n\n", "@/c.csv:2: column 1 (a): a quoted field is not closed" },
        { "a,b\n1,\"2\"x\n",
          "@/c.csv:2: column 2 (b): a quoted field is followed by something else" },
    };
    int64_t v[8], n;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        case_expect(read_one(bad[i][0], "a", ORR_VALUE_INT, v, &n), ORR_ERR_FORMAT, bad[i][1]);
}

/* Any batch gives the same rows; two requests may share a column. */
static void test_batches(void **state)
{
    static char text[20000];
    char *p = text + snprintf(text, sizeof text, "#Table1\nid\tx\n");

    (void)state;
    for (int i = 0; i < 500; i++)
        p += snprintf(p, (size_t)(text + sizeof text - p),
                      i % 7 ? "%d\t%d.25\n" : "%d\t%d.25\r\n\n", i, -i);
    for (int64_t batch = 1; batch < 600; batch = batch * 3 + 1) {
        int64_t ids[600], first, n, at = 0;
        orr_column_text texts[600];
        double x[600];
        orr_column_request r[3] = { { .type = ORR_VALUE_INT, .values = ids },
                                    { .type = ORR_VALUE_TEXT, .values = texts },
                                    { .type = ORR_VALUE_REAL, .values = x } };
        orr_value_type type;
        orr_columns *c;

        assert_int_equal(open_text(&c, text), ORR_OK);
        assert_int_equal(orr_columns_find(c, "x", "o", &r[2].column), ORR_OK);
        assert_int_equal(orr_columns_type(c, 0, &type), ORR_OK);
        assert_int_equal(type, ORR_VALUE_INT);
        assert_int_equal(orr_columns_type(c, 1, &type), ORR_OK);
        assert_int_equal(type, ORR_VALUE_REAL);
        do {
            assert_int_equal(orr_columns_next(c, r, 3, batch, &first, &n), ORR_OK);
            assert_int_equal(first, at);
            for (int64_t i = 0; i < n; i++) {
                char id[24];

                snprintf(id, sizeof id, "%lld", (long long)(at + i));
                assert_true(ids[i] == at + i && x[i] == (double)-(at + i) + (at + i ? -.25 : .25));
                assert_string_equal(texts[i], id);
            }
            at += n;
        } while (n > 0);
        assert_int_equal(at, 500);
        orr_columns_close(c);
    }
}

static void test_memory(void **state)
{
    int64_t v[8], n;
    int failed = 0;

    (void)state;
    for (int k = 1; k < 20; k++) {
        orr_status st;

        orr_alloc_fail_at(k);
        st = read_one("a,b\n1,2\n", "b", ORR_VALUE_INT, v, &n);
        orr_alloc_fail_at(0);
        assert_true(st == ORR_OK || st == ORR_ERR_NOMEM);
        failed += st != ORR_OK;
    }
    assert_in_range(failed, 6, 12);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_integers), cmocka_unit_test(test_reals_and_texts),
        cmocka_unit_test(test_names),    cmocka_unit_test(test_bad_rows),
        cmocka_unit_test(test_batches),  cmocka_unit_test(test_memory),
    };

    return cmocka_run_group_tests(tests, case_folder_make, case_folder_remove);
}
