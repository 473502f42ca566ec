/* nn/layers/norm.c - batch normalisation by channel.  Source: Ioffe & Szegedy 2015; eps, momentum,
 * the biased variance in the formula and the unbiased one in the running moments as torch has them.
 *
 * over: leaf (default).  Training normalises each leaf by its own moments, so the result depends on
 * how many leaves a batch has and never on the ranks.  The running update takes the mean over
 * leaves with samples of their means and of their unbiased variances; both sums travel in the stat
 * range: [sum of means, sum of variances, leaves with a variance].  A leaf whose moments come from
 * a single number per channel normalises to beta exactly (its deviation is 0, and so is its data
 * gradient) and has no unbiased variance: it counts for the running mean alone. over: batch.  The
 * moments of the whole batch, from ordered sums over all leaves (orr_pass.leaf_sum): first counts
 * and sums, then squared deviations from the common mean; backward sums twice in one call.  Every
 * rank takes part, also one without samples, and every rank knows the moments, so nothing travels
 * in the stat range. Evaluation uses the running moments.  Leaves may be empty. */
#include "core/memory.h"
#include "nn/backend.h"
#include "nn/layer.h"
#include "nn/layers/kinds.h"
#include "nn/layers/opts_private.h"

#include <math.h>
#include <string.h>

typedef struct norm {
    int over_batch;
    /* the back end's */
    orr_real *mean,
        *inv_std;   /* of each leaf [max_leaves][c]; over batch and in evaluation the first row */
    orr_real *leaf; /* [max_leaves][2c + 1], what is summed over the leaves of a segment */
    orr_real *mean_dy; /* [2c]: mean dy, mean dy xhat */
    double *moments;   /* [max_leaves][2c]: a leaf's mean and m2, or its two backward sums */
    /* the host's, over batch: what travels between ranks */
    double *seen;                   /* [max_leaves][2c]: moments, looked at */
    double *in, *out;               /* of leaf_sum: [max_leaves][2c + 1], [2c + 1] */
    double *batch_mean, *batch_var; /* of the last training forward: [c], unbiased */
    orr_real *rounded;              /* [2c] on the way to or from the back end */
    double batch_rows;
} norm;

static const orr_option norm_options[] = {
    ORR_OPTION_REAL(orr_norm_opts, eps, "1e-5", 1e-30, 1e30, "added to the variance"),
    ORR_OPTION_REAL(orr_norm_opts, momentum, "0.1", 0, 1,
                    "share of the new in the running moments"),
    ORR_OPTION_CHOICE(orr_norm_opts, over, "leaf", "leaf|batch", "whose moments training uses"),
    ORR_OPTION_END,
};

static orr_tensor_info vector(const char *name, int c, double fill)
{
    return (orr_tensor_info){
        .name = name, .n_dims = 1, .dims = { c }, .count = (size_t)c, .fill = fill
    };
}

static orr_status norm_infer(orr_layer *l)
{
    int c = l->in[0].c;
    norm *m = l->self = orr_alloc(1, sizeof *m);

    if (!m) return orr_fail(ORR_ERR_NOMEM, "%zu bytes", sizeof *m);
    m->over_batch = !strcmp(((const orr_norm_opts *)l->opts)->over, "batch");
    l->out = l->in[0];
    ORR_TRY(orr_layer_tensors(l, 2, 2));
    l->params[0] = vector("weight", c, 1);
    l->params[1] = vector("bias", c, 0);
    l->states[0] = vector("running_mean", c, 0);
    l->states[1] = vector("running_var", c, 1);
    l->stat_count = m->over_batch ? 0 : 2 * (size_t)c + 1;
    *(m->over_batch ? &l->batch_values : &l->leaf_values) = l->in[0].h * l->in[0].w;
    return ORR_OK;
}

static orr_status norm_plan(orr_layer *l, orr_backend *be, const orr_limits *limits)
{
    norm *m = l->self;
    size_t c = (size_t)l->in[0].c, leaves = limits->training ? (size_t)limits->max_leaves : 1;

    m->mean = orr_layer_scratch(l, be, leaves * c, sizeof *m->mean);
    m->inv_std = orr_layer_scratch(l, be, leaves * c, sizeof *m->inv_std);
    if (!m->mean || !m->inv_std) goto nomem;
    if (!limits->training) return ORR_OK;
    m->leaf = orr_layer_scratch(l, be, leaves * (2 * c + 1), sizeof *m->leaf);
    m->mean_dy = orr_layer_scratch(l, be, 2 * c, sizeof *m->mean_dy);
    m->moments = orr_layer_scratch(l, be, leaves * 2 * c, sizeof *m->moments);
    if (!m->leaf || !m->mean_dy || !m->moments) goto nomem;
    if (!m->over_batch) return ORR_OK;
    m->seen = orr_alloc(leaves * 2 * c, sizeof *m->seen);
    m->in = orr_alloc(leaves * (2 * c + 1), sizeof *m->in);
    m->out = orr_alloc(2 * c + 1, sizeof *m->out);
    m->batch_mean = orr_alloc(2 * c, sizeof *m->batch_mean);
    m->rounded = orr_alloc(2 * c, sizeof *m->rounded);
    if (!m->seen || !m->in || !m->out || !m->batch_mean || !m->rounded) goto nomem;
    m->batch_var = m->batch_mean + c;
    m->batch_rows = 0;
    return ORR_OK;
nomem:
    return orr_fail(ORR_ERR_NOMEM, "layer %s: moments of %zu leaves", l->name, leaves);
}

static void norm_unplan(orr_layer *l, orr_backend *be)
{
    norm *m = l->self;

    (void)be;
    orr_free(m->seen);
    orr_free(m->in);
    orr_free(m->out);
    orr_free(m->batch_mean);
    orr_free(m->rounded);
    *m = (norm){ .over_batch = m->over_batch };
}

/* Rows (samples times pixels) of a leaf, and where they start. */
static size_t leaf_rows(const orr_layer *l, const orr_batch *b, int leaf, size_t *first)
{
    size_t pixels = (size_t)l->in[0].h * (size_t)l->in[0].w;

    *first = (size_t)b->leaf[leaf] * pixels;
    return (size_t)(b->leaf[leaf + 1] - b->leaf[leaf]) * pixels;
}

static double eps(const orr_layer *l)
{
    return ((const orr_norm_opts *)l->opts)->eps;
}

static orr_status evaluate(orr_layer *l, orr_backend *be, const orr_pass *p)
{
    norm *m = l->self;
    const orr_real *mean = p->state + l->states[0].offset, *var = p->state + l->states[1].offset;
    int c = l->in[0].c;

    be->ops->norm_inv_std(be, c, eps(l), var, m->inv_std);
    be->ops->norm_forward(be, (size_t)p->batch->n * (size_t)l->in[0].h * (size_t)l->in[0].w, c,
                          p->x[0], mean, m->inv_std, p->params + l->params[0].offset,
                          p->params + l->params[1].offset, p->y);
    return ORR_OK;
}

/* Sums m->leaf, rows of `stride`, over the leaves of each segment into the slabs at `offset`. */
static void sum_segments(norm *m, orr_backend *be, const orr_pass *p, size_t offset, size_t column,
                         size_t stride, size_t n)
{
    const orr_batch *b = p->batch;

    for (int r = 0; r < b->n_segments; r++)
        be->ops->leaf_sum(be, p->grads[r] + offset,
                          m->leaf + (size_t)b->segment[r] * stride + column, stride,
                          b->segment[r + 1] - b->segment[r], n);
}

static void forward_leaf(orr_layer *l, orr_backend *be, const orr_pass *p, int leaf)
{
    norm *m = l->self;
    size_t c = (size_t)l->in[0].c, first, rows = leaf_rows(l, p->batch, leaf, &first);
    orr_real *mean = m->mean + (size_t)leaf * c, *inv_std = m->inv_std + (size_t)leaf * c;
    orr_real *stat = m->leaf + (size_t)leaf * (2 * c + 1);
    double *moments = m->moments + (size_t)leaf * 2 * c;

    if (rows) be->ops->norm_moments(be, rows, (int)c, p->x[0] + first * c, moments, moments + c);
    be->ops->norm_factors(be, rows, (int)c, eps(l), moments, moments + c, mean, inv_std, stat);
    if (rows == 0) return;
    be->ops->norm_forward(be, rows, (int)c, p->x[0] + first * c, mean, inv_std,
                          p->params + l->params[0].offset, p->params + l->params[1].offset,
                          p->y + first * c);
}

/* What each local leaf's moments are, where the host can see them. */
static orr_status see_moments(orr_backend *be, norm *m, const orr_pass *p, size_t c)
{
    size_t bytes = (size_t)p->batch->n_leaves * 2 * c * sizeof *m->seen;

    be->ops->download(be, m->seen, m->moments, bytes);
    return be->ops->synchronise(be);
}

/* The mean of the whole batch, from counts and sums. */
static orr_status batch_mean(orr_layer *l, const orr_pass *p)
{
    norm *m = l->self;
    size_t c = (size_t)l->in[0].c, first;

    for (int i = 0; i < p->batch->n_leaves; i++) {
        size_t rows = leaf_rows(l, p->batch, i, &first);
        const double *moments = m->seen + (size_t)i * 2 * c;
        double *in = m->in + (size_t)i * (c + 1);
        for (size_t j = 0; j < c; j++)
            in[j] = moments[j] * (double)rows;
        in[c] = (double)rows;
    }
    ORR_TRY(p->leaf_sum(p->leaf_sum_ctx, m->in, m->out, c + 1));
    m->batch_rows = m->out[c];
    for (size_t j = 0; j < c; j++)
        m->batch_mean[j] = m->batch_rows > 0 ? m->out[j] / m->batch_rows : 0;
    return ORR_OK;
}

/* m->out = squared deviations from it. */
static orr_status batch_squares(orr_layer *l, const orr_pass *p)
{
    norm *m = l->self;
    size_t c = (size_t)l->in[0].c, first;

    for (int i = 0; i < p->batch->n_leaves; i++) {
        size_t rows = leaf_rows(l, p->batch, i, &first);
        const double *moments = m->seen + (size_t)i * 2 * c;
        for (size_t j = 0; j < c; j++) {
            double d = moments[j] - m->batch_mean[j];
            m->in[(size_t)i * c + j] = moments[c + j] + (double)rows * d * d;
        }
    }
    return p->leaf_sum(p->leaf_sum_ctx, m->in, m->out, c);
}

/* m->mean, m->inv_std and the batch moments from ordered sums over all leaves of all ranks. */
static orr_status batch_moments(orr_layer *l, orr_backend *be, const orr_pass *p)
{
    norm *m = l->self;
    size_t c = (size_t)l->in[0].c, first;
    double rows;

    for (int i = 0; i < p->batch->n_leaves; i++) {
        size_t n = leaf_rows(l, p->batch, i, &first);
        double *moments = m->moments + (size_t)i * 2 * c;
        be->ops->norm_moments(be, n, (int)c, p->x[0] + first * c, moments, moments + c);
    }
    ORR_TRY(see_moments(be, m, p, c));
    ORR_TRY(batch_mean(l, p));
    ORR_TRY(batch_squares(l, p));
    rows = m->batch_rows;
    for (size_t j = 0; j < c; j++) {
        m->rounded[j] = (orr_real)m->batch_mean[j];
        m->rounded[c + j] = (orr_real)(1 / sqrt((rows > 0 ? m->out[j] / rows : 0) + eps(l)));
        m->batch_var[j] = rows > 1 ? m->out[j] / (rows - 1) : 0;
    }
    be->ops->upload(be, m->mean, m->rounded, c * sizeof *m->rounded);
    be->ops->upload(be, m->inv_std, m->rounded + c, c * sizeof *m->rounded);
    return ORR_OK;
}

static orr_status norm_forward(orr_layer *l, orr_backend *be, const orr_pass *p)
{
    norm *m = l->self;
    size_t pixels = (size_t)l->in[0].h * (size_t)l->in[0].w;

    if (!p->training) return evaluate(l, be, p);
    if (m->over_batch) {
        ORR_TRY(batch_moments(l, be, p));
        be->ops->norm_forward(be, (size_t)p->batch->n * pixels, l->in[0].c, p->x[0], m->mean,
                              m->inv_std, p->params + l->params[0].offset,
                              p->params + l->params[1].offset, p->y);
        return ORR_OK;
    }
    for (int i = 0; i < p->batch->n_leaves; i++)
        forward_leaf(l, be, p, i);
    sum_segments(m, be, p, l->stat_offset, 0, l->stat_count, l->stat_count);
    return ORR_OK;
}

/* dx of `rows` rows from m->mean_dy. */
static void backward_data(orr_layer *l, orr_backend *be, const orr_pass *p, size_t first,
                          size_t rows, size_t moments_row)
{
    norm *m = l->self;
    size_t c = (size_t)l->in[0].c;

    if (!p->dx[0] || rows == 0) return;
    be->ops->norm_backward_data(be, rows, (int)c, p->x[0] + first * c, m->mean + moments_row * c,
                                m->inv_std + moments_row * c, p->params + l->params[0].offset,
                                m->mean_dy, m->mean_dy + c, p->dy + first * c,
                                p->dx[0] + first * c);
}

/* A leaf's two sums, and with moments of its own its data gradient. */
static void backward_leaf(orr_layer *l, orr_backend *be, const orr_pass *p, int leaf)
{
    norm *m = l->self;
    size_t c = (size_t)l->in[0].c, first, rows = leaf_rows(l, p->batch, leaf, &first);
    size_t row = m->over_batch ? 0 : (size_t)leaf;
    double *sums = m->moments + (size_t)leaf * 2 * c;
    int own = !m->over_batch && rows > 0;

    be->ops->norm_backward_sums(be, rows, (int)c, p->x[0] + first * c, m->mean + row * c,
                                m->inv_std + row * c, p->dy + first * c, sums, sums + c);
    be->ops->norm_means(be, 2 * (int)c, rows, sums, m->leaf + (size_t)leaf * 2 * c,
                        own ? m->mean_dy : NULL);
    if (own) backward_data(l, be, p, first, rows, row);
}

/* m->mean_dy over the whole batch. */
static orr_status batch_means(orr_layer *l, orr_backend *be, const orr_pass *p)
{
    norm *m = l->self;
    size_t c = (size_t)l->in[0].c, n = (size_t)p->batch->n_leaves * 2 * c;

    ORR_TRY(see_moments(be, m, p, c));
    if (n) memcpy(m->in, m->seen, n * sizeof *m->in);
    ORR_TRY(p->leaf_sum(p->leaf_sum_ctx, m->in, m->out, 2 * c));
    for (size_t j = 0; j < 2 * c; j++)
        m->rounded[j] = (orr_real)(m->out[j] / m->batch_rows);
    be->ops->upload(be, m->mean_dy, m->rounded, 2 * c * sizeof *m->rounded);
    return ORR_OK;
}

static orr_status norm_backward(orr_layer *l, orr_backend *be, const orr_pass *p)
{
    norm *m = l->self;
    size_t c = (size_t)l->in[0].c, pixels = (size_t)l->in[0].h * (size_t)l->in[0].w;

    for (int i = 0; i < p->batch->n_leaves; i++)
        backward_leaf(l, be, p, i);
    sum_segments(m, be, p, l->params[1].offset, 0, 2 * c, c);
    sum_segments(m, be, p, l->params[0].offset, c, 2 * c, c);
    if (!m->over_batch) return ORR_OK;
    ORR_TRY(batch_means(l, be, p));
    backward_data(l, be, p, 0, (size_t)p->batch->n * pixels, 0);
    return ORR_OK;
}

static void move_towards(double momentum, size_t c, const double *towards, orr_real *moment)
{
    for (size_t j = 0; j < c; j++)
        moment[j] = (orr_real)((1 - momentum) * (double)moment[j] + momentum * towards[j]);
}

/* Over batch the new moments are the host's. */
static orr_status update_over_batch(const orr_layer *l, orr_backend *be, orr_real *mean,
                                    orr_real *var)
{
    const norm *m = l->self;
    double momentum = ((const orr_norm_opts *)l->opts)->momentum;
    size_t c = (size_t)l->in[0].c, bytes = c * sizeof *mean;

    be->ops->download(be, m->rounded, mean, bytes);
    be->ops->download(be, m->rounded + c, var, bytes);
    ORR_TRY(be->ops->synchronise(be));
    if (m->batch_rows > 0) move_towards(momentum, c, m->batch_mean, m->rounded);
    if (m->batch_rows > 1) move_towards(momentum, c, m->batch_var, m->rounded + c);
    be->ops->upload(be, mean, m->rounded, bytes);
    be->ops->upload(be, var, m->rounded + c, bytes);
    return ORR_OK;
}

static orr_status norm_update(orr_layer *l, orr_backend *be, const orr_real *stat, orr_real *state,
                              int n_leaves)
{
    const norm *m = l->self;
    double momentum = ((const orr_norm_opts *)l->opts)->momentum;
    orr_real *mean = state + l->states[0].offset, *var = state + l->states[1].offset;

    if (m->over_batch) return update_over_batch(l, be, mean, var);
    be->ops->norm_update(be, l->in[0].c, momentum, stat, n_leaves, mean, var);
    return ORR_OK;
}

const orr_layer_kind orr_kind_batch_norm = {
    .kind = "batch_norm",
    .help = "channels to mean 0 and variance 1, then scaled and shifted",
    .options = norm_options,
    .opts_bytes = sizeof(orr_norm_opts),
    .min_inputs = 1,
    .max_inputs = 1,
    .keeps_x = 1,
    .infer = norm_infer,
    .plan = norm_plan,
    .unplan = norm_unplan,
    .forward = norm_forward,
    .backward = norm_backward,
    .update_state = norm_update,
};
