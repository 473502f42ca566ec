/* tests/data/test_csv.c - csv: good and bad inputs, every sentence, any cut into parts, blocks and
 * threads. */
#include "reader_cases.h"

#include <math.h>

static orr_table_opts csv(const char *text, const char *label, const char *features)
{
    orr_table_opts o = { .label = label, .features = features };

    case_write("a.csv", text, strlen(text));
    o.files = (orr_strings){ .n = 1, .v = { "a.csv" } };
    return o;
}

typedef struct {
    const char *text, *label, *features;
    int rows, columns;
    float x[12];
    int32_t y[6];
} good;

static const good goods[] = {
    { "1,2\n3,4\n", "", "rest", 2, 2, { 1, 2, 3, 4 }, { 0 } },
    { "1,2\n3,4", "", "rest", 2, 2, { 1, 2, 3, 4 }, { 0 } }, /* no newline at the end */
    { "a,b\r\n1,2\r\n3,4\r\n", "", "rest", 2, 2, { 1, 2, 3, 4 }, { 0 } }, /* CRLF, header */
    { "a,b\r\n1,2\r\n3,4", "", "rest", 2, 2, { 1, 2, 3, 4 }, { 0 } },
    { "\xef\xbb\xbf"
      "a,b\n1,2\n",
      "a",
      "rest",
      1,
      1,
      { 2 },
      { 1 } }, /* BOM */
    { "\xef\xbb\xbf"
      "1,2\n",
      "",
      "rest",
      1,
      2,
      { 1, 2 },
      { 0 } },
    { "1,2\n\n3,4\n\r\n\n\n", "", "rest", 2, 2, { 1, 2, 3, 4 }, { 0 } }, /* empty lines */
    { "\n\n1,2\n", "", "rest", 1, 2, { 1, 2 }, { 0 } },
    { "\"a\",\"b,c\",\"d\"\"e\"\n\"1\",2,\"3\"\n", "a", "rest", 1, 2, { 2, 3 }, { 1 } },
    { "n,t,v\n0,\"two\nlines, \"\"x\"\"\n\n\",5\n1,\"\n\",6\n",
      "n",
      "v",
      2,
      1,
      { 5, 6 },
      { 0, 1 } },
    { "l,a,b,c\n2,1,2,3\n0,4,5,6\n", "l", "b-nothing,a", -1, 0, { 0 }, { 0 } },
    { "l,a,b,c\n2,1,2,3\n0,4,5,6\n", "l", "4,2", 2, 2, { 3, 1, 6, 4 }, { 2, 0 } }, /* order of the
                                                                                      list */
    { "l,a,b,c\n2,1,2,3\n0,4,5,6\n", "1", "3-", 2, 2, { 2, 3, 5, 6 }, { 2, 0 } },
    { "l,a,b,c\n2,1,2,3\n0,4,5,6\n", "1", "2-3", 2, 2, { 1, 2, 4, 5 }, { 2, 0 } },
    { "l,a,b,c\n2,1,2,3\n0,4,5,6\n", "l", "c, a", 2, 2, { 3, 1, 6, 4 }, { 2, 0 } },
    { "x,y,l\n1,2,0\n3,4,1\n", "l", "rest", 2, 2, { 1, 2, 3, 4 }, { 0, 1 } }, /* label last */
    { " 1 , 2\n\t3,+4 \n", "", "rest", 2, 2, { 1, 2, 3, 4 }, { 0 } }, /* blanks, plus sign */
    { "1e1,-3e-05\n.5,5.\n", "", "rest", 2, 2, { 10, -3e-05f, .5f, 5 }, { 0 } },
    { "0.1000000000000000055511151231257827,123456789012345678901234567890\n",
      "",
      "rest",
      1,
      2,
      { 0.1f, 1.2345679e29f },
      { 0 } },
    { "-0,1e-320\n1e-46,0x\n", "", "1", 2, 1, { -0.f, 0 }, { 0 } },
    { "5\n6\n", "", "rest", 2, 1, { 5, 6 }, { 0 } }, /* one column */
    { "l,x\n1.0,7\n+0,8\n", "l", "x", 2, 1, { 7, 8 }, { 1, 0 } },
    /* comments before the table, and a header in one */
    { "# a, \"quote\n\n#x\na,b\n1,2\n", "", "rest", 1, 2, { 1, 2 }, { 0 } },
    { "#made by hand\n1,2\n3,4\n", "", "rest", 2, 2, { 1, 2, 3, 4 }, { 0 } },
    { "# l,x\n1,7\n0,8\n", "l", "x", 2, 1, { 7, 8 }, { 1, 0 } },
    { "##  made,by\n# l,x,t\n1,7,a\n0,8,b\n", "L", "X", 2, 1, { 7, 8 }, { 1, 0 } },
    { "# one,two\nl,x\n1,7\n", "l", "x", 1, 1, { 7 }, { 1 } }, /* the row has no number */
};

static void test_good(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof goods / sizeof *goods; i++) {
        const good *g = &goods[i];
        orr_table_opts o = csv(g->text, g->label, g->features);
        size_t length = strlen(g->text);

        o.classes = (orr_strings){ 1, { "numbers" } };

        for (size_t part = 1; part <= length + 1; part++) {
            case_rows r;
            orr_status st = case_read(&r, &o, part, 1 + (int64_t)(part % 3), 1 + (int)(part % 2));

            if (g->rows < 0) {
                assert_int_equal(st, ORR_ERR_OPTION);
                continue;
            }
            if (st != ORR_OK) fail_msg("case %zu, parts of %zu: %s", i, part, orr_error_text());
            assert_int_equal(r.n, g->rows);
            assert_int_equal(r.schema.w, g->columns);
            assert_memory_equal(r.x, g->x, (size_t)(g->rows * g->columns) * sizeof(float));
            if (*g->label) assert_memory_equal(r.y, g->y, (size_t)g->rows * sizeof(int32_t));
            for (int64_t k = 0; k < r.n; k++)
                assert_int_equal(((int64_t *)r.id)[k], k);
            case_free(&r);
        }
    }
}

typedef struct {
    const char *text, *label, *features;
    orr_status code;
    const char *sentence;
} bad;

static const bad bads[] = {
    { "", "", "rest", ORR_ERR_FORMAT, "@/a.csv: the file is empty" },
    { "\n\r\n\n", "", "rest", ORR_ERR_FORMAT, "@/a.csv: the file is empty" },
    { "a,b\n", "", "rest", ORR_ERR_FORMAT, "@/a.csv: the file has a header and no rows" },
    { "a,b\n\n\n", "", "rest", ORR_ERR_FORMAT, "@/a.csv: the file has a header and no rows" },
    { "1,2\r3,4\r", "", "rest", ORR_ERR_FORMAT, "@/a.csv: lines end in CR alone" },
    { "a,b,c\n1,2,3\n4,5\n", "", "rest", ORR_ERR_FORMAT, "@/a.csv:3: 2 fields, 3 expected" },
    { "a,b,c\n1,2,3\n4,5,6,7\n", "", "rest", ORR_ERR_FORMAT, "@/a.csv:3: 4 fields, 3 expected" },
    { "a,b,c\n1,2,3\n4,x\n", "", "rest", ORR_ERR_FORMAT, "@/a.csv:3: 2 fields, 3 expected" },
    { "a,b,c\n1,2,3\n4,5,\n", "", "rest", ORR_ERR_FORMAT,
      "@/a.csv:3: column 3 (c) is empty; fix the file, or set nan: drop or keep" },
    { "a,b,c\n1,,3\n", "", "rest", ORR_ERR_FORMAT, "@/a.csv:2: column 2 (b) is empty" },
    { "a,b,c\n1,\"\",3\n", "", "rest", ORR_ERR_FORMAT, "@/a.csv:2: column 2 (b) is empty" },
    { "a,b\n1,2\n3,abc\n", "", "rest", ORR_ERR_FORMAT,
      "@/a.csv:3: column 2 (b): \"abc\" is not a number" },
    { "1,2\n3,4x\n", "", "rest", ORR_ERR_FORMAT, "@/a.csv:2: column 2: \"4x\" is not a number" },
    { "1,2\n3,+-4\n", "", "rest", ORR_ERR_FORMAT, "column 2: \"+-4\" is not a number" },
    { "1,2\n3,0x10\n", "", "rest", ORR_ERR_FORMAT, "column 2: \"0x10\" is not a number" },
    { "1,2\n3,1 2\n", "", "rest", ORR_ERR_FORMAT, "column 2: \"1 2\" is not a number" },
    { "a,b\n1,2\n3,nan\n", "", "rest", ORR_ERR_FORMAT,
      "@/a.csv:3: column 2 (b) is nan; fix the file, or set nan: drop or keep" },
    { "a,b\n1,2\n3,-Inf\n", "", "rest", ORR_ERR_FORMAT,
      "@/a.csv:3: column 2 (b) is -inf; fix the file" },
    { "a,b\n1,2\n3,1e300\n", "", "rest", ORR_ERR_FORMAT,
      "@/a.csv:3: column 2 (b) is 1e+300, too large for float32" },
    { "a,b\n1,2\n3,1e999\n", "", "rest", ORR_ERR_FORMAT, "@/a.csv:3: column 2 (b) is inf" },
    { "l,b\n1,2\n-1,4\n", "l", "rest", ORR_ERR_FORMAT,
      "@/a.csv:3: column 1 (l): \"-1\" is not a class number from 0 to 999" },
    { "l,b\n1,2\n0.5,4\n", "l", "rest", ORR_ERR_FORMAT,
      "column 1 (l): \"0.5\" is not a class number" },
    { "l,b\n1,2\nGALAXY,4\n", "l", "rest", ORR_ERR_FORMAT,
      "\"GALAXY\" is not a class number from 0 to 999; list the labels in classes" },
    { "l,b\n1,2\n,4\n", "l", "rest", ORR_ERR_FORMAT,
      "column 1 (l): the label is empty; fix the file, or set nan: drop" },
    { "l,b\n1,2\nnan,4\n", "l", "rest", ORR_ERR_FORMAT,
      "column 1 (l): the label \"nan\" is none; fix the file, or set nan: drop" },
    { "a,b\n1,\"2\n3,4\n", "", "rest", ORR_ERR_FORMAT,
      "@/a.csv:2: a quote is opened in this row and not closed" },
    { "a,b\n1,2\n3,\"4\"5\n", "", "rest", ORR_ERR_FORMAT,
      "@/a.csv:3: column 2 (b): a quoted field is followed by something else" },
    { "# only\n#comments\n", "", "rest", ORR_ERR_FORMAT, "@/a.csv: the file holds no table" },
    { "a,b\n1,2\n#3,4\n", "", "rest", ORR_ERR_FORMAT,
      "@/a.csv:3: column 1 (a): \"#3\" is not a number" },
    { "a,b\n1,null\n", "", "rest", ORR_ERR_FORMAT,
      "@/a.csv:2: column 2 (b) is nan; fix the file, or set nan: drop or keep" },
    { "t,b\n5\" x,2\n6\" y,4\n", "", "b", ORR_ERR_FORMAT,
      "@/a.csv:2: column 1 (t): a quote within a field; such a field stands in quotes" },
    { "a,b\n1,2\n3,4\"5\"\n", "", "rest", ORR_ERR_FORMAT,
      "column 2 (b): \"4\"5\"\" is not a number" },
    { "a,b\n1,\"x\n\n\"\n", "", "a", ORR_OK, "" },
    { "a,b\n\"x\n\",1\n2,y\n", "", "b", ORR_ERR_FORMAT,
      "@/a.csv:4: column 2 (b): \"y\" is not a number" }, /* lines, not rows */
    { "alpha,beta\n1,2\n", "alhpa", "rest", ORR_ERR_OPTION,
      "@/a.csv: no column \"alhpa\" for input.label; did you mean \"alpha\"?" },
    { "a,b\n1,2\n", "3", "rest", ORR_ERR_OPTION,
      "@/a.csv: input.label is column 3; there are 1 to 2" },
    { "1,2\n", "l", "rest", ORR_ERR_OPTION,
      "label is \"l\", and the file has no header; use a column number" },
    { "a,a\n1,2\n", "a", "rest", ORR_ERR_OPTION,
      "2 columns are called \"a\" (input.label); use the number" },
    { "a,b\n1,2\n", "a", "1-2", ORR_ERR_OPTION,
      "@/a.csv: column 1 (a) cannot be the label and a feature" },
    { "a,b\n1,2\n", "", "2-3", ORR_ERR_OPTION, "features 2-3; there are columns 1 to 2" },
    { "a,b\n1,2\n", "", "2-1", ORR_ERR_OPTION, "features 2-1; there are columns 1 to 2" },
    { "a\n1\n", "a", "rest", ORR_ERR_OPTION, "no column is left for features" },
    { "#Table\na\tb\n1\t2\n", "", "rest", ORR_ERR_FORMAT,
      "@/a.csv:2: no \",\" (input.delimiter) in the first row, but tab; say which" },
};

static void test_bad(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof bads / sizeof *bads; i++) {
        const bad *b = &bads[i];
        orr_table_opts o = csv(b->text, b->label, b->features);

        o.classes = (orr_strings){ 1, { "numbers" } };

        for (size_t part = 1; part <= 8; part += 7) {
            case_rows r;
            orr_status st = case_read(&r, &o, part, 100, 2);

            if (b->code == ORR_OK)
                assert_int_equal(st, ORR_OK);
            else
                case_expect(st, b->code, b->sentence);
            case_free(&r);
        }
    }
}

static void read_ok(case_rows *r, const orr_table_opts *o)
{
    orr_status st = case_read(r, o, 5, 1, 2);

    if (st != ORR_OK) fail_msg("%s", orr_error_text());
}

static void test_options(void **state)
{
    orr_table_opts o = csv("id;l;a;b\nx1;STAR;1;2\n22;QSO;3;\n", "l", "rest");
    case_rows r;

    (void)state;
    o.delimiter = ";";
    o.id = (orr_strings){ 1, { "id" } };
    o.nan = "keep";
    o.classes = (orr_strings){ .n = 3, .v = { "QSO", "GALAXY", "STAR" } };
    read_ok(&r, &o);
    assert_int_equal(r.schema.n_classes, 3);
    assert_string_equal(r.schema.class_names[2], "STAR");
    assert_int_equal(((int32_t *)r.y)[0], 2);
    assert_int_equal(((int32_t *)r.y)[1], 0);
    assert_int_equal(r.schema.id_type, ORR_ID_TEXT);
    assert_int_equal(r.schema.id_bytes, 20);
    assert_string_equal((char *)r.id, "x1");
    assert_string_equal((char *)r.id + 20, "22");
    assert_true(isnan(((float *)r.x)[3]));
    case_free(&r);

    o = csv("id,l,a\n-5,2,1\n9223372036854775807,1.0,2\n0,2.0,3\n", "l", "a");
    o.id = (orr_strings){ 1, { "id" } };
    o.classes = (orr_strings){ .n = 2, .v = { "1", "2" } };
    o.class_names = (orr_strings){ .n = 2, .v = { "none", "planet" } };
    read_ok(&r, &o);
    assert_int_equal(r.schema.id_type, ORR_ID_INT);
    assert_true(((int64_t *)r.id)[0] == -5 && ((int64_t *)r.id)[1] == INT64_MAX &&
                ((int64_t *)r.id)[2] == 0);
    assert_memory_equal(r.y, ((int32_t[]){ 1, 0, 1 }), 12);
    assert_string_equal(r.schema.class_names[1], "planet");
    case_free(&r);

    o.classes.v[1] = "3";
    case_expect(case_read(&r, &o, 5, 1, 2), ORR_ERR_FORMAT,
                "@/a.csv:2: column 2 (l): \"2\" is not one of classes: [1, 3]");
    o.classes.v[1] = "1.0";
    case_expect(case_read(&r, &o, 5, 1, 2), ORR_ERR_OPTION, "input.classes: \"1.0\" stands twice");
    o.classes = (orr_strings){ 0 };
    case_expect(case_read(&r, &o, 5, 1, 2), ORR_ERR_OPTION,
                "input.class_names: 2 names, and labels go up to 2");
}

static void test_ids(void **state)
{
    static const struct {
        const char *id;
        int text;
    } ids[] = {
        { "0", 0 },
        { "-1", 0 },
        { "007", 1 },
        { "+7", 1 },
        { "-0", 1 },
        { "1.0", 1 },
        { "-", 1 },
        { "9223372036854775807", 0 },
        { "9223372036854775808", 1 },
        { "-9223372036854775808", 0 },
        { "-9223372036854775809", 1 },
    };
    char text[256], longer[80];
    orr_table_opts o;
    case_rows r;

    (void)state;
    for (size_t i = 0; i < sizeof ids / sizeof *ids; i++) {
        snprintf(text, sizeof text, "i,a\n%s,1\n5,2\n", ids[i].id);
        o = csv(text, "", "a");
        o.id = (orr_strings){ 1, { "i" } };
        read_ok(&r, &o);
        assert_int_equal(r.schema.id_type, ids[i].text ? ORR_ID_TEXT : ORR_ID_INT);
        if (ids[i].text) assert_int_equal(strncmp(r.id, ids[i].id, 20), 0);
        case_free(&r);
    }
    memset(longer, 'x', sizeof longer);
    longer[65] = '\0';
    snprintf(text, sizeof text, "i,a\n%s,1\n", longer);
    o = csv(text, "", "a");
    o.id = (orr_strings){ 1, { "i" } };
    case_expect(case_read(&r, &o, 5, 1, 1), ORR_ERR_FORMAT, "is longer than 64 bytes");
    longer[64] = '\0';
    snprintf(text, sizeof text, "i,a\n%s,1\n", longer);
    o = csv(text, "", "a");
    o.id = (orr_strings){ 1, { "i" } };
    read_ok(&r, &o);
    assert_int_equal(r.schema.id_bytes, 64);
    case_free(&r);
    o = csv("i,a\n,1\n", "", "a");
    o.id = (orr_strings){ 1, { "i" } };
    case_expect(case_read(&r, &o, 5, 1, 1), ORR_ERR_FORMAT,
                "@/a.csv:2: column 1 (i): the id is empty");
}

static void test_targets_shape_types(void **state)
{
    orr_table_opts o = csv("z,e,a,b,c,d\n.5,.25,1,2,3,4\n1,2,5,6,7,255\n", "", "rest");
    case_rows r;

    (void)state;
    o.target = (orr_strings){ .n = 2, .v = { "e", "z" } };
    o.shape = (orr_reals){ .n = 3, .v = { 2, 2, 1 } };
    o.type = "uint8";
    read_ok(&r, &o);
    assert_int_equal(r.schema.y_type, ORR_Y_VALUE);
    assert_int_equal(r.schema.y_width, 2);
    assert_memory_equal(r.y, ((float[]){ .25f, .5f, 2, 1 }), 16);
    assert_int_equal(r.schema.n_dims * 1000 + r.schema.h * 100 + r.schema.w * 10 + r.schema.c,
                     3221);
    assert_memory_equal(r.x, ((uint8_t[]){ 1, 2, 3, 4, 5, 6, 7, 255 }), 8);
    case_free(&r);
    o.shape = (orr_reals){ .n = 1, .v = { 4 } };
    o.type = "float16";
    read_ok(&r, &o);
    assert_string_equal(r.schema.channel_names[3], "d");
    assert_memory_equal(r.x, ((uint16_t[]){ 0x3c00, 0x4000, 0x4200, 0x4400 }), 8);
    case_free(&r);
    o.shape.v[0] = 5;
    case_expect(case_read(&r, &o, 5, 1, 1), ORR_ERR_SHAPE,
                "@/a.csv: a sample has 4 values, input.shape asks for 5");
    o.shape.n = 0;
    o.type = "uint8";
    o.target.v[0] = "d";
    case_expect(case_read(&r, &o, 5, 1, 1), ORR_ERR_FORMAT,
                "@/a.csv:2: column 2 (e) is 0.25, not an integer from 0 to 255");
    o.label = "a";
    case_expect(case_read(&r, &o, 5, 1, 1), ORR_ERR_OPTION,
                "label and target cannot both be given");
    o.target.n = 0;
    o.label_kind = "value";
    o.type = NULL;
    read_ok(&r, &o);
    assert_int_equal(r.schema.y_type, ORR_Y_VALUE);
    assert_memory_equal(r.y, ((float[]){ 1, 5 }), 8);
    case_free(&r);
    o.axes = "chw";
    case_expect(case_read(&r, &o, 5, 1, 1), ORR_ERR_OPTION,
                "input.axes: a table of columns has none");
    o.axes = NULL;
    o.delimiter = ".";
    case_expect(case_read(&r, &o, 5, 1, 1), ORR_ERR_OPTION,
                "input.delimiter: \".\" cannot stand between fields");
}

static void test_rows_and_files(void **state)
{
    orr_table_opts o = csv("a,b\n1,2\n3,4\n5,6\n", "", "rest");
    case_rows r;

    (void)state;
    case_write("b.csv", "a,b\n7,8\n", 8);
    o.files = (orr_strings){ .n = 2, .v = { "a.csv", "b.csv" } };
    o.skip_rows = 2;
    o.max_rows = 2;
    o.id_start = 100;
    for (size_t part = 1; part < 20; part++) {
        assert_int_equal(case_read(&r, &o, part, 1 + (int64_t)part % 2, 2), ORR_OK);
        assert_int_equal(r.n, 2);
        assert_memory_equal(r.x, ((float[]){ 5, 6, 7, 8 }), 16);
        assert_true(((int64_t *)r.id)[0] == 102 && ((int64_t *)r.id)[1] == 103);
        case_free(&r);
    }
    o.skip_rows = 4;
    case_expect(case_read(&r, &o, 4, 1, 1), ORR_ERR_OPTION,
                "input.skip_rows: 4 of 4 rows leaves none");
    o.skip_rows = o.max_rows = 0;
    case_write("b.csv", "a,c\n7,8\n", 8);
    case_expect(case_read(&r, &o, 4, 1, 1), ORR_ERR_FORMAT,
                "@/b.csv: column 2 is named \"c\", and \"b\" in ");
    case_write("b.csv", "a\n7\n", 4);
    case_expect(case_read(&r, &o, 4, 1, 1), ORR_ERR_FORMAT, "@/b.csv:1: 1 fields, 2 in ");
    case_write("b.csv", "a,b\n7,x\n", 8);
    case_expect(case_read(&r, &o, 4, 1, 1), ORR_ERR_FORMAT,
                "@/b.csv:2: column 2 (b): \"x\" is not a number");
    o.files.v[1] = "c.csv";
    case_expect(case_read(&r, &o, 4, 1, 1), ORR_ERR_IO, "@/c.csv: No such file or directory");
    o.files.v[1] = "c.npy";
    case_expect(case_read(&r, &o, 4, 1, 1), ORR_ERR_OPTION, "all files must be of one format");
    o.files.v[0] = "c";
    case_write("c", "\0\xff\0", 3);
    case_expect(case_read(&r, &o, 4, 1, 1), ORR_ERR_OPTION,
                "@/c: neither its name nor its first bytes tell the format; set format: csv, fits");
    o.files.n = 0;
    case_expect(case_read(&r, &o, 4, 1, 1), ORR_ERR_OPTION, "input: no files are listed");
}

static void test_zscore(void **state)
{
    orr_table_opts o = csv("1,2,3,4\n7,7,7,7\n-100,0,0,300\n", "", "rest");
    double sd = sqrt(1.25);
    case_rows r;
    float *x;

    (void)state;
    o.scale_rows = "zscore";
    read_ok(&r, &o);
    x = r.x;
    for (int i = 0; i < 4; i++) {
        assert_true(x[i] == (float)((i + 1 - 2.5) / sd));
        assert_true(x[4 + i] == 0);
    }
    case_free(&r);
    o = csv("1,2,3,4\n7,inf,7,7\n", "", "rest");
    o.scale_rows = "zscore";
    case_expect(case_read(&r, &o, 5, 1, 1), ORR_ERR_FORMAT, "@/a.csv:2: column 2 is inf");
    o.type = "uint8";
    case_expect(case_read(&r, &o, 5, 1, 1), ORR_ERR_OPTION, "scale_rows: zscore gives no uint8");
}

/* The lowest bad row is the one reported, whichever thread meets which first. */
static void test_first_error(void **state)
{
    enum { ROWS = 4000 };
    char *text = orr_alloc(ROWS, 16), *p = text;
    char *end = text + ROWS * 16;
    orr_table_opts o;
    case_rows r;

    (void)state;
    for (int i = 0; i < ROWS; i++)
        p +=
            snprintf(p, (size_t)(end - p), i % 97 == 96 || i == 1234 ? "%d,oops\n" : "%d,1.5\n", i);
    o = csv(text, "", "rest");
    o.skip_rows = 100;
    for (int k = 0; k < 50; k++)
        case_expect(case_read(&r, &o, 777, ROWS, 4), ORR_ERR_FORMAT,
                    "@/a.csv:194: column 2: \"oops\" is not a number");
    orr_free(text);
}

/* Random bytes and random flips: an answer or a failure, never a crash. */
static void test_fuzz(void **state)
{
    static const char alphabet[] = "0123456789.,,,\n\n\"\"\r -+einf\xff";
    unsigned seed = 1;
    char text[200];

    (void)state;
    for (int k = 0; k < 3000; k++) {
        size_t n = 1 + (size_t)(rand_r(&seed) % 150);
        orr_table_opts o;
        case_rows r;

        for (size_t i = 0; i < n; i++)
            text[i] = alphabet[(size_t)rand_r(&seed) % (sizeof alphabet - 1)];
        if (k % 3 == 0) memcpy(text, "l,a,b\n1,2,3\n", 12);
        if (k % 3 == 0 && n < 12) n = 12;
        text[n] = '\0';
        o = csv(text, k % 2 ? "1" : "", "rest");
        o.nan = k % 5 ? "keep" : "refuse";
        (void)case_read(&r, &o, 1 + (size_t)(rand_r(&seed) % 40), 7, 2);
        case_free(&r);
    }
}

static void test_nomem(void **state)
{
    orr_table_opts o = csv("i,l,a,b\nx,1,2,3\ny,0,4,5\n", "l", "rest");
    case_rows r;
    int failed = 0;

    (void)state;
    o.id = (orr_strings){ 1, { "i" } };
    for (int64_t k = 1;; k++) {
        orr_status st;

        orr_alloc_fail_at(k);
        st = case_read(&r, &o, 8, 1, 1);
        orr_alloc_fail_at(0);
        case_free(&r);
        if (st == ORR_OK) break;
        assert_int_equal(st, ORR_ERR_NOMEM);
        failed++;
    }
    assert_true(failed > 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),
        cmocka_unit_test(test_bad),
        cmocka_unit_test(test_options),
        cmocka_unit_test(test_ids),
        cmocka_unit_test(test_targets_shape_types),
        cmocka_unit_test(test_rows_and_files),
        cmocka_unit_test(test_zscore),
        cmocka_unit_test(test_first_error),
        cmocka_unit_test(test_fuzz),
        cmocka_unit_test(test_nomem),
    };

    return cmocka_run_group_tests(tests, case_folder_make, case_folder_remove);
}
