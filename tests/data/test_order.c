/* tests/data/test_order.c - the bijection, its statistics, and balanced and weighted plans. */
#include "shard_help.h"

#include "core/rng.h"
#include "data/order.h"

static void test_bijection(void **state)
{
    uint8_t *seen = orr_alloc(5001, 1);

    (void)state;
    for (uint64_t n = 1; n <= 5000; n++) {
        memset(seen, 0, n);
        for (uint64_t i = 0; i < n; i++) {
            uint64_t j = orr_shuffle(n, n * 977, i);
            if (j >= n || seen[j]++) fail_msg("n = %d: %d is hit twice or outside", (int)n, (int)j);
        }
    }
    orr_free(seen);
}

static void test_large(void **state)
{
    static const uint64_t sizes[] = { (1u << 20) - 1, 1u << 20, (1u << 20) + 1 };

    (void)state;
    for (int k = 0; k < 3; k++) {
        uint8_t *seen = orr_alloc(sizes[k], 1);

        for (uint64_t i = 0; i < sizes[k]; i++) {
            uint64_t j = orr_shuffle(sizes[k], 5, i);
            if (j >= sizes[k] || seen[j]++) fail_msg("%d is hit twice or outside", (int)j);
        }
        orr_free(seen);
    }
    for (uint64_t i = 0; i < 1000; i++) { /* 63 and 64 bits */
        assert_true(orr_shuffle(UINT64_C(1) << 63, 1, i) < UINT64_C(1) << 63);
        assert_true(orr_shuffle(UINT64_MAX, 1, i) != orr_shuffle(UINT64_MAX, 1, i + 1));
    }
}

/* Over many keys, each value comes equally often at each place, and neighbours do not stay
 * together. */
static void test_uniform(void **state)
{
    static const int sizes[] = { 2, 3, 5, 10, 16, 31 };

    (void)state;
    for (int s = 0; s < 6; s++) {
        const int n = sizes[s], trials = 20000;
        double chi = 0, expect = (double)trials / n, freedom = (double)(n - 1) * (n - 1), pairs = 0;
        int count[31][31] = { { 0 } };

        for (int t = 0; t < trials; t++)
            for (int i = 0; i < n; i++) {
                int at = (int)orr_shuffle(
                    (uint64_t)n, orr_rng_key(3, ORR_RNG_TEST, (uint64_t)t, 0, 0), (uint64_t)i);
                count[i][at]++;
                if (i > 0 &&
                    at == 1 + (int)orr_shuffle((uint64_t)n,
                                               orr_rng_key(3, ORR_RNG_TEST, (uint64_t)t, 0, 0),
                                               (uint64_t)i - 1))
                    pairs++;
            }
        for (int i = 0; i < n; i++)
            for (int j = 0; j < n; j++)
                chi += (count[i][j] - expect) * (count[i][j] - expect) / expect;
        chi *=
            (n - 1.0) / n; /* counts of permutations: rows and columns both add up to the trials */
        if (fabs(chi - freedom) > 6 * sqrt(2 * freedom))
            fail_msg("n = %d: chi2 %g for %g", n, chi, freedom);
        /* (n-1) neighbours, each followed by its successor with probability 1/n */
        expect = trials * (n - 1.0) / n;
        if (fabs(pairs - expect) > 6 * sqrt(expect))
            fail_msg("n = %d: %g successors for %g", n, pairs, expect);
    }
}

static void test_shuffled(void **state)
{
    int64_t rows[7] = { 10, 20, 30, 40, 50, 60, 70 };
    orr_order_opts o = { .kind = ORR_ORDER_SHUFFLED, .seed = 9, .n_rows = 7, .rows = rows };
    orr_order *d = NULL, *again = NULL, *other = NULL;
    int64_t sum = 0;
    int moved = 0, seeds = 0;

    (void)state;
    assert_ok(orr_order_create(&d, &o));
    assert_ok(orr_order_create(&again, &o));
    o.seed = 10;
    assert_ok(orr_order_create(&other, &o));
    assert_int_equal(orr_order_length(d), 7);
    for (int e = 0; e < 50; e++) {
        sum = 0;
        for (int i = 0; i < 7; i++) {
            sum += orr_order_row(d, e, i);
            assert_int_equal(orr_order_row(d, e, i), orr_order_row(again, e, i));
            moved += orr_order_row(d, e, i) != orr_order_row(d, e + 1, i);
            seeds += orr_order_row(d, e, i) != orr_order_row(other, e, i);
        }
        assert_int_equal(sum, 280);
    }
    assert_in_range(moved, 260, 340); /* 300 expected of 350 */
    assert_in_range(seeds, 260, 340);
    orr_order_destroy(d);
    orr_order_destroy(again);
    orr_order_destroy(other);

    o.epoch_length = 3; /* short epochs go on where the last one ended: 7 epochs are 3 passes */
    assert_ok(orr_order_create(&d, &o));
    for (int pass = 0; pass < 4; pass++) {
        sum = 0;
        for (int i = pass * 7; i < pass * 7 + 7; i++)
            sum += orr_order_row(d, i / 3, i % 3);
        assert_int_equal(sum, 280);
    }
    orr_order_destroy(d);
    o = (orr_order_opts){ .kind = ORR_ORDER_FILE, .n_rows = 7, .rows = rows };
    assert_ok(orr_order_create(&d, &o));
    for (int i = 0; i < 14; i++)
        assert_int_equal(orr_order_row(d, i / 7, i % 7), rows[i % 7]);
    orr_order_destroy(d);
}

enum { N = 1000 };
static void class_labels(int32_t *label)
{
    for (int i = 0; i < N; i++)
        label[i] = i % 100 == 7 ? 2 : i % 3 == 0; /* 10 of class 2 */
}

static void test_balanced(void **state)
{
    static const double shares[4][3] = {
        { 1, 1, 1 }, { 50, 25, 25 }, { 0.7, 0.3, 0 }, { 1e-9, 1, 2 }
    };
    static const int want[4][3] = {
        { 334, 333, 333 }, { 500, 250, 250 }, { 700, 300, 0 }, { 0, 333, 667 }
    };
    int32_t label[N];
    orr_order *d = NULL;

    (void)state;
    class_labels(label);
    for (int k = 0; k < 4; k++) {
        orr_order_opts o = { .kind = ORR_ORDER_BALANCED,
                             .seed = 4,
                             .n_rows = N,
                             .labels = label,
                             .n_classes = 3,
                             .shares = k ? shares[k] : NULL };
        int total[N] = { 0 }, low[3], high[3], first_half = 0;

        assert_ok(orr_order_create(&d, &o));
        for (int e = 0; e < 7; e++) {
            int count[3] = { 0 };
            for (int p = 0; p < N; p++) {
                int64_t row = orr_order_row(d, e, p);
                total[row]++;
                count[label[row]]++;
                first_half += p < N / 2 && label[row] == 1;
            }
            for (int c = 0; c < 3; c++)
                assert_int_equal(count[c], want[k][c]); /* exact in every epoch */
        }
        assert_in_range(first_half, want[k][1] * 7 / 2 - 140,
                        want[k][1] * 7 / 2 + 140); /* and mixed */
        for (int c = 0; c < 3; c++)
            low[c] = 1 << 30, high[c] = 0;
        for (int i = 0; i < N; i++) {
            int c = label[i];
            if (total[i] < low[c]) low[c] = total[i];
            if (total[i] > high[c]) high[c] = total[i];
        }
        for (int c = 0; c < 3; c++)
            assert_true(high[c] - low[c] <=
                        1); /* used up before one comes again, over epochs too */
        orr_order_destroy(d);
    }
}

static void test_weighted(void **state)
{
    double weight[5] = { 1, 0, 2, 5, 0 }, chi = 0;
    orr_order_opts o = {
        .kind = ORR_ORDER_WEIGHTED, .seed = 4, .n_rows = 5, .weights = weight, .epoch_length = 20000
    };
    int count[5] = { 0 };
    orr_order *d = NULL;

    (void)state;
    assert_ok(orr_order_create(&d, &o));
    for (int p = 0; p < 20000; p++)
        count[orr_order_row(d, 3, p)]++;
    assert_int_equal(count[1] + count[4], 0);
    for (int i = 0; i < 5; i++)
        if (weight[i] > 0) chi += pow(count[i] - 2500 * weight[i], 2) / (2500 * weight[i]);
    assert_true(chi < 20);
    orr_order_destroy(d);
}

static void test_refused(void **state)
{
    int32_t label[3] = { 0, 0, 1 };
    double bad[3] = { 1, -1, 1 }, none[3] = { 0, 0, 0 }, nan3[3] = { 1, NAN, 1 };
    orr_order_opts o = { .kind = ORR_ORDER_SHUFFLED };
    orr_order *d = NULL;

    (void)state;
    assert_fails(orr_order_create(&d, &o), ORR_ERR_ARG, "0 rows");
    o = (orr_order_opts){
        .kind = ORR_ORDER_BALANCED, .n_rows = 3, .labels = label, .n_classes = 3
    };
    assert_fails(orr_order_create(&d, &o), ORR_ERR_ARG,
                 "class 2 has a share of the batch and no rows");
    o.shares = bad;
    assert_fails(orr_order_create(&d, &o), ORR_ERR_ARG, "share of class 1 is -1");
    o.n_classes = 1;
    o.shares = NULL;
    assert_fails(orr_order_create(&d, &o), ORR_ERR_ARG, "row 2 has the label 1");
    o = (orr_order_opts){ .kind = ORR_ORDER_WEIGHTED, .n_rows = 3, .weights = bad };
    assert_fails(orr_order_create(&d, &o), ORR_ERR_ARG, "weight of row 1 is -1");
    o.weights = nan3;
    assert_fails(orr_order_create(&d, &o), ORR_ERR_ARG, "nan");
    o.weights = none;
    assert_fails(orr_order_create(&d, &o), ORR_ERR_ARG, "sum up to 0");
    assert_null(d);
    o = (orr_order_opts){
        .kind = ORR_ORDER_BALANCED, .n_rows = 3, .labels = label, .n_classes = 2
    };
    for (int n = 1; n < 20; n++) {
        orr_status st;
        orr_alloc_fail_at(n);
        st = orr_order_create(&d, &o);
        orr_alloc_fail_at(0);
        if (st == ORR_OK) break;
        assert_int_equal(st, ORR_ERR_NOMEM);
    }
    assert_non_null(d);
    orr_order_destroy(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bijection), cmocka_unit_test(test_large),
        cmocka_unit_test(test_uniform),   cmocka_unit_test(test_shuffled),
        cmocka_unit_test(test_balanced),  cmocka_unit_test(test_weighted),
        cmocka_unit_test(test_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
