/* tests/data/test_image_stats.c - statistics of pixels and channels over blocks of rows: known
 * numbers, blocks in any size, missing values, the file.  "write FILE TYPE H W C OUT" does the work
 * for tests/data/image_stats.py, where NumPy is the oracle. */
#include "shard_help.h"

#include "data/image_stats.h"
#include "data/transform.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

static orr_schema image(orr_x_type type, int h, int w, int c)
{
    return (orr_schema){ .x_type = type, .n_dims = 3, .h = h, .w = w, .c = c, .units = "nmgy" };
}

/* All n rows, in blocks of ORR_FIT_BLOCK, merged in order. */
static orr_image_stats *of(const orr_schema *s, const void *x, int64_t n)
{
    double *sums = orr_alloc(orr_image_stats_size(s), 8),
           *total = orr_alloc(orr_image_stats_size(s), 8);
    orr_image_stats *st;

    for (int64_t first = 0; first < n; first += ORR_FIT_BLOCK) {
        int m = n - first < ORR_FIT_BLOCK ? (int)(n - first) : ORR_FIT_BLOCK;

        memset(sums, 0xff, orr_image_stats_size(s) * 8); /* NaN: sums are overwritten */
        assert_ok(orr_image_stats_block(s, (const char *)x + (size_t)first * orr_schema_x_bytes(s),
                                        m, sums));
        orr_image_stats_merge(s, total, sums);
    }
    assert_ok(orr_image_stats_create(&st, s, total, n));
    orr_free(sums);
    orr_free(total);
    return st;
}

static void assert_value(double got, double want)
{
    if (!(got == want || (isnan(got) && isnan(want))))
        fail_msg("%.17g instead of %.17g", got, want);
}

/* Numbers 0 and 2 are channel 0, 1 and 3 channel 1. */
static void test_known(void **state)
{
    const float x[3][4] = { { 1, 10, NAN, 5 }, { 2, NAN, INFINITY, 5 }, { 6, 30, NAN, -INFINITY } };
    const double mean[] = { 3, 20, NAN, 5 }, variance[] = { 14.0 / 3, 100, NAN, 0 };
    const double min[] = { 1, 10, NAN, 5 }, max[] = { 6, 30, NAN, 5 };
    const int64_t missing[] = { 0, 1, 3, 1 };
    orr_schema s = image(ORR_X_F32, 1, 2, 2);
    orr_image_stats *st = of(&s, x, 3);

    (void)state;
    assert_int_equal(st->rows, 3);
    assert_true(st->h == 1 && st->w == 2 && st->c == 2);
    for (int i = 0; i < 4; i++) {
        assert_value(st->pixel.mean[i], mean[i]);
        if (i == 0)
            assert_true(fabs(st->pixel.variance[i] - variance[i]) < 1e-14);
        else
            assert_value(st->pixel.variance[i], variance[i]);
        assert_value(st->pixel.min[i], min[i]);
        assert_value(st->pixel.max[i], max[i]);
        assert_int_equal(st->pixel.missing[i], missing[i]);
    }
    assert_value(st->channel.mean[0], 3); /* 1 2 6 */
    assert_int_equal(st->channel.missing[0], 3);
    assert_true(fabs(st->channel.mean[1] - 12.5) < 1e-14); /* 10 30 5 5 */
    assert_true(fabs(st->channel.variance[1] - 106.25) < 1e-12);
    assert_value(st->channel.min[1], 5);
    assert_value(st->channel.max[1], 30);
    assert_int_equal(st->channel.missing[1], 2);
    orr_image_stats_destroy(st);
}

/* A large mean and a small deviation, rows beyond several blocks, wider than a tile. */
static void test_sound(void **state)
{
    enum { ROWS = 3 * ORR_FIT_BLOCK + 17, W = 1100, C = 1 };
    orr_schema s = image(ORR_X_F32, 1, W, C);
    float *x = orr_alloc((size_t)ROWS * W, 4);
    orr_image_stats *st;
    long double whole = 0, squares = 0;

    (void)state;
    for (size_t i = 0; i < (size_t)ROWS * W; i++)
        x[i] = i % W == 7 ? 0.1f : 1e6f + (float)((i * 7919) % 257) / 16;
    st = of(&s, x, ROWS);
    for (size_t k = 0; k < W; k++) {
        long double mean = 0, square = 0;

        for (size_t r = 0; r < ROWS; r++)
            mean += x[r * W + k];
        whole += mean;
        mean /= ROWS;
        for (size_t r = 0; r < ROWS; r++)
            square += (x[r * W + k] - mean) * (x[r * W + k] - mean);
        assert_true(fabsl(st->pixel.mean[k] - mean) <= 1e-15L * fabsl(mean));
        assert_true(fabsl(st->pixel.variance[k] - square / ROWS) <= 1e-12L * (square / ROWS));
    }
    assert_value(st->pixel.variance[7], 0);
    whole /= (long double)ROWS * W;
    for (size_t i = 0; i < (size_t)ROWS * W; i++)
        squares += (x[i] - whole) * (x[i] - whole);
    squares /= (long double)ROWS * W;
    assert_true(fabsl(st->channel.mean[0] - whole) <= 1e-14L * whole);
    assert_true(fabsl(st->channel.variance[0] - squares) <= 1e-12L * squares);
    orr_image_stats_destroy(st);
    orr_free(x);
}

/* Blocks without rows, or without a finite value, change nothing; before or after others. */
static void test_empty_blocks(void **state)
{
    orr_schema s = image(ORR_X_F32, 1, 1, 2);
    const float x[2][2] = { { 4, 8 }, { 6, NAN } }, none[1][2] = { { NAN, NAN } };
    double sums[10], total[10] = { 0 }, kept[10];
    orr_image_stats *st;

    (void)state;
    assert_int_equal(orr_image_stats_size(&s), 10);
    assert_ok(orr_image_stats_block(&s, none, 1, sums));
    orr_image_stats_merge(&s, total, sums);
    assert_ok(orr_image_stats_block(&s, x, 2, sums));
    orr_image_stats_merge(&s, total, sums);
    memcpy(kept, total, sizeof kept);
    assert_ok(orr_image_stats_block(&s, none, 1, sums));
    orr_image_stats_merge(&s, total, sums);
    assert_ok(orr_image_stats_block(&s, x, 0, sums));
    orr_image_stats_merge(&s, total, sums);
    assert_memory_equal(kept, total, sizeof kept);
    assert_ok(orr_image_stats_create(&st, &s, total, 4));
    assert_value(st->pixel.mean[0], 5);
    assert_value(st->pixel.variance[0], 1);
    assert_value(st->pixel.mean[1], 8);
    assert_value(st->pixel.variance[1], 0);
    assert_int_equal(st->pixel.missing[0], 2);
    assert_int_equal(st->pixel.missing[1], 3);
    orr_image_stats_destroy(st);
    assert_fails(orr_image_stats_block(&s, x, ORR_FIT_BLOCK + 1, sums), ORR_ERR_ARG, "257 rows");
    assert_fails(orr_image_stats_block(&s, x, -1, sums), ORR_ERR_ARG, "-1 rows");
    assert_fails(orr_image_stats_create(&st, &s, total, 1), ORR_ERR_ARG, "2 values in 1 rows");
    assert_null(st);
    total[1] = NAN;
    assert_fails(orr_image_stats_create(&st, &s, total, 9), ORR_ERR_ARG, "number 1 has nan");
}

static void test_types(void **state)
{
    const uint8_t bytes[3][1] = { { 0 }, { 255 }, { 0 } };
    const uint16_t halves[3][1] = { { 0x3c00 }, { 0xc000 }, { 0x7e00 } }; /* 1, -2, NaN */
    orr_schema u = image(ORR_X_U8, 1, 1, 1), h = image(ORR_X_F16, 1, 1, 1);
    orr_image_stats *st = of(&u, bytes, 3);

    (void)state;
    assert_value(st->pixel.mean[0], 85);
    assert_value(st->pixel.variance[0], 2 * 85.0 * 85.0);
    assert_value(st->pixel.max[0], 255);
    orr_image_stats_destroy(st);
    st = of(&h, halves, 3);
    assert_value(st->pixel.mean[0], -0.5);
    assert_value(st->pixel.variance[0], 2.25);
    assert_value(st->pixel.min[0], -2);
    assert_int_equal(st->channel.missing[0], 1);
    orr_image_stats_destroy(st);
}

static void hash_of(char sha[ORR_SHA256_HEX], const char *path)
{
    assert_ok(orr_sha256_file(sha, path));
}

static void test_file(void **state)
{
    char dir[ORR_PATH_MAX], a[ORR_PATH_MAX], b[ORR_PATH_MAX], tmp[ORR_PATH_MAX];
    char sha[2][ORR_SHA256_HEX];
    orr_schema s = image(ORR_X_F32, 3, 4, 5);
    float *x = orr_alloc(20 * 60, 4);
    orr_image_stats *st = NULL, *less;
    orr_status status = ORR_ERR_NOMEM;
    pid_t pid;
    int how;
    double *total = orr_alloc(orr_image_stats_size(&s), 8);

    (void)state;
    memcpy(s.channel_names[2], "r", 2);
    for (int i = 0; i < 20 * 60; i++)
        x[i] = cell(i, 3);
    st = of(&s, x, 20);
    less = of(&s, x, 19);
    temp_dir(dir);
    in_dir(a, dir, "statistics.h5");
    in_dir(b, dir, "again.h5");
    in_dir(tmp, dir, "statistics.h5.tmp");
    assert_ok(orr_image_stats_save(less, a));
    assert_ok(orr_image_stats_save(st, a)); /* takes the older one's place */
    sleep(1);
    assert_ok(orr_image_stats_save(st, b));
    hash_of(sha[0], a);
    hash_of(sha[1], b);
    assert_string_equal(sha[0], sha[1]);
    assert_false(orr_path_exists(tmp));
    for (int n = 1; status != ORR_OK && n < 40; n++) {
        orr_alloc_fail_at(n);
        status = orr_image_stats_save(less, a);
        orr_alloc_fail_at(0);
        if (status != ORR_OK) assert_int_equal(status, ORR_ERR_NOMEM);
        assert_false(orr_path_exists(tmp));
        hash_of(sha[1], a);
        if (status != ORR_OK)
            assert_string_equal(sha[0], sha[1]); /* the older one is still there */
    }
    assert_ok(status);
    orr_image_stats_destroy(st);
    status = ORR_ERR_NOMEM;
    for (int n = 1; status != ORR_OK && n < 40; n++) {
        orr_alloc_fail_at(n);
        status = orr_image_stats_create(&st, &s, total, 0);
        orr_alloc_fail_at(0);
        assert_true(status == ORR_OK || (status == ORR_ERR_NOMEM && !st));
    }
    assert_ok(status);
    assert_value(st->pixel.mean[0], NAN); /* of no rows */
    assert_int_equal(st->channel.missing[0], 0);
    pid = fork();
    if (pid == 0) { /* no room: met before a byte is written */
        struct rlimit limit = { 100000, 100000 };

        signal(SIGXFSZ, SIG_IGN);
        setrlimit(RLIMIT_FSIZE, &limit);
        assert_fails(orr_image_stats_save(st, a), ORR_ERR_IO, "file size limit");
        _exit(orr_path_exists(tmp));
    }
    assert_int_equal(waitpid(pid, &how, 0), pid);
    assert_int_equal(how, 0);
    in_dir(b, dir, "nowhere/statistics.h5");
    assert_fails(orr_image_stats_save(st, b), ORR_ERR_IO,
                 "nowhere/statistics.h5.tmp: cannot create");
    orr_image_stats_destroy(st);
    orr_image_stats_destroy(less);
    orr_free(x);
    orr_free(total);
    assert_ok(orr_remove_dir(dir));
}

/* FILE (n stored rows of h*w*c) to OUT. */
static int write_for_python(char **argv)
{
    orr_schema s = image((orr_x_type)strtol(argv[3], NULL, 10), (int)strtol(argv[4], NULL, 10),
                         (int)strtol(argv[5], NULL, 10), (int)strtol(argv[6], NULL, 10));
    orr_image_stats *st;
    size_t bytes;
    char *data;

    for (int k = 0; k < 3; k++)
        s.channel_names[k][0] = "gri"[k];
    assert_ok(orr_read_file(&data, &bytes, argv[2], 1 << 30));
    st = of(&s, data, (int64_t)(bytes / orr_schema_x_bytes(&s)));
    assert_ok(orr_image_stats_save(st, argv[7]));
    orr_image_stats_destroy(st);
    orr_free(data);
    return 0;
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known),        cmocka_unit_test(test_sound),
        cmocka_unit_test(test_empty_blocks), cmocka_unit_test(test_types),
        cmocka_unit_test(test_file),
    };

    if (argc == 8 && strcmp(argv[1], "write") == 0) return write_for_python(argv);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
