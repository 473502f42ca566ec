/* The run folder: one job, one start at a time, tables cut back to what a checkpoint remembers. */
#include "core/core_test.h"
#include "core/memory.h"
#include "jobs/context/run.h"

#include <sys/stat.h>

static const char header[] = "epoch,loss\n", timing[] = "epoch,seconds\n", job[] = "lr: 0.1\n";

static char dir[64];

static int new_folder(void **state)
{
    (void)state;
    snprintf(dir, sizeof dir, "/tmp/orrery-run-XXXXXX");
    return mkdtemp(dir) ? 0 : -1;
}

static int drop_folder(void **state)
{
    (void)state;
    return orr_remove_dir(dir) == ORR_OK ? 0 : -1;
}

static void assert_file(const char *name, const char *want)
{
    char path[ORR_PATH_MAX], *text = NULL;
    size_t n;

    assert_ok(orr_path_join(path, dir, name));
    assert_ok(orr_read_file(&text, &n, path, 1 << 20));
    assert_string_equal(text, want);
    orr_free(text);
}

static void test_holds_one_job(void **state)
{
    orr_run r;
    int resume = -1;

    (void)state;
    assert_ok(orr_run_open(&r, dir, job, &resume));
    assert_int_equal(resume, 0);
    assert_file("job.yaml", job);
    orr_run_close(&r);
    assert_ok(orr_run_open(&r, dir, job, &resume));
    orr_run_close(&r);
    assert_int_equal(orr_run_open(&r, dir, "lr: 0.2\n", &resume), ORR_ERR_OPTION);
    assert_non_null(strstr(orr_error_text(), "\"lr: 0.2\" was \"lr: 0.1\""));
    orr_run_close(&r);
}

static void put(const char *name)
{
    char path[ORR_PATH_MAX];

    assert_ok(orr_path_join(path, dir, name));
    assert_ok(orr_write_file(path, "x", 1));
}

static int is_there(const char *name)
{
    char path[ORR_PATH_MAX];

    assert_ok(orr_path_join(path, dir, name));
    return orr_path_exists(path);
}

static void test_gives_way(void **state)
{
    static const char *const goes[] = { "checkpoint-last.h5",   "model.h5",
                                        "predictions-test.csv", "timing.2.csv",
                                        "metrics.jsonl",        "model.h5.tmp",
                                        ".not-finite" };
    orr_run_offer offer = { .job = "lr: 0.2\n", .mark = "lr:", .overwrite = 1 };
    orr_run r, other;
    int resume;

    (void)state;
    assert_ok(orr_run_open(&r, dir, job, &resume));
    for (size_t i = 0; i < sizeof goes / sizeof *goes; i++)
        put(goes[i]);
    put("notes.txt");
    put("my-model.h5");
    assert_int_equal(orr_run_take(&other, dir, &offer, &resume), ORR_ERR_EXISTS); /* it is live */
    orr_run_close(&r);
    offer.mark = "cv:";
    assert_int_equal(orr_run_take(&r, dir, &offer, &resume),
                     ORR_ERR_EXISTS); /* another command's */
    assert_file("job.yaml", job);
    assert_true(is_there("model.h5"));
    offer.mark = "lr:";
    assert_ok(orr_run_take(&r, dir, &offer, &resume));
    assert_int_equal(resume, 0);
    assert_file("job.yaml", "lr: 0.2\n");
    for (size_t i = 0; i < sizeof goes / sizeof *goes; i++)
        assert_false(is_there(goes[i]));
    assert_true(is_there("notes.txt") && is_there("my-model.h5"));
    put("checkpoint-last.h5");
    orr_run_close(&r);
    assert_ok(orr_run_take(&r, dir, &offer, &resume)); /* the same job goes on */
    assert_int_equal(resume, 1);
    orr_run_close(&r);
}

static void test_keeps_a_second_start_out(void **state)
{
    orr_run a, b;
    int resume;

    (void)state;
    assert_ok(orr_run_open(&a, dir, job, &resume));
    assert_int_equal(orr_run_open(&b, dir, job, &resume), ORR_ERR_EXISTS);
    assert_non_null(strstr(orr_error_text(), "another job is running here"));
    orr_run_close(&b);
    orr_run_close(&a);
    assert_ok(orr_run_open(&b, dir, job, &resume));
    orr_run_close(&b);
}

static void test_is_shared_and_claimed(void **state)
{
    orr_run a, b;

    (void)state;
    assert_ok(orr_run_share(&a, dir, job));
    assert_ok(orr_run_share(&b, dir, job));
    assert_int_equal(orr_run_claim(&a, 0), ORR_ERR_EXISTS);
    orr_run_close(&b);
    assert_ok(orr_run_claim(&a, 0));
    orr_run_close(&a);
}

static void test_tables_are_cut_back(void **state)
{
    orr_run r;
    int resume;
    int64_t metrics, history, later, more;

    (void)state;
    assert_ok(orr_run_open(&r, dir, job, &resume));
    assert_ok(orr_run_open_tables(&r, 0, 0, header, timing));
    assert_ok(orr_run_append(&r, "{\"epoch\":1}\n", "1,0.5\n", "1,2\n"));
    assert_ok(orr_run_sizes(&r, &metrics, &history)); /* a checkpoint is here */
    assert_ok(orr_run_append(&r, "{\"epoch\":2}\n", "2,0.4\n", "2,2\n"));
    assert_ok(orr_run_sizes(&r, &later, &more));
    assert_true(later > metrics);
    orr_run_close(&r);
    assert_ok(orr_run_open(&r, dir, job, &resume));
    assert_ok(orr_run_open_tables(&r, metrics, history, header, timing));
    assert_file("metrics.jsonl", "{\"epoch\":1}\n");
    assert_file("history.csv", "epoch,loss\n1,0.5\n");
    orr_run_close(&r);
}

static void test_removed_under_it(void **state)
{
    orr_run r;
    int resume;
    int64_t metrics, history;
    char path[ORR_PATH_MAX];

    (void)state;
    assert_ok(orr_run_open(&r, dir, job, &resume));
    assert_ok(orr_run_open_tables(&r, 0, 0, header, timing));
    assert_ok(orr_path_join(path, dir, "metrics.jsonl"));
    assert_int_equal(unlink(path), 0);
    assert_int_equal(orr_run_sizes(&r, &metrics, &history), ORR_ERR_IO);
    orr_run_close(&r);
}

int main(void)
{
#define IN_A_FOLDER(f) cmocka_unit_test_setup_teardown(f, new_folder, drop_folder)
    const struct CMUnitTest tests[] = {
        IN_A_FOLDER(test_holds_one_job),         IN_A_FOLDER(test_keeps_a_second_start_out),
        IN_A_FOLDER(test_is_shared_and_claimed), IN_A_FOLDER(test_tables_are_cut_back),
        IN_A_FOLDER(test_removed_under_it),      IN_A_FOLDER(test_gives_way),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
