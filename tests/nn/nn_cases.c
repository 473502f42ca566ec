/* tests/nn/nn_cases.c - the nets, the batch, the numbers. */
#include "nn_cases.h"

#include "core/memory.h"
#include "core/rng.h"

#include <stdio.h>
#include <string.h>

#define VECTOR(C)                                                                                  \
    {                                                                                              \
        1, 1, C                                                                                    \
    }
#define SERIES(W, C)                                                                               \
    {                                                                                              \
        1, W, C                                                                                    \
    }
#define IMAGE(H, W, C)                                                                             \
    {                                                                                              \
        H, W, C                                                                                    \
    }

const nn_case nn_cases[] = {
    { "linear", VECTOR(4), " - linear: {units: 3}\n", 0 },
    { "linear", VECTOR(5), " - linear: {units: 4}\n - linear: {units: 1, bias: false}\n", 0 },
    { "conv1d", SERIES(9, 2), " - conv1d: {filters: 3, size: 3}\n", 0 },
    { "conv1d", SERIES(8, 3), " - conv1d: {filters: 2, size: 4, stride: 3, padding: same}\n", 0 },
    { "conv1d", SERIES(9, 2),
      " - conv1d: {filters: 3, size: 5, symmetric: true, padding: same}\n - tanh\n"
      " - conv1d: {filters: 4, size: 4, symmetric: true, stride: 2, name: even}\n",
      0 },
    { "conv1d", SERIES(9, 4),
      " - conv1d: {filters: 6, size: 3, symmetric: true, groups: 2, bias: false}\n", 0 },
    { "conv1d", SERIES(9, 4),
      " - conv1d: {filters: 6, size: 3, dilation: 2, padding: 2, groups: 2, bias: false}\n", 0 },
    { "conv2d", IMAGE(5, 6, 2), " - conv2d: {filters: 3, size: 3}\n", 0 },
    { "conv2d", IMAGE(5, 6, 2),
      " - conv2d: {filters: 2, size: [3, 2], stride: [2, 1], padding: [1, 0], dilation: [1, "
      "2]}\n",
      0 },
    { "conv2d", IMAGE(4, 5, 3), " - conv2d: {filters: 6, size: 5, padding: same, groups: 3}\n", 0 },
    { "conv2d", IMAGE(6, 7, 2), " - conv2d: {filters: 3, size: 4, stride: 2, padding: same}\n", 0 },
    { "max_pool1d", SERIES(8, 3), " - max_pool1d: {size: 3}\n", 0 },
    { "max_pool1d", SERIES(8, 3), " - max_pool1d: {size: 3, stride: 2, padding: 1}\n", 0 },
    { "max_pool2d", IMAGE(5, 6, 2), " - max_pool2d: {size: 2}\n", 0 },
    { "max_pool2d", IMAGE(5, 6, 2),
      " - max_pool2d: {size: [3, 2], stride: [1, 2], padding: same}\n", 0 },
    { "avg_pool1d", SERIES(8, 3), " - avg_pool1d: {size: 3}\n", 0 },
    { "avg_pool1d", SERIES(8, 3), " - avg_pool1d: {size: 4, stride: 2, padding: 2}\n", 0 },
    { "avg_pool2d", IMAGE(5, 6, 2), " - avg_pool2d: {size: 2, stride: 1, padding: same}\n", 0 },
    { "avg_pool2d", IMAGE(5, 6, 2),
      " - avg_pool2d: {size: 3, padding: [1, 0], count_include_pad: false}\n", 0 },
    { "global_avg_pool", IMAGE(3, 5, 4), " - global_avg_pool\n", 0 },
    { "batch_norm", SERIES(4, 3), " - batch_norm\n", 0 },
    { "batch_norm", VECTOR(3), " - batch_norm: {eps: 0.01}\n", 0 },
    { "batch_norm", SERIES(4, 3), " - batch_norm: {over: batch}\n", 0 },
    { "batch_norm", VECTOR(3),
      " - linear: {units: 4, bias: false}\n - batch_norm: {over: batch}\n - tanh\n", 0 },
    { "relu", IMAGE(3, 4, 2), " - relu\n", 0 },
    { "leaky_relu", SERIES(5, 2), " - leaky_relu: {slope: 0.2}\n", 0 },
    { "prelu", SERIES(5, 3), " - prelu\n", 0 },
    { "prelu", IMAGE(2, 3, 3), " - prelu: {per_channel: true}\n", 0 },
    { "elu", SERIES(5, 2), " - elu: {alpha: 1.5}\n", 0 },
    { "silu", SERIES(5, 2), " - silu\n", 0 },
    { "sigmoid", VECTOR(6), " - sigmoid\n", 0 },
    { "tanh", VECTOR(6), " - tanh\n", 0 },
    { "softmax", SERIES(3, 5), " - softmax\n", 0 },
    { "dropout", IMAGE(3, 2, 3), " - dropout: {rate: 0.3}\n", 0 },
    { "dropout", VECTOR(6), " - linear: {units: 9}\n - relu\n - dropout\n - linear: {units: 2}\n",
      0 },
    { "flatten", IMAGE(3, 2, 3), " - flatten\n - linear: {units: 2}\n", 0 },
    { "flatten", IMAGE(3, 2, 3), " - tanh\n - flatten: {order: last}\n - linear: {units: 2}\n", 0 },
    { "concat", SERIES(4, 2),
      " - conv1d: {filters: 3, size: 1, name: a}\n - relu\n"
      " - conv1d: {filters: 2, size: 3, padding: 1, input: a, name: b}\n"
      " - concat: {inputs: [relu1, b, input, b]}\n",
      0 },
    { "aux", SERIES(6, 2),
      " - conv1d: {filters: 3, size: 3}\n - flatten: {order: last, name: f}\n - aux: {name: m}\n"
      " - linear: {units: 2}\n - tanh\n - concat: {inputs: [f, tanh1, m]}\n"
      " - linear: {units: 3, init: glorot, bias_init: 0.5}\n",
      3 },
    { "aux", VECTOR(3),
      " - aux\n - add: {inputs: [aux1, input]}\n - prelu: {init: 0.5}\n - aux\n"
      " - concat: {inputs: [prelu1, aux2]}\n",
      3 },
    { "aux", VECTOR(2),
      " - linear: {units: 3, name: a}\n - aux: {name: m}\n - relu\n - concat: {inputs: [relu1, "
      "a]}\n",
      2 },
    { "add", SERIES(4, 2),
      " - conv1d: {filters: 2, size: 3, padding: same}\n - tanh\n"
      " - conv1d: {filters: 2, size: 3, padding: same, name: c}\n"
      " - add: {inputs: [c, tanh1, input]}\n - silu\n - add: {inputs: [silu1, silu1]}\n",
      0 },
    { "add", IMAGE(4, 4, 2),
      " - conv2d: {filters: 3, size: 3, padding: same, name: stem, bias: false}\n - batch_norm\n - "
      "relu\n"
      " - conv2d: {filters: 3, size: 3, padding: same, bias: false}\n - batch_norm: {over: "
      "batch}\n - relu\n"
      " - dropout: {rate: 0.25}\n - add: {inputs: [dropout1, relu1], name: sum}\n - elu\n"
      " - max_pool2d: {size: 2, name: p}\n - avg_pool2d: {size: 2, input: sum, name: q}\n"
      " - concat: {inputs: [p, q]}\n - flatten\n - linear: {units: 5}\n - silu\n"
      " - linear: {units: 1}\n",
      0 },
};
const int n_nn_cases = sizeof nn_cases / sizeof *nn_cases;

const nn_case nn_large_cases[] = {
    { "linear", VECTOR(501), " - linear: {units: 67}\n", 0 },
    { "linear", VECTOR(64), " - linear: {units: 1}\n", 0 },
    { "conv1d", SERIES(197, 2), " - conv1d: {filters: 6, size: 3}\n", 0 },
    { "conv1d", SERIES(101, 16), " - conv1d: {filters: 32, size: 5, padding: same}\n", 0 },
    { "conv1d", SERIES(120, 12),
      " - conv1d: {filters: 20, size: 7, stride: 2, padding: 3, groups: 4}\n", 0 },
    { "conv2d", IMAGE(17, 19, 5), " - conv2d: {filters: 16, size: 3, padding: same}\n", 0 },
    { "conv2d", IMAGE(16, 16, 16), " - conv2d: {filters: 33, size: 1}\n", 0 },
    { "conv2d", IMAGE(15, 18, 24), " - conv2d: {filters: 24, size: 5, padding: same, groups: 24}\n",
      0 },
    { "conv2d", IMAGE(20, 21, 3),
      " - conv2d: {filters: 18, size: [7, 5], stride: [2, 3], padding: [3, 1], dilation: [1, 2], "
      "bias: false}\n",
      0 },
    { "max_pool1d", SERIES(200, 17), " - max_pool1d: {size: 3}\n", 0 },
    { "max_pool2d", IMAGE(21, 18, 16), " - max_pool2d: {size: 3, stride: 2, padding: 1}\n", 0 },
    { "avg_pool1d", SERIES(200, 17), " - avg_pool1d: {size: 5, stride: 2, padding: same}\n", 0 },
    { "avg_pool2d", IMAGE(21, 18, 16), " - avg_pool2d: {size: 2, stride: 1, padding: same}\n", 0 },
    { "global_avg_pool", IMAGE(19, 21, 33), " - global_avg_pool\n", 0 },
    { "batch_norm", SERIES(97, 37), " - batch_norm\n", 0 },
    { "batch_norm", IMAGE(13, 11, 16), " - batch_norm: {over: batch}\n", 0 },
    { "relu", IMAGE(13, 11, 7), " - relu\n", 0 },
    { "leaky_relu", IMAGE(13, 11, 7), " - leaky_relu\n", 0 },
    { "prelu", SERIES(131, 19), " - prelu\n", 0 },
    { "prelu", SERIES(131, 19), " - prelu: {per_channel: true}\n", 0 },
    { "elu", IMAGE(13, 11, 7), " - elu\n", 0 },
    { "silu", IMAGE(13, 11, 7), " - silu\n", 0 },
    { "sigmoid", IMAGE(13, 11, 7), " - sigmoid\n", 0 },
    { "tanh", IMAGE(13, 11, 7), " - tanh\n", 0 },
    { "softmax", SERIES(7, 101), " - softmax\n", 0 },
    { "dropout", IMAGE(13, 11, 7), " - dropout: {rate: 0.3}\n", 0 },
    { "flatten", SERIES(354, 16), " - flatten\n", 0 },
    { "concat", SERIES(33, 17), " - prelu: {name: a}\n - concat: {inputs: [input, a, input]}\n",
      0 },
    { "add", SERIES(33, 17), " - prelu: {name: a}\n - add: {inputs: [input, a, input]}\n", 0 },
    { "aux", IMAGE(9, 7, 16),
      " - conv2d: {filters: 24, size: 3, padding: same, init: he}\n - prelu: {per_channel: true, "
      "init: 0}\n"
      " - avg_pool2d: {size: 2, padding: same}\n - flatten: {order: last, name: f}\n - aux\n"
      " - concat: {inputs: [f, aux1]}\n - linear: {units: 33}\n",
      4 },
};
const int n_nn_large_cases = sizeof nn_large_cases / sizeof *nn_large_cases;

const int nn_leaf_begin[NN_LEAVES + 1] = { 0, 2, 2, 3, 6, 7, 9 };

double nn_number(uint64_t stream, uint64_t i)
{
    uint64_t key = orr_rng_key(stream, ORR_RNG_TEST, 0, 0, 0);

    return 2.0 * (double)orr_rng_unit(orr_rng_block(key, i).v[0]) - 1.0;
}

void nn_fill(orr_real *x, size_t n, uint64_t stream)
{
    for (size_t i = 0; i < n; i++)
        x[i] = (orr_real)nn_number(stream, i);
}

orr_status nn_batch_init(nn_batch *t, int rank, int size)
{
    *t = (nn_batch){ 0 };
    ORR_TRY(orr_leaf_plan_init(&t->plan, NN_LEAVES, rank, size));
    t->first_sample = nn_leaf_begin[t->plan.first];
    for (int i = t->plan.first; i <= t->plan.last; i++)
        t->leaf[i - t->plan.first] = nn_leaf_begin[i] - t->first_sample;
    for (int i = 0; i <= t->plan.n_segments; i++)
        t->segment[i] = t->plan.segment[i] - t->plan.first;
    t->b = (orr_batch){ .n_leaves = t->plan.last - t->plan.first,
                        .leaf = t->leaf,
                        .n_segments = t->plan.n_segments,
                        .segment = t->segment,
                        .n_global = nn_leaf_begin[NN_LEAVES],
                        .keys = t->keys };
    t->b.n = t->leaf[t->b.n_leaves];
    for (int i = 0; i < t->b.n; i++)
        t->keys[i] = orr_rng_key(7, ORR_RNG_TEST, 1, (uint64_t)(t->first_sample + i), 0);
    return ORR_OK;
}

const orr_real *nn_batch_aux(nn_batch *t, int n_aux)
{
    size_t n = (size_t)t->b.n * (size_t)n_aux, first = (size_t)t->first_sample * (size_t)n_aux;

    for (size_t i = 0; i < n; i++)
        t->aux[i] = (orr_real)nn_number(3000, first + i);
    return n_aux ? t->aux : NULL;
}

void nn_batch_three_segments(nn_batch *t)
{
    const int segment[] = { 0, 3, 4, 6 };

    for (int i = 0; i < 4; i++)
        t->segment[i] = segment[i];
    t->b.n_segments = 3;
}

orr_status nn_case_graph(orr_graph **out, const nn_case *c)
{
    char text[2048];

    snprintf(text, sizeof text, "layers:\n%s", c->layers);
    return orr_graph_parse_text(out, c->input, c->n_aux, text);
}

orr_backend *nn_backend(const char *name)
{
    enum { MOST = 8 };
    static orr_backend *made[MOST];
    int i = 0;

    while (i < MOST && made[i] && strcmp(made[i]->ops->name, name) != 0)
        i++;
    if (i < MOST && !made[i]) (void)orr_backend_create(&made[i], name);
    return i < MOST ? made[i] : NULL;
}

/* Adds a number to each of tensor i's: variances stay positive, and all stays exact in float. */
static orr_status move_tensor(orr_net *net, int i)
{
    orr_net_tensor t;
    orr_real *x;
    orr_status st;
    int slab;

    orr_net_tensor_info(net, i, &t);
    slab = t.is_state ? ORR_SLAB_STATE : ORR_SLAB_PARAMS;
    if (!(x = orr_alloc(t.count, sizeof *x))) return orr_fail(ORR_ERR_NOMEM, "%s", t.name);
    st = orr_net_read(net, slab, t.offset, t.count, x);
    for (size_t j = 0; j < t.count; j++)
        x[j] = (orr_real)(float)((double)(float)x[j] + 0.25 * nn_number(100 + (uint64_t)i, j));
    if (st == ORR_OK) st = orr_net_write(net, slab, t.offset, t.count, x);
    orr_free(x);
    return st;
}

orr_status nn_case_net(orr_net **out, orr_graph *g, orr_backend *be, int training)
{
    static const int sizes[] = { 1, 2, 3 };
    orr_limits limits = { .max_samples = nn_leaf_begin[NN_LEAVES],
                          .max_leaves = NN_LEAVES,
                          .max_segments = 6,
                          .n_leaf_sizes = 3,
                          .leaf_sizes = sizes,
                          .training = training,
                          .input_grad = training };

    orr_status st;

    ORR_TRY(orr_net_create(out, g, be, &limits));
    st = orr_net_init(*out, 11);
    for (int i = 0; st == ORR_OK && i < orr_net_n_tensors(*out); i++)
        st = move_tensor(*out, i);
    if (st == ORR_OK) return ORR_OK;
    orr_net_destroy(*out);
    *out = NULL;
    return st;
}

orr_real *nn_upload(orr_backend *be, const orr_real *x, size_t n)
{
    orr_real *p = be->ops->alloc(be, n * sizeof *p);

    if (p && x) be->ops->upload(be, p, x, n * sizeof *p);
    if (p && !x) be->ops->clear(be, p, n * sizeof *p);
    return p;
}

orr_status nn_download(orr_backend *be, const orr_real *p, orr_real *out, size_t n)
{
    be->ops->download(be, out, p, n * sizeof *out);
    return be->ops->synchronise(be);
}

orr_status nn_backward(orr_net *net, const orr_batch *b, const orr_real *dy, size_t n)
{
    orr_backend *be = orr_net_backend(net);
    orr_real *p = nn_upload(be, dy, n);
    orr_status st = p ? orr_net_backward(net, b, p) : orr_fail(ORR_ERR_NOMEM, "a gradient");

    if (p) be->ops->free(be, p);
    return st;
}

static orr_status add_part(nn_answer *a, const char *name, const orr_real *v, size_t n)
{
    size_t at = a->begin[a->n_parts];

    if (a->n_parts == NN_MAX_PARTS || at + n > NN_ANSWER_MAX)
        return orr_fail(ORR_ERR_INTERNAL, "an answer of too many parts or numbers");
    for (size_t i = 0; i < n; i++)
        a->v[at + i] = (double)v[i];
    snprintf(a->name[a->n_parts], sizeof a->name[0], "%.63s", name);
    a->begin[++a->n_parts] = at + n;
    return ORR_OK;
}

/* The sum over segments goes into the first segment's slab. */
static orr_status sum_segments(orr_net *net, int n_segments)
{
    size_t n = orr_net_slab_count(net);
    orr_real *sum = orr_alloc(n, sizeof *sum), *one = orr_alloc(n, sizeof *one);
    orr_status st = sum && one ? orr_net_read(net, 0, 0, n, sum) : ORR_ERR_NOMEM;

    for (int r = 1; st == ORR_OK && r < n_segments; r++) {
        st = orr_net_read(net, r, 0, n, one);
        for (size_t i = 0; i < n; i++)
            sum[i] += one[i];
    }
    if (st == ORR_OK) st = orr_net_write(net, 0, 0, n, sum);
    if (st == ORR_OK) st = orr_net_finish_grads(net, orr_net_grads(net, 0));
    orr_free(sum);
    orr_free(one);
    return st;
}

static orr_status add_tensors(nn_answer *a, orr_net *net, const nn_batch *batch)
{
    orr_status st = ORR_OK;
    orr_net_tensor t;
    orr_real *file = orr_alloc(NN_ANSWER_MAX, sizeof *file);
    int holding = 0;

    if (!file) return orr_fail(ORR_ERR_NOMEM, "an answer");
    ORR_TRY_GOTO(st, done, sum_segments(net, batch->b.n_segments));
    for (int i = 0; i < NN_LEAVES; i++)
        holding += nn_leaf_begin[i + 1] > nn_leaf_begin[i];
    ORR_TRY_GOTO(st, done, orr_net_update_state(net, orr_net_grads(net, 0), holding));
    for (int i = 0; i < orr_net_n_tensors(net); i++) {
        orr_net_tensor_info(net, i, &t);
        ORR_TRY_GOTO(st, done,
                     t.is_state ? orr_net_read_tensor(net, i, file)
                                : orr_net_read_gradient(net, i, 0, file));
        ORR_TRY_GOTO(st, done, add_part(a, t.name, file, t.count));
    }
done:
    orr_free(file);
    return st;
}

orr_status nn_case_answer(nn_answer *a, const nn_case *c, uint64_t stream, orr_backend *be)
{
    orr_status st = ORR_OK;
    orr_graph *g = NULL;
    orr_net *net = NULL;
    nn_batch batch;
    const orr_real *y, *aux;
    size_t n_x, n_y;
    orr_real *x = orr_alloc(NN_ANSWER_MAX, sizeof *x), *dy = orr_alloc(NN_ANSWER_MAX, sizeof *dy),
             *seen = orr_alloc(NN_ANSWER_MAX, sizeof *seen);

    a->n_parts = 0;
    a->begin[0] = 0;
    ORR_TRY_GOTO(st, done, nn_batch_init(&batch, 0, 1));
    nn_batch_three_segments(&batch);
    ORR_TRY_GOTO(st, done, nn_case_graph(&g, c));
    ORR_TRY_GOTO(st, done, nn_case_net(&net, g, be, 1));
    n_x = (size_t)batch.b.n * orr_shape_count(c->input);
    n_y = (size_t)batch.b.n * orr_shape_count(orr_graph_output(g));
    aux = nn_batch_aux(&batch, c->n_aux);
    nn_fill(x, n_x, 1000 + stream);
    nn_fill(dy, n_y, 2000 + stream);
    ORR_TRY_GOTO(st, done, orr_net_forward(net, &batch.b, x, aux, 1, &y));
    ORR_TRY_GOTO(st, done, orr_net_output(net, seen));
    ORR_TRY_GOTO(st, done, add_part(a, "output", seen, n_y));
    ORR_TRY_GOTO(st, done, nn_backward(net, &batch.b, dy, n_y));
    ORR_TRY_GOTO(st, done, nn_download(be, orr_net_input_grad(net), seen, n_x));
    ORR_TRY_GOTO(st, done, add_part(a, "gradient of the input", seen, n_x));
    ORR_TRY_GOTO(st, done, add_tensors(a, net, &batch));
    ORR_TRY_GOTO(st, done, orr_net_forward(net, &batch.b, x, aux, 0, &y));
    ORR_TRY_GOTO(st, done, orr_net_output(net, seen));
    ORR_TRY_GOTO(st, done, add_part(a, "output in evaluation", seen, n_y));
    st = orr_net_verify(net);
done:
    orr_net_destroy(net);
    orr_graph_destroy(g);
    orr_free(x);
    orr_free(dy);
    orr_free(seen);
    return st;
}
