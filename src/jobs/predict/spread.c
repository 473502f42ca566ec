/* jobs/predict/spread.c - metrics of several models side by side. */
#include "jobs/predict/spread.h"
#include "core/json.h"
#include "core/memory.h"
#include "core/text_table.h"
#include "stats/fold_scores.h"

#include <math.h>
#include <stdio.h>

void orr_model_spread_free(orr_model_spread *s)
{
    orr_free(s->name);
    orr_free(s->v);
    *s = (orr_model_spread){ 0 };
}

orr_status orr_model_spread_add(orr_model_spread *s, const char *name, const orr_scores *scores)
{
    const orr_metric_input in = orr_scores_input(scores);
    const size_t n = (size_t)s->n;
    size_t each;
    void *more;

    if (n == 0)
        s->n_metrics = orr_metrics_in(
            scores->output_type == ORR_OUTPUT_DENSITY ? ORR_IN_DENSITY_FOLDS : ORR_IN_FOLDS,
            scores->kind, s->m);
    each = (size_t)s->n_metrics;
    if ((more = orr_realloc(s->name, n, n + 1, sizeof *s->name))) s->name = more;
    if (more && (more = orr_realloc(s->v, n * each + 1, (n + 1) * each + 1, sizeof *s->v)))
        s->v = more;
    if (!more) return orr_fail(ORR_ERR_NOMEM, "out of memory: scores of %d models", s->n + 1);
    snprintf(s->name[n], sizeof s->name[n], "%s", name);
    for (size_t k = 0; k < each; k++)
        s->v[n * each + k] = orr_metric_value(s->m[k], &in);
    s->n++;
    return ORR_OK;
}

/* What one metric does over the models. */
typedef struct extent {
    double mean, deviation, least, largest;
} extent;

static extent extent_of(const orr_model_spread *s, int k)
{
    extent e = { .least = s->v[k], .largest = s->v[k] };

    orr_fold_mean(s->v + k, s->n, s->n_metrics, &e.mean, &e.deviation);
    for (int i = 1; i < s->n; i++) {
        const double v = s->v[i * s->n_metrics + k];
        e.least = v < e.least ? v : e.least;
        e.largest = v > e.largest ? v : e.largest;
    }
    if (isnan(e.mean)) e.least = e.largest = NAN;
    return e;
}

static void put_cell(orr_text_table *t, double v)
{
    if (isfinite(v))
        orr_text_table_cell(t, "%.5g", v);
    else
        orr_text_table_cell(t, "-");
}

void orr_model_spread_table(const orr_model_spread *s, orr_text *out)
{
    static const char *const columns[] = { "mean", "deviation", "least", "largest" };
    orr_text_table t = { .out = out, .gap = 1 };
    char title[64];

    if (s->n < 2) return;
    snprintf(title, sizeof title, "over the %d models", s->n);
    orr_text_add(out, "\n");
    orr_text_table_column(&t, title, 22, ORR_LEFT);
    for (int i = 0; i < 4; i++)
        orr_text_table_column(&t, columns[i], 10, ORR_RIGHT);
    orr_text_table_head(&t);
    for (int k = 0; k < s->n_metrics; k++) {
        const extent e = extent_of(s, k);
        orr_text_table_cell(&t, "%s", s->m[k]->title);
        put_cell(&t, e.mean);
        put_cell(&t, e.deviation);
        put_cell(&t, e.least);
        put_cell(&t, e.largest);
        orr_text_table_end_row(&t);
    }
}

void orr_model_spread_json(const orr_model_spread *s, cJSON *o)
{
    cJSON *models, *spread;

    if (s->n < 2) return;
    models = cJSON_AddArrayToObject(o, "models");
    spread = cJSON_AddObjectToObject(o, "spread");
    for (int i = 0; i < s->n; i++) {
        cJSON *one = cJSON_CreateObject();
        cJSON_AddStringToObject(one, "name", s->name[i]);
        for (int k = 0; k < s->n_metrics; k++)
            orr_json_put(one, s->m[k]->name, s->v[i * s->n_metrics + k]);
        cJSON_AddItemToArray(models, one);
    }
    for (int k = 0; k < s->n_metrics; k++) {
        const extent e = extent_of(s, k);
        cJSON *one = cJSON_AddObjectToObject(spread, s->m[k]->name);
        orr_json_put(one, "mean", e.mean);
        orr_json_put(one, "deviation", e.deviation);
        orr_json_put(one, "least", e.least);
        orr_json_put(one, "largest", e.largest);
    }
}
