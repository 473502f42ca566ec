/* tests/nn/test_models.c - the built-in models: parameters, lengths, names, and what is refused. */
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

static size_t n_params(const char *model, orr_shape input)
{
    orr_graph *g;
    size_t n;

    OK(orr_model_build(&g, model, input));
    n = orr_graph_n_params(g);
    assert_int_equal(orr_shape_count(orr_graph_output(g)), 1);
    orr_graph_destroy(g);
    return n;
}

static void models_have_their_published_parameters(void **state)
{
    (void)state;
    assert_int_equal(n_params("kepler-cnn", (orr_shape){ 1, 3197, 2 }), 2865019);
    assert_int_equal(n_params("kepler-cnn", (orr_shape){ 1, 3197, 1 }), 2865001);
    assert_int_equal(n_params("kepler-cnn2", (orr_shape){ 1, 3197, 2 }), 632851);
    assert_int_equal(n_params("moons", (orr_shape){ 1, 1, 2 }), 81);
}

/* Lengths after each convolution and each pooling. */
static void check_lengths(const char *model, const int *lengths)
{
    orr_graph *g;

    OK(orr_model_build(&g, model, (orr_shape){ 1, 3197, 2 }));
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
    assert_int_equal(n, 3);
    for (int i = 0; i < n; i++) {
        orr_shape input =
            strcmp(names[i], "moons") ? (orr_shape){ 1, 3197, 2 } : (orr_shape){ 1, 1, 2 };
        orr_graph *a, *b;
        orr_text first = ORR_TEXT_INIT, second = ORR_TEXT_INIT;
        OK(orr_model_build(&a, names[i], input));
        OK(orr_graph_dump(a, &first));
        OK(orr_graph_parse_text(&b, input, first.s));
        OK(orr_graph_dump(b, &second));
        assert_string_equal(first.s, second.s);
        assert_int_equal(orr_graph_n_params(a), orr_graph_n_params(b));
        orr_graph_destroy(a);
        orr_graph_destroy(b);
        orr_text_free(&first);
        orr_text_free(&second);
    }
}

static void wrong_names_and_inputs_are_refused(void **state)
{
    orr_graph *g = (orr_graph *)state;

    assert_int_equal(orr_model_build(&g, "kepler-cn", (orr_shape){ 1, 3197, 2 }), ORR_ERR_OPTION);
    assert_null(g);
    assert_string_equal(orr_error_text(),
                        "there is no model \"kepler-cn\"; did you mean \"kepler-cnn\"?; "
                        "known are kepler-cnn, kepler-cnn2, moons");
    assert_int_equal(orr_model_build(&g, "kepler-cnn2", (orr_shape){ 1, 100, 2 }), ORR_ERR_SHAPE);
    assert_null(g);
    assert_non_null(strstr(orr_error_text(), "model kepler-cnn2: layers:"));
    assert_non_null(strstr(orr_error_text(), "layer conv4 (input 2 x 32): "));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(models_have_their_published_parameters),
        cmocka_unit_test(kepler_lengths),
        cmocka_unit_test(every_model_round_trips),
        cmocka_unit_test(wrong_names_and_inputs_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
