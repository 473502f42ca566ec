/* jobs/train/cautions.c - refusals and sentences before a training. */
#include "jobs/train/cautions.h"
#include "core/log.h"
#include "core/memory.h"
#include "jobs/model/scores.h"
#include "nn/graph.h"
#include "nn/layer.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* Statistics of fewer numbers than these are said to be noisy. */
static const int few = 4;

static const char *part_name(const orr_split *p)
{
    if (strcmp(p->name, "train") == 0) return "training";
    return strcmp(p->name, "fold") == 0 ? "held-out" : p->name;
}

/* ---- statistics of a leaf ---- */
/* Of the fullest batch, n samples, if its leaves hold few values. */
static void say_noisy(const orr_train_job *job, const orr_model *m, int64_t n, orr_text *out)
{
    const orr_layer *l;
    int values = orr_graph_leaf_values(m->graph, &l);
    int filled = orr_leaves_filled(n, job->train.leaves, orr_fewest_samples(values));
    int64_t least = filled > 0 ? n / filled : 0, each = least * values;

    if (l && least > 0 && each < few)
        orr_text_printf(out,
                        "layer %s (%s) takes its statistics of leaves of %lld sample%s, %lld "
                        "values a channel (%lld samples a batch in train.leaves %d): fewer leaves, "
                        "or over: batch, make them less noisy\n",
                        l->name, l->kind->kind, (long long)least, least > 1 ? "s" : "",
                        (long long)each, (long long)n, job->train.leaves);
}

static orr_status check_leaves(const orr_train_job *job, const orr_model *m)
{
    const orr_train_opts *o = &job->train;
    const orr_layer *l;
    int fewest = orr_fewest_samples(orr_graph_leaf_values(m->graph, &l));

    if (o->batch / o->leaves >= fewest || o->batch < fewest) return ORR_OK;
    return orr_fail(ORR_ERR_OPTION,
                    "layer %s (%s) takes its statistics of each leaf, and train.batch %lld in "
                    "train.leaves %d gives leaves of one sample, a single value a channel: what it "
                    "makes of them is its bias alone; give train.leaves %lld or fewer, a larger "
                    "train.batch, or %s: {over: batch}",
                    l->name, l->kind->kind, (long long)o->batch, o->leaves,
                    (long long)(o->batch / fewest), l->kind->kind);
}

/* ---- one sample's own statistics ---- */
static orr_status check_chain(const orr_transform *t, const char *key, orr_text *out)
{
    const char *name;
    size_t n = t ? orr_transform_fewest_shared(t, &name) : 0;

    if (n == 1)
        return orr_fail(ORR_ERR_OPTION,
                        "%s: %s takes mean and deviation of a single number of each sample, which "
                        "makes all of them 0; give it per: feature, whose statistics are the "
                        "training rows'",
                        key, name);
    if (n == 2)
        orr_text_printf(out,
                        "%s: %s takes mean and deviation of two numbers of each sample, which "
                        "leaves -1 and 1 alone; per: feature takes them of the training rows\n",
                        key, name);
    return ORR_OK;
}

orr_status orr_cautions_model(const orr_train_job *job, const orr_model *m, orr_text *out)
{
    if (m->remarks.len) orr_text_printf(out, "%s\n", m->remarks.s);
    ORR_TRY(check_leaves(job, m));
    ORR_TRY(check_chain(m->transform, "data.transforms", out));
    ORR_TRY(check_chain(m->aux_transform, "data.aux_transforms", out));
    return orr_text_status(out);
}

/* Are all numbers of a stored row the same, of the sample or of one of its channels? */
static int is_constant(const orr_samples *s, int64_t row, size_t values, size_t channels,
                       size_t bytes)
{
    const char *x = orr_samples_row(s, row);
    size_t step = channels * bytes, end = values * bytes;

    for (size_t k = 0; k < channels; k++) {
        size_t at = k * bytes + step;
        while (at < end && memcmp(x + k * bytes, x + at, bytes) == 0)
            at += step;
        if (at >= end) return 1;
    }
    return 0;
}

/* What has no deviation becomes zeros, all alike. */
static void find_constant(const orr_model *m, const orr_split *p, orr_text *out)
{
    const orr_schema *s = orr_dataset_schema(p->samples->set);
    size_t values = (size_t)s->h * (size_t)s->w * (size_t)s->c, c = (size_t)s->c;
    const char *name;
    size_t shared = orr_transform_fewest_shared(m->transform, &name);
    int by_channel = shared && c > 1 && shared == values / c;
    int64_t n = 0, first = -1;
    char id[ORR_ID_TEXT_MAX + 1];

    if (!shared) return;
    for (int64_t i = 0; i < p->n; i++)
        if (is_constant(p->samples, p->rows[i], values, by_channel ? c : 1,
                        orr_schema_x_bytes(s) / values) &&
            n++ == 0)
            first = p->rows[i];
    if (n == 0) return;
    orr_dataset_id(p->samples->set, first, id, sizeof id);
    orr_text_printf(
        out,
        "%lld of %lld samples of the %s split do not vary%s (the first is %s): %s makes them "
        "all 0\n",
        (long long)n, (long long)p->n, part_name(p), by_channel ? " in some channel" : "", id,
        name);
}

/* ---- batches ---- */
static int64_t epoch_length(const orr_train_job *job, const orr_splits *parts)
{
    return job->data.epoch_length ? job->data.epoch_length : parts->part[ORR_TRAIN].n;
}

/* A whole batch, or the short last one, that is a single sample. */
static orr_status check_batch(const orr_train_job *job, const orr_model *m, int64_t length)
{
    const orr_train_opts *o = &job->train;
    const orr_layer *of_leaves, *of_batch, *l;
    int single = orr_graph_leaf_values(m->graph, &of_leaves) == 1, fewest = 2;
    int64_t rest = length % o->batch;

    if (!single && orr_graph_batch_values(m->graph, &of_batch) != 1) return ORR_OK;
    l = single ? of_leaves : of_batch;
    if (o->batch < fewest)
        return orr_fail(ORR_ERR_OPTION,
                        "layer %s (%s) takes its statistics of a batch, and train.batch is %lld: a "
                        "single value a channel; give a larger train.batch",
                        l->name, l->kind->kind, (long long)o->batch);
    if (rest && rest < fewest && !o->drop_last)
        return orr_fail(ORR_ERR_OPTION,
                        "layer %s (%s) takes its statistics of a batch, and the last batch of an "
                        "epoch (%lld samples in batches of %lld) has one sample, a single value a "
                        "channel; give train.drop_last: true, or another train.batch",
                        l->name, l->kind->kind, (long long)length, (long long)o->batch);
    return ORR_OK;
}

/* ---- classes and targets ---- */
enum { NAMED = 5 };

/* "the training split (96 samples) has none of class b, c" */
static void find_classes(const orr_model *m, const orr_split *p, orr_text *out)
{
    int n_classes = orr_model_n_classes(m), missing = 0;
    int is_train = strcmp(p->name, "train") == 0;
    int64_t *counts = orr_alloc((size_t)n_classes, sizeof *counts);
    orr_text list = ORR_TEXT_INIT;
    char name[ORR_DATA_NAME_MAX];

    if (counts) orr_split_count_classes(p, n_classes, counts);
    for (int c = 0; counts && c < n_classes; c++) {
        if (counts[c]) continue;
        if (missing++ < NAMED)
            orr_text_printf(&list, "%s%s", missing > 1 ? ", " : "",
                            orr_class_name(&m->schema, c, name, sizeof name));
    }
    if (missing)
        orr_text_printf(out, "the %s split (%lld samples) has none of class %s%s: %s\n",
                        part_name(p), (long long)p->n, list.s ? list.s : "",
                        missing > NAMED ? ", ..." : "",
                        is_train ? "it cannot be learned"
                        : missing >= n_classes - 1
                            ? "with one class alone no AUC and no average precision can be told"
                            : "its metrics are of the other classes");
    if (!counts) out->status = orr_fail(ORR_ERR_NOMEM, "out of memory: %d classes", n_classes);
    orr_free(counts);
    orr_text_free(&list);
}

static void find_targets(const orr_model *m, const orr_split *p, orr_text *out)
{
    const float *values = orr_dataset_values(p->samples->set);
    int width = m->schema.y_width;

    for (int k = 0; values && p->n > 1 && k < width; k++) {
        float first = values[p->rows[0] * width + k];
        int64_t i = 1;
        while (i < p->n && values[p->rows[i] * width + k] == first)
            i++;
        if (i == p->n)
            orr_text_printf(out, "all %lld targets of the %s split%s%s are %g\n", (long long)p->n,
                            part_name(p), width > 1 ? ", " : "",
                            width > 1 && k < ORR_MAX_TARGET_NAMES ? m->schema.y_names[k] : "",
                            (double)first);
    }
}

static void look_at_part(const orr_model *m, const orr_split *p, orr_text *out)
{
    int is_train = strcmp(p->name, "train") == 0;

    if (p->n == 1)
        orr_text_printf(out, "the %s split is a single sample: %s\n", part_name(p),
                        is_train ? "whatever is fitted to it is of one row"
                                 : "its metrics say next to nothing");
    find_constant(m, p, out);
    if (p->n < 1 || !orr_has_truth(m, p->samples)) return;
    if (orr_model_n_classes(m))
        find_classes(m, p, out);
    else
        find_targets(m, p, out);
}

/* Targets that the last layer keeps the net from answering. */
static void find_unreachable(const orr_model *m, const orr_split *train, orr_text *out)
{
    const float *values = orr_dataset_values(train->samples->set);
    int width = m->schema.y_width;
    orr_narrowing bounds;
    int64_t n = 0;

    if (!values || orr_loss_output_type(&m->loss) != ORR_OUTPUT_VALUES ||
        orr_graph_narrowing(m->graph, &bounds) != ORR_OK || !bounds.name)
        return;
    for (int64_t i = 0; i < train->n; i++)
        for (int k = 0; k < width; k++) {
            double v = (double)values[train->rows[i] * width + k];
            if (v < bounds.range.lo || v > bounds.range.hi) {
                n++;
                break;
            }
        }
    if (n)
        orr_text_printf(out,
                        "%lld of %lld training samples have targets outside %.4g to %.4g, where "
                        "layer %s (%s) keeps the answers\n",
                        (long long)n, (long long)train->n, bounds.range.lo + 0, bounds.range.hi,
                        bounds.name, bounds.kind);
}

/* Scores of answers that are no net's, but vary: is the metric that chooses the epoch a number? */
static orr_status check_select(const orr_train_job *job, const orr_model *m, const orr_split *p)
{
    const char *select = job->train.select;
    const orr_metric *metric = orr_metric_find(select, orr_model_metric_case(m));
    size_t n = (size_t)p->n * (size_t)m->outputs;
    orr_real *logits;
    orr_scores s = { 0 };
    double value = 0;
    orr_status st;

    if (!p->n || !metric || orr_metric_is_loss(metric) || !orr_has_truth(m, p->samples))
        return ORR_OK;
    if (!(logits = orr_alloc(n, sizeof *logits)))
        return orr_fail(ORR_ERR_NOMEM, "out of memory: answers for %lld samples", (long long)p->n);
    for (size_t i = 0; i < n; i++)
        logits[i] = (orr_real)(i * 37 % 101) / 101;
    st = orr_scores_create(&s, m, p->samples, p->rows, p->n, logits, job->train.threshold);
    if (st == ORR_OK) value = orr_scores_metric(&s, select);
    orr_scores_free(&s);
    orr_free(logits);
    if (st != ORR_OK || !isnan(value)) return st;
    return orr_fail(
        ORR_ERR_OPTION,
        "train.select is %s, which the validation split (%lld samples) does not define%s: "
        "no epoch could be chosen by it; choose another metric, such as loss, or give "
        "a validation split that has what it needs",
        select, (long long)p->n, orr_model_n_classes(m) ? " (a class is missing in it)" : "");
}

/* What rows are in order by: the class, or the target's first value. */
static double target(const orr_dataset *set, int64_t row)
{
    const int32_t *labels = orr_dataset_labels(set);

    return labels ? labels[row]
                  : (double)orr_dataset_values(set)[row * orr_dataset_schema(set)->y_width];
}

int orr_is_sorted(const orr_dataset *set)
{
    int64_t n = orr_dataset_rows(set);
    int up = 1, down = 1;

    if (!orr_dataset_labels(set) && !orr_dataset_values(set)) return 0;
    for (int64_t i = 1; i < n && (up || down); i++) {
        double before = target(set, i - 1), now = target(set, i);
        up &= now >= before;
        down &= now <= before;
    }
    return up != down && n > 2;
}

orr_status orr_cautions_parts(const orr_train_job *job, const orr_model *m, const orr_splits *parts,
                              orr_text *out)
{
    const orr_split *train = &parts->part[ORR_TRAIN];
    const orr_split *validation = &parts->part[ORR_VALIDATION], *fold = &parts->part[ORR_FOLD];
    int64_t length = epoch_length(job, parts);

    for (int i = 1; i < ORR_N_SPLITS; i++)
        if (parts->part[i].n)
            ORR_TRY(orr_model_accepts(m, orr_dataset_schema(parts->part[i].samples->set),
                                      parts->part[i].name));
    ORR_TRY(check_batch(job, m, length));
    say_noisy(job, m, length < job->train.batch ? length : job->train.batch, out);
    ORR_TRY(check_select(job, m, validation));
    for (int i = 0; i < ORR_N_SPLITS; i++)
        if (parts->part[i].n && (i != ORR_FOLD || fold->rows != validation->rows))
            look_at_part(m, &parts->part[i], out);
    find_unreachable(m, train, out);
    if (strcmp(job->data.sampling, "file") == 0 && orr_is_sorted(train->samples->set))
        orr_text_printf(out,
                        "data.sampling file keeps the rows in their order, and they are sorted by "
                        "%s: batches are of neighbours; shuffled deals them\n",
                        orr_dataset_labels(train->samples->set) ? "class" : "target");
    return orr_text_status(out);
}

/* ---- saying it ---- */
void orr_cautions_say(const orr_text *lines, const char *component)
{
    for (const char *s = lines->s; s && *s; s += strcspn(s, "\n") + 1)
        orr_log0(ORR_WARN, component, "%.*s", (int)strcspn(s, "\n"), s);
}
