/* tests/stats/test_redshift.c - golden numbers, and cases small enough to work out by hand. */
#include "stats/redshift.h"

#include "stats/check.h"

#include <math.h>

enum { BINS = 180 };

static const orr_bins wide = { BINS, 0, 0.4 };

static void test_golden(void **state)
{
    double p[BINS], pit, crps;

    (void)state;
    for (int k = 0; k < BINS; k++)
        p[k] = 1.0 / BINS;
    orr_pit_crps(&wide, p, 0.1, &pit, &crps);
    assert_near(pit, 0.25);
    assert_near(crps, 0.35 / 6); /* .0583333 */
    memset(p, 0, sizeof p);
    p[45] = 1;
    orr_pit_crps(&wide, p, 0.101, &pit, &crps);
    assert_near(pit, 0.45);
    if (fabs(crps - 1.90741e-4) > 5e-10) fail_msg("%.9g", crps);
    assert_near(crps, 0.4 / 180 * (0.45 * 0.45 * 0.45 + 0.55 * 0.55 * 0.55) / 3);
}

/* Two bins of [0, 2], a quarter and three quarters. */
static void test_edges(void **state)
{
    static const orr_bins two = { 2, 0, 2 };
    static const double p[2] = { 0.25, 0.75 };
    /* F^2: bin 0 (1/16)/3, bin 1 (1/16 + 1/4 + 1)/3; (1-F)^2: bin 0 (1 + 3/4 + 9/16)/3, bin 1
     * (9/16)/3 */
    const double below = 1.0 / 48 + 21.0 / 48, above = 37.0 / 48 + 9.0 / 48;
    double pit, crps;

    (void)state;
    orr_pit_crps(&two, p, 0, &pit, &crps);
    assert_number(pit, 0);
    assert_near(crps, above);
    orr_pit_crps(&two, p, -0.5, &pit, &crps);
    assert_number(pit, 0);
    assert_near(crps, above + 0.5);
    orr_pit_crps(&two, p, 1, &pit, &crps);
    assert_near(pit, 0.25);
    assert_near(crps, 1.0 / 48 + 9.0 / 48);
    orr_pit_crps(&two, p, 2, &pit, &crps);
    assert_number(pit, 1);
    assert_near(crps, below);
    orr_pit_crps(&two, p, 3, &pit, &crps);
    assert_number(pit, 1);
    assert_near(crps, below + 1);
    orr_pit_crps(&two, p, nextafter(2, 0), &pit, &crps);
    assert_near(pit, 1);
    assert_near(crps, below);
}

static void test_known(void **state)
{
    static const float z_spec[] = { 0, 1, 3, 0.25f };
    static const double z_phot[] = { 0.5, 1, 2, 0.25 }; /* dz .5 0 -.25 0 */
    orr_redshift r;

    (void)state;
    assert_int_equal(orr_redshift_metrics(z_phot, z_spec, 4, NULL, NULL, 0.05, &r), ORR_OK);
    assert_int_equal(r.n, 4);
    assert_number(r.bias, 0.0625);
    assert_number(r.sigma_mad, 1.4826 * 0.125); /* median 0; deviations 0 0 .25 .5 */
    assert_number(r.eta, 0.5);
    assert_number(r.rmse, sqrt(1.25 / 4));
    assert_number(r.mae, 1.5 / 4);
    assert_number(r.crps, NAN);
    assert_number(r.pit_p, NAN);
    assert_int_equal(r.pit[0], 0);
    assert_int_equal(orr_redshift_metrics(z_phot, z_spec, 4, NULL, NULL, 0.25, &r), ORR_OK);
    assert_number(r.eta, 0.25); /* beyond the bound, not on it */
    assert_int_equal(orr_redshift_metrics(NULL, NULL, 0, NULL, &wide, 0.05, &r), ORR_OK);
    assert_int_equal(r.n, 0);
    assert_number(r.bias, NAN);
    assert_number(r.sigma_mad, NAN);
    assert_number(r.eta, NAN);
}

/* One bin of [0, 1]: PIT is the truth. */
/* What is no redshift: errors as they are, of any value. */
static void test_plain_values(void **state)
{
    static const float y[] = { -20, -1, 3 };
    static const double p[] = { -19, -1, 6 }; /* errors 1 0 3 */
    orr_redshift r;

    (void)state;
    assert_int_equal(orr_redshift_metrics(p, y, 3, NULL, NULL, ORR_NO_REDSHIFT, &r), ORR_OK);
    assert_number(r.bias, 4.0 / 3);
    assert_number(r.sigma_mad, 1.4826);
    assert_number(r.eta, NAN);
    assert_number(r.rmse, sqrt(10.0 / 3));
    assert_fails(orr_redshift_metrics(p, y, 3, NULL, NULL, 0.05, &r), ORR_ERR_NUMERIC, "above -1");
}

static void test_flat(void **state)
{
    static const orr_bins one = { 1, 0, 1 };
    double z_phot[200], p[200];
    float z_spec[200];
    orr_redshift r;

    (void)state;
    for (int i = 0; i < 200; i++) {
        p[i] = 1;
        z_phot[i] = 0.5;
        z_spec[i] = (float)((i + 0.5) / 200);
    }
    assert_int_equal(orr_redshift_metrics(z_phot, z_spec, 200, p, &one, 0.05, &r), ORR_OK);
    for (int k = 0; k < ORR_PIT_BINS; k++)
        assert_int_equal(r.pit[k], 10);
    assert_number(r.pit_chi2, 0);
    assert_number(r.pit_p, 1);
    if (fabs(r.pit_mean - 0.5) > 1e-7) fail_msg("%g", r.pit_mean);
    if (fabs(r.pit_deviation - 1 / sqrt(12)) > 1e-5) fail_msg("%g", r.pit_deviation);
    for (int i = 0; i < 200; i++)
        z_spec[i] = i < 100 ? 1 : 0; /* both ends are in the histogram */
    assert_int_equal(orr_redshift_metrics(z_phot, z_spec, 200, p, &one, 0.05, &r), ORR_OK);
    assert_int_equal(r.pit[0], 100);
    assert_int_equal(r.pit[19], 100);
    assert_number(r.pit_chi2, 2 * 810 + 18 * 10);
    assert_number(r.pit_deviation, 0.5);
}

static void test_groups(void **state)
{
    static const float z_spec[] = { 0, 0, 0, 0, 0, 0, 0 };
    static const double z_phot[] = { 1, 2, 4, 8, 16, 32, 64 };
    static const double by[] = { 3, 1, 2, NAN, 0.5, 3.5, 2 }, edges[] = { 1, 2, 2, 3, 3 };
    static const double bad[] = { 1, 3, 2 };
    double made[4];
    orr_redshift r[4];

    (void)state;
    assert_int_equal(orr_redshift_by(z_phot, z_spec, 7, NULL, NULL, 0.05, by, edges, 4, r), ORR_OK);
    assert_int_equal(r[0].n, 1);
    assert_number(r[0].bias, 2);
    assert_int_equal(r[1].n, 0); /* no number is in [2, 2) */
    assert_number(r[1].bias, NAN);
    assert_int_equal(r[2].n, 2);
    assert_number(r[2].bias, 34);
    assert_int_equal(r[3].n, 1); /* the last one takes its upper edge */
    assert_number(r[3].bias, 1);
    assert_fails(orr_redshift_by(z_phot, z_spec, 7, NULL, NULL, 0.05, by, bad, 2, r), ORR_ERR_ARG,
                 "edges of group 1 are 3 and 2");
    assert_fails(orr_redshift_by(z_phot, z_spec, 7, NULL, NULL, 0.05, by, edges, 0, r), ORR_ERR_ARG,
                 "0 groups");
    assert_int_equal(orr_quantile_edges(by, 7, 3, made), ORR_OK); /* .5 1 | 2 2 | 3 3.5 */
    assert_number(made[0], 0.5);
    assert_number(made[1], 2);
    assert_number(made[2], 3);
    assert_number(made[3], 3.5);
    assert_fails(orr_quantile_edges(by + 3, 1, 3, made), ORR_ERR_ARG, "none of 1 values is finite");
    assert_fails(orr_quantile_edges(by, 7, 0, made), ORR_ERR_ARG, "0 groups");
}

static void test_bad_input(void **state)
{
    static const orr_bins two = { 2, 0, 1 }, none = { 2, 1, 1 };
    static const float z_spec[] = { 0, 1, NAN, -1 };
    static const double z_phot[] = { 0, 1, 2, 3, INFINITY }, by[] = { 0, 0, 0, 0 };
    static const double edges[] = { 0, 1 };
    double p[6] = { 0.5, 0.5, 0.5, 0.25, 1.5, -0.5 };
    orr_redshift r;

    (void)state;
    assert_fails(orr_redshift_metrics(z_phot, z_spec, 3, NULL, NULL, 0.05, &r), ORR_ERR_NUMERIC,
                 "row 2 has the redshift nan");
    assert_fails(orr_redshift_metrics(z_phot + 3, z_spec, 2, NULL, NULL, 0.05, &r), ORR_ERR_NUMERIC,
                 "row 1 has the redshift 1, predicted inf");
    assert_fails(orr_redshift_metrics(z_phot, z_spec + 3, 1, NULL, NULL, 0.05, &r), ORR_ERR_NUMERIC,
                 "above -1");
    assert_fails(orr_redshift_by(z_phot, z_spec, 4, NULL, NULL, 0.05, by, edges, 1, &r),
                 ORR_ERR_NUMERIC, "row 2 has");
    assert_fails(orr_redshift_metrics(z_phot, z_spec, 2, p, &two, 0.05, &r), ORR_ERR_ARG,
                 "density of row 1 sums to 0.75");
    assert_fails(orr_redshift_metrics(z_phot, z_spec, 1, p + 4, &two, 0.05, &r), ORR_ERR_ARG,
                 "bin 1 of row 0's density is -0.5");
    p[3] = NAN;
    assert_fails(orr_redshift_metrics(z_phot, z_spec, 2, p, &two, 0.05, &r), ORR_ERR_NUMERIC,
                 "bin 1 of row 1's density is nan");
    assert_fails(orr_redshift_metrics(z_phot, z_spec, 1, p, &none, 0.05, &r), ORR_ERR_ARG,
                 "2 bins from 1 to 1");
    assert_fails(orr_redshift_metrics(z_phot, z_spec, 1, p, NULL, 0.05, &r), ORR_ERR_ARG, "0 bins");
    assert_fails(orr_redshift_metrics(z_phot, z_spec, -1, NULL, NULL, 0.05, &r), ORR_ERR_ARG,
                 "-1 rows");
    assert_fails(orr_redshift_metrics(z_phot, z_spec, 1, NULL, NULL, NAN, &r), ORR_ERR_ARG, "nan");
    for (int n = 1; n <= 3; n++) {
        orr_alloc_fail_at(n);
        assert_fails(orr_redshift_by(z_phot, z_spec, 2, NULL, NULL, 0.05, by, edges, 1, &r),
                     ORR_ERR_NOMEM, "memory");
    }
    orr_alloc_fail_at(1);
    assert_fails(orr_redshift_metrics(z_phot, z_spec, 1, NULL, NULL, 0.05, &r), ORR_ERR_NOMEM,
                 "memory");
    orr_alloc_fail_at(1);
    assert_fails(orr_quantile_edges(z_phot, 2, 1, p), ORR_ERR_NOMEM, "memory");
    orr_alloc_fail_at(0);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden),    cmocka_unit_test(test_plain_values),
        cmocka_unit_test(test_edges),     cmocka_unit_test(test_known),
        cmocka_unit_test(test_flat),      cmocka_unit_test(test_groups),
        cmocka_unit_test(test_bad_input),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
