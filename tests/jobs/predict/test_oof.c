/* Out-of-fold files: written by any number of ranks they have the same bytes and come back as they
 * went in, for columns around the steps in which a file's image grows (1 MiB); a rank that fails
 * ends it for all and leaves what was there; files that are damaged, make no sense or hold what is
 * no number are refused. */
#include "jobs/predict/oof.h"

#include "comm/ranks.h"
#include "data/storage/storage.h"

#include <fcntl.h>
#include <math.h>
#include <sys/stat.h>

enum { ID_BYTES = ORR_ID_TEXT_MAX + 1, MIB = 1 << 20 };
static char dir[ORR_PATH_MAX]; /* the same on all ranks */

static const char *in(const char *name)
{
    static char paths[4][ORR_PATH_MAX];
    static int next;
    char *path = paths[next++ % 4];

    ranks_ok(orr_path_join(path, dir, name));
    return path;
}

static double number_of(int test, int c, int64_t i, int k)
{
    return (test ? 0.25 : 0.5) + c + (double)i / 1024 + k * 1e-6;
}

static void *some(size_t n, size_t bytes)
{
    void *p = orr_alloc(n + 1, bytes);

    assert_non_null(p);
    return p;
}

/* Classes (width 2), or densities of `width` bins. */
static orr_oof make(int64_t n, int columns, int width, int64_t n_test)
{
    orr_oof o = { .n = n,
                  .n_columns = columns,
                  .n_repeats = 2,
                  .n_folds = 3,
                  .width = width,
                  .y_width = width > 2 ? 1 : 0,
                  .n_test = n_test };

    o.columns = some((size_t)columns, sizeof *o.columns);
    o.id = some((size_t)n, ID_BYTES);
    o.fold = some(2 * (size_t)n, sizeof *o.fold);
    o.test_id = some((size_t)n_test, ID_BYTES);
    if (width == 2) {
        o.n_classes = 2;
        o.class_names = some(2, sizeof *o.class_names);
        snprintf(o.class_names[1], sizeof o.class_names[1], "planet");
        o.labels = some((size_t)n, sizeof *o.labels);
    } else {
        o.bins = (orr_bins){ width, 0, 0.4 };
        o.values = some((size_t)n, sizeof *o.values);
    }
    for (int c = 0; c < columns; c++) {
        snprintf(o.columns[c].model, sizeof o.columns[c].model, "m%d", c / 2);
        o.columns[c].seed = 1 + c % 2;
    }
    for (int64_t i = 0; i < n; i++) {
        snprintf(o.id[i], ID_BYTES, "star-%lld", (long long)i);
        o.fold[i] = (int32_t)(i % 3);
        o.fold[n + i] = (int32_t)(i / 2 % 3);
        if (o.labels) o.labels[i] = (int32_t)(i % 2);
        if (o.values) o.values[i] = (float)i / 7;
    }
    for (int64_t i = 0; i < n_test; i++)
        snprintf(o.test_id[i], ID_BYTES, "test-%lld", (long long)i);
    return o;
}

typedef struct source {
    const orr_oof *o;
    int fails_at;    /* column whose predictions cannot be made; -1: none */
    int nan_at;      /* whose first number is none */
    int nan_in_test; /* of the test set's, instead */
} source;

static orr_status fill(void *ctx, int c, double *p, double *test_p)
{
    const source *s = ctx;
    const orr_oof *o = s->o;

    if (c == s->fails_at) return orr_fail(ORR_ERR_FORMAT, "column %d is lost", c);
    for (int test = 0; test < 2; test++)
        for (int64_t i = 0; i < (test ? o->n_test : o->n); i++)
            for (int k = 0; k < o->width; k++)
                (test ? test_p : p)[i * o->width + k] = number_of(test, c, i, k);
    if (c == s->nan_at) (s->nan_in_test ? test_p : p)[0] = NAN;
    return ORR_OK;
}

static orr_status write_file(const source *s, const char *path)
{
    orr_comm *world = ranks_comm(0);
    orr_context context = {
        .world = world, .rank = orr_comm_rank(world), .size = orr_comm_size(world), .threads = 1
    };
    orr_status st = orr_oof_write(&context, s->o, path, fill, (void *)(uintptr_t)s);

    orr_comm_destroy(world);
    return st;
}

static void check(const orr_oof *want, const orr_oof *have)
{
    assert_int_equal(have->n, want->n);
    assert_int_equal(have->n_test, want->n_test);
    assert_int_equal(have->n_columns, want->n_columns);
    assert_int_equal(have->width, want->width);
    assert_int_equal(have->bins.count, want->bins.count);
    assert_memory_equal(have->id, want->id, (size_t)want->n * ID_BYTES);
    assert_memory_equal(have->fold, want->fold, 2 * (size_t)want->n * sizeof *want->fold);
    if (want->labels)
        assert_memory_equal(have->labels, want->labels, (size_t)want->n * sizeof *want->labels);
    if (want->values)
        assert_memory_equal(have->values, want->values, (size_t)want->n * sizeof *want->values);
    for (int c = 0; c < want->n_columns; c++) {
        assert_string_equal(have->columns[c].model, want->columns[c].model);
        for (int test = 0; test < 2; test++)
            for (int64_t i = 0, n = test ? want->n_test : want->n; i < n; i++)
                for (int k = 0; k < want->width; k++)
                    if ((test ? have->test_p : have->p)[(c * n + i) * want->width + k] !=
                        number_of(test, c, i, k))
                        fail_msg("column %d, row %lld, number %d", c, (long long)i, k);
    }
}

static int is_first(void)
{
    int rank;

    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    return rank == 0;
}

/* What one process alone would have written: the file's bytes are remembered over the runs of this
 * test on 1, 2 and 3 ranks by their sha256 of a rule, so each is compared with one of this run. */
static void same_alone(const orr_oof *o, const char *path)
{
    char together[ORR_SHA256_HEX], alone[ORR_SHA256_HEX];
    const source s = { o, -1, -1, 0 };
    orr_context context = { .size = 1, .threads = 1 };

    ranks_ok(orr_sha256_file(together, path));
    ranks_ok(orr_comm_self_create(&context.world));
    ranks_ok(orr_oof_write(&context, o, in("alone.h5"), fill, (void *)(uintptr_t)&s));
    orr_comm_destroy(context.world);
    ranks_ok(orr_sha256_file(alone, in("alone.h5")));
    assert_string_equal(together, alone);
}

static void round_trip(int64_t n, int columns, int width, int64_t n_test)
{
    orr_oof o = make(n, columns, width, n_test), back, head;
    const source s = { &o, -1, -1, 0 };
    const char *path = in("oof.h5");

    ranks_ok(write_file(&s, path));
    ranks_ok(orr_oof_read(&back, path));
    check(&o, &back);
    ranks_ok(orr_oof_read_columns(&head, dir)); /* a run's folder */
    assert_int_equal(head.n_columns, columns);
    assert_null(head.p);
    if (is_first()) same_alone(&o, path);
    MPI_Barrier(MPI_COMM_WORLD);
    orr_oof_free(&back);
    orr_oof_free(&head);
    orr_oof_free(&o);
}

static void test_sizes(void **state)
{
    const int64_t ids = MIB / (ID_BYTES + 2 * sizeof(int32_t) + sizeof(int32_t));

    (void)state;
    round_trip(1, 1, 2, 0);
    round_trip(3, 5, 2, 2); /* more columns than ranks, and a last round with some idle */
    round_trip(MIB / 16 - 1, 1, 2, 0);
    round_trip(MIB / 16, 1, 2, 3);
    round_trip(ids - 40, 2, 2, 0);
    round_trip(ids + 40, 2, 2, 0);
    round_trip(700, 3, 180, 730);
}

/* One training with seeds: no folds, with validation rows or none, with a test set or none. */
static void test_without_folds(void **state)
{
    static const int64_t n[][2] = { { 7, 3 }, { 0, 3 }, { 7, 0 }, { 0, 0 } };

    (void)state;
    for (size_t i = 0; i < sizeof n / sizeof *n; i++) {
        orr_oof o = make(n[i][0], 2, 2, n[i][1]), back;
        const source s = { &o, -1, -1, 0 };
        o.n_folds = 1;
        for (int64_t k = 0; k < 2 * o.n; k++)
            o.fold[k] = 0;
        ranks_ok(write_file(&s, in("seeds.h5")));
        ranks_ok(orr_oof_read(&back, in("seeds.h5")));
        assert_int_equal(back.n_folds, 1);
        check(&o, &back);
        MPI_Barrier(MPI_COMM_WORLD);
        orr_oof_free(&back);
        orr_oof_free(&o);
    }
}

/* Two values, one with an origin: the file has it back, memory has not. */
static void test_shift(void **state)
{
    orr_oof o = make(9, 2, 2, 4), back;
    orr_schema schema = { .y_type = ORR_Y_VALUE, .y_width = 2, .y_shift = { 2454833, 0 } };
    const source s = { &o, -1, -1, 0 };
    orr_store_reader *r;
    double p[2 * 9 * 2];

    (void)state;
    snprintf(schema.y_names[0], sizeof schema.y_names[0], "BJD-2454833");
    snprintf(schema.y_names[1], sizeof schema.y_names[1], "mag");
    orr_free(o.labels);
    o.labels = NULL;
    o.n_classes = 0;
    o.y_width = 2;
    o.values = some(2 * 9, sizeof *o.values);
    for (int i = 0; i < 18; i++)
        o.values[i] = (float)i / 7;
    orr_oof_take_targets(&o, &schema);
    assert_string_equal(o.target_names[0], "BJD");
    ranks_ok(write_file(&s, in("shift.h5")));
    ranks_ok(orr_oof_read(&back, in("shift.h5")));
    assert_string_equal(back.target_names[1], "mag");
    assert_true(back.shift[0] == 2454833 && back.shift[1] == 0);
    for (int i = 0; i < 18; i++) {
        assert_true(back.values[i] == o.values[i]);
        assert_true(fabs(back.p[i] - number_of(0, 0, i / 2, i % 2)) < 1e-9);
    }
    ranks_ok(orr_store_open(&r, in("shift.h5"), "orrery-oof-1"));
    ranks_ok(orr_store_get(r, "p", ORR_STORE_F64, 2 * 9 * 2, p));
    orr_store_close(r);
    assert_true(p[0] == number_of(0, 0, 0, 0) + 2454833);
    assert_true(p[1] == number_of(0, 0, 0, 1));
    MPI_Barrier(MPI_COMM_WORLD);
    orr_oof_free(&back);
    orr_oof_free(&o);
}

/* ---- a rank that fails ---- */
static void test_one_fails(void **state)
{
    orr_oof o = make(50, 7, 2, 20), back;
    const char *path = in("kept.h5");
    source s = { &o, -1, -1, 0 };
    char tmp[ORR_PATH_MAX];

    (void)state;
    ranks_ok(write_file(&s, path));
    ranks_ok(orr_tmp_path(tmp, path));
    for (s.fails_at = 0; s.fails_at < o.n_columns; s.fails_at += 3) {
        assert_int_equal(write_file(&s, path), ORR_ERR_FORMAT);
        assert_non_null(strstr(orr_error_text(), "is lost"));
        MPI_Barrier(MPI_COMM_WORLD);
        assert_false(orr_path_exists(tmp));
        ranks_ok(orr_oof_read(&back, path));
        check(&o, &back);
        orr_oof_free(&back);
        MPI_Barrier(MPI_COMM_WORLD);
    }
    s.fails_at = -1;
    assert_int_equal(write_file(&s, in("nowhere/x.h5")), ORR_ERR_IO);
    orr_oof_free(&o);
}

/* ---- files that are refused ---- */
static void refused(const char *path, const char *word)
{
    orr_oof o;

    assert_int_equal(orr_oof_read(&o, path), ORR_ERR_FORMAT);
    if (!strstr(orr_error_text(), word)) fail_msg("%s: no \"%s\"", orr_error_text(), word);
    assert_null(o.p);
}

static void test_not_finite(void **state)
{
    orr_oof o = make(5, 2, 2, 4);
    source s = { &o, -1, 1, 0 };

    (void)state;
    ranks_ok(write_file(&s, in("nan.h5")));
    refused(in("nan.h5"), "model m0/seed 2 for sample star-0 is not a number");
    s.nan_in_test = 1;
    ranks_ok(write_file(&s, in("nan.h5")));
    refused(in("nan.h5"), "for sample test-0 is not a number");
    MPI_Barrier(MPI_COMM_WORLD);
    orr_oof_free(&o);
}

static void change(const char *path, off_t at)
{
    int fd = open(path, O_RDWR);
    char c;

    assert_int_equal(pread(fd, &c, 1, at), 1);
    c ^= 1;
    assert_int_equal(pwrite(fd, &c, 1, at), 1);
    close(fd);
}

static void test_damaged(void **state)
{
    orr_oof o = make(3000, 1, 2, 0), back;
    const source s = { &o, -1, -1, 0 };
    const char *path = in("damaged.h5");
    struct stat info;

    (void)state;
    ranks_ok(write_file(&s, path));
    if (is_first()) {
        assert_int_equal(stat(path, &info), 0);
        for (off_t at = info.st_size / 4; at < info.st_size; at += info.st_size / 9) {
            change(path, at);
            refused(path, "damaged");
            change(path, at);
        }
        ranks_ok(orr_oof_read(&back, path));
        orr_oof_free(&back);
        for (int ninth = 8; ninth >= 0; ninth--) {
            assert_int_equal(truncate(path, info.st_size / 9 * ninth), 0);
            refused(path, "truncated");
        }
        assert_int_equal(orr_oof_read(&back, in("none.h5")), ORR_ERR_IO);
    }
    MPI_Barrier(MPI_COMM_WORLD);
    orr_oof_free(&o);
}

/* A whole file with another description. */
static void described(const char *text)
{
    orr_store_writer *w;
    int32_t zero[4] = { 0 };
    char id[2][ID_BYTES] = { "a", "b" };
    double p[4] = { 0 };

    ranks_ok(orr_store_begin(&w, in("odd.h5"), "orrery-oof-1"));
    ranks_ok(orr_store_put_text(w, "description", text));
    ranks_ok(orr_store_put(w, "id", orr_store_vector(ORR_STORE_TEXT_OF(ID_BYTES), 2), id));
    ranks_ok(orr_store_put(w, "fold", orr_store_matrix(ORR_STORE_I32, 1, 2), zero));
    ranks_ok(orr_store_put(w, "p", orr_store_matrix(ORR_STORE_F64, 2, 2), p));
    ranks_ok(orr_store_commit(w, ORR_OK));
}

#define ONE_COLUMN "\"columns\": [{\"model\": \"m\", \"seed\": 1, \"repeat\": 0}]"
static const char good[] = "{\"samples\": 2, \"test_samples\": 0, \"folds\": 2, \"repeats\": 1, "
                           "\"width\": 2, \"classes\": 2, "
                           "\"y_width\": 0, \"bins\": 0, " ONE_COLUMN "}";

static void described_with(const char *from, const char *to)
{
    char text[sizeof good + 64];
    const char *at = strstr(good, from);

    assert_non_null(at);
    snprintf(text, sizeof text, "%.*s%s%s", (int)(at - good), good, to, at + strlen(from));
    described(text);
}

/* Numbers that a description makes up ask for no memory. */
static void test_description(void **state)
{
    static const char *const odd[][2] = { { "\"samples\": 2", "\"samples\": 0" },
                                          { "\"samples\": 2", "\"samples\": 1e300" },
                                          { "\"samples\": 2", "\"samples\": -1" },
                                          { "\"test_samples\": 0", "\"test_samples\": \"x\"" },
                                          { "\"width\": 2", "\"width\": 1e12" },
                                          { "\"classes\": 2", "\"classes\": 1001" },
                                          { "\"folds\": 2", "\"folds\": 0" },
                                          { ONE_COLUMN, "\"columns\": []" } };
    orr_oof o;

    (void)state;
    if (!is_first()) return;
    described(good);
    ranks_ok(orr_oof_read(&o, in("odd.h5")));
    orr_oof_free(&o);
    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
        described_with(odd[i][0], odd[i][1]);
        refused(in("odd.h5"), "makes no sense");
    }
    described_with("\"samples\": 2", "\"samples\": 1000000000000");
    refused(in("odd.h5"), "id holds 2 numbers");
    described_with("\"width\": 2", "\"width\": 2000000000");
    refused(in("odd.h5"), "p holds 4 numbers");
    described_with("\"model\": \"m\"", "\"model\": 1");
    refused(in("odd.h5"), "damaged");
    described("no JSON");
    refused(in("odd.h5"), "makes no sense");
}

static int make_folder(void **state)
{
    (void)state;
    if (is_first()) {
        snprintf(dir, sizeof dir, "/tmp/orrery-oof-XXXXXX");
        if (!mkdtemp(dir)) return -1;
    }
    MPI_Bcast(dir, sizeof dir, MPI_CHAR, 0, MPI_COMM_WORLD);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    MPI_Barrier(MPI_COMM_WORLD);
    return is_first() && orr_remove_dir(dir) != ORR_OK ? -1 : 0;
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_sizes),       cmocka_unit_test(test_without_folds),
    cmocka_unit_test(test_shift),       cmocka_unit_test(test_one_fails),
    cmocka_unit_test(test_damaged),     cmocka_unit_test(test_not_finite),
    cmocka_unit_test(test_description),
};

int main(int argc, char **argv)
{
    int level, failed;

    alarm(100);
    MPI_Init_thread(&argc, &argv, MPI_THREAD_FUNNELED, &level);
    failed = cmocka_run_group_tests(tests, make_folder, remove_folder);
    if (failed) MPI_Abort(MPI_COMM_WORLD, 1); /* the others may wait for this rank */
    MPI_Finalize();
    return failed != 0;
}
