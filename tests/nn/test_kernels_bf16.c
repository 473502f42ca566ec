/* tests/nn/test_kernels_bf16.c - the table cpu-bf16: rounding, convolutions against the oracle on
 * rounded inputs, the same bits however a batch is cut, a net that trains as in fp32, and the
 * processor that cannot. */
#include "kernel_cases.h"

#include "core/leaves.h"
#include "core/memory.h"
#include "core/rng.h"
#include "nn/graph.h"
#include "nn/kernels/cpu/bf16.h"
#include "nn/loss.h"
#include "nn/net.h"
#include "nn/optimiser.h"

#include <math.h>
#include <omp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* The linker sends the kernels' question here. */
int __real_orr_bf16_supported(void);
int __wrap_orr_bf16_supported(void);
static int hide_bf16;

int __wrap_orr_bf16_supported(void)
{
    return !hide_bf16 && __real_orr_bf16_supported();
}

static int skipped(void)
{
    if (__real_orr_bf16_supported()) return 0;
    print_message("this processor multiplies no bf16: not tested\n");
    return 1;
}

static float from_bits(uint32_t u)
{
    float x;

    memcpy(&x, &u, sizeof x);
    return x;
}

static void test_round(void **state)
{
    /* x, what it becomes: half up and half down to even, the carry into the exponent, beyond the
     * largest number, a denormal, infinity, a NaN whose upper half would be infinity */
    static const uint32_t cases[][2] = {
        { 0x3f800000, 0x3f80 }, { 0x3f808000, 0x3f80 }, { 0x3f808001, 0x3f81 },
        { 0x3f818000, 0x3f82 }, { 0x3f817fff, 0x3f81 }, { 0x3fffffff, 0x4000 },
        { 0xbf818000, 0xbf82 }, { 0x7f7fffff, 0x7f80 }, { 0x00018000, 0x0002 },
        { 0x80000000, 0x8000 }, { 0x7f800000, 0x7f80 }, { 0xff800000, 0xff80 },
        { 0x7f800001, 0x7fc0 }, { 0xffc12345, 0xffc1 },
    };
    enum { N = sizeof cases / sizeof *cases, TIMES = 5 };
    float x[N * TIMES];
    uint16_t y[N * TIMES];

    (void)state;
    for (int i = 0; i < N * TIMES; i++) /* in every place of a vector, and beyond the last one */
        x[i] = from_bits(cases[i % N][0]);
    orr_bf16_round(N * TIMES, x, y);
    for (int i = 0; i < N * TIMES; i++)
        assert_int_equal(y[i], cases[i % N][1]);
}

static void test_refused(void **state)
{
    orr_backend *be = &cpu_backend;

    (void)state;
    hide_bf16 = 1;
    orr_status st = orr_backend_create(&be, "cpu-bf16");
    hide_bf16 = 0;
    assert_int_equal(st, ORR_ERR_UNSUPPORTED);
    assert_null(be);
    assert_non_null(strstr(orr_error_text(), "neither AVX512-BF16 nor AMX"));
    assert_int_equal(orr_backend_create(&be, "cpu-bf17"), ORR_ERR_OPTION);
    assert_non_null(strstr(orr_error_text(), "cpu-bf16"));
    if (skipped()) {
        assert_int_equal(orr_backend_create(&be, "cpu-bf16"), ORR_ERR_UNSUPPORTED);
        return;
    }
    assert_int_equal(orr_backend_create(&be, "cpu-bf16"), ORR_OK);
    assert_string_equal(be->ops->name, "cpu-bf16");
    orr_backend_destroy(be);
}

static float *rounded(size_t n, const float *x)
{
    float *y = floats(n, 0);
    uint16_t *half = orr_alloc(n, sizeof *half);

    assert_non_null(half);
    orr_bf16_round(n, x, half);
    for (size_t i = 0; i < n; i++)
        y[i] = from_bits((uint32_t)half[i] << 16);
    orr_free(half);
    return y;
}

static int close_to(size_t n, const float *got, const float *want, double tol)
{
    for (size_t i = 0; i < n; i++)
        if (!(fabs((double)got[i] - (double)want[i]) <= tol)) return 0;
    return 1;
}

/* Products of rounded numbers are exact in fp32, so that sums of them have no more room than the
 * fp32 kernels'.  The gradient of the bias sums dy as it is. */
static int exercise_bf16(const char *name, const weighted *l, const double tol[3])
{
    orr_backend *be = &bf16_backend;
    inputs in = { floats(MAX_SAMPLES * l->n_x, 1), floats(l->n_w, 2), floats(l->n_b, 3),
                  floats(MAX_SAMPLES * l->n_y, 4) };
    inputs half = { rounded(MAX_SAMPLES * l->n_x, in.x), rounded(l->n_w, in.w), in.bias,
                    rounded(MAX_SAMPLES * l->n_y, in.dy) };
    int is_half = 0;

    for (int i = 0; i < N_BATCHES; i++) {
        batch_memory m;
        const orr_batch *b = make_batch(&m, &batches[i]);
        result plain = new_result(l), want = new_result(l), one = new_result(l),
               two = new_result(l);
        run_layer(&check_backend, l, b, &in, 1, &plain);
        run_layer(&check_backend, l, b, &half, 1, &want);
        omp_set_num_threads(1);
        run_layer(be, l, b, &in, 1, &one);
        is_half = !close_to(b->n * l->n_y, one.y, plain.y, tol[0]);
        for (int r = 0; r < b->n_segments; r++)
            memcpy(want.db[r], plain.db[r], l->n_b * sizeof(float));
        compare(name, l, b, &one, is_half ? &want : &plain, tol);
        omp_set_num_threads(2);
        run_layer(be, l, b, &in, 1, &two);
        identical(name, l, b, &two, &one);
        check_leaves(be, name, l, b, &in, &one);
        free_result(&plain);
        free_result(&want);
        free_result(&one);
        free_result(&two);
    }
    inputs *all[] = { &in, &half };
    for (int i = 0; i < 2; i++) {
        orr_free(all[i]->x);
        orr_free(all[i]->w);
        orr_free(all[i]->dy);
    }
    orr_free(in.bias);
    return is_half;
}

static void test_conv(void **state)
{
    int n_half = 0, n_plain = 0;

    (void)state;
    if (skipped()) return;
    for (int i = 0; i < n_conv_cases; i++) {
        orr_conv_shape s = shape_of(&conv_cases[i]);
        const weighted l = weighted_of(&s);
        char name[96];
        double tol[3];
        if (!conv_case_runs(&s)) continue;
        conv_text(&s, name, sizeof name);
        conv_room(&s, tol);
        const int is_half = exercise_bf16(name, &l, tol);
        if (s.groups > 1 || s.c == 1) assert_false(is_half);
        n_half += is_half;
        n_plain += !is_half;
        /* what the nets for images are made of */
        if (s.groups == 1 && s.c >= 5 && s.stride_h == 1 && s.dilation_h == 1 && s.h > 1)
            assert_true(is_half);
    }
    print_message("%d of %d shapes in bf16, the rest in fp32\n", n_half, n_half + n_plain);
    assert_true(n_half >= 10);
}

static void test_plan_fails_cleanly(void **state)
{
    orr_conv_shape s = { 8, 8, 16, 16, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1, 8, 8 };
    void *plan = &s;
    int n = 1;

    (void)state;
    if (skipped()) return;
    for (;; n++) {
        orr_alloc_fail_at(n);
        orr_status st = bf16_backend.ops->conv_plan(&bf16_backend, &plan, &s, &limits);
        orr_alloc_fail_at(0);
        if (st == ORR_OK) break;
        assert_int_equal(st, ORR_ERR_NOMEM);
        assert_null(plan);
        assert_true(n < 500);
    }
    assert_true(n > 10);
    bf16_backend.ops->conv_unplan(&bf16_backend, plan);
}

/* ---- training: which corner holds the blob? ---- */
enum { SIDE = 12, CHANNELS = 3, PER_SAMPLE = SIDE * SIDE * CHANNELS, CLASSES = 4, BATCH = 16 };
static const char net_text[] = "layers:\n"
                               "  - conv2d: {filters: 16, size: 3, padding: same}\n"
                               "  - relu\n"
                               "  - avg_pool2d: {size: 2}\n"
                               "  - conv2d: {filters: 32, size: 3, padding: same}\n"
                               "  - leaky_relu: {slope: 0.3}\n"
                               "  - avg_pool2d: {size: 2}\n"
                               "  - flatten\n"
                               "  - linear: {units: 4}\n";

static void make_batch_of_blobs(uint64_t step, float *x, int32_t *labels)
{
    orr_rng r = orr_rng_stream(orr_rng_key(3, ORR_RNG_TEST, step, 0, 0));

    for (int i = 0; i < BATCH * PER_SAMPLE; i++)
        x[i] = (float)orr_rng_normal(&r);
    for (int i = 0; i < BATCH; i++) {
        labels[i] = (int32_t)(orr_rng_u32(&r) % CLASSES);
        const int top = labels[i] / 2 * SIDE / 2 + 2, left = labels[i] % 2 * SIDE / 2 + 2;
        for (int h = top; h < top + 2; h++)
            for (int w = left; w < left + 2; w++)
                x[i * PER_SAMPLE + (h * SIDE + w) * CHANNELS + 1] += 2.0f;
    }
}

/* Mean loss of the last 20 of 120 steps. */
static double train(const char *table, uint64_t seed)
{
    enum { STEPS = 120, LAST = 20 };
    static const int leaf[] = { 0, 4, 8, 12, 16 }, segment[] = { 0, 4 }, size = 4;
    const orr_batch b = { .n = BATCH,
                          .n_leaves = 4,
                          .leaf = leaf,
                          .n_segments = 1,
                          .segment = segment,
                          .n_global = BATCH };
    const orr_limits small = { .max_samples = BATCH,
                               .max_leaves = 4,
                               .max_segments = 1,
                               .n_leaf_sizes = 1,
                               .leaf_sizes = &size,
                               .training = 1 };
    const orr_optimiser_opts adam = {
        .kind = "adam", .beta1 = 0.9, .beta2 = 0.999, .epsilon = 1e-8, .epsilon_form = "torch"
    };
    float x[BATCH * PER_SAMPLE], dy[BATCH * CLASSES];
    int32_t labels[BATCH];
    double sums[4], mean = 0;
    orr_backend *be;
    const float *y;
    orr_graph *g;
    orr_net *net;
    orr_optimiser *o;
    orr_loss loss;

    assert_int_equal(orr_backend_create(&be, table), ORR_OK);
    assert_int_equal(orr_graph_parse_text(&g, (orr_shape){ SIDE, SIDE, CHANNELS }, 0, net_text),
                     ORR_OK);
    assert_int_equal(orr_net_create(&net, g, be, &small), ORR_OK);
    assert_int_equal(orr_net_init(net, seed), ORR_OK);
    assert_int_equal(orr_loss_init(&loss, &(orr_loss_spec){ .name = "ce",
                                                            .output = orr_graph_output(g),
                                                            .n_classes = CLASSES,
                                                            .pos_weight = 1 }),
                     ORR_OK);
    assert_int_equal(orr_optimiser_create(&o, be, &adam, orr_net_param_count(net)), ORR_OK);
    for (int s = 0; s < STEPS; s++) {
        make_batch_of_blobs((uint64_t)s, x, labels);
        assert_int_equal(orr_net_forward(net, &b, x, NULL, 1, &y), ORR_OK);
        orr_loss_eval(&loss, &b, y, labels, NULL, sums, NULL, dy);
        assert_int_equal(orr_net_backward(net, &b, dy), ORR_OK);
        orr_optimiser_step(o, orr_net_params(net), orr_net_grads(net, 0), 3e-3, 1.0);
        for (int l = 0; s >= STEPS - LAST && l < 4; l++)
            mean += sums[l] / (BATCH * LAST);
    }
    orr_optimiser_destroy(o);
    orr_net_destroy(net);
    orr_backend_destroy(be);
    orr_graph_destroy(g);
    return mean;
}

/* Noise: how far trainings in fp32 that differ by their start alone lie apart. */
static void test_training(void **state)
{
    enum { SEEDS = 4 };
    double low = 1e9, high = 0, full = 0, half = 0;

    (void)state;
    if (skipped()) return;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        const double loss = train("cpu", seed);
        low = loss < low ? loss : low;
        high = loss > high ? loss : high;
        full += loss / SEEDS;
        half += train("cpu-bf16", seed) / SEEDS;
    }
    print_message("loss of the last steps: fp32 %.4f (%.4f to %.4f), bf16 %.4f\n", full, low, high,
                  half);
    assert_true(full < 0.5); /* log 4 = 1.386 at the start */
    assert_true(fabs(half - full) < high - low);
    assert_true(half != full);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round),    cmocka_unit_test(test_refused),
        cmocka_unit_test(test_conv),     cmocka_unit_test(test_plan_fails_cleanly),
        cmocka_unit_test(test_training),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
