/* tests/nn/test_net.c - slabs, callbacks, the memory plan, running moments, and that a step
 * allocates nothing. The allocator is counted twice: orr_alloc by its own counter, and every malloc
 * of our code by wrapping it (-Wl,--wrap). */
#include "core/memory.h"
#include "core/rng.h"
#include "nn_cases.h"

#include <math.h>
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

/* ---- counting ---- */

static long mallocs;
void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
void *__real_aligned_alloc(size_t align, size_t n);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);
void *__wrap_aligned_alloc(size_t align, size_t n);

void *__wrap_malloc(size_t n)
{
    mallocs++;
    return __real_malloc(n);
}
void *__wrap_calloc(size_t n, size_t size)
{
    mallocs++;
    return __real_calloc(n, size);
}
void *__wrap_realloc(void *p, size_t n)
{
    mallocs++;
    return __real_realloc(p, n);
}
void *__wrap_aligned_alloc(size_t align, size_t n)
{
    mallocs++;
    return __real_aligned_alloc(align, n);
}

static const char *backend_name = "check"; /* of most tests; main's argument */

static orr_backend *backend(void)
{
    orr_backend *be = nn_backend(backend_name);

    assert_non_null(be);
    return be;
}

static orr_real param(const orr_net *net, size_t at)
{
    orr_real x = 0;

    OK(orr_net_read(net, ORR_SLAB_PARAMS, at, 1, &x));
    return x;
}

static orr_real state_at(const orr_net *net, size_t at)
{
    orr_real x = 0;

    OK(orr_net_read(net, ORR_SLAB_STATE, at, 1, &x));
    return x;
}

static void step_counted(const nn_case *c, orr_backend *be)
{
    orr_graph *g;
    orr_net *net;
    nn_batch batch;
    const orr_real *y;
    long before = mallocs;

    OK(nn_case_graph(&g, c));
    OK(nn_case_net(&net, g, be, 1));
    OK(nn_batch_init(&batch, 0, 1));
    assert_true(mallocs > before); /* the wrapper does count */
    size_t n_x = 9 * orr_shape_count(c->input), n_y = 9 * orr_shape_count(orr_graph_output(g));
    orr_real *x = orr_alloc(n_x, sizeof *x), *dy = orr_alloc(n_y, sizeof *dy);
    nn_fill(x, n_x, 1);
    nn_fill(dy, n_y, 2);
    const orr_real *aux = nn_batch_aux(&batch, c->n_aux);
    orr_real *gradient = nn_upload(be, dy, n_y);
    assert_non_null(gradient);
    int64_t ours = orr_alloc_count();
    before = mallocs;
    for (int step = 0; step < 2; step++) {
        OK(orr_net_forward(net, &batch.b, x, aux, 1, &y));
        OK(orr_net_backward(net, &batch.b, gradient));
        OK(orr_net_update_state(net, orr_net_grads(net, 0), 5));
        OK(orr_net_forward(net, &batch.b, x, aux, 0, &y));
    }
    if (mallocs != before || orr_alloc_count() != ours)
        fail_msg("%s allocates in a step with %s", c->kind, be->ops->name);
    OK(orr_net_verify(net));
    be->ops->free(be, gradient);
    orr_free(x);
    orr_free(dy);
    orr_net_destroy(net);
    orr_graph_destroy(g);
}

static void a_step_allocates_nothing(void **state)
{
    (void)state;
    for (int i = 0; i < n_nn_cases; i++) {
        step_counted(&nn_cases[i], backend());
#ifndef ORR_NO_CPU_KERNELS
        step_counted(&nn_cases[i], nn_backend("cpu"));
#endif
    }
}

/* ---- slabs ---- */

static const nn_case chain = {
    .input = { 1, 9, 2 },
    .layers =
        " - conv1d: {filters: 3, size: 3, name: conv}\n - relu\n - batch_norm: {name: norm}\n"
        " - flatten\n - linear: {units: 5, name: fc}\n - tanh\n - linear: {units: 1, name: out}\n",
};

static void tensor(const orr_net *net, const char *name, orr_net_tensor *t)
{
    for (int i = 0; i < orr_net_n_tensors(net); i++) {
        orr_net_tensor_info(net, i, t);
        if (!strcmp(t->name, name)) return;
    }
    fail_msg("no tensor %s", name);
}

static void slabs_lie_in_backward_order(void **state)
{
    static const char *const order[] = { "out.weight",  "out.bias",  "fc.weight",   "fc.bias",
                                         "norm.weight", "norm.bias", "conv.weight", "conv.bias" };
    static const char *const listed[] = { "conv.weight",     "conv.bias", "norm.weight",
                                          "norm.bias",       "fc.weight", "fc.bias",
                                          "out.weight",      "out.bias",  "norm.running_mean",
                                          "norm.running_var" };
    orr_graph *g;
    orr_net *net;
    orr_net_tensor t;
    size_t end = 0;

    (void)state;
    OK(nn_case_graph(&g, &chain));
    OK(nn_case_net(&net, g, backend(), 1));
    for (size_t i = 0; i < sizeof order / sizeof *order; i++) {
        tensor(net, order[i], &t);
        assert_int_equal(t.offset, (end + 15) / 16 * 16);
        end = t.offset + t.count;
    }
    assert_int_equal(orr_net_param_count(net), (end + 15) / 16 * 16);
    assert_int_equal(orr_net_slab_count(net),
                     orr_net_param_count(net) + 16); /* 2 * 3 + 1 statistics */
    assert_int_equal(orr_net_n_tensors(net), 10);
    for (int i = 0; i < 10; i++) {
        orr_net_tensor_info(net, i, &t);
        assert_string_equal(t.name, listed[i]);
        assert_int_equal(t.is_state, i >= 8);
    }
    assert_int_equal((uintptr_t)orr_net_params(net) % ORR_ALIGN, 0);
    assert_int_equal((uintptr_t)orr_net_grads(net, 5) % ORR_ALIGN, 0);
    assert_null(orr_net_grads(net, 6));
    tensor(net, "conv.weight", &t);
    assert_int_equal(t.n_dims, 3);
    assert_memory_equal(t.dims, ((const int[]){ 3, 2, 3 }), 3 * sizeof(int));
    orr_net_destroy(net);
    orr_graph_destroy(g);
}

static void layouts_are_pytorchs(void **state)
{
    const nn_case c = { .input = { 5, 6, 4 },
                        .layers = " - conv2d: {filters: 6, size: [3, 2], groups: 2}\n" };
    enum { K = 6, C = 2, R = 3, S = 2, N = K * C * R * S };
    orr_real file[N], back[N], w[N];
    orr_graph *g;
    orr_net *net;
    orr_net_tensor t;

    (void)state;
    OK(nn_case_graph(&g, &c));
    OK(nn_case_net(&net, g, backend(), 1));
    orr_net_tensor_info(net, 0, &t);
    assert_int_equal(t.n_dims, 4);
    assert_memory_equal(t.dims, ((const int[]){ K, C, R, S }), sizeof t.dims);
    for (int i = 0; i < N; i++)
        file[i] = (orr_real)i;
    OK(orr_net_write_tensor(net, 0, file));
    OK(orr_net_read(net, ORR_SLAB_PARAMS, t.offset, N, w));
    for (int k = 0; k < K; k++)
        for (int ch = 0; ch < C; ch++)
            for (int r = 0; r < R; r++)
                for (int s = 0; s < S; s++)
                    assert_int_equal(w[((k * R + r) * S + s) * C + ch],
                                     ((k * C + ch) * R + r) * S + s);
    OK(orr_net_read_tensor(net, 0, back));
    assert_memory_equal(back, file, sizeof file);
    orr_net_destroy(net);
    orr_graph_destroy(g);
}

static void init_is_torchs_and_keyed(void **state)
{
    orr_graph *g;
    orr_net *net;
    orr_net_tensor t;
    double bound = 1 / sqrt(6), sum = 0;
    orr_real first[18], again[18];

    (void)state;
    OK(nn_case_graph(&g, &chain));
    OK(nn_case_net(&net, g, backend(), 1));
    OK(orr_net_init(net, 5));
    tensor(net, "conv.weight", &t);
    for (size_t i = 0; i < t.count; i++) {
        first[i] = param(net, t.offset + i);
        assert_true(fabs(first[i]) <= bound);
        sum += fabs(first[i]);
    }
    assert_true(sum / 18 > 0.3 * bound && sum / 18 < 0.7 * bound);
    orr_rng r = orr_rng_stream(orr_rng_key(5, ORR_RNG_INIT, 0, 0, 0));
    assert_true(first[0] == (orr_real)(bound * (2 * orr_rng_uniform(&r) - 1)));
    tensor(net, "norm.weight", &t);
    assert_true(param(net, t.offset) == 1);
    tensor(net, "norm.running_var", &t);
    assert_true(state_at(net, t.offset) == 1);
    for (size_t i = 18; i < 32; i++) { /* the gap behind conv.weight */
        tensor(net, "conv.weight", &t);
        assert_true(param(net, t.offset + i) == 0);
    }
    OK(orr_net_init(net, 5));
    OK(orr_net_read(net, ORR_SLAB_PARAMS, t.offset, 18, again));
    assert_memory_equal(first, again, sizeof first);
    OK(orr_net_init(net, 6));
    OK(orr_net_read(net, ORR_SLAB_PARAMS, t.offset, 18, again));
    assert_memory_not_equal(first, again, sizeof first);
    orr_net_destroy(net);
    orr_graph_destroy(g);
}

/* Every number of a tensor, in file order, against its own draws; bound 0: against `fill`. */
static void check_first_values(const orr_net *net, int number, const char *name, size_t count,
                               double bound, double fill)
{
    orr_net_tensor t;
    orr_rng r = orr_rng_stream(orr_rng_key(5, ORR_RNG_INIT, 0, (uint64_t)number, 0));

    orr_net_tensor_info(net, number, &t);
    assert_string_equal(t.name, name);
    assert_int_equal(t.count, count);
    orr_real *file = orr_alloc(count, sizeof *file);
    OK(orr_net_read_tensor(net, number, file));
    for (size_t i = 0; i < count; i++) {
        double wanted = bound > 0 ? bound * (2 * orr_rng_uniform(&r) - 1) : fill;
        if (file[i] != (orr_real)wanted)
            fail_msg("%s[%zu] is %.9g, not %.9g", name, i, (double)file[i], wanted);
    }
    orr_free(file);
}

static void layers_say_how_they_begin(void **state)
{
    const nn_case c = { .input = { 6, 5, 4 },
                        .layers =
                            " - conv2d: {filters: 6, size: [3, 2], groups: 2, init: glorot, "
                            "name: conv}\n"
                            " - prelu: {init: -0.125, per_channel: true, name: act}\n"
                            " - flatten\n"
                            " - linear: {units: 10, init: he, name: he}\n"
                            " - linear: {units: 7, bias_init: -2e1, name: torch}\n"
                            " - linear: {units: 3, init: glorot, bias_init: 0.1, name: glorot}\n"
                            " - linear: {units: 2, name: out}\n" };
    orr_graph *g;
    orr_net *net;

    (void)state;
    OK(nn_case_graph(&g, &c));
    OK(nn_case_net(&net, g, backend(), 0));
    OK(orr_net_init(net, 5));
    /* Keras: 3 * 2 taps of 2 input channels of the kernel, and of 6 filters */
    check_first_values(net, 0, "conv.weight", 72, sqrt(6.0 / (6 * 2 + 6 * 6)), 0);
    check_first_values(net, 1, "conv.bias", 6, 0, 0);
    check_first_values(net, 2, "act.weight", 6, 0, -0.125);
    check_first_values(net, 3, "he.weight", 960, sqrt(6.0 / 96), 0);
    check_first_values(net, 4, "he.bias", 10, 0, 0);
    check_first_values(net, 5, "torch.weight", 70, 1 / sqrt(10), 0);
    check_first_values(net, 6, "torch.bias", 7, 0, -20);
    check_first_values(net, 7, "glorot.weight", 21, sqrt(6.0 / 10), 0);
    check_first_values(net, 8, "glorot.bias", 3, 0, 0.1);
    check_first_values(net, 9, "out.weight", 6, 1 / sqrt(3), 0);
    check_first_values(net, 10, "out.bias", 2, 1 / sqrt(3), 0);
    orr_net_destroy(net);
    orr_graph_destroy(g);
}

/* ---- numbers beside the samples ---- */

static void aux_numbers_arrive(void **state)
{
    const nn_case c = { .input = { 1, 1, 2 },
                        .layers = " - aux: {name: m}\n - concat: {inputs: [m, input, m]}\n",
                        .n_aux = 3 };
    orr_graph *g;
    orr_net *net;
    nn_batch batch, none = { .b = { .n_global = 9 } };
    const orr_real *there, *aux;
    orr_real x[9 * 2], dy[9 * 8], y[9 * 8];

    (void)state;
    OK(nn_case_graph(&g, &c));
    assert_int_equal(orr_graph_n_aux(g), 3);
    OK(nn_case_net(&net, g, backend(), 1));
    OK(nn_batch_init(&batch, 0, 1));
    nn_fill(x, 18, 1);
    nn_fill(dy, 72, 2);
    aux = nn_batch_aux(&batch, 3);
    OK(orr_net_forward(net, &batch.b, x, aux, 1, &there));
    OK(orr_net_output(net, y));
    for (int i = 0; i < 9; i++) {
        assert_memory_equal(y + 8 * i, aux + 3 * i, 3 * sizeof *y);
        assert_memory_equal(y + 8 * i + 3, x + 2 * i, 2 * sizeof *y);
        assert_memory_equal(y + 8 * i + 5, aux + 3 * i, 3 * sizeof *y);
    }
    OK(nn_backward(net, &batch.b, dy, 72)); /* the gradient goes to the input alone */
    OK(nn_download(backend(), orr_net_input_grad(net), y, 18));
    for (int i = 0; i < 9; i++)
        assert_memory_equal(y + 2 * i, dy + 8 * i + 3, 2 * sizeof *y);
    assert_int_equal(orr_net_forward(net, &batch.b, x, NULL, 0, &there), ORR_ERR_ARG);
    assert_string_equal(orr_error_text(),
                        "the net reads 3 numbers beside each sample: there are none");
    assert_null(there);
    OK(orr_net_forward(net, &none.b, x, NULL, 1, &there)); /* a rank without samples */
    OK(orr_net_verify(net));
    orr_net_destroy(net);
    orr_graph_destroy(g);
}

/* ---- callbacks ---- */

typedef struct listener {
    orr_net *net;
    size_t end;
    int calls, fail_at, n_segments;
} listener;

static orr_status listen(void *ctx, size_t offset, size_t n)
{
    enum { MOST = 256 };
    listener *l = ctx;
    orr_real x[MOST];

    assert_int_equal(offset, l->end);
    assert_true(n > 0);
    assert_true(n <= MOST);
    for (int r = 0; r < l->n_segments; r++) { /* final: no poison, no number missing */
        OK(orr_net_read(l->net, r, offset, n, x));
        for (size_t i = 0; i < n; i++)
            assert_false(isnan(x[i]));
    }
    l->end = offset + n;
    if (++l->calls == l->fail_at) return orr_fail(ORR_ERR_COMM, "the wire broke");
    return ORR_OK;
}

static void ranges_come_in_slab_order(void **state)
{
    orr_graph *g;
    orr_net *net;
    nn_batch batch;
    const orr_real *y;
    orr_real x[9 * 18], dy[9];
    listener l = { 0 };

    (void)state;
    OK(nn_case_graph(&g, &chain));
    OK(nn_case_net(&net, g, backend(), 1));
    OK(nn_batch_init(&batch, 0, 1));
    nn_batch_three_segments(&batch);
    nn_fill(x, 9 * 18, 1);
    nn_fill(dy, 9, 2);
    l = (listener){ .net = net, .n_segments = 3 };
    orr_net_on_grad(net, listen, &l);
    OK(orr_net_forward(net, &batch.b, x, NULL, 1, &y));
    OK(nn_backward(net, &batch.b, dy, 9));
    assert_int_equal(l.end, orr_net_slab_count(net));
    assert_int_equal(l.calls, 5); /* four layers with parameters, and the statistics */

    l = (listener){ .net = net, .n_segments = 3, .fail_at = 2 };
    OK(orr_net_forward(net, &batch.b, x, NULL, 1, &y));
    assert_int_equal(nn_backward(net, &batch.b, dy, 9), ORR_ERR_COMM);
    assert_int_equal(l.calls, 2);
    assert_string_equal(orr_error_text(), "the wire broke");

    /* A rank without leaves still reports every range: the others wait for it. */
    nn_batch none;
    OK(nn_batch_init(&none, 0, 8));
    assert_int_equal(none.b.n_leaves, 0);
    l = (listener){ .net = net };
    OK(orr_net_forward(net, &none.b, x, NULL, 1, &y));
    OK(nn_backward(net, &none.b, dy, 9));
    assert_int_equal(l.end, orr_net_slab_count(net));
    orr_net_destroy(net);
    orr_graph_destroy(g);
}

/* ---- memory ---- */

static size_t bytes_of(const nn_case *c, int training, size_t *unshared)
{
    const int size = 9;
    orr_limits limits = { .max_samples = 9,
                          .max_leaves = 1,
                          .max_segments = 1,
                          .n_leaf_sizes = 1,
                          .leaf_sizes = &size,
                          .training = training };
    orr_graph *g;
    orr_net *net;
    size_t n;

    OK(nn_case_graph(&g, c));
    OK(orr_net_create(&net, g, backend(), &limits));
    n = orr_net_activation_bytes(net);
    *unshared = orr_net_activation_bytes_unshared(net);
    orr_net_destroy(net);
    orr_graph_destroy(g);
    return n;
}

static void activations_share_memory(void **state)
{
    const nn_case c = { .input = { 1, 12, 4 },
                        .layers = " - conv1d: {filters: 4, size: 3, padding: 1}\n - relu\n"
                                  " - conv1d: {filters: 4, size: 3, padding: 1}\n - relu\n"
                                  " - conv1d: {filters: 4, size: 3, padding: 1}\n - relu\n" };
    const size_t one = 9 * 12 * 4 * sizeof(orr_real);
    size_t unshared;

    (void)state;
    /* Evaluation: ReLU works in place and two buffers take turns. */
    assert_int_equal(bytes_of(&c, 0, &unshared), 2 * one);
    assert_int_equal(unshared, 6 * one);
    /* Training keeps the three ReLU outputs.  Gradients: relu3 -> 1; conv3 -> 2; relu2 over 2;
     * conv2 -> 1; relu1 over 1; the input's is not wanted. */
    assert_int_equal(bytes_of(&c, 1, &unshared), 5 * one);
    assert_int_equal(unshared, (6 + 5) * one);
}

/* Writes one number past a slab, as an operation could, and takes it back. */
static void beside(orr_net *net, orr_real *at, const char *what)
{
    orr_backend *be = backend();
    orr_real keep, one = 1;

    be->ops->download(be, &keep, at, sizeof keep);
    be->ops->upload(be, at, &one, sizeof one);
    assert_int_equal(orr_net_verify(net), ORR_ERR_INTERNAL);
    assert_non_null(strstr(orr_error_text(), what));
    be->ops->upload(be, at, &keep, sizeof keep);
}

static void a_write_beside_a_buffer_is_seen(void **state)
{
    orr_graph *g;
    orr_net *net;

    (void)state;
    OK(nn_case_graph(&g, &chain));
    OK(nn_case_net(&net, g, backend(), 1));
    OK(orr_net_verify(net));
    beside(net, orr_net_params(net) + orr_net_param_count(net), "parameter slab 0: ");
    beside(net, orr_net_grads(net, 2) - 1, "gradient slab 2: ");
    OK(orr_net_verify(net));
    orr_net_destroy(net);
    orr_graph_destroy(g);
}

static void running_out_of_memory_is_survived(void **state)
{
    orr_graph *g;
    int failed = 0;

    (void)state;
    OK(nn_case_graph(&g, &nn_cases[n_nn_cases - 1]));
    for (int i = 1;; i++) {
        orr_net *net = (orr_net *)&failed;
        orr_alloc_fail_at(i);
        orr_status st = nn_case_net(&net, g, backend(), 1);
        orr_alloc_fail_at(0);
        if (st == ORR_OK) {
            OK(orr_net_verify(net));
            orr_net_destroy(net);
            break;
        }
        if (st != ORR_ERR_NOMEM) fail_msg("allocation %d: %s", i, orr_error_text());
        assert_null(net);
        failed++;
    }
    assert_true(failed > 40);
    orr_graph_destroy(g);
}

/* ---- misuse ---- */

static void misuse_is_refused(void **state)
{
    orr_graph *g;
    orr_net *net, *second;
    nn_batch batch;
    const orr_real *y;
    orr_real x[9 * 6] = { 0 }, dy[9 * 6] = { 0 };
    const nn_case c = { .input = { 1, 1, 6 },
                        .layers = " - linear: {units: 6}\n - dropout: {name: drop}\n" };

    (void)state;
    OK(nn_case_graph(&g, &c));
    OK(nn_case_net(&net, g, backend(), 1));
    assert_int_equal(nn_case_net(&second, g, backend(), 1), ORR_ERR_ARG);
    assert_int_equal(orr_graph_add(g, "relu", NULL, NULL, NULL, 0, NULL), ORR_ERR_ARG);
    OK(nn_batch_init(&batch, 0, 1));
    assert_int_equal(nn_backward(net, &batch.b, dy, 54), ORR_ERR_ARG);
    OK(orr_net_forward(net, &batch.b, x, NULL, 0, &y));
    assert_int_equal(nn_backward(net, &batch.b, dy, 54), ORR_ERR_ARG);
    OK(orr_net_forward(net, &batch.b, x, NULL, 1, &y));
    OK(nn_backward(net, &batch.b, dy, 54));
    assert_int_equal(nn_backward(net, &batch.b, dy, 54),
                     ORR_ERR_ARG); /* what forward kept is spent */
    OK(orr_net_forward(net, &batch.b, x, NULL, 1, &y));
    batch.keys[8]++; /* another batch: its dropout would be */
    assert_int_equal(nn_backward(net, &batch.b, dy, 54), ORR_ERR_ARG);
    batch.keys[8]--;
    OK(nn_backward(net, &batch.b, dy, 54));
    batch.b.keys = NULL;
    assert_int_equal(orr_net_forward(net, &batch.b, x, NULL, 1, &y), ORR_ERR_ARG);
    assert_string_equal(orr_error_text(), "layer drop: training needs the samples' keys");
    OK(orr_net_forward(net, &batch.b, x, NULL, 0, &y));
    batch.leaf[1] = batch.leaf[2] = batch.leaf[3] = 0; /* one leaf of 6: not planned for */
    assert_int_equal(orr_net_forward(net, &batch.b, x, NULL, 0, &y), ORR_ERR_ARG);
    assert_string_equal(orr_error_text(),
                        "leaf 3 holds 6 samples, a size the net was not made for");
    batch.b.n = 10;
    assert_int_equal(orr_net_forward(net, &batch.b, x, NULL, 0, &y), ORR_ERR_ARG);
    assert_null(y);
    orr_net_destroy(net);
    OK(nn_case_net(&net, g, backend(), 0));
    OK(nn_batch_init(&batch, 0, 1));
    assert_int_equal(orr_net_forward(net, &batch.b, x, NULL, 1, &y), ORR_ERR_ARG);
    assert_null(orr_net_grads(net, 0));
    assert_null(orr_net_input_grad(net));
    orr_net_destroy(net);
    orr_graph_destroy(g);
}

/* ---- batch norm's running moments, and dropout ---- */

static void moments(const orr_real *x, int from, int to, int c, int pixels, double *mean,
                    double *var)
{
    int n = (to - from) * pixels;

    *mean = *var = 0;
    for (int i = from * pixels; i < to * pixels; i++)
        *mean += (double)x[i * 3 + c] / n;
    for (int i = from * pixels; i < to * pixels; i++)
        *var += pow((double)x[i * 3 + c] - *mean, 2) / (n - 1);
}

/* One update by hand: mean and unbiased variance over non-empty leaves, or over the batch. */
static void check_running(const char *layers, int pixels, int over_batch)
{
    const nn_case c = { .input = { 1, pixels, 3 }, .layers = layers };
    orr_graph *g;
    orr_net *net;
    nn_batch batch;
    const orr_real *y;
    orr_real x[9 * 4 * 3];

    OK(nn_case_graph(&g, &c));
    OK(nn_case_net(&net, g, backend(), 1));
    OK(orr_net_init(net, 1));
    OK(nn_batch_init(&batch, 0, 1));
    nn_fill(x, (size_t)(9 * pixels * 3), 3);
    OK(orr_net_forward(net, &batch.b, x, NULL, 1, &y));
    OK(orr_net_backward(net, &batch.b, y));
    OK(orr_net_update_state(net, orr_net_grads(net, 0), 5));
    for (int ch = 0; ch < 3; ch++) {
        double mean = 0, var = 0, m, v;
        int with_variance = 0;
        for (int i = 0; i < NN_LEAVES && !over_batch; i++) {
            int n = (nn_leaf_begin[i + 1] - nn_leaf_begin[i]) * pixels;
            if (n == 0) continue;
            moments(x, nn_leaf_begin[i], nn_leaf_begin[i + 1], ch, pixels, &m, &v);
            mean += m / 5;
            if (n < 2) continue;
            var += v;
            with_variance++;
        }
        if (over_batch) moments(x, 0, 9, ch, pixels, &mean, &var);
        if (!over_batch) var /= with_variance;
        assert_true(fabs(state_at(net, (size_t)ch) - 0.1 * mean) < 1e-6);
        assert_true(fabs(state_at(net, (size_t)(16 + ch)) - (0.9 + 0.1 * var)) < 1e-6);
    }
    orr_net_destroy(net);
    orr_graph_destroy(g);
}

static void running_moments_are_updated(void **state)
{
    (void)state;
    check_running(" - batch_norm\n", 4, 0);
    check_running(" - batch_norm\n", 1, 0); /* leaves of one number have no variance */
    check_running(" - batch_norm: {over: batch}\n", 4, 1);
    check_running(" - batch_norm: {over: batch}\n", 1, 1);
}

static void a_leaf_of_one_number_gives_beta(void **state)
{
    const nn_case c = { .input = { 1, 1, 3 }, .layers = " - batch_norm: {name: bn}\n" };
    orr_graph *g;
    orr_net *net;
    nn_batch batch;
    const orr_real *there;
    orr_real x[27], dy[27], y[27];
    orr_net_tensor beta;

    (void)state;
    OK(nn_case_graph(&g, &c));
    OK(nn_case_net(&net, g, backend(), 1));
    OK(nn_batch_init(&batch, 0, 1));
    nn_fill(x, 27, 3);
    nn_fill(dy, 27, 4);
    tensor(net, "bn.bias", &beta);
    OK(orr_net_forward(net, &batch.b, x, NULL, 1, &there));
    OK(orr_net_output(net, y));
    for (int j = 0; j < 3; j++)
        assert_true(y[2 * 3 + j] == param(net, beta.offset + (size_t)j)); /* leaf 2 is sample 2 */
    OK(nn_backward(net, &batch.b, dy, 27));
    OK(nn_download(backend(), orr_net_input_grad(net), y, 27));
    for (int j = 0; j < 3; j++)
        assert_true(y[2 * 3 + j] == 0);
    orr_net_destroy(net);
    orr_graph_destroy(g);
}

static void dropout_is_nothing_in_evaluation(void **state)
{
    const nn_case c = { .input = { 1, 1, 6 }, .layers = " - dropout: {rate: 0.5}\n" };
    orr_graph *g;
    orr_net *net;
    nn_batch batch;
    const orr_real *there;
    orr_real x[54], y[54];
    int zeros = 0;

    (void)state;
    OK(nn_case_graph(&g, &c));
    OK(nn_case_net(&net, g, backend(), 1));
    OK(nn_batch_init(&batch, 0, 1));
    nn_fill(x, 54, 3);
    OK(orr_net_forward(net, &batch.b, x, NULL, 0, &there));
    OK(orr_net_output(net, y));
    assert_memory_equal(x, y, sizeof x);
    OK(orr_net_forward(net, &batch.b, x, NULL, 1, &there));
    OK(orr_net_output(net, y));
    for (int i = 0; i < 54; i++) {
        zeros += y[i] == 0;
        assert_true(y[i] == 0 || y[i] == 2 * x[i]);
    }
    assert_true(zeros > 10 && zeros < 44);
    orr_net_destroy(net);
    orr_graph_destroy(g);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_step_allocates_nothing),
        cmocka_unit_test(slabs_lie_in_backward_order),
        cmocka_unit_test(layouts_are_pytorchs),
        cmocka_unit_test(init_is_torchs_and_keyed),
        cmocka_unit_test(layers_say_how_they_begin),
        cmocka_unit_test(aux_numbers_arrive),
        cmocka_unit_test(ranges_come_in_slab_order),
        cmocka_unit_test(activations_share_memory),
        cmocka_unit_test(a_write_beside_a_buffer_is_seen),
        cmocka_unit_test(running_out_of_memory_is_survived),
        cmocka_unit_test(misuse_is_refused),
        cmocka_unit_test(running_moments_are_updated),
        cmocka_unit_test(a_leaf_of_one_number_gives_beta),
        cmocka_unit_test(dropout_is_nothing_in_evaluation),
    };

    if (argc > 1) backend_name = argv[1];
    return cmocka_run_group_tests(tests, NULL, NULL);
}
