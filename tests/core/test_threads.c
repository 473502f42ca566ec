/* tests/core/test_threads.c - cores allowed, the size of the pool, the warning, and threads beside.
 */
#include "core/core_test.h"
#include "core/log.h"
#include "core/threads.h"

#include <omp.h>
#include <sched.h>
#include <signal.h>

static int pool(void)
{
    int n = 0;

#pragma omp parallel
#pragma omp single
    n = omp_get_num_threads();
    return n;
}

static void cores_follow_the_mask(void **state)
{
    cpu_set_t all, one;
    uint64_t key;

    (void)state;
    assert_int_equal(sched_getaffinity(0, sizeof all, &all), 0);
    assert_int_equal(orr_cores_allowed(), CPU_COUNT(&all));
    key = orr_affinity_key();
    CPU_ZERO(&one);
    for (int i = 0; i < CPU_SETSIZE && !CPU_COUNT(&one); i++)
        if (CPU_ISSET(i, &all)) CPU_SET(i, &one);
    assert_int_equal(sched_setaffinity(0, sizeof one, &one), 0);
    assert_int_equal(orr_cores_allowed(), 1);
    if (CPU_COUNT(&all) > 1) assert_true(orr_affinity_key() != key);
    assert_int_equal(sched_setaffinity(0, sizeof all, &all), 0);
    assert_true(orr_affinity_key() == key);
}

/* What orr_threads_init says; its answer in *n. */
static char *told(int wanted, int ranks, int *n)
{
    captured c = capture_begin();

    *n = orr_threads_init(wanted, ranks);
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
        cmocka_unit_test(cores_follow_the_mask),
        cmocka_unit_test(pool_follows_what_is_asked),
        cmocka_unit_test(clock_goes_on),
        cmocka_unit_test(thread_takes_no_signals),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
