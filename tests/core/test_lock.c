/* tests/core/test_lock.c - one at a time, and the end of whoever had it. */
#include "core/lock.h"
#include "core/table_file.h"
#include "core/test_folder.h"
#include "core/threads.h"

#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

/* A child that has the lock until it is killed. */
static pid_t have_lock(const char *path, const orr_lock_opts *o)
{
    int ready[2];
    pid_t child;
    char c;

    assert_int_equal(pipe(ready), 0);
    if ((child = fork()) == 0) {
        orr_lock l;

        if (orr_lock_take(&l, path, o) == ORR_OK && write(ready[1], "x", 1) == 1) pause();
        _exit(1);
    }
    assert_int_equal(read(ready[0], &c, 1), 1);
    close(ready[0]);
    close(ready[1]);
    return child;
}

static void kill_it(pid_t child)
{
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
}

static void one_at_a_time(void **state)
{
    const orr_lock_opts kinds[] = { { .kind = ORR_LOCK_FILE },
                                    { .kind = ORR_LOCK_FOLDER, .busy = "somebody is here" } };
    char path[ORR_PATH_MAX], message[2 * ORR_PATH_MAX];
    orr_lock l = ORR_LOCK_INIT;

    (void)state;
    for (int i = 0; i < 2; i++) {
        pid_t child;

        in_folder(path, i ? "d" : "f");
        if (i) assert_int_equal(mkdir(path, 0777), 0);
        child = have_lock(path, &kinds[i]);
        snprintf(message, sizeof message, "%s: %s", path,
                 i ? kinds[i].busy
                   : "another orrery is at work on it; wait for it, or choose another out");
        assert_failure(orr_lock_take(&l, path, &kinds[i]), ORR_ERR_EXISTS, message);
        assert_int_equal(l.fd, -1);
        kill_it(child); /* what a killed one left is free */
        assert_ok(orr_lock_take(&l, path, &kinds[i]));
        assert_true(orr_lock_holds(&l, path));
        assert_int_equal(remove(path), 0);
        assert_false(orr_lock_holds(&l, path));
        orr_lock_release(&l);
        orr_lock_release(&l);
    }
    assert_int_equal(orr_lock_take(&l, in_folder(path, "no/d"), &kinds[1]), ORR_ERR_IO);
}

static void shared_and_alone(void **state)
{
    const orr_lock_opts shared = { .shared = 1 }, wait_little = { .seconds = 0.1, .busy = "busy" };
    orr_lock a = ORR_LOCK_INIT, b = ORR_LOCK_INIT;
    char path[ORR_PATH_MAX];
    double begin;

    (void)state;
    in_folder(path, "s");
    assert_ok(orr_lock_take(&a, path, &shared));
    assert_ok(orr_lock_take(&b, path, &shared));
    begin = orr_now();
    assert_int_equal(orr_lock_alone(&a, path, &wait_little), ORR_ERR_EXISTS);
    assert_true(orr_now() - begin >= 0.1);
    orr_lock_release(&b);
    assert_ok(orr_lock_alone(&a, path, &wait_little));
    assert_int_equal(orr_lock_take(&b, path, &shared), ORR_ERR_EXISTS);
    orr_lock_release(&a);
    unlink(path);
}

/* Two writers of one file: the second is refused and takes nothing from the first. */
static void files_under_construction(void **state)
{
    char path[ORR_PATH_MAX], tmp[ORR_PATH_MAX];
    orr_table_file one, other;
    char *got = NULL;
    size_t n = 0;

    (void)state;
    in_folder(path, "t.csv");
    assert_ok(orr_tmp_path(tmp, path));
    assert_ok(orr_table_file_open(&one, path));
    orr_text_add(&one.row, "first");
    orr_table_file_end_row(&one);
    assert_int_equal(orr_table_file_open(&other, path), ORR_ERR_EXISTS);
    assert_int_equal(orr_write_file(path, "second", 6), ORR_ERR_EXISTS);
    assert_true(orr_path_exists(tmp));
    assert_ok(orr_table_file_close(&one, ORR_OK));
    assert_ok(orr_read_file(&got, &n, path, 100));
    assert_string_equal(got, "first\n");
    free(got);
    assert_ok(orr_write_file(path, "second", 6));
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_at_a_time),
        cmocka_unit_test(shared_and_alone),
        cmocka_unit_test(files_under_construction),
    };

    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
