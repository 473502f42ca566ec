/* One shard written by all ranks together has the bytes that orr_shard_write gives alone. */
#include "data/shard_shared.h"
#include "shard_help.h"

#include <mpi.h>
#include <sys/stat.h>

static int rank, size;
static char dir[ORR_PATH_MAX]; /* the same on all ranks */

static const MPI_Comm comm = MPI_COMM_WORLD;
static const MPI_Info info = MPI_INFO_NULL;
static const orr_store_ranks world = { &comm, &info };

static int any_failed(orr_status st)
{
    int bad = st != ORR_OK;

    MPI_Allreduce(MPI_IN_PLACE, &bad, 1, MPI_INT, MPI_MAX, MPI_COMM_WORLD);
    return bad;
}

static orr_schema class_schema(void)
{
    orr_schema s = { .n_dims = 2, .h = 1, .w = 5, .c = 2, .y_type = ORR_Y_CLASS, .n_classes = 3 };

    snprintf(s.class_names[1], sizeof s.class_names[1], "star");
    return s;
}

static orr_schema value_schema(void)
{
    orr_schema s = { .n_dims = 3,
                     .h = 4,
                     .w = 4,
                     .c = 3,
                     .y_type = ORR_Y_VALUE,
                     .y_width = 2,
                     .id_type = ORR_ID_TEXT,
                     .id_bytes = 12,
                     .n_aux = 2 };

    snprintf(s.units, sizeof s.units, "nanomaggy");
    snprintf(s.channel_names[0], sizeof s.channel_names[0], "u");
    snprintf(s.aux_names[1], sizeof s.aux_names[1], "e_bv");
    snprintf(s.y_names[0], sizeof s.y_names[0], "z");
    return s;
}

static orr_schema bare_schema(void)
{
    return (orr_schema){ .n_dims = 1, .h = 1, .w = 1, .c = 1, .x_type = ORR_X_U8 };
}

static const orr_provenance made_by = { .command = "test", .job = "a: 1\n" };

/* Blocks of `block` rows in turn over the ranks; in the last rounds some have none. */
static orr_status write_together(int number, const orr_schema *s, int64_t rows, int64_t block,
                                 int break_rank, orr_status *closed)
{
    orr_shared_shard *f = NULL;
    orr_status st = rank == 0 ? orr_shared_shard_lay_out(dir, number, s, rows, &made_by) : ORR_OK;

    if (!any_failed(st)) {
        assert_ok(orr_shared_shard_create(&f, dir, number, s, rows));
        st = orr_shared_shard_open(f, &world);
    }
    for (int64_t first = 0; f && first < rows; first += block * size) {
        int64_t mine = first + block * rank, n = rows - mine < block ? rows - mine : block;
        orr_rows r = make_rows(s, mine, n > 0 ? n : 0);

        if (rank == break_rank && n > 0) ((int32_t *)r.y)[n - 1] = 99;
        orr_status w = orr_shared_shard_write(f, n > 0 ? mine : 0, &r);
        if (st == ORR_OK) st = w;
        free_rows(&r);
    }
    *closed = f ? orr_shared_shard_close(f) : ORR_OK;
    return st;
}

static void path_of(char out[ORR_PATH_MAX], const char *folder, int number, const char *end)
{
    assert_true(snprintf(out, ORR_PATH_MAX, "%s/shard-%05d.h5%s", folder, number, end) <
                ORR_PATH_MAX);
}

static void same_as_alone(const orr_schema *s, int64_t rows, int64_t block, int number)
{
    orr_status closed;
    char alone[ORR_PATH_MAX], a[ORR_PATH_MAX], b[ORR_PATH_MAX], sa[ORR_SHA256_HEX],
        sb[ORR_SHA256_HEX];

    assert_ok(write_together(number, s, rows, block, -1, &closed));
    assert_ok(closed);
    MPI_Barrier(MPI_COMM_WORLD);
    if (rank == 0) {
        orr_rows all = make_rows(s, 0, rows);
        struct stat one, other;

        assert_ok(orr_shared_shard_commit(dir, number, 1));
        assert_true(snprintf(alone, sizeof alone, "%s/alone", dir) < (int)sizeof alone);
        assert_ok(orr_make_dirs(alone));
        assert_ok(orr_shard_write(alone, number, s, &all, &made_by, NULL));
        free_rows(&all);
        path_of(a, dir, number, "");
        path_of(b, alone, number, "");
        assert_int_equal(stat(a, &one), 0);
        assert_int_equal(stat(b, &other), 0);
        assert_int_equal(one.st_size, other.st_size);
        assert_ok(orr_sha256_file(sa, a));
        assert_ok(orr_sha256_file(sb, b));
        assert_string_equal(sa, sb);
    }
    MPI_Barrier(MPI_COMM_WORLD);
}

static void test_bytes(void **state)
{
    orr_schema classes = class_schema(), values = value_schema(), bare = bare_schema();
    (void)state;

    same_as_alone(&classes, 1, 4, 0); /* ranks 1 and 2 never have a row */
    same_as_alone(&classes, 7, 2, 1);
    same_as_alone(&values, 1000, 37, 2);
    same_as_alone(&values, 20000, 3000, 3); /* past the alignment threshold, and some MiB */
    same_as_alone(&bare, 100, 100, 4);
}

/* A rank that fails goes on with the others; the file gets no name. */
static void test_one_rank_fails(void **state)
{
    orr_schema s = class_schema();
    orr_status closed, st = write_together(10, &s, 12, 2, size - 1, &closed);
    char path[ORR_PATH_MAX];
    (void)state;

    assert_int_equal(st != ORR_OK, rank == size - 1);
    if (rank == size - 1)
        assert_fails(closed, ORR_ERR_FORMAT, "label 99");
    else
        assert_ok(closed);
    assert_true(any_failed(closed));
    if (rank == 0) {
        assert_ok(orr_shared_shard_commit(dir, 10, 0));
        assert_ok(orr_shared_shard_commit(dir, 10, 0)); /* gone already: fine */
        path_of(path, dir, 10, "");
        assert_false(orr_path_exists(path));
        path_of(path, dir, 10, ".tmp");
        assert_false(orr_path_exists(path));
    }
    MPI_Barrier(MPI_COMM_WORLD);
}

static void test_refused(void **state)
{
    orr_schema s = class_schema();
    orr_shared_shard *f = NULL;
    char none[ORR_PATH_MAX];
    (void)state;

    assert_true(snprintf(none, sizeof none, "%s/nowhere", dir) < (int)sizeof none);
    assert_fails(orr_shared_shard_lay_out(none, 0, &s, 1, NULL), ORR_ERR_IO, "cannot create");
    assert_fails(orr_shared_shard_lay_out(dir, 0, &s, 1, NULL), ORR_ERR_EXISTS, "exists already");
    assert_fails(orr_shared_shard_lay_out(dir, 11, &s, 0, NULL), ORR_ERR_ARG, "a row");
    assert_ok(orr_shared_shard_create(&f, none, 0, &s, 1));
    assert_fails(orr_shared_shard_open(f, &world), ORR_ERR_IO, "cannot open");
    assert_fails(orr_shared_shard_close(f), ORR_ERR_IO, "cannot open");
    MPI_Barrier(MPI_COMM_WORLD);
}

/* Without an access list one process writes alone. */
static void test_alone(void **state)
{
    orr_schema s = value_schema();
    orr_shared_shard *f = NULL;
    int64_t rows = 0;
    char path[ORR_PATH_MAX];
    (void)state;

    if (rank == 0) {
        orr_rows r = make_rows(&s, 0, 3);
        assert_ok(orr_shared_shard_lay_out(dir, 20, &s, 3, &made_by));
        assert_ok(orr_shared_shard_create(&f, dir, 20, &s, 3));
        assert_ok(orr_shared_shard_open(f, NULL));
        assert_ok(orr_shared_shard_write(f, 0, &r));
        assert_fails(orr_shared_shard_write(f, 1, &r), ORR_ERR_ARG, "rows 1 to 4 of 3");
        assert_fails(orr_shared_shard_close(f), ORR_ERR_ARG, "rows 1 to 4");
        assert_ok(orr_shared_shard_lay_out(dir, 20, &s, 3, &made_by));
        assert_ok(orr_shared_shard_create(&f, dir, 20, &s, 3));
        assert_ok(orr_shared_shard_open(f, NULL));
        assert_ok(orr_shared_shard_write(f, 0, &r));
        assert_ok(orr_shared_shard_close(f));
        assert_ok(orr_shared_shard_commit(dir, 20, 1));
        path_of(path, dir, 20, "");
        assert_ok(orr_shard_rows(path, &s, &rows));
        assert_int_equal(rows, 3);
        free_rows(&r);
    }
    MPI_Barrier(MPI_COMM_WORLD);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bytes),
        cmocka_unit_test(test_one_rank_fails),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_alone),
    };
    char alone[ORR_PATH_MAX + 8];
    int failed;

    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    alarm(100);
    if (rank == 0) temp_dir(dir);
    MPI_Bcast(dir, sizeof dir, MPI_CHAR, 0, MPI_COMM_WORLD);
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    if (failed) MPI_Abort(MPI_COMM_WORLD, 1); /* the others may wait for this rank */
    if (rank == 0) {
        snprintf(alone, sizeof alone, "%s/alone", dir);
        (void)orr_remove_dir(alone);
        (void)orr_remove_dir(dir);
    }
    MPI_Finalize();
    return 0;
}
