/* nn/loss.c - which row a job means, whether data and net fit it, and sums over leaves. */
#include "nn/loss.h"

#include "core/options.h"
#include "nn/graph.h"
#include "nn/loss_kind_private.h"
#include "nn/range.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- which row ---- */
/* What the data would have a loss predict. */
static orr_output_type wanted_type(const orr_loss_spec *s)
{
    if (s->n_classes) return ORR_OUTPUT_CLASSES;
    return s->bins.count ? ORR_OUTPUT_DENSITY : ORR_OUTPUT_VALUES;
}

static int takes_data(const orr_loss_kind *k, const orr_loss_spec *s)
{
    return k->output_type == wanted_type(s) && (!k->max_classes || s->n_classes <= k->max_classes);
}

static const orr_loss_kind *named(const char *name, orr_output_type type)
{
    int n;
    const orr_loss_kind *const *rows = orr_loss_kinds(&n);

    for (int i = 0; i < n; i++)
        if (!strcmp(rows[i]->name, name) && rows[i]->output_type == type) return rows[i];
    return NULL;
}

/* The first that takes data and outputs, or the last that takes the data. */
static const orr_loss_kind *choose(const orr_loss_spec *s)
{
    int n;
    const orr_loss_kind *const *rows = orr_loss_kinds(&n), *best = NULL;

    for (int i = 0; i < n; i++) {
        if (!rows[i]->automatic || !takes_data(rows[i], s)) continue;
        best = rows[i];
        if ((size_t)best->outputs(s) == orr_shape_count(s->output)) break;
    }
    return best;
}

enum { NAMES_BYTES = 256 };

/* "bce or ce": the names of those that take the data, or all that predict `type`. */
static const char *names(char out[NAMES_BYTES], const orr_loss_spec *s, int type,
                         const char *between)
{
    int n, at = 0;
    const orr_loss_kind *const *rows = orr_loss_kinds(&n);

    out[0] = '\0';
    for (int i = 0; i < n && at < NAMES_BYTES; i++)
        if (s ? takes_data(rows[i], s) : (int)rows[i]->output_type == type)
            at += snprintf(out + at, (size_t)(NAMES_BYTES - at), "%s%s", at ? between : "",
                           rows[i]->name);
    return out;
}

static orr_status fail_pos_weight(const orr_loss_kind *k)
{
    char list[NAMES_BYTES] = "";
    int n, at = 0;
    const orr_loss_kind *const *rows = orr_loss_kinds(&n);

    for (int i = 0; i < n && at < NAMES_BYTES; i++)
        if (rows[i]->weighs)
            at += snprintf(list + at, (size_t)(NAMES_BYTES - at), "%s%s", at ? ", " : "",
                           rows[i]->name);
    return orr_fail(ORR_ERR_OPTION, "pos_weight is for the loss %s, not %s: leave it at 1", list,
                    k->name);
}

static orr_status fail_unknown(const char *name)
{
    char list[NAMES_BYTES] = "";
    const char *near = NULL, *word;
    int at = 0;

    for (int i = 0; (word = orr_loss_word(i)); i++) {
        near = orr_nearer(name, near, word);
        if (i && at < NAMES_BYTES)
            at += snprintf(list + at, (size_t)(NAMES_BYTES - at), "%s%s", i > 1 ? ", " : "", word);
    }
    return orr_fail(ORR_ERR_OPTION, "no loss is called \"%s\"%s%s%s: there are %s", name,
                    near ? ", did you mean \"" : "", near ? near : "", near ? "\"?" : "", list);
}

/* A name that is known, but of no row that takes the data. */
static orr_status fail_data(const char *name, const orr_loss_spec *s)
{
    char list[NAMES_BYTES];
    const orr_loss_kind *classes = named(name, ORR_OUTPUT_CLASSES);
    int c = s->n_classes;

    if (classes && classes->max_classes && c > classes->max_classes)
        return orr_fail(ORR_ERR_SHAPE, "loss %s is for %d classes, and the data has %d: use %s",
                        name, classes->max_classes, c, names(list, s, 0, " or "));
    if (c)
        return orr_fail(ORR_ERR_SHAPE,
                        "loss %s is for regression, and the data has %d classes: use %s", name, c,
                        names(list, s, 0, " or "));
    if (classes && named(name, ORR_OUTPUT_DENSITY))
        return orr_fail(ORR_ERR_SHAPE,
                        "loss %s needs classes, and the data has values: give bins to cut them "
                        "into, or use %s",
                        name, names(list, NULL, ORR_OUTPUT_VALUES, " or "));
    return orr_fail(ORR_ERR_SHAPE,
                    "loss %s needs classes, and the data has 0: use %s for regression", name,
                    names(list, NULL, ORR_OUTPUT_VALUES, " or "));
}

static orr_status fail_bins(const char *name, const orr_loss_spec *s)
{
    char list[NAMES_BYTES];

    return orr_fail(ORR_ERR_OPTION,
                    "bins are for a density of values (loss %s), and the loss is %s%s: leave them "
                    "out",
                    names(list, NULL, ORR_OUTPUT_DENSITY, ", "), name,
                    s->n_classes ? " on classes" : "");
}

static orr_status find_kind(const orr_loss_kind **kind, const orr_loss_spec *s)
{
    const orr_loss_kind *any;

    *kind = strcmp(s->name, "auto") ? named(s->name, wanted_type(s)) : choose(s);
    if (*kind && takes_data(*kind, s)) return ORR_OK;
    any = named(s->name, ORR_OUTPUT_VALUES);
    if (any && s->bins.count && !s->n_classes) return fail_bins(s->name, s);
    if (any || named(s->name, ORR_OUTPUT_CLASSES)) return fail_data(s->name, s);
    if (!named(s->name, ORR_OUTPUT_DENSITY)) return fail_unknown(s->name);
    if (s->n_classes) return fail_data(s->name, s);
    return orr_fail(ORR_ERR_OPTION, "loss %s is on a density over bins: give bins", s->name);
}

/* ---- does it fit? ---- */
/* A density's target is one number: a wider one would need one density each. */
static orr_status check_bins(const orr_loss_kind *k, const orr_loss_spec *s)
{
    const orr_bins *b = &s->bins;

    if (k->output_type != ORR_OUTPUT_DENSITY) return b->count ? fail_bins(k->name, s) : ORR_OK;
    if (b->count < 2 || b->count > ORR_MAX_BINS)
        return orr_fail(ORR_ERR_OPTION, "%d bins: give 2 to %d", b->count, ORR_MAX_BINS);
    if (!(b->max > b->min) || !isfinite(b->max - b->min))
        return orr_fail(ORR_ERR_OPTION, "bins from %g to %g: the end must lie above the start",
                        b->min, b->max);
    if (s->width != 1)
        return orr_fail(ORR_ERR_SHAPE,
                        "loss %s needs targets of one value, and the data has %d a sample: choose "
                        "one column",
                        k->name, s->width);
    return ORR_OK;
}

/* Does the net's output fit what the data holds? */
static orr_status check_shape(const orr_loss_kind *k, const orr_loss_spec *s)
{
    orr_shape out = s->output;
    int want = k->outputs(s);

    if (k->output_type == ORR_OUTPUT_CLASSES && s->n_classes < 2)
        return orr_fail(ORR_ERR_SHAPE,
                        "loss %s needs classes, and the data has %d: use mse for regression",
                        k->name, s->n_classes);
    if (want < 1) return orr_fail(ORR_ERR_SHAPE, "loss %s: a target of %d values", k->name, want);
    if (out.h != 1 || out.w != 1 || out.c != want)
        return orr_fail(ORR_ERR_SHAPE,
                        "loss %s needs an output of 1 x 1 x %d%s, and the net gives %d x %d x %d: "
                        "end it with a linear layer of %d units",
                        k->name, want,
                        k->output_type == ORR_OUTPUT_DENSITY ? ", a logit a bin" : "", out.h, out.w,
                        out.c, want);
    return ORR_OK;
}

static orr_status read_options(orr_loss *l, const orr_loss_spec *s)
{
    const orr_loss_kind *k = l->kind;
    char what[64];

    if (k->opts_bytes > sizeof l->opts)
        return orr_fail(ORR_ERR_INTERNAL, "loss %s: %zu bytes of options", k->name, k->opts_bytes);
    snprintf(what, sizeof what, "loss %s", k->name);
    if (k->options) return orr_options_read(l->opts.bytes, k->options, s->options, what);
    if (s->options && s->options->n_items)
        return orr_fail(ORR_ERR_OPTION, "%s%s takes no options: take %s out", what,
                        s->bins.count ? " on bins" : "", s->options->items[0]->key);
    return ORR_OK;
}

orr_status orr_loss_init_kind(orr_loss *l, const orr_loss_kind *k, const orr_loss_spec *s)
{
    *l = (orr_loss){ 0 };
    ORR_TRY(check_bins(k, s));
    ORR_TRY(check_shape(k, s));
    if (!k->weighs && s->pos_weight != 1) return fail_pos_weight(k);
    if (!(s->pos_weight > 0) || isinf(s->pos_weight))
        return orr_fail(ORR_ERR_OPTION, "pos_weight %g: give a number above 0", s->pos_weight);
    l->kind = k;
    l->outputs = s->output.c;
    l->pos_weight = s->pos_weight;
    l->bins = s->bins;
    ORR_TRY(read_options(l, s));
    return k->check ? k->check(l, s) : ORR_OK;
}

orr_status orr_loss_init(orr_loss *l, const orr_loss_spec *spec)
{
    const orr_loss_kind *kind;

    *l = (orr_loss){ 0 };
    ORR_TRY(find_kind(&kind, spec));
    return orr_loss_init_kind(l, kind, spec);
}

/* "sigmoid1 (sigmoid) keeps the net's outputs within 0 to 1" */
static void say_bounds(orr_text *out, const orr_narrowing *n)
{
    orr_text_printf(out, "layer %s (%s) keeps the net's outputs ", n->name, n->kind);
    if (isinf(n->range.hi))
        orr_text_printf(out, "from %.4g up", n->range.lo + 0);
    else if (isinf(n->range.lo))
        orr_text_printf(out, "up to %.4g", n->range.hi);
    else
        orr_text_printf(out, "within %.4g to %.4g", n->range.lo + 0, n->range.hi);
}

static orr_status fail_range(const orr_loss *l, const orr_narrowing *n)
{
    int logits = l->kind->needs == ORR_NEEDS_LOGITS;
    orr_text bounds = ORR_TEXT_INIT;
    orr_status st;

    say_bounds(&bounds, n);
    st = orr_fail(ORR_ERR_OPTION, "%s, and loss %s expects %s: take %s out, or put %s behind it",
                  bounds.s ? bounds.s : n->name, l->kind->name,
                  logits ? "logits, which may be any number (the sigmoid or softmax is its own)"
                         : "numbers that are not below 0",
                  n->name, logits ? "a linear layer" : "a layer that gives such");
    orr_text_free(&bounds);
    return st;
}

orr_status orr_loss_check_net(const orr_loss *l, const orr_graph *g, orr_text *remark)
{
    orr_narrowing n;

    ORR_TRY(orr_graph_narrowing(g, &n));
    if (n.range.lo == n.range.hi)
        return orr_fail(ORR_ERR_OPTION,
                        "layer %s (%s) keeps the net's outputs at %.4g, whatever the sample: take "
                        "it out",
                        n.name, n.kind, n.range.lo);
    if (l->kind->needs == ORR_NEEDS_POSITIVE) return n.range.lo >= 0 ? ORR_OK : fail_range(l, &n);
    if (l->kind->needs != ORR_NEEDS_LOGITS || !n.name) return ORR_OK;
    if (isfinite(n.range.lo) && isfinite(n.range.hi)) return fail_range(l, &n);
    say_bounds(remark, &n);
    orr_text_printf(remark,
                    ", and loss %s expects logits, which may be any number: put a linear layer "
                    "behind it, or take it out",
                    l->kind->name);
    return orr_text_status(remark);
}

/* ---- what it is ---- */
const char *orr_loss_name(const orr_loss *l)
{
    return l->kind->name;
}

orr_output_type orr_loss_output_type(const orr_loss *l)
{
    return l->kind->output_type;
}

orr_status orr_loss_dump_options(const orr_loss *l, orr_text *out)
{
    static const orr_option none[] = { ORR_OPTION_END };

    return orr_options_dump_flow(l->opts.bytes, l->kind->options ? l->kind->options : none, out);
}

orr_status orr_loss_fit(orr_loss *l, const int64_t *counts)
{
    return l->kind->fit ? l->kind->fit(l, counts) : ORR_OK;
}

int orr_loss_n_classes(const orr_loss *l)
{
    if (l->kind->output_type != ORR_OUTPUT_CLASSES) return 0;
    return l->outputs == 1 ? 2 : l->outputs;
}

int orr_loss_target_width(const orr_loss *l)
{
    return l->kind->output_type == ORR_OUTPUT_VALUES ? l->outputs : 1;
}

/* ---- numbers ---- */
void orr_loss_eval(const orr_loss *l, const orr_batch *b, const orr_real *x, const int32_t *labels,
                   const float *values, double *leaf_sums, double *per_sample, orr_real *dx)
{
    size_t c = (size_t)l->outputs, width = (size_t)orr_loss_target_width(l);

    for (int leaf = 0; leaf < b->n_leaves; leaf++) {
        double sum = 0;
        for (int i = b->leaf[leaf]; i < b->leaf[leaf + 1]; i++) {
            size_t at = (size_t)i;
            orr_target t = { .label = labels ? labels[at] : -1,
                             .values = values ? values + at * width : NULL };
            double loss =
                l->kind->sample(l, x + at * c, &t, (double)b->n_global, dx ? dx + at * c : NULL);
            if (per_sample) per_sample[i] = loss;
            sum += loss;
        }
        leaf_sums[leaf] = sum;
    }
}

static int likeliest(const orr_loss *l, const orr_real *x)
{
    int best = 0;

    if (l->outputs == 1) return x[0] > 0;
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
    for (int i = 0; i < n; i++)
        l->kind->link(l, x + (size_t)i * (size_t)l->outputs, p + (size_t)i * (size_t)l->outputs);
}

/* ---- for rows ---- */
int orr_loss_one_output(const orr_loss_spec *s)
{
    (void)s;
    return 1;
}

int orr_loss_output_a_class(const orr_loss_spec *s)
{
    return s->n_classes;
}

int orr_loss_output_a_target(const orr_loss_spec *s)
{
    return s->width;
}

int orr_loss_output_a_bin(const orr_loss_spec *s)
{
    return s->bins.count;
}

void orr_loss_link_none(const orr_loss *l, const orr_real *x, double *p)
{
    for (int j = 0; j < l->outputs; j++)
        p[j] = (double)x[j];
}

void orr_loss_link_sigmoid(const orr_loss *l, const orr_real *x, double *p)
{
    for (int j = 0; j < l->outputs; j++)
        p[j] = orr_sigmoid((double)x[j]);
}

void orr_loss_link_softmax(const orr_loss *l, const orr_real *x, double *p)
{
    orr_softmax(x, l->outputs, p);
}

double orr_loss_outside(int c, orr_real *dx)
{
    for (int j = 0; dx && j < c; j++)
        dx[j] = (orr_real)NAN;
    return NAN;
}

double orr_softplus(double x)
{
    return fmax(x, 0) + log1p(exp(-fabs(x)));
}

double orr_sigmoid(double x)
{
    return x >= 0 ? 1 / (1 + exp(-x)) : exp(x) / (1 + exp(x));
}

double orr_log_sum_exp(const orr_real *x, int c)
{
    double max = -INFINITY, sum = 0;

    for (int j = 0; j < c; j++)
        max = (double)x[j] > max ? (double)x[j] : max;
    for (int j = 0; j < c; j++)
        sum += exp((double)x[j] - max);
    return max + log(sum);
}

/* d/dx[j] = softmax(x)[j] - y[j] */
double orr_cross_entropy(const orr_real *x, int c, int label, double smoothing, double n_global,
                         orr_real *dx)
{
    double lse = orr_log_sum_exp(x, c), each = smoothing / c, mean = 0;

    if (label < 0 || label >= c) return orr_loss_outside(c, dx);
    for (int j = 0; dx && j < c; j++)
        dx[j] = (orr_real)((exp((double)x[j] - lse) - (j == label)) / n_global);
    if (smoothing == 0) return lse - (double)x[label];
    for (int j = 0; j < c; j++)
        mean += (double)x[j] / c;
    for (int j = 0; dx && j < c; j++)
        dx[j] = (orr_real)((exp((double)x[j] - lse) - (1 - smoothing) * (j == label) - each) /
                           n_global);
    return lse - (1 - smoothing) * (double)x[label] - smoothing * mean;
}

void orr_softmax(const orr_real *x, int c, double *p)
{
    double lse = orr_log_sum_exp(x, c);

    for (int j = 0; j < c; j++)
        p[j] = exp((double)x[j] - lse);
}

void orr_through_softmax(const double *p, const double *g, int c, double n_global, orr_real *dx)
{
    double mean = 0;

    for (int j = 0; j < c; j++)
        mean += p[j] * g[j];
    for (int j = 0; j < c; j++)
        dx[j] = (orr_real)(p[j] * (g[j] - mean) / n_global);
}

/* A target is a float, and the edges are doubles. */
double orr_density_target(const orr_bins *bins, float z)
{
    if (z == (float)bins->min) return bins->min;
    if (z == (float)bins->max) return bins->max;
    return (double)z;
}
