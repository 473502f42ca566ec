/* tests/nn/test_blocks.c - lists of layers with a name and parameters: the graph is that of the
 * same list written out by hand, and what is wrong in a definition or a use is named with its
 * place. */
#include "core/config.h"
#include "core/memory.h"
#include "core/options.h"
#include "nn/graph.h"
#include "nn/layer.h"

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

static const orr_shape image = { 9, 8, 4 };

/* The dumps of both are the same text. */
static void check_same(const char *blocks, const char *by_hand)
{
    orr_graph *a, *b;
    orr_text first = ORR_TEXT_INIT, second = ORR_TEXT_INIT;

    OK(orr_graph_parse_text(&a, image, 2, blocks));
    OK(orr_graph_parse_text(&b, image, 2, by_hand));
    OK(orr_graph_dump(a, &first));
    OK(orr_graph_dump(b, &second));
    assert_string_equal(first.s, second.s);
    for (int i = 0; i < orr_graph_n_layers(a); i++)
        assert_memory_equal(orr_graph_layer(a, i)->inputs, orr_graph_layer(b, i)->inputs,
                            sizeof orr_graph_layer(a, i)->inputs);
    orr_text_free(&first);
    orr_text_free(&second);
    orr_graph_destroy(a);
    orr_graph_destroy(b);
}

static const char residual[] =
    "blocks:\n"
    "  residual:\n"
    "    parameters: {filters, size: 3, activation: relu}\n"
    "    layers:\n"
    "      - conv2d: {filters: $filters, size: $size, padding: same, name: conv}\n"
    "      - $activation\n"
    "      - add: {inputs: [conv, block]}\n";

static void repeats_are_written_out(void **state)
{
    char text[2048];

    (void)state;
    snprintf(text, sizeof text,
             "%slayers:\n  - relu\n  - residual: {filters: 4, repeat: 2, name: s}\n"
             "  - residual: {filters: 4, size: [1, 5], activation: {elu: {alpha: 2}}}\n"
             "  - residual: {filters: 4, input: s.1}\n"
             "  - add: {inputs: [residual2, s, residual1, s.1.relu1, s.2.relu1, residual1.elu1, "
             "residual2.relu1]}\n  - relu\n",
             residual);
    /* activations lie beside their residual sums: each is read at the end */
    check_same(text, "layers:\n  - relu\n"
                     "  - conv2d: {filters: 4, size: 3, padding: same, name: s.1.conv}\n"
                     "  - relu: {name: s.1.relu1}\n"
                     "  - add: {inputs: [s.1.conv, relu1], name: s.1.add1}\n"
                     "  - conv2d: {filters: 4, size: 3, padding: same, name: s.2.conv}\n"
                     "  - relu: {name: s.2.relu1}\n"
                     "  - add: {inputs: [s.2.conv, s.1.add1], name: s.2.add1}\n"
                     "  - conv2d: {filters: 4, size: [1, 5], padding: same, name: residual1.conv}\n"
                     "  - elu: {alpha: 2, name: residual1.elu1}\n"
                     "  - add: {inputs: [residual1.conv, s.2.add1], name: residual1.add1}\n"
                     "  - conv2d: {filters: 4, size: 3, padding: same, input: s.1.add1, name: "
                     "residual2.conv}\n"
                     "  - relu: {name: residual2.relu1}\n"
                     "  - add: {inputs: [residual2.conv, s.1.add1], name: residual2.add1}\n"
                     "  - add: {inputs: [residual2.add1, s.2.add1, residual1.add1, s.1.relu1, "
                     "s.2.relu1, residual1.elu1, residual2.relu1]}\n"
                     "  - relu\n");
}

static void blocks_use_blocks(void **state)
{
    (void)state;
    check_same("blocks:\n"
               "  act: {layers: [relu, tanh]}\n"
               "  conv:\n"
               "    parameters: {n, k: 1}\n"
               "    layers: [conv2d: {filters: $n, size: $k, padding: same}, act]\n"
               "  two:\n"
               "    parameters: {wide}\n"
               "    layers:\n"
               "      - conv: {n: $wide, name: left}\n"
               "      - conv: {n: 3, k: 5, input: block, repeat: 1, name: right}\n"
               "      - aux: {name: numbers}\n"
               "      - concat: {inputs: [left, right.1.act1]}\n"
               "layers:\n  - flatten: {name: f}\n  - two: {wide: 2, input: input, name: t}\n"
               "  - flatten: {name: g}\n  - concat: {inputs: [f, g, t.numbers]}\n",
               "layers:\n  - flatten: {name: f}\n"
               "  - conv2d: {filters: 2, size: 1, padding: same, input: input, name: "
               "t.left.conv2d1}\n"
               "  - relu: {name: t.left.act1.relu1}\n  - tanh: {name: t.left.act1.tanh1}\n"
               "  - conv2d: {filters: 3, size: 5, padding: same, input: input, name: "
               "t.right.1.conv2d1}\n"
               "  - relu: {name: t.right.1.act1.relu1}\n"
               "  - tanh: {name: t.right.1.act1.tanh1}\n"
               "  - aux: {name: t.numbers}\n"
               "  - concat: {inputs: [t.left.act1.tanh1, t.right.1.act1.tanh1], name: "
               "t.concat1}\n"
               "  - flatten: {name: g}\n  - concat: {inputs: [f, g, t.numbers]}\n");
}

/* A dump holds layers alone, and is read back the same. */
static void dumps_parse_back(void **state)
{
    char text[1024];
    orr_graph *a;
    orr_text dump = ORR_TEXT_INIT;

    (void)state;
    snprintf(text, sizeof text,
             "%slayers:\n  - residual: {filters: 4, repeat: 2, name: s, activation: relu}\n"
             "  - add: {inputs: [s, s.1.relu1, s.2.relu1]}\n",
             residual);
    OK(orr_graph_parse_text(&a, image, 0, text));
    OK(orr_graph_dump(a, &dump));
    assert_null(strstr(dump.s, "blocks"));
    orr_graph_destroy(a);
    check_same(text, dump.s);
    orr_text_free(&dump);
}

/* Names in blocks grow longer than the usual column. */
static void the_summary_has_room_for_names(void **state)
{
    orr_graph *g;
    orr_text t = ORR_TEXT_INIT;

    (void)state;
    OK(orr_graph_parse_text(&g, image, 0,
                            "blocks: {b: {layers: [relu]}}\n"
                            "layers: [relu, b: {name: a-name-of-thirty-letters-in-all}]\n"));
    OK(orr_graph_summary(g, &t));
    assert_non_null(strstr(t.s, "\na-name-of-thirty-letters-in-all.relu1 relu "));
    assert_non_null(strstr(t.s, "\nrelu1                                 relu "));
    orr_text_free(&t);
    orr_graph_destroy(g);
}

typedef struct mistake {
    const char *yaml, *sentence;
} mistake;

#define BLOCK  "blocks:\n  b:\n    parameters: {n, k: 1}\n"
#define LAYERS "    layers: [conv2d: {filters: $n, size: $k}]\nlayers:\n"

static const mistake mistakes[] = {
    { "blocks: 3\nlayers: [relu]\n",
      "layers:1: blocks is a map: \"NAME: {parameters: {...}, layers: [...]}\"" },
    { "blocks: {relu: {layers: [tanh]}}\nlayers: [relu]\n",
      "layers:1: block relu: a layer kind has this name: choose another" },
    { "blocks: {a.b: {layers: [tanh]}}\nlayers: [relu]\n",
      "layers:1: block a.b: use at most 63 letters, digits, '_' and '-' for its name" },
    { "blocks:\n  b: {layer: [tanh]}\nlayers: [relu]\n",
      "layers:2: unknown key \"layer\" in block b; did you mean \"layers\"?" },
    { "blocks:\n  b: {layers: []}\nlayers: [relu]\n",
      "layers:2: block b: layers: give a list with at least one layer" },
    { "blocks:\n  b: {layers: [tanh]}\nlayers: [relu]\n",
      "layers:2: block b: no list of layers has it: use it, or take it out" },
    { "blocks:\n  b:\n    parameters: {name: 1}\n    layers: [tanh]\nlayers: [b]\n",
      "layers:3: block b: every block has a name: call the parameter otherwise" },
    { "blocks:\n  b:\n    parameters: [n]\n    layers: [tanh]\nlayers: [b]\n",
      "layers:3: block b: parameters is a map of \"name: default\", \"name:\" if required" },
    { "blocks:\n  b:\n    parameters:\n      n: 1\n    layers: [tanh]\nlayers: [b]\n",
      "layers:4: block b: parameter n is used by no layer: write $n where it belongs, or take it "
      "out" },
    { "blocks:\n  b:\n    parameters: {n: 1, k: $n}\n    layers: [tanh]\nlayers: [b]\n",
      "layers:3: \"$n\": only the layers of a block have parameters; a text that begins with $ "
      "stands in quotes" },
    { BLOCK "    layers:\n      - conv2d: {filters: $n, size: $kind}\nlayers: [b]\n",
      "layers:5: block b: there is no parameter for \"$kind\"" },
    { BLOCK "    layers:\n      - conv2d: {filters: $n, size: $what}\nlayers: [b]\n",
      "layers:5: block b: there is no parameter for \"$what\"" },
    { "blocks:\n  b:\n    parameters: {size}\n    layers:\n      - elu: {alpha: $sise}\nlayers: "
      "[b]\n",
      "layers:5: block b: there is no parameter for \"$sise\"; did you mean \"$size\"?" },
    { "layers:\n  - conv2d: {filters: $n, size: 3}\n",
      "layers:2: \"$n\": only the layers of a block have parameters; a text that begins with $ "
      "stands in quotes" },
    { BLOCK LAYERS "  - b\n",
      "layers:6: block b: n is missing: a parameter of the block without a default" },
    { BLOCK LAYERS "  - b: {k: 2}\n",
      "layers:6: block b: n is missing: a parameter of the block without a default" },
    { BLOCK LAYERS "  - b: {n: 2, k: }\n", "layers:6: block b: parameter k has no value" },
    { BLOCK LAYERS "  - b: {n: 2, reepat: 2}\n",
      "layers:6: unknown key \"reepat\" in block b; did you mean \"repeat\"?" },
    { BLOCK LAYERS "  - b: {n: 2, repeat: 0}\n",
      "layers:6: block b: repeat is 0; it must lie between 1 and 1024" },
    { BLOCK LAYERS "  - b: {n: two}\n",
      "layers:6: in b1: layers:6: layer conv2d: filters is \"two\"; it must be a whole number" },
    { BLOCK LAYERS "  - b: {n: 2, k: 3, repeat: 5}\n",
      "layers:6: in b1: layers:4: layer b1.4.conv2d1 (input 3 x 2 x 2): a window that reaches over "
      "3 does not fit into 2" },
    { BLOCK LAYERS "  - b: {n: 2, input: relu1}\n",
      "layers:6: no layer before this one is called \"relu1\"" },
    { BLOCK LAYERS "  - b: {n: 2, name: a}\n  - b: {n: 2, name: a}\n",
      "layers:7: block name \"a\" is taken" },
    { BLOCK LAYERS "  - b: {n: 2, name: a}\n  - relu: {name: a}\n",
      "layers:7: layer name \"a\" is taken by a block" },
    { BLOCK LAYERS "  - b: {n: 2, name: abcdef}\n  - relu: {input: abcdf}\n",
      "layers:7: no layer before this one is called \"abcdf\"; did you mean \"abcdef\"?" },
    { "blocks: {residual: {layers: [relu]}}\nlayers:\n  - residul\n  - residual\n",
      "layers:3: there is no layer kind \"residul\"; did you mean the block \"residual\"?" },
    { "blocks:\n  b: {layers: [relu: {input: input}]}\nlayers:\n  - b\n",
      "layers:4: in b1: layers:2: \"input\" is the net's: what a block reads is called \"block\" "
      "in "
      "it" },
    { "blocks:\n  b: {layers: [relu: {name: left}, tanh: {input: lef}]}\nlayers:\n  - b\n",
      "layers:4: in b1: layers:2: no layer before this one is called \"lef\" in the block; did you "
      "mean \"left\"?" },
    { "blocks:\n  a: {layers: [b]}\n  b: {layers: [a]}\nlayers:\n  - a\n",
      "layers:5: in a1: layers:2: in a1.b1: layers:3: block a contains itself" },
    { "blocks:\n  a: {layers: [relu, b: {repeat: 1000}]}\n  b: {layers: [relu]}\n"
      "layers:\n  - a: {repeat: 1000}\n",
      "layers:5: in a1: layers:2: in a1.5.b1: layers:3: more than 4096 layers: repeats in repeats "
      "multiply" },
};

static void mistakes_are_named(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof mistakes / sizeof *mistakes; i++) {
        orr_graph *g = NULL;
        orr_status st = orr_graph_parse_text(&g, image, 0, mistakes[i].yaml);
        if (st == ORR_OK || g) fail_msg("%s was taken", mistakes[i].yaml);
        if (strcmp(orr_error_text(), mistakes[i].sentence) != 0)
            fail_msg("%s:\n%s\ninstead of\n%s", mistakes[i].yaml, orr_error_text(),
                     mistakes[i].sentence);
    }
}

static void depth_is_bounded(void **state)
{
    orr_text t = ORR_TEXT_INIT;
    orr_graph *g;

    (void)state;
    orr_text_add(&t, "blocks:\n  b0: {layers: [relu]}\n");
    for (int i = 1; i < 9; i++)
        orr_text_printf(&t, "  b%d: {layers: [b%d]}\n", i, i - 1);
    orr_text_add(&t, "layers: [b8]\n");
    assert_int_equal(orr_graph_parse_text(&g, image, 0, t.s), ORR_ERR_OPTION);
    assert_non_null(strstr(orr_error_text(), "blocks in blocks, more than 8 deep"));
    orr_text_free(&t);
}

/* Every allocation that fails is reported, and nothing is lost (the sanitizers see that). */
static void memory_may_be_short(void **state)
{
    orr_graph *g;
    char text[1024];
    int n = 0;

    (void)state;
    snprintf(text, sizeof text,
             "%slayers:\n  - residual: {filters: 4, repeat: 2, name: s}\n"
             "  - add: {inputs: [s, s.1.relu1, s.2.relu1]}\n",
             residual);
    for (orr_status st = ORR_ERR_NOMEM; st != ORR_OK; n++) {
        orr_alloc_fail_at(n + 1);
        st = orr_graph_parse_text(&g, image, 0, text);
        orr_alloc_fail_at(0);
        if (st == ORR_OK)
            orr_graph_destroy(g);
        else
            assert_int_equal(st, ORR_ERR_NOMEM);
        assert_true(n < 10000);
    }
    assert_true(n > 50);
}

/* The inception net of the C models and that of the example, which has blocks: the same kinds,
 * inputs, shapes, options and first values, under other names. */
static void the_example_is_the_built_in_model(void **state)
{
    static const orr_shape stamp = { 32, 32, 5 };
    orr_config *job;
    orr_graph *a, *b;
    const orr_node *model;

    (void)state;
    OK(orr_config_load(&job, EXAMPLE));
    model = orr_node_get(orr_config_root(job), "model");
    OK(orr_graph_parse(&a, stamp, 0, orr_node_get(model, "blocks"), orr_node_get(model, "layers")));
    OK(orr_model_build(&b, "inception", stamp, 0, 180));
    assert_int_equal(orr_graph_n_layers(a), orr_graph_n_layers(b));
    for (int i = 0; i < orr_graph_n_layers(a); i++) {
        const orr_layer *x = orr_graph_layer(a, i), *y = orr_graph_layer(b, i);
        orr_text first = ORR_TEXT_INIT, second = ORR_TEXT_INIT;
        assert_ptr_equal(x->kind, y->kind);
        assert_int_equal(x->n_in, y->n_in);
        assert_memory_equal(x->inputs, y->inputs, sizeof x->inputs);
        assert_true(orr_shape_equal(x->out, y->out));
        assert_int_equal(x->n_params, y->n_params);
        if (!x->kind->options) continue;
        OK(orr_options_dump_flow(x->opts, x->kind->options, &first));
        OK(orr_options_dump_flow(y->opts, y->kind->options, &second));
        assert_string_equal(first.s, second.s);
        orr_text_free(&first);
        orr_text_free(&second);
    }
    orr_graph_destroy(a);
    orr_graph_destroy(b);
    orr_config_destroy(job);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(repeats_are_written_out),
        cmocka_unit_test(blocks_use_blocks),
        cmocka_unit_test(dumps_parse_back),
        cmocka_unit_test(the_summary_has_room_for_names),
        cmocka_unit_test(mistakes_are_named),
        cmocka_unit_test(depth_is_bounded),
        cmocka_unit_test(memory_may_be_short),
        cmocka_unit_test(the_example_is_the_built_in_model),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
