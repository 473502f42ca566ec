/* tests/stats/test_folds.c - splits as scikit-learn 1.2.1 prints them; folds.py compares many more.
 */
#include "stats/folds.h"

#include "stats/check.h"

#include <math.h>

enum { MAX_ROWS = 1000 };

typedef struct split {
    int64_t train[MAX_ROWS], test[MAX_ROWS], n_train, n_test;
} split;

static void test_plain(void **state)
{
    static const int64_t train[] = { 0, 7, 2, 9, 4, 3, 6 }, test[] = { 8, 1, 5 };
    split s;

    (void)state;
    assert_int_equal(
        orr_train_test_split(NULL, 10, 0.25, 42, s.train, &s.n_train, s.test, &s.n_test), ORR_OK);
    assert_int_equal(s.n_train, 7);
    assert_int_equal(s.n_test, 3);
    assert_memory_equal(s.train, train, sizeof train);
    assert_memory_equal(s.test, test, sizeof test);
}

static void test_stratified_with_ties(void **state)
{
    static const int32_t y[] = { 5, 5, 5, -3, -3, -3, 8, 8, 8, 5, -3, 8 };
    static const int64_t train[] = { 2, 10, 0, 1, 11, 5, 6, 8 }, test[] = { 4, 3, 7, 9 };
    split s;

    (void)state;
    assert_int_equal(orr_train_test_split(y, 12, 0.33, 0, s.train, &s.n_train, s.test, &s.n_test),
                     ORR_OK);
    assert_int_equal(s.n_train, 8);
    assert_int_equal(s.n_test, 4);
    assert_memory_equal(s.train, train, sizeof train);
    assert_memory_equal(s.test, test, sizeof test);
}

/* Every row in one part exactly; each class within one row of its share. */
static void test_every_row_once(void **state)
{
    static split s;
    int32_t y[MAX_ROWS];
    int seen[MAX_ROWS] = { 0 };
    double in_test[4] = { 0 }, all[4] = { 0 };

    (void)state;
    for (int i = 0; i < MAX_ROWS; i++) {
        y[i] = i % 100 == 0 ? 3 : i % 3;
        all[y[i]]++;
    }
    assert_int_equal(
        orr_train_test_split(y, MAX_ROWS, 0.3, 9, s.train, &s.n_train, s.test, &s.n_test), ORR_OK);
    assert_int_equal(s.n_train + s.n_test, MAX_ROWS);
    for (int64_t i = 0; i < s.n_train; i++)
        seen[s.train[i]]++;
    for (int64_t i = 0; i < s.n_test; i++) {
        seen[s.test[i]]++;
        in_test[y[s.test[i]]]++;
    }
    for (int i = 0; i < MAX_ROWS; i++)
        assert_int_equal(seen[i], 1);
    for (int c = 0; c < 4; c++)
        assert_true(fabs(in_test[c] - 0.3 * all[c]) <= 1);
}

/* As many classes as there can be: no step may take classes times classes. */
static void test_many_classes(void **state)
{
    static int32_t y[200000];
    static int64_t train[200000], test[200000];
    int64_t n_train, n_test;

    (void)state;
    for (int i = 0; i < 200000; i++)
        y[i] = i / 2;
    assert_int_equal(orr_train_test_split(y, 200000, 0.5, 1, train, &n_train, test, &n_test),
                     ORR_OK);
    assert_int_equal(n_train, 100000);
    assert_int_equal(n_test, 100000);
}

static void refused(const int32_t *y, int64_t n, double test_size, const char *words)
{
    split s = { .n_train = 7, .n_test = 7 };

    assert_fails(orr_train_test_split(y, n, test_size, 1, s.train, &s.n_train, s.test, &s.n_test),
                 ORR_ERR_ARG, words);
    assert_int_equal(s.n_train, 0);
    assert_int_equal(s.n_test, 0);
}

static void test_bad_input(void **state)
{
    static const int32_t lone[] = { 1, 1, 1, 2 }, three[] = { 1, 1, 1, 2, 2, 2, 3, 3, 3 };

    (void)state;
    refused(NULL, 10, 0, "test_size 0");
    refused(NULL, 10, 1, "between 0 and 1");
    refused(NULL, 10, NAN, "between 0 and 1");
    refused(NULL, 0, 0.5, "0 rows");
    refused(NULL, 1, 0.5, "1 rows");
    refused(NULL, 10, 0.95, "none for training");
    refused(NULL, -4, 0.5, "-4 rows");
    refused(lone, 4, 0.5, "class 2 has a single row");
    refused(three, 9, 0.2, "2 test rows are fewer than the 3 classes");
    refused(three, 9, 0.8, "1 training rows are fewer than the 3 classes");
}

static void test_no_memory(void **state)
{
    static const int32_t y[] = { 1, 1, 2, 2 };
    split s;
    int failures = 0;

    (void)state;
    while (orr_alloc_fail_at(failures + 1),
           orr_train_test_split(y, 4, 0.5, 1, s.train, &s.n_train, s.test, &s.n_test) != ORR_OK) {
        assert_non_null(strstr(orr_error_text(), "memory"));
        assert_int_equal(s.n_train, 0);
        failures++;
    }
    assert_int_equal(failures, 7);
    orr_alloc_fail_at(1);
    assert_fails(orr_train_test_split(NULL, 4, 0.5, 1, s.train, &s.n_train, s.test, &s.n_test),
                 ORR_ERR_NOMEM, "memory");
    orr_alloc_fail_at(0);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain),          cmocka_unit_test(test_stratified_with_ties),
        cmocka_unit_test(test_every_row_once), cmocka_unit_test(test_many_classes),
        cmocka_unit_test(test_bad_input),      cmocka_unit_test(test_no_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
