/* tests/nn/test_models.c - the built-in models: parameters, lengths, names, and what is refused. */
#include "core/memory.h"
#include "nn/graph.h"
#include "nn/layer.h"
#include "nn/net.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define OK(expr)                                                                                   \
    do {                                                                                           \
        if ((expr) != ORR_OK) fail_msg("%s: %s", #expr, orr_error_text());                         \
    } while (0)

static size_t n_params(const char *model, orr_shape input, int n_aux, int outputs, int wanted)
{
    orr_graph *g;
    size_t n;

    OK(orr_model_build(&g, model, input, n_aux, outputs));
    n = orr_graph_n_params(g);
    assert_true(orr_shape_equal(orr_graph_output(g), (orr_shape){ 1, 1, wanted }));
    assert_string_equal(orr_graph_layer(g, orr_graph_n_layers(g) - 1)->name, "out");
    orr_graph_destroy(g);
    return n;
}

static const orr_shape stamp = { 32, 32, 5 }, wide = { 64, 64, 5 }, flux = { 1, 3197, 2 };

static void models_have_their_published_parameters(void **state)
{
    (void)state;
    assert_int_equal(n_params("kepler-cnn", flux, 0, 0, 1), 2865019);
    assert_int_equal(n_params("kepler-cnn", (orr_shape){ 1, 3197, 1 }, 0, 0, 1), 2865001);
    assert_int_equal(n_params("kepler-cnn2", flux, 0, 0, 1), 632851);
    assert_int_equal(n_params("moons", (orr_shape){ 1, 1, 2 }, 0, 0, 1), 81);
    assert_int_equal(n_params("inception", stamp, 0, 0, 100), 1436000);
    assert_int_equal(n_params("inception-mixed", stamp, 6, 0, 100), 1604832 + 128 * 6);
    assert_int_equal(n_params("pasquet", wide, 1, 0, 180), 27596372);
}

/* Aux numbers a model does not read change nothing; the last layer has the units asked for. */
static void models_take_other_outputs(void **state)
{
    (void)state;
    assert_int_equal(n_params("inception", stamp, 3, 0, 100), 1436000);
    assert_int_equal(n_params("inception", stamp, 0, 180, 180), 1436000 + 80 * 5569);
    assert_int_equal(n_params("inception-mixed", stamp, 1, 50, 50), 1604960 - 50 * 129);
    assert_int_equal(n_params("pasquet", wide, 1, 200, 200), 27596372 + 20 * 1097);
    assert_int_equal(n_params("kepler-cnn", flux, 0, 2, 2), 2865019 + 65);
    assert_int_equal(n_params("kepler-cnn2", flux, 0, 3, 3), 632851 + 130);
    assert_int_equal(n_params("moons", (orr_shape){ 1, 1, 2 }, 0, 2, 2), 81 + 21);
}

/* Each pooling halves, rounding up. */
static void image_models_take_other_sizes(void **state)
{
    (void)state;
    /* last block: 8 x 8 instead of 4 x 4; 4 x 4 instead of 8 x 8; 69 -> 35 -> 18 -> 9 */
    assert_int_equal(n_params("inception", wide, 0, 0, 100), 1436000 + 48 * 348 * 100);
    assert_int_equal(n_params("pasquet", stamp, 1, 0, 180), 27596372 - 48 * 348 * 1096);
    assert_int_equal(n_params("inception", (orr_shape){ 69, 69, 5 }, 0, 0, 100),
                     1436000 + (81 - 16) * 348 * 100);
    assert_int_equal(n_params("pasquet", (orr_shape){ 40, 64, 3 }, 2, 0, 180),
                     27596372 - 24 * 348 * 1096 - 2 * 25 * 64 + 1096);
    assert_int_equal(n_params("inception", (orr_shape){ 1, 1, 1 }, 0, 0, 100),
                     1436000 - 15 * 348 * 100 - 4 * 25 * 64);
}

/* Lengths after each convolution and each pooling. */
static void check_lengths(const char *model, const int *lengths)
{
    orr_graph *g;

    OK(orr_model_build(&g, model, (orr_shape){ 1, 3197, 2 }, 0, 0));
    for (int i = 0; i < orr_graph_n_layers(g); i++) {
        const orr_layer *l = orr_graph_layer(g, i);
        if (!strcmp(l->kind->kind, "conv1d") || !strcmp(l->kind->kind, "max_pool1d"))
            assert_int_equal(l->out.w, *lengths++);
    }
    assert_int_equal(*lengths, 0);
    orr_graph_destroy(g);
}

static void kepler_lengths(void **state)
{
    (void)state;
    check_lengths("kepler-cnn", (const int[]){ 3195, 1065, 1063, 354, 0 });
    check_lengths("kepler-cnn2", (const int[]){ 3195, 1065, 1063, 354, 352, 117, 115, 38, 0 });
}

static void every_model_round_trips(void **state)
{
    int n;
    const char *const *names = orr_model_names(&n);

    (void)state;
    assert_int_equal(n, 6);
    for (int i = 0; i < n; i++) {
        orr_shape input = stamp;
        if (!strncmp(names[i], "kepler", 6)) input = flux;
        if (!strcmp(names[i], "moons")) input = (orr_shape){ 1, 1, 2 };
        orr_graph *a, *b;
        orr_text first = ORR_TEXT_INIT, second = ORR_TEXT_INIT;
        OK(orr_model_build(&a, names[i], input, 2, 0));
        OK(orr_graph_dump(a, &first));
        OK(orr_graph_parse_text(&b, input, 2, first.s));
        OK(orr_graph_dump(b, &second));
        assert_string_equal(first.s, second.s);
        assert_int_equal(orr_graph_n_params(a), orr_graph_n_params(b));
        assert_int_equal(orr_graph_n_aux(a), orr_graph_n_aux(b));
        assert_int_equal(orr_graph_n_aux(a), strstr(first.s, "- aux: ") ? 2 : 0);
        orr_graph_destroy(a);
        orr_graph_destroy(b);
        orr_text_free(&first);
        orr_text_free(&second);
    }
}

static void wrong_names_and_inputs_are_refused(void **state)
{
    orr_graph *g = (orr_graph *)state;

    assert_int_equal(orr_model_build(&g, "kepler-cn", (orr_shape){ 1, 3197, 2 }, 0, 0),
                     ORR_ERR_OPTION);
    assert_null(g);
    assert_string_equal(orr_error_text(),
                        "there is no model \"kepler-cn\"; did you mean \"kepler-cnn\"?; "
                        "known are inception, inception-mixed, kepler-cnn, kepler-cnn2, moons, "
                        "pasquet");
    assert_int_equal(orr_model_build(&g, "kepler-cnn2", (orr_shape){ 1, 100, 2 }, 0, 0),
                     ORR_ERR_SHAPE);
    assert_null(g);
    assert_non_null(strstr(orr_error_text(), "model kepler-cnn2: layers:"));
    assert_non_null(strstr(orr_error_text(), "layer conv4 (input 2 x 32): "));
    assert_int_equal(orr_model_build(&g, "inception-mixed", stamp, 0, 0), ORR_ERR_OPTION);
    assert_null(g);
    assert_string_equal(orr_error_text(),
                        "model inception-mixed reads numbers beside each sample (aux), and there "
                        "are none: take inception, or data with aux columns");
    assert_int_equal(orr_model_build(&g, "pasquet", wide, 0, 0), ORR_ERR_OPTION);
    assert_int_equal(orr_model_build(&g, "inception", stamp, 0, -1), ORR_ERR_OPTION);
    assert_null(g);
}

/* The text of a model is made first, then parsed. */
static void running_out_of_memory_is_survived(void **state)
{
    int failed = 0;

    (void)state;
    for (int i = 1;; i++) {
        orr_graph *g = (orr_graph *)&failed;
        orr_alloc_fail_at(i);
        orr_status st = orr_model_build(&g, "inception-mixed", stamp, 2, 0);
        orr_alloc_fail_at(0);
        if (st == ORR_OK) {
            orr_graph_destroy(g);
            break;
        }
        if (st != ORR_ERR_NOMEM) fail_msg("allocation %d: %s", i, orr_error_text());
        assert_null(g);
        failed++;
    }
    assert_true(failed > 200);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(models_have_their_published_parameters),
        cmocka_unit_test(models_take_other_outputs),
        cmocka_unit_test(image_models_take_other_sizes),
        cmocka_unit_test(kepler_lengths),
        cmocka_unit_test(every_model_round_trips),
        cmocka_unit_test(wrong_names_and_inputs_are_refused),
        cmocka_unit_test(running_out_of_memory_is_survived),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
