/* tests/data/test_shard.c - shard sets: round trips, same bytes, and every way a set can be broken.
 */
#include "shard_help.h"

#include "data/half.h"
#include "data/shard_private.h"
#include "data/storage/hdf5_access.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

static int n_files(const char *dir)
{
    DIR *d = opendir(dir);
    int n = 0;

    while (readdir(d))
        n++;
    closedir(d);
    return n - 2;
}

static void check_set(const char *dir, const orr_schema *s, int64_t n)
{
    orr_dataset *d = NULL;
    size_t bytes = orr_schema_x_bytes(s);
    char *x, id[ORR_ID_TEXT_MAX + 1], want[ORR_ID_TEXT_MAX + 1];
    orr_rows r = make_rows(s, 0, n);

    assert_ok(orr_dataset_open(&d, dir, 1));
    assert_int_equal(orr_dataset_rows(d), n);
    assert_ok(orr_schema_same(s, orr_dataset_schema(d), "again"));
    x = orr_alloc((size_t)n, bytes);
    assert_ok(orr_dataset_read_x(d, 0, n, x));
    if (s->x_type != ORR_X_F16) assert_memory_equal(x, r.x, (size_t)n * bytes);
    for (int64_t first = 0; first < n; first += 3) { /* crossing shards */
        int64_t m = n - first < 5 ? n - first : 5;
        memset(x, 7, (size_t)n * bytes);
        assert_ok(orr_dataset_read_x(d, first, m, x));
        if (s->x_type != ORR_X_F16)
            assert_memory_equal(x, (char *)r.x + (size_t)first * bytes, (size_t)m * bytes);
    }
    assert_fails(orr_dataset_read_x(d, n - 1, 2, x), ORR_ERR_ARG, "asked of a set");
    if (s->y_type == ORR_Y_CLASS) assert_memory_equal(orr_dataset_labels(d), r.y, (size_t)n * 4);
    if (s->y_type == ORR_Y_VALUE)
        assert_memory_equal(orr_dataset_values(d), r.y, (size_t)n * 4 * (size_t)s->y_width);
    if (s->n_aux > 0)
        assert_memory_equal(orr_dataset_aux(d), r.aux, (size_t)n * orr_schema_aux_bytes(s));
    assert_true((orr_dataset_aux(d) != NULL) == (s->n_aux > 0));
    assert_true((orr_dataset_labels(d) != NULL) == (s->y_type == ORR_Y_CLASS));
    assert_true((orr_dataset_values(d) != NULL) == (s->y_type == ORR_Y_VALUE));
    for (int64_t i = 0; i < n; i++) {
        orr_dataset_id(d, i, id, sizeof id);
        snprintf(want, sizeof want, s->id_type == ORR_ID_INT ? "%lld" : "star-%lld",
                 (long long)(s->id_type == ORR_ID_INT ? 1000 + 3 * i : i));
        assert_string_equal(id, want);
        if (s->id_type == ORR_ID_INT) assert_int_equal(orr_dataset_keys(d)[i], 1000 + 3 * i);
    }
    assert_non_null(strstr(orr_dataset_provenance(d), "\"command\":\"import\""));
    assert_non_null(strstr(orr_dataset_provenance(d), "exoTrain.csv"));
    orr_free(x);
    free_rows(&r);
    orr_dataset_close(d);
}

/* Of targets and aux numbers, one of each left without. */
static void add_names(orr_schema *s)
{
    for (int i = 1; i < s->n_aux; i++)
        snprintf(s->aux_names[i], sizeof s->aux_names[i], "mag_%c", "ugriz"[i % 5]);
    if (s->y_type == ORR_Y_VALUE) memcpy(s->y_names[0], "z", 2);
}

static void test_round_trip(void **state)
{
    (void)state;
    for (int kind = 0; kind < 24; kind++) {
        char dir[ORR_PATH_MAX], sub[ORR_PATH_MAX];
        orr_schema s = series_schema((orr_x_type)(kind % 3), 5, 2);

        s.y_type = (orr_y_type)(kind / 3 % 3);
        s.n_classes = s.y_type == ORR_Y_CLASS ? 3 : 0;
        s.y_width = s.y_type == ORR_Y_VALUE ? 1 + kind % 2 : 0;
        s.id_type = (orr_id_type)(kind % 2);
        s.id_bytes = s.id_type == ORR_ID_TEXT ? 16 : 0;
        s.id_is_row = kind % 5 == 0;
        s.n_dims = 1 + kind % 3;
        s.h = s.n_dims == 3 ? 4 : 1;
        s.w = s.n_dims > 1 ? 5 : 1;
        s.n_aux = kind / 2 % 4;
        if (kind % 4 < 3) add_names(&s);
        temp_dir(dir);
        in_dir(sub, dir, "set");
        write_set(sub, &s, 17, 4, kind % 4 == 3 ? 6 : 0);
        check_set(sub, &s, 17);
        assert_int_equal(n_files(sub), 6); /* five shards and an index, no .tmp */
        assert_ok(orr_remove_dir(sub));
        assert_ok(orr_remove_dir(dir));
    }
}

/* sha256("star-7") begins with these 16 digits (sha256sum). */
static void test_text_key(void **state)
{
    char dir[ORR_PATH_MAX];
    orr_schema s = series_schema(ORR_X_F32, 3, 1);
    orr_dataset *d = NULL;

    (void)state;
    s.id_type = ORR_ID_TEXT;
    s.id_bytes = 12;
    temp_dir(dir);
    write_set(dir, &s, 9, 9, 0);
    assert_ok(orr_dataset_open(&d, dir, 0));
    assert_true(orr_dataset_keys(d)[7] == UINT64_C(0x8e4d0f9719863d88));
    orr_dataset_close(d);
    assert_ok(orr_remove_dir(dir));
}

static void hash_of(char sha[ORR_SHA256_HEX], const char *dir, const char *name)
{
    char path[ORR_PATH_MAX];

    in_dir(path, dir, name);
    assert_ok(orr_sha256_file(sha, path));
}

/* Same rows, another process, another second, dirty memory: same bytes. */
static void test_same_bytes(void **state)
{
    static const char *const names[] = { "shard-00000.h5", "shard-00001.h5", "index.h5" };
    char dir[2][ORR_PATH_MAX], sha[2][ORR_SHA256_HEX];
    orr_schema s = series_schema(ORR_X_F32, 3000, 1);

    (void)state;
    s.n_aux = 3;
    add_names(&s);
    for (int compression = 0; compression < 2; compression++) {
        for (int k = 0; k < 2; k++) {
            pid_t pid;
            int how;

            temp_dir(dir[k]);
            if (k == 1) sleep(1);
            pid = fork();
            if (pid == 0) {
                for (int i = 0; k == 1 && i < 2000; i++) { /* leave rubbish in freed blocks */
                    char *p = orr_alloc((size_t)i + 1, 3);
                    memset(p, 0xa5, 3 * ((size_t)i + 1));
                    orr_free(p);
                }
                write_set(dir[k], &s, 30, 17, compression);
                _exit(0);
            }
            assert_int_equal(waitpid(pid, &how, 0), pid);
            assert_int_equal(how, 0);
        }
        for (int i = 0; i < 3; i++) {
            hash_of(sha[0], dir[0], names[i]);
            hash_of(sha[1], dir[1], names[i]);
            assert_string_equal(sha[0], sha[1]);
        }
        assert_ok(orr_remove_dir(dir[0]));
        assert_ok(orr_remove_dir(dir[1]));
    }
}

static void test_rows_alloc(void **state)
{
    orr_schema s = series_schema(ORR_X_U8, 4, 1);
    orr_rows rows;

    (void)state;
    assert_ok(orr_rows_alloc(&rows, &s, 3));
    assert_true(rows.x && rows.y && rows.id && rows.aux && rows.n == 0);
    orr_rows_free(&rows);
    assert_true(!rows.x && !rows.y && !rows.id && !rows.aux);
    orr_rows_free(&rows);
    for (int k = 1; k <= 4; k++) {
        orr_alloc_fail_at(k);
        assert_fails(orr_rows_alloc(&rows, &s, 3), ORR_ERR_NOMEM, "3 samples of 4 bytes");
        orr_alloc_fail_at(0);
        assert_true(!rows.x && !rows.y && !rows.id && !rows.aux);
    }
}

static void test_set_create(void **state)
{
    char dir[ORR_PATH_MAX], sub[ORR_PATH_MAX], other[ORR_PATH_MAX];
    orr_schema s = series_schema(ORR_X_U8, 4, 1);
    orr_rows r = make_rows(&s, 0, 3);

    (void)state;
    temp_dir(dir);
    in_dir(sub, dir, "a/b");
    assert_ok(orr_set_create(sub, 0));
    assert_ok(orr_set_create(sub, 0)); /* still empty */
    assert_ok(orr_shard_write(sub, 0, &s, &r, NULL, NULL));
    assert_fails(orr_shard_write(sub, 0, &s, &r, NULL, NULL), ORR_ERR_EXISTS, "exists");
    assert_fails(orr_set_create(sub, 0), ORR_ERR_EXISTS, "unfinished");
    in_dir(other, sub, "shard-00001.h5.tmp");
    assert_ok(orr_write_file(other, "x", 1));
    assert_ok(orr_set_create(sub, 1));
    assert_int_equal(n_files(sub), 0);
    in_dir(other, sub, "thesis.tex");
    assert_ok(orr_write_file(other, "x", 1));
    assert_fails(orr_set_create(sub, 1), ORR_ERR_EXISTS, "thesis.tex");
    assert_int_equal(unlink(other), 0);
    write_set(sub, &s, 9, 4, 0);
    assert_fails(orr_set_create(sub, 1), ORR_ERR_EXISTS, "finished shard set");
    check_set(sub, &s, 9);
    free_rows(&r);
    assert_ok(orr_remove_dir(sub));
    in_dir(other, dir, "a");
    assert_ok(orr_remove_dir(other));
    assert_ok(orr_remove_dir(dir));
}

static void test_bad_rows(void **state)
{
    char dir[ORR_PATH_MAX];
    orr_schema s = series_schema(ORR_X_F32, 4, 1);
    orr_rows a = make_rows(&s, 0, 6), b = make_rows(&s, 6, 6);

    (void)state;
    temp_dir(dir);
    ((int32_t *)a.y)[4] = 3;
    assert_fails(orr_shard_write(dir, 0, &s, &a, NULL, NULL), ORR_ERR_FORMAT,
                 "row 4 has the label 3");
    ((int32_t *)a.y)[4] = 1;
    assert_ok(orr_shard_write(dir, 0, &s, &a, NULL, NULL));
    ((int64_t *)b.id)[2] = 1000 + 3 * 5;
    assert_ok(orr_shard_write(dir, 1, &s, &b, NULL, NULL));
    assert_fails(orr_index_write(dir, 2, &s, NULL), ORR_ERR_FORMAT, "id 1015 stands twice");
    assert_non_null(strstr(orr_error_text(), "(shard-00000.h5, row 5)"));
    assert_non_null(strstr(orr_error_text(), "(shard-00001.h5, row 2)"));
    assert_fails(orr_index_write(dir, 3, &s, NULL), ORR_ERR_FORMAT, "shard-00002.h5: is missing");
    s.n_classes = 4;
    assert_fails(orr_index_write(dir, 2, &s, NULL), ORR_ERR_FORMAT, "another kind or size");
    s.n_classes = 3;
    s.w = 5;
    assert_fails(orr_index_write(dir, 2, &s, NULL), ORR_ERR_FORMAT,
                 "(1, 4, 1), the set's are (1, 5, 1)");
    assert_int_equal(n_files(dir), 2);
    free_rows(&a);
    free_rows(&b);
    assert_ok(orr_remove_dir(dir));
}

/* Text ids that share their first eight bytes are told apart; equal ones are found. */
static void test_text_twice(void **state)
{
    char dir[ORR_PATH_MAX], path[ORR_PATH_MAX];
    orr_schema s = series_schema(ORR_X_U8, 4, 1);
    orr_rows r;

    (void)state;
    s.id_type = ORR_ID_TEXT;
    s.id_bytes = 20;
    temp_dir(dir);
    r = make_rows(&s, 100000000, 12);
    assert_ok(orr_shard_write(dir, 0, &s, &r, NULL, NULL));
    assert_ok(orr_index_write(dir, 1, &s, NULL));
    in_dir(path, dir, "index.h5");
    assert_int_equal(unlink(path), 0);
    in_dir(path, dir, "shard-00000.h5");
    assert_int_equal(unlink(path), 0);
    memcpy((char *)r.id + 11 * 20, (char *)r.id + 3 * 20, 20);
    assert_ok(orr_shard_write(dir, 0, &s, &r, NULL, NULL));
    assert_fails(orr_index_write(dir, 1, &s, NULL), ORR_ERR_FORMAT,
                 "id star-100000003 stands twice in the set: rows 3");
    free_rows(&r);
    assert_ok(orr_remove_dir(dir));
}

/* ---- broken sets ---- */
static void copy_file(const char *from, const char *to)
{
    char *data;
    size_t bytes;

    assert_ok(orr_read_file(&data, &bytes, from, 1 << 30));
    assert_ok(orr_write_file(to, data, bytes));
    orr_free(data);
}

static void flip_byte(const char *path, off_t at)
{
    int fd = open(path, O_RDWR);
    char c;

    assert_int_equal(pread(fd, &c, 1, at), 1);
    c ^= 1;
    assert_int_equal(pwrite(fd, &c, 1, at), 1);
    close(fd);
}

static void assert_open_fails(const char *dir, int verify, const char *word)
{
    orr_dataset *d = (orr_dataset *)1;

    assert_fails(orr_dataset_open(&d, dir, verify), ORR_ERR_FORMAT, word);
    assert_null(d);
}

static void test_broken_sets(void **state)
{
    char dir[ORR_PATH_MAX], shard[ORR_PATH_MAX], keep[ORR_PATH_MAX], index[ORR_PATH_MAX];
    orr_schema s = series_schema(ORR_X_F32, 64, 1);
    orr_dataset *d;
    orr_rows r = make_rows(&s, 0, 5);
    struct {
        long size;
    } info;
    int fd;

    (void)state;
    temp_dir(dir);
    in_dir(shard, dir, "shard-00001.h5");
    in_dir(keep, dir, "keep");
    in_dir(index, dir, "index.h5");
    assert_fails(orr_dataset_open(&d, dir, 0), ORR_ERR_IO, "did not finish");
    write_set(dir, &s, 20, 7, 0);
    copy_file(shard, keep);

    assert_int_equal(rename(shard, index), 0); /* a shard where the index should be */
    assert_open_fails(dir, 0, "its format is orrery-shard-1; this program reads orrery-index-1");
    assert_int_equal(unlink(index), 0);
    copy_file(keep, shard);
    assert_ok(orr_index_write(dir, 3, &s, NULL));

    assert_int_equal(unlink(shard), 0);
    assert_open_fails(dir, 0, "shard-00001.h5: shard 1 of the set's 3: is missing");
    copy_file(keep, shard);
    info.size = 5000;
    assert_int_equal(truncate(shard, info.size), 0);
    assert_open_fails(dir, 0, "truncated");
    assert_int_equal(unlink(shard), 0);
    assert_ok(orr_shard_write(dir, 1, &s, &r, NULL, NULL)); /* 5 rows instead of 7 */
    assert_open_fails(dir, 0, "truncated or replaced");
    copy_file(keep, shard);

    fd = open(shard, O_RDONLY);
    off_t end = lseek(fd, 0, SEEK_END);
    close(fd);
    flip_byte(shard, end - 9); /* within x: only the hash can tell */
    assert_ok(orr_dataset_open(&d, dir, 0));
    orr_dataset_close(d);
    assert_open_fails(dir, 1, "sha256");
    copy_file(keep, shard);
    assert_ok(orr_dataset_open(&d, index, 1)); /* by the name of the index */
    orr_dataset_close(d);

    assert_ok(orr_write_file(index, "hello", 5));
    assert_open_fails(dir, 0, "not an HDF5 file");
    free_rows(&r);
    assert_ok(orr_remove_dir(dir));
}

/* Sets that another program changed through HDF5. */
static void edit_text(const char *path, const char *name, const char *text)
{
    hid_t f = H5Fopen(path, H5F_ACC_RDWR, H5P_DEFAULT);

    H5Adelete(f, name);
    if (text) assert_ok(orr_h5_put_text(f, name, text));
    H5Fclose(f);
}

static void test_foreign(void **state)
{
    char dir[ORR_PATH_MAX], index[ORR_PATH_MAX];
    orr_schema s = series_schema(ORR_X_F32, 64, 1);
    int64_t rows[3] = { 7, 6, 8 };
    hid_t f, set;

    (void)state;
    temp_dir(dir);
    in_dir(index, dir, "index.h5");
    write_set(dir, &s, 20, 7, 0);
    edit_text(index, "format", "orrery-index-9");
    assert_open_fails(dir, 0, "orrery-index-9; this program reads orrery-index-1");
    edit_text(index, "format", NULL);
    assert_open_fails(dir, 0, "not of Orrery");
    f = H5Fopen(index, H5F_ACC_RDWR, H5P_DEFAULT);
    assert_ok(orr_h5_put_text(f, "format", "orrery-index-1"));
    set = H5Dopen2(f, "shards/rows", H5P_DEFAULT);
    H5Dwrite(set, H5T_NATIVE_INT64, H5S_ALL, H5S_ALL, H5P_DEFAULT, rows);
    H5Dclose(set);
    H5Fclose(f);
    assert_open_fails(dir, 0, "the manifest has 21 rows, /x has 20");
    assert_int_equal(unlink(index), 0);
    assert_ok(orr_index_write(dir, 3, &s, NULL));
    f = H5Fopen(index, H5F_ACC_RDWR, H5P_DEFAULT);
    rows[0] = 6, rows[1] = rows[2] = 7; /* same sum, other rows */
    set = H5Dopen2(f, "shards/rows", H5P_DEFAULT);
    H5Dwrite(set, H5T_NATIVE_INT64, H5S_ALL, H5S_ALL, H5P_DEFAULT, rows);
    H5Dclose(set);
    H5Fclose(f);
    assert_open_fails(dir, 0, "has 7 rows, the index says 6");
    assert_ok(orr_remove_dir(dir));
}

/* ---- numbers beside a sample, names ---- */
static void test_aux_differs(void **state)
{
    char dir[ORR_PATH_MAX];
    orr_schema s = series_schema(ORR_X_F32, 4, 1), one;
    orr_rows a, b;

    (void)state;
    s.y_type = ORR_Y_VALUE;
    s.y_width = 2;
    s.n_aux = 2;
    add_names(&s);
    a = make_rows(&s, 0, 6);
    b = make_rows(&s, 6, 6);
    temp_dir(dir);
    assert_ok(orr_shard_write(dir, 0, &s, &a, NULL, NULL));
    assert_ok(orr_shard_write(dir, 1, &s, &b, NULL, NULL));
    one = s;
    one.n_aux = 1;
    assert_fails(orr_index_write(dir, 2, &one, NULL), ORR_ERR_FORMAT,
                 "has 2 aux numbers beside a sample, the set has 1");
    one = s;
    memcpy(one.aux_names[1], "mag_i", 6);
    assert_fails(orr_index_write(dir, 2, &one, NULL), ORR_ERR_FORMAT, "aux names differ");
    one = s;
    memcpy(one.y_names[0], "q", 2);
    assert_fails(orr_index_write(dir, 2, &one, NULL), ORR_ERR_FORMAT, "target names");
    orr_free(a.aux);
    a.aux = NULL;
    assert_fails(orr_shard_write(dir, 2, &s, &a, NULL, NULL), ORR_ERR_ARG, "no column /aux");
    one.n_aux = ORR_MAX_AUX + 1;
    assert_fails(orr_shard_write(dir, 2, &one, &b, NULL, NULL), ORR_ERR_SHAPE, "65 aux numbers");
    one.n_aux = -1;
    assert_fails(orr_index_write(dir, 2, &one, NULL), ORR_ERR_SHAPE, "-1 aux numbers");
    assert_int_equal(n_files(dir), 2);
    assert_ok(orr_index_write(dir, 2, &s, NULL));
    free_rows(&a);
    free_rows(&b);
    assert_ok(orr_remove_dir(dir));
}

/* In place of /aux of a shard, one that another program made. */
static void replace_aux(const char *path, hid_t type, int rank, hsize_t rows, hsize_t width)
{
    hid_t f = H5Fopen(path, H5F_ACC_RDWR, H5P_DEFAULT), set;
    hsize_t dims[2] = { rows, width };

    if (H5Lexists(f, "aux", H5P_DEFAULT) > 0) H5Ldelete(f, "aux", H5P_DEFAULT);
    assert_ok(orr_h5_dataset(&set, f, "aux", type, rank, dims, -1));
    H5Dclose(set);
    H5Fclose(f);
}

static void test_foreign_aux(void **state)
{
    char dir[ORR_PATH_MAX], path[ORR_PATH_MAX];
    orr_schema s = series_schema(ORR_X_F32, 4, 1);
    orr_rows r = make_rows(&s, 0, 6);
    int64_t rows;

    (void)state;
    temp_dir(dir);
    assert_ok(orr_shard_write(dir, 0, &s, &r, NULL, NULL));
    in_dir(path, dir, "shard-00000.h5");
    s.n_aux = 3;
    assert_fails(orr_shard_rows(path, &s, &rows), ORR_ERR_FORMAT, "0 aux numbers");
    replace_aux(path, H5T_IEEE_F32LE, 2, 5, 3);
    assert_fails(orr_shard_rows(path, &s, &rows), ORR_ERR_FORMAT, "/aux does not have the 6 rows");
    replace_aux(path, H5T_STD_I32LE, 2, 6, 3);
    assert_fails(orr_shard_rows(path, &s, &rows), ORR_ERR_FORMAT, "/aux does not have");
    replace_aux(path, H5T_IEEE_F32LE, 1, 6, 3);
    assert_fails(orr_shard_rows(path, &s, &rows), ORR_ERR_FORMAT, "/aux does not have");
    replace_aux(path, H5T_IEEE_F32LE, 2, 6, 65);
    assert_fails(orr_shard_rows(path, &s, &rows), ORR_ERR_FORMAT, "65 aux numbers");
    replace_aux(path, H5T_IEEE_F32LE, 2, 6, 3);
    assert_ok(orr_shard_rows(path, &s, &rows));
    assert_int_equal(rows, 6);
    free_rows(&r);
    assert_ok(orr_remove_dir(dir));
}

/* ---- rows that nobody wrote ---- */
/* /x of float32 (rows, width, 1) with the layout that dcpl says, written or not. */
static void replace_x(const char *path, hsize_t rows, hsize_t width, hid_t dcpl, int write)
{
    hid_t f = H5Fopen(path, H5F_ACC_RDWR, H5P_DEFAULT), space, set;
    hsize_t dims[3] = { rows, width, 1 };
    float *x = orr_alloc(rows * width, sizeof *x);

    H5Ldelete(f, "x", H5P_DEFAULT);
    space = H5Screate_simple(3, dims, NULL);
    set = H5Dcreate2(f, "x", H5T_IEEE_F32LE, space, H5P_DEFAULT, dcpl, H5P_DEFAULT);
    assert_true(set >= 0);
    if (write) H5Dwrite(set, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, x);
    orr_free(x);
    H5Dclose(set);
    H5Sclose(space);
    H5Fclose(f);
    H5Pclose(dcpl);
}

static void test_rows_of_nobody(void **state)
{
    char dir[ORR_PATH_MAX], path[ORR_PATH_MAX];
    orr_schema s = series_schema(ORR_X_F32, 4, 1);
    orr_rows want = make_rows(&s, 0, 6), got = make_rows(&s, 100, 6);
    hsize_t chunk[3] = { 2, 4, 1 }, dims[3] = { 6, 4, 1 };
    hid_t dcpl = H5Pcreate(H5P_DATASET_CREATE), space = H5Screate_simple(3, dims, NULL);
    int64_t rows;

    (void)state;
    temp_dir(dir);
    assert_ok(orr_shard_write(dir, 0, &s, &want, NULL, NULL));
    in_dir(path, dir, "shard-00000.h5");
    H5Pset_chunk(dcpl, 3, chunk);
    replace_x(path, 6, 4, H5Pcopy(dcpl), 1);
    assert_ok(orr_shard_rows(path, &s, &rows));
    assert_ok(orr_shard_read(path, &s, 0, 6, &got));
    replace_x(path, 6, 4, dcpl, 0);
    assert_fails(orr_shard_rows(path, &s, &rows), ORR_ERR_FORMAT,
                 "/x was never written whole (3 of its 3 pieces");
    replace_x(path, 6, 4, H5Pcreate(H5P_DATASET_CREATE), 0);
    assert_fails(orr_shard_rows(path, &s, &rows), ORR_ERR_FORMAT, "/x was never written whole");
    dcpl = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_virtual(dcpl, space, "gone.h5", "x", space);
    replace_x(path, 6, 4, dcpl, 0);
    assert_fails(orr_shard_read(path, &s, 0, 6, &got), ORR_ERR_FORMAT, "lie in other files");
    H5Sclose(space);
    free_rows(&want);
    free_rows(&got);
    assert_ok(orr_remove_dir(dir));
}

/* ---- one shard alone ---- */
static void test_shard_alone(void **state)
{
    char dir[ORR_PATH_MAX], path[ORR_PATH_MAX], index[ORR_PATH_MAX], cut[ORR_PATH_MAX];
    orr_schema s = series_schema(ORR_X_F32, 40, 2), renamed;
    orr_rows want, got;
    orr_rows labels;
    int64_t rows = 0;
    struct stat info;

    (void)state;
    s.n_aux = 2;
    want = make_rows(&s, 0, 9);
    got = make_rows(&s, 100, 9);
    for (int compression = 0; compression < 2; compression++) {
        size_t x = orr_schema_x_bytes(&s);

        temp_dir(dir);
        write_set(dir, &s, 9, 9, 5 * compression);
        in_dir(path, dir, "shard-00000.h5");
        in_dir(index, dir, "index.h5");
        in_dir(cut, dir, "cut");
        renamed = s;
        memcpy(renamed.aux_names[0], "ebv", 4);
        memcpy(renamed.units, "nJy", 4);
        assert_ok(orr_shard_rows(path, &renamed, &rows));
        assert_int_equal(rows, 9);
        assert_fails(orr_shard_rows(index, &s, &rows), ORR_ERR_FORMAT, "orrery-index-1");
        for (int64_t first = 0; first <= 9; first++)
            for (int64_t n = 0; first + n <= 9; n++) {
                assert_ok(orr_shard_read(path, &s, first, n, &got));
                assert_int_equal(got.n, n);
                assert_memory_equal(got.x, (char *)want.x + (size_t)first * x, (size_t)n * x);
                assert_memory_equal(got.y, (int32_t *)want.y + first, (size_t)n * 4);
                assert_memory_equal(got.id, (int64_t *)want.id + first, (size_t)n * 8);
                assert_memory_equal(got.aux, want.aux + 2 * first, (size_t)n * 8);
            }
        labels = (orr_rows){ .y = got.y };
        assert_ok(orr_shard_read(path, &s, 3, 2, &labels));
        assert_int_equal(((int32_t *)got.y)[1], 1);
        assert_fails(orr_shard_read(path, &s, 8, 2, &got), ORR_ERR_ARG, "of a shard of 9");
        assert_fails(orr_shard_read(path, &s, -1, 2, &got), ORR_ERR_ARG, "of a shard of 9");
        renamed.w = 41;
        assert_fails(orr_shard_read(path, &renamed, 0, 2, &got), ORR_ERR_FORMAT, "(1, 41, 2)");
        renamed = s;
        renamed.n_aux = 3;
        assert_fails(orr_shard_rows(path, &renamed, &rows), ORR_ERR_FORMAT, "2 aux numbers");
        assert_int_equal(stat(path, &info), 0);
        for (int tenth = 0; tenth < 10; tenth++) {
            copy_file(path, cut);
            assert_int_equal(truncate(cut, info.st_size * tenth / 10), 0);
            assert_fails(orr_shard_rows(cut, &s, &rows), ORR_ERR_FORMAT, "truncated");
        }
        assert_int_equal(truncate(path, info.st_size - 1), 0);
        assert_fails(orr_shard_rows(path, &s, &rows), ORR_ERR_FORMAT, "truncated");
        assert_ok(orr_remove_dir(dir));
    }
    free_rows(&want);
    free_rows(&got);
}

/* A label that is wrong in the file is found where its row is read. */
static void test_bad_label_alone(void **state)
{
    char dir[ORR_PATH_MAX], path[ORR_PATH_MAX];
    orr_schema s = series_schema(ORR_X_F32, 4, 1), more = s;
    orr_rows r = make_rows(&s, 0, 6);
    hid_t f;

    (void)state;
    temp_dir(dir);
    in_dir(path, dir, "shard-00000.h5");
    more.n_classes = 5;
    ((int32_t *)r.y)[4] = 4;
    assert_ok(orr_shard_write(dir, 0, &more, &r, NULL, NULL));
    f = H5Fopen(path, H5F_ACC_RDWR, H5P_DEFAULT);
    H5Adelete(f, "n_classes");
    assert_ok(orr_h5_put_int(f, "n_classes", 3));
    H5Adelete(f, "class_names");
    H5Fclose(f);
    assert_ok(orr_shard_read(path, &s, 0, 4, &r));
    assert_fails(orr_shard_read(path, &s, 2, 3, &r), ORR_ERR_FORMAT, "row 4 has the label 4");
    r.y = (orr_free(r.y), NULL); /* nobody asked for it */
    assert_ok(orr_shard_read(path, &s, 2, 3, &r));
    free_rows(&r);
    assert_ok(orr_remove_dir(dir));
}

/* ---- no room ---- */
static void test_file_limit(void **state)
{
    char dir[ORR_PATH_MAX];
    orr_schema s = series_schema(ORR_X_F32, 3000, 1);
    pid_t pid;
    int how;

    (void)state;
    temp_dir(dir);
    pid = fork();
    if (pid == 0) {
        orr_rows r = make_rows(&s, 0, 300);
        struct rlimit limit = { 1 << 20, 1 << 20 };

        signal(SIGXFSZ, SIG_IGN);
        setrlimit(RLIMIT_FSIZE, &limit);
        assert_fails(orr_shard_write(dir, 0, &s, &r, NULL, NULL), ORR_ERR_IO, "file size limit");
        free_rows(&r);
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &how, 0), pid);
    assert_int_equal(how, 0);
    assert_int_equal(n_files(dir), 0);
    assert_ok(orr_remove_dir(dir));
}

static void test_disk_full(void **state)
{
    char dir[ORR_PATH_MAX];
    orr_schema s = series_schema(ORR_X_F32, 3000, 1);
    orr_rows r = make_rows(&s, 0, 600), small = make_rows(&s, 0, 30);
    orr_shard_opts packed = { 6 };
    orr_provenance p = a_provenance();

    (void)state;
    temp_dir(dir);
    /* In a mount namespace of this process: nothing is left mounted, however the test ends. */
    if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount("none", dir, "tmpfs", 0, "size=4m") != 0) {
        print_message("not root: cannot mount a small disk (%s)\n", strerror(errno));
        free_rows(&r);
        free_rows(&small);
        assert_ok(orr_remove_dir(dir));
        skip();
    }
    assert_fails(orr_shard_write(dir, 0, &s, &r, NULL, NULL), ORR_ERR_IO, "No space left");
    assert_fails(orr_shard_write(dir, 0, &s, &r, NULL, &packed), ORR_ERR_IO, "No space left");
    assert_int_equal(n_files(dir), 0);
    assert_ok(orr_shard_write(dir, 0, &s, &small, NULL, NULL)); /* and the library is still sound */
    assert_ok(orr_index_write(dir, 1, &s, &p));
    check_set(dir, &s, 30);
    free_rows(&r);
    free_rows(&small);
    assert_int_equal(umount(dir), 0);
    assert_ok(orr_remove_dir(dir));
}

/* Every allocation of writing, indexing and opening fails once; nothing is left behind. */
static void test_no_memory(void **state)
{
    char dir[ORR_PATH_MAX], shard[ORR_PATH_MAX];
    orr_schema s = series_schema(ORR_X_F32, 8, 1);
    orr_rows r;
    orr_provenance p = a_provenance();
    orr_status st = ORR_ERR_NOMEM;
    orr_dataset *d = NULL;

    (void)state;
    s.id_type = ORR_ID_TEXT;
    s.id_bytes = 16;
    s.n_aux = 2;
    add_names(&s);
    r = make_rows(&s, 0, 5);
    temp_dir(dir);
    for (int n = 1; st != ORR_OK && n < 200; n++) {
        orr_alloc_fail_at(n);
        st = orr_shard_write(dir, 0, &s, &r, &p, NULL);
        orr_alloc_fail_at(0);
        if (st != ORR_OK) assert_int_equal(st, ORR_ERR_NOMEM);
        if (st != ORR_OK) assert_int_equal(n_files(dir), 0);
    }
    assert_ok(st);
    st = ORR_ERR_NOMEM;
    for (int n = 1; st != ORR_OK && n < 200; n++) {
        orr_alloc_fail_at(n);
        st = orr_index_write(dir, 1, &s, &p);
        orr_alloc_fail_at(0);
        if (st != ORR_OK) assert_int_equal(st, ORR_ERR_NOMEM);
        if (st != ORR_OK) assert_int_equal(n_files(dir), 1);
    }
    assert_ok(st);
    st = ORR_ERR_NOMEM;
    for (int n = 1; st != ORR_OK && n < 200; n++) {
        orr_alloc_fail_at(n);
        st = orr_dataset_open(&d, dir, 1);
        orr_alloc_fail_at(0);
        if (st != ORR_OK) assert_int_equal(st, ORR_ERR_NOMEM);
        if (st != ORR_OK) assert_null(d);
    }
    assert_ok(st);
    assert_non_null(orr_dataset_aux(d));
    orr_dataset_close(d);
    in_dir(shard, dir, "shard-00000.h5");
    st = ORR_ERR_NOMEM;
    for (int n = 1; st != ORR_OK && n < 50; n++) {
        orr_alloc_fail_at(n);
        st = orr_shard_read(shard, &s, 0, 5, &r);
        orr_alloc_fail_at(0);
        if (st != ORR_OK) assert_int_equal(st, ORR_ERR_NOMEM);
    }
    assert_ok(st);
    free_rows(&r);
    assert_ok(orr_remove_dir(dir));
}

static void test_schema(void **state)
{
    orr_schema s = series_schema(ORR_X_F32, 3197, 1);

    (void)state;
    assert_int_equal(orr_schema_x_bytes(&s), 12788);
    assert_int_equal(orr_schema_rows_per_shard(&s, 1), 81);
    assert_int_equal(orr_schema_rows_per_shard(&s, 0.001), 1);
    s.h = 2;
    assert_fails(orr_schema_check(&s), ORR_ERR_SHAPE, "cannot have the shape");
    s.h = 1;
    s.n_classes = 2000;
    assert_fails(orr_schema_check(&s), ORR_ERR_SHAPE, "classes");
    assert_int_equal(orr_shard_number("shard-00012.h5", 0), 12);
    assert_int_equal(orr_shard_number("shard-00012.h5.tmp", 0), -1);
    assert_int_equal(orr_shard_number("shard-00012.h5.tmp", 1), 12);
    assert_int_equal(orr_shard_number("shard-12.h5", 1), -1);
    assert_int_equal(orr_shard_number("../shard-00012.h5", 1), -1);
}

/* All 65536 halves go to float and back; what HDF5 makes of them is the oracle. */
static void test_half(void **state)
{
    uint16_t *all = orr_alloc(65536, 2), *back = orr_alloc(65536, 2);
    float *mine = orr_alloc(65536, 4), *theirs = orr_alloc(65536, 4);
    hid_t half = orr_h5_half_type();

    (void)state;
    for (int i = 0; i < 65536; i++)
        all[i] = (uint16_t)i;
    memcpy(theirs, all, 65536 * 2);
    assert_true(H5Tconvert(half, H5T_NATIVE_FLOAT, 65536, theirs, NULL, H5P_DEFAULT) >= 0);
    orr_half_to_float(mine, all, 65536);
    orr_float_to_half(back, mine, 65536);
    for (int i = 0; i < 65536; i++) {
        if (isnan(theirs[i])) {
            assert_true(isnan(mine[i]));
            assert_int_equal(back[i] & 0x7fff, 0x7e00);
        } else {
            assert_memory_equal(&mine[i], &theirs[i], 4);
            assert_int_equal(back[i], all[i]);
        }
    }
    for (int i = 0; i + 1 < 0x7c00; i++) { /* between neighbours: to the nearest, ties to even */
        float lo = mine[i], hi = mine[i + 1] < INFINITY ? mine[i + 1] : 65536.0f;
        float x[3] = { (lo + hi) / 2, nextafterf((lo + hi) / 2, 0),
                       nextafterf((lo + hi) / 2, INFINITY) };
        uint16_t h[3];

        orr_float_to_half(h, x, 3);
        assert_int_equal(h[0], i % 2 ? i + 1 : i);
        assert_int_equal(h[1], i);
        assert_int_equal(h[2], i + 1);
    }
    H5Tclose(half);
    orr_free(all);
    orr_free(back);
    orr_free(mine);
    orr_free(theirs);
}

/* "write DIR" makes a set for tests/data/shard.py to look at. */
static int write_for_python(const char *dir, int kind)
{
    orr_schema s = series_schema((orr_x_type)(kind % 3), 50, 2);

    if (kind == 1) s.id_type = ORR_ID_TEXT, s.id_bytes = 16;
    if (kind == 2 || kind == 3) s.y_type = ORR_Y_VALUE, s.y_width = 2, s.n_classes = 0;
    if (kind > 2) s.n_aux = 3;
    if (kind == 3) add_names(&s);
    memcpy(s.channel_names[1], "error", 6);
    write_set(dir, &s, 23, 7, kind == 2 || kind == 4 ? 5 : 0);
    return 0;
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_schema),      cmocka_unit_test(test_half),
        cmocka_unit_test(test_round_trip),  cmocka_unit_test(test_text_key),
        cmocka_unit_test(test_same_bytes),  cmocka_unit_test(test_set_create),
        cmocka_unit_test(test_bad_rows),    cmocka_unit_test(test_text_twice),
        cmocka_unit_test(test_broken_sets), cmocka_unit_test(test_foreign),
        cmocka_unit_test(test_file_limit),  cmocka_unit_test(test_disk_full),
        cmocka_unit_test(test_no_memory),   cmocka_unit_test(test_aux_differs),
        cmocka_unit_test(test_foreign_aux), cmocka_unit_test(test_rows_of_nobody),
        cmocka_unit_test(test_shard_alone), cmocka_unit_test(test_bad_label_alone),
        cmocka_unit_test(test_rows_alloc),
    };

    if (argc == 4 && strcmp(argv[1], "write") == 0)
        return write_for_python(argv[2], argv[3][0] - '0');
    return cmocka_run_group_tests(tests, NULL, NULL);
}
