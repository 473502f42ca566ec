/* tests/data/test_hdf5_reader.c - datasets of foreign HDF5 files; those other libraries write are
 * in arrays.py. */
#include "reader_cases.h"

#include <hdf5.h>
#include <stdint.h>

static void write_file(const char *name, int chunk)
{
    hsize_t dims[3] = { 10, 3, 2 }, chunks[3] = { 4, 3, 2 }, n[1] = { 10 };
    double x[60];
    int8_t y[10];
    uint64_t id[10];
    char path[256];
    hid_t file, space, dcpl = H5Pcreate(H5P_DATASET_CREATE), d, group;

    for (int i = 0; i < 60; i++)
        x[i] = i;
    for (int i = 0; i < 10; i++) {
        y[i] = (int8_t)(i % 3);
        id[i] = (uint64_t)(100 + i);
    }
    case_path(path, sizeof path, name);
    file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    group = H5Gcreate2(file, "g", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    if (chunk) {
        H5Pset_chunk(dcpl, 3, chunks);
        H5Pset_deflate(dcpl, 4);
    }
    space = H5Screate_simple(3, dims, NULL);
    d = H5Dcreate2(group, "x", H5T_IEEE_F64BE, space, H5P_DEFAULT, dcpl, H5P_DEFAULT);
    assert_true(H5Dwrite(d, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, x) >= 0);
    H5Dclose(d);
    H5Sclose(space);
    space = H5Screate_simple(1, n, NULL);
    d = H5Dcreate2(file, "y", H5T_STD_I8LE, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    assert_true(H5Dwrite(d, H5T_NATIVE_INT8, H5S_ALL, H5S_ALL, H5P_DEFAULT, y) >= 0);
    H5Dclose(d);
    d = H5Dcreate2(file, "id", H5T_STD_U64BE, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    assert_true(H5Dwrite(d, H5T_NATIVE_UINT64, H5S_ALL, H5S_ALL, H5P_DEFAULT, id) >= 0);
    H5Dclose(d);
    H5Sclose(space);
    H5Pclose(dcpl);
    H5Gclose(group);
    H5Fclose(file);
}

static void test_good(void **state)
{
    orr_table_opts o = { .files = { 2, { "a.h5", "b.h5" } },
                         .features = "g/x",
                         .label = "y",
                         .id = { 1, { "/id" } },
                         .axes = "cw" };
    case_rows r;

    (void)state;
    write_file("a.h5", 0);
    write_file("b.h5", 1);
    for (int64_t block = 1; block <= 21; block++) {
        const float *x;

        if (case_read(&r, &o, 1, block, 2) != ORR_OK) fail_msg("%s", orr_error_text());
        assert_int_equal(r.n, 20);
        assert_int_equal(r.schema.w * 10 + r.schema.c, 23);
        x = r.x;
        for (int i = 0; i < 20; i++) {
            assert_int_equal(((int64_t *)r.id)[i], 100 + i % 10);
            assert_int_equal(((int32_t *)r.y)[i], i % 10 % 3);
            for (int w = 0; w < 2; w++)
                for (int c = 0; c < 3; c++)
                    assert_true(x[i * 6 + w * 3 + c] == (float)(i % 10 * 6 + c * 2 + w));
        }
        case_free(&r);
    }
}

static void test_bad(void **state)
{
    orr_table_opts o = { .files = { 1, { "a.h5" } }, .features = "g/z" };
    static char file[1 << 16];
    char path[256];
    case_rows r;
    size_t n;
    FILE *f;

    (void)state;
    write_file("a.h5", 1);
    case_expect(case_read(&r, &o, 1, 1, 1), ORR_ERR_FORMAT,
                "@/a.h5: no dataset g/z; it holds: g, id, y");
    o.features = "g";
    case_expect(case_read(&r, &o, 1, 1, 1), ORR_ERR_FORMAT, "@/a.h5: no dataset g;");
    o.features = "y/x";
    case_expect(case_read(&r, &o, 1, 1, 1), ORR_ERR_FORMAT, "@/a.h5: no dataset y/x;");
    o.features = NULL;
    case_expect(case_read(&r, &o, 1, 1, 1), ORR_ERR_FORMAT,
                "@/a.h5: no dataset x; it holds: g, id, y");
    o.features = "g/x";
    o.label = "id";
    case_expect(case_read(&r, &o, 1, 3, 1), ORR_ERR_OPTION, "different values in");
    o.classes = (orr_strings){ 1, { "numbers" } };
    assert_int_equal(case_read(&r, &o, 1, 3, 1), ORR_OK);
    case_free(&r);
    o.classes = (orr_strings){ 1, { "100" } };
    case_expect(case_read(&r, &o, 1, 3, 1), ORR_ERR_FORMAT,
                "@/a.h5: id[1]: label 101 is not one of classes: [100]");
    o.label = NULL;
    case_path(path, sizeof path, "a.h5");
    assert_non_null(f = fopen(path, "rb"));
    n = fread(file, 1, sizeof file, f);
    fclose(f);
    for (size_t k = 1; k < n; k += n / 40 + 1) {
        case_write("b.h5", file, k);
        o.files.v[0] = "b.h5";
        case_expect(case_read(&r, &o, 1, 1, 1), ORR_ERR_FORMAT, "@/b.h5");
    }
    case_write("b.h5", "LABEL,FLUX\n1,2\n", 15);
    case_expect(case_read(&r, &o, 1, 1, 1), ORR_ERR_FORMAT, "@/b.h5");
    o.files.v[0] = "none.h5";
    case_expect(case_read(&r, &o, 1, 1, 1), ORR_ERR_IO, "@/none.h5");
}

/* Addresses of the root group's tree and names that no file reaches: HDF5's own drivers copy from
 * them. */
static void test_addresses(void **state)
{
    orr_table_opts o = { .files = { 1, { "b.h5" } }, .features = "g/x" };
    char file[1 << 14], path[256];
    case_rows r;
    size_t n;
    FILE *f;

    (void)state;
    write_file("a.h5", 1);
    case_path(path, sizeof path, "a.h5");
    for (size_t at = 120; at <= 128; at += 8) {
        assert_non_null(f = fopen(path, "rb"));
        n = fread(file, 1, sizeof file, f);
        fclose(f);
        memset(file + at, 255, 8);
        case_write("b.h5", file, n);
        case_expect(case_read(&r, &o, 1, 5, 1), ORR_ERR_FORMAT, "@/b.h5: no dataset g/x");
        o.features = "rest";
        case_expect(case_read(&r, &o, 1, 5, 1), ORR_ERR_FORMAT, "@/b.h5: no dataset x");
        o.features = "g/x";
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_good), cmocka_unit_test(test_bad),
                                        cmocka_unit_test(test_addresses) };

    return cmocka_run_group_tests(tests, case_folder_make, case_folder_remove);
}
