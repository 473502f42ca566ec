/* tests/data/test_npy.c - npy and npz: headers of all versions, dtypes, order, axes, and every
 * refusal. */
#include "reader_cases.h"

#include <math.h>
#include <stdint.h>

/* Writes an npy file of the version with this dict and data; pads the header as numpy does. */
static void npy(const char *name, int version, const char *dict, const void *data, size_t n)
{
    char file[4096] = "\x93NUMPY";
    size_t start = version > 1 ? 12 : 10, length = strlen(dict),
           pad = 64 - (start + length + 1) % 64;
    size_t header = length + pad + 1;

    file[6] = (char)version;
    file[8] = (char)(header & 255);
    file[9] = (char)(header >> 8);
    memcpy(file + start, dict, length);
    memset(file + start + length, ' ', pad);
    file[start + header - 1] = '\n';
    memcpy(file + start + header, data, n);
    case_write(name, file, start + header + n);
}

static orr_table_opts one(const char *name)
{
    return (orr_table_opts){ .files = { 1, { name } } };
}

static orr_status read_one(case_rows *r, const char *name)
{
    orr_table_opts o = one(name);

    return case_read(r, &o, 1, 1, 2);
}

static void test_versions(void **state)
{
    static const char *const dicts[] = {
        "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }",
        "{'shape': (2L, 3L), 'fortran_order': False, 'descr': '<f4'}",
        "{\"descr\":\"<f4\",\"fortran_order\":False,\"shape\":(2,3)}",
        " { 'descr' : '<f4' , 'fortran_order' : False , 'shape' : ( 2 , 3 , ) , } ",
    };
    const float x[6] = { 1, 2, 3, 4, 5, 6 };
    case_rows r;

    (void)state;
    for (int version = 1; version <= 3; version++)
        for (size_t i = 0; i < 4; i++) {
            npy("a.npy", version, dicts[i], x, sizeof x);
            if (read_one(&r, "a.npy") != ORR_OK) fail_msg("%s", orr_error_text());
            assert_int_equal(r.n, 2);
            assert_int_equal(r.schema.n_dims * 100 + r.schema.c, 103);
            assert_memory_equal(r.x, x, sizeof x);
            case_free(&r);
        }
}

static void test_order(void **state)
{
    const int16_t x[6] = {
        0x0100, 0x0400, 0x0200, 0x0500, 0x0300, 0x0600
    }; /* big-endian 1 4 2 5 3 6 */
    case_rows r;

    (void)state;
    npy("a.npy", 1, "{'descr': '>i2', 'fortran_order': True, 'shape': (2, 3), }", x, sizeof x);
    assert_int_equal(read_one(&r, "a.npy"), ORR_OK);
    assert_memory_equal(r.x, ((float[]){ 1, 2, 3, 4, 5, 6 }), 24);
    case_free(&r);
}

typedef struct {
    const char *dict;
    size_t bytes;
    orr_status code;
    const char *sentence;
} bad;

static void test_bad(void **state)
{
    static const bad bads[] = {
        { "{'descr': '|O', 'fortran_order': False, 'shape': (2,), }", 16, ORR_ERR_UNSUPPORTED,
          "@/a.npy: dtype \"|O\" is Python objects; save" },
        { "{'descr': '<U5', 'fortran_order': False, 'shape': (2,), }", 40, ORR_ERR_UNSUPPORTED,
          "@/a.npy: samples are text" },
        { "{'descr': '<c8', 'fortran_order': False, 'shape': (2,), }", 16, ORR_ERR_UNSUPPORTED,
          "dtype \"<c8\" is complex numbers" },
        { "{'descr': '<M8[s]', 'fortran_order': False, 'shape': (2,), }", 16, ORR_ERR_UNSUPPORTED,
          "dtype \"<M8[s]\" is dates" },
        { "{'descr': '<f16', 'fortran_order': False, 'shape': (2,), }", 32, ORR_ERR_UNSUPPORTED,
          "dtype \"<f16\" is of a kind" },
        { "{'descr': '|S4', 'fortran_order': False, 'shape': (2,), }", 8, ORR_ERR_UNSUPPORTED,
          "@/a.npy: samples are text" },
        { "{'descr': [('a', '|O')], 'fortran_order': False, 'shape': (2,), }", 16,
          ORR_ERR_UNSUPPORTED, "@/a.npy: field a holds Python objects" },
        { "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (2,), }", 7, ORR_ERR_FORMAT,
          "@/a.npy: truncated: 7 bytes of data, the header asks for 8" },
        { "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (2, 2), }", 16, ORR_ERR_SHAPE,
          "@/a.npy: records along 2 axes" },
        { "{'descr': [('a', '<f4'), ('b', [('c', '<i2')])], 'fortran_order': False, 'shape': "
          "(2,), }",
          11, ORR_ERR_FORMAT, "truncated: 11 bytes of data, the header asks for 12" },
        { "{'descr': [], 'fortran_order': False, 'shape': (2,), }", 0, ORR_ERR_FORMAT,
          "@/a.npy: records without fields" },
        { "{'descr': [('a', '<f4', (99999, 99999))], 'fortran_order': False, 'shape': (2,), }", 8,
          ORR_ERR_FORMAT, "a field has too many values" },
        { "{'descr': [('a' '<f4')], 'fortran_order': False, 'shape': (2,), }", 8, ORR_ERR_FORMAT,
          "a field has no type" },
        { "{'descr': [('a', '<f4')", 8, ORR_ERR_FORMAT, "a comma is missing between fields" },
        { "{'descr': [[[[[[[[[[[[", 8, ORR_ERR_FORMAT, "a field is a tuple" },
        { "{'descr': [('a', [('a', [('a', [('a', [('a', [('a', [('a', [('a', [('a', [('a', [", 8,
          ORR_ERR_FORMAT, "records within records within records" },
        { "{'descr': '<f4', 'fortran_order': False, 'shape': (), }", 4, ORR_ERR_SHAPE,
          "a single value, not an array with rows" },
        { "{'descr': '<f4', 'fortran_order': False, 'shape': (0, 3), }", 0, ORR_ERR_FORMAT,
          "@/a.npy: the array is empty" },
        { "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }", 23, ORR_ERR_FORMAT,
          "@/a.npy: truncated: 23 bytes of data, the header asks for 24" },
        { "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }", 25, ORR_ERR_FORMAT,
          "@/a.npy: 1 bytes stand after the 24" },
        { "{'descr': '<f4', 'fortran_order': False, 'shape': (4611686018427387904, "
          "4611686018427387904), }",
          4, ORR_ERR_FORMAT, "impossible size" },
        { "{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999,), }", 4,
          ORR_ERR_FORMAT, "an axis is too long" },
        { "{'descr': '<f4', 'fortran_order': False, 'shape': (1,1,1,1,1,1,1,1,1), }", 4,
          ORR_ERR_FORMAT, "more than 8 axes" },
        { "{'descr': '<f4', 'fortran_order': False, 'shape': (1,1,1,1,1), }", 4, ORR_ERR_SHAPE,
          "a sample has 4 axes, at most 3 are possible; set shape" },
        { "{'descr': '<f4', 'fortran_order': False, 'shape': (-1,), }", 4, ORR_ERR_FORMAT,
          "shape has something else than numbers" },
        { "{'descr': '<f4', 'fortran_order': 0, 'shape': (1,), }", 4, ORR_ERR_FORMAT,
          "fortran_order is True or False" },
        { "{'descr': '<f4', 'shape': (1,), }", 4, ORR_ERR_FORMAT,
          "descr, fortran_order or shape is missing" },
        { "{'descr': '<f4', 'descr': '<f4', 'shape': (1,), }", 4, ORR_ERR_FORMAT,
          "a key stands twice" },
        { "{'descr': '<f4', 'fortran_order': False, 'shape': (1,), 'x': 1}", 4, ORR_ERR_FORMAT,
          "a key other than" },
        { "{'descr': '<f4', 'fortran_order': False, 'shape': (1,), } x", 4, ORR_ERR_FORMAT,
          "something stands after the dict" },
        { "__import__('os')", 4, ORR_ERR_FORMAT, "bad npy header: a dict is expected" },
        { "{'descr: '<f4'", 4, ORR_ERR_FORMAT, "bad npy header" },
    };
    static const char zeros[64];
    case_rows r;

    (void)state;
    for (size_t i = 0; i < sizeof bads / sizeof *bads; i++) {
        npy("a.npy", 1, bads[i].dict, zeros, bads[i].bytes);
        case_expect(read_one(&r, "a.npy"), bads[i].code, bads[i].sentence);
    }
    case_write("a.npy", "PK\3\4", 4);
    case_expect(read_one(&r, "a.npy"), ORR_ERR_FORMAT,
                "@/a.npy: not a npy file: its first bytes are those of npz");
    case_write("a.npy", "\x93NUMPY\1\0\2\0", 10);
    case_expect(read_one(&r, "a.npy"), ORR_ERR_FORMAT, "@/a.npy: truncated within the header");
    case_write("a.npy", "\x93NUMPY\4\0\2\0\0\0\0\0", 14);
    case_expect(read_one(&r, "a.npy"), ORR_ERR_UNSUPPORTED,
                "@/a.npy: npy version 4.0; 1.0, 2.0 and 3.0 are read");
    case_write("a.npy", "", 0);
    case_expect(read_one(&r, "a.npy"), ORR_ERR_FORMAT, "@/a.npy: the file is empty");
    case_expect(read_one(&r, "none.npy"), ORR_ERR_IO, "@/none.npy: No such file or directory");
}

/* Every length shorter than the whole is a failure, and no flipped byte a crash. */
static void test_cut_and_flip(void **state)
{
    const float x[6] = { 1, 2, 3, 4, 5, 6 };
    char file[512];
    size_t n;
    unsigned seed = 3;
    case_rows r;
    FILE *f;

    (void)state;
    npy("a.npy", 1, "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }", x, sizeof x);
    case_path(file, sizeof file, "a.npy");
    assert_non_null(f = fopen(file, "rb"));
    n = fread(file, 1, sizeof file, f);
    fclose(f);
    for (size_t k = 1; k < n; k++) {
        case_write("b.npy", file, k);
        assert_int_not_equal(read_one(&r, "b.npy"), ORR_OK);
    }
    for (int k = 0; k < 2000; k++) {
        char copy[512];

        memcpy(copy, file, n);
        for (int i = 0; i <= k % 3; i++)
            copy[(size_t)rand_r(&seed) % n] = (char)rand_r(&seed);
        case_write("b.npy", copy, n);
        (void)read_one(&r, "b.npy");
        case_free(&r);
    }
}

static void test_labels_ids_axes(void **state)
{
    const double x[12] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11 };
    const int64_t y[2] = { 7, 3 };
    const uint64_t id[2] = { 12, UINT64_MAX };
    orr_table_opts o = one("x.npy");
    case_rows r;

    (void)state;
    npy("x.npy", 1, "{'descr': '<f8', 'fortran_order': False, 'shape': (2, 2, 3), }", x, sizeof x);
    npy("y.npy", 1, "{'descr': '<i8', 'fortran_order': False, 'shape': (2, 1), }", y, sizeof y);
    npy("id.npy", 1, "{'descr': '<u8', 'fortran_order': False, 'shape': (2,), }", id, sizeof id);
    npy("name.npy", 1, "{'descr': '|S3', 'fortran_order': False, 'shape': (2,), }", "ab\0cde", 6);
    o.label = "y.npy";
    o.axes = "cw";
    assert_int_equal(case_read(&r, &o, 1, 1, 1), ORR_OK);
    assert_int_equal(r.schema.n_classes, 2);
    assert_string_equal(r.schema.class_names[1], "7");
    assert_int_equal(r.schema.w * 10 + r.schema.c, 32);
    assert_memory_equal(r.x, ((float[]){ 0, 3, 1, 4, 2, 5, 6, 9, 7, 10, 8, 11 }), 48);
    assert_memory_equal(r.y, ((int32_t[]){ 1, 0 }), 8);
    case_free(&r);
    o.classes = (orr_strings){ 2, { "7", "4" } };
    case_expect(case_read(&r, &o, 1, 1, 1), ORR_ERR_FORMAT,
                "@/y.npy[1]: label 3 is not one of classes: [7, 4]");
    o.label_kind = "value";
    o.id = (orr_strings){ 1, { "name.npy" } };
    assert_int_equal(case_read(&r, &o, 1, 2, 1), ORR_OK);
    assert_memory_equal(r.y, ((float[]){ 7, 3 }), 8);
    assert_int_equal(r.schema.id_bytes, 20);
    assert_string_equal((char *)r.id + 20, "cde");
    case_free(&r);
    o.id = (orr_strings){ 1, { "id.npy" } };
    assert_int_equal(case_read(&r, &o, 1, 2, 1), ORR_OK);
    assert_int_equal(r.schema.id_bytes, 20);
    assert_string_equal((char *)r.id, "12");
    assert_memory_equal((char *)r.id + 20, "18446744073709551615", 20);
    case_free(&r);
    o.id = (orr_strings){ 1, { "x.npy" } };
    case_expect(case_read(&r, &o, 1, 2, 1), ORR_ERR_SHAPE, "@/x.npy: 6 ids for each sample");
    o.id = (orr_strings){ 1, { "y.npy, y.npy" } };
    case_expect(case_read(&r, &o, 1, 2, 1), ORR_ERR_SHAPE,
                "@/y.npy: 4 rows for id, and 2 samples in");
    o = one("x.npy");
    o.axes = "hwc";
    case_expect(case_read(&r, &o, 1, 2, 1), ORR_ERR_SHAPE,
                "@/x.npy: axes hwc, and a sample has 2 axes");
    o.axes = NULL;
    o.shape = (orr_reals){ 2, { 6, 1 } };
    o.files = (orr_strings){ 2, { "x.npy", "x.npy" } };
    o.skip_rows = 1;
    o.id_start = 10;
    assert_int_equal(case_read(&r, &o, 1, 3, 1), ORR_OK);
    assert_int_equal(r.n, 3);
    assert_true(((float *)r.x)[0] == 6 && ((float *)r.x)[6] == 0 && ((int64_t *)r.id)[2] == 13);
    case_free(&r);
    o.target = (orr_strings){ 1, { "a" } };
    case_expect(case_read(&r, &o, 1, 2, 1), ORR_ERR_OPTION,
                "input.target is for tables of named columns");
}

static void test_values(void **state)
{
    float x[6] = { 1, 2, 3, 4, 5, 300 };
    double d[2] = { 1, 1e300 };
    orr_table_opts o = one("a.npy");
    case_rows r;

    (void)state;
    o.type = "uint8";
    npy("a.npy", 1, "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }", x, sizeof x);
    case_expect(case_read(&r, &o, 1, 2, 2), ORR_ERR_FORMAT,
                "@/a.npy[1, 2] is 300, not an integer from 0 to 255");
    o.type = NULL;
    x[4] = __builtin_nanf("");
    x[1] = __builtin_inff();
    npy("a.npy", 1, "{'descr': '<f4', 'fortran_order': True, 'shape': (2, 3), }", x, sizeof x);
    case_expect(case_read(&r, &o, 1, 2, 2), ORR_ERR_FORMAT,
                "@/a.npy[0, 2] is nan; fix the file, or set nan: drop or keep");
    x[4] = 0;
    npy("a.npy", 1, "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }", x, sizeof x);
    case_expect(case_read(&r, &o, 1, 2, 2), ORR_ERR_FORMAT,
                "@/a.npy[0, 1] is inf; fix the file, or set nan: drop or keep");
    o.nan = "keep";
    assert_int_equal(case_read(&r, &o, 1, 2, 2), ORR_OK);
    assert_true(isnan(((float *)r.x)[1])); /* no value is stored as NaN alone */
    ((float *)r.x)[1] = x[1];
    assert_memory_equal(r.x, x, sizeof x);
    case_free(&r);
    o.nan = NULL;
    npy("a.npy", 1, "{'descr': '<f8', 'fortran_order': False, 'shape': (2,), }", d, sizeof d);
    case_expect(case_read(&r, &o, 1, 2, 2), ORR_ERR_FORMAT,
                "@/a.npy[1] is 1e+300, too large for float32");
}

static void test_npz_faults(void **state)
{
    char path[512];
    orr_table_opts o = one("a.npz");
    case_rows r;

    (void)state;
    case_write("a.npz", "PK\3\4 not much of a zip", 22);
    case_expect(case_read(&r, &o, 1, 1, 1), ORR_ERR_FORMAT, "@/a.npz");
    case_write("a.npz", "", 0);
    case_expect(case_read(&r, &o, 1, 1, 1), ORR_ERR_FORMAT, "@/a.npz: the file is empty");
    if (!case_real(path, sizeof path, "kepler/koi-folded-201.npz")) return;
    o.files.v[0] = path;
    if (path[0] != '/') return;
    o.features = "x";
    case_expect(case_read(&r, &o, 1, 1, 1), ORR_ERR_FORMAT,
                "koi-folded-201.npz: no array x.npy; it holds: X.npy, y.npy");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_versions),
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_bad),
        cmocka_unit_test(test_cut_and_flip),
        cmocka_unit_test(test_labels_ids_axes),
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_npz_faults),
    };

    return cmocka_run_group_tests(tests, case_folder_make, case_folder_remove);
}
