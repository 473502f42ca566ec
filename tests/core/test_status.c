/* tests/core/test_status.c - sentences, where they come from, and threads. */
#include "core/core_test.h"

#include <pthread.h>

static void says_what_and_where(void **state)
{
    char where[64];
    int line = __LINE__ + 2;

    orr_status st = orr_fail(ORR_ERR_SHAPE, "conv%d: kernel %d > input %d", 1, 5, 3);
    (void)state;
    assert_failure(st, ORR_ERR_SHAPE, "conv1: kernel 5 > input 3");
    snprintf(where, sizeof where, "test_status.c:%d", line);
    assert_string_equal(orr_error_where(), where); /* no folders in it */
    orr_error_clear();
    assert_string_equal(orr_error_text(), "");
    assert_string_equal(orr_error_where(), "");
}

static void arguments_may_be_the_old_sentence(void **state)
{
    (void)state;
    (void)orr_fail(ORR_ERR_IO, "disk full");
    assert_failure(orr_fail(ORR_ERR_IO, "a.h5: %s (%s)", orr_error_text(), orr_error_text()),
                   ORR_ERR_IO, "a.h5: disk full (disk full)");
    assert_failure(orr_fail_prefix(ORR_ERR_FORMAT, "[%s] ", orr_error_text()), ORR_ERR_FORMAT,
                   "[a.h5: disk full (disk full)] a.h5: disk full (disk full)");
}

static void long_sentences_are_cut(void **state)
{
    char text[3 * ORR_ERROR_MAX];

    (void)state;
    memset(text, 'x', sizeof text);
    text[sizeof text - 1] = '\0';
    (void)orr_fail(ORR_ERR_IO, "%s", text);
    assert_int_equal(strlen(orr_error_text()), ORR_ERROR_MAX - 1);
    (void)orr_fail_prefix(ORR_ERR_IO, "abc: ");
    assert_int_equal(strlen(orr_error_text()), ORR_ERROR_MAX - 1);
    assert_memory_equal(orr_error_text(), "abc: xxx", 8);
    (void)orr_fail_prefix(ORR_ERR_IO, "%s", text);
    assert_int_equal(strlen(orr_error_text()), ORR_ERROR_MAX - 1);
}

static void prefix_keeps_the_place(void **state)
{
    char where[96];

    (void)state;
    (void)orr_fail(ORR_ERR_IO, "late");
    snprintf(where, sizeof where, "%s", orr_error_where());
    (void)orr_fail_prefix(ORR_ERR_IO, "too ");
    assert_string_equal(orr_error_text(), "too late");
    assert_string_equal(orr_error_where(), where);
}

static void *other_thread(void *seen)
{
    snprintf(seen, 64, "%s", orr_error_text());
    (void)orr_fail(ORR_ERR_COMM, "theirs");
    return NULL;
}

static void threads_have_their_own(void **state)
{
    pthread_t t;
    char seen[64] = "nothing";

    (void)state;
    (void)orr_fail(ORR_ERR_IO, "ours");
    assert_int_equal(pthread_create(&t, NULL, other_thread, seen), 0);
    assert_int_equal(pthread_join(t, NULL), 0);
    assert_string_equal(seen, "");
    assert_string_equal(orr_error_text(), "ours");
}

static orr_status tries(orr_status st)
{
    ORR_TRY(st);
    return ORR_ERR_INTERNAL;
}

static orr_status tries_goto(orr_status given, int *cleaned)
{
    orr_status st;

    ORR_TRY_GOTO(st, done, given);
    st = ORR_ERR_INTERNAL;
done:
    *cleaned = 1;
    return st;
}

static void try_passes_up(void **state)
{
    int cleaned = 0;

    (void)state;
    assert_int_equal(tries(ORR_ERR_IO), ORR_ERR_IO);
    assert_int_equal(tries(ORR_OK), ORR_ERR_INTERNAL);
    assert_int_equal(tries_goto(ORR_ERR_IO, &cleaned), ORR_ERR_IO);
    assert_int_equal(cleaned, 1);
    assert_int_equal(tries_goto(ORR_OK, &cleaned), ORR_ERR_INTERNAL);
}

static void every_status_has_a_name(void **state)
{
    (void)state;
    for (int i = ORR_ERR_INTERNAL; i <= ORR_PENDING; i++) {
        assert_string_not_equal(orr_status_name((orr_status)i), "unknown status");
        for (int j = ORR_ERR_INTERNAL; j < i; j++)
            assert_string_not_equal(orr_status_name((orr_status)i), orr_status_name((orr_status)j));
    }
    assert_string_equal(orr_status_name((orr_status)77), "unknown status");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(says_what_and_where),
        cmocka_unit_test(arguments_may_be_the_old_sentence),
        cmocka_unit_test(long_sentences_are_cut),
        cmocka_unit_test(prefix_keeps_the_place),
        cmocka_unit_test(threads_have_their_own),
        cmocka_unit_test(try_passes_up),
        cmocka_unit_test(every_status_has_a_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
