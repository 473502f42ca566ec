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

/* Names out of files do not speak to the terminal. */
static void control_characters_are_no_part(void **state)
{
    (void)state;
    orr_fail(ORR_ERR_FORMAT, "%s: no array\tx", "a\x1b[2J\r\x7f");
    assert_string_equal(orr_error_text(), "a?[2J??: no array?x");
    orr_error_clear();
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
    for (int i = ORR_ERR_MACHINE; i <= ORR_PENDING; i++) {
        assert_string_not_equal(orr_status_name((orr_status)i), "unknown status");
        for (int j = ORR_ERR_MACHINE; j < i; j++)
            assert_string_not_equal(orr_status_name((orr_status)i), orr_status_name((orr_status)j));
    }
    assert_string_equal(orr_status_name((orr_status)77), "unknown status");
}

static void is_a_value(void **state)
{
    orr_error e, none = { 0 };
    char where[ORR_WHERE_MAX];

    (void)state;
    orr_error_take(&e, orr_fail(ORR_ERR_IO, "disk full"));
    assert_int_equal(e.code, ORR_ERR_IO);
    assert_string_equal(e.text, "disk full");
    assert_string_equal(orr_error_text(), ""); /* it was taken */
    assert_string_equal(orr_error_where(), "");
    snprintf(where, sizeof where, "%s", e.where);
    (void)orr_fail(ORR_ERR_ARG, "another");
    assert_int_equal(orr_error_raise(&none), ORR_OK); /* leaves that alone */
    assert_string_equal(orr_error_text(), "another");
    assert_failure(orr_error_raise(&e), ORR_ERR_IO, "disk full");
    assert_string_equal(orr_error_where(), where); /* not where it was raised again */
    orr_error_take(&e, ORR_OK);
    assert_int_equal(e.code, ORR_OK);
    assert_string_equal(e.text, "");
    assert_string_equal(orr_error_text(), "disk full");
}

static void the_first_one_is_kept(void **state)
{
    orr_error first = { 0 };

    (void)state;
    assert_int_equal(orr_error_keep(&first, ORR_OK), ORR_OK);
    assert_int_equal(orr_error_keep(&first, orr_fail(ORR_ERR_IO, "one")), ORR_ERR_IO);
    assert_int_equal(orr_error_keep(&first, orr_fail(ORR_ERR_NOMEM, "two")), ORR_ERR_IO);
    assert_string_equal(orr_error_text(), "");
    assert_int_equal(orr_error_keep(&first, ORR_OK), ORR_ERR_IO);
    assert_failure(orr_error_raise(&first), ORR_ERR_IO, "one");
}

static void *fails_elsewhere(void *out)
{
    orr_error_take(out, orr_fail(ORR_ERR_FORMAT, "ragged row"));
    return NULL;
}

static void goes_from_thread_to_thread(void **state)
{
    pthread_t t;
    orr_error e = { 0 };

    (void)state;
    orr_error_clear();
    assert_int_equal(pthread_create(&t, NULL, fails_elsewhere, &e), 0);
    assert_int_equal(pthread_join(t, NULL), 0);
    assert_failure(orr_error_raise(&e), ORR_ERR_FORMAT, "ragged row");
    assert_memory_equal(orr_error_where(), "test_status.c:", 14);
}

static void tells_data_from_program(void **state)
{
    static const orr_status data[] = { ORR_ERR_FORMAT, ORR_ERR_SHAPE, ORR_ERR_NUMERIC,
                                       ORR_ERR_UNSUPPORTED, ORR_ERR_IO };
    int n = 0;

    (void)state;
    for (size_t i = 0; i < sizeof data / sizeof *data; i++)
        assert_true(orr_is_data_fault(data[i]));
    for (int st = ORR_ERR_MACHINE; st <= ORR_PENDING; st++)
        n += orr_is_data_fault((orr_status)st);
    assert_int_equal(n, sizeof data / sizeof *data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(says_what_and_where),
        cmocka_unit_test(control_characters_are_no_part),
        cmocka_unit_test(arguments_may_be_the_old_sentence),
        cmocka_unit_test(long_sentences_are_cut),
        cmocka_unit_test(prefix_keeps_the_place),
        cmocka_unit_test(threads_have_their_own),
        cmocka_unit_test(try_passes_up),
        cmocka_unit_test(every_status_has_a_name),
        cmocka_unit_test(is_a_value),
        cmocka_unit_test(the_first_one_is_kept),
        cmocka_unit_test(goes_from_thread_to_thread),
        cmocka_unit_test(tells_data_from_program),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
