/* tests/data/test_id.c - the rule of an id: a table of texts, one of types, and ids of several
 * columns; then the same through every reader of a table. */
#include "reader_cases.h"

#include "data/formats/columns.h"
#include "data/formats/id.h"
#include "data/formats/records.h"

#include <fitsio.h>
#include <hdf5.h>
#include <math.h>

/* ---- texts ---- */

static const struct {
    const char *text;
    int is_integer;
    const char *fault; /* NULL: an id */
} texts[] = {
    { "0", 1, NULL },
    { "-1", 1, NULL },
    { "7", 1, NULL },
    { "007", 0, NULL },
    { "+7", 0, NULL },
    { "-0", 0, NULL },
    { "00", 0, NULL },
    { "1237645876861337601", 1, NULL },
    { "1237648704577140000", 1, NULL },
    { "9223372036854775807", 1, NULL },
    { "-9223372036854775808", 1, NULL },
    { "9223372036854775808", 0, NULL },
    { "10255738055396171776", 0, NULL },
    { "18446744073709551615", 0, NULL },
    { "J12", 0, NULL },
    { "J0012.5+31", 0, NULL },
    { "752-301-1-100-17", 0, NULL },
    { "12e34567", 0, NULL }, /* names, perhaps of hexadecimal digits */
    { "123e4567", 0, NULL },
    { "12e45", 0, NULL },
    { "1e18", 0, NULL },
    { "1.0", 0, NULL }, /* small floats have lost nothing: texts */
    { "17.25", 0, NULL },
    { "1.5E+3", 0, NULL },
    { "1e+5", 0, NULL },
    { "9007199254740991.0", 0, NULL },
    { "9007199254740992.0", 0, "has a decimal point" },
    { "1237645876861337601.0", 0, "has a decimal point" },
    { "-1237645876861337601.0", 0, "has a decimal point" },
    { "1237600000000000123.0", 0, "has a decimal point" },
    { "1237645876861337601.", 0, "has a decimal point" },
    { "1237645876861337601.5", 0, "has a decimal point" },
    { "1.23764587686134E+18", 0, "has an exponent" },
    { "1.23764870457714E+018", 0, "has an exponent" },
    { "1.23764587686134e18", 0, "has an exponent" },
    { "1e+18", 0, "has an exponent" },
    { "1E+18", 0, "has an exponent" },
    { "-1.2E18", 0, "has an exponent" },
    { "9.007199254740992e15", 0, "has an exponent" },
    { "", 0, "is empty" },
    { "NULL", 0, "is null" },
    { "null", 0, "is null" },
    { "nan", 0, "is null" },
    { "NaN", 0, "is null" },
};

static void test_texts(void **state)
{
    static const char long_one[] =
        "12345678901234567890123456789012345678901234567890123456789012345";
    int64_t v;

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        const char *text = texts[i].text, *why = orr_id_fault(text, strlen(text));

        if (orr_id_integer(text, strlen(text), &v) != texts[i].is_integer)
            fail_msg("%s: whether it is an integer", text);
        if (!why != !texts[i].fault || (why && !strstr(why, texts[i].fault)))
            fail_msg("%s: %s, expected %s", text, why ? why : "an id",
                     texts[i].fault ? texts[i].fault : "an id");
    }
    assert_string_equal(orr_id_fault("a\0b", 3), "has a zero byte in it");
    assert_null(orr_id_fault(long_one, 64));
    assert_string_equal(orr_id_fault(long_one, 65), "is longer than 64 bytes");
    assert_true(orr_id_integer("-9223372036854775808", 20, &v) && v == INT64_MIN);
}

/* ---- types ---- */

static const float singles[] = { 7, 16777215, 16777216, 0.5F, NAN, INFINITY };
static const double doubles[] = { 7,  9007199254740991, 9007199254740992, -9007199254740992.0, 0.5,
                                  NAN };
static const uint16_t halves[] = { 0x4700, 0x67ff, 0x6800 }; /* 7, 2047, 2048 */
static const int8_t bytes1[] = { -1 };
static const int64_t longs[] = { INT64_MIN, INT64_MAX, 1237645876861337601 };
static const uint64_t ulongs[] = { 0, 9223372036854775807u, 9223372036854775808u, UINT64_MAX };
static const char words[][4] = { " 7 ", "007", "nan", "a b" };
static const struct {
    orr_field field;
    const void *values;
    int n;
    const char *expected[6]; /* an id; "" = none; !... = a fault that says so */
} types[] = {
    { { .elem = ORR_ELEM_F4 },
      singles,
      6,
      { "7", "16777215", "!is a float32", "!not whole", "", "!is infinite" } },
    { { .elem = ORR_ELEM_F8 },
      doubles,
      6,
      { "7", "9007199254740991", "!is a float64", "!is a float64", "!not whole", "" } },
    { { .elem = ORR_ELEM_F4, .bits = 11 }, singles, 2, { "7", "!is a float32 or float16" } },
    { { .elem = ORR_ELEM_F2 }, halves, 3, { "7", "2047", "!is a float32 or float16" } },
    { { .elem = ORR_ELEM_I1 }, bytes1, 1, { "-1" } },
    { { .elem = ORR_ELEM_I8 },
      longs,
      3,
      { "-9223372036854775808", "9223372036854775807", "1237645876861337601" } },
    { { .elem = ORR_ELEM_I8, .zero = 0x1p63, .is_scaled = 1, .has_null = 1, .null = INT64_MAX },
      longs,
      3,
      { "0", "", "10461017913716113409" } },
    { { .elem = ORR_ELEM_I8, .scale = 2, .is_scaled = 1 }, longs + 2, 1, { "!is a float64" } },
    { { .elem = ORR_ELEM_U8 },
      ulongs,
      4,
      { "0", "9223372036854775807", "9223372036854775808", "18446744073709551615" } },
    { { .kind = ORR_FIELD_TEXT8, .elem = ORR_ELEM_TEXT, .bytes = 4 },
      words,
      4,
      { "7", "007", "", "a b" } },
};

static void test_types(void **state)
{
    (void)state;
    for (size_t k = 0; k < sizeof types / sizeof *types; k++) {
        static const size_t bytes[] = { [ORR_ELEM_F2] = 2, [ORR_ELEM_F4] = 4, [ORR_ELEM_F8] = 8,
                                        [ORR_ELEM_I1] = 1, [ORR_ELEM_I8] = 8, [ORR_ELEM_U8] = 8 };
        orr_field f = types[k].field;

        f.count = types[k].n;
        if (f.bytes == 0) f.bytes = bytes[f.elem];
        if (f.scale == 0) f.scale = 1;
        for (int i = 0; i < types[k].n; i++) {
            const char *expected = types[k].expected[i], *why;
            char out[ORR_FIELD_TEXT];
            size_t n;

            why = orr_field_id(&f, types[k].values, i, out, &n);
            if (*expected == '!' ? !why || !strstr(why, expected + 1)
                                 : why || n != strlen(expected) || memcmp(out, expected, n) != 0)
                fail_msg("row %zu, value %d: \"%.*s\" %s, expected %s", k, i, (int)n, out,
                         why ? why : "", expected);
        }
    }
}

/* ---- ids together ---- */

static int looks_rounded(const char *const *ids)
{
    orr_id_tally t = { 0 };

    for (; *ids; ids++)
        orr_id_tally_add(&t, *ids, strlen(*ids));
    return orr_id_tally_is_rounded(&t);
}

static void test_tally(void **state)
{
    static const char *const rounded[] = { "1237648704577140000", "1237648704577141000", "17",
                                           "12376487045771420000", NULL };
    static const char *const few[] = { "1237648704577140000", "1237648704577141000", NULL };
    static const char *const most_are_not[] = { "1237648704577140000",
                                                "1237648704577141000",
                                                "1237648704577142000",
                                                "1237648704577142785",
                                                "1237648704577142786",
                                                "1237648704577142787",
                                                NULL };
    static const char *const small[] = { "1000", "2000", "3000", "9007199254740000", NULL };
    orr_id_tally t = { 0 };

    (void)state;
    assert_true(looks_rounded(rounded));
    assert_false(looks_rounded(few));
    assert_false(looks_rounded(most_are_not));
    assert_false(looks_rounded(small));
    for (int64_t i = 1; i < 1000; i++) /* SDSS's specObjID: the lowest ten bits are zero */
        orr_id_tally_integer(&t, (299489677444933632 / 1024 + i * 7) * 1024);
    assert_true(t.n_long == 999 && t.n_zeros > 0 && !orr_id_tally_is_rounded(&t));
    orr_id_tally_integer(&t, -1);
    orr_id_tally_add(&t, "-1", 2);
    assert_int_equal(t.n_minus_one, 2);
}

/* ---- ids of several columns ---- */

static const char *join(char out[ORR_ID_TEXT_MAX + 1], const char *const *parts)
{
    const char *why = NULL;
    size_t n = 0;

    for (; !why && *parts; parts++)
        why = orr_id_join(out, &n, *parts, strlen(*parts));
    return why;
}

static void test_joined(void **state)
{
    char id[ORR_ID_TEXT_MAX + 1];

    (void)state;
    assert_null(join(id, (const char *const[]){ "752", "301", "-1", "100", "17", NULL }));
    assert_string_equal(id, "752:301:-1:100:17");
    assert_string_equal(join(id, (const char *const[]){ "752", "", NULL }), "is empty");
    assert_string_equal(join(id, (const char *const[]){ "nan", "1", NULL }), "is null");
    assert_non_null(strstr(join(id, (const char *const[]){ "1", "2:3", NULL }), "has a : in it"));
    assert_non_null(
        strstr(join(id, (const char *const[]){ "1", "1.2E+18", NULL }), "has an exponent"));
    assert_non_null(strstr(join(id, (const char *const[]){ "1234567890123456789012345678901234567",
                                                           "123456789012345678901234567", NULL }),
                           "longer than 64 bytes"));
    assert_null(join(id, (const char *const[]){ "1234567890123456789012345678901234567",
                                                "12345678901234567890123456", NULL }));
    assert_int_equal(strlen(id), 64);
}

/* ---- through the readers: what a reader makes of one column of ids ---- */

static void put_file(const char *name, const char *text)
{
    char path[512];
    FILE *f;

    snprintf(path, sizeof path, "%s/%s", case_dir, name);
    assert_non_null(f = fopen(path, "wb"));
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

static void put_npy(const char *name, const char *descr, size_t n, const void *data, size_t bytes)
{
    char path[512], dict[200];
    FILE *f;
    int length;

    snprintf(path, sizeof path, "%s/%s", case_dir, name);
    length = snprintf(dict, sizeof dict,
                      "{'descr': %s, 'fortran_order': False, 'shape': (%zu,), }\n", descr, n);
    assert_non_null(f = fopen(path, "wb"));
    assert_int_equal(fwrite("\x93NUMPY\1\0", 1, 8, f), 8);
    fputc(length & 255, f);
    fputc(length >> 8, f);
    assert_int_equal(fwrite(dict, 1, (size_t)length, f), length);
    assert_int_equal(fwrite(data, 1, bytes, f), bytes);
    assert_int_equal(fclose(f), 0);
}

static void put_fits(const char *name, const char *form, int type, void *values, const char *null)
{
    char path[600], id[] = "id", x[] = "x", xform[] = "1E", idform[8];
    char *columns[] = { id, x }, *forms[] = { idform, xform };
    float one[] = { 1, 2 };
    fitsfile *f = NULL;
    int status = 0;

    snprintf(path, sizeof path, "!%s/%s", case_dir, name);
    snprintf(idform, sizeof idform, "%s", form);
    fits_create_file(&f, path, &status);
    fits_create_tbl(f, BINARY_TBL, 2, 2, columns, forms, NULL, "T", &status);
    fits_write_col(f, type, 1, 1, 1, 2, values, &status);
    fits_write_col(f, TFLOAT, 2, 1, 1, 2, one, &status);
    if (null) {
        long v = strtol(null, NULL, 10);

        fits_update_key(f, TLONG, "TNULL1", &v, NULL, &status);
    }
    fits_close_file(f, &status);
    assert_int_equal(status, 0);
}

static void put_hdf5(const char *name, hid_t stored, hid_t memory, const void *values)
{
    const float x[2] = { 1, 2 };
    char path[512];
    hsize_t n = 2;
    hid_t f, space, d;

    snprintf(path, sizeof path, "%s/%s", case_dir, name);
    f = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    space = H5Screate_simple(1, &n, NULL);
    d = H5Dcreate2(f, "id", stored, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    assert_true(H5Dwrite(d, memory, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) >= 0);
    H5Dclose(d);
    d = H5Dcreate2(f, "x", H5T_NATIVE_FLOAT, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    assert_true(H5Dwrite(d, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, x) >= 0);
    H5Dclose(d);
    H5Sclose(space);
    assert_true(H5Fclose(f) >= 0);
}

/* The ids of the two rows of a file, printed as a set prints them; "!..." says why there are none.
 */
static void expect_ids(const char *file, const char *id, const char *features, const char *first,
                       const char *second)
{
    orr_table_opts o = { .files = { 1, { file } }, .id = { 1, { id } }, .features = features };
    char text[2][ORR_ID_TEXT_MAX + 1];
    case_rows r = { .id = NULL };
    orr_status st = case_read(&r, &o, 1, 1, 1);

    if (*first == '!') {
        if (st == ORR_OK) fail_msg("%s was read", file);
        if (!strstr(orr_error_text(), first + 1))
            fail_msg("%s: %s, expected %s", file, orr_error_text(), first + 1);
        return;
    }
    if (st != ORR_OK) fail_msg("%s: %s", file, orr_error_text());
    assert_int_equal(r.n, 2);
    assert_non_null(r.id);
    for (int i = 0; i < 2 && r.id; i++)
        if (r.schema.id_type == ORR_ID_INT)
            snprintf(text[i], sizeof text[i], "%lld", (long long)((int64_t *)r.id)[i]);
        else
            snprintf(text[i], sizeof text[i], "%.*s", r.schema.id_bytes,
                     (char *)r.id + i * r.schema.id_bytes);
    if (strcmp(text[0], first) != 0 || strcmp(text[1], second) != 0)
        fail_msg("%s: %s, %s; expected %s, %s", file, text[0], text[1], first, second);
    case_free(&r);
}

static void test_csv(void **state)
{
    (void)state;
    put_file("i.csv", "id,x\n1237645876861337601,1\n10255738055396171776,2\n");
    expect_ids("i.csv", "id", "x", "1237645876861337601", "10255738055396171776");
    put_file("i.csv", "id,x\n\" 7 \",1\n 007,2\n");
    expect_ids("i.csv", "id", "x", "7", "007");
    put_file("i.csv", "id,x\n1.0,1\n2.0,2\n");
    expect_ids("i.csv", "id", "x", "1.0", "2.0");
    put_file("i.csv", "id,x\n1237645876861337601.0,1\n2.0,2\n");
    expect_ids("i.csv", "id", "x", "!the id \"1237645876861337601.0\" has a decimal point", NULL);
    put_file("i.csv", "id,x\n5,1\nNULL,2\n");
    expect_ids("i.csv", "id", "x", "!i.csv:3: column 1 (id): the id \"NULL\" is null", NULL);
}

static void test_fits(void **state)
{
    double f8[] = { 5, 1237645876861337601.0 }, small[] = { 5, 9007199254740991.0 };
    float f4[] = { 5, 16777216 };
    ULONGLONG u8[] = { 5, 10255738055396171776u };
    LONGLONG i8[] = { -5, 1237645876861337601 };
    int i4[] = { 5, -99 };
    char a[] = " 007 ", b[] = "J12", *names[] = { a, b };

    (void)state;
    put_fits("i.fits", "1K", TLONGLONG, i8, NULL);
    expect_ids("i.fits", "id", "x", "-5", "1237645876861337601");
    put_fits("i.fits", "1W", TULONGLONG, u8, NULL);
    expect_ids("i.fits", "id", "x", "5", "10255738055396171776");
    put_fits("i.fits", "1J", TINT, i4, NULL);
    expect_ids("i.fits", "id", "x", "5", "-99");
    put_fits("i.fits", "1J", TINT, i4, "-99");
    expect_ids("i.fits", "id", "x", "!row 2: column id: the id is empty", NULL);
    put_fits("i.fits", "1D", TDOUBLE, small, NULL);
    expect_ids("i.fits", "id", "x", "5", "9007199254740991");
    put_fits("i.fits", "1D", TDOUBLE, f8, NULL);
    expect_ids("i.fits", "id", "x", "!is a float64", NULL);
    put_fits("i.fits", "1E", TFLOAT, f4, NULL);
    expect_ids("i.fits", "id", "x", "!is a float32", NULL);
    put_fits("i.fits", "6A", TSTRING, names, NULL);
    expect_ids("i.fits", "id", "x", "007", "J12");
}

static void test_npy(void **state)
{
    const float x[] = { 1, 2 };
    const uint64_t u8[] = { 5, 10255738055396171776u };
    const double f8[] = { 5, 1237645876861337601.0 }, small[] = { 5, 6 };
    const uint32_t ucs4[] = { '7', 0, 0, 0xe9, '1', 0 };
    const char s[] = "7\0 ab ";
    const struct {
        uint64_t id;
        float x;
    } __attribute__((packed)) records[] = { { 5, 1 }, { 10255738055396171776u, 2 } };

    (void)state;
    put_npy("x.npy", "'<f4'", 2, x, sizeof x);
    put_npy("i.npy", "'<u8'", 2, u8, sizeof u8);
    expect_ids("x.npy", "i.npy", NULL, "5", "10255738055396171776");
    put_npy("i.npy", "'<f8'", 2, small, sizeof small);
    expect_ids("x.npy", "i.npy", NULL, "5", "6");
    put_npy("i.npy", "'<f8'", 2, f8, sizeof f8);
    expect_ids("x.npy", "i.npy", NULL, "!i.npy[1]: the id \"1237645876861337600\" is a float64",
               NULL);
    put_npy("i.npy", "'<U3'", 2, ucs4, sizeof ucs4);
    expect_ids("x.npy", "i.npy", NULL, "7",
               "\xc3\xa9"
               "1");
    put_npy("i.npy", "'|S3'", 2, s, 6);
    expect_ids("x.npy", "i.npy", NULL, "7", "ab");
    put_npy("r.npy", "[('id', '<u8'), ('x', '<f4')]", 2, records, sizeof records);
    expect_ids("r.npy", "id", "x", "5", "10255738055396171776");
}

static void test_hdf5(void **state)
{
    const uint64_t u8[] = { 5, 10255738055396171776u };
    const double f8[] = { 5, 1237645876861337601.0 }, small[] = { 5, 6 }, half[] = { 5, 2048 };
    const char *const names[] = { "007", "J12" };
    const char padded[] = "7  ab ";
    hid_t text = H5Tcopy(H5T_C_S1), f2 = H5Tcopy(H5T_IEEE_F32LE);

    (void)state;
    put_hdf5("i.h5", H5T_STD_U64BE, H5T_NATIVE_UINT64, u8);
    expect_ids("i.h5", "id", "x", "5", "10255738055396171776");
    put_hdf5("i.h5", H5T_IEEE_F64LE, H5T_NATIVE_DOUBLE, small);
    expect_ids("i.h5", "id", "x", "5", "6");
    put_hdf5("i.h5", H5T_IEEE_F64LE, H5T_NATIVE_DOUBLE, f8);
    expect_ids("i.h5", "id", "x", "!is a float64", NULL);
    H5Tset_fields(f2, 15, 10, 5, 0, 10);
    H5Tset_size(f2, 2);
    H5Tset_ebias(f2, 15);
    put_hdf5("i.h5", f2, H5T_NATIVE_DOUBLE, half);
    expect_ids("i.h5", "id", "x", "!is a float32 or float16", NULL);
    H5Tset_size(text, 3);
    H5Tset_strpad(text, H5T_STR_SPACEPAD);
    put_hdf5("i.h5", text, text, padded);
    expect_ids("i.h5", "id", "x", "7", "ab");
    H5Tset_size(text, H5T_VARIABLE);
    put_hdf5("i.h5", text, text, names);
    expect_ids("i.h5", "id", "x", "007", "J12");
    H5Tclose(text);
    H5Tclose(f2);
}

/* ---- columns, as catalogues, side files and sample submissions read them ---- */

static orr_status read_column(const char *file, orr_column_text *id, int64_t *n)
{
    orr_column_request want = { .type = ORR_VALUE_ID, .values = id };
    orr_columns *c = NULL;
    char path[512];
    int64_t first;
    orr_status st;

    snprintf(path, sizeof path, "%s/%s", case_dir, file);
    st = orr_columns_open(&c, path, "");
    if (st == ORR_OK) st = orr_columns_find(c, "id", "an id", &want.column);
    if (st == ORR_OK) st = orr_columns_next(c, &want, 1, 4, &first, n);
    orr_columns_close(c);
    return st;
}

static void test_columns(void **state)
{
    double f8[] = { 5, 1237645876861337601.0 }, nan8[] = { 5, NAN };
    ULONGLONG u8[] = { 5, 10255738055396171776u };
    orr_column_text id[4];
    int64_t n = 0;

    (void)state;
    put_file("c.csv", "id,x\n10255738055396171776,1\n,2\nNULL,3\n");
    assert_int_equal(read_column("c.csv", id, &n), ORR_OK);
    assert_true(n == 3 && !id[1][0] && !id[2][0]);
    assert_string_equal(id[0], "10255738055396171776");
    put_file("c.csv", "id,x\n1,1\n1237645876861337601.0,2\n");
    case_expect(read_column("c.csv", id, &n), ORR_ERR_FORMAT,
                "@/c.csv:3: column id: \"1237645876861337601.0\" has a decimal point");
    put_fits("c.fits", "1W", TULONGLONG, u8, NULL);
    assert_int_equal(read_column("c.fits", id, &n), ORR_OK);
    assert_string_equal(id[1], "10255738055396171776");
    put_fits("c.fits", "1D", TDOUBLE, nan8, NULL);
    assert_int_equal(read_column("c.fits", id, &n), ORR_OK);
    assert_string_equal(id[0], "5");
    assert_string_equal(id[1], "");
    put_fits("c.fits", "1D", TDOUBLE, f8, NULL);
    case_expect(read_column("c.fits", id, &n), ORR_ERR_FORMAT,
                "column id: \"1237645876861337600\" is a float64");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_texts),  cmocka_unit_test(test_types), cmocka_unit_test(test_tally),
        cmocka_unit_test(test_joined), cmocka_unit_test(test_csv),   cmocka_unit_test(test_fits),
        cmocka_unit_test(test_npy),    cmocka_unit_test(test_hdf5),  cmocka_unit_test(test_columns),
    };

    return cmocka_run_group_tests(tests, case_folder_make, case_folder_remove);
}
