/* tests/nn/dump_training.c - losses, optimisers and schedules on the cases of loss.py, optimiser.py
 * and schedule.py. */
#include "cases.h"

#include "core/memory.h"
#include "nn/graph.h"
#include "nn/loss.h"
#include "nn/net.h"
#include "nn/optimiser.h"
#include "nn/schedule.h"

#include <string.h>

static orr_real *reals(const double *x, int64_t n)
{
    orr_real *y = orr_alloc((size_t)n, sizeof *y);

    for (int64_t i = 0; y && i < n; i++)
        y[i] = (orr_real)x[i];
    return y;
}
static int give(FILE *out, const orr_real *x, size_t n)
{
    double *d = orr_alloc(n, sizeof *d);

    for (size_t i = 0; d && i < n; i++)
        d[i] = (double)x[i];
    int ok = d && case_write(out, d, n);
    orr_free(d);
    return ok;
}

/* ints: kind, n, outputs, n_classes, n_global, bins; reals: pos_weight, bins from, to, smoothing;
 * arrays: x, targets. Answers the leaf sums (two leaves), each sample's loss, the gradient, and
 * what orr_loss_link makes of x. */
static int loss(const test_case *c, FILE *out)
{
    static const char *const names[] = { "bce", "ce", "mse", "expected_mse", "crps" };
    const int n = (int)c->i[1], width = (int)c->i[2], leaf[3] = { 0, n / 3, n };
    const orr_batch b = { .n = n, .n_leaves = 2, .leaf = leaf, .n_global = c->i[4] };
    const orr_bins bins = { (int)c->i[5], c->r[1], c->r[2] };
    orr_config *config;
    char options[64];
    snprintf(options, sizeof options, c->r[3] > 0 ? "{smoothing: %.17g}" : "{}", c->r[3]);
    if (orr_config_parse(&config, options, "loss") != ORR_OK) return 0;
    const orr_loss_spec spec = { .options = orr_config_root(config),
                                 .name = names[c->i[0]],
                                 .output = { 1, 1, width },
                                 .n_classes = (int)c->i[3],
                                 .width = bins.count ? 1 : width,
                                 .pos_weight = c->r[0],
                                 .bins = bins };
    orr_loss l;
    orr_real *x = reals(c->a[0], c->len[0]), *dx = reals(c->a[0], c->len[0]);
    int32_t *labels = orr_alloc((size_t)c->len[1], sizeof *labels);
    float *values = orr_alloc((size_t)c->len[1], sizeof *values);
    double *each = orr_alloc((size_t)n, sizeof *each), *p = orr_alloc((size_t)c->len[0], sizeof *p),
           sums[2];
    int ok = orr_loss_init(&l, &spec) == ORR_OK;

    for (int64_t i = 0; i < c->len[1]; i++) {
        labels[i] = (int32_t)c->a[1][i];
        values[i] = (float)c->a[1][i];
    }
    if (ok) {
        orr_loss_eval(&l, &b, x, labels, values, sums, each, dx);
        orr_loss_link(&l, n, x, p);
        ok = case_write(out, sums, 2) & case_write(out, each, (size_t)n);
        ok &= give(out, dx, (size_t)c->len[0]) & case_write(out, p, (size_t)c->len[0]);
    }
    orr_config_destroy(config);
    orr_free(x), orr_free(dx), orr_free(labels), orr_free(values), orr_free(each), orr_free(p);
    return ok;
}

/* ints: kind, keras, nesterov, n, steps; reals: beta1, beta2, epsilon, weight_decay, momentum, lr,
 * max_norm; arrays: w, gradients[steps][n].  Answers w after all steps, each step's norm, and the
 * slabs. */
static int optimiser(const test_case *c, FILE *out)
{
    static const char *const kinds[] = { "adam", "adamw", "sgd" };
    const orr_optimiser_opts o = {
        kinds[c->i[0]], c->r[0], c->r[1],      c->r[2], c->i[1] ? "keras" : "torch",
        c->r[3],        c->r[4], (int)c->i[2], NULL,    NULL
    };
    const size_t n = (size_t)c->i[3], steps = (size_t)c->i[4];
    orr_optimiser *opt;
    orr_backend *be;
    if (orr_backend_create(&be, "check") != ORR_OK) return 0;
    if (orr_optimiser_create(&opt, be, &o, n) != ORR_OK) return 0;
    orr_real *w = reals(c->a[0], c->len[0]), *g = reals(c->a[1], c->len[1]);
    double *norm = orr_alloc(steps, sizeof *norm);
    int ok;

    for (size_t t = 0; t < steps; t++) {
        be->ops->norm(be, n, g + t * n, &norm[t]);
        orr_optimiser_step(opt, w, g + t * n, c->r[5], orr_clip_scale(norm[t], c->r[6]));
    }
    ok = give(out, w, n) & case_write(out, norm, steps);
    for (int i = 0; i < orr_optimiser_n_slabs(opt); i++)
        ok &= orr_optimiser_read(opt, i, 0, n, g) == ORR_OK && give(out, g, n);
    orr_optimiser_destroy(opt);
    orr_backend_destroy(be);
    orr_free(w), orr_free(g), orr_free(norm);
    return ok;
}

static const char groups_net[] = "layers: [linear: {units: 5, name: fc1}, batch_norm: {name: bn}, "
                                 "linear: {units: 3, name: fc2}, linear: {units: 2, name: head}]\n";
static const char groups_options[] =
    "{kind: adam, weight_decay: 0.1, momentum: 0.9, no_decay: [vectors], groups: [\n"
    "  {match: head.*, rate: 10}, {match: '*1.weight', rate: 0.5, weight_decay: 0.3},\n"
    "  {match: [bn.bias, head.weight], rate: 0}, {match: fc2.b*, weight_decay: 0.2}]}\n";

/* A net of 7 inputs with groups.  ints: kind, steps; reals: lr; arrays: slab of parameters,
 * gradients[steps][slab].  Answers the slab after all steps, and the first moment. */
static int groups(const test_case *c, FILE *out)
{
    const size_t n = (size_t)c->len[0], steps = (size_t)c->i[1];
    orr_limits limits = { .max_samples = 1, .max_leaves = 1, .max_segments = 1, .training = 1 };
    orr_optimiser_opts o;
    orr_optimiser *opt;
    orr_backend *be;
    orr_graph *graph;
    orr_net *net;
    orr_config *config;
    orr_real *w = reals(c->a[0], c->len[0]), *g = reals(c->a[1], c->len[1]);
    int ok;

    if (orr_config_parse(&config, groups_options, "groups") != ORR_OK ||
        orr_options_read(&o, orr_optimiser_options, orr_config_root(config), "") != ORR_OK ||
        orr_backend_create(&be, "check") != ORR_OK ||
        orr_graph_parse_text(&graph, (orr_shape){ 1, 1, 7 }, 0, groups_net) != ORR_OK ||
        orr_net_create(&net, graph, be, &limits) != ORR_OK || orr_net_param_count(net) != n)
        return 0;
    o.kind = orr_optimiser_name((int)c->i[0]);
    if (orr_optimiser_create_for(&opt, &o, net) != ORR_OK) return 0;
    orr_config_destroy(config); /* the optimiser borrows nothing of it */
    ok = 1;
    for (size_t t = 0; t < steps; t++)
        ok &= orr_optimiser_step(opt, w, g + t * n, c->r[0], 1) == ORR_OK;
    ok &= give(out, w, n) & (orr_optimiser_read(opt, 0, 0, n, g) == ORR_OK) & give(out, g, n);
    orr_optimiser_destroy(opt);
    orr_net_destroy(net);
    orr_graph_destroy(graph);
    orr_backend_destroy(be);
    orr_free(w), orr_free(g);
    return ok;
}

/* ints: kind, steps, warmup, patience, maximise; reals: lr, pct, div, final_div, lr_min, factor,
 * threshold; arrays: the metric of each epoch (plateau).  Answers the rate of each step, or after
 * each epoch. */
static int schedule(const test_case *c, FILE *out)
{
    static const char *const kinds[] = { "constant", "onecycle", "cosine", "plateau" };
    const orr_schedule_opts o = { kinds[c->i[0]], c->r[1], c->r[2], c->r[3],     c->i[2],
                                  c->r[4],        c->r[5], c->r[6], (int)c->i[3] };
    const int plateau = c->i[0] == 3;
    const int64_t n = plateau ? c->len[0] : c->i[1];
    orr_schedule s;
    if (orr_schedule_init(&s, &o, c->r[0], c->i[1], (int)c->i[4]) != ORR_OK) return 0;
    double *lr = orr_alloc((size_t)n, sizeof *lr);

    for (int64_t t = 0; t < n; t++) {
        if (plateau) orr_schedule_epoch_end(&s, c->a[0][t]);
        lr[t] = orr_schedule_lr(&s, t);
    }
    int ok = case_write(out, lr, (size_t)n);
    orr_free(lr);
    return ok;
}

static int answer(const test_case *c, FILE *out)
{
    if (strcmp(c->op, "loss") == 0) return loss(c, out);
    if (strcmp(c->op, "optimiser") == 0) return optimiser(c, out);
    if (strcmp(c->op, "groups") == 0) return groups(c, out);
    if (strcmp(c->op, "schedule") == 0) return schedule(c, out);
    orr_fail(ORR_ERR_ARG, "unknown op");
    return 0;
}

int main(int argc, char **argv)
{
    return case_main(argc, argv, answer);
}
