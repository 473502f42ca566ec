/* Files of named arrays: they come back as they went in, one that is damaged anywhere is refused,
 * sizes that a file makes up ask for no memory, and what fails leaves what was there. */
#include "core/memory.h"
#include "core/text.h"
#include "data/shard_help.h"
#include "data/storage/shared_file.h"
#include "data/storage/storage.h"

#include <fcntl.h>
#include <hdf5.h>
#include <sys/stat.h>

enum { ROWS = 37, COLUMNS = 5, IDS = 9 };
static const char format[] = "storage-test-1";
static char dir[ORR_PATH_MAX];
static const char words[] = "some words, \xc3\xa9";

static const char *in(const char *name)
{
    static char paths[4][ORR_PATH_MAX];
    static int next;
    char *path = paths[next++ % 4];

    assert_ok(orr_path_join(path, dir, name));
    return path;
}

static int exists_tmp(const char *path)
{
    char tmp[ORR_PATH_MAX];

    assert_ok(orr_tmp_path(tmp, path));
    return orr_path_exists(tmp);
}

/* ---- content of all types ---- */
typedef struct content {
    float f32[ROWS * COLUMNS];
    double f64[ROWS];
    uint16_t f16[COLUMNS];
    uint8_t u8[ROWS * COLUMNS];
    int32_t i32[ROWS];
    int64_t i64[2];
    char ids[ROWS][IDS];
} content;

static void fill(content *c, int seed)
{
    memset(c, 0, sizeof *c);
    for (int i = 0; i < ROWS * COLUMNS; i++) {
        c->f32[i] = (float)(i + seed) / 3;
        c->u8[i] = (uint8_t)(i * 7 + seed);
    }
    for (int i = 0; i < ROWS; i++) {
        c->f64[i] = 1e300 / (i + seed + 1);
        c->i32[i] = -i - seed;
        snprintf(c->ids[i], IDS, "star-%d", i + seed);
    }
    for (int i = 0; i < COLUMNS; i++)
        c->f16[i] = (uint16_t)(0x3c00 + i);
    c->i64[0] = INT64_MIN + seed;
    c->i64[1] = INT64_MAX;
}

static orr_status put(orr_store_writer *w, const content *c)
{
    ORR_TRY(orr_store_set_int(w, "number", -5));
    ORR_TRY(orr_store_set_texts(w, "names", "a\0\0bcd", 3, 2));
    ORR_TRY(orr_store_put_text(w, "words", words));
    ORR_TRY(orr_store_put_group(w, "deep"));
    ORR_TRY(orr_store_put(w, "deep/f32", orr_store_matrix(ORR_STORE_F32, ROWS, COLUMNS), c->f32));
    ORR_TRY(orr_store_put(w, "f64", orr_store_vector(ORR_STORE_F64, ROWS), c->f64));
    ORR_TRY(orr_store_put(w, "f16", orr_store_vector(ORR_STORE_F16, COLUMNS), c->f16));
    ORR_TRY(orr_store_put(w, "u8", orr_store_matrix(ORR_STORE_U8, ROWS, COLUMNS), c->u8));
    ORR_TRY(orr_store_put(w, "i32", orr_store_vector(ORR_STORE_I32, ROWS), c->i32));
    ORR_TRY(orr_store_put(w, "empty", orr_store_vector(ORR_STORE_I32, 0), c->i32));
    ORR_TRY(orr_store_put(w, "i64", orr_store_vector(ORR_STORE_I64, 2), c->i64));
    return orr_store_put(w, "ids", orr_store_vector(ORR_STORE_TEXT_OF(IDS), ROWS), c->ids);
}

static orr_status save(const char *path, int seed)
{
    content c;
    orr_store_writer *w;
    orr_status st;

    fill(&c, seed);
    st = orr_store_begin(&w, path, format);
    if (st == ORR_OK) st = put(w, &c);
    return orr_store_commit(w, st);
}

static orr_status get(orr_store_reader *r, content *c)
{
    char *text = NULL;
    orr_status st = orr_store_get_text(r, "words", &text);

    if (st == ORR_OK && strcmp(text, words) != 0)
        st = orr_fail(ORR_ERR_FORMAT, "other words: damaged");
    orr_free(text);
    ORR_TRY(st);
    ORR_TRY(orr_store_get(r, "deep/f32", ORR_STORE_F32, ROWS * COLUMNS, c->f32));
    ORR_TRY(orr_store_get(r, "f64", ORR_STORE_F64, ROWS, c->f64));
    ORR_TRY(orr_store_get(r, "f16", ORR_STORE_F16, COLUMNS, c->f16));
    ORR_TRY(orr_store_pass(r, "u8"));
    ORR_TRY(orr_store_get(r, "i32", ORR_STORE_I32, ROWS, c->i32));
    ORR_TRY(orr_store_get(r, "empty", ORR_STORE_I32, 0, c->i32));
    ORR_TRY(orr_store_get(r, "i64", ORR_STORE_I64, 2, c->i64));
    return orr_store_get(r, "ids", ORR_STORE_TEXT_OF(IDS), ROWS, c->ids);
}

static orr_status load(const char *path, content *c)
{
    orr_store_reader *r;
    orr_status st = orr_store_open(&r, path, format);

    memset(c, 0, sizeof *c);
    if (st == ORR_OK) st = get(r, c);
    if (st == ORR_OK) st = orr_store_verify(r);
    orr_store_close(r);
    return st;
}

static void expect_seed(const char *path, int seed)
{
    content want, have;

    fill(&want, seed);
    assert_ok(load(path, &have));
    memset(want.u8, 0, sizeof want.u8); /* passed over */
    assert_memory_equal(&want, &have, sizeof want);
}

static void test_summed(void **state)
{
    const char *path = in("summed.h5");
    int64_t number = 0;
    char names[2][8], sum[ORR_SHA256_HEX];
    orr_store_reader *r;
    content c;

    (void)state;
    assert_ok(save(path, 0));
    assert_false(exists_tmp(path));
    expect_seed(path, 0);
    assert_ok(orr_store_open(&r, path, NULL));
    assert_ok(orr_store_attr_int(r, "number", &number));
    assert_int_equal(number, -5);
    assert_ok(orr_store_attr_texts(r, "names", names[0], 8, 2));
    assert_string_equal(names[0], "a");
    assert_string_equal(names[1], "bcd");
    assert_fails(orr_store_attr_texts(r, "names", names[0], 8, 3), ORR_ERR_FORMAT, "2 strings");
    assert_fails(orr_store_attr_texts(r, "names", names[0], 3, 2), ORR_ERR_FORMAT, "longer than 2");
    assert_true(orr_store_has(r, "sha256") && !orr_store_has(r, "sha"));
    assert_ok(orr_store_attr_text(r, "sha256", sum, sizeof sum));
    assert_int_equal(orr_store_count(r, "u8"), ROWS * COLUMNS);
    assert_int_equal(orr_store_count(r, "u9"), -1);
    assert_int_equal(orr_store_count(r, "deeper/f32"), -1);
    assert_fails(orr_store_get(r, "i32", ORR_STORE_I32, 3, c.i32), ORR_ERR_FORMAT, "3 expected");
    assert_fails(orr_store_verify(r), ORR_ERR_FORMAT, "does not match its checksum");
    orr_store_close(r);
    assert_fails(orr_store_open(&r, path, "storage-test-2"), ORR_ERR_FORMAT, "storage-test-1");
    assert_null(r);
}

/* Each byte of the file with one bit turned, and each length: never other content, never a crash.
 */
static void test_damaged(void **state)
{
    const char *path = in("damaged.h5");
    content want, c;
    struct stat info;
    int refused = 0;
    char byte;
    int fd;

    (void)state;
    assert_ok(save(path, 3));
    fill(&want, 3);
    memset(want.u8, 0, sizeof want.u8);
    assert_int_equal(stat(path, &info), 0);
    fd = open(path, O_RDWR);
    for (off_t at = 0; at < info.st_size; at += 3) {
        orr_status st;
        assert_int_equal(pread(fd, &byte, 1, at), 1);
        byte ^= 16;
        assert_int_equal(pwrite(fd, &byte, 1, at), 1);
        st = load(path, &c);
        if (st == ORR_OK) assert_memory_equal(&c, &want, sizeof c); /* a byte that means nothing */
        refused += st != ORR_OK;
        byte ^= 16;
        assert_int_equal(pwrite(fd, &byte, 1, at), 1);
    }
    assert_true(refused > 300);
    for (off_t length = info.st_size - 1; length > 0; length -= 97) {
        assert_int_equal(ftruncate(fd, length), 0);
        assert_fails(load(path, &c), ORR_ERR_FORMAT, "truncated");
    }
    close(fd);
}

/* ---- what fails leaves what was there ---- */
static void test_failures(void **state)
{
    const char *path = in("kept.h5");
    orr_store_writer *w;
    orr_store_image *image;
    content c;

    (void)state;
    assert_ok(save(path, 1));
    fill(&c, 2);
    assert_ok(orr_store_begin(&w, path, format));
    assert_int_equal(orr_store_commit(w, orr_fail(ORR_ERR_IO, "mine")), ORR_ERR_IO);
    assert_string_equal(orr_error_text(), "mine");
    assert_ok(orr_store_begin_plain(&w, path, 1 << 20));
    assert_true(exists_tmp(path));
    assert_int_equal(orr_store_commit(w, orr_fail(ORR_ERR_IO, "mine")), ORR_ERR_IO);
    assert_false(exists_tmp(path));
    assert_ok(orr_store_begin(&w, path, format));
    assert_ok(orr_store_lay_out(w, "later", orr_store_vector(ORR_STORE_F64, 3)));
    assert_ok(orr_store_pause(w));
    assert_true(exists_tmp(path));
    assert_int_equal(orr_store_commit(w, orr_fail(ORR_ERR_IO, "mine")), ORR_ERR_IO);
    assert_false(exists_tmp(path));
    assert_ok(orr_store_begin(&w, path, format));
    assert_int_equal(orr_store_take(w, ORR_ERR_IO, &image), ORR_ERR_IO);
    assert_null(image);
    assert_int_equal(orr_store_commit(NULL, ORR_ERR_SHAPE), ORR_ERR_SHAPE);
    assert_fails(orr_store_begin_plain(&w, in("none/x.h5"), 1), ORR_ERR_IO, "cannot create");
    assert_null(w);
    assert_ok(orr_store_begin(&w, path, format));
    assert_fails(
        orr_store_put(w, "odd", orr_store_vector((orr_store_type){ ORR_STORE_INT, 3 }, 1), c.i32),
        ORR_ERR_ARG, "no type that is stored");
    assert_fails(orr_store_put(w, "less", orr_store_vector(ORR_STORE_I32, -1), c.i32), ORR_ERR_ARG,
                 "name or shape");
    assert_int_equal(orr_store_commit(w, ORR_ERR_ARG), ORR_ERR_ARG);
    expect_seed(path, 1);
}

static void test_no_memory(void **state)
{
    const char *path = in("memory.h5");
    orr_status st = ORR_ERR_NOMEM;
    content c;
    int failed = 0;

    (void)state;
    assert_ok(save(path, 1));
    for (int k = 1; st != ORR_OK; k++) {
        orr_alloc_fail_at(k);
        st = save(path, 2);
        orr_alloc_fail_at(0);
        if (st == ORR_OK) break;
        expect_seed(path, 1);
        failed++;
    }
    st = ORR_ERR_NOMEM;
    for (int k = 1; st != ORR_OK; k++) {
        orr_alloc_fail_at(k);
        st = load(path, &c);
        orr_alloc_fail_at(0);
        if (st != ORR_OK) assert_int_equal(st, ORR_ERR_NOMEM);
        failed++;
    }
    assert_true(failed > 8);
    expect_seed(path, 2);
}

/* ---- plain files: rows ---- */
static void check_rows(const char *path, const char *name, const content *c, int in_place)
{
    orr_store_array a = orr_store_matrix(ORR_STORE_F32, ROWS, COLUMNS);
    float rows[ROWS * COLUMNS];
    orr_store_reader *r;

    assert_ok(orr_store_open(&r, path, NULL));
    for (int first = 0; first < ROWS; first += 4)
        for (int n = 1; first + n <= ROWS; n += 5) {
            assert_ok(orr_store_get_rows(r, name, &a, first, n, rows));
            assert_memory_equal(rows, c->f32 + first * COLUMNS,
                                (size_t)n * COLUMNS * sizeof(float));
        }
    assert_fails(orr_store_get_rows(r, name, &a, ROWS - 1, 2, rows), ORR_ERR_FORMAT,
                 "rows 36 to 37");
    assert_fails(orr_store_get_rows(r, name, &a, -1, 2, rows), ORR_ERR_FORMAT, "cannot read rows");
    a.dims[1] = COLUMNS + 1;
    assert_fails(orr_store_get_rows(r, name, &a, 0, 2, rows), ORR_ERR_FORMAT, "cannot read rows");
    a.dims[1] = COLUMNS;
    assert_int_equal(orr_store_place(r, name, &a) > 0, in_place);
    if (in_place) {
        int fd = open(path, O_RDONLY);
        assert_int_equal(pread(fd, rows, sizeof rows, orr_store_place(r, name, &a)), sizeof rows);
        assert_memory_equal(rows, c->f32, sizeof rows);
        close(fd);
    }
    a.type = ORR_STORE_F64;
    assert_int_equal(orr_store_place(r, name, &a), -1);
    orr_store_close(r);
}

static void test_plain(void **state)
{
    const orr_store_array a = orr_store_matrix(ORR_STORE_F32, ROWS, COLUMNS);
    const char files[2][16] = { "plain.h5", "again.h5" };
    const int64_t rows[2] = { ROWS, ROWS };
    const orr_store_parts parts = { 2, files[0], sizeof files[0], rows };
    orr_store_array all = orr_store_matrix(ORR_STORE_F32, 2 * ROWS, COLUMNS), have;
    float both[2 * ROWS * COLUMNS];
    orr_store_writer *w;
    orr_store_reader *r;
    content c;

    (void)state;
    fill(&c, 0);
    for (int i = 0; i < 2; i++) {
        assert_ok(orr_store_begin_plain(&w, in(files[i]), 1 << 20));
        assert_ok(orr_store_put(w, "x", a, c.f32));
        assert_ok(orr_store_put_packed(w, "packed", a, 7, 6, c.f32));
        assert_ok(orr_store_commit(w, ORR_OK));
        check_rows(in(files[i]), "x", &c, 1);
        check_rows(in(files[i]), "packed", &c, 0);
    }
    assert_ok(orr_store_begin_plain(&w, in("index.h5"), 1 << 20));
    assert_ok(orr_store_put_virtual(w, "x", all, &parts));
    assert_ok(orr_store_commit(w, ORR_OK));
    assert_ok(orr_store_open(&r, in("index.h5"), NULL));
    assert_ok(orr_store_look(r, "x", &have));
    assert_true(have.n_dims == 2 && have.dims[0] == 2 * ROWS && have.dims[1] == COLUMNS);
    assert_true(have.type.kind == ORR_STORE_FLOAT && have.type.bytes == 4);
    assert_fails(orr_store_get_rows(r, "x", &all, 0, 2 * ROWS, both), ORR_ERR_FORMAT,
                 "the values of /x lie in other files");
    orr_store_close(r);
}

/* ---- a file that is filled in between ---- */
static void test_shared_alone(void **state)
{
    static const char *const names[] = { "a", "b" };
    const char *path = in("shared.h5");
    const double rows[4] = { 1, 2, 3, 4 };
    double back[6];
    orr_store_writer *w;
    orr_store_shared *s;
    orr_store_reader *r;

    (void)state;
    for (int fails = 0; fails < 2; fails++) {
        assert_ok(orr_store_begin(&w, path, format));
        assert_ok(orr_store_put_text(w, "words", words));
        assert_ok(orr_store_lay_out(w, "a", orr_store_matrix(ORR_STORE_F64, 3, 2)));
        assert_ok(orr_store_lay_out(w, "b", orr_store_vector(ORR_STORE_F64, 4)));
        assert_ok(orr_store_pause(w));
        assert_ok(orr_store_shared_create(&s, path, names, 2));
        assert_ok(orr_store_shared_open(s, NULL));
        assert_ok(orr_store_shared_write(s, 0, 1, 2, rows));
        assert_ok(orr_store_shared_write(s, 0, 0, 0, NULL));
        if (fails)
            assert_int_equal(orr_store_shared_fail(s, orr_fail(ORR_ERR_IO, "mine")), ORR_ERR_IO);
        assert_int_equal(orr_store_shared_write(s, 0, 0, 1, rows + 2), fails ? ORR_ERR_IO : ORR_OK);
        assert_int_equal(orr_store_shared_write(s, 1, 0, 4, rows), fails ? ORR_ERR_IO : ORR_OK);
        assert_int_equal(orr_store_shared_close(s), fails ? ORR_ERR_IO : ORR_OK);
        if (fails) assert_string_equal(orr_error_text(), "mine");
        if (!fails) assert_ok(orr_store_go_on(w));
        assert_int_equal(orr_store_commit(w, fails ? ORR_ERR_IO : ORR_OK),
                         fails ? ORR_ERR_IO : ORR_OK);
    }
    assert_ok(orr_store_open(&r, path, format)); /* the first is still there */
    assert_ok(orr_store_pass(r, "words"));
    assert_ok(orr_store_get(r, "a", ORR_STORE_F64, 6, back));
    assert_true(back[0] == 3 && back[1] == 4 && back[2] == 1 && back[5] == 4);
    assert_ok(orr_store_get(r, "b", ORR_STORE_F64, 4, back));
    assert_memory_equal(back, rows, sizeof rows);
    assert_ok(orr_store_verify(r));
    orr_store_close(r);
    assert_ok(orr_store_shared_create(&s, path, names, 2));
    assert_fails(orr_store_shared_open(s, NULL), ORR_ERR_IO, "cannot open");
    assert_fails(orr_store_shared_close(s), ORR_ERR_IO, "cannot open");
}

/* Rows that are not there are this process's failure, and nothing of it is written any more. */
static void test_shared_range(void **state)
{
    static const char *const names[] = { "b" };
    const char *path = in("range.h5");
    const double rows[4] = { 1, 2, 3, 4 };
    orr_store_writer *w;
    orr_store_shared *s;

    (void)state;
    assert_ok(orr_store_begin_plain(&w, path, 1 << 20));
    assert_ok(orr_store_lay_out(w, "b", orr_store_vector(ORR_STORE_F64, 4)));
    assert_ok(orr_store_leave(w, ORR_OK));
    assert_true(exists_tmp(path));
    assert_ok(orr_store_shared_create(&s, path, names, 1));
    assert_ok(orr_store_shared_open(s, NULL));
    assert_fails(orr_store_shared_write(s, 0, 2, 3, rows), ORR_ERR_ARG, "rows 2 to 5 of 4");
    assert_fails(orr_store_shared_write(s, 0, 0, 4, rows), ORR_ERR_ARG, "rows 2 to 5 of 4");
    assert_fails(orr_store_shared_close(s), ORR_ERR_ARG, "rows 2 to 5 of 4");
    assert_ok(orr_store_name_tmp(path, 0));
    assert_ok(orr_store_name_tmp(path, 0)); /* gone already: fine */
    assert_false(exists_tmp(path) || orr_path_exists(path));
}

/* ---- foreign files ---- */
static void make(hid_t f, const char *name, hid_t type, int rank, hsize_t rows, hid_t dcpl)
{
    const hsize_t dims[5] = { rows, 1, 1, 1, 1 };
    hid_t space = rank ? H5Screate_simple(rank, dims, NULL) : H5Screate(H5S_SCALAR);
    hid_t set = H5Dcreate2(f, name, type, space, H5P_DEFAULT, dcpl, H5P_DEFAULT);

    assert_true(set >= 0);
    H5Dclose(set);
    H5Sclose(space);
}

static void test_sizes_made_up(void **state)
{
    const char *path = in("foreign.h5");
    const hsize_t chunk = 1000;
    hid_t f = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT), text = H5Tcopy(H5T_C_S1),
          chunked = H5Pcreate(H5P_DATASET_CREATE), wide = H5Tcopy(H5T_C_S1);
    orr_store_reader *r;
    orr_store_array a;
    char *out;
    void *data = &a;

    (void)state;
    H5Pset_chunk(chunked, 1, &chunk);
    H5Tset_size(text, H5T_VARIABLE);
    H5Tset_size(wide, (size_t)1 << 29);
    make(f, "large", H5T_IEEE_F64LE, 1, (hsize_t)1 << 40, chunked); /* nothing is allocated */
    make(f, "most", H5T_IEEE_F64LE, 1, (hsize_t)1 << 62, chunked);
    make(f, "late", H5T_IEEE_F64LE, 1, (hsize_t)1 << 40, H5P_DEFAULT);
    make(f, "wide", wide, 1, 1, H5P_DEFAULT);
    make(f, "words", text, 1, 1, H5P_DEFAULT);
    make(f, "scalar", H5T_IEEE_F64LE, 0, 0, H5P_DEFAULT);
    make(f, "five", H5T_IEEE_F64LE, 5, 1, H5P_DEFAULT);
    H5Pclose(chunked);
    H5Tclose(text);
    H5Tclose(wide);
    H5Fclose(f);
    assert_ok(orr_store_open(&r, path, NULL));
    assert_fails(orr_store_look(r, "large", &a), ORR_ERR_FORMAT, "larger than its file");
    assert_int_equal(a.n_dims, 0);
    assert_fails(orr_store_look(r, "most", &a), ORR_ERR_FORMAT, "larger than its file");
    assert_fails(orr_store_look(r, "late", &a), ORR_ERR_FORMAT, "larger than its file");
    assert_int_equal(orr_store_count(r, "late"), -1);
    assert_fails(orr_store_dup(r, "large", ORR_STORE_F64, (size_t)1 << 40, &data), ORR_ERR_FORMAT,
                 "larger than its file");
    assert_null(data);
    assert_fails(orr_store_pass(r, "large"), ORR_ERR_FORMAT, "larger than its file");
    assert_fails(orr_store_get_text(r, "wide", &out), ORR_ERR_FORMAT, "larger than its file");
    assert_fails(orr_store_get_text(r, "words", &out), ORR_ERR_FORMAT, "was never written");
    assert_fails(orr_store_look(r, "scalar", &a), ORR_ERR_FORMAT, "0 dimensions");
    assert_fails(orr_store_look(r, "five", &a), ORR_ERR_FORMAT, "5 dimensions");
    orr_store_close(r);
}

static int make_folder(void **state)
{
    (void)state;
    temp_dir(dir);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    return orr_remove_dir(dir) == ORR_OK ? 0 : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_summed),       cmocka_unit_test(test_damaged),
        cmocka_unit_test(test_failures),     cmocka_unit_test(test_no_memory),
        cmocka_unit_test(test_plain),        cmocka_unit_test(test_shared_alone),
        cmocka_unit_test(test_shared_range), cmocka_unit_test(test_sizes_made_up),
    };

    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
