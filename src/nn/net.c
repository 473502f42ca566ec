/* nn/net.c - slabs, activations, and the walk through the layers forward and back. */
#include "nn/net.h"

#include "core/memory.h"
#include "nn/net_private.h"

#include <math.h>
#include <string.h>

void *orr_layer_scratch(orr_layer *l, orr_backend *be, size_t n, size_t size)
{
    size_t bytes;
    void *p;

    if (l->n_scratch == ORR_MAX_SCRATCH || __builtin_mul_overflow(n, size, &bytes)) return NULL;
    if (!(p = be->ops->alloc(be, bytes))) return NULL;
    return l->scratch[l->n_scratch++] = p;
}

/* ---- create ---- */

static const int one_sample[] = { 1 };
const orr_limits orr_limits_least = { .max_samples = 1,
                                      .max_leaves = 1,
                                      .max_segments = 1,
                                      .n_leaf_sizes = 1,
                                      .leaf_sizes = one_sample };

static orr_status check_limits(const orr_limits *l)
{
    if (l->max_samples < 1 || l->max_leaves < 1 || l->max_segments < 1 ||
        l->max_segments > ORR_MAX_SEGMENTS || l->n_leaf_sizes < 0 ||
        (l->n_leaf_sizes && !l->leaf_sizes))
        return orr_fail(
            ORR_ERR_ARG, "a net for %d samples, %d leaves, %d segments (at most %d), %d leaf sizes",
            l->max_samples, l->max_leaves, l->max_segments, ORR_MAX_SEGMENTS, l->n_leaf_sizes);
    return ORR_OK;
}

static orr_status copy_limits(orr_net *net, const orr_limits *limits)
{
    size_t n = (size_t)limits->n_leaf_sizes;

    net->limits = *limits;
    if (!(net->leaf_sizes = orr_alloc(n, sizeof *net->leaf_sizes)))
        return orr_fail(ORR_ERR_NOMEM, "net: %zu leaf sizes", n);
    if (n) memcpy(net->leaf_sizes, limits->leaf_sizes, n * sizeof *net->leaf_sizes);
    net->limits.leaf_sizes = net->leaf_sizes;
    return ORR_OK;
}

static size_t with_padding(size_t n)
{
    return (n + ORR_SLAB_STEP - 1) / ORR_SLAB_STEP * ORR_SLAB_STEP;
}

/* Puts n elements at the next aligned place; returns it. */
static size_t place(size_t *end, size_t n)
{
    size_t at = *end;

    *end = at + with_padding(n);
    return at;
}

/* Parameters and statistics in backward order, state in graph order. */
static orr_status lay_out_slabs(orr_net *net)
{
    int n = net->g->n;

    if (!(net->begin = orr_alloc((size_t)n + 1, sizeof *net->begin)))
        return orr_fail(ORR_ERR_NOMEM, "net: %d layers", n);
    for (int i = n - 1; i >= 0; i--) {
        orr_layer *l = net->g->layers[i];
        net->begin[i] = net->n_params;
        for (int k = 0; k < l->n_params; k++)
            l->params[k].offset = place(&net->n_params, orr_tensor_room(&l->params[k]));
    }
    net->n_slab = net->n_params;
    for (int i = n - 1; i >= 0; i--)
        net->g->layers[i]->stat_offset = place(&net->n_slab, net->g->layers[i]->stat_count);
    for (int i = 0; i < n; i++)
        for (int k = 0; k < net->g->layers[i]->n_states; k++)
            net->g->layers[i]->states[k].offset =
                place(&net->n_state, net->g->layers[i]->states[k].count);
    return ORR_OK;
}

/* n numbers of the back end's memory, unset. */
static orr_status get_reals(orr_real **out, const orr_net *net, size_t n, const char *what)
{
    size_t bytes;

    if (__builtin_mul_overflow(n, sizeof **out, &bytes) ||
        !(*out = net->be->ops->alloc(net->be, bytes)))
        return orr_fail(ORR_ERR_NOMEM, "net: %zu numbers for %s", n, what);
    return ORR_OK;
}

/* n zeros of it. */
static orr_status get_slab(orr_real **out, const orr_net *net, size_t n, const char *what)
{
    ORR_TRY(get_reals(out, net, n, what));
    net->be->ops->clear(net->be, *out, n * sizeof **out);
    return ORR_OK;
}

static orr_status make_slabs(orr_net *net)
{
    int segments = net->limits.training ? net->limits.max_segments : 0;

    ORR_TRY(get_slab(&net->params, net, net->n_params, "parameters"));
    ORR_TRY(get_slab(&net->state, net, net->n_state, "state"));
    if (!(net->grads = orr_alloc((size_t)segments, sizeof *net->grads)))
        return orr_fail(ORR_ERR_NOMEM, "net: %d slabs", segments);
    for (int r = 0; r < segments; r++)
        ORR_TRY(get_slab(&net->grads[r], net, net->n_slab, "gradients"));
    return ORR_OK;
}

/* Room for samples of the host, where operations cannot read its memory. */
static orr_status make_inputs(orr_net *net)
{
    size_t samples = (size_t)net->limits.max_samples, n, aux = (size_t)orr_graph_n_aux(net->g);

    if (net->limits.training &&
        !(net->forward_keys = orr_alloc(samples, sizeof *net->forward_keys)))
        return orr_fail(ORR_ERR_NOMEM, "net: keys of %zu samples", samples);
    if (net->be->ops->memory == ORR_MEM_HOST) return ORR_OK;
    if (__builtin_mul_overflow(samples, orr_shape_count(orr_graph_input(net->g)), &n))
        return orr_fail(ORR_ERR_NOMEM, "net: inputs of %zu samples", samples);
    ORR_TRY(get_reals(&net->own_x, net, n, "inputs"));
    return get_reals(&net->own_aux, net, samples * aux, "numbers beside the samples");
}

/* Layers may make more of a sample than any file holds (a join of joins): all of it must be what a
 * machine can have. */
static orr_status check_activations(const orr_net *net, size_t samples)
{
    size_t all = 0, n;
    int fits = 1;

    for (int i = 0; i < net->plan.n_slots; i++)
        fits &= !__builtin_mul_overflow(samples * sizeof(orr_real), net->plan.slot[i], &n) &&
                !__builtin_add_overflow(all, n, &all);
    if (fits && all <= orr_memory_most()) return ORR_OK;
    return orr_fail(ORR_ERR_NOMEM,
                    "net: activations of %zu samples take %.1f GiB, this machine has %.1f GiB: a "
                    "smaller batch, or a smaller net",
                    samples, fits ? (double)all / (1 << 30) : (double)INFINITY,
                    (double)orr_memory_most() / (1 << 30));
}

static orr_status make_activations(orr_net *net)
{
    size_t samples = (size_t)net->limits.max_samples, n;

    ORR_TRY(orr_plan_make(&net->plan, net->g, &net->limits));
    ORR_TRY(check_activations(net, samples));
    if (!(net->slots = orr_alloc((size_t)net->plan.n_slots, sizeof *net->slots)))
        return orr_fail(ORR_ERR_NOMEM, "net: %d buffers", net->plan.n_slots);
    for (int i = 0; i < net->plan.n_slots; i++) {
        if (__builtin_mul_overflow(samples, net->plan.slot[i], &n))
            return orr_fail(ORR_ERR_NOMEM, "net: activations of %zu samples", samples);
        ORR_TRY(get_reals(&net->slots[i], net, n, "activations"));
    }
    return ORR_OK;
}

static orr_status plan_layers(orr_net *net)
{
    for (int i = 0; i < net->g->n; i++) {
        orr_layer *l = net->g->layers[i];
        if (l->kind->plan) ORR_TRY(l->kind->plan(l, net->be, &net->limits));
    }
    return ORR_OK;
}

orr_status orr_net_create(orr_net **out, orr_graph *g, orr_backend *be, const orr_limits *limits)
{
    orr_status st = ORR_OK;
    orr_net *net = NULL;

    *out = NULL;
    ORR_TRY(orr_graph_check(g));
    ORR_TRY(check_limits(limits));
    if (g->has_net) return orr_fail(ORR_ERR_ARG, "the graph has a net already");
    if (!(net = orr_alloc(1, sizeof *net)))
        return orr_fail(ORR_ERR_NOMEM, "net: %zu bytes", sizeof *net);
    net->g = g;
    net->be = be;
    g->has_net = 1;
    ORR_TRY_GOTO(st, done, copy_limits(net, limits));
    ORR_TRY_GOTO(st, done, lay_out_slabs(net));
    ORR_TRY_GOTO(st, done, make_slabs(net));
    ORR_TRY_GOTO(st, done, make_inputs(net));
    ORR_TRY_GOTO(st, done, make_activations(net));
    ORR_TRY_GOTO(st, done, plan_layers(net));
    ORR_TRY_GOTO(st, done, orr_net_list_tensors(net));
    *out = net;
    net = NULL;
done:
    orr_net_destroy(net);
    return st;
}

static void free_reals(const orr_net *net, orr_real *p)
{
    if (p) net->be->ops->free(net->be, p);
}

static void unplan_layers(orr_net *net)
{
    for (int i = 0; i < net->g->n; i++) {
        orr_layer *l = net->g->layers[i];
        if (l->kind->unplan) l->kind->unplan(l, net->be);
        while (l->n_scratch)
            net->be->ops->free(net->be, l->scratch[--l->n_scratch]);
    }
    net->g->has_net = 0;
}

void orr_net_destroy(orr_net *net)
{
    if (!net) return;
    unplan_layers(net);
    for (int i = 0; net->slots && i < net->plan.n_slots; i++)
        free_reals(net, net->slots[i]);
    orr_free(net->slots);
    orr_plan_free(&net->plan);
    for (int r = 0; net->grads && net->limits.training && r < net->limits.max_segments; r++)
        free_reals(net, net->grads[r]);
    orr_free(net->grads);
    free_reals(net, net->own_x);
    free_reals(net, net->own_aux);
    free_reals(net, net->params);
    free_reals(net, net->state);
    orr_free(net->tensors);
    orr_free(net->forward_keys);
    orr_free(net->begin);
    orr_free(net->leaf_sizes);
    orr_free(net);
}

/* ---- the walk ---- */

static orr_status check_batch(const orr_net *net, const orr_batch *b, int training)
{
    const orr_limits *l = &net->limits;

    if (training && !l->training)
        return orr_fail(ORR_ERR_ARG, "training with a net that was made for evaluation");
    if (b->n < 0 || b->n > l->max_samples || b->n_leaves < 0 || b->n_leaves > l->max_leaves ||
        b->n_segments < 0 || b->n_segments > l->max_segments)
        return orr_fail(
            ORR_ERR_ARG,
            "a batch of %d samples, %d leaves, %d segments for a net of at most %d, %d, %d", b->n,
            b->n_leaves, b->n_segments, l->max_samples, l->max_leaves, l->max_segments);
    if (b->n_leaves ? b->leaf[0] != 0 || b->leaf[b->n_leaves] != b->n : b->n != 0)
        return orr_fail(ORR_ERR_ARG, "the %d leaves do not hold the %d samples", b->n_leaves, b->n);
    if (training && (b->n_segments ? b->segment[0] != 0 || b->segment[b->n_segments] != b->n_leaves
                                   : b->n_leaves != 0))
        return orr_fail(ORR_ERR_ARG, "the %d segments do not hold the %d leaves", b->n_segments,
                        b->n_leaves);
    for (int i = 0; i < b->n_leaves; i++) {
        int size = b->leaf[i + 1] - b->leaf[i], known = size == 0 || l->n_leaf_sizes == 0;
        for (int k = 0; k < l->n_leaf_sizes && !known; k++)
            known = size == l->leaf_sizes[k];
        if (!known)
            return orr_fail(ORR_ERR_ARG,
                            "leaf %d holds %d samples, a size the net was not made for", i, size);
    }
    return ORR_OK;
}

/* Leaf sums where the local leaves are the whole batch; ctx is the batch. */
static orr_status local_leaf_sum(void *ctx, double *in, double *out, size_t n)
{
    orr_leaf_sum_f64(out, in, n, ((const orr_batch *)ctx)->n_leaves, n);
    return ORR_OK;
}

/* What forward and backward of layer i share. */
static orr_pass make_pass(const orr_net *net, const orr_batch *b, int training)
{
    orr_pass p = { .batch = b,
                   .training = training,
                   .params = net->params,
                   .grads = net->grads,
                   .state = net->state,
                   .leaf_sum = net->leaf_sum,
                   .leaf_sum_ctx = net->leaf_sum_ctx };

    if (!p.leaf_sum) {
        p.leaf_sum = local_leaf_sum;
        p.leaf_sum_ctx = (void *)(uintptr_t)b; /* only read */
    }
    return p;
}

static orr_real *value_of(const orr_net *net, int node)
{
    return net->slots[net->plan.y[node]];
}

static const orr_real *input_of(const orr_net *net, int node, const orr_real *x)
{
    return node == 0 ? x : value_of(net, node);
}

static void poison(const orr_net *net, orr_real *x, size_t n)
{
    if (net->be->ops->poison) net->be->ops->poison(net->be, x, n);
}

/* What layer i saves, for its forward and its backward. */
static void give_saved(const orr_net *net, int i, orr_pass *p)
{
    for (int k = 0; k < net->g->layers[i]->n_saved; k++)
        p->saved[k] = net->slots[net->plan.saved[i][k]];
}

static void poison_stats(const orr_net *net, const orr_batch *b, const orr_layer *l)
{
    for (int r = 0; r < b->n_segments; r++)
        poison(net, net->grads[r] + l->stat_offset, l->stat_count);
}

static void poison_grads(const orr_net *net, const orr_batch *b, const orr_layer *l)
{
    for (int r = 0; r < b->n_segments; r++)
        for (int k = 0; k < l->n_params; k++)
            poison(net, net->grads[r] + l->params[k].offset, orr_tensor_room(&l->params[k]));
}

/* No layer writes between parameters, and what is there is summed and measured with them: what a
 * machine's fault has put there must not stay. */
static void clear_gap(const orr_net *net, const orr_batch *b, size_t offset, size_t count)
{
    size_t gap = with_padding(count) - count;

    for (int r = 0; gap && r < b->n_segments; r++)
        net->be->ops->clear(net->be, net->grads[r] + offset + count, gap * sizeof **net->grads);
}

static void clear_padding(const orr_net *net, const orr_batch *b, const orr_layer *l)
{
    for (int k = 0; k < l->n_params; k++)
        clear_gap(net, b, l->params[k].offset, orr_tensor_room(&l->params[k]));
}

/* Where operations can read n numbers of the host: there, or in `own`. */
static const orr_real *reachable(const orr_net *net, const orr_real *host, orr_real *own, size_t n)
{
    if (!own || !host) return host;
    net->be->ops->upload(net->be, own, host, n * sizeof *own);
    return own;
}

orr_status orr_net_forward(orr_net *net, const orr_batch *b, const orr_real *x, const orr_real *aux,
                           int training, const orr_real **y)
{
    orr_pass p;

    *y = NULL;
    net->forward_done = 0;
    ORR_TRY(check_batch(net, b, training));
    if (!aux && b->n && orr_graph_n_aux(net->g))
        return orr_fail(ORR_ERR_ARG, "the net reads %d numbers beside each sample: there are none",
                        orr_graph_n_aux(net->g));
    p = make_pass(net, b, training);
    net->host_x = x;
    net->host_aux = aux;
    x = reachable(net, x, net->own_x, (size_t)b->n * orr_shape_count(orr_graph_input(net->g)));
    p.aux = reachable(net, aux, net->own_aux, (size_t)b->n * (size_t)orr_graph_n_aux(net->g));
    for (int i = 0; i < net->g->n; i++) {
        orr_layer *l = net->g->layers[i];
        for (int k = 0; k < l->n_in; k++)
            p.x[k] = input_of(net, l->inputs[k], x);
        p.y = value_of(net, i + 1);
        if (!net->plan.y_in_place[i + 1]) poison(net, p.y, (size_t)b->n * orr_shape_count(l->out));
        give_saved(net, i, &p);
        for (int k = 0; k < l->n_saved; k++)
            poison(net, p.saved[k], (size_t)b->n * orr_plan_saved_reals(&l->saved[k]));
        if (training) {
            poison_stats(net, b, l);
            clear_gap(net, b, l->stat_offset, l->stat_count);
        }
        ORR_TRY(l->kind->forward(l, net->be, &p));
    }
    net->x = x;
    net->forward_done = training;
    net->forward_n = b->n;
    net->forward_leaves = b->n_leaves;
    net->forward_has_keys = b->keys != NULL;
    if (training && b->keys) memcpy(net->forward_keys, b->keys, (size_t)b->n * sizeof *b->keys);
    *y = value_of(net, net->g->n);
    return ORR_OK;
}

/* Backward of layer i (node i + 1), and its share of the gradients of nodes with several readers.
 */
static orr_status layer_backward(orr_net *net, orr_pass *p, int i, const orr_real *dy)
{
    orr_layer *l = net->g->layers[i];
    const orr_plan_dx *dx = net->plan.dx[i];

    give_saved(net, i, p);
    p->y = l->keeps_y ? value_of(net, i + 1) : NULL;
    p->dy = i == net->g->n - 1 ? dy : net->slots[net->plan.y_grad[i + 1]];
    for (int k = 0; k < l->n_in; k++) {
        p->x[k] = l->keeps_x ? input_of(net, l->inputs[k], net->x) : NULL;
        p->dx[k] = dx[k].slot < 0 ? NULL : net->slots[dx[k].slot];
        if (p->dx[k] && p->dx[k] != p->dy)
            poison(net, p->dx[k], (size_t)p->batch->n * orr_shape_count(l->in[k]));
    }
    poison_grads(net, p->batch, l);
    clear_padding(net, p->batch, l);
    ORR_TRY(l->kind->backward(l, net->be, p));
    for (int k = 0; k < l->n_in; k++) {
        if (!dx[k].add) continue;
        orr_real *sum = net->slots[net->plan.y_grad[l->inputs[k]]];
        net->be->ops->add(net->be, (size_t)p->batch->n * orr_shape_count(l->in[k]), sum, p->dx[k],
                          sum);
    }
    return ORR_OK;
}

static orr_status report(const orr_net *net, size_t from, size_t to)
{
    if (!net->on_grad || from == to) return ORR_OK;
    return net->on_grad(net->on_grad_ctx, from, to - from);
}

static int same_batch(const orr_net *net, const orr_batch *b)
{
    return net->forward_done && net->forward_n == b->n && net->forward_leaves == b->n_leaves &&
           net->forward_has_keys == (b->keys != NULL) &&
           (!b->keys || !memcmp(net->forward_keys, b->keys, (size_t)b->n * sizeof *b->keys));
}

/* Were the caller's samples left alone?  Only a back end that checks can tell. */
static orr_status check_loans(const orr_net *net, const orr_batch *b)
{
    const orr_backend_ops *ops = net->be->ops;
    size_t n = (size_t)b->n * sizeof(orr_real);

    if (!ops->verify_loan || b->n == 0) return ORR_OK;
    if (net->own_x)
        ORR_TRY(ops->verify_loan(net->be, net->own_x, net->host_x,
                                 n * orr_shape_count(orr_graph_input(net->g))));
    if (net->own_aux && net->host_aux)
        ORR_TRY(ops->verify_loan(net->be, net->own_aux, net->host_aux,
                                 n * (size_t)orr_graph_n_aux(net->g)));
    return ORR_OK;
}

orr_status orr_net_backward(orr_net *net, const orr_batch *b, const orr_real *dy)
{
    orr_pass p;

    if (!same_batch(net, b))
        return orr_fail(ORR_ERR_ARG,
                        "backward needs a training forward of the same batch before it");
    ORR_TRY(check_batch(net, b, 1));
    net->forward_done = 0; /* in-place layers spend what forward kept */
    p = make_pass(net, b, 1);
    for (int i = net->g->n - 1; i >= 0; i--) {
        size_t end = i > 0 ? net->begin[i - 1] : net->n_params;
        if (net->plan.wants_grad[i + 1]) ORR_TRY(layer_backward(net, &p, i, dy));
        ORR_TRY(report(net, net->begin[i], end));
    }
    ORR_TRY(report(net, net->n_params, net->n_slab));
    return check_loans(net, b);
}

orr_status orr_net_finish_grads(orr_net *net, orr_real *slab)
{
    for (int i = net->g->n - 1; i >= 0; i--) {
        orr_layer *l = net->g->layers[i];
        if (l->kind->finish_grad) ORR_TRY(l->kind->finish_grad(l, net->be, slab));
    }
    return ORR_OK;
}

orr_status orr_net_update_state(orr_net *net, const orr_real *slab, int n_leaves)
{
    for (int i = 0; i < net->g->n; i++) {
        orr_layer *l = net->g->layers[i];
        if (l->kind->update_state)
            ORR_TRY(l->kind->update_state(l, net->be, slab + l->stat_offset, net->state, n_leaves));
    }
    return ORR_OK;
}

void orr_net_on_grad(orr_net *net, orr_grad_ready callback, void *ctx)
{
    net->on_grad = callback;
    net->on_grad_ctx = ctx;
}

void orr_net_on_leaf_sum(orr_net *net, orr_status (*leaf_sum)(void *, double *, double *, size_t),
                         void *ctx)
{
    net->leaf_sum = leaf_sum;
    net->leaf_sum_ctx = ctx;
}

/* ---- what it holds ---- */

static orr_real *find_slab(const orr_net *net, int slab, size_t *n)
{
    *n = slab == ORR_SLAB_PARAMS  ? net->n_params
         : slab == ORR_SLAB_STATE ? net->n_state
                                  : net->n_slab;
    if (slab == ORR_SLAB_PARAMS) return net->params;
    if (slab == ORR_SLAB_STATE) return net->state;
    return orr_net_grads(net, slab);
}

static orr_status find_range(orr_real **out, const orr_net *net, int slab, size_t first, size_t n)
{
    size_t have;

    *out = find_slab(net, slab, &have);
    if (!*out || first > have || n > have - first)
        return orr_fail(ORR_ERR_INTERNAL, "net: numbers %zu to %zu of slab %d, which has %zu",
                        first, first + n, slab, *out ? have : 0);
    *out += first;
    return ORR_OK;
}

orr_status orr_net_read(const orr_net *net, int slab, size_t first, size_t n, orr_real *out)
{
    orr_real *at = NULL;

    ORR_TRY(find_range(&at, net, slab, first, n));
    net->be->ops->download(net->be, out, at, n * sizeof *out);
    return net->be->ops->synchronise(net->be);
}

orr_status orr_net_write(orr_net *net, int slab, size_t first, size_t n, const orr_real *in)
{
    orr_real *at = NULL;

    ORR_TRY(find_range(&at, net, slab, first, n));
    net->be->ops->upload(net->be, at, in, n * sizeof *in);
    return net->be->ops->synchronise(net->be);
}

orr_status orr_net_output(const orr_net *net, orr_real *out)
{
    size_t n = (size_t)net->forward_n * orr_shape_count(orr_graph_output(net->g));

    net->be->ops->download(net->be, out, value_of(net, net->g->n), n * sizeof *out);
    return net->be->ops->synchronise(net->be);
}

orr_backend *orr_net_backend(const orr_net *net)
{
    return net->be;
}

const orr_real *orr_net_input_grad(const orr_net *net)
{
    return net->plan.y_grad[0] < 0 ? NULL : net->slots[net->plan.y_grad[0]];
}

size_t orr_net_param_count(const orr_net *net)
{
    return net->n_params;
}

size_t orr_net_slab_count(const orr_net *net)
{
    return net->n_slab;
}

size_t orr_net_state_count(const orr_net *net)
{
    return net->n_state;
}

orr_real *orr_net_params(orr_net *net)
{
    return net->params;
}

orr_real *orr_net_grads(const orr_net *net, int segment)
{
    return segment >= 0 && net->limits.training && segment < net->limits.max_segments
               ? net->grads[segment]
               : NULL;
}

size_t orr_net_activation_bytes(const orr_net *net)
{
    size_t n = 0;

    for (int i = 0; i < net->plan.n_slots; i++)
        n += net->plan.slot[i];
    return n * (size_t)net->limits.max_samples * sizeof(orr_real);
}

size_t orr_net_activation_bytes_unshared(const orr_net *net)
{
    return net->plan.unshared * (size_t)net->limits.max_samples * sizeof(orr_real);
}

static orr_status verify_one(const orr_net *net, const void *p, const char *what, int i)
{
    orr_status st = net->be->ops->verify(net->be, p);

    return st == ORR_OK ? st : orr_fail_prefix(st, "%s %d: ", what, i);
}

orr_status orr_net_verify(const orr_net *net)
{
    if (!net->be->ops->verify) return ORR_OK;
    ORR_TRY(verify_one(net, net->params, "parameter slab", 0));
    ORR_TRY(verify_one(net, net->state, "state slab", 0));
    for (int r = 0; net->limits.training && r < net->limits.max_segments; r++)
        ORR_TRY(verify_one(net, net->grads[r], "gradient slab", r));
    for (int i = 0; i < net->plan.n_slots; i++)
        ORR_TRY(verify_one(net, net->slots[i], "activation buffer", i));
    for (int i = 0; i < net->g->n; i++)
        for (int k = 0; k < net->g->layers[i]->n_scratch; k++)
            ORR_TRY(verify_one(net, net->g->layers[i]->scratch[k], net->g->layers[i]->name, k));
    return ORR_OK;
}
