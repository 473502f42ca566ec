/* tests/nn/test_layers_values.c - what options mean, on numbers small enough to work out by hand:
 * which end padding goes to, what an average divides by, in which order elements come. */
#include "nn_cases.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define OK(expr)                                                                                   \
    do {                                                                                           \
        if ((expr) != ORR_OK) fail_msg("%s: %s", #expr, orr_error_text());                         \
    } while (0)

/* One sample of 1, 2, 3, ... times sign through the net, every parameter 10^its place in PyTorch's
 * order; every table. */
static void expect_with(const char *table, orr_shape input, const char *layers, double sign, int n,
                        const double *wanted)
{
    const nn_case c = { .input = input, .layers = layers };
    const int leaf[] = { 0, 1 }, segment[] = { 0, 1 };
    const orr_batch b = {
        .n = 1, .n_leaves = 1, .leaf = leaf, .n_segments = 1, .segment = segment, .n_global = 1
    };
    orr_backend *be;
    orr_graph *g;
    orr_net *net;
    orr_net_tensor t;
    const orr_real *there;
    orr_real x[256], file[256], y[256];

    assert_non_null(be = nn_backend(table));
    OK(nn_case_graph(&g, &c));
    OK(nn_case_net(&net, g, be, 0));
    for (int i = 0; i < orr_net_n_tensors(net); i++) {
        orr_net_tensor_info(net, i, &t);
        for (size_t j = 0; j < t.count; j++)
            file[j] = strstr(t.name, ".weight") ? (orr_real)pow(10, (double)j) : 0;
        OK(orr_net_write_tensor(net, i, file));
    }
    for (int i = 0; i < 256; i++)
        x[i] = (orr_real)(sign * (i + 1));
    OK(orr_net_forward(net, &b, x, NULL, 0, &there));
    OK(orr_net_output(net, y));
    assert_int_equal(orr_shape_count(orr_graph_output(g)), n);
    for (int i = 0; i < n; i++)
        if (!(fabs((double)y[i] - wanted[i]) <= 1e-6 * fabs(wanted[i])))
            fail_msg("%s by %s: output %d is %.9g, not %.9g", layers, table, i, (double)y[i],
                     wanted[i]);
    orr_net_destroy(net);
    orr_graph_destroy(g);
}

static void expect(orr_shape input, const char *layers, double sign, int n, const double *wanted)
{
    expect_with("check", input, layers, sign, n, wanted);
#ifndef ORR_NO_CPU_KERNELS
    expect_with("cpu", input, layers, sign, n, wanted);
#endif
}
#define EXPECT(IN, LAYERS, SIGN, ...)                                                              \
    expect((orr_shape)IN, LAYERS, SIGN, (int)(sizeof((double[])__VA_ARGS__) / sizeof(double)),     \
           (const double[])__VA_ARGS__)
#define S(...)                                                                                     \
    {                                                                                              \
        __VA_ARGS__                                                                                \
    }

static void convolutions(void **state)
{
    (void)state;
    EXPECT(S(1, 3, 1), " - conv1d: {filters: 1, size: 2}\n", 1, { 21, 32 });
    /* same with four taps: one zero before, two after */
    EXPECT(S(1, 3, 1), " - conv1d: {filters: 1, size: 4, padding: same}\n", 1, { 3210, 321, 32 });
    /* stride 2 over 4: two outputs, one zero in all, after (torch's padding 1 would start one
     * earlier) */
    EXPECT(S(1, 4, 1), " - conv1d: {filters: 1, size: 3, stride: 2, padding: same}\n", 1,
           { 321, 43 });
    EXPECT(S(1, 4, 1), " - conv1d: {filters: 1, size: 3, stride: 2, padding: 1}\n", 1,
           { 210, 432 });
    EXPECT(S(1, 4, 1), " - conv1d: {filters: 1, size: 2, dilation: 2}\n", 1, { 31, 42 });
    /* two channels side by side in memory; the file has channel 0's taps first */
    EXPECT(S(1, 2, 2), " - conv1d: {filters: 1, size: 2}\n", 1, { 1 + 30 + 200 + 4000 });
    /* groups: filter 0 sees channel 0 alone, and its weights come first */
    EXPECT(S(1, 2, 2), " - conv1d: {filters: 2, size: 2, groups: 2}\n", 1, { 31, 4200 });
    /* [rows, columns]: one row of zeros above and below, none beside */
    EXPECT(S(1, 2, 1), " - conv2d: {filters: 1, size: [3, 1], padding: [1, 0]}\n", 1, { 10, 20 });
    EXPECT(S(2, 2, 1), " - conv2d: {filters: 1, size: [1, 2], stride: [2, 1], padding: [0, 1]}\n",
           1, { 10, 21, 2 });
}

static void poolings(void **state)
{
    (void)state;
    EXPECT(S(1, 5, 1), " - max_pool1d: {size: 2}\n", 1, { 2, 4 });
    /* padding is no number: it never wins over negative ones */
    EXPECT(S(1, 3, 1), " - max_pool1d: {size: 3, stride: 1, padding: 1}\n", -1, { -1, -1, -2 });
    EXPECT(S(1, 4, 1), " - avg_pool1d: {size: 2, padding: 1}\n", 1, { 0.5, 2.5, 2 });
    EXPECT(S(1, 4, 1), " - avg_pool1d: {size: 2, padding: 1, count_include_pad: false}\n", 1,
           { 1, 2.5, 4 });
    /* same: padded after, and left out of the mean */
    EXPECT(S(1, 3, 1), " - avg_pool1d: {size: 2, stride: 1, padding: same}\n", 1, { 1.5, 2.5, 3 });
    EXPECT(S(2, 2, 1), " - avg_pool2d: {size: 2, stride: 1, padding: same}\n", 1,
           { 2.5, 3, 3.5, 4 });
    EXPECT(S(2, 3, 1), " - max_pool2d: {size: [2, 1]}\n", 1, { 4, 5, 6 });
    EXPECT(S(2, 2, 2), " - global_avg_pool\n", 1, { 4, 5 });
}

static void orders(void **state)
{
    (void)state;
    EXPECT(S(2, 2, 2), " - flatten\n", 1, { 1, 3, 5, 7, 2, 4, 6, 8 });
    EXPECT(S(2, 2, 2), " - flatten: {order: last}\n", 1, { 1, 2, 3, 4, 5, 6, 7, 8 });
    EXPECT(S(1, 2, 2), " - max_pool1d: {size: 1, name: a}\n - concat: {inputs: [a, input]}\n", 1,
           { 1, 2, 1, 2, 3, 4, 3, 4 });
    EXPECT(S(1, 1, 2), " - linear: {units: 2}\n", 1, { 21, 2100 });
}

static void activations(void **state)
{
    (void)state;
    EXPECT(S(1, 1, 2), " - relu\n", -1, { 0, 0 });
    EXPECT(S(1, 1, 2), " - leaky_relu\n", -1, { -0.01, -0.02 });
    EXPECT(S(1, 1, 2), " - prelu\n", -1, { -1, -2 });
    EXPECT(S(1, 1, 2), " - prelu: {per_channel: true}\n", -1, { -1, -20 });
    EXPECT(S(1, 1, 2), " - elu: {alpha: 2}\n", -1, { 2 * (exp(-1) - 1), 2 * (exp(-2) - 1) });
    EXPECT(S(1, 1, 2), " - silu\n", 1, { 1 / (1 + exp(-1)), 2 / (1 + exp(-2)) });
    EXPECT(S(1, 1, 2), " - sigmoid\n", 1, { 1 / (1 + exp(-1)), 1 / (1 + exp(-2)) });
    EXPECT(S(1, 1, 2), " - tanh\n", 1, { tanh(1), tanh(2) });
    EXPECT(S(1, 2, 2), " - softmax\n", 1,
           { 1 / (1 + exp(1)), 1 / (1 + exp(-1)), 1 / (1 + exp(1)), 1 / (1 + exp(-1)) });
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(convolutions),
        cmocka_unit_test(poolings),
        cmocka_unit_test(orders),
        cmocka_unit_test(activations),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
