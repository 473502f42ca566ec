/* tests/core/test_rng.c - Philox against Random123's known answers, and streams against statistics.
 * The seeds are fixed, so a statistical test gives the same verdict every time; its bounds are
 * those a right generator passes in all but one of a million seeds or so. */
#include "core/core_test.h"
#include "core/rng.h"

#include <math.h>

/* Random123 1.14, tests/kat_vectors, "philox4x32 10". */
static void known_answers(void **state)
{
    static const struct {
        uint32_t counter[4], key[2], answer[4];
    } kat[] = {
        { { 0, 0, 0, 0 }, { 0, 0 }, { 0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8 } },
        { { 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff },
          { 0xffffffff, 0xffffffff },
          { 0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd } },
        { { 0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344 },
          { 0xa4093822, 0x299f31d0 },
          { 0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1 } },
    };

    (void)state;
    for (size_t i = 0; i < sizeof kat / sizeof *kat; i++) {
        orr_philox got = orr_philox4x32(kat[i].counter, kat[i].key);

        assert_memory_equal(got.v, kat[i].answer, sizeof got.v);
    }
}

static void stream_is_its_blocks(void **state)
{
    uint64_t key = orr_rng_key(7, ORR_RNG_TEST, 1, 2, 3);
    orr_rng r = orr_rng_stream(key), copy;

    (void)state;
    for (uint64_t i = 0; i < 50; i++) {
        orr_philox b = orr_rng_block(key, i);

        for (int j = 0; j < 4; j++)
            assert_int_equal(orr_rng_u32(&r), b.v[j]);
    }
    copy = r; /* a value: both go on alike */
    assert_true(orr_rng_u64(&r) == orr_rng_u64(&copy));
    r = orr_rng_stream(key);
    r.counter[0] = UINT32_MAX; /* the carry into the second word */
    (void)orr_rng_u64(&r);
    (void)orr_rng_u64(&r);
    assert_int_equal(orr_rng_u32(&r), orr_rng_block(key, (uint64_t)1 << 32).v[0]);
}

static int by_value(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

/* Every argument, and every half of it, names another stream. */
static void keys_are_distinct(void **state)
{
    static uint64_t keys[40000];
    size_t n = 0;

    (void)state;
    for (uint64_t i = 0; i < 5; i++)
        for (uint64_t j = 0; j < 5; j++)
            for (uint64_t k = 0; k < 8; k++)
                for (uint64_t s = 0; s < 5; s++)
                    for (uint64_t d = 1; d < 8; d++)
                        for (int high = 0; high < 4; high++)
                            keys[n++] = orr_rng_key(s << (high == 1 ? 32 : 0), (orr_rng_domain)d,
                                                    i << (high == 2 ? 40 : 0), j,
                                                    k << (high == 3 ? 33 : 0));
    assert_true(n <= sizeof keys / sizeof *keys);
    qsort(keys, n, sizeof *keys, by_value);
    size_t same = 0;
    for (size_t i = 1; i < n; i++)
        same += keys[i] == keys[i - 1];
    /* (0 << anything) repeats by construction: seed 0 once, a 0 once, c 0 once, for every other
     * choice. */
    assert_int_equal(same, 5 * 5 * 8 * 7 + 5 * 8 * 5 * 7 + 5 * 5 * 5 * 7);
}

static void uniform_is_uniform(void **state)
{
    enum { N = 200000, BINS = 64 };
    orr_rng r = orr_rng_stream(orr_rng_key(1, ORR_RNG_TEST, 0, 0, 0));
    double sum = 0, chi = 0, lag = 0, before = 0.5;
    int count[BINS] = { 0 };

    (void)state;
    for (int i = 0; i < N; i++) {
        double u = orr_rng_uniform(&r);

        assert_true(u >= 0 && u < 1);
        sum += u;
        lag += (u - 0.5) * (before - 0.5);
        before = u;
        count[(int)(u * BINS)]++;
    }
    for (int i = 0; i < BINS; i++)
        chi += (count[i] - N / BINS) * (double)(count[i] - N / BINS) / (N / BINS);
    assert_true(fabs(sum / N - 0.5) < 5 * sqrt(1.0 / 12 / N));
    assert_true(fabs(lag / N) < 5.0 / 12 / sqrt(N));
    assert_true(chi > 20 && chi < 130); /* 63 degrees of freedom */
    assert_true(orr_rng_unit(UINT32_MAX) < 1.0f);
    assert_true(orr_rng_unit(0) == 0.0f);
    assert_true(orr_rng_unit(0x80000000u) == 0.5f);
}

static void normal_is_normal(void **state)
{
    enum { N = 200000 };
    orr_rng r = orr_rng_stream(orr_rng_key(2, ORR_RNG_TEST, 0, 0, 0));
    double m[5] = { 0 };
    int beyond = 0;

    (void)state;
    for (int i = 0; i < N; i++) {
        double x = orr_rng_normal(&r), p = x;

        assert_true(isfinite(x));
        for (int k = 1; k < 5; k++, p *= x)
            m[k] += p / N;
        beyond += fabs(x) > 1.959963985;
    }
    assert_true(fabs(m[1]) < 5 / sqrt(N));
    assert_true(fabs(m[2] - 1) < 5 * sqrt(2.0 / N));
    assert_true(fabs(m[3]) < 5 * sqrt(15.0 / N));
    assert_true(fabs(m[4] - 3) < 5 * sqrt(96.0 / N));
    assert_true(fabs(beyond / (double)N - 0.05) < 5 * sqrt(0.05 * 0.95 / N));
}

/* 3 * 2^62: taking a remainder of 64 bits would give the first third twice as often as the others.
 */
static void below_has_no_bias(void **state)
{
    enum { N = 60000 };
    orr_rng r = orr_rng_stream(orr_rng_key(3, ORR_RNG_TEST, 0, 0, 0));
    uint64_t n = (uint64_t)3 << 62, third = (uint64_t)1 << 62;
    int count[3] = { 0 }, small[7] = { 0 };

    (void)state;
    for (int i = 0; i < N; i++) {
        uint64_t x = orr_rng_below(&r, n);

        assert_true(x < n);
        count[x / third]++;
        x = orr_rng_below(&r, 7);
        assert_true(x < 7);
        small[x]++;
    }
    for (int i = 0; i < 3; i++)
        assert_true(abs(count[i] - N / 3) < 5 * sqrt(N * 2.0 / 9));
    for (int i = 0; i < 7; i++)
        assert_true(abs(small[i] - N / 7) < 5 * sqrt(N * 6.0 / 49));
    for (int i = 0; i < 100; i++) {
        assert_true(orr_rng_below(&r, 1) == 0);
        assert_true(orr_rng_below(&r, 2) < 2);
        assert_true(orr_rng_below(&r, UINT64_MAX) < UINT64_MAX);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_answers),     cmocka_unit_test(stream_is_its_blocks),
        cmocka_unit_test(keys_are_distinct), cmocka_unit_test(uniform_is_uniform),
        cmocka_unit_test(normal_is_normal),  cmocka_unit_test(below_has_no_bias),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
