/* tests/stats/test_blend.c - blends worked out by hand, refusals, and the order of odd numbers. */
#include "stats/blend.h"

#include "stats/argsort_private.h"
#include "stats/check.h"
#include "stats/metrics.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>

static void test_means(void **state)
{
    static const double x[] = {
        0.25, 0.75, 0.5, 0.5, 1, 0, 0, 1
    }; /* 2 rows, 2 models, 2 columns */
    static const double mean[] = { 0.375, 0.625, 0.5, 0.5 }, weights[] = { 0.75, 0.25 };
    static const double weighted[] = { 0.3125, 0.6875, 0.75, 0.25 };
    double out[4];

    (void)state;
    assert_int_equal(orr_blend_mean(x, 2, 2, 2, out), ORR_OK);
    assert_memory_equal(out, mean, sizeof mean);
    assert_int_equal(orr_blend_weighted(x, 2, 2, 2, weights, out), ORR_OK);
    assert_memory_equal(out, weighted, sizeof weighted);
}

static void test_ranks(void **state)
{
    /* columns 3 1 1 2 and 9 9 9 9: ranks 4 1.5 1.5 3 and 2.5 */
    static const double x[] = { 3, 9, 1, 9, 1, 9, 2, 9 };
    static const double is[] = { 6.5 / 8, 4.0 / 8, 4.0 / 8, 5.5 / 8 };
    double out[4] = { 77 };

    (void)state;
    assert_int_equal(orr_blend_ranks(x, 4, 2, 1, out), ORR_OK);
    assert_memory_equal(out, is, sizeof is);
}

static double loss_of(const double *x, const int32_t *y, int n, int m, const double *a)
{
    double sum = 0;

    for (int i = 0; i < n; i++) {
        double p = 0;
        for (int j = 0; j < m; j++)
            p += a[j] * (y[i] ? x[i * m + j] : 1 - x[i * m + j]);
        sum -= log(p);
    }
    return sum / n;
}

static void test_weights(void **state)
{
    /* p = 0.9 a + 0.2 (1 - a) in one row, 0.3 a + 0.6 (1 - a) in two: 0.7 / (0.7 a + 0.2) = 0.6 /
     * (0.6 - 0.3 a), so 0.42 - 0.21 a = 0.42 a + 0.12 */
    static const double x[] = { 0.9, 0.2, 0.7, 0.4, 0.3, 0.6 };
    static const int32_t y[] = { 1, 0, 1 };
    double a[2], loss;

    (void)state;
    assert_int_equal(orr_blend_weights(x, y, 3, 2, 1, a, &loss), ORR_OK);
    assert_true(fabs(a[0] - 0.30 / 0.63) < 1e-6 && fabs(a[0] + a[1] - 1) < 1e-15);
    assert_true(fabs(loss - loss_of(x, y, 3, 2, a)) < 1e-14);
}

/* One model is right alone, others add nothing: exact zeros.  Twins share. */
static void test_corners(void **state)
{
    enum { N = 50 };
    double x[N * 3], a[3], one[N];
    int32_t y[N];

    (void)state;
    for (int i = 0; i < N; i++) {
        y[i] = i % 3 == 0;
        x[i * 3] = y[i] ? 0.95 : 0.05;
        x[i * 3 + 1] = 0.5;
        x[i * 3 + 2] = y[i] ? 0.0 : 1.0; /* always wrong, and sure */
        one[i] = 0.5;
    }
    assert_int_equal(orr_blend_weights(x, y, N, 3, 1, a, NULL), ORR_OK);
    assert_true(a[0] == 1 && a[1] == 0 && a[2] == 0);
    for (int i = 0; i < N; i++)
        x[i * 3 + 1] = x[i * 3];
    assert_int_equal(orr_blend_weights(x, y, N, 3, 1, a, NULL), ORR_OK);
    assert_true(fabs(a[0] - 0.5) < 1e-9 && fabs(a[1] - 0.5) < 1e-9 && a[2] == 0);
    assert_int_equal(orr_blend_weights(one, y, N, 1, 1, a, NULL), ORR_OK);
    assert_number(a[0], 1);
    for (int i = 0; i < N; i++)
        one[i] = y[i] ? 0 : 1; /* no model gives any row's class a chance */
    double loss;
    assert_int_equal(orr_blend_weights(one, y, N, 1, 1, a, &loss), ORR_OK);
    assert_true(fabs(loss - 52 * log(2)) < 1e-12);
}

static void test_refusals(void **state)
{
    double x[] = { 0.5, 0.25, NAN, 0.5 }, out[4], a[2] = { 0.5, NAN };
    int32_t y[] = { 0, 2 };

    (void)state;
    assert_fails(orr_blend_mean(x, 2, 2, 1, out), ORR_ERR_NUMERIC, "row 1, model 0, column 0");
    assert_fails(orr_blend_ranks(x, 2, 1, 2, out), ORR_ERR_NUMERIC, "row 1, model 0, column 0");
    assert_fails(orr_blend_mean(x, 0, 2, 1, out), ORR_ERR_ARG, "0 rows");
    x[2] = 1.5;
    assert_fails(orr_blend_weights(x, y, 2, 2, 1, out, NULL), ORR_ERR_NUMERIC, "1.5, no prob");
    assert_fails(orr_blend_weighted(x, 2, 2, 1, a, out), ORR_ERR_NUMERIC, "model 1");
    x[2] = 1;
    assert_fails(orr_blend_weights(x, y, 2, 2, 1, out, NULL), ORR_ERR_ARG, "row 1 is 2");
    y[1] = 1;
    for (int i = 1; i <= 2; i++) {
        orr_alloc_fail_at(i);
        assert_fails(orr_blend_weights(x, y, 2, 2, 1, out, NULL), ORR_ERR_NOMEM, "memory");
        orr_alloc_fail_at(i);
        assert_fails(orr_blend_ranks(x, 2, 2, 1, out), ORR_ERR_NOMEM, "memory");
    }
    orr_alloc_fail_at(0);
}

/* ---- argsort ---- */

enum { MOST = 5000 };

static double odd_value(int kind, int i, uint64_t u)
{
    double v = 0;

    switch (kind) {
    case 0: /* any finite double */
        u = (u >> 11 | u << 53) & ~(1ull << 62);
        memcpy(&v, &u, sizeof v);
        return v;
    case 1:
        return (double)(u % 7);
    case 2:
        return 1e300 * (double)(u % 3) + (double)(i % 5); /* the step hides small differences */
    case 3:
        return 4.9e-324 * (double)(u % 1000);
    case 4:
        return i % 2 ? DBL_MAX : -DBL_MAX;
    case 5:
        return (i % 2 ? 1 : -1) * ldexp(1, (int)(u % 2000) - 1000);
    case 6:
        return 0.5 + DBL_EPSILON * (double)(u % 4096);
    case 7:
        return u % 2 ? 0.0 : -0.0;
    case 8:
        return u % 1000 ? 1e-9 * (double)(u % 65536) : 1e9;
    default:
        return (double)u;
    }
}

static void test_order(void **state)
{
    static double v[MOST];
    static int32_t y[MOST];
    static uint8_t positive[MOST];
    static uint64_t keys[MOST], scratch[MOST];
    static const int sizes[] = { 1, 2, 24, 25, 100, MOST };

    (void)state;
    for (int kind = 0; kind < 10; kind++)
        for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
            int n = sizes[s], seen = 0;
            uint64_t u = 3;
            double auc;
            for (int i = 0; i < n; i++) {
                u = u * 6364136223846793005u + 1442695040888963407u;
                v[i] = odd_value(kind, i, u >> 20 ^ u << 30);
                positive[i] = (uint8_t)(u >> 60) < 5;
                y[i] = positive[i];
            }
            double area = orr_auc_by_order(v, positive, n, keys, scratch);
            for (int i = 0; i + 1 < n; i++)
                assert_true(v[orr_argsort_index(keys[i])] <= v[orr_argsort_index(keys[i + 1])]);
            memset(scratch, 0, sizeof scratch);
            for (int i = 0; i < n; i++)
                seen += scratch[orr_argsort_index(keys[i])]++ == 0;
            assert_int_equal(seen, n);
            assert_int_equal(orr_roc_auc(y, v, n, &auc), ORR_OK);
            assert_number(area, auc);
        }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_means),    cmocka_unit_test(test_ranks),
        cmocka_unit_test(test_weights),  cmocka_unit_test(test_corners),
        cmocka_unit_test(test_refusals), cmocka_unit_test(test_order),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
