/* tests/data/test_census.c - what looks like a sentinel and what does not; blank, constant and
 * doubled samples; parts in any order. */
#include "data/census.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { ROWS = 200 };

/* A table of one column: values of low + (high - low) u, with v[] in its first rows, and what the
 * census says of it. */
static const char *said(char buf[256], double low, double high, double step, int n, const double *v)
{
    orr_schema s = { .x_type = ORR_X_F32, .n_dims = 1, .h = 1, .w = 1, .c = 1 };
    orr_census *half[2];
    float x[ROWS];
    unsigned seed = 1;

    for (int i = 0; i < ROWS; i++) {
        seed = seed * 1103515245u + 12345u;
        x[i] =
            i < n
                ? (float)v[i]
                : (float)(low + floor((high - low) * ((seed >> 8) & 0xffff) / 65536 / step) * step);
    }
    for (int k = 0; k < 2; k++) {
        orr_rows rows = { .n = ROWS / 2, .x = x + k * (ROWS / 2) };

        assert_int_equal(orr_census_create(&half[k], &s), ORR_OK);
        assert_int_equal(orr_census_add(half[k], &rows, k * (ROWS / 2)), ORR_OK);
    }
    orr_census_merge_columns(half[1]->columns, half[0]->columns, 1);
    orr_census_describe(half[1]->columns, "u", buf, 256);
    orr_census_destroy(half[0]);
    orr_census_destroy(half[1]);
    return buf;
}

#define SAID(low, high, step, ...)                                                                 \
    said(buf, low, high, step, sizeof((double[]){ __VA_ARGS__ }) / sizeof(double),                 \
         (double[]){ __VA_ARGS__ })

static void test_sentinels(void **state)
{
    char buf[256];

    (void)state;
    assert_string_equal(SAID(15, 25, 1e-3, -9999, -9999, -9999), "u -9999 3 times");
    assert_string_equal(SAID(15, 25, 1e-3, 99.99), "u 99.99 1 time");
    assert_string_equal(SAID(15, 25, 1e-3, 99, 999, -9999, -999),
                        "u -9999 1 time, -999 1 time, 999 1 time, 99 1 time");
    assert_string_equal(SAID(-2, 2, 1e-3, 99, -99), "u -99 1 time, 99 1 time");
    assert_string_equal(SAID(0, 1, 1e-3, 1e20, 1e30), "u 1e+30 1 time, 1e+20 1 time");
    assert_string_equal(SAID(0, 3, 1e-3, -77, -77), "u -77 2 times");
    assert_string_equal(SAID(15, 25, 1e-3, -1, -1, -1), "u -1 3 times");
    assert_string_equal(SAID(15, 25, 1e-3, 0, 0, 0), "u 0 3 times");
    assert_string_equal(SAID(0, 2, 1, -9999), "u -9999 1 time"); /* beside two values */
    assert_string_equal(SAID(2454833, 2456000, 1, 0, 0), "u 0 2 times");
}

static void test_no_sentinels(void **state)
{
    char buf[256];

    (void)state;
    assert_string_equal(SAID(15, 25, 1e-3, 26, 26), "");
    assert_string_equal(SAID(15, 25, 1e-3, -1, -1), "");
    assert_string_equal(SAID(0, 3, 1e-3, -77), "");       /* once, and not of nines */
    assert_string_equal(SAID(0, 120, 1, 99, 99, 99), ""); /* within the rest */
    assert_string_equal(SAID(0, 95, 1, 99, 99), "");
    assert_string_equal(SAID(0, 2, 1, 1, 0, 1), ""); /* two values */
    assert_string_equal(SAID(0, 5, 1, 9, 9, 9), "");
    assert_string_equal(SAID(3, 3.5, 1, 3, 3), "");
}

static void test_rows(void **state)
{
    orr_schema s = { .x_type = ORR_X_F32, .n_dims = 1, .h = 1, .w = 1, .c = 2, .n_aux = 1 };
    float x[] = { 1, 2, 0, 0, NAN, NAN, 7, 7, 1, 2, -0.0f, -0.0f }, aux[] = { 1, NAN, 3, 4, 5, 6 };
    orr_rows rows = { .n = 6, .x = x, .aux = aux };
    int64_t first, second;
    orr_census *c;

    (void)state;
    assert_int_equal(orr_census_create(&c, &s), ORR_OK);
    assert_int_equal(orr_census_add(c, &rows, 10), ORR_OK);
    assert_int_equal(c->n_columns, 3);
    assert_true(c->columns[0].none == 1 && c->columns[1].none == 1 && c->columns[2].none == 1);
    assert_true(c->blank.n == 3 && c->blank.first == 11);
    assert_true(c->constant.n == 1 && c->constant.first == 13);
    assert_int_equal(orr_census_doubles(c->samples, c->n_samples, &first, &second), 1);
    assert_true(first == 10 && second == 14);
    orr_census_destroy(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sentinels),
        cmocka_unit_test(test_no_sentinels),
        cmocka_unit_test(test_rows),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
