/* Images of HDF5 files under their names: by the caller, and by a thread that is held up by a FIFO
 * while the caller goes on. */
#include "jobs/train/saver.h"

#include "core/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
/* last */
#include <cmocka.h>

enum { N = 40000 };
static const char format[] = "saver-test-1";
static char dir[] = "/tmp/orrery-saver-XXXXXX";
static float numbers[N];

static const char *in(const char *name)
{
    static char paths[4][ORR_PATH_MAX];
    static int next;
    char *path = paths[next++ % 4];

    assert_int_equal(orr_path_join(path, dir, name), ORR_OK);
    return path;
}

static orr_status put_numbers(orr_store_writer *f)
{
    ORR_TRY(orr_store_put_text(f, "words", "some words"));
    ORR_TRY(orr_store_put(f, "empty", orr_store_vector(ORR_STORE_F32, 0), numbers));
    return orr_store_put(f, "numbers", orr_store_vector(ORR_STORE_F32, N), numbers);
}

static orr_store_image *make(float first, orr_store_image **spare)
{
    orr_store_image *image;
    orr_store_writer *f;
    orr_status st;

    for (int i = 0; i < N; i++)
        numbers[i] = first + (float)i;
    st = orr_store_begin_large(&f, "image", format, sizeof numbers, spare);
    if (st == ORR_OK) st = put_numbers(f);
    assert_int_equal(orr_store_take(f, st, &image), ORR_OK);
    memset(numbers, 0, sizeof numbers); /* the image does not depend on it any more */
    return image;
}

/* The first number of a file that is whole. */
static float first_in(const char *name)
{
    char *words = NULL;
    orr_store_reader *f;

    assert_int_equal(orr_store_open(&f, in(name), format), ORR_OK);
    assert_int_equal(orr_store_get_text(f, "words", &words), ORR_OK);
    assert_int_equal(orr_store_get(f, "empty", ORR_STORE_F32, 0, numbers), ORR_OK);
    assert_int_equal(orr_store_get(f, "numbers", ORR_STORE_F32, N, numbers), ORR_OK);
    assert_int_equal(orr_store_verify(f), ORR_OK);
    orr_store_close(f);
    orr_free(words);
    return numbers[0];
}

static orr_saver_job job_of(const char *one, const char *two)
{
    return (orr_saver_job){ .paths = { one, two } };
}

static void put(orr_saver *s, float first, const orr_saver_job *job, orr_status want)
{
    orr_store_image **spare, *image;

    assert_int_equal(orr_saver_ready(s, &spare), ORR_OK);
    image = make(first, spare);
    assert_null(*spare);
    assert_int_equal(orr_saver_put(s, image, job), want);
}

static void test_both_ways_are_the_same_bytes(void **state)
{
    static const char *const names[] = { "beside.h5", "again.h5", "own.h5", "commit.h5" };
    char sums[4][ORR_SHA256_HEX];
    orr_store_writer *f;
    orr_saver *s;
    orr_saver_job job;

    (void)state;
    for (int asynchronous = 0; asynchronous < 2; asynchronous++) {
        assert_int_equal(orr_saver_create(&s, asynchronous), ORR_OK);
        job =
            job_of(asynchronous ? in(names[0]) : in(names[2]), asynchronous ? in(names[1]) : NULL);
        for (int i = 0; i < 5; i++) /* in one block, one after another */
            put(s, (float)i, &job, ORR_OK);
        assert_int_equal(orr_saver_wait(s), ORR_OK);
        assert_int_equal(orr_saver_wait(s), ORR_OK);
        orr_saver_destroy(s);
        assert_true(first_in(asynchronous ? names[0] : names[2]) == 4);
    }
    assert_int_equal(orr_store_begin(&f, in(names[3]), format), ORR_OK);
    for (int i = 0; i < N; i++)
        numbers[i] = 4 + (float)i;
    assert_int_equal(orr_store_commit(f, put_numbers(f)), ORR_OK);
    for (int i = 0; i < 4; i++)
        assert_int_equal(orr_sha256_file(sums[i], in(names[i])), ORR_OK);
    for (int i = 1; i < 4; i++)
        assert_string_equal(sums[i], sums[0]);
}

/* The .tmp is a FIFO: its writer hangs until somebody reads.  Who reads a little and leaves lets it
 * fail, and would end a thread that takes SIGPIPE. */
static void test_goes_on_and_fails_later(void **state)
{
    char some[16];
    orr_saver *s;
    orr_saver_job job = job_of(in("slow.h5"), NULL);
    orr_store_image **spare;
    int fd;

    (void)state;
    assert_int_equal(orr_saver_create(&s, 1), ORR_OK);
    put(s, 1, &job, ORR_OK);
    assert_int_equal(orr_saver_wait(s), ORR_OK);
    assert_int_equal(mkfifo(in("slow.h5.tmp"), 0600), 0);
    put(s, 2, &job, ORR_OK); /* comes back, though nothing was written */
    assert_true(first_in("slow.h5") == 1);
    fd = open(in("slow.h5.tmp"), O_RDONLY);
    assert_true(read(fd, some, sizeof some) > 0);
    close(fd);
    assert_int_equal(orr_saver_ready(s, &spare), ORR_ERR_IO);
    assert_non_null(strstr(orr_error_text(), "slow.h5: could not be written: Broken pipe"));
    assert_true(first_in("slow.h5") == 1);
    assert_int_not_equal(access(in("slow.h5.tmp"), F_OK), 0);
    put(s, 3, &job, ORR_OK); /* told once */
    orr_saver_destroy(s);    /* waits */
    assert_true(first_in("slow.h5") == 3);
}

static void test_same_words(void **state)
{
    char words[2][ORR_ERROR_MAX];
    orr_saver_job job = job_of(NULL, in("no-such-folder/x.h5"));
    orr_saver *s;

    (void)state;
    for (int asynchronous = 0; asynchronous < 2; asynchronous++) {
        assert_int_equal(orr_saver_create(&s, asynchronous), ORR_OK);
        put(s, 1, &job, asynchronous ? ORR_OK : ORR_ERR_IO);
        if (asynchronous) assert_int_equal(orr_saver_wait(s), ORR_ERR_IO);
        snprintf(words[asynchronous], sizeof words[0], "%s", orr_error_text());
        orr_saver_destroy(s);
    }
    assert_string_equal(words[0], words[1]);
    assert_non_null(strstr(words[0], "No such file"));
}

/* What is not what went in gets no name; nor does anything while its tables cannot be synced. */
static void test_damage_and_tables(void **state)
{
    orr_saver_job job = job_of(in("whole.h5"), NULL);
    const float second = 3;
    orr_store_image *image;
    const char *bytes, *at;
    size_t n;
    orr_saver *s;
    int ends[2];

    (void)state;
    assert_int_equal(orr_saver_create(&s, 0), ORR_OK);
    put(s, 1, &job, ORR_OK);
    image = make(2, NULL);
    bytes = orr_store_image_bytes(image, &n);
    at = memmem(bytes, n, &second, sizeof second);
    assert_non_null(at);
    ((char *)(uintptr_t)at)[7777] ^= 4;
    assert_int_equal(orr_saver_put(s, image, &job), ORR_ERR_IO);
    assert_non_null(strstr(orr_error_text(), "is not what was written"));
    assert_true(first_in("whole.h5") == 1);
    assert_int_equal(pipe(ends), 0); /* cannot be synced: EINVAL */
    job.tables[0] = (orr_saver_table){ .name = "rows.csv", .fd = ends[1] };
    put(s, 2, &job, ORR_OK); /* nothing new in it */
    job.tables[0].size = 10;
    put(s, 3, &job, ORR_ERR_IO);
    assert_non_null(strstr(orr_error_text(), "rows.csv beside it"));
    assert_true(first_in("whole.h5") == 2);
    close(ends[0]);
    close(ends[1]);
    orr_saver_destroy(s);
    orr_saver_destroy(NULL);
}

/* Each allocation of a save fails once: an error, nothing leaked, and what was there stays. */
static void test_out_of_memory(void **state)
{
    orr_saver_job job = job_of(in("memory.h5"), NULL);
    int failed = 0;
    orr_saver *s;

    (void)state;
    assert_int_equal(orr_saver_create(&s, 0), ORR_OK);
    put(s, 1, &job, ORR_OK);
    for (int64_t k = 1;; k++) {
        orr_store_image *image, **spare;
        orr_store_writer *f;
        orr_status st;

        assert_int_equal(orr_saver_ready(s, &spare), ORR_OK);
        orr_alloc_fail_at(k);
        st = orr_store_begin_large(&f, "image", format, 1000, spare);
        if (st == ORR_OK) st = put_numbers(f);
        st = orr_store_take(f, st, &image);
        if (st == ORR_OK) st = orr_saver_put(s, image, &job);
        orr_alloc_fail_at(0);
        if (st == ORR_OK) break;
        assert_true(first_in("memory.h5") == 1);
        failed++;
    }
    assert_true(failed >= 4);
    orr_saver_destroy(s);
}

static int make_folder(void **state)
{
    (void)state;
    return mkdtemp(dir) ? 0 : -1;
}

static int remove_folder(void **state)
{
    (void)state;
    return orr_remove_dir(dir) == ORR_OK ? 0 : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_both_ways_are_the_same_bytes),
        cmocka_unit_test(test_goes_on_and_fails_later),
        cmocka_unit_test(test_same_words),
        cmocka_unit_test(test_damage_and_tables),
        cmocka_unit_test(test_out_of_memory),
    };

    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
