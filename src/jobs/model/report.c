/* jobs/model/report.c - tables and JSON of scores. */
#include "jobs/model/report.h"
#include "core/json.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static void add_classes(cJSON *o, const orr_classification *c, const orr_schema *schema)
{
    cJSON *list = cJSON_AddArrayToObject(o, "classes"),
          *matrix = cJSON_AddArrayToObject(o, "confusion");
    char name[ORR_DATA_NAME_MAX];

    for (int i = 0; i < c->n_classes; i++) {
        const orr_class_metrics *k = &c->classes[i];
        cJSON *item = cJSON_CreateObject(), *row = cJSON_CreateArray();
        cJSON_AddStringToObject(item, "name", orr_class_name(schema, i, name, sizeof name));
        orr_json_put(item, "support", (double)k->support);
        orr_json_put(item, "predicted", (double)k->predicted);
        orr_json_put(item, "correct", (double)k->correct);
        orr_json_put(item, "precision", k->precision);
        orr_json_put(item, "recall", k->recall);
        orr_json_put(item, "f1", k->f1);
        orr_json_put(item, "auc", k->auc);
        cJSON_AddItemToArray(list, item);
        for (int j = 0; j < c->n_classes; j++)
            cJSON_AddItemToArray(row,
                                 cJSON_CreateNumber((double)c->confusion[i * c->n_classes + j]));
        cJSON_AddItemToArray(matrix, row);
    }
}

/* The main metrics of values and densities. */
static void add_values(cJSON *o, const orr_scores *s)
{
    orr_json_put(o, "rmse", s->regression.rmse);
    orr_json_put(o, "mae", s->regression.mae);
    orr_json_put(o, "bias", s->is_redshift ? s->redshift.bias : s->regression.bias);
    orr_json_put(o, "sigma_mad", s->is_redshift ? s->redshift.sigma_mad : s->regression.sigma_mad);
    if (s->is_redshift) orr_json_put(o, "eta", s->redshift.eta);
    orr_json_put(o, "r2", s->regression.r2);
    if (s->output_type != ORR_OUTPUT_DENSITY) return;
    orr_json_put(o, "crps", s->redshift.crps);
    orr_json_put(o, "pit_mean", s->redshift.pit_mean);
    orr_json_put(o, "pit_deviation", s->redshift.pit_deviation);
    orr_json_put(o, "pit_p", s->redshift.pit_p);
}

cJSON *orr_scores_brief(const orr_scores *s)
{
    cJSON *o = cJSON_CreateObject();
    const orr_classification *c = s->classification;

    orr_json_put(o, "samples", (double)s->n);
    orr_json_put(o, "loss", s->loss);
    if (c) {
        orr_json_put(o, "accuracy", c->accuracy);
        orr_json_put(o, "balanced_accuracy", c->balanced_accuracy);
        orr_json_put(o, "auc", c->auc);
        if (c->n_classes == 2) {
            orr_json_put(o, "average_precision", c->average_precision);
            orr_json_put(o, "precision", c->classes[1].precision);
            orr_json_put(o, "recall", c->classes[1].recall);
        }
        orr_json_put(o, "f1", orr_scores_metric(s, "f1"));
    } else if (s->has_truth) {
        add_values(o, s);
    }
    return o;
}

static void add_pit(cJSON *o, const orr_redshift *r)
{
    cJSON *list = cJSON_AddArrayToObject(o, "pit");

    for (int i = 0; i < ORR_PIT_BINS; i++)
        cJSON_AddItemToArray(list, cJSON_CreateNumber((double)r->pit[i]));
    orr_json_put(o, "pit_chi2", r->pit_chi2);
}

static cJSON *group_json(const orr_redshift *r, double low, double high, int density)
{
    cJSON *o = cJSON_CreateObject();

    orr_json_put(o, "from", low);
    orr_json_put(o, "to", high);
    orr_json_put(o, "samples", (double)r->n);
    orr_json_put(o, "bias", r->bias);
    orr_json_put(o, "sigma_mad", r->sigma_mad);
    orr_json_put(o, "eta", r->eta);
    orr_json_put(o, "rmse", r->rmse);
    if (density) {
        orr_json_put(o, "crps", r->crps);
        add_pit(o, r);
    }
    return o;
}

static void add_groupings(cJSON *o, const orr_scores *s, const orr_groupings *groups)
{
    cJSON *by = groups && groups->n ? cJSON_AddObjectToObject(o, "by") : NULL;

    for (int i = 0; by && i < groups->n; i++) {
        const orr_grouping *g = &groups->g[i];
        cJSON *list = cJSON_AddArrayToObject(by, g->name);
        for (int k = 0; k < g->n; k++)
            cJSON_AddItemToArray(list, group_json(&g->groups[k], g->edges[k], g->edges[k + 1],
                                                  s->output_type == ORR_OUTPUT_DENSITY));
    }
}

cJSON *orr_scores_json(const orr_scores *s, const orr_schema *schema, const orr_groupings *groups)
{
    cJSON *o = orr_scores_brief(s);

    if (s->classification) {
        orr_json_put(o, "log_loss", s->classification->log_loss);
        orr_json_put(o, "macro_f1", s->classification->macro_f1);
        orr_json_put(o, "baseline_accuracy", s->classification->baseline_accuracy);
        add_classes(o, s->classification, schema);
    } else if (s->has_truth) {
        orr_json_put(o, "mse", s->regression.mse);
        if (s->output_type == ORR_OUTPUT_DENSITY) add_pit(o, &s->redshift);
        add_groupings(o, s, groups);
    }
    return o;
}

static void table_row(orr_text *t, const char *name, double v)
{
    if (isfinite(v))
        orr_text_printf(t, "  %-20s %.6g\n", name, v);
    else
        orr_text_printf(t, "  %-20s not defined here\n", name);
}

static void class_tables(const orr_classification *c, const orr_schema *schema, orr_text *t)
{
    char name[ORR_DATA_NAME_MAX];
    int shown = c->n_classes <= 20 ? c->n_classes : 0;

    orr_text_printf(t, "\n  %-16s %9s %9s %9s %9s %9s\n", "class", "support", "precision", "recall",
                    "f1", "auc");
    for (int i = 0; i < c->n_classes; i++) {
        const orr_class_metrics *k = &c->classes[i];
        orr_text_printf(t, "  %-16.16s %9lld %9.4f %9.4f %9.4f ",
                        orr_class_name(schema, i, name, sizeof name), (long long)k->support,
                        k->precision, k->recall, k->f1);
        if (isfinite(k->auc))
            orr_text_printf(t, "%9.4f\n", k->auc);
        else
            orr_text_printf(t, "%9s\n", "-");
    }
    if (!shown) return;
    orr_text_printf(t, "\n  confusion (rows: true, columns: predicted)\n  %-16s", "");
    for (int j = 0; j < shown; j++)
        orr_text_printf(t, " %9.9s", orr_class_name(schema, j, name, sizeof name));
    orr_text_add(t, "\n");
    for (int i = 0; i < shown; i++) {
        orr_text_printf(t, "  %-16.16s", orr_class_name(schema, i, name, sizeof name));
        for (int j = 0; j < shown; j++)
            orr_text_printf(t, " %9lld", (long long)c->confusion[i * c->n_classes + j]);
        orr_text_add(t, "\n");
    }
}

/* The PIT histogram as a picture of bars, one line a bin. */
static void pit_table(const orr_redshift *r, orr_text *t)
{
    int64_t most = 1;

    for (int i = 0; i < ORR_PIT_BINS; i++)
        most = r->pit[i] > most ? r->pit[i] : most;
    orr_text_printf(t, "\n  PIT (flat when densities are right: %lld in each, p = %.3g)\n",
                    (long long)(r->n / ORR_PIT_BINS), r->pit_p);
    for (int i = 0; i < ORR_PIT_BINS; i++) {
        int bars = (int)(40 * r->pit[i] / most);
        orr_text_printf(t, "  %.2f-%.2f %8lld ", (double)i / ORR_PIT_BINS,
                        (double)(i + 1) / ORR_PIT_BINS, (long long)r->pit[i]);
        for (int k = 0; k < bars; k++)
            orr_text_add(t, "#");
        orr_text_add(t, "\n");
    }
}

static void grouping_table(const orr_grouping *g, int density, orr_text *t)
{
    orr_text_printf(t, "\n  %-22.22s %9s %10s %10s %9s%s\n", g->name, "samples", "bias",
                    "sigma_mad", "eta", density ? "      crps" : "");
    for (int k = 0; k < g->n; k++) {
        const orr_redshift *r = &g->groups[k];
        char range[48];
        snprintf(range, sizeof range, "%.4g to %.4g", g->edges[k], g->edges[k + 1]);
        orr_text_printf(t, "  %-22s %9lld %10.3g %10.4g %9.4f", range, (long long)r->n, r->bias,
                        r->sigma_mad, r->eta);
        if (density) orr_text_printf(t, " %9.4g", r->crps);
        orr_text_add(t, "\n");
    }
}

static void value_table(const orr_scores *s, const orr_groupings *groups, orr_text *out)
{
    int density = s->output_type == ORR_OUTPUT_DENSITY;

    table_row(out, "rmse", s->regression.rmse);
    table_row(out, "mae", s->regression.mae);
    if (s->is_redshift) {
        table_row(out, "bias of dz", s->redshift.bias);
        table_row(out, "sigma_mad of dz", s->redshift.sigma_mad);
        table_row(out, "eta", s->redshift.eta);
    } else {
        table_row(out, "bias", s->regression.bias);
        table_row(out, "sigma_mad", s->regression.sigma_mad);
    }
    table_row(out, "r2", s->regression.r2);
    if (density) {
        table_row(out, "crps", s->redshift.crps);
        pit_table(&s->redshift, out);
    }
    for (int i = 0; groups && i < groups->n; i++)
        grouping_table(&groups->g[i], density, out);
}

void orr_scores_table(const orr_scores *s, const orr_schema *schema, const orr_groupings *groups,
                      const char *title, orr_text *out)
{
    const orr_classification *c = s->classification;

    orr_text_printf(out, "%s: %lld samples\n", title, (long long)s->n);
    if (!s->has_truth) {
        orr_text_add(out, "  no labels: nothing to compare with\n");
        return;
    }
    table_row(out, "loss", s->loss);
    if (!c) {
        value_table(s, groups, out);
        return;
    }
    table_row(out, "accuracy", c->accuracy);
    table_row(out, "  always-one-class", c->baseline_accuracy);
    table_row(out, "balanced accuracy", c->balanced_accuracy);
    if (c->n_classes == 2) {
        table_row(out, "precision", c->classes[1].precision);
        table_row(out, "recall", c->classes[1].recall);
        table_row(out, "F1", c->classes[1].f1);
        table_row(out, "average precision", c->average_precision);
    } else {
        table_row(out, "macro F1", c->macro_f1);
    }
    table_row(out, "ROC-AUC", c->auc);
    class_tables(c, schema, out);
}
