/* tests/nn/test_loss.c - shapes and options refused, extreme logits, sums over leaves; values
 * against PyTorch are in loss.py. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/memory.h"
#include "nn/backend.h"
#include "nn/graph.h"
#include "nn/loss_kind_private.h"
#include "nn/objective.h"

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
    assert_true(!strcmp(orr_loss_name(&l), "bce") && l.outputs == 1 && l.pos_weight == 3);
    assert_int_equal(init(&l, "ce", three, 3, 0, 1), ORR_OK);
    assert_true(!strcmp(orr_loss_name(&l), "ce") && l.outputs == 3);
    assert_int_equal(init(&l, "mse", three, 0, 3, 1), ORR_OK);
    assert_true(!strcmp(orr_loss_name(&l), "mse") && l.outputs == 3);

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
    orr_loss bce, ce;
    const orr_real x[3] = { (orr_real)1e4, (orr_real)-1e4, 0 };
    const int32_t labels[3] = { 0, 1, 1 };
    double sums[3], each[3], p[3];
    orr_real dx[3];

    assert_int_equal(init(&bce, "bce", one, 2, 0, 2), ORR_OK);
    orr_loss_eval(&bce, &batch, x, labels, NULL, sums, each, dx);
    assert_true(each[0] == 1e4 && each[1] == 2e4 && fabs(each[2] - 2 * log(2)) < 1e-15);
    assert_true(sums[0] == 3e4 && sums[1] == 0 && sums[2] == each[2]);
    assert_true(dx[0] == (orr_real)0.1 && dx[1] == (orr_real)-0.2 && dx[2] == (orr_real)-0.1);
    orr_loss_link(&bce, 3, x, p);
    assert_true(p[0] == 1 && p[1] == 0 && p[2] == 0.5);

    const orr_real logits[9] = { (orr_real)1e4, 0, (orr_real)-1e4, 1, 1, 1, 0, (orr_real)1e4, 0 };
    const int32_t classes[3] = { 2, 0, 1 };
    orr_real grad[9];
    double share[9];
    assert_int_equal(init(&ce, "ce", three, 3, 0, 1), ORR_OK);
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
    orr_loss bce, ce;
    const orr_real x[6] = { 0, (orr_real)NAN, 0 }, logits[6] = { 0, 0, (orr_real)NAN, 0, 0, -100 };
    const int32_t labels[3] = { 2, 0, 1 }, classes[3] = { -1, 0, 0 };
    double sums[3];
    orr_real dx[6];

    assert_int_equal(init(&bce, "bce", one, 2, 0, 1), ORR_OK);
    assert_int_equal(init(&ce, "ce", (orr_shape){ 1, 1, 2 }, 2, 0, 1), ORR_OK);
    orr_loss_eval(&bce, &batch, x, labels, NULL, sums, NULL, dx);
    assert_true(isnan(sums[0]) && isnan(dx[0]) && isnan(dx[1]) && isfinite(sums[2]) &&
                isfinite(dx[2]));
    orr_loss_eval(&ce, &batch, logits, classes, NULL, sums, NULL, dx);
    assert_true(isnan(sums[0]) && isnan(dx[0]) && isnan(dx[1]) && isnan(dx[2]) && sums[2] == 0);
}

static void test_mean_squares(void **state)
{
    (void)state;
    orr_loss mse;
    const orr_real x[6] = { 1, 2, 3, 4, 5, 6 };
    const float y[6] = { 0, 2, 3, 6, 5, 6 };
    double sums[3], p[6];
    orr_real dx[6];

    assert_int_equal(init(&mse, "mse", (orr_shape){ 1, 1, 2 }, 0, 2, 1), ORR_OK);
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
        const char *called;
        orr_output_type output_type;
    } cases[] = {
        { "auto", 1, 2, 0, 0, "bce", ORR_OUTPUT_CLASSES },
        { "auto", 2, 2, 0, 0, "ce", ORR_OUTPUT_CLASSES },
        { "auto", 5, 5, 0, 0, "ce", ORR_OUTPUT_CLASSES },
        { "auto", 3, 0, 3, 0, "mse", ORR_OUTPUT_VALUES },
        { "auto", 8, 0, 1, 8, "ce", ORR_OUTPUT_DENSITY },
        { "ce", 8, 0, 1, 8, "ce", ORR_OUTPUT_DENSITY },
        { "crps", 8, 0, 1, 8, "crps", ORR_OUTPUT_DENSITY },
        { "expected_mse", 8, 0, 1, 8, "expected_mse", ORR_OUTPUT_DENSITY },
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

/* ---- every row ---- */
enum { MAX_OUT = 16, N_SAMPLES = 5 };

/* A loss of a row for some data that it takes. */
static void init_row(orr_loss *l, const orr_loss_kind *k)
{
    int density = k->output_type == ORR_OUTPUT_DENSITY;
    orr_loss_spec s = { .width = density ? 1 : 2, .pos_weight = 1 };

    if (k->output_type == ORR_OUTPUT_CLASSES) s.n_classes = k->max_classes ? k->max_classes : 4;
    if (density) s.bins = (orr_bins){ 9, -2, 2 };
    s.output = (orr_shape){ 1, 1, k->outputs(&s) };
    assert_int_equal(orr_loss_init_kind(l, k, &s), ORR_OK);
    assert_true(l->outputs <= MAX_OUT);
}

typedef struct numbers {
    orr_real x[N_SAMPLES * MAX_OUT];
    int32_t labels[N_SAMPLES];
    float values[N_SAMPLES * MAX_OUT];
    double sums[3], each[N_SAMPLES];
    orr_real dx[N_SAMPLES * MAX_OUT];
} numbers;

static void fill(numbers *t, const orr_loss *l)
{
    for (int i = 0; i < N_SAMPLES * MAX_OUT; i++) {
        t->x[i] = (orr_real)sin(1 + 0.37 * i);
        t->values[i] = (float)cos(2 + 0.61 * i);
    }
    for (int i = 0; i < N_SAMPLES; i++)
        t->labels[i] = orr_loss_n_classes(l) ? i % orr_loss_n_classes(l) : 0;
}

static const int five[4] = { 0, 2, 2, N_SAMPLES }, whole[2] = { 0, 3 };
static const orr_batch of_five = {
    .n = N_SAMPLES, .n_leaves = 3, .leaf = five, .n_segments = 1, .segment = whole, .n_global = 7
};

/* The last sample alone gives the bits that it gives beside others, even NaN. */
static void alone_and_beside(const orr_loss *l)
{
    static const int all[2] = { 0, 1 };
    const orr_batch one_sample = { .n = 1, .n_leaves = 1, .leaf = all, .n_global = 7 };
    size_t c = (size_t)l->outputs, width = (size_t)orr_loss_target_width(l), last = N_SAMPLES - 1;
    numbers t;
    orr_real dx[MAX_OUT];
    double sum, each;

    fill(&t, l);
    t.x[0] = (orr_real)NAN;
    orr_loss_eval(l, &of_five, t.x, t.labels, t.values, t.sums, t.each, t.dx);
    orr_loss_eval(l, &one_sample, t.x + last * c, t.labels + last, t.values + last * width, &sum,
                  &each, dx);
    assert_true(isnan(t.sums[0]) && t.sums[1] == 0 && isfinite(t.sums[2]));
    assert_true(each == t.each[last]);
    assert_memory_equal(dx, t.dx + last * c, c * sizeof *dx);
}

/* A target that is none gives NaN in the loss and in each derivative. */
static void bad_target(const orr_loss *l)
{
    numbers t;

    if (orr_loss_output_type(l) == ORR_OUTPUT_VALUES) return;
    fill(&t, l);
    t.labels[0] = orr_loss_n_classes(l);
    t.labels[1] = -1;
    t.values[0] = 2.5f;
    t.values[1] = (float)NAN;
    orr_loss_eval(l, &of_five, t.x, t.labels, t.values, t.sums, t.each, t.dx);
    assert_true(isnan(t.each[0]) && isnan(t.each[1]) && isfinite(t.each[2]));
    for (int j = 0; j < 2 * l->outputs; j++)
        assert_true(isnan(t.dx[j]));
}

/* Every back end's operation gives what orr_loss_eval gives, losses, counts and gradient. */
static void on_back_end(const orr_loss *l, const char *name)
{
    size_t n = (size_t)N_SAMPLES * (size_t)l->outputs;
    orr_limits limits = { .max_samples = N_SAMPLES, .max_leaves = 3, .max_segments = 1 };
    orr_backend *be;
    orr_graph *g;
    orr_net *net;
    orr_objective *o;
    numbers t;
    double sums[3], right[3], each[N_SAMPLES];
    orr_real dx[N_SAMPLES * MAX_OUT], *y;
    const orr_real *dy;
    int32_t *labels = orr_loss_n_classes(l) ? t.labels : NULL;

    if (orr_backend_create(&be, name) != ORR_OK) return; /* not on this processor */
    assert_int_equal(orr_graph_parse_text(&g, one, 0, "layers: [linear: {units: 1}]"), ORR_OK);
    assert_int_equal(orr_net_create(&net, g, be, &limits), ORR_OK);
    assert_int_equal(orr_objective_create(&o, net, l, N_SAMPLES, 3), ORR_OK);
    fill(&t, l);
    orr_loss_eval(l, &of_five, t.x, t.labels, t.values, t.sums, t.each, t.dx);
    y = be->ops->alloc(be, n * sizeof *y);
    be->ops->upload(be, y, t.x, n * sizeof *y);
    assert_int_equal(
        orr_objective_eval(o, &of_five, y, labels, labels ? NULL : t.values, sums, right, &dy),
        ORR_OK);
    be->ops->download(be, dx, dy, n * sizeof *dx);
    assert_int_equal(be->ops->synchronise(be), ORR_OK);
    assert_int_equal(orr_objective_samples(o, N_SAMPLES, each), ORR_OK);
    assert_memory_equal(sums, t.sums, sizeof sums);
    assert_memory_equal(each, t.each, sizeof each);
    assert_memory_equal(dx, t.dx, n * sizeof *dx);
    if (labels)
        assert_true(right[0] + right[1] + right[2] ==
                    orr_loss_count_correct(l, N_SAMPLES, t.x, labels));
    be->ops->free(be, y);
    orr_objective_destroy(o);
    orr_net_destroy(net);
    orr_graph_destroy(g);
    orr_backend_destroy(be);
}

static void check_row(const orr_loss_kind *k)
{
    orr_loss l;
    orr_text options = ORR_TEXT_INIT;

    init_row(&l, k);
    assert_true(k->help[0] && k->sample && k->link && k->outputs);
    alone_and_beside(&l);
    bad_target(&l);
    for (int i = 0; orr_backend_name(i); i++)
        on_back_end(&l, orr_backend_name(i));
    assert_int_equal(orr_loss_dump_options(&l, &options), ORR_OK);
    assert_string_equal(options.s, "{}"); /* defaults are not written */
    orr_text_free(&options);
}

/* A row that no list has, with options of its own that it works out of the data. */
typedef struct focal_opts {
    double gamma;
    orr_reals weights;
} focal_opts;

static const orr_option focal_options[] = {
    ORR_OPTION_REAL(focal_opts, gamma, "2", 0, 10, "how little sure answers count"),
    ORR_OPTION_REALS(focal_opts, weights, "[]", 0, 1e9, "of the classes"),
    ORR_OPTION_END,
};

static orr_status focal_check(const orr_loss *l, const orr_loss_spec *s)
{
    const focal_opts *o = (const focal_opts *)l->opts.bytes;

    if (o->weights.n && o->weights.n != s->n_classes)
        return orr_fail(ORR_ERR_OPTION, "weights: %d for %d classes", o->weights.n, s->n_classes);
    return ORR_OK;
}

static orr_status focal_fit(orr_loss *l, const int64_t *counts)
{
    focal_opts *o = (focal_opts *)l->opts.bytes;

    for (int i = o->weights.n; i < l->outputs; i++)
        o->weights.v[o->weights.n++] = 1 / (double)counts[i];
    return ORR_OK;
}

static double focal_sample(const orr_loss *l, const orr_real *x, const orr_target *t,
                           double n_global, orr_real *dx)
{
    const focal_opts *o = (const focal_opts *)l->opts.bytes;
    double p[MAX_OUT], g[MAX_OUT] = { 0 }, q, w;
    int k = t->label;

    if (k < 0 || k >= l->outputs) return orr_loss_outside(l->outputs, dx);
    orr_softmax(x, l->outputs, p);
    q = 1 - p[k];
    w = o->weights.v[k];
    g[k] = w * (o->gamma * pow(q, o->gamma - 1) * log(p[k]) - pow(q, o->gamma) / p[k]);
    if (dx) orr_through_softmax(p, g, l->outputs, n_global, dx);
    return -w * pow(q, o->gamma) * log(p[k]);
}

static const orr_loss_kind focal = { .name = "focal",
                                     .help = "of a test",
                                     .output_type = ORR_OUTPUT_CLASSES,
                                     .needs = ORR_NEEDS_LOGITS,
                                     .options = focal_options,
                                     .opts_bytes = sizeof(focal_opts),
                                     .outputs = orr_loss_output_a_class,
                                     .check = focal_check,
                                     .fit = focal_fit,
                                     .sample = focal_sample,
                                     .link = orr_loss_link_softmax };

static void test_a_row_of_ones_own(void **state)
{
    (void)state;
    orr_loss l, again;
    orr_loss_spec s = { .output = three, .n_classes = 3, .pos_weight = 1 };
    orr_text text = ORR_TEXT_INIT;
    orr_config *config;
    numbers t;
    double sums[3];

    assert_int_equal(orr_config_parse(&config, "{gamma: 1.5, weights: [1, 2, 4]}", "x"), ORR_OK);
    s.options = orr_config_root(config);
    assert_int_equal(orr_loss_init_kind(&l, &focal, &s), ORR_OK);
    orr_config_destroy(config); /* a loss keeps nothing of it */
    alone_and_beside(&l);
    bad_target(&l);
    on_back_end(&l, "fenced");
    /* what a model file would hold gives the same loss */
    assert_int_equal(orr_loss_dump_options(&l, &text), ORR_OK);
    assert_string_equal(text.s, "{gamma: 1.5, weights: [1, 2, 4]}");
    assert_int_equal(orr_config_parse(&config, text.s, "x"), ORR_OK);
    s.options = orr_config_root(config);
    assert_int_equal(orr_loss_init_kind(&again, &focal, &s), ORR_OK);
    orr_config_destroy(config);
    orr_text_free(&text);
    fill(&t, &l);
    orr_loss_eval(&l, &of_five, t.x, t.labels, NULL, t.sums, t.each, NULL);
    orr_loss_eval(&again, &of_five, t.x, t.labels, NULL, sums, NULL, NULL);
    assert_memory_equal(sums, t.sums, sizeof sums);
    s.options = NULL; /* learned, and then written like options that were given */
    assert_int_equal(orr_loss_init_kind(&l, &focal, &s), ORR_OK);
    assert_int_equal(orr_loss_fit(&l, (const int64_t[]){ 1, 2, 4 }), ORR_OK);
    assert_int_equal(orr_loss_dump_options(&l, &text), ORR_OK);
    assert_string_equal(text.s, "{weights: [1, 0.5, 0.25]}");
    orr_text_free(&text);
    s.n_classes = 4, s.output.c = 4;
    assert_int_equal(orr_config_parse(&config, "{weights: [1, 2, 4]}", "x"), ORR_OK);
    s.options = orr_config_root(config);
    assert_int_equal(orr_loss_init_kind(&l, &focal, &s), ORR_ERR_OPTION);
    orr_config_destroy(config);
}

static void test_every_row(void **state)
{
    (void)state;
    int n;
    const orr_loss_kind *const *kinds = orr_loss_kinds(&n);
    orr_kind_help help;

    for (int i = 0; i < n; i++) {
        check_row(kinds[i]);
        assert_true(orr_loss_kind_help(i, &help) && !strcmp(help.name, kinds[i]->name));
    }
    assert_false(orr_loss_kind_help(n, &help));
}

/* ---- nets that end in bounds ---- */
static orr_status check_end(const char *loss, const char *layers, orr_text *remark)
{
    orr_graph *g;
    orr_loss l;
    orr_loss_spec s = { .name = loss, .pos_weight = 1, .width = 3 };
    int density = !strcmp(loss, "crps");
    orr_status st;

    orr_text_free(remark);
    if (orr_graph_parse_text(&g, (orr_shape){ 1, 4, 2 }, 0, layers) != ORR_OK)
        fail_msg("%s: %s", layers, orr_error_text());
    s.output = orr_graph_output(g);
    if (strcmp(loss, "mse") != 0 && !density) s.n_classes = s.output.c == 1 ? 2 : s.output.c;
    if (density) s.width = 1, s.bins = (orr_bins){ s.output.c, 0, 1 };
    if (orr_loss_init(&l, &s) != ORR_OK) fail_msg("%s: %s", layers, orr_error_text());
    st = orr_loss_check_net(&l, g, remark);
    orr_graph_destroy(g);
    return st;
}

static void test_bounded_ends(void **state)
{
    (void)state;
    static const struct {
        const char *loss, *layers;
        const char *refused; /* name of the layer */
        const char *remarked;
    } cases[] = {
        { "bce", "flatten, linear: {units: 1}", 0, 0 },
        { "bce", "flatten, linear: {units: 1}, sigmoid", "layer sigmoid1 (sigmoid)", 0 },
        { "bce", "flatten, linear: {units: 1, name: a}, tanh: {name: t}", "layer t (tanh)", 0 },
        { "ce", "flatten, linear: {units: 3}, softmax", "layer softmax1", 0 },
        { "crps", "flatten, linear: {units: 3}, softmax", "layer softmax1", 0 },
        { "ce", "conv1d: {filters: 3, size: 4}, softmax, flatten", "softmax1", 0 },
        { "ce", "flatten, linear: {units: 3}, softmax, dropout: {rate: 0.5}", "softmax1", 0 },
        { "ce", "conv1d: {filters: 3, size: 1}, sigmoid, global_avg_pool, flatten", "sigmoid1", 0 },
        { "ce", "conv1d: {filters: 3, size: 1}, sigmoid, max_pool1d: {size: 4}", "sigmoid1", 0 },
        { "ce", "flatten, linear: {units: 3}, sigmoid, relu, elu", "layer sigmoid1", 0 },
        { "ce",
          "flatten: {name: f}, linear: {units: 2, name: a}, sigmoid: {name: s}, linear: {units: 1, "
          "input: f, name: b}, concat: {inputs: [s, b]}",
          "layer s (sigmoid)", 0 },
        { "ce",
          "flatten: {name: f}, linear: {units: 2, name: a}, sigmoid: {name: s}, tanh: {input: a, "
          "name: t}, add: {inputs: [s, t], name: both}",
          "layer both (add) keeps the net's outputs within -1 to 2", 0 },
        { "ce",
          "flatten: {name: f}, linear: {units: 2, name: a}, sigmoid: {name: s}, add: {inputs: [s, "
          "a]}",
          0, 0 },
        { "ce", "flatten, sigmoid, linear: {units: 3}", 0, 0 },
        { "ce", "flatten, linear: {units: 3}, sigmoid, batch_norm", 0, 0 },
        { "ce", "flatten, linear: {units: 3}, leaky_relu", 0, 0 },
        { "ce", "flatten, linear: {units: 3}, leaky_relu: {slope: 0}", 0, "from 0 up" },
        { "ce", "flatten, linear: {units: 3}, prelu", 0, 0 },
        { "ce", "flatten, linear: {units: 3}, relu", 0, "layer relu1 (relu)" },
        { "bce", "flatten, linear: {units: 1}, elu: {alpha: 3}", 0, "from -3 up" },
        { "crps", "flatten, linear: {units: 3}, silu", 0, "from -0.2785 up" },
        { "mse", "flatten, linear: {units: 3}, sigmoid", 0, 0 },
        { "mse", "flatten, linear: {units: 3}, relu", 0, 0 },
        { "bce", "flatten, linear: {units: 1}, softmax",
          "softmax1 (softmax) keeps the net's outputs "
          "at 1",
          0 },
        { "mse", "conv1d: {filters: 1, size: 2}, softmax, flatten", "at 1, whatever", 0 },
    };
    orr_text remark = ORR_TEXT_INIT;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[512];
        snprintf(text, sizeof text, "layers: [%s]", cases[i].layers);
        orr_status st = check_end(cases[i].loss, text, &remark);
        if (st != (cases[i].refused ? ORR_ERR_OPTION : ORR_OK)) fail_msg("%s", cases[i].layers);
        if (cases[i].refused && !strstr(orr_error_text(), cases[i].refused))
            fail_msg("%s: %s", cases[i].layers, orr_error_text());
        if (!cases[i].remarked ? remark.len > 0 : !strstr(remark.s, cases[i].remarked))
            fail_msg("%s: %s", cases[i].layers, remark.s ? remark.s : "");
    }
    orr_text_free(&remark);
}

/* A loss that takes numbers above zero. */
static void test_positive_ends(void **state)
{
    (void)state;
    orr_loss_kind poisson = { .name = "poisson",
                              .output_type = ORR_OUTPUT_VALUES,
                              .needs = ORR_NEEDS_POSITIVE,
                              .outputs = orr_loss_output_a_target };
    const char *ends[] = { "linear: {units: 1}", "linear: {units: 1}, relu",
                           "linear: {units: 1}, elu" };
    orr_text remark = ORR_TEXT_INIT;

    for (int i = 0; i < 3; i++) {
        char text[128];
        orr_graph *g;
        orr_loss l;
        snprintf(text, sizeof text, "layers: [%s]", ends[i]);
        assert_int_equal(orr_graph_parse_text(&g, one, 0, text), ORR_OK);
        assert_int_equal(
            orr_loss_init_kind(&l, &poisson,
                               &(orr_loss_spec){ .output = one, .width = 1, .pos_weight = 1 }),
            ORR_OK);
        assert_int_equal(orr_loss_check_net(&l, g, &remark), i == 1 ? ORR_OK : ORR_ERR_OPTION);
        orr_graph_destroy(g);
    }
    orr_text_free(&remark);
}

/* The program's own models end in logits. */
static void test_models_end_in_logits(void **state)
{
    (void)state;
    int n;
    const char *const *models = orr_model_names(&n);
    orr_text remark = ORR_TEXT_INIT;

    for (int i = 0; i < n; i++) {
        int series = !strncmp(models[i], "kepler", 6), moons = !strcmp(models[i], "moons");
        orr_shape in = series  ? (orr_shape){ 1, 3197, 1 }
                       : moons ? (orr_shape){ 1, 1, 2 }
                               : (orr_shape){ 64, 64, 5 };
        orr_graph *g;
        orr_loss l;
        if (orr_model_build(&g, models[i], in, strcmp(models[i], "pasquet") ? 3 : 1, 0) != ORR_OK)
            fail_msg("%s: %s", models[i], orr_error_text());
        int c = orr_graph_output(g).c;
        assert_int_equal(init(&l, "auto", orr_graph_output(g), c == 1 ? 2 : c, 0, 1), ORR_OK);
        assert_int_equal(orr_loss_check_net(&l, g, &remark), ORR_OK);
        assert_true(remark.len == 0);
        orr_graph_destroy(g);
    }
    orr_text_free(&remark);
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
        cmocka_unit_test(test_every_row),
        cmocka_unit_test(test_a_row_of_ones_own),
        cmocka_unit_test(test_bounded_ends),
        cmocka_unit_test(test_positive_ends),
        cmocka_unit_test(test_models_end_in_logits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
