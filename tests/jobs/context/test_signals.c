/* Requests to stop: which signals make one, what nohup ignored stays ignored, broken pipes kill
 * nobody. */
#include "core/core_test.h"
#include "jobs/context/signals.h"

#include <errno.h>
#include <signal.h>

static int seen;

static void note(int number)
{
    seen = number;
}

static void test_handler_sees_them(void **state)
{
    static const int numbers[] = { SIGTERM, SIGINT, SIGUSR1, SIGUSR2 };

    (void)state;
    signal(SIGHUP, SIG_IGN); /* nohup */
    orr_signals_catch(note);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        raise(numbers[i]);
        assert_int_equal(seen, numbers[i]);
    }
    raise(SIGHUP);
    assert_int_equal(seen, SIGUSR2);
    assert_false(orr_stop_requested()); /* the handler is another's */
}

static void test_writes_fail_instead(void **state)
{
    int ends[2];

    (void)state;
    orr_signals_catch(note);
    assert_int_equal(pipe(ends), 0);
    close(ends[0]);
    assert_int_equal(write(ends[1], "x", 1), -1);
    assert_int_equal(errno, EPIPE);
    close(ends[1]);
}

/* The last two: a stop stays asked for. */
static void test_signal_asks_for_a_stop(void **state)
{
    (void)state;
    orr_stop_on_signals();
    assert_false(orr_stop_requested());
    raise(SIGUSR1);
    assert_true(orr_stop_requested());
    assert_true(orr_stop_requested());
}

static void test_asked_for_from_within(void **state)
{
    (void)state;
    orr_stop_request();
    assert_true(orr_stop_requested());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_handler_sees_them),
        cmocka_unit_test(test_writes_fail_instead),
        cmocka_unit_test(test_signal_asks_for_a_stop),
        cmocka_unit_test(test_asked_for_from_within),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
