/* nn/objective.c - a loss at the end of a net, and what it moves between host and back end. */
#include "nn/objective.h"

#include "core/memory.h"

struct orr_objective {
    orr_backend *be;
    orr_loss loss;
    int max_samples, max_leaves;
    /* the back end's */
    int32_t *labels;
    float *values;
    orr_real *dy;
    double *leaves;  /* [2][max_leaves]: losses, right answers */
    double *samples; /* each sample's loss */
};

static void *get(const orr_objective *o, size_t n, size_t size)
{
    size_t bytes;

    return __builtin_mul_overflow(n, size, &bytes) ? NULL : o->be->ops->alloc(o->be, bytes);
}

static void release(const orr_objective *o, void *p)
{
    if (p) o->be->ops->free(o->be, p);
}

orr_status orr_objective_create(orr_objective **out, const orr_net *net, const orr_loss *loss,
                                int max_samples, int max_leaves)
{
    orr_objective *o = orr_alloc(1, sizeof *o);
    size_t n = (size_t)max_samples, width = (size_t)loss->outputs;

    *out = NULL;
    if (!o) return orr_fail(ORR_ERR_NOMEM, "loss: %zu bytes", sizeof *o);
    *o = (orr_objective){ .be = orr_net_backend(net),
                          .loss = *loss,
                          .max_samples = max_samples,
                          .max_leaves = max_leaves };
    o->labels = get(o, n, sizeof *o->labels);
    o->values = get(o, n * width, sizeof *o->values);
    o->dy = get(o, n * width, sizeof *o->dy);
    o->leaves = get(o, 2 * (size_t)max_leaves, sizeof *o->leaves);
    o->samples = get(o, n, sizeof *o->samples);
    if (!o->labels || !o->values || !o->dy || !o->leaves || !o->samples) {
        orr_objective_destroy(o);
        return orr_fail(ORR_ERR_NOMEM, "loss: batches of %d samples", max_samples);
    }
    *out = o;
    return ORR_OK;
}

void orr_objective_destroy(orr_objective *o)
{
    if (!o) return;
    release(o, o->labels);
    release(o, o->values);
    release(o, o->dy);
    release(o, o->leaves);
    release(o, o->samples);
    orr_free(o);
}

orr_status orr_objective_eval(orr_objective *o, const orr_batch *b, const orr_real *y,
                              const int32_t *labels, const float *values, double *leaf_loss,
                              double *leaf_right, const orr_real **dy)
{
    const orr_backend_ops *ops = o->be->ops;
    size_t n = (size_t)b->n, bytes = (size_t)b->n_leaves * sizeof(double);
    double *right = o->leaves + o->max_leaves;

    *dy = o->dy;
    if (b->n > o->max_samples || b->n_leaves > o->max_leaves)
        return orr_fail(ORR_ERR_ARG, "a loss for %d samples and %d leaves gets %d and %d",
                        o->max_samples, o->max_leaves, b->n, b->n_leaves);
    if (labels) ops->upload(o->be, o->labels, labels, n * sizeof *labels);
    if (values)
        ops->upload(o->be, o->values, values,
                    n * (size_t)orr_loss_target_width(&o->loss) * sizeof *values);
    ops->loss(o->be, &o->loss, b, y, o->labels, o->values, o->leaves, o->samples, o->dy);
    if (labels) ops->count_correct(o->be, &o->loss, b, y, o->labels, right);
    ops->download(o->be, leaf_loss, o->leaves, bytes);
    if (labels) ops->download(o->be, leaf_right, right, bytes);
    ORR_TRY(ops->synchronise(o->be));
    for (int i = 0; !labels && i < b->n_leaves; i++)
        leaf_right[i] = 0;
    return ORR_OK;
}

orr_status orr_objective_samples(const orr_objective *o, int n, double *out)
{
    o->be->ops->download(o->be, out, o->samples, (size_t)n * sizeof *out);
    return o->be->ops->synchronise(o->be);
}
