/* nn/loss.c - losses and their gradients, in double, sample after sample. */
#include "nn/loss.h"

#include "core/options.h"

#include <math.h>
#include <string.h>

static const char *const loss_names[] = { "bce", "ce", "mse" };
enum { N_LOSSES = sizeof loss_names / sizeof *loss_names };

/* log(1 + e^x) without overflow */
static double softplus(double x)
{
    return fmax(x, 0) + log1p(exp(-fabs(x)));
}
static double sigmoid(double x)
{
    return x >= 0 ? 1 / (1 + exp(-x)) : exp(x) / (1 + exp(x));
}

static orr_status find_kind(orr_loss_kind *kind, const char *name)
{
    for (int i = 0; i < N_LOSSES; i++) {
        if (strcmp(name, loss_names[i]) == 0) {
            *kind = (orr_loss_kind)i;
            return ORR_OK;
        }
    }
    const char *near = orr_nearest(name, loss_names, N_LOSSES);
    return orr_fail(ORR_ERR_OPTION, "no loss is called \"%s\"%s%s%s: there are bce, ce and mse",
                    name, near ? ", did you mean \"" : "", near ? near : "", near ? "\"?" : "");
}

/* Does the net's output fit what the data holds? */
static orr_status check_shape(orr_loss_kind kind, orr_shape out, int n_classes, int width)
{
    const char *name = loss_names[kind];

    if (kind == ORR_LOSS_MSE && n_classes != 0)
        return orr_fail(ORR_ERR_SHAPE,
                        "loss mse is for regression, and the data has %d classes: use %s",
                        n_classes, n_classes == 2 ? "bce or ce" : "ce");
    if (kind != ORR_LOSS_MSE && n_classes < 2)
        return orr_fail(ORR_ERR_SHAPE,
                        "loss %s needs classes, and the data has %d: use mse for regression", name,
                        n_classes);
    if (kind == ORR_LOSS_BCE && n_classes != 2)
        return orr_fail(ORR_ERR_SHAPE, "loss bce is for 2 classes, and the data has %d: use ce",
                        n_classes);
    int want = kind == ORR_LOSS_BCE ? 1 : kind == ORR_LOSS_CE ? n_classes : width;
    if (want < 1) return orr_fail(ORR_ERR_SHAPE, "loss %s: a target of %d values", name, want);
    if (out.h != 1 || out.w != 1 || out.c != want)
        return orr_fail(ORR_ERR_SHAPE,
                        "loss %s needs an output of 1 x 1 x %d, and the net gives %d x %d x %d: "
                        "end it with a linear "
                        "layer of %d units",
                        name, want, out.h, out.w, out.c, want);
    return ORR_OK;
}

orr_status orr_loss_init(orr_loss *l, const char *name, orr_shape output, int n_classes, int width,
                         double pos_weight)
{
    orr_loss_kind kind = ORR_LOSS_BCE;

    *l = (orr_loss){ 0 };
    ORR_TRY(find_kind(&kind, name));
    ORR_TRY(check_shape(kind, output, n_classes, width));
    if (kind != ORR_LOSS_BCE && pos_weight != 1)
        return orr_fail(ORR_ERR_OPTION, "pos_weight is for the loss bce, not %s: leave it at 1",
                        name);
    if (!(pos_weight > 0) || isinf(pos_weight))
        return orr_fail(ORR_ERR_OPTION, "pos_weight %g: give a number above 0", pos_weight);
    *l = (orr_loss){ .kind = kind, .outputs = output.c, .pos_weight = pos_weight };
    return ORR_OK;
}

/* One sample: returns its loss; *dx = its derivative / n_global.  dx may be NULL. */
static double bce(double pos_weight, double x, int label, double n_global, orr_real *dx)
{
    if (label != 0 && label != 1) {
        if (dx) *dx = (orr_real)NAN;
        return NAN;
    }
    if (dx) *dx = (orr_real)((label ? -pos_weight * sigmoid(-x) : sigmoid(x)) / n_global);
    return label ? pos_weight * softplus(-x) : softplus(x);
}

static double log_sum_exp(const orr_real *x, int c)
{
    double max = -INFINITY, sum = 0;

    for (int j = 0; j < c; j++)
        max = (double)x[j] > max ? (double)x[j] : max;
    for (int j = 0; j < c; j++)
        sum += exp((double)x[j] - max);
    return max + log(sum);
}

/* d/dx[j] = softmax(x)[j] - (j == label) */
static double cross_entropy(const orr_real *x, int c, int label, double n_global, orr_real *dx)
{
    double lse = log_sum_exp(x, c);
    int known = label >= 0 && label < c;

    for (int j = 0; dx && j < c; j++)
        dx[j] = (orr_real)(known ? (exp((double)x[j] - lse) - (j == label)) / n_global : NAN);
    return known ? lse - (double)x[label] : NAN;
}

static double squared_error(const orr_real *x, const float *y, int c, double n_global, orr_real *dx)
{
    double sum = 0;

    for (int j = 0; j < c; j++) {
        double d = (double)x[j] - (double)y[j];
        sum += d * d;
        if (dx) dx[j] = (orr_real)(2 * d / c / n_global);
    }
    return sum / c;
}

static double sample_loss(const orr_loss *l, int i, double n_global, const orr_real *x,
                          const int32_t *labels, const float *values, orr_real *dx)
{
    size_t at = (size_t)i * (size_t)l->outputs;
    orr_real *dxi = dx ? dx + at : NULL;

    switch (l->kind) {
    case ORR_LOSS_BCE:
        return bce(l->pos_weight, (double)x[at], labels[i], n_global, dxi);
    case ORR_LOSS_CE:
        return cross_entropy(x + at, l->outputs, labels[i], n_global, dxi);
    case ORR_LOSS_MSE:
        return squared_error(x + at, values + at, l->outputs, n_global, dxi);
    }
    return NAN;
}

void orr_loss_eval(const orr_loss *l, const orr_batch *b, const orr_real *x, const int32_t *labels,
                   const float *values, double *leaf_sums, double *per_sample, orr_real *dx)
{
    for (int leaf = 0; leaf < b->n_leaves; leaf++) {
        double sum = 0;
        for (int i = b->leaf[leaf]; i < b->leaf[leaf + 1]; i++) {
            double loss = sample_loss(l, i, (double)b->n_global, x, labels, values, dx);
            if (per_sample) per_sample[i] = loss;
            sum += loss;
        }
        leaf_sums[leaf] = sum;
    }
}

void orr_loss_link(const orr_loss *l, int n, const orr_real *x, double *p)
{
    int c = l->outputs;

    for (int i = 0; i < n; i++, x += c, p += c) {
        double lse = l->kind == ORR_LOSS_CE ? log_sum_exp(x, c) : 0;
        for (int j = 0; j < c; j++) {
            if (l->kind == ORR_LOSS_BCE) p[j] = sigmoid((double)x[j]);
            if (l->kind == ORR_LOSS_CE) p[j] = exp((double)x[j] - lse);
            if (l->kind == ORR_LOSS_MSE) p[j] = (double)x[j];
        }
    }
}
