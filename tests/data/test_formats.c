/* tests/data/test_formats.c - every row of the list of formats: a small file of it is known by each
 * end of a name and by its bytes, plain and in every packing, and refused when it is cut. */
#include "reader_cases.h"

#include "data/formats/columns.h"
#include "data/formats/list.h"

#include <archive.h>
#include <archive_entry.h>
#include <fitsio.h>
#include <hdf5.h>

/* All hold two samples of two values: 1, 2 and 3, 4. */
static const float values[4] = { 1, 2, 3, 4 };

static void make_csv(const char *path)
{
    FILE *f = fopen(path, "wb");

    assert_non_null(f);
    assert_true(fputs("# a comment\nu,g\n1,2\n3,4\n", f) >= 0);
    assert_int_equal(fclose(f), 0);
}

static void make_fits(const char *path)
{
    char name[300], u_name[] = "u", g_name[] = "g", form[] = "1E";
    char *columns[] = { u_name, g_name }, *forms[] = { form, form };
    float u[] = { 1, 3 }, g[] = { 2, 4 };
    fitsfile *f = NULL;
    int status = 0;

    snprintf(name, sizeof name, "!%s", path);
    fits_create_file(&f, name, &status);
    fits_create_tbl(f, BINARY_TBL, 2, 2, columns, forms, NULL, "T", &status);
    fits_write_col(f, TFLOAT, 1, 1, 1, 2, u, &status);
    fits_write_col(f, TFLOAT, 2, 1, 1, 2, g, &status);
    fits_close_file(f, &status);
    assert_int_equal(status, 0);
}

static size_t npy_bytes(char out[200])
{
    int n = snprintf(out, 200, "%c%s%c%c%c%c%-117s\n", 0x93, "NUMPY", 1, 1, 118, 1,
                     "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 2), }");

    assert_int_equal(n, 128);
    out[7] = out[9] = 0;
    memcpy(out + 128, values, sizeof values);
    return 128 + sizeof values;
}

static void make_npy(const char *path)
{
    char bytes[200];
    size_t n = npy_bytes(bytes);
    FILE *f = fopen(path, "wb");

    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, n, f), n);
    assert_int_equal(fclose(f), 0);
}

static void write_entry(struct archive *a, const char *path, const char *entry, const void *data,
                        size_t n)
{
    struct archive_entry *e = archive_entry_new();

    assert_int_equal(archive_write_open_filename(a, path), ARCHIVE_OK);
    archive_entry_set_pathname(e, entry);
    archive_entry_set_size(e, (la_int64_t)n);
    archive_entry_set_filetype(e, AE_IFREG);
    assert_int_equal(archive_write_header(a, e), ARCHIVE_OK);
    assert_int_equal(archive_write_data(a, data, n), n);
    archive_entry_free(e);
    assert_int_equal(archive_write_close(a), ARCHIVE_OK);
    archive_write_free(a);
}

static void make_npz(const char *path)
{
    struct archive *a = archive_write_new();
    char bytes[200];

    assert_int_equal(archive_write_set_format_zip(a), ARCHIVE_OK);
    write_entry(a, path, "x.npy", bytes, npy_bytes(bytes));
}

static void make_hdf5(const char *path)
{
    hsize_t dims[] = { 2, 2 };
    hid_t file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    hid_t space = H5Screate_simple(2, dims, NULL);
    hid_t d = H5Dcreate2(file, "x", H5T_NATIVE_FLOAT, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);

    assert_true(H5Dwrite(d, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) >= 0);
    H5Dclose(d);
    H5Sclose(space);
    assert_true(H5Fclose(file) >= 0);
}

static void make_idx(const char *path)
{
    static const unsigned char bytes[] = { 0, 0, 8, 2, 0, 0, 0, 2, 0, 0, 0, 2, 1, 2, 3, 4 };
    FILE *f = fopen(path, "wb");

    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, sizeof bytes, f), sizeof bytes);
    assert_int_equal(fclose(f), 0);
}

static const struct {
    const char *format;
    void (*make)(const char *path);
    size_t cut; /* bytes that a cut file lacks */
} makers[] = {
    { "csv", make_csv, 3 },  { "fits", make_fits, 5000 }, { "npy", make_npy, 1 },
    { "npz", make_npz, 30 }, { "hdf5", make_hdf5, 8 },    { "idx", make_idx, 1 },
};
enum { N_MAKERS = sizeof makers / sizeof *makers };

static size_t read_file(const char *name, char **bytes)
{
    char path[256];
    size_t n;
    FILE *f;

    case_path(path, sizeof path, name);
    assert_non_null(f = fopen(path, "rb"));
    assert_non_null(*bytes = malloc(1 << 20));
    n = fread(*bytes, 1, 1 << 20, f);
    fclose(f);
    return n;
}

static orr_status open_table(const char *name, int check)
{
    const orr_table_opts o = { .files = { 1, { name } }, .type = "float32" };
    case_rows r;

    ORR_TRY(case_read(&r, &o, 1 << 20, 2, 1));
    if (check) {
        assert_int_equal(r.n, 2);
        assert_memory_equal(r.x, values, sizeof values);
    }
    case_free(&r);
    return ORR_OK;
}

static void expect_read(const char *name)
{
    if (open_table(name, 1) != ORR_OK) fail_msg("%s: %s", name, orr_error_text());
}

static void expect_columns(const orr_format *f, const char *name)
{
    orr_columns *c = NULL;
    char path[256];
    orr_status st;

    case_path(path, sizeof path, name);
    st = orr_columns_open(&c, path, "");
    if (f->is_text || (f->read_records && !f->open_array)) {
        if (st != ORR_OK) fail_msg("%s", orr_error_text());
        assert_string_equal(orr_columns_name(c, 1), "g");
        orr_columns_close(c);
    } else {
        case_expect(st, ORR_ERR_FORMAT, "named columns");
    }
}

static void expect_packed(const orr_format *f, const char *ending, const char *bytes, size_t n)
{
    const orr_packing *p;

    for (int i = 0; (p = orr_packing_at(i)); i++) {
        char name[64], path[256];

        for (int k = 0; k < 2; k++) {
            struct archive *a = archive_write_new();

            snprintf(name, sizeof name, "p%s%s", k ? "" : ending, k ? "" : p->ending);
            case_path(path, sizeof path, name);
            assert_int_equal(archive_write_add_filter_by_name(a, p->name), ARCHIVE_OK);
            assert_int_equal(archive_write_set_format_raw(a), ARCHIVE_OK);
            write_entry(a, path, "x", bytes, n);
            expect_read(name);
            if (k == 0) assert_ptr_equal(orr_format_of_name(name), f);
        }
    }
}

static void visit(const orr_format *f)
{
    char path[256], name[64], *bytes;
    int k = 0;
    size_t n;

    while (k < N_MAKERS && strcmp(makers[k].format, f->name) != 0)
        k++;
    if (k == N_MAKERS) fail_msg("no small file of the format %s is made here", f->name);
    assert_ptr_equal(orr_format_named(f->name), f);
    assert_true(f->help && f->endings[0] && f->sniff);
    assert_true(f->is_text || f->read_records || f->open_array);
    case_path(path, sizeof path, "plain");
    makers[k].make(path);
    n = read_file("plain", &bytes);
    expect_read("plain"); /* by its bytes */
    expect_columns(f, "plain");
    for (const char *const *end = f->endings; *end; end++) {
        snprintf(name, sizeof name, "t%s", *end);
        case_write(name, bytes, n);
        assert_ptr_equal(orr_format_of_name(name), f);
        expect_read(name);
        case_write(name, bytes, n - makers[k].cut);
        if (open_table(name, 0) == ORR_OK) fail_msg("a cut %s was read", name);
        if (!f->is_container) expect_packed(f, *end, bytes, n);
    }
    free(bytes);
}

static void test_rows(void **state)
{
    const orr_format *f;
    int n = 0;

    (void)state;
    for (; (f = orr_format_at(n)); n++)
        visit(f);
    assert_int_equal(n, N_MAKERS);
    assert_null(orr_format_at(-1));
    assert_null(orr_format_named("csvx"));
    assert_null(orr_format_of_name("a.gz"));
}

/* The help of a row names its endings, and every row is a choice. */
static void test_help(void **state)
{
    orr_kind_help help;
    const orr_format *f;
    int i = 0;

    (void)state;
    assert_string_equal(orr_format_choice(0), "auto");
    for (; (f = orr_format_at(i)); i++) {
        assert_string_equal(orr_format_choice(i + 1), f->name);
        assert_true(orr_format_kind_help(i, &help));
        assert_string_equal(help.name, f->name);
        for (const char *const *end = f->endings; *end; end++)
            assert_non_null(strstr(help.help, *end));
    }
    assert_null(orr_format_choice(i + 1));
    assert_false(orr_format_kind_help(i, &help));
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_rows), cmocka_unit_test(test_help) };

    return cmocka_run_group_tests(tests, case_folder_make, case_folder_remove);
}
