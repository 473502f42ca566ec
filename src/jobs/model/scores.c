/* jobs/model/scores.c - predictions, loss and metrics of predictions. */
#include "jobs/model/scores.h"
#include "core/memory.h"
#include "jobs/model/predictor.h"

#include <math.h>
#include <string.h>

int orr_has_truth(const orr_model *m, const orr_samples *samples)
{
    return orr_model_n_classes(m) ? orr_dataset_labels(samples->set) != NULL
                                  : orr_dataset_values(samples->set) != NULL;
}

int orr_named_class(const double *p, int n_classes, double threshold)
{
    int best = 0;

    if (n_classes == 2) return p[1] > threshold;
    for (int i = 1; i < n_classes; i++)
        if (p[i] > p[best]) best = i;
    return best;
}

static size_t truth_width(const orr_model *m)
{
    return (size_t)orr_loss_target_width(&m->loss);
}

/* Labels or values of n rows, in their order. */
static void gather_truth(const orr_model *m, const orr_samples *samples, const int64_t *rows,
                         int64_t n, int32_t *labels, float *values)
{
    size_t width = truth_width(m);

    for (int64_t i = 0; i < n; i++) {
        if (labels)
            labels[i] = orr_dataset_labels(samples->set)[rows[i]];
        else
            memcpy(values + (size_t)i * width,
                   orr_dataset_values(samples->set) + (size_t)rows[i] * width,
                   width * sizeof *values);
    }
}

/* Sum of the samples' losses in position order, over their number. */
static double mean_loss(const orr_model *m, int64_t n, const orr_real *logits,
                        const int32_t *labels, const float *values)
{
    size_t width = truth_width(m);
    double sum = 0;

    for (int64_t at = 0; at < n; at += ORR_EVAL_CHUNK) {
        int here = (int)(n - at < ORR_EVAL_CHUNK ? n - at : ORR_EVAL_CHUNK);
        const int leaf[2] = { 0, here }, segment[2] = { 0, 1 };
        orr_batch b = { .n = here,
                        .n_leaves = 1,
                        .leaf = leaf,
                        .n_segments = 1,
                        .segment = segment,
                        .n_global = here };
        double leaf_sum;
        orr_loss_eval(&m->loss, &b, logits + (size_t)at * (size_t)m->outputs,
                      labels ? labels + at : NULL, values ? values + (size_t)at * width : NULL,
                      &leaf_sum, NULL, NULL);
        sum += leaf_sum;
    }
    return sum / (double)n;
}

/* Probabilities of all classes (from one output: of 0 and of 1), values, or densities with their
 * means. */
static void fill_predictions(orr_scores *s, const orr_model *m, const orr_real *logits)
{
    for (int64_t i = 0; i < s->n; i++) {
        const orr_real *x = logits + (size_t)i * (size_t)m->outputs;
        double *p = s->p + (size_t)i * (size_t)s->n_columns;
        if (s->n_columns > m->outputs) {
            orr_loss_link(&m->loss, 1, x, &p[1]);
            p[0] = 1 - p[1];
            continue;
        }
        orr_loss_link(&m->loss, 1, x, p);
        if (!s->point) continue;
        orr_calibration_apply(&m->calibration, p, s->n_columns);
        s->point[i] = orr_bins_mean(&s->bins, p);
    }
}

static orr_status judge_values(orr_scores *s, const orr_model *m)
{
    const double *point = orr_scores_point(s);

    if (truth_width(m) > 1) {
        s->n_targets = (int)truth_width(m);
        s->targets = orr_alloc(truth_width(m), sizeof *s->targets);
        if (!s->targets) return orr_fail(ORR_ERR_NOMEM, "out of memory: %d targets", s->n_targets);
    }
    ORR_TRY(orr_regression_metrics(s->truth, point, s->n, (int)truth_width(m), &s->regression,
                                   s->targets));
    if (s->output_type == ORR_OUTPUT_DENSITY || s->is_redshift)
        ORR_TRY(orr_redshift_metrics(point, s->truth, s->n,
                                     s->output_type == ORR_OUTPUT_DENSITY ? s->p : NULL, &s->bins,
                                     s->is_redshift ? ORR_OUTLIER : ORR_NO_REDSHIFT, &s->redshift));
    return ORR_OK;
}

/* Targets that are none (NaN) make no score: of such samples as a whole there is no truth. */
static int is_known(const float *truth, size_t n)
{
    for (size_t i = 0; truth && i < n; i++)
        if (!isfinite(truth[i])) return 0;
    return 1;
}

/* logits NULL: the loss is not known. */
static orr_status judge(orr_scores *s, const orr_model *m, const orr_samples *samples,
                        const int64_t *rows, const orr_real *logits, double threshold)
{
    size_t n = (size_t)s->n;
    int32_t *labels = NULL;
    orr_status st;

    if (s->output_type == ORR_OUTPUT_CLASSES)
        labels = orr_alloc(n + 1, sizeof *labels);
    else
        s->truth = orr_alloc(n * truth_width(m) + 1, sizeof *s->truth);
    if (!labels && !s->truth)
        return orr_fail(ORR_ERR_NOMEM, "out of memory: labels of %zu samples", n);
    gather_truth(m, samples, rows, s->n, labels, s->truth);
    if (!is_known(s->truth, n * truth_width(m))) return ORR_OK;
    if (logits) s->loss = mean_loss(m, s->n, logits, labels, s->truth);
    s->has_truth = 1;
    st = labels ? orr_classification_create(&s->classification, labels, s->p, s->n, s->n_classes,
                                            threshold)
                : judge_values(s, m);
    orr_free(labels);
    return st;
}

/* Room for the predictions. */
static orr_status begin(orr_scores *s, const orr_model *m, int64_t n)
{
    int n_classes = orr_model_n_classes(m);

    *s = (orr_scores){ .n = n,
                       .output_type = orr_loss_output_type(&m->loss),
                       .kind = orr_model_metric_case(m),
                       .n_classes = n_classes,
                       .n_columns = n_classes ? n_classes : m->outputs,
                       .bins = m->loss.bins,
                       .is_redshift = orr_schema_is_redshift(&m->schema),
                       .loss = NAN };
    s->p = orr_alloc((size_t)n * (size_t)s->n_columns + 1, sizeof *s->p);
    if (s->output_type == ORR_OUTPUT_DENSITY) s->point = orr_alloc((size_t)n + 1, sizeof *s->point);
    if (!s->p || (s->output_type == ORR_OUTPUT_DENSITY && !s->point))
        return orr_fail(ORR_ERR_NOMEM, "out of memory: predictions of %lld samples", (long long)n);
    return ORR_OK;
}

orr_status orr_scores_create(orr_scores *s, const orr_model *m, const orr_samples *samples,
                             const int64_t *rows, int64_t n, const orr_real *logits,
                             double threshold)
{
    orr_status st = begin(s, m, n);

    if (st == ORR_OK) fill_predictions(s, m, logits);
    if (st == ORR_OK && orr_has_truth(m, samples))
        st = judge(s, m, samples, rows, logits, threshold);
    if (st != ORR_OK) orr_scores_free(s);
    return st;
}

orr_status orr_scores_of_predictions(orr_scores *s, const orr_model *m, const orr_samples *samples,
                                     const int64_t *rows, int64_t n, const double *p,
                                     double threshold)
{
    orr_status st = begin(s, m, n);

    if (st == ORR_OK) memcpy(s->p, p, (size_t)n * (size_t)s->n_columns * sizeof *p);
    for (int64_t i = 0; st == ORR_OK && s->point && i < n; i++)
        s->point[i] = orr_bins_mean(&s->bins, p + i * s->n_columns);
    if (st == ORR_OK && orr_has_truth(m, samples)) st = judge(s, m, samples, rows, NULL, threshold);
    if (st != ORR_OK) orr_scores_free(s);
    return st;
}

void orr_scores_free(orr_scores *s)
{
    orr_free(s->p);
    orr_free(s->point);
    orr_free(s->truth);
    orr_free(s->targets);
    orr_classification_destroy(s->classification);
    *s = (orr_scores){ 0 };
}

orr_status orr_scores_calibration(const orr_scores *s, orr_calibration *out)
{
    double *pit = orr_alloc((size_t)s->n + 1, sizeof *pit), crps;
    orr_status st;

    if (!pit) return orr_fail(ORR_ERR_NOMEM, "out of memory: PIT of %lld samples", (long long)s->n);
    for (int64_t i = 0; i < s->n; i++)
        orr_pit_crps(&s->bins, s->p + (size_t)i * (size_t)s->n_columns, (double)s->truth[i],
                     &pit[i], &crps);
    st = orr_calibration_fit(out, pit, s->n);
    orr_free(pit);
    return st;
}

const double *orr_scores_point(const orr_scores *s)
{
    return s->point ? s->point : s->p;
}

orr_metric_input orr_scores_input(const orr_scores *s)
{
    return (orr_metric_input){ .has_truth = s->has_truth,
                               .loss = s->loss,
                               .classes = s->classification,
                               .values = &s->regression,
                               .redshift = &s->redshift };
}

orr_metric_input orr_scores_target_input(const orr_scores *s, int target)
{
    return (
        orr_metric_input){ .has_truth = s->has_truth, .loss = NAN, .values = &s->targets[target] };
}

double orr_scores_metric(const orr_scores *s, const char *name)
{
    orr_metric_input in = orr_scores_input(s);

    return orr_metric_value(orr_metric_find(name, s->kind), &in);
}

orr_metric_case orr_model_metric_case(const orr_model *m)
{
    return orr_metric_case_of(orr_loss_output_type(&m->loss), orr_model_n_classes(m),
                              orr_schema_is_redshift(&m->schema));
}

double orr_density_quantile(const orr_bins *bins, const double *p, double q)
{
    double below = 0, w = orr_bin_width(bins);

    for (int k = 0; k < bins->count; k++) {
        if (p[k] > 0 && below + p[k] >= q) return bins->min + (k + (q - below) / p[k]) * w;
        below += p[k];
    }
    return bins->max;
}
