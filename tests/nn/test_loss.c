/* tests/nn/test_loss.c - shapes and options refused, extreme logits, sums over leaves; values
 * against PyTorch are in loss.py. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "nn/loss.h"

#include <math.h>
#include <string.h>

static const orr_shape one = { 1, 1, 1 }, three = { 1, 1, 3 }, image = { 2, 1, 3 };

static orr_status init(orr_loss *l, const char *name, orr_shape output, int n_classes, int width,
                       double pos_weight)
{
    return orr_loss_init(l, &(orr_loss_spec){ .name = name,
                                              .output = output,
                                              .n_classes = n_classes,
                                              .width = width,
                                              .pos_weight = pos_weight });
}

static void test_shapes(void **state)
{
    (void)state;
    orr_loss l;

    assert_int_equal(init(&l, "bce", one, 2, 0, 3), ORR_OK);
    assert_true(l.kind == ORR_LOSS_BCE && l.outputs == 1 && l.pos_weight == 3);
    assert_int_equal(init(&l, "ce", three, 3, 0, 1), ORR_OK);
    assert_true(l.kind == ORR_LOSS_CE && l.outputs == 3);
    assert_int_equal(init(&l, "mse", three, 0, 3, 1), ORR_OK);
    assert_true(l.kind == ORR_LOSS_MSE && l.outputs == 3);

    assert_int_equal(init(&l, "bce", three, 2, 0, 1), ORR_ERR_SHAPE);
    assert_non_null(strstr(orr_error_text(), "1 x 1 x 3"));
    assert_int_equal(init(&l, "bce", one, 3, 0, 1), ORR_ERR_SHAPE);
    assert_int_equal(init(&l, "bce", one, 0, 1, 1), ORR_ERR_SHAPE);
    assert_int_equal(init(&l, "ce", three, 4, 0, 1), ORR_ERR_SHAPE);
    assert_int_equal(init(&l, "ce", image, 3, 0, 1), ORR_ERR_SHAPE);
    assert_int_equal(init(&l, "ce", one, 1, 0, 1), ORR_ERR_SHAPE);
    assert_int_equal(init(&l, "mse", three, 0, 1, 1), ORR_ERR_SHAPE); /* would broadcast */
    assert_int_equal(init(&l, "mse", one, 0, 3, 1), ORR_ERR_SHAPE);
    assert_int_equal(init(&l, "mse", one, 2, 1, 1), ORR_ERR_SHAPE);
    assert_int_equal(init(&l, "mse", one, 0, 0, 1), ORR_ERR_SHAPE);
}

static void test_options(void **state)
{
    (void)state;
    orr_loss l;
    const double bad[] = { 0, -1, NAN, INFINITY };

    assert_int_equal(init(&l, "msee", one, 0, 1, 1), ORR_ERR_OPTION);
    assert_non_null(strstr(orr_error_text(), "\"mse\""));
    assert_int_equal(init(&l, "ce", three, 3, 0, 2), ORR_ERR_OPTION);
    for (int i = 0; i < 4; i++)
        assert_int_equal(init(&l, "bce", one, 2, 0, bad[i]), ORR_ERR_OPTION);
}

static const int leaf[4] = { 0, 2, 2, 3 };
static const orr_batch batch = { .n = 3, .n_leaves = 3, .leaf = leaf, .n_global = 10 };

static void test_extreme_logits(void **state)
{
    (void)state;
    const orr_loss bce = { .kind = ORR_LOSS_BCE, .outputs = 1, .pos_weight = 2 };
    const orr_real x[3] = { (orr_real)1e4, (orr_real)-1e4, 0 };
    const int32_t labels[3] = { 0, 1, 1 };
    double sums[3], each[3], p[3];
    orr_real dx[3];

    orr_loss_eval(&bce, &batch, x, labels, NULL, sums, each, dx);
    assert_true(each[0] == 1e4 && each[1] == 2e4 && fabs(each[2] - 2 * log(2)) < 1e-15);
    assert_true(sums[0] == 3e4 && sums[1] == 0 && sums[2] == each[2]);
    assert_true(dx[0] == (orr_real)0.1 && dx[1] == (orr_real)-0.2 && dx[2] == (orr_real)-0.1);
    orr_loss_link(&bce, 3, x, p);
    assert_true(p[0] == 1 && p[1] == 0 && p[2] == 0.5);

    const orr_loss ce = { .kind = ORR_LOSS_CE, .outputs = 3, .pos_weight = 1 };
    const orr_real logits[9] = { (orr_real)1e4, 0, (orr_real)-1e4, 1, 1, 1, 0, (orr_real)1e4, 0 };
    const int32_t classes[3] = { 2, 0, 1 };
    orr_real grad[9];
    double share[9];
    orr_loss_eval(&ce, &batch, logits, classes, NULL, sums, each, grad);
    assert_true(each[0] == 2e4 && fabs(each[1] - log(3)) < 1e-15 && each[2] == 0);
    assert_true(grad[0] == (orr_real)0.1 && grad[1] == 0 && grad[2] == (orr_real)-0.1 &&
                grad[7] == 0);
    orr_loss_link(&ce, 3, logits, share);
    assert_true(share[0] == 1 && share[2] == 0 && fabs(share[4] - 1.0 / 3) < 1e-15);
}

static void test_bad_labels_and_nan_show(void **state)
{
    (void)state;
    const orr_loss bce = { .kind = ORR_LOSS_BCE, .outputs = 1, .pos_weight = 1 },
                   ce = { .kind = ORR_LOSS_CE, .outputs = 1, .pos_weight = 1 };
    const orr_real x[3] = { 0, (orr_real)NAN, 0 };
    const int32_t labels[3] = { 2, 0, 1 }, classes[3] = { -1, 0, 0 };
    double sums[3];
    orr_real dx[3];

    orr_loss_eval(&bce, &batch, x, labels, NULL, sums, NULL, dx);
    assert_true(isnan(sums[0]) && isnan(dx[0]) && isnan(dx[1]) && isfinite(sums[2]) &&
                isfinite(dx[2]));
    orr_loss_eval(&ce, &batch, x, classes, NULL, sums, NULL, dx);
    assert_true(isnan(sums[0]) && isnan(dx[0]) && isnan(dx[1]) && sums[2] == 0);
}

static void test_mean_squares(void **state)
{
    (void)state;
    const orr_loss mse = { .kind = ORR_LOSS_MSE, .outputs = 2, .pos_weight = 1 };
    const orr_real x[6] = { 1, 2, 3, 4, 5, 6 };
    const float y[6] = { 0, 2, 3, 6, 5, 6 };
    double sums[3], p[6];
    orr_real dx[6];

    orr_loss_eval(&mse, &batch, x, NULL, y, sums, NULL, dx);
    assert_true(sums[0] == 0.5 + 2 && sums[1] == 0 && sums[2] == 0);
    assert_true(dx[0] == (orr_real)0.1 && dx[3] == (orr_real)-0.2 && dx[5] == 0);
    orr_loss_eval(&mse, &batch, x, NULL, y, sums, NULL, NULL);
    assert_true(sums[0] == 2.5);
    orr_loss_link(&mse, 3, x, p);
    assert_true(p[4] == 5);
}

/* ---- densities ---- */

enum { BINS = 180 };
static const orr_bins redshifts = { BINS, 0, 0.4 };
static const char *const density_names[] = { "ce", "expected_mse", "crps" };
enum { N_DENSITIES = 3 };

static orr_status init_density(orr_loss *l, const char *name, orr_bins bins, int width)
{
    return orr_loss_init(l, &(orr_loss_spec){ .name = name,
                                              .output = { 1, 1, bins.count },
                                              .width = width,
                                              .pos_weight = 1,
                                              .bins = bins });
}

static void refuse(const orr_loss_spec *spec, orr_status wanted, const char *sentence)
{
    orr_loss l;

    assert_int_equal(orr_loss_init(&l, spec), wanted);
    assert_string_equal(orr_error_text(), sentence);
}

static void test_density_shapes(void **state)
{
    (void)state;
    orr_loss l;
    const orr_bins four = { 4, 0, 1 };
    orr_loss_spec s = {
        .name = "crps", .output = three, .width = 1, .pos_weight = 1, .bins = four
    };

    refuse(&s, ORR_ERR_SHAPE,
           "loss crps needs an output of 1 x 1 x 4, a logit a bin, and the net gives 1 x 1 x 3: "
           "end it with a linear layer of 4 units");
    s.output.c = 4;
    assert_int_equal(orr_loss_init(&l, &s), ORR_OK);
    s.width = 2; /* one density for two numbers: would have to broadcast */
    refuse(&s, ORR_ERR_SHAPE,
           "loss crps needs targets of one value, and the data has 2 a sample: choose one column");
    s.width = 1, s.n_classes = 4;
    refuse(&s, ORR_ERR_SHAPE, "loss crps is for regression, and the data has 4 classes: use ce");
    s.name = "ce";
    refuse(&s, ORR_ERR_OPTION,
           "bins are for a density of values (loss ce, crps, expected_mse), and the loss is ce on "
           "classes: leave them out");
    s.n_classes = 0, s.name = "mse";
    refuse(&s, ORR_ERR_OPTION,
           "bins are for a density of values (loss ce, crps, expected_mse), and the loss is mse: "
           "leave them out");
    s.bins.count = 0, s.name = "ce";
    refuse(
        &s, ORR_ERR_SHAPE,
        "loss ce needs classes, and the data has values: give bins to cut them into, or use mse");
    s.name = "expected_mse";
    refuse(&s, ORR_ERR_OPTION, "loss expected_mse is on a density over bins: give bins");
    s.bins.count = 1;
    refuse(&s, ORR_ERR_OPTION, "1 bins: give 2 to 4096");
    s.bins.count = ORR_MAX_BINS + 1;
    refuse(&s, ORR_ERR_OPTION, "4097 bins: give 2 to 4096");
    s.bins = (orr_bins){ 4, 1, 1 };
    refuse(&s, ORR_ERR_OPTION, "bins from 1 to 1: the end must lie above the start");
    s.bins.max = NAN;
    assert_int_equal(orr_loss_init(&l, &s), ORR_ERR_OPTION);
    s.bins.max = INFINITY;
    assert_int_equal(orr_loss_init(&l, &s), ORR_ERR_OPTION);
    s.bins.max = 2, s.pos_weight = 3;
    refuse(&s, ORR_ERR_OPTION, "pos_weight is for the loss bce, not expected_mse: leave it at 1");
}

/* What auto chooses, and what the choice is called. */
static void test_auto_and_names(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        int outputs, n_classes, width, n_bins;
        orr_loss_kind kind;
        const char *called;
        orr_output_type output_type;
    } cases[] = {
        { "auto", 1, 2, 0, 0, ORR_LOSS_BCE, "bce", ORR_OUTPUT_CLASSES },
        { "auto", 2, 2, 0, 0, ORR_LOSS_CE, "ce", ORR_OUTPUT_CLASSES },
        { "auto", 5, 5, 0, 0, ORR_LOSS_CE, "ce", ORR_OUTPUT_CLASSES },
        { "auto", 3, 0, 3, 0, ORR_LOSS_MSE, "mse", ORR_OUTPUT_VALUES },
        { "auto", 8, 0, 1, 8, ORR_LOSS_BINNED_CE, "ce", ORR_OUTPUT_DENSITY },
        { "ce", 8, 0, 1, 8, ORR_LOSS_BINNED_CE, "ce", ORR_OUTPUT_DENSITY },
        { "crps", 8, 0, 1, 8, ORR_LOSS_CRPS, "crps", ORR_OUTPUT_DENSITY },
        { "expected_mse", 8, 0, 1, 8, ORR_LOSS_EXPECTED_MSE, "expected_mse", ORR_OUTPUT_DENSITY },
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        orr_loss l;
        orr_loss_spec s = { .name = cases[i].name,
                            .output = { 1, 1, cases[i].outputs },
                            .n_classes = cases[i].n_classes,
                            .width = cases[i].width,
                            .pos_weight = 1,
                            .bins = { cases[i].n_bins, 0, 1 } };
        assert_int_equal(orr_loss_init(&l, &s), ORR_OK);
        assert_int_equal(l.kind, cases[i].kind);
        assert_string_equal(orr_loss_name(&l), cases[i].called);
        assert_int_equal(orr_loss_output_type(&l), cases[i].output_type);
    }
}

static double one_loss(const orr_loss *l, const orr_real *x, double z, orr_real *dx)
{
    static const int all[2] = { 0, 1 };
    const orr_batch b = { .n = 1, .n_leaves = 1, .leaf = all, .n_global = 1 };
    const float value = (float)z;
    double sum, each;

    orr_loss_eval(l, &b, x, NULL, &value, &sum, &each, dx);
    if (!isnan(sum)) assert_true(sum == each);
    return sum;
}

/* Worked out by hand: a flat density, and all of it in one bin. */
static void test_golden_crps(void **state)
{
    (void)state;
    orr_loss l;
    orr_real x[BINS] = { 0 };

    assert_int_equal(init_density(&l, "crps", redshifts, 1), ORR_OK);
    assert_true(fabs(one_loss(&l, x, 0.1, NULL) - 0.0583333) < 5e-8);
    assert_true(fabs(one_loss(&l, x, 0.1, NULL) - 0.028 / 0.48) < 1e-8);
    x[45] = 1000;
    assert_true(fabs(one_loss(&l, x, 0.101, NULL) - 1.90741e-4) < 1e-9);
    /* one bin far below the target: the distance, less a third of a bin's width of it */
    assert_true(fabs(one_loss(&l, x, 0.3, NULL) - (0.3 - 46 * 0.4 / BINS + 0.4 / BINS / 3)) < 2e-8);
    assert_int_equal(init_density(&l, "expected_mse", redshifts, 1), ORR_OK);
    double centre = 45.5 * 0.4 / BINS;
    assert_true(fabs(one_loss(&l, x, 0.3, NULL) - (0.3 - centre) * (0.3 - centre)) < 1e-8);
}

/* Proper: no density does better on average than the one the targets come from, even with two
 * peaks.  Its gradient, averaged over them, vanishes. */
static void test_crps_keeps_two_peaks(void **state)
{
    (void)state;
    enum { K = 8, N = 4000 };
    const orr_bins bins = { K, 0, 1 };
    const double p[K] = { 0.02, 0.4, 0.05, 0.01, 0.02, 0.1, 0.35, 0.05 };
    orr_loss l;
    orr_real x[K], y[K], dx[K];
    double gradient[K] = { 0 }, best = 0, single = 0, mean = 0;

    assert_int_equal(init_density(&l, "crps", bins, 1), ORR_OK);
    for (int k = 0; k < K; k++) {
        x[k] = (orr_real)log(p[k]);
        mean += p[k] * (k + 0.5) / K;
    }
    for (int k = 0; k < K; k++)
        y[k] = k == (int)(mean * K) ? 20 : 0; /* one peak, at the mean */
    for (int k = 0; k < K; k++)
        for (int i = 0; i < N; i++) {
            double z = (k + (i + 0.5) / N) / K;
            best += p[k] / N * one_loss(&l, x, z, dx);
            for (int j = 0; j < K; j++)
                gradient[j] += p[k] / N * (double)dx[j];
            single += p[k] / N * one_loss(&l, y, z, NULL);
        }
    for (int j = 0; j < K; j++)
        assert_true(fabs(gradient[j]) < 1e-7);
    assert_true(best < 0.75 * single);
}

/* The fault of the net this loss comes from: it summed expectations over the batch.  Here a
 * sample's loss and gradient have the same bits alone and beside others, whatever those are. */
static void test_samples_do_not_mix(void **state)
{
    (void)state;
    enum { N = 5 };
    const int all[4] = { 0, 2, 2, N };
    const orr_batch b = { .n = N, .n_leaves = 3, .leaf = all, .n_global = 1 };
    orr_real x[N * BINS], dx[N * BINS], alone[BINS];
    float z[N];
    double sums[3], each[N];

    for (int d = 0; d < N_DENSITIES; d++) {
        orr_loss l;
        assert_int_equal(init_density(&l, density_names[d], redshifts, 1), ORR_OK);
        for (int others = 0; others < 2; others++) {
            for (int i = 0; i < N * BINS; i++)
                x[i] = (orr_real)sin(1 + 0.37 * i);
            for (int i = 0; i < N; i++)
                z[i] = 0.01f + 0.07f * (float)i;
            if (others) { /* the even ones spoilt */
                x[0] = (orr_real)NAN;
                z[2] = 7;
                for (int j = 0; j < BINS; j++)
                    x[4 * BINS + j] *= 1000;
            }
            orr_loss_eval(&l, &b, x, NULL, z, sums, each, dx);
            for (int i = 0; i < N; i++) {
                if (others && i % 2 == 0) continue;
                assert_true(one_loss(&l, x + i * BINS, (double)z[i], alone) == each[i]);
                assert_memory_equal(alone, dx + i * BINS, sizeof alone);
            }
            assert_true(others ? isnan(sums[0]) : sums[0] == each[0] + each[1]);
            assert_true(sums[1] == 0);
        }
    }
}

/* Logits as large as a float can hold leave losses and gradients finite; targets at both ends and
 * on edges belong to a bin; one outside, or NaN, gives NaN. */
static void test_density_limits(void **state)
{
    (void)state;
    static const float inside[] = { 0, 0.4f, 0.1f, 0.2f, 1e-30f, 0.39999998f };
    const float outside[] = { -1e-6f, 0.40000004f, 1e30f, NAN, INFINITY, -INFINITY };
    orr_real x[BINS] = { 0 }, dx[BINS];

    for (int d = 0; d < N_DENSITIES; d++) {
        orr_loss l;
        assert_int_equal(init_density(&l, density_names[d], redshifts, 1), ORR_OK);
        for (int extreme = 0; extreme < 3; extreme++) {
            x[0] = extreme == 1 ? (orr_real)3.4e38 : extreme == 2 ? (orr_real)-3.4e38 : 0;
            x[100] = extreme == 1 ? (orr_real)-3.4e38 : extreme == 2 ? (orr_real)1e4 : 0;
            for (int i = 0; i < 6; i++) {
                double sum = 0, v = one_loss(&l, x, (double)inside[i], dx);
                assert_true(isfinite(v) && v >= 0);
                for (int j = 0; j < BINS; j++) {
                    assert_true(isfinite(dx[j]));
                    sum += (double)dx[j];
                }
                assert_true(fabs(sum) < 1e-6); /* a constant on all logits changes nothing */
            }
        }
        for (int i = 0; i < 6; i++) {
            assert_true(isnan(one_loss(&l, x, (double)outside[i], dx)));
            for (int j = 0; j < BINS; j++)
                assert_true(isnan(dx[j]));
            assert_true(isnan(one_loss(&l, x, (double)outside[i], NULL)));
        }
    }
}

static void test_density_link(void **state)
{
    (void)state;
    const orr_bins bins = { 3, 0, 3 };
    const orr_real x[6] = { 0, (orr_real)0.6931471805599453, 0, 500, -500, 500 };
    double p[6];

    for (int d = 0; d < N_DENSITIES; d++) {
        orr_loss l;
        assert_int_equal(init_density(&l, density_names[d], bins, 1), ORR_OK);
        orr_loss_link(&l, 2, x, p);
        assert_true(fabs(p[0] - 0.25) < 1e-8 && fabs(p[1] - 0.5) < 1e-8);
        assert_true(fabs(orr_bins_mean(&bins, p) - 1.5) < 1e-8);
        assert_true(fabs(p[3] - 0.5) < 1e-12 && p[4] == 0 && fabs(p[5] - 0.5) < 1e-12);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shapes),
        cmocka_unit_test(test_options),
        cmocka_unit_test(test_extreme_logits),
        cmocka_unit_test(test_bad_labels_and_nan_show),
        cmocka_unit_test(test_mean_squares),
        cmocka_unit_test(test_density_shapes),
        cmocka_unit_test(test_auto_and_names),
        cmocka_unit_test(test_golden_crps),
        cmocka_unit_test(test_crps_keeps_two_peaks),
        cmocka_unit_test(test_samples_do_not_mix),
        cmocka_unit_test(test_density_limits),
        cmocka_unit_test(test_density_link),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
