/* tests/core/test_threads.c - the size of the pool, the warning, and threads beside. */
#include "core/core_test.h"
#include "core/cores.h"
#include "core/log.h"
#include "core/threads.h"

#include <omp.h>
#include <signal.h>

static int pool(void)
{
    int n = 0;

#pragma omp parallel
#pragma omp single
    n = omp_get_num_threads();
    return n;
}

/* What orr_threads_init says; its answer in *n. */
static char *told(int wanted, int ranks, int *n)
{
    captured c = capture_begin();

    *n = orr_threads_init(&(orr_thread_place){ .wanted = wanted,
                                               .cores = orr_cores_allowed(),
                                               .ranks_on_cores = ranks,
                                               .ranks_on_node = ranks,
                                               .root = "/nowhere" });
    return capture_end(c);
}

static void pool_follows_what_is_asked(void **state)
{
    int cores = orr_cores_allowed(), n;
    char *text;

    (void)state;
    unsetenv("OMP_NUM_THREADS");
    assert_ok(orr_log_init("info", 0, 1));
    text = told(0, 1, &n);
    assert_int_equal(n, cores);
    assert_int_equal(pool(), cores);
    assert_string_equal(text, "");
    free(text);
    text = told(0, 10 * cores, &n); /* more ranks than cores: one thread each, and nothing to say */
    assert_int_equal(n, 1);
    assert_int_equal(pool(), 1);
    assert_string_equal(text, "");
    free(text);
    text = told(0, 0, &n);
    assert_int_equal(n, cores);
    free(text);
    text = told(cores + 1, 1, &n);
    assert_int_equal(n, cores + 1);
    assert_int_equal(pool(), cores + 1);
    assert_non_null(strstr(text, "warn threads: "));
    assert_non_null(strstr(text, "expect it to be slow"));
    free(text);
    omp_set_num_threads(1);
    setenv("OMP_NUM_THREADS", "1", 1);
    text = told(0, 1, &n);
    assert_int_equal(n, 1);
    assert_string_equal(text, "");
    free(text);
}

/* Of those planned for, as many as are in use; the rest of the pool sleeps. */
static void fewer_for_a_while(void **state)
{
    (void)state;
    orr_threads_use(3);
    assert_int_equal(orr_threads_of(2), 2);
    assert_int_equal(orr_threads_of(4), 3);
    orr_threads_use(1);
    assert_int_equal(pool(), 1);
    assert_int_equal(orr_threads_of(2), 1);
    unsetenv("OMP_DYNAMIC");
    assert_true(orr_threads_may_vary());
    setenv("OMP_DYNAMIC", "TRUE", 1);
    assert_true(orr_threads_may_vary());
    setenv("OMP_DYNAMIC", "False", 1);
    assert_false(orr_threads_may_vary());
    unsetenv("OMP_DYNAMIC");
}

static void clock_goes_on(void **state)
{
    double a = orr_now(), b;

    (void)state;
    usleep(20000);
    b = orr_now();
    assert_true(b - a > 0.019 && b - a < 10);
}

static void *look(void *blocked)
{
    pthread_sigmask(SIG_SETMASK, NULL, blocked);
    return NULL;
}

static void thread_takes_no_signals(void **state)
{
    sigset_t before, there, after;
    pthread_t thread;

    (void)state;
    pthread_sigmask(SIG_SETMASK, NULL, &before);
    assert_int_equal(orr_thread_start(&thread, look, &there), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    pthread_sigmask(SIG_SETMASK, NULL, &after);
    for (int number = 1; number < 32; number++) {
        if (number != SIGKILL && number != SIGSTOP)
            assert_int_equal(sigismember(&there, number), 1);
        assert_int_equal(sigismember(&after, number), sigismember(&before, number));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pool_follows_what_is_asked),
        cmocka_unit_test(fewer_for_a_while),
        cmocka_unit_test(clock_goes_on),
        cmocka_unit_test(thread_takes_no_signals),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
