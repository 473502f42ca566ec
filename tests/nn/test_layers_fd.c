/* tests/nn/test_layers_fd.c - every gradient of every layer kind, and of the losses, against finite
 * differences, in the double build with the check kernels.
 *
 * Derivative: the five-point stencil D = (8 (f(+h) - f(-h)) - (f(+2h) - f(-2h))) / 12h.
 * Its error has two parts.  Rounding: f is a sum of terms whose sizes add up to F, computed with
 * relative accuracy e = eps^0.9 (eps = 2.2e-16, e = 8e-15: eps times some forty for the operations
 * behind each term), so each value of f is off by at most e F and D by at most (8 + 8 + 1 + 1) / 12
 * e F / h = 1.5 e F / h.  Truncation: h^4/30 |f'''''|. h = sqrt(e) = 9e-8 makes the first 1.5
 * sqrt(e) F = 1.4e-7 F, and the second h^4/30 = 2e-30 times the fifth derivative, which is below
 * the first as long as that derivative is below 1e22 F.  So small a step also leaves kinks (ReLU,
 * maximum) alone: a number within 2h of one would have to be drawn.  Tolerance: 1.5 e F / h + F
 * h^4. */
#include "core/memory.h"
#include "nn/layer.h"
#include "nn/loss_kind_private.h"
#include "nn_cases.h"

#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define OK(expr)                                                                                   \
    do {                                                                                           \
        if ((expr) != ORR_OK) fail_msg("%s: %s", #expr, orr_error_text());                         \
    } while (0)

/* A function of a net's output: sum of weight[i] y[i], or a loss. */
enum { MAX_OUTPUTS = 4096 };
static const char *backend_name = "check"; /* main's argument */
static size_t stride = 1;                  /* of the numbers that are varied, and main's other */

typedef struct problem {
    orr_net *net;
    size_t n_x; /* numbers of x */
    const nn_batch *batch;
    const orr_real *aux;
    orr_real *x;
    size_t n_y;
    const orr_real *weight;
    const orr_loss *loss;
    const int32_t *labels;
    const float *values;
} problem;

/* f, and F = the sizes of its terms added up (may be NULL). */
static double eval(const problem *p, double *size)
{
    const orr_real *there;
    orr_real y[MAX_OUTPUTS];
    double f = 0, total = 0, sums[NN_LEAVES];

    OK(orr_net_forward(p->net, &p->batch->b, p->x, p->aux, 1, &there));
    assert_true(p->n_y <= MAX_OUTPUTS);
    OK(orr_net_output(p->net, y));
    if (p->loss) {
        orr_loss_eval(p->loss, &p->batch->b, y, p->labels, p->values, sums, NULL, NULL);
        for (int i = 0; i < p->batch->b.n_leaves; i++)
            f += sums[i] / (double)p->batch->b.n_global;
        total = 1 + fabs(f);
    } else {
        for (size_t i = 0; i < p->n_y; i++) {
            f += p->weight[i] * y[i];
            total += fabs(p->weight[i] * y[i]);
        }
    }
    if (size) *size = total;
    return f;
}

static double step(void)
{
    return sqrt(pow(DBL_EPSILON, 0.9));
}

/* Where a number that is varied lies: of x, or at a place of the parameters. */
typedef struct variable {
    orr_real *x;
    size_t param;
} variable;

static orr_real get(const problem *p, const variable *v)
{
    orr_real one = 0;

    if (v->x) return *v->x;
    OK(orr_net_read(p->net, ORR_SLAB_PARAMS, v->param, 1, &one));
    return one;
}

static void set(const problem *p, const variable *v, orr_real to)
{
    if (v->x)
        *v->x = to;
    else
        OK(orr_net_write(p->net, ORR_SLAB_PARAMS, v->param, 1, &to));
}

static double derivative(const problem *p, const variable *v)
{
    orr_real keep = get(p, v);
    double h = step(), f[4];
    const double moves[4] = { 1, -1, 2, -2 };

    for (int i = 0; i < 4; i++) {
        set(p, v, keep + moves[i] * h);
        f[i] = eval(p, NULL);
    }
    set(p, v, keep);
    return (8 * (f[0] - f[1]) - (f[2] - f[3])) / (12 * h);
}

static double compare(const problem *p, const variable *first, const orr_real *grad, size_t n,
                      double tolerance, const char *what)
{
    double largest = 0;

    for (size_t i = 0; i < n; i += stride) {
        const variable at = { first->x ? first->x + i : NULL, first->param + i };
        double wanted = derivative(p, &at);
        if (!(fabs(grad[i] - wanted) <= tolerance))
            fail_msg("%s[%zu]: backward says %.12g, differences %.12g, tolerance %.3g", what, i,
                     grad[i], wanted, tolerance);
        largest = fmax(largest, fabs(wanted));
    }
    return largest;
}

/* Backward from dy, then every number of the gradients of x and of the parameters by differences.
 */
static void check_problem(problem *p, const orr_real *dy, const char *name)
{
    orr_net_tensor t;
    double size, tolerance, largest;
    size_t n = orr_net_param_count(p->net);
    orr_real *dx = orr_alloc(p->n_x, sizeof *dx), *dw = orr_alloc(n, sizeof *dw),
             *one = orr_alloc(n, sizeof *one);

    eval(p, &size);
    tolerance = 1.5 * pow(DBL_EPSILON, 0.9) * size / step() + size * pow(step(), 4);
    OK(nn_backward(p->net, &p->batch->b, dy, p->n_y));
    OK(nn_download(orr_net_backend(p->net), orr_net_input_grad(p->net), dx, p->n_x));
    for (int r = 0; r < p->batch->b.n_segments; r++) {
        OK(orr_net_read(p->net, r, 0, n, one));
        for (size_t i = 0; i < n; i++)
            dw[i] += one[i];
    }
    /* differences are by the parameters that are free: the gradient must be finished */
    OK(orr_net_write(p->net, 0, 0, n, dw));
    OK(orr_net_finish_grads(p->net, orr_net_grads(p->net, 0)));
    OK(orr_net_read(p->net, 0, 0, n, dw));
    OK(orr_net_verify(p->net));
    largest = compare(p, &(variable){ .x = p->x }, dx, p->n_x, tolerance, name);
    assert_true(largest > 1000 * tolerance); /* there was something to see */
    for (int i = 0; i < orr_net_n_tensors(p->net); i++) {
        char what[256];
        orr_net_tensor_info(p->net, i, &t);
        if (t.is_state) continue;
        snprintf(what, sizeof what, "%s: %s", name, t.name);
        compare(p, &(variable){ .param = t.offset }, dw + t.offset, t.count, tolerance, what);
    }
    orr_free(dx);
    orr_free(dw);
    orr_free(one);
}

static void check_case(const nn_case *c, int index, int three_segments)
{
    orr_backend *be;
    orr_graph *g;
    nn_batch batch;
    problem p = { .batch = &batch };
    orr_real *dy;
    char name[128];

    assert_non_null(be = nn_backend(backend_name));
    OK(nn_case_graph(&g, c));
    OK(nn_case_net(&p.net, g, be, 1));
    OK(nn_batch_init(&batch, 0, 1));
    if (three_segments) nn_batch_three_segments(&batch);
    p.aux = nn_batch_aux(&batch, c->n_aux);
    p.n_x = (size_t)batch.b.n * orr_shape_count(c->input);
    p.n_y = (size_t)batch.b.n * orr_shape_count(orr_graph_output(g));
    p.x = orr_alloc(p.n_x, sizeof *p.x);
    dy = orr_alloc(p.n_y, sizeof *dy);
    nn_fill(p.x, p.n_x, 1000 + (uint64_t)index);
    nn_fill(dy, p.n_y, 2000 + (uint64_t)index);
    p.weight = dy;
    snprintf(name, sizeof name, "case %d, %s", index, c->kind);
    check_problem(&p, dy, name);
    orr_net_destroy(p.net);
    orr_graph_destroy(g);
    orr_free(p.x);
    orr_free(dy);
}

static void gradients_match_differences(void **state)
{
    (void)state;
    for (int i = 0; i < n_nn_cases; i++)
        check_case(&nn_cases[i], i, i % 2);
}

static void every_kind_has_a_case(void **state)
{
    int n;
    const orr_layer_kind *const *kinds = orr_layer_kinds(&n);

    (void)state;
    for (int i = 0; i < n; i++) {
        int found = 0;
        for (int j = 0; j < n_nn_cases; j++)
            found |= !strcmp(nn_cases[j].kind, kinds[i]->kind) &&
                     strstr(nn_cases[j].layers, kinds[i]->kind) != NULL;
        if (!found) fail_msg("no case for layer kind %s in nn_cases.c", kinds[i]->kind);
    }
}

/* Options of a row, a third of the way through their ranges; they are numbers. */
static void some_options(const orr_loss_kind *kind, orr_text *out)
{
    orr_text_add(out, "{");
    for (const orr_option *o = kind->options; o && o->type != ORR_OPT_END; o++)
        orr_text_printf(out, "%s: %.3g, ", o->key, o->min + (fmin(o->max, 10) - o->min) / 3);
    orr_text_add(out, "}");
}

/* A small net with a loss on top, the batch of several leaves and segments. */
static void check_loss(const orr_loss_kind *kind, double pos_weight, int with_options)
{
    int classes = kind->output_type == ORR_OUTPUT_CLASSES,
        density = kind->output_type == ORR_OUTPUT_DENSITY,
        n_classes = !classes            ? 0
                    : kind->max_classes ? kind->max_classes
                                        : 3;
    const orr_bins none = { 0 }, bins = { 7, -1, 1.25 };
    orr_loss_spec spec = { .n_classes = n_classes,
                           .width = density ? 1 : 2,
                           .pos_weight = pos_weight,
                           .bins = density ? bins : none };
    orr_text options = ORR_TEXT_INIT, layers_text = ORR_TEXT_INIT;
    orr_config *config;
    const char *name = kind->name;
    nn_case c = { .kind = "linear", .input = { 1, 1, 4 } };
    orr_backend *be;
    orr_graph *g;
    nn_batch batch;
    orr_loss loss;
    int32_t labels[NN_MAX_SAMPLES];
    float values[NN_MAX_SAMPLES * 4];
    orr_real x[NN_MAX_SAMPLES * 4], dy[NN_MAX_SAMPLES * 8];
    double sums[NN_LEAVES];
    const orr_real *there;
    orr_real y[MAX_OUTPUTS];
    problem p = { .batch = &batch, .x = x, .loss = &loss, .labels = labels, .values = values };

    some_options(kind, &options);
    OK(orr_config_parse(&config, options.s, "options"));
    if (with_options) spec.options = orr_config_root(config);
    orr_text_printf(&layers_text, " - linear: {units: 4}\n - batch_norm\n - linear: {units: %d}\n",
                    kind->outputs(&spec));
    c.layers = layers_text.s;
    assert_non_null(be = nn_backend(backend_name));
    OK(nn_case_graph(&g, &c));
    OK(nn_case_net(&p.net, g, be, 1));
    OK(nn_batch_init(&batch, 0, 1));
    nn_batch_three_segments(&batch);
    spec.output = orr_graph_output(g);
    OK(orr_loss_init_kind(&loss, kind, &spec));
    for (int i = 0; i < batch.b.n; i++)
        labels[i] = n_classes ? i % n_classes : 0;
    for (int i = 0; i < NN_MAX_SAMPLES * 4; i++)
        values[i] = (float)nn_number(5, (uint64_t)i);
    p.n_x = (size_t)batch.b.n * 4;
    nn_fill(x, p.n_x, 6);
    p.n_y = (size_t)batch.b.n * orr_shape_count(orr_graph_output(g));
    OK(orr_net_forward(p.net, &batch.b, x, NULL, 1, &there));
    OK(orr_net_output(p.net, y));
    orr_loss_eval(&loss, &batch.b, y, n_classes ? labels : NULL, values, sums, NULL, dy);
    check_problem(&p, dy, name);
    orr_net_destroy(p.net);
    orr_graph_destroy(g);
    orr_config_destroy(config);
    orr_text_free(&options);
    orr_text_free(&layers_text);
}

static void losses_match_differences(void **state)
{
    int n;
    const orr_loss_kind *const *kinds = orr_loss_kinds(&n);

    (void)state;
    for (int i = 0; i < n; i++) {
        check_loss(kinds[i], 1, 0);
        if (kinds[i]->weighs) check_loss(kinds[i], 2.5, 1);
        if (kinds[i]->options) check_loss(kinds[i], 1, 1);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gradients_match_differences),
        cmocka_unit_test(every_kind_has_a_case),
        cmocka_unit_test(losses_match_differences),
    };

    if (argc > 1) backend_name = argv[1];
    if (argc > 2) stride = strtoul(argv[2], NULL, 10);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
