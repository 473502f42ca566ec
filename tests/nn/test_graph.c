/* tests/nn/test_graph.c - the language of layers: what it means, what comes back, and what is
 * refused with which words. */
#include "core/memory.h"
#include "nn/graph.h"
#include "nn/layer.h"
#include "nn/layers/opts_private.h"
#include "nn_cases.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define OK(expr)                                                                                   \
    do {                                                                                           \
        if ((expr) != ORR_OK) fail_msg("%s: %s", #expr, orr_error_text());                         \
    } while (0)

static const orr_shape series = { 1, 20, 3 }, image = { 9, 8, 4 }, vector = { 1, 1, 7 };

static const char branches[] =
    "layers:\n"
    "  - conv1d: {filters: 16, size: 5}\n"
    "  - relu\n"
    "  - max_pool1d: {size: 2, name: left}\n"
    "  - conv1d: {filters: 8, size: 6, stride: 2, input: input, name: right}\n"
    "  - concat: {inputs: [left, right]}\n"
    "  - relu\n"
    "  - flatten\n"
    "  - linear: {units: 1, name: out}\n";

static void a_text_becomes_a_graph(void **state)
{
    orr_graph *g;
    const orr_layer *l;

    (void)state;
    OK(orr_graph_parse_text(&g, series, 0, branches));
    assert_int_equal(orr_graph_n_layers(g), 8);
    assert_string_equal(orr_graph_layer(g, 0)->name, "conv1d1");
    assert_string_equal(orr_graph_layer(g, 1)->name, "relu1");
    assert_string_equal(orr_graph_layer(g, 5)->name, "relu2");
    l = orr_graph_layer(g, 3);
    assert_int_equal(l->inputs[0], 0);
    assert_true(orr_shape_equal(l->out, (orr_shape){ 1, 8, 8 }));
    l = orr_graph_layer(g, 4);
    assert_int_equal(l->n_in, 2);
    assert_int_equal(l->inputs[0], 3);
    assert_int_equal(l->inputs[1], 4);
    assert_true(orr_shape_equal(l->out, (orr_shape){ 1, 8, 24 }));
    assert_true(orr_shape_equal(orr_graph_output(g), (orr_shape){ 1, 1, 1 }));
    assert_int_equal(orr_graph_n_params(g), 3 * 5 * 16 + 16 + 3 * 6 * 8 + 8 + 8 * 24 + 1);
    orr_graph_destroy(g);
}

static const char mixed[] = "layers:\n"
                            "  - flatten: {name: features}\n"
                            "  - aux: {name: magnitudes}\n"
                            "  - concat: {inputs: [features, magnitudes]}\n"
                            "  - linear: {units: 2, name: out, init: glorot, bias_init: 0.1}\n"
                            "  - aux\n"
                            "  - concat: {name: both, inputs: [out, aux2]}\n"
                            "  - prelu: {init: 0.0}\n";

/* A source reads no layer, not even the one before it; the one behind it reads it. */
static void aux_is_a_source(void **state)
{
    orr_graph *g, *again;
    orr_text first = ORR_TEXT_INIT, second = ORR_TEXT_INIT, table = ORR_TEXT_INIT;
    char row[128];

    (void)state;
    OK(orr_graph_parse_text(&g, image, 4, mixed));
    assert_int_equal(orr_graph_n_aux(g), 4);
    assert_int_equal(orr_graph_layer(g, 1)->n_in, 0);
    assert_true(orr_shape_equal(orr_graph_layer(g, 1)->out, (orr_shape){ 1, 1, 4 }));
    assert_true(orr_shape_equal(orr_graph_layer(g, 2)->out, (orr_shape){ 1, 1, 292 }));
    assert_true(orr_shape_equal(orr_graph_output(g), (orr_shape){ 1, 1, 6 }));
    OK(orr_graph_dump(g, &first));
    assert_string_equal(
        first.s, "layers:\n  - flatten: {name: features}\n  - aux: {name: magnitudes}\n"
                 "  - concat: {inputs: [features, magnitudes]}\n"
                 "  - linear: {name: out, units: 2, init: glorot, bias_init: \"0.1\"}\n  - aux\n"
                 "  - concat: {name: both, inputs: [out, aux2]}\n  - prelu: {init: 0}\n");
    OK(orr_graph_parse_text(&again, image, 4, first.s));
    OK(orr_graph_dump(again, &second));
    assert_string_equal(first.s, second.s);
    assert_true(orr_graph_layer(again, 3)->params[1].fill == 0.1);
    OK(orr_graph_summary(g, &table));
    snprintf(row, sizeof row, "%-20s %-16s %20s %12d\n", "magnitudes", "aux", "4", 0);
    assert_non_null(strstr(table.s, row));
    orr_text_free(&first);
    orr_text_free(&second);
    orr_text_free(&table);
    orr_graph_destroy(again);
    orr_graph_destroy(g);
    OK(orr_graph_parse_text(&g, series, 4, branches)); /* nobody reads them */
    assert_int_equal(orr_graph_n_aux(g), 0);
    orr_graph_destroy(g);
    OK(orr_graph_parse_text(&g, series, 2, "layers:\n  - aux\n  - linear: {units: 3}\n"));
    assert_int_equal(orr_graph_layer(g, 1)->inputs[0], 1); /* the layer before: the source */
    orr_graph_destroy(g);
}

/* Names and inputs that go without saying are left out, and every case comes back from its dump the
 * same. */
static void dumps_parse_back(void **state)
{
    orr_text first = ORR_TEXT_INIT, second = ORR_TEXT_INIT;
    orr_graph *g;

    (void)state;
    OK(orr_graph_parse_text(&g, series, 0, branches));
    OK(orr_graph_dump(g, &first));
    assert_non_null(strstr(first.s, "  - relu\n"));
    assert_non_null(strstr(first.s, "input: input"));
    assert_null(strstr(first.s, "name: relu1"));
    orr_graph_destroy(g);
    orr_text_free(&first);
    for (int i = 0; i < n_nn_cases; i++) {
        orr_graph *again;
        OK(nn_case_graph(&g, &nn_cases[i]));
        OK(orr_graph_dump(g, &first));
        OK(orr_graph_parse_text(&again, nn_cases[i].input, nn_cases[i].n_aux, first.s));
        OK(orr_graph_dump(again, &second));
        assert_string_equal(first.s, second.s);
        assert_int_equal(orr_graph_n_params(g), orr_graph_n_params(again));
        assert_int_equal(orr_graph_n_layers(g), orr_graph_n_layers(again));
        for (int k = 0; k < orr_graph_n_layers(g); k++) {
            const orr_layer *a = orr_graph_layer(g, k), *b = orr_graph_layer(again, k);
            assert_string_equal(a->name, b->name);
            assert_ptr_equal(a->kind, b->kind);
            assert_true(orr_shape_equal(a->out, b->out));
            assert_memory_equal(a->inputs, b->inputs, sizeof a->inputs);
        }
        orr_graph_destroy(g);
        orr_graph_destroy(again);
        orr_text_free(&first);
        orr_text_free(&second);
    }
}

static void summary_is_a_table(void **state)
{
    orr_text t = ORR_TEXT_INIT;
    orr_graph *g;
    char row[128];

    (void)state;
    OK(orr_graph_parse_text(&g, series, 0, branches));
    OK(orr_graph_summary(g, &t));
    snprintf(row, sizeof row, "%-20s %-16s %20s %12d  <- input\n", "right", "conv1d", "8 x 8", 152);
    assert_non_null(strstr(t.s, row));
    snprintf(row, sizeof row, "%-20s %-16s %20s %12d  <- left right\n", "concat1", "concat",
             "8 x 24", 0);
    assert_non_null(strstr(t.s, row));
    snprintf(row, sizeof row, "%-20s %-16s %20s %12d\n", "total", "", "", 601);
    assert_non_null(strstr(t.s, row));
    orr_text_free(&t);
    orr_graph_destroy(g);
}

/* Options come from structs, and are copied. */
static void graphs_are_built_in_c(void **state)
{
    orr_graph *g;
    int conv, relu, sum;
    char word[] = "same";
    orr_conv_opts o = { .filters = 4,
                        .size = { 3, 3 },
                        .stride = { 1, 1 },
                        .dilation = { 1, 1 },
                        .groups = 1,
                        .bias = 1,
                        .padding = { .n = 1, .v = { word } } };
    orr_text t = ORR_TEXT_INIT;

    (void)state;
    OK(orr_graph_create(&g, image, 0));
    OK(orr_graph_add(g, "conv2d", "first", &o, NULL, 0, &conv));
    memset(word, 'x', 4);
    o.filters = 99;
    OK(orr_graph_add(g, "relu", NULL, NULL, NULL, 0, &relu));
    OK(orr_graph_add(g, "add", NULL, NULL, (const int[]){ relu, 0 }, 2, &sum));
    assert_int_equal(sum, 3);
    assert_int_equal(orr_graph_add(g, "add", NULL, NULL, (const int[]){ 7, 0 }, 2, NULL),
                     ORR_ERR_ARG);
    OK(orr_graph_dump(g, &t));
    assert_string_equal(
        t.s, "layers:\n  - conv2d: {name: first, filters: 4, size: [3, 3], padding: [same]}\n"
             "  - relu\n  - add: {inputs: [relu1, input]}\n");
    orr_text_free(&t);
    orr_graph_destroy(g);
    assert_int_equal(orr_graph_create(&g, (orr_shape){ 1, 0, 3 }, 0), ORR_ERR_SHAPE);
    assert_null(g);
    assert_int_equal(orr_graph_create(&g, image, -1), ORR_ERR_ARG);
    assert_null(g);
    OK(orr_graph_create(&g, vector, 2));
    OK(orr_graph_add(g, "aux", NULL, NULL, NULL, 0, &conv));
    assert_int_equal(orr_graph_add(g, "aux", NULL, NULL, &conv, 1, NULL), ORR_ERR_OPTION);
    OK(orr_graph_add(g, "linear", NULL, &(orr_linear_opts){ .units = 3 }, NULL, 0, NULL));
    assert_int_equal(orr_graph_n_params(g), 6);
    orr_graph_destroy(g);
}

static void shapes(void **state)
{
    static const struct {
        orr_shape in;
        const char *layer;
        orr_shape out;
    } cases[] = {
        { { 1, 10, 2 }, "conv1d: {filters: 5, size: 3}", { 1, 8, 5 } },
        { { 1, 10, 2 }, "conv1d: {filters: 5, size: 3, stride: 2}", { 1, 4, 5 } },
        { { 1, 10, 2 }, "conv1d: {filters: 5, size: 4, stride: 3, padding: same}", { 1, 4, 5 } },
        { { 1, 10, 2 }, "conv1d: {filters: 5, size: 3, dilation: 4, padding: 3}", { 1, 8, 5 } },
        { { 9, 8, 4 },
          "conv2d: {filters: 2, size: [3, 1], stride: [2, 3], padding: [1, 0]}",
          { 5, 3, 2 } },
        { { 9, 8, 4 }, "conv2d: {filters: 8, size: 3, groups: 4, padding: same}", { 9, 8, 8 } },
        { { 1, 10, 2 }, "max_pool1d: {size: 3}", { 1, 3, 2 } },
        { { 1, 10, 2 }, "max_pool1d: {size: 3, padding: 1}", { 1, 4, 2 } },
        { { 9, 8, 4 }, "avg_pool2d: {size: 2, stride: 1, padding: same}", { 9, 8, 4 } },
        { { 9, 8, 4 }, "max_pool2d: {size: [4, 2], padding: same}", { 3, 4, 4 } },
        { { 9, 8, 4 }, "global_avg_pool", { 1, 1, 4 } },
        { { 9, 8, 4 }, "flatten", { 1, 1, 288 } },
        { { 9, 8, 4 }, "batch_norm", { 9, 8, 4 } },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        orr_graph *g;
        nn_case c = { .input = cases[i].in };
        char text[256];
        snprintf(text, sizeof text, " - %s\n", cases[i].layer);
        c.layers = text;
        OK(nn_case_graph(&g, &c));
        if (!orr_shape_equal(orr_graph_output(g), cases[i].out)) {
            char a[ORR_SHAPE_TEXT], b[ORR_SHAPE_TEXT];
            fail_msg("%s: %s instead of %s", cases[i].layer, orr_shape_text(orr_graph_output(g), a),
                     orr_shape_text(cases[i].out, b));
        }
        orr_graph_destroy(g);
    }
}

static void refuse(orr_shape input, const char *yaml, orr_status wanted, const char *sentence)
{
    orr_graph *g = NULL;
    orr_status st = orr_graph_parse_text(&g, input, 0, yaml);

    if (st != wanted) fail_msg("%s gave %s: %s", yaml, orr_status_name(st), orr_error_text());
    assert_null(g);
    assert_string_equal(orr_error_text(), sentence);
}

static void mistakes_are_named(void **state)
{
    (void)state;
    refuse(series, "layers:\n  - relu\n  - conv1: {filters: 2, size: 2}\n", ORR_ERR_OPTION,
           "layers:3: there is no layer kind \"conv1\"; did you mean \"conv1d\"?");
    refuse(series, "layers:\n  - warp\n", ORR_ERR_OPTION,
           "layers:2: there is no layer kind \"warp\"");
    refuse(series, "layers:\n  - conv1d: {filters: 2, size: 3, strid: 2}\n", ORR_ERR_OPTION,
           "layers:2: unknown key \"strid\" in layer conv1d; did you mean \"stride\"?");
    refuse(series, "layers:\n  - conv1d: {filters: 2}\n", ORR_ERR_OPTION,
           "layers:2: layer conv1d: size is missing: taps of the kernel");
    refuse(series, "layers:\n  - linear\n", ORR_ERR_OPTION,
           "layers:2: layer linear: units is missing: outputs");
    refuse(series, "layers:\n  - relu: {name: left}\n  - relu: {input: lef}\n", ORR_ERR_OPTION,
           "layers:3: no layer before this one is called \"lef\"; did you mean \"left\"?");
    refuse(series, "layers:\n  - relu: {name: a}\n  - relu: {name: a}\n", ORR_ERR_OPTION,
           "layers:3: layer name \"a\" is taken by layer 1");
    refuse(series, "layers:\n  - relu: {name: input}\n", ORR_ERR_OPTION,
           "layers:2: \"input\" is the name of the net's input");
    refuse(
        series, "layers:\n  - relu: {name: a..b}\n", ORR_ERR_OPTION,
        "layers:2: layer name \"a..b\": use letters, digits, '_' and '-', and single dots between "
        "them");
    refuse(series, "layers:\n  - relu\n  - concat\n", ORR_ERR_OPTION,
           "layers:3: layer concat1 takes 2 to 16 inputs (inputs: [a, b]), not 1");
    refuse(series, "layers:\n  - relu: {inputs: [input, input]}\n", ORR_ERR_OPTION,
           "layers:2: layer relu1 takes 1 input, not 2");
    refuse(series, "layers:\n  - relu: {input: input, inputs: [input]}\n", ORR_ERR_OPTION,
           "layers:2: give either input or inputs, not both");
    refuse(series, "layers:\n  - {relu: {}, tanh: {}}\n", ORR_ERR_OPTION,
           "layers:2: a layer is written \"- KIND\" or \"- KIND: {option: value, ...}\"");
    refuse(series, "layers:\n  - linear: 3\n", ORR_ERR_OPTION,
           "layers:2: the options of linear are a map: \"- linear: {option: value, ...}\"");
    refuse(series, "layers: []\n", ORR_ERR_OPTION,
           "layers:1: layers: give a list with at least one layer");
    refuse(series, "model: 3\n", ORR_ERR_OPTION, "layers: give a list with at least one layer");
    refuse(series, "layers:\n  - relu: {name: a}\n  - tanh: {input: input}\n", ORR_ERR_OPTION,
           "layers:1: layer a is read by no other and is not the last: name it as an input, or "
           "take it out");
    refuse(series, "layers:\n  - dropout: {rate: 1}\n", ORR_ERR_OPTION,
           "layers:2: layer dropout1 (input 20 x 3): rate 1 would leave nothing: give one below 1");
    refuse(series, "layers:\n  - flatten\n  - aux\n", ORR_ERR_OPTION,
           "layers:3: layer aux1: there are no numbers beside the samples: give the data aux "
           "columns, or take this layer out");
    refuse(series, "layers:\n  - relu\n  - aux: {input: relu1}\n", ORR_ERR_OPTION,
           "layers:3: layer aux1 reads no other layer: leave its inputs out");
    refuse(vector, "layers:\n  - linear: {units: 2, init: xavier}\n", ORR_ERR_OPTION,
           "layers:2: layer linear: init is \"xavier\"; it must be one of torch, glorot, he");
    refuse(vector, "layers:\n  - linear: {units: 2, bias_init: 0.1x}\n", ORR_ERR_OPTION,
           "layers:2: layer linear1 (input 7): bias_init \"0.1x\": give a number, or auto");
    refuse(vector, "layers:\n  - linear: {units: 2, bias: false, bias_init: 1}\n", ORR_ERR_OPTION,
           "layers:2: layer linear1 (input 7): bias_init and bias: false exclude each other");
    refuse(series, "layers:\n  - batch_norm: {over: rank}\n", ORR_ERR_OPTION,
           "layers:2: layer batch_norm: over is \"rank\"; it must be one of leaf, batch");
}

static void shapes_that_do_not_fit_are_named(void **state)
{
    (void)state;
    refuse(series, "layers:\n  - linear: {units: 3}\n", ORR_ERR_SHAPE,
           "layers:2: layer linear1 (input 20 x 3): linear takes a vector: put flatten or "
           "global_avg_pool "
           "before it");
    refuse(series, "layers:\n  - conv1d: {filters: 2, size: 21, name: c}\n", ORR_ERR_SHAPE,
           "layers:2: layer c (input 20 x 3): a window that reaches over 21 does not fit into 20");
    refuse(series, "layers:\n  - conv1d: {filters: 2, size: 9, dilation: 3, padding: 2}\n",
           ORR_ERR_SHAPE,
           "layers:2: layer conv1d1 (input 20 x 3): a window that reaches over 25 does not fit "
           "into 24 "
           "(with padding)");
    refuse(
        image, "layers:\n  - conv1d: {filters: 2, size: 3}\n", ORR_ERR_SHAPE,
        "layers:2: layer conv1d1 (input 9 x 8 x 4): conv1d takes a series: use conv2d for images");
    refuse(image, "layers:\n  - max_pool1d: {size: 3}\n", ORR_ERR_SHAPE,
           "layers:2: layer max_pool1d1 (input 9 x 8 x 4): max_pool1d takes a series: use the 2-D "
           "kind for "
           "images");
    refuse(image, "layers:\n  - conv2d: {filters: 2, size: 3, groups: 4}\n", ORR_ERR_SHAPE,
           "layers:2: layer conv2d1 (input 9 x 8 x 4): 4 groups do not divide 4 channels into 2 "
           "filters");
    refuse(image, "layers:\n  - conv2d: {filters: 2, size: 3, padding: full}\n", ORR_ERR_OPTION,
           "layers:2: layer conv2d1 (input 9 x 8 x 4): padding \"full\": give valid, same, a "
           "number from 0 to "
           "65535, or two of them");
    refuse(series, "layers:\n  - conv1d: {filters: 2, size: 3, padding: [1, 2]}\n", ORR_ERR_OPTION,
           "layers:2: layer conv1d1 (input 20 x 3): conv1d takes one padding for both ends");
    refuse(series, "layers:\n  - max_pool1d: {size: 3, padding: 2}\n", ORR_ERR_SHAPE,
           "layers:2: layer max_pool1d1 (input 20 x 3): padding 2 is more than half of the window "
           "of 3");
    refuse(
        image,
        "layers:\n  - conv2d: {filters: 4, size: 3, name: a}\n  - concat: {inputs: [a, input]}\n",
        ORR_ERR_SHAPE,
        "layers:3: layer concat1 (input 7 x 6 x 4): input 2 is 9 x 8 x 4 and input 1 is 7 x 6 x 4: "
        "concat "
        "needs equal heights and widths");
    refuse(vector, "layers:\n  - linear: {units: 5, name: a}\n  - add: {inputs: [input, a]}\n",
           ORR_ERR_SHAPE,
           "layers:3: layer add1 (input 7): input 2 is 5 and input 1 is 7: add needs equal shapes");
}

/* Every allocation of a parse fails once; nothing leaks (the sanitizer build looks) and *out stays
 * NULL. */
static void running_out_of_memory_is_survived(void **state)
{
    int failed = 0;

    (void)state;
    for (int i = 1;; i++) {
        orr_graph *g = (orr_graph *)&failed;
        orr_alloc_fail_at(i);
        orr_status st = orr_graph_parse_text(&g, series, 0, branches);
        orr_alloc_fail_at(0);
        if (st == ORR_OK) {
            orr_graph_destroy(g);
            break;
        }
        if (st != ORR_ERR_NOMEM) fail_msg("allocation %d: %s", i, orr_error_text());
        assert_null(g);
        failed++;
    }
    assert_true(failed > 30);
}

/* Numbers that a sample brings to the statistics of its leaf, and of its batch. */
static void values_of_statistics(void **state)
{
    static const struct {
        const char *layers;
        int leaf, batch;
    } cases[] = {
        { "flatten, linear: {units: 3}", 0, 0 },
        { "batch_norm, flatten", 4, 0 },
        { "flatten, batch_norm", 1, 0 },
        { "flatten, batch_norm: {over: batch}", 0, 1 },
        { "global_avg_pool, batch_norm", 1, 0 },
        { "batch_norm, max_pool1d: {size: 2}, batch_norm: {name: last}, batch_norm: {over: batch}",
          2, 2 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[128];
        orr_graph *g;
        const orr_layer *leaf, *batch;
        snprintf(text, sizeof text, "layers: [%s]", cases[i].layers);
        assert_int_equal(orr_graph_parse_text(&g, (orr_shape){ 1, 4, 2 }, 0, text), ORR_OK);
        assert_int_equal(orr_graph_leaf_values(g, &leaf), cases[i].leaf);
        assert_int_equal(orr_graph_batch_values(g, &batch), cases[i].batch);
        assert_true((leaf != NULL) == (cases[i].leaf > 0) &&
                    (batch != NULL) == (cases[i].batch > 0));
        if (cases[i].leaf == 2) assert_string_equal(leaf->name, "last");
        orr_graph_destroy(g);
    }
    assert_int_equal(orr_fewest_samples(0), 1);
    assert_int_equal(orr_fewest_samples(1), 2);
    assert_int_equal(orr_fewest_samples(4), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_text_becomes_a_graph),
        cmocka_unit_test(aux_is_a_source),
        cmocka_unit_test(dumps_parse_back),
        cmocka_unit_test(summary_is_a_table),
        cmocka_unit_test(graphs_are_built_in_c),
        cmocka_unit_test(shapes),
        cmocka_unit_test(mistakes_are_named),
        cmocka_unit_test(values_of_statistics),
        cmocka_unit_test(shapes_that_do_not_fit_are_named),
        cmocka_unit_test(running_out_of_memory_is_survived),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
