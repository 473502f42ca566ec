/* bench/nn/step.c - one training step of a built-in model, phase by phase.
 *
 *   bench_nn_step [MODEL [BATCH [THREADS [LEAVES [SECONDS [KERNELS]]]]]]   kepler-cnn 24 1 8 3 cpu
 *
 * Forward, loss, backward, clip to norm 1, Adam: the work of bench/peers/step.py.  Medians, and the
 * best; processor time is what a busy machine disturbs least (one thread). */
#include "core/leaves.h"
#include "core/memory.h"
#include "core/rng.h"
#include "nn/graph.h"
#include "nn/loss.h"
#include "nn/net.h"
#include "nn/objective.h"
#include "nn/optimiser.h"

#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { MAX_STEPS = 100000, PHASES = 6 };
static const char *const phases[PHASES] = { "forward",     "loss", "backward",
                                            "norm + adam", "step", "processor" };

/* What is trained: classes 2 = one logit. */
typedef struct model {
    const char *name;
    orr_shape input;
    int n_aux, classes;
} model;

static const model models[] = { { "kepler-cnn", { 1, 3197, 2 }, 0, 2 },
                                { "kepler-cnn2", { 1, 3197, 2 }, 0, 2 },
                                { "moons", { 1, 1, 2 }, 0, 2 },
                                { "inception", { 32, 32, 5 }, 0, 100 },
                                { "pasquet", { 64, 64, 5 }, 1, 180 } };

typedef struct bench {
    orr_graph *graph;
    orr_net *net;
    orr_objective *objective;
    orr_optimiser *adam;
    orr_loss loss;
    const model *m;
    const char *kernels;
    orr_backend *backend;
    orr_batch b;
    int leaf[ORR_MAX_LEAVES + 1], segment[2], sizes[2];
    double leaf_sums[ORR_MAX_LEAVES];
    float *x, *aux;
    int32_t *labels;
    uint64_t *keys;
    double *times; /* [PHASES][MAX_STEPS] */
} bench;

static double now(clockid_t clock)
{
    struct timespec t;

    clock_gettime(clock, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static orr_status prepare(bench *f, int n, int leaves)
{
    const model *m = f->m;
    const size_t per_sample = orr_shape_count(m->input);
    orr_rng r = orr_rng_stream(orr_rng_key(1, ORR_RNG_TEST, 0, 0, 0));

    for (int i = 0; i <= leaves; i++)
        f->leaf[i] = (int)orr_leaf_begin(n, leaves, i);
    f->segment[1] = leaves;
    f->sizes[0] = n / leaves;
    f->sizes[1] = n / leaves + 1;
    f->x = orr_alloc((size_t)n * per_sample, sizeof *f->x);
    f->labels = orr_alloc((size_t)n, sizeof *f->labels);
    f->keys = orr_alloc((size_t)n, sizeof *f->keys);
    f->times = orr_alloc((size_t)PHASES * MAX_STEPS, sizeof *f->times);
    f->aux = orr_alloc((size_t)n * (size_t)m->n_aux + 1, sizeof *f->aux);
    if (!f->x || !f->aux || !f->labels || !f->keys || !f->times)
        return orr_fail(ORR_ERR_NOMEM, "no memory");
    for (size_t i = 0; i < (size_t)n * per_sample; i++)
        f->x[i] = (float)orr_rng_normal(&r);
    for (int i = 0; i < n; i++)
        f->labels[i] = i % m->classes;
    f->b = (orr_batch){ .n = n,
                        .n_leaves = leaves,
                        .leaf = f->leaf,
                        .n_segments = 1,
                        .segment = f->segment,
                        .n_global = n,
                        .keys = f->keys };
    const orr_limits limits = { .max_samples = n,
                                .max_leaves = leaves,
                                .max_segments = 1,
                                .n_leaf_sizes = 2,
                                .leaf_sizes = f->sizes,
                                .training = 1 };
    const orr_optimiser_opts adam = {
        .kind = "adam", .beta1 = 0.9, .beta2 = 0.999, .epsilon = 1e-8, .epsilon_form = "torch"
    };
    ORR_TRY(orr_backend_create(&f->backend, f->kernels));
    ORR_TRY(orr_model_build(&f->graph, m->name, m->input, m->n_aux, 0));
    ORR_TRY(orr_net_create(&f->net, f->graph, f->backend, &limits));
    ORR_TRY(orr_net_init(f->net, 1));
    const orr_loss_spec loss = { .name = m->classes > 2 ? "ce" : "bce",
                                 .output = orr_graph_output(f->graph),
                                 .n_classes = m->classes,
                                 .pos_weight = 1 };
    ORR_TRY(orr_loss_init(&f->loss, &loss));
    ORR_TRY(orr_objective_create(&f->objective, f->net, &f->loss, n, leaves));
    return orr_optimiser_create(&f->adam, f->backend, &adam, orr_net_param_count(f->net));
}

static orr_status step(bench *f, double t[PHASES])
{
    const float *y, *dy;
    double norm, right[ORR_MAX_LEAVES], at[5], busy = now(CLOCK_PROCESS_CPUTIME_ID);
    size_t n = orr_net_param_count(f->net);

    at[0] = now(CLOCK_MONOTONIC);
    ORR_TRY(orr_net_forward(f->net, &f->b, f->x, f->aux, 1, &y));
    at[1] = now(CLOCK_MONOTONIC);
    ORR_TRY(orr_objective_eval(f->objective, &f->b, y, f->labels, NULL, f->leaf_sums, right, &dy));
    at[2] = now(CLOCK_MONOTONIC);
    ORR_TRY(orr_net_backward(f->net, &f->b, dy));
    at[3] = now(CLOCK_MONOTONIC);
    ORR_TRY(f->backend->ops->norm(f->backend, n, orr_net_grads(f->net, 0), &norm));
    double scale = orr_clip_scale(norm, 1.0);
    orr_optimiser_step(f->adam, orr_net_params(f->net), orr_net_grads(f->net, 0), 1e-5, scale);
    ORR_TRY(orr_net_update_state(f->net, orr_net_grads(f->net, 0), f->b.n_leaves));
    at[4] = now(CLOCK_MONOTONIC);
    for (int i = 0; i < 4; i++)
        t[i] = at[i + 1] - at[i];
    t[4] = at[4] - at[0];
    t[5] = now(CLOCK_PROCESS_CPUTIME_ID) - busy;
    return ORR_OK;
}

static orr_status measure(bench *f, double seconds)
{
    double t[PHASES], start = now(CLOCK_MONOTONIC);
    int n = 0;

    for (int i = 0; i < 5; i++)
        ORR_TRY(step(f, t));
    while (n < MAX_STEPS && (n < 5 || now(CLOCK_MONOTONIC) - start < seconds)) {
        ORR_TRY(step(f, t));
        for (int i = 0; i < PHASES; i++)
            f->times[(size_t)i * MAX_STEPS + n] = t[i];
        n++;
    }
    for (int i = 0; i < PHASES; i++) {
        double *all = f->times + (size_t)i * MAX_STEPS;
        qsort(all, (size_t)n, sizeof *all, by_size);
        printf("%-12s median %9.4f ms   best %9.4f ms\n", phases[i], 1e3 * all[n / 2],
               1e3 * all[0]);
    }
    return ORR_OK;
}

static int number(int argc, char **argv, int i, int otherwise)
{
    return argc > i ? (int)strtol(argv[i], NULL, 10) : otherwise;
}

int main(int argc, char **argv)
{
    static bench f;
    const char *name = argc > 1 ? argv[1] : "kepler-cnn";
    const int n = number(argc, argv, 2, 24), threads = number(argc, argv, 3, 1),
              leaves = number(argc, argv, 4, 8);
    orr_status st;

    for (size_t i = 0; i < sizeof models / sizeof *models; i++)
        if (strcmp(models[i].name, name) == 0) f.m = &models[i];
    f.kernels = argc > 6 ? argv[6] : "cpu";
    if (!f.m || n < 1 || leaves < 1 || leaves > ORR_MAX_LEAVES || threads < 1) {
        fprintf(stderr,
                "usage: bench_nn_step [MODEL [BATCH [THREADS [LEAVES [SECONDS [KERNELS]]]]]]\n");
        return 2;
    }
    omp_set_num_threads(threads);
    printf("%s, batch %d, %d threads, %d leaves, %s\n", name, n, threads, leaves, f.kernels);
    st = prepare(&f, n, leaves);
    if (st == ORR_OK) st = measure(&f, number(argc, argv, 5, 3));
    if (st != ORR_OK) fprintf(stderr, "%s\n", orr_error_text());
    orr_objective_destroy(f.objective);
    orr_optimiser_destroy(f.adam);
    orr_net_destroy(f.net);
    orr_backend_destroy(f.backend);
    orr_graph_destroy(f.graph);
    orr_free(f.x);
    orr_free(f.aux);
    orr_free(f.labels);
    orr_free(f.keys);
    orr_free(f.times);
    return st != ORR_OK;
}
