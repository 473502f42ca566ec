/* tests/core/test_watchdog.c - waits that are too long are noticed, others are not, and time in
 * which the process was stopped is not waited. */
#include "core/core_test.h"
#include "core/threads.h"
#include "core/watchdog.h"

#include <signal.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <unistd.h>

static atomic_int calls;

static void count(void *ctx, double seconds)
{
    *(double *)ctx = seconds;
    atomic_fetch_add(&calls, 1);
}

static void a_late_call_is_noticed_once(void **state)
{
    orr_watchdog d;
    double said = 0, began = orr_now();

    (void)state;
    atomic_store(&calls, 0);
    orr_watchdog_start(&d, 0.3, count, &said);
    while (!atomic_load(&calls) && orr_now() < began + 30)
        usleep(1000);
    assert_true(orr_now() >= began + 0.3);
    usleep(600000);
    orr_watchdog_stop(&d);
    assert_int_equal(atomic_load(&calls), 1);
    assert_true(said == 0.3);
}

static void one_that_comes_back_is_not(void **state)
{
    orr_watchdog d;
    double said = 0;

    (void)state;
    atomic_store(&calls, 0);
    for (int i = 0; i < 20; i++) { /* as short as they come: no race at the end */
        orr_watchdog_start(&d, 5, count, &said);
        orr_watchdog_stop(&d);
    }
    orr_watchdog_start(&d, 2, count, &said);
    for (int i = 0; i < 6; i++) {
        usleep(500000);
        orr_watchdog_feed(&d);
    }
    orr_watchdog_stop(&d);
    assert_int_equal(atomic_load(&calls), 0);
}

/* How long a child's patience of 1.5 s lasts in its own time, when it is stopped for `stop` s. */
static double lasts(double stop)
{
    double found[2] = { 0, 0 };
    int ends[2];
    pid_t child;

    assert_int_equal(pipe(ends), 0);
    child = fork();
    if (child == 0) {
        orr_patience p = orr_patience_of(1.5);
        double began = orr_now();
        (void)!write(ends[1], &began, sizeof began);
        while (orr_patience_lasts(&p))
            usleep(1000);
        began = orr_now() - began;
        (void)!write(ends[1], &began, sizeof began);
        _exit(0);
    }
    assert_int_equal(read(ends[0], &found[0], sizeof found[0]), sizeof found[0]);
    if (stop > 0) {
        usleep(200000);
        kill(child, SIGSTOP);
        usleep((useconds_t)(stop * 1e6));
        kill(child, SIGCONT);
    }
    assert_int_equal(read(ends[0], &found[1], sizeof found[1]), sizeof found[1]);
    waitpid(child, NULL, 0);
    close(ends[0]);
    close(ends[1]);
    return found[1];
}

static void a_stopped_process_does_not_wait(void **state)
{
    (void)state;
    assert_true(lasts(0) >= 1.5);
    assert_true(lasts(3) >= 3 + 1.4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_late_call_is_noticed_once),
        cmocka_unit_test(one_that_comes_back_is_not),
        cmocka_unit_test(a_stopped_process_does_not_wait),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
