/* tests/stats/test_calibration.c - what a fitted map must do, and what it refuses. */
#include "stats/calibration.h"

#include "core/rng.h"
#include "stats/check.h"
#include "stats/redshift.h"

#include <math.h>

enum { MANY = 4000, BINS = 60 };

/* n values between 0 and 1, the i-th from the i-th of n equal slices. */
static void even(double *u, int n)
{
    for (int i = 0; i < n; i++)
        u[i] = (i + 0.5) / n;
}

static double chi_square(const orr_calibration *c, const double *u, int n)
{
    int count[20] = { 0 };
    double sum = 0;

    for (int i = 0; i < n; i++) {
        int k = (int)(orr_calibration_map(c, u[i]) * 20);
        count[k < 20 ? k : 19]++;
    }
    for (int k = 0; k < 20; k++)
        sum += (count[k] - n / 20.0) * (count[k] - n / 20.0) / (n / 20.0);
    return sum / 19;
}

/* Too broad, too narrow, shifted, with outliers at one end: flat on what it was fitted on, and the
 * masses of the outer cells exactly theirs. */
static void test_flattens(void **state)
{
    static const double power[] = { 0.5, 2, 3 };
    static double u[MANY];
    orr_calibration c;

    (void)state;
    for (int kind = 0; kind < 5; kind++) {
        const orr_calibration none = { 0 };
        int low = 0;
        even(u, MANY);
        for (int i = 0; i < MANY; i++) {
            if (kind < 3) u[i] = pow(u[i], power[kind]);
            if (kind == 3) u[i] = 0.5 + copysign(pow(fabs(2 * u[i] - 1), 1.3), u[i] - 0.5) / 2;
            if (kind == 4) u[i] = i % 8 ? u[i] : u[i] * 1e-7;
            low += u[i] < 0.05;
        }
        assert_int_equal(orr_calibration_fit(&c, u, MANY), ORR_OK);
        assert_int_equal(orr_calibration_check(&c, "fit"), ORR_OK);
        assert_true(c.degrees > 2 && c.degrees < 30);
        assert_true(chi_square(&none, u, MANY) > 4);
        if (chi_square(&c, u, MANY) > 1.5) fail_msg("kind %d: %g", kind, chi_square(&c, u, MANY));
        assert_near(orr_calibration_map(&c, 0.05), (low + 0.05) / (MANY + 1));
    }
    /* an eighth lies below 1e-7, a twentieth below 0.4e-7: the innermost cut is the next power of 2
     */
    assert_int_equal(c.n, 21 + 21);
    assert_near(c.at[1], 0.05 / (1 << 21));
    assert_near(c.to[22], (500 + 175 + 0.05) / (MANY + 1));
}

static void test_flat_stays(void **state)
{
    double u[1000], p[2] = { 0.3, 0.7 };
    int identities = 0;
    orr_calibration c;

    (void)state;
    even(u, 1000);
    assert_int_equal(orr_calibration_fit(&c, u, 1000), ORR_OK);
    assert_int_equal(c.n, 0);
    assert_number(c.degrees, 0);
    assert_number(orr_calibration_map(&c, 0.3), 0.3);
    orr_calibration_apply(&c, p, 2);
    assert_number(p[0], 0.3);
    for (int seed = 0; seed < 100; seed++) {
        orr_rng rng = orr_rng_stream((uint64_t)seed);
        for (int i = 0; i < 1000; i++)
            u[i] = orr_rng_uniform(&rng);
        assert_int_equal(orr_calibration_fit(&c, u, 1000), ORR_OK);
        identities += c.n == 0;
        for (int k = 0; k <= 20; k++)
            if (fabs(orr_calibration_map(&c, k / 20.0) - k / 20.0) > 0.06)
                fail_msg("seed %d", seed);
    }
    if (identities < 60) fail_msg("%d of 100 flat samples stay as they are", identities);
}

/* Densities that are twice too broad, their truths drawn, calibrated on one half: narrower, still
 * densities, and their PIT in the other half flat. */
static void test_densities(void **state)
{
    static double p[MANY][BINS], pit[MANY];
    static const orr_bins bins = { BINS, 0, 1 };
    static float z[MANY];
    orr_rng rng = orr_rng_stream(314);
    orr_redshift before, after;
    static double mean[MANY];
    orr_calibration c;
    const int half = MANY / 2;

    (void)state;
    for (int i = 0; i < MANY; i++) {
        double centre = 0.3 + 0.4 * orr_rng_uniform(&rng), sum = 0, crps;
        z[i] = (float)(centre + 0.03 * orr_rng_normal(&rng));
        for (int k = 0; k < BINS; k++) {
            double d = (orr_bin_centre(&bins, k) - centre) / 0.06;
            sum += p[i][k] = exp(-d * d / 2);
        }
        for (int k = 0; k < BINS; k++)
            p[i][k] /= sum;
        orr_pit_crps(&bins, p[i], (double)z[i], &pit[i], &crps);
        mean[i] = centre;
    }
    assert_int_equal(orr_calibration_fit(&c, pit, half), ORR_OK);
    assert_int_equal(
        orr_redshift_metrics(mean, z + half, half, p[half], &bins, ORR_OUTLIER, &before), ORR_OK);
    for (int i = half; i < MANY; i++) {
        double sum = 0;
        orr_calibration_apply(&c, p[i], BINS);
        for (int k = 0; k < BINS; k++) {
            assert_true(p[i][k] >= 0);
            sum += p[i][k];
        }
        if (fabs(sum - 1) > 1e-14) fail_msg("row %d: %.17g", i, sum);
    }
    assert_int_equal(
        orr_redshift_metrics(mean, z + half, half, p[half], &bins, ORR_OUTLIER, &after), ORR_OK);
    assert_true(before.pit_chi2 > 19 * 10);
    if (after.pit_chi2 > 19 * 2) fail_msg("%g, was %g", after.pit_chi2 / 19, before.pit_chi2 / 19);
    assert_true(after.crps < 0.97 * before.crps);
}

/* Everything in one place, or in the two outer cells. */
static void test_extremes(void **state)
{
    double u[200], p[3] = { 0.25, 0.5, 0.25 };
    orr_calibration c;

    (void)state;
    for (int i = 0; i < 200; i++)
        u[i] = i % 2;
    assert_int_equal(orr_calibration_fit(&c, u, 200), ORR_OK);
    assert_int_equal(orr_calibration_check(&c, "ends"), ORR_OK);
    assert_int_equal(c.n, ORR_CALIBRATION_KNOTS);
    assert_near(orr_calibration_map(&c, 0.5), 0.5);
    assert_near(orr_calibration_map(&c, 0.95) - orr_calibration_map(&c, 0.05), 0.9 / 201);
    orr_calibration_apply(&c, p, 3);
    assert_true(p[0] > 0.49 && p[1] > 0 && p[1] < 0.01 && p[2] > 0.49);
    for (int i = 0; i < 200; i++)
        u[i] = 0.5;
    assert_int_equal(orr_calibration_fit(&c, u, 200), ORR_OK);
    assert_int_equal(orr_calibration_check(&c, "middle"), ORR_OK);
    assert_true(orr_calibration_map(&c, 0.55) - orr_calibration_map(&c, 0.5) > 0.9);
    for (int i = 0; i < 200; i++)
        u[i] = 1;
    assert_int_equal(orr_calibration_fit(&c, u, 200), ORR_OK);
    assert_int_equal(orr_calibration_check(&c, "end"), ORR_OK);
    assert_true(orr_calibration_map(&c, 1 - 1e-8) < 0.01);
}

/* A map by hand: rises nine times as fast in the first half. */
static void test_apply(void **state)
{
    static const orr_calibration c = { .n = 3, .at = { 0, 0.5, 1 }, .to = { 0, 0.9, 1 } };
    double p[4] = { 0.25, 0.5, 0, 0.25 }, whole = 1, less[2] = { 0.5, 0.4995 };

    (void)state;
    orr_calibration_apply(&c, p, 4);
    assert_near(p[0], 0.45);
    assert_near(p[1], 0.5); /* .45 to .9 and .9 to .95 */
    assert_number(p[2], 0);
    assert_near(p[3], 0.05);
    orr_calibration_apply(&c, &whole, 1);
    assert_number(whole, 1);
    orr_calibration_apply(&c, less, 2); /* what rounding took is given back */
    assert_near(less[0] + less[1], 1);
    assert_near(orr_calibration_map(&c, 0.25), 0.45);
    assert_number(orr_calibration_map(&c, 0), 0);
    assert_number(orr_calibration_map(&c, 1), 1);
}

static void test_bad_input(void **state)
{
    orr_calibration c = { 0 };
    double u[100];

    (void)state;
    even(u, 100);
    assert_fails(orr_calibration_fit(&c, u, 99), ORR_ERR_ARG, "99 samples to fit on; it takes at");
    assert_fails(orr_calibration_fit(&c, u, -1), ORR_ERR_ARG, "-1 samples");
    u[7] = NAN;
    assert_fails(orr_calibration_fit(&c, u, 100), ORR_ERR_NUMERIC, "the PIT of row 7 is nan");
    u[7] = 1.5;
    assert_fails(orr_calibration_fit(&c, u, 100), ORR_ERR_NUMERIC, "the PIT of row 7 is 1.5");
    assert_int_equal(c.n, 0);
    c = (orr_calibration){ .n = 1 };
    assert_fails(orr_calibration_check(&c, "model.h5"), ORR_ERR_FORMAT,
                 "model.h5: a calibration of 1");
    c.n = ORR_CALIBRATION_KNOTS + 1;
    assert_fails(orr_calibration_check(&c, "model.h5"), ORR_ERR_FORMAT, "70 knots");
    c = (orr_calibration){ .n = 3, .at = { 0, 0.5, 1 }, .to = { 0, 0.5, 0.4 } };
    assert_fails(orr_calibration_check(&c, "m"), ORR_ERR_FORMAT, "knot 2");
    c = (orr_calibration){ .n = 3, .at = { 0, 0, 1 }, .to = { 0, 0.5, 1 } };
    assert_fails(orr_calibration_check(&c, "m"), ORR_ERR_FORMAT, "knot 1");
    c = (orr_calibration){ .n = 3, .at = { 0, NAN, 1 }, .to = { 0, 0.5, 1 } };
    assert_fails(orr_calibration_check(&c, "m"), ORR_ERR_FORMAT, "knot 1");
    c = (orr_calibration){ .n = 2, .at = { 0, 1 }, .to = { 0, 0.5 } };
    assert_fails(orr_calibration_check(&c, "m"), ORR_ERR_FORMAT, "to (1, 0.5), not from 0 to 1");
    c.to[1] = 1;
    assert_int_equal(orr_calibration_check(&c, "m"), ORR_OK);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_flattens),  cmocka_unit_test(test_flat_stays),
        cmocka_unit_test(test_densities), cmocka_unit_test(test_extremes),
        cmocka_unit_test(test_apply),     cmocka_unit_test(test_bad_input),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
