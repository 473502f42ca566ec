/* nn/loss.c - losses and their gradients, in double, sample after sample. */
#include "nn/loss.h"

#include "core/options.h"
#include "nn/loss_density.h"

#include <math.h>
#include <string.h>

/* By orr_loss_kind: what a job file says. */
static const char *const kind_names[] = { "bce", "ce", "mse", "ce", "expected_mse", "crps" };
static const char *const loss_names[] = { "auto", "bce", "ce", "mse", "expected_mse", "crps" };
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

static const char *best_loss(const orr_loss_spec *s)
{
    if (s->n_classes == 0) return s->bins.count ? "ce" : "mse";
    return s->n_classes == 2 && orr_shape_count(s->output) == 1 ? "bce" : "ce";
}

static orr_status find_kind(orr_loss_kind *kind, const orr_loss_spec *s)
{
    const char *name = strcmp(s->name, "auto") ? s->name : best_loss(s), *near;

    for (int i = 0; i <= ORR_LOSS_CRPS; i++) {
        if (strcmp(name, kind_names[i]) != 0) continue;
        *kind = (orr_loss_kind)i;
        if (*kind == ORR_LOSS_CE && s->n_classes == 0 && s->bins.count) *kind = ORR_LOSS_BINNED_CE;
        return ORR_OK;
    }
    near = orr_nearest(name, loss_names, N_LOSSES);
    return orr_fail(ORR_ERR_OPTION,
                    "no loss is called \"%s\"%s%s%s: there are bce, ce, mse, expected_mse and crps",
                    name, near ? ", did you mean \"" : "", near ? near : "", near ? "\"?" : "");
}

static int is_density(orr_loss_kind kind)
{
    return kind == ORR_LOSS_BINNED_CE || kind == ORR_LOSS_EXPECTED_MSE || kind == ORR_LOSS_CRPS;
}

static orr_status check_classes(orr_loss_kind kind, const orr_loss_spec *s)
{
    const char *name = kind_names[kind];

    if (kind == ORR_LOSS_CE && s->n_classes == 0)
        return orr_fail(ORR_ERR_SHAPE, "loss ce needs classes, and the data has values: give bins "
                                       "to cut them into, or use mse");
    if (kind != ORR_LOSS_BCE && kind != ORR_LOSS_CE && s->n_classes != 0)
        return orr_fail(ORR_ERR_SHAPE,
                        "loss %s is for regression, and the data has %d classes: use %s", name,
                        s->n_classes, s->n_classes == 2 ? "bce or ce" : "ce");
    if ((kind == ORR_LOSS_BCE || kind == ORR_LOSS_CE) && s->n_classes < 2)
        return orr_fail(ORR_ERR_SHAPE,
                        "loss %s needs classes, and the data has %d: use mse for "
                        "regression",
                        name, s->n_classes);
    if (kind == ORR_LOSS_BCE && s->n_classes != 2)
        return orr_fail(ORR_ERR_SHAPE, "loss bce is for 2 classes, and the data has %d: use ce",
                        s->n_classes);
    return ORR_OK;
}

/* A density's target is one number: a wider one would need one density each. */
static orr_status check_bins(orr_loss_kind kind, const orr_loss_spec *s)
{
    const char *name = kind_names[kind];
    const orr_bins *b = &s->bins;

    if (!is_density(kind) && b->count)
        return orr_fail(ORR_ERR_OPTION,
                        "bins are for a density of values (loss ce, crps, expected_mse), and the "
                        "loss is %s%s: leave them out",
                        name, s->n_classes ? " on classes" : "");
    if (!is_density(kind)) return ORR_OK;
    if (b->count < 1)
        return orr_fail(ORR_ERR_OPTION, "loss %s is on a density over bins: give bins", name);
    if (b->count < 2 || b->count > ORR_MAX_BINS)
        return orr_fail(ORR_ERR_OPTION, "%d bins: give 2 to %d", b->count, ORR_MAX_BINS);
    if (!(b->max > b->min) || !isfinite(b->max - b->min))
        return orr_fail(ORR_ERR_OPTION, "bins from %g to %g: the end must lie above the start",
                        b->min, b->max);
    if (s->width != 1)
        return orr_fail(ORR_ERR_SHAPE,
                        "loss %s needs targets of one value, and the data has %d a sample: choose "
                        "one column",
                        name, s->width);
    return ORR_OK;
}

/* Does the net's output fit what the data holds? */
static orr_status check_shape(orr_loss_kind kind, const orr_loss_spec *s)
{
    const char *name = kind_names[kind];
    orr_shape out = s->output;
    int want = s->width;

    if (kind == ORR_LOSS_BCE) want = 1;
    if (kind == ORR_LOSS_CE) want = s->n_classes;
    if (is_density(kind)) want = s->bins.count;
    if (want < 1) return orr_fail(ORR_ERR_SHAPE, "loss %s: a target of %d values", name, want);
    if (out.h != 1 || out.w != 1 || out.c != want)
        return orr_fail(ORR_ERR_SHAPE,
                        "loss %s needs an output of 1 x 1 x %d%s, and the net gives %d x %d x %d: "
                        "end it with a linear layer of %d units",
                        name, want, is_density(kind) ? ", a logit a bin" : "", out.h, out.w, out.c,
                        want);
    return ORR_OK;
}

orr_status orr_loss_init(orr_loss *l, const orr_loss_spec *spec)
{
    orr_loss_kind kind = ORR_LOSS_BCE;

    *l = (orr_loss){ 0 };
    ORR_TRY(find_kind(&kind, spec));
    ORR_TRY(check_classes(kind, spec));
    ORR_TRY(check_bins(kind, spec));
    ORR_TRY(check_shape(kind, spec));
    if (kind != ORR_LOSS_BCE && spec->pos_weight != 1)
        return orr_fail(ORR_ERR_OPTION, "pos_weight is for the loss bce, not %s: leave it at 1",
                        kind_names[kind]);
    if (!(spec->pos_weight > 0) || isinf(spec->pos_weight))
        return orr_fail(ORR_ERR_OPTION, "pos_weight %g: give a number above 0", spec->pos_weight);
    *l = (orr_loss){
        .kind = kind, .outputs = spec->output.c, .pos_weight = spec->pos_weight, .bins = spec->bins
    };
    return ORR_OK;
}

const char *orr_loss_name(const orr_loss *l)
{
    return kind_names[l->kind];
}

orr_output_type orr_loss_output_type(const orr_loss *l)
{
    if (is_density(l->kind)) return ORR_OUTPUT_DENSITY;
    return l->kind == ORR_LOSS_MSE ? ORR_OUTPUT_VALUES : ORR_OUTPUT_CLASSES;
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

/* d/dx[j] = softmax(x)[j] - (j == label) */
static double cross_entropy(const orr_real *x, int c, int label, double n_global, orr_real *dx)
{
    double lse = orr_log_sum_exp(x, c);
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
    double z;

    switch (l->kind) {
    case ORR_LOSS_BCE:
        return bce(l->pos_weight, (double)x[at], labels[i], n_global, dxi);
    case ORR_LOSS_CE:
        return cross_entropy(x + at, l->outputs, labels[i], n_global, dxi);
    case ORR_LOSS_MSE:
        return squared_error(x + at, values + at, l->outputs, n_global, dxi);
    case ORR_LOSS_BINNED_CE:
        z = orr_density_target(&l->bins, values[i]);
        return cross_entropy(x + at, l->outputs, orr_bin_of(&l->bins, z), n_global, dxi);
    case ORR_LOSS_EXPECTED_MSE:
        z = orr_density_target(&l->bins, values[i]);
        return orr_density_expected_mse(&l->bins, x + at, z, n_global, dxi);
    case ORR_LOSS_CRPS:
        z = orr_density_target(&l->bins, values[i]);
        return orr_density_crps(&l->bins, x + at, z, n_global, dxi);
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

static int likeliest(const orr_loss *l, const orr_real *x)
{
    int best = 0;

    if (l->kind == ORR_LOSS_BCE) return x[0] > 0;
    for (int k = 1; k < l->outputs; k++)
        if (x[k] > x[best]) best = k;
    return best;
}

int orr_loss_count_correct(const orr_loss *l, int n, const orr_real *x, const int32_t *labels)
{
    int right = 0;

    for (int i = 0; i < n; i++)
        right += likeliest(l, x + (size_t)i * (size_t)l->outputs) == labels[i];
    return right;
}

void orr_loss_link(const orr_loss *l, int n, const orr_real *x, double *p)
{
    int c = l->outputs;

    for (int i = 0; i < n; i++, x += c, p += c) {
        double lse = l->kind == ORR_LOSS_MSE ? 0 : orr_log_sum_exp(x, c);
        for (int j = 0; j < c; j++) {
            if (l->kind == ORR_LOSS_BCE)
                p[j] = sigmoid((double)x[j]);
            else
                p[j] = l->kind == ORR_LOSS_MSE ? (double)x[j] : exp((double)x[j] - lse);
        }
    }
}
