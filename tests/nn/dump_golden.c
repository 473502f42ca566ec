/* tests/nn/dump_golden.c MODEL TABLE FOLDER - trains a built-in model for a few steps on made-up
 * data and leaves what golden.py needs to do the same with PyTorch: weights before, batch, dropout
 * masks, outputs, gradients, losses, weights after.  Every file is raw float32 in PyTorch's layout;
 * `manifest` lists "name dim dim ...". */
#include "core/memory.h"
#include "core/rng.h"
#include "nn/layers/opts_private.h"
#include "nn/loss.h"
#include "nn/net.h"
#include "nn/objective.h"
#include "nn/optimiser.h"

#include <stdio.h>
#include <string.h>

enum { STEPS = 20, SEED = 4, MAX_SAMPLES = 64 };

/* side: of an image; tables whose convolutions are plain loops get the smaller one. */
typedef struct setting {
    const char *model;
    orr_shape input;
    int small_side, n, n_aux, n_classes;
    const char *loss;
    double lr; /* so small that float's rounding does not grow over the steps */
    orr_bins bins;
} setting;

static const setting settings[] = {
    { "kepler-cnn", { 1, 3197, 2 }, 0, 8, 0, 2, "bce", 1e-3, { 0 } },
    { "kepler-cnn2", { 1, 3197, 2 }, 0, 8, 0, 2, "bce", 1e-3, { 0 } },
    { "moons", { 1, 1, 2 }, 0, 32, 0, 2, "bce", 1e-3, { 0 } },
    { "inception", { 32, 32, 5 }, 12, 4, 0, 0, "crps", 1e-4, { 100, 0, 0.4 } },
    { "inception-mixed", { 20, 20, 5 }, 12, 4, 6, 0, "expected_mse", 1e-4, { 100, 0, 0.4 } },
    { "pasquet", { 24, 24, 5 }, 12, 4, 1, 0, "ce", 2e-5, { 180, 0, 0.4 } },
};
enum { N_SETTINGS = sizeof settings / sizeof *settings };

typedef struct golden {
    setting s;
    const char *folder;
    FILE *manifest;
    orr_shape input;
    int n, outputs;
    orr_backend *be;
    orr_graph *g;
    orr_net *net;
    orr_optimiser *adam;
    orr_loss loss;
    orr_batch batch;
    uint64_t keys[MAX_SAMPLES];
    int32_t labels[MAX_SAMPLES];
    float values[MAX_SAMPLES];
    orr_real *x, *aux, *file;
    orr_objective *objective;
    double losses[STEPS];
} golden;

static orr_status save(golden *t, const char *prefix, const char *name, const orr_real *v,
                       const int *dims, int n_dims)
{
    char path[512];
    size_t n = 1;
    FILE *f;

    for (int i = 0; i < n_dims; i++)
        n *= (size_t)dims[i];
    snprintf(path, sizeof path, "%s/%s.%s", t->folder, prefix, name);
    if (!(f = fopen(path, "wb"))) return orr_fail(ORR_ERR_IO, "%s: cannot write", path);
    n -= fwrite(v, sizeof *v, n, f);
    if (fclose(f) || n) return orr_fail(ORR_ERR_IO, "%s: short write", path);
    fprintf(t->manifest, "%s.%s", prefix, name);
    for (int i = 0; i < n_dims; i++)
        fprintf(t->manifest, " %d", dims[i]);
    fprintf(t->manifest, "\n");
    return ORR_OK;
}

/* Parameters and state, or the gradients of the parameters. */
static orr_status save_tensors(golden *t, const char *prefix, int gradients)
{
    orr_net_tensor info;

    for (int i = 0; i < orr_net_n_tensors(t->net); i++) {
        orr_net_tensor_info(t->net, i, &info);
        if (info.is_state && gradients) continue;
        ORR_TRY(gradients ? orr_net_read_gradient(t->net, i, 0, t->file)
                          : orr_net_read_tensor(t->net, i, t->file));
        ORR_TRY(save(t, prefix, info.name, t->file, info.dims, info.n_dims));
    }
    return ORR_OK;
}

static orr_status save_masks(golden *t, int step)
{
    for (int i = 0; i < orr_graph_n_layers(t->g); i++) {
        const orr_layer *l = orr_graph_layer(t->g, i);
        int dims[2] = { t->n, (int)orr_shape_count(l->out) };
        char prefix[32];

        if (strcmp(l->kind->kind, "dropout")) continue;
        double rate = ((const orr_dropout_opts *)l->opts)->rate;
        for (int s = 0; s < dims[0]; s++) {
            uint64_t key = orr_rng_key(t->keys[s], ORR_RNG_DROPOUT, (uint64_t)l->index, 0, 0);
            for (int j = 0; j < dims[1]; j++) {
                double u = orr_rng_unit(orr_rng_block(key, (uint64_t)j / 4).v[j % 4]);
                t->file[s * dims[1] + j] = u < rate ? 0 : 1;
            }
        }
        snprintf(prefix, sizeof prefix, "mask%d", step);
        ORR_TRY(save(t, prefix, l->name, t->file, dims, 2));
    }
    return ORR_OK;
}

static void make_data(golden *t)
{
    orr_rng r = orr_rng_stream(orr_rng_key(SEED, ORR_RNG_TEST, 0, 0, 0));
    size_t per = orr_shape_count(t->input);

    for (int i = 0; i < t->n; i++) {
        t->labels[i] = i % 2;
        t->values[i] = (float)(0.4 * orr_rng_uniform(&r));
        for (int j = 0; j < t->s.n_aux; j++)
            t->aux[i * t->s.n_aux + j] = (orr_real)orr_rng_normal(&r);
        for (size_t j = 0; j < per; j++)
            t->x[(size_t)i * per + j] = (orr_real)(orr_rng_normal(&r) + 0.3 * t->labels[i]);
    }
}

/* file[n][c][h * w] = x[n][h * w][c] */
static void channels_first(golden *t)
{
    size_t pixels = (size_t)t->input.h * (size_t)t->input.w, c = (size_t)t->input.c;

    for (size_t i = 0; i < (size_t)t->n; i++)
        for (size_t k = 0; k < pixels; k++)
            for (size_t j = 0; j < c; j++)
                t->file[(i * c + j) * pixels + k] = t->x[(i * pixels + k) * c + j];
}

static orr_status save_batch(golden *t)
{
    orr_shape in = t->input;
    int series[3] = { t->n, in.c, in.w }, image[4] = { t->n, in.c, in.h, in.w }, n = t->n;
    int numbers[2] = { t->n, t->s.n_aux };
    orr_real labels[MAX_SAMPLES + 1];

    channels_first(t);
    if (in.h > 1)
        ORR_TRY(save(t, "batch", "x", t->file, image, 4));
    else
        ORR_TRY(save(t, "batch", "x", t->file, series, in.w > 1 ? 3 : 2));
    if (t->s.n_aux) ORR_TRY(save(t, "batch", "aux", t->aux, numbers, 2));
    for (int i = 0; i < n; i++)
        labels[i] = t->s.n_classes ? (orr_real)t->labels[i] : (orr_real)t->values[i];
    labels[n] = (orr_real)t->s.lr;
    ORR_TRY(save(t, "batch", "lr", labels + n, &n, 0));
    return save(t, "batch", "labels", labels, &n, 1);
}

static orr_status step(golden *t, int i)
{
    const orr_real *y, *dy;
    double right;
    int dims[2] = { t->n, t->outputs };

    for (int s = 0; s < t->n; s++)
        t->keys[s] = orr_rng_key(SEED, ORR_RNG_TEST, 1 + (uint64_t)i, (uint64_t)s, 0);
    ORR_TRY(save_masks(t, i));
    ORR_TRY(orr_net_forward(t->net, &t->batch, t->x, t->aux, 1, &y));
    ORR_TRY(orr_net_output(t->net, t->file));
    if (i == 0) ORR_TRY(save(t, "first", "output", t->file, dims, 2));
    ORR_TRY(orr_objective_eval(t->objective, &t->batch, y, t->labels, t->values, &t->losses[i],
                               &right, &dy));
    t->losses[i] /= t->n;
    ORR_TRY(orr_net_backward(t->net, &t->batch, dy));
    if (i == 0) ORR_TRY(save_tensors(t, "grad", 1));
    orr_optimiser_step(t->adam, orr_net_params(t->net), orr_net_grads(t->net, 0), t->s.lr, 1);
    return orr_net_update_state(t->net, orr_net_grads(t->net, 0), 1);
}

static orr_status train(golden *t)
{
    int dims[2] = { t->n, t->outputs }, leaf[2] = { 0, t->n }, segment[2] = { 0, 1 }, steps = STEPS;
    orr_real losses[STEPS];
    const orr_real *y;

    t->batch = (orr_batch){ .n = t->n,
                            .n_leaves = 1,
                            .leaf = leaf,
                            .n_segments = 1,
                            .segment = segment,
                            .n_global = t->n,
                            .keys = t->keys };
    make_data(t);
    ORR_TRY(save_batch(t));
    ORR_TRY(save_tensors(t, "before", 0));
    for (int i = 0; i < STEPS; i++)
        ORR_TRY(step(t, i));
    for (int i = 0; i < STEPS; i++)
        losses[i] = (orr_real)t->losses[i];
    ORR_TRY(save(t, "train", "losses", losses, &steps, 1));
    ORR_TRY(save_tensors(t, "after", 0));
    ORR_TRY(orr_net_forward(t->net, &t->batch, t->x, t->aux, 0, &y));
    ORR_TRY(orr_net_output(t->net, t->file));
    return save(t, "last", "output", t->file, dims, 2);
}

static orr_status prepare(golden *t, const char *model, const char *table)
{
    orr_optimiser_opts o;
    orr_limits limits = { .max_samples = t->n,
                          .max_leaves = 1,
                          .max_segments = 1,
                          .n_leaf_sizes = 1,
                          .leaf_sizes = &t->n,
                          .training = 1 };
    size_t most;

    ORR_TRY(orr_backend_create(&t->be, table));
    ORR_TRY(orr_model_build(&t->g, model, t->input, t->s.n_aux, 0));
    ORR_TRY(orr_net_create(&t->net, t->g, t->be, &limits));
    ORR_TRY(orr_net_init(t->net, SEED));
    ORR_TRY(orr_options_read(&o, orr_optimiser_options, NULL, "optimiser"));
    o.kind = "adam";
    ORR_TRY(orr_optimiser_create(&t->adam, t->be, &o, orr_net_param_count(t->net)));
    t->outputs = orr_graph_output(t->g).c;
    ORR_TRY(orr_loss_init(&t->loss, &(orr_loss_spec){ .name = t->s.loss,
                                                      .output = orr_graph_output(t->g),
                                                      .n_classes = t->s.n_classes,
                                                      .width = 1,
                                                      .pos_weight = 1,
                                                      .bins = t->s.bins }));
    most = orr_net_param_count(t->net) + (size_t)t->n * orr_shape_count(t->input) + (1 << 18);
    if (!(t->x = orr_alloc((size_t)t->n * orr_shape_count(t->input), sizeof *t->x)) ||
        !(t->aux = orr_alloc((size_t)t->n * (size_t)t->s.n_aux, sizeof *t->aux)) ||
        !(t->file = orr_alloc(most, sizeof *t->file)))
        return orr_fail(ORR_ERR_NOMEM, "golden");
    return orr_objective_create(&t->objective, t->net, &t->loss, t->n, 1);
}

int main(int argc, char **argv)
{
    orr_status st = ORR_OK;
    golden *t = orr_alloc(1, sizeof *t);
    char path[512];

    if (argc != 4 || !t) return 2;
    for (int i = 0; i < N_SETTINGS; i++)
        if (!strcmp(argv[1], settings[i].model)) t->s = settings[i];
    if (!t->s.model) return 2;
    t->folder = argv[3];
    t->n = t->s.n;
    t->input = t->s.input;
    if (t->s.small_side && strcmp(argv[2], "cpu")) t->input.h = t->input.w = t->s.small_side;
    snprintf(path, sizeof path, "%s/manifest", t->folder);
    if (!(t->manifest = fopen(path, "w"))) return 2;
    ORR_TRY_GOTO(st, done, prepare(t, argv[1], argv[2]));
    ORR_TRY_GOTO(st, done, train(t));
    st = orr_net_verify(t->net);
done:
    if (st != ORR_OK) fprintf(stderr, "%s\n", orr_error_text());
    orr_objective_destroy(t->objective);
    orr_optimiser_destroy(t->adam);
    orr_net_destroy(t->net);
    orr_backend_destroy(t->be);
    orr_graph_destroy(t->g);
    orr_free(t->x);
    orr_free(t->aux);
    orr_free(t->file);
    st = fclose(t->manifest) ? ORR_ERR_IO : st;
    orr_free(t);
    return st != ORR_OK;
}
