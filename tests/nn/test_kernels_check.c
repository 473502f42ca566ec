/* tests/nn/test_kernels_check.c - what the check table promises beside its formulas (those are
 * compared with PyTorch in kernels.py): poisoned and guarded memory, NaN behaviour, dropout's exact
 * stream, sums over leaves. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/memory.h"
#include "core/rng.h"
#include "nn/backend.h"

#include <math.h>
#include <string.h>

static orr_backend check = { .ops = &orr_backend_check };
static orr_backend *const K = &check;

static void test_find(void **state)
{
    (void)state;
    orr_backend *be;

    assert_int_equal(orr_backend_create(&be, "check"), ORR_OK);
    assert_ptr_equal(be->ops, K->ops);
    orr_backend_destroy(be);
    assert_int_equal(orr_backend_create(&be, "gpu"), ORR_ERR_OPTION);
    assert_null(be);
    assert_non_null(strstr(orr_error_text(), "\"gpu\""));
    assert_non_null(strstr(orr_error_text(), "check"));
    assert_int_equal(orr_backend_create(&be, "chec"), ORR_ERR_OPTION);
}

static void test_every_slot_is_there(void **state)
{
    (void)state;
    const char *slots = (const char *)K->ops;
    const size_t first = offsetof(orr_backend_ops, alloc); /* before it: a state, which it lacks */

    for (size_t at = first; at < sizeof *K->ops; at += sizeof(void *)) {
        void *slot;
        if (at == offsetof(orr_backend_ops, verify_loan)) continue; /* it reads the host's own */
        memcpy(&slot, slots + at, sizeof slot);
        assert_non_null(slot);
    }
}

static void test_memory_is_poisoned_and_aligned(void **state)
{
    (void)state;
    orr_real *x = K->ops->alloc(K, 7 * sizeof *x), kept[3] = { 1, 2, 3 };

    assert_non_null(x);
    assert_int_equal((uintptr_t)x % ORR_ALIGN, 0);
    for (int i = 0; i < 7; i++) {
        assert_true(isnan(x[i]));
        x[i] = 0;
    }
    assert_int_equal(K->ops->verify(K, x), ORR_OK);
    K->ops->free(K, x);
    K->ops->poison(K, kept, 2);
    assert_true(isnan(kept[0]) && isnan(kept[1]) && kept[2] == 3);
    K->ops->free(K, NULL);
    assert_int_equal(K->ops->verify(K, NULL), ORR_OK);
    x = K->ops->alloc(K, 0);
    assert_int_equal(K->ops->verify(K, x), ORR_OK);
    K->ops->free(K, x);
}

/* One byte beside a block of any size is noticed, at each distance the guards reach. */
static void test_guards(void **state)
{
    (void)state;
    const int places[] = { -64, -1, 0, 1, 63 };

    for (size_t bytes = 1; bytes < 130; bytes += 43) {
        for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
            unsigned char *p = K->ops->alloc(K, bytes),
                          *at = p + places[i] + (places[i] < 0 ? 0 : (int)bytes), kept = *at;
            *at = 0;
            assert_int_equal(K->ops->verify(K, p), ORR_ERR_INTERNAL);
            assert_non_null(
                strstr(orr_error_text(), places[i] < 0 ? "before its start" : "past its end"));
            *at = kept;
            assert_int_equal(K->ops->verify(K, p), ORR_OK);
            *at = 0;
            orr_error_clear();
            K->ops->free(K, p);
            assert_non_null(strstr(orr_error_text(), "was written"));
        }
    }
}

static void test_out_of_memory(void **state)
{
    (void)state;
    orr_conv_shape s = { 4, 4, 2, 2, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1, 4, 4 };
    void *plan;

    orr_alloc_fail_at(1);
    assert_null(K->ops->alloc(K, 100));
    orr_alloc_fail_at(1);
    assert_int_equal(K->ops->conv_plan(K, &plan, &s, NULL), ORR_ERR_NOMEM);
    assert_null(plan);
    orr_alloc_fail_at(0);
    assert_null(K->ops->alloc(K, SIZE_MAX - 10));
}

static void test_conv_plan_refuses(void **state)
{
    (void)state;
    const orr_conv_shape good = { 4, 4, 6, 4, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 2, 4, 4 };
    orr_conv_shape s = good;
    void *plan;

    assert_int_equal(K->ops->conv_plan(K, &plan, &s, NULL), ORR_OK);
    K->ops->conv_unplan(K, plan);
    s.groups = 4;
    assert_int_equal(K->ops->conv_plan(K, &plan, &s, NULL), ORR_ERR_SHAPE);
    assert_null(plan);
    s = good;
    s.ho = 5;
    assert_int_equal(K->ops->conv_plan(K, &plan, &s, NULL), ORR_ERR_SHAPE);
    s = good;
    s.stride_w = 0;
    assert_int_equal(K->ops->conv_plan(K, &plan, &s, NULL), ORR_ERR_SHAPE);
    s = good;
    s.dilation_w = 3;
    assert_int_equal(K->ops->conv_plan(K, &plan, &s, NULL), ORR_ERR_SHAPE);
    K->ops->conv_unplan(K, NULL);
}

/* 1 x 4 pixels, windows of 2: the first of equals wins; a NaN wins over all, the first NaN over the
 * second. */
static void test_max_pool_ties_and_nan(void **state)
{
    (void)state;
    const orr_pool_shape s = { 1, 6, 1, 1, 2, 1, 2, 0, 0, 1, 3, 0 };
    const orr_real nan = (orr_real)NAN, x[6] = { 5, 5, 9, nan, nan, nan }, dy[3] = { 1, 2, 4 };
    const orr_real want[6] = { 1, 0, 0, 2, 4, 0 };
    orr_real y[3], dx[6];
    uint16_t arg[3];

    K->ops->max_pool_forward(K, 1, &s, x, y, arg);
    assert_true(y[0] == 5 && isnan(y[1]) && isnan(y[2]));
    assert_int_equal(arg[0], 0);
    assert_int_equal(arg[1], 1);
    assert_int_equal(arg[2], 0);
    K->ops->max_pool_backward(K, 1, &s, dy, arg, dx);
    for (int i = 0; i < 6; i++)
        assert_true(dx[i] == want[i]);
}

/* All of -inf is still a maximum with a place inside x. */
static void test_max_pool_padding_never_wins(void **state)
{
    (void)state;
    const orr_pool_shape s = { 1, 2, 1, 1, 3, 1, 1, 0, 1, 1, 2, 0 };
    const orr_real x[2] = { (orr_real)-INFINITY, (orr_real)-INFINITY };
    orr_real y[2];
    uint16_t arg[2];

    K->ops->max_pool_forward(K, 1, &s, x, y, arg);
    assert_true(isinf(y[0]) && y[0] < 0);
    assert_int_equal(arg[0], 1);
    assert_int_equal(arg[1], 0);
}

/* In place, and NaN comes through every activation. */
static void test_activations_in_place_and_nan(void **state)
{
    (void)state;
    for (int k = 0, n; k < (orr_layer_kinds(&n), n); k++) {
        const orr_activation *a = orr_layer_kinds(&n)[k]->activation;
        const orr_real x[3] = { (orr_real)-0.5, (orr_real)NAN, 2 };
        orr_real y[3], same[3], g[3] = { 1, 2, 3 }, dx[3];

        if (!a) continue;
        memcpy(same, x, sizeof x);
        K->ops->act_forward(K, a, 0.3, 3, x, y);
        K->ops->act_forward(K, a, 0.3, 3, same, same);
        assert_memory_equal(y, same, sizeof y);
        assert_true(isnan(y[1]));
        K->ops->act_backward(K, a, 0.3, 3, a->reads == ORR_READS_X ? x : y, g, dx);
        K->ops->act_backward(K, a, 0.3, 3, a->reads == ORR_READS_X ? x : y, g, g);
        assert_memory_equal(dx, g, sizeof g);
    }
}

static void test_dropout(void **state)
{
    (void)state;
    enum { N = 3, PER = 1001 };
    uint64_t keys[N] = { 11, 12, 13 };
    const int leaf[2] = { 0, N };
    orr_batch b = { .n = N, .n_leaves = 1, .leaf = leaf, .keys = keys };
    orr_real *x = orr_alloc(N * PER, sizeof *x), *y = orr_alloc(N * PER, sizeof *y), one[PER];
    int dropped = 0;

    for (int i = 0; i < N * PER; i++)
        x[i] = (orr_real)(i + 1);
    K->ops->dropout(K, &b, PER, 0.25, 4, x, y);
    for (int i = 0; i < N; i++) {
        uint64_t key = orr_rng_key(keys[i], ORR_RNG_DROPOUT, 4, 0, 0);
        for (uint64_t j = 0; j < PER; j++) {
            int drop = (double)orr_rng_unit(orr_rng_block(key, j / 4).v[j % 4]) < 0.25;
            orr_real want = drop ? 0 : (orr_real)((double)x[(uint64_t)i * PER + j] / 0.75);
            assert_true(y[(uint64_t)i * PER + j] == want);
            dropped += drop;
        }
    }
    assert_in_range(dropped, N * PER * 0.25 - 100, N * PER * 0.25 + 100);
    b = (orr_batch){
        .n = 1, .n_leaves = 1, .leaf = leaf, .keys = keys + 1
    }; /* the second sample alone */
    K->ops->dropout(K, &b, PER, 0.25, 4, x + PER, one);
    assert_memory_equal(one, y + PER, sizeof one);
    K->ops->dropout(K, &b, PER, 0.25, 5, x + PER, one);
    assert_memory_not_equal(one, y + PER, sizeof one);
    K->ops->dropout(K, &b, PER, 0, 4, x + PER, one);
    assert_memory_equal(one, x + PER, sizeof one);
    K->ops->dropout(K, &b, PER, 1, 4, x + PER, one);
    for (int j = 0; j < PER; j++)
        assert_true(one[j] == 0);
    orr_free(x);
    orr_free(y);
}

/* Seven leaves as one segment, or as the segments of two ranks joined by the tree: the same bits,
 * and an empty leaf adds 0. */
static void test_runs_join_to_the_same_bits(void **state)
{
    (void)state;
    enum { N = 9, IN = 3, OUT = 2, L = 7 };
    const int leaf[L + 1] = { 0, 1, 2, 4, 4, 6, 7, 9 }, all[2] = { 0, L }, two[4] = { 0, 4, 6, 7 };
    orr_batch b = { .n = N, .n_leaves = L, .leaf = leaf, .n_segments = 1, .segment = all };
    orr_real x[N * IN], dy[N * OUT], whole[IN * OUT], part[3][IN * OUT], bias[OUT],
        bias_part[3][OUT];
    orr_real *const dw1[] = { whole }, *const db1[] = { bias };
    orr_real *const dw3[] = { part[0], part[1], part[2] }, *const db3[] = { bias_part[0],
                                                                            bias_part[1],
                                                                            bias_part[2] };
    orr_rng rng = orr_rng_stream(5);

    for (int i = 0; i < N * IN; i++)
        x[i] = (orr_real)orr_rng_normal(&rng);
    for (int i = 0; i < N * OUT; i++)
        dy[i] = (orr_real)orr_rng_normal(&rng);
    K->ops->linear_backward_params(K, &b, IN, OUT, x, dy, dw1, db1);
    b.n_segments = 3;
    b.segment = two;
    K->ops->linear_backward_params(K, &b, IN, OUT, x, dy, dw3, db3);
    for (int j = 0; j < IN * OUT; j++)
        assert_true(whole[j] == (orr_real)(part[0][j] + (orr_real)(part[1][j] + part[2][j])));
    for (int j = 0; j < OUT; j++)
        assert_true(bias[j] ==
                    (orr_real)(bias_part[0][j] + (orr_real)(bias_part[1][j] + bias_part[2][j])));
    assert_true(fabs((double)whole[0]) > 0);
}

static void test_moving_numbers(void **state)
{
    (void)state;
    const orr_real x[12] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11 };
    const orr_real turned[12] = { 0, 3, 1, 4, 2, 5, 6, 9, 7, 10, 8, 11 };
    orr_real y[12], into[6] = { -1, -1, -1, -1, -1, -1 };

    K->ops->transpose(K, 2, 2, 3, x, y);
    assert_memory_equal(y, turned, sizeof y);
    K->ops->copy_channels(K, 2, 2, x + 1, 4, into + 1, 3);
    assert_true(into[0] == -1 && into[1] == 1 && into[2] == 2 && into[3] == -1 && into[4] == 5 &&
                into[5] == 6);
    memcpy(y, x, sizeof y);
    K->ops->add(K, 12, y, x, y);
    for (int i = 0; i < 12; i++)
        assert_true(y[i] == 2 * x[i]);
}

static void test_moments_of_nothing_and_of_large_means(void **state)
{
    (void)state;
    const orr_real x[4] = { 100001, 100003, 100001, 100003 };
    double mean[1], m2[1];

    K->ops->norm_moments(K, 4, 1, x, mean, m2);
    assert_true(mean[0] == 100002 && m2[0] == 4);
    K->ops->norm_moments(K, 0, 1, x, mean, m2);
    assert_true(mean[0] == 0 && m2[0] == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_find),
        cmocka_unit_test(test_every_slot_is_there),
        cmocka_unit_test(test_memory_is_poisoned_and_aligned),
        cmocka_unit_test(test_guards),
        cmocka_unit_test(test_out_of_memory),
        cmocka_unit_test(test_conv_plan_refuses),
        cmocka_unit_test(test_max_pool_ties_and_nan),
        cmocka_unit_test(test_max_pool_padding_never_wins),
        cmocka_unit_test(test_activations_in_place_and_nan),
        cmocka_unit_test(test_dropout),
        cmocka_unit_test(test_runs_join_to_the_same_bits),
        cmocka_unit_test(test_moving_numbers),
        cmocka_unit_test(test_moments_of_nothing_and_of_large_means),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
