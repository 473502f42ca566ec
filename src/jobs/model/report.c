/* jobs/model/report.c - tables and JSON of scores. */
#include "jobs/model/report.h"
#include "core/json.h"
#include "core/text_table.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static void put_metrics(cJSON *o, orr_metric_list list, orr_metric_case kind,
                        const orr_metric_input *in)
{
    const orr_metric *m[ORR_MAX_METRICS];
    int n = orr_metrics_in(list, kind, m);

    for (int i = 0; i < n; i++)
        if (in->has_truth || orr_metric_is_loss(m[i]))
            orr_json_put(o, m[i]->name, orr_metric_value(m[i], in));
}

static cJSON *class_json(const orr_class_metrics *k, orr_metric_case kind, const char *name)
{
    const orr_metric *m[ORR_MAX_METRICS];
    int n = orr_metrics_in(ORR_IN_CLASSES, kind, m);
    cJSON *o = cJSON_CreateObject();

    cJSON_AddStringToObject(o, "name", name);
    orr_json_put(o, "support", (double)k->support);
    orr_json_put(o, "predicted", (double)k->predicted);
    orr_json_put(o, "correct", (double)k->correct);
    for (int i = 0; i < n; i++)
        orr_json_put(o, m[i]->name, m[i]->of_class(k));
    return o;
}

static void add_classes(cJSON *o, const orr_scores *s, const orr_schema *schema)
{
    const orr_classification *c = s->classification;
    cJSON *list = cJSON_AddArrayToObject(o, "classes"),
          *matrix = cJSON_AddArrayToObject(o, "confusion");
    char name[ORR_DATA_NAME_MAX];

    for (int i = 0; i < c->n_classes; i++) {
        cJSON *row = cJSON_CreateArray();
        cJSON_AddItemToArray(list, class_json(&c->classes[i], s->kind,
                                              orr_class_name(schema, i, name, sizeof name)));
        for (int j = 0; j < c->n_classes; j++)
            cJSON_AddItemToArray(row,
                                 cJSON_CreateNumber((double)c->confusion[i * c->n_classes + j]));
        cJSON_AddItemToArray(matrix, row);
    }
}

cJSON *orr_scores_brief(const orr_scores *s)
{
    cJSON *o = cJSON_CreateObject();
    orr_metric_input in = orr_scores_input(s);

    orr_json_put(o, "samples", (double)s->n);
    put_metrics(o, ORR_IN_LINE, s->kind, &in);
    return o;
}

/* ---- several targets ---- */
static const char *target_name(const orr_schema *schema, int k, char *buf, size_t bytes)
{
    if (!*orr_schema_target_name(schema, k, buf, bytes)) snprintf(buf, bytes, "%d", k);
    return buf;
}

/* What a line says of all targets, of each. */
static void add_targets(cJSON *o, const orr_scores *s, const orr_schema *schema)
{
    cJSON *list = s->n_targets ? cJSON_AddArrayToObject(o, "targets") : NULL;
    char name[ORR_DATA_NAME_MAX];

    for (int k = 0; k < s->n_targets; k++) {
        const orr_metric_input in = orr_scores_target_input(s, k);
        cJSON *one = cJSON_CreateObject();
        cJSON_AddStringToObject(one, "name", target_name(schema, k, name, sizeof name));
        put_metrics(one, ORR_IN_LINE, s->kind, &in);
        put_metrics(one, ORR_IN_REPORT, s->kind, &in);
        cJSON_AddItemToArray(list, one);
    }
}

int orr_scores_n_history(const orr_model *m)
{
    const int n = m->schema.y_width;

    return orr_loss_output_type(&m->loss) == ORR_OUTPUT_VALUES && n > 1 && n <= ORR_MAX_TARGET_NAMES
               ? n
               : 0;
}

void orr_scores_history_names(const orr_model *m, orr_text *out)
{
    const orr_metric *list[ORR_MAX_METRICS];
    const int n = orr_metrics_in(ORR_IN_HISTORY, orr_model_metric_case(m), list);
    char name[ORR_DATA_NAME_MAX], column[2 * ORR_DATA_NAME_MAX];

    for (int k = 0; k < orr_scores_n_history(m); k++)
        for (int i = 0; i < n; i++) {
            if (orr_metric_is_loss(list[i])) continue;
            snprintf(column, sizeof column, "validation_%s_%s", list[i]->name,
                     target_name(&m->schema, k, name, sizeof name));
            for (char *c = column; *c; c++) /* the table's readers take no quotes */
                if (*c == ',' || *c == '"') *c = '_';
            orr_text_printf(out, ",%s", column);
        }
}

void orr_scores_history_values(const orr_model *m, const orr_scores *s, orr_text *out)
{
    const orr_metric *list[ORR_MAX_METRICS];
    const int n = orr_metrics_in(ORR_IN_HISTORY, orr_model_metric_case(m), list);

    for (int k = 0; k < orr_scores_n_history(m); k++)
        for (int i = 0; i < n; i++) {
            orr_metric_input in = { .loss = NAN };
            if (orr_metric_is_loss(list[i])) continue;
            if (s && s->n_targets) in = orr_scores_target_input(s, k);
            orr_text_printf(out, ",%.9g", orr_metric_value(list[i], &in));
        }
}

void orr_scores_name_targets(const orr_scores *s, const orr_schema *schema, const orr_metric *m,
                             orr_text *out)
{
    enum { MOST = 4 };
    char name[ORR_DATA_NAME_MAX];

    for (int k = 0; k < s->n_targets && s->n_targets <= MOST; k++) {
        const orr_metric_input in = orr_scores_target_input(s, k);
        orr_text_printf(out, "%s%s %.4g", k ? ", " : " (",
                        target_name(schema, k, name, sizeof name), orr_metric_value(m, &in));
    }
    if (s->n_targets && s->n_targets <= MOST) orr_text_add(out, ")");
}

cJSON *orr_scores_line(const orr_scores *s, const orr_schema *schema)
{
    cJSON *o = orr_scores_brief(s);

    add_targets(o, s, schema);
    return o;
}

static void add_pit(cJSON *o, const orr_redshift *r)
{
    cJSON *list = cJSON_AddArrayToObject(o, "pit");

    for (int i = 0; i < ORR_PIT_BINS; i++)
        cJSON_AddItemToArray(list, cJSON_CreateNumber((double)r->pit[i]));
    orr_json_put(o, "pit_chi2", r->pit_chi2);
}

/* A group's numbers as metrics read them; errors is what they are kept in.  Of what is no redshift
 * they are errors as they are. */
static orr_metric_input group_input(const orr_redshift *r, orr_regression *errors)
{
    *errors = (orr_regression){
        .n = r->n, .rmse = r->rmse, .mae = r->mae, .bias = r->bias, .sigma_mad = r->sigma_mad
    };
    return (orr_metric_input){ .has_truth = 1, .loss = NAN, .values = errors, .redshift = r };
}

static cJSON *group_json(const orr_scores *s, const orr_grouping *g, int k)
{
    cJSON *o = cJSON_CreateObject();
    orr_regression errors;
    orr_metric_input in = group_input(&g->groups[k], &errors);

    orr_json_put(o, "from", g->edges[k]);
    orr_json_put(o, "to", g->edges[k + 1]);
    orr_json_put(o, "samples", (double)g->groups[k].n);
    put_metrics(o, ORR_IN_GROUPS, s->kind, &in);
    if (s->output_type == ORR_OUTPUT_DENSITY) add_pit(o, &g->groups[k]);
    return o;
}

static void add_groupings(cJSON *o, const orr_scores *s, const orr_groupings *groups)
{
    cJSON *by = groups && groups->n ? cJSON_AddObjectToObject(o, "by") : NULL;

    for (int i = 0; by && i < groups->n; i++) {
        const orr_grouping *g = &groups->g[i];
        cJSON *list = cJSON_AddArrayToObject(by, g->name);
        for (int k = 0; k < g->n; k++)
            cJSON_AddItemToArray(list, group_json(s, g, k));
    }
}

cJSON *orr_scores_json(const orr_scores *s, const orr_schema *schema, const orr_groupings *groups)
{
    cJSON *o = orr_scores_brief(s);
    orr_metric_input in = orr_scores_input(s);

    if (!s->has_truth) return o;
    put_metrics(o, ORR_IN_REPORT, s->kind, &in);
    add_targets(o, s, schema);
    if (s->classification) add_classes(o, s, schema);
    if (s->output_type == ORR_OUTPUT_DENSITY) add_pit(o, &s->redshift);
    add_groupings(o, s, groups);
    return o;
}

/* ---- tables ---- */
static void put_cell(orr_text_table *t, const orr_metric *m, double v)
{
    if (!isfinite(v))
        orr_text_table_cell(t, "-");
    else if (m->format.style == 'g')
        orr_text_table_cell(t, "%.*g", m->format.digits, v);
    else
        orr_text_table_cell(t, "%.*f", m->format.digits, v);
}

/* The metrics of a list that are narrow columns; returns their number. */
static int add_columns(orr_text_table *t, orr_metric_list list, orr_metric_case kind,
                       const orr_metric *m[ORR_MAX_METRICS])
{
    int n = orr_metrics_in(list, kind, m), kept = 0;

    for (int i = 0; i < n; i++)
        if (m[i]->format.style) {
            orr_text_table_column(t, m[i]->name, m[i]->format.width, ORR_RIGHT);
            m[kept++] = m[i];
        }
    return kept;
}

static void class_table(const orr_scores *s, const orr_schema *schema, orr_text *out)
{
    orr_text_table t = { .out = out, .gap = 1 };
    const orr_metric *m[ORR_MAX_METRICS];
    char name[ORR_DATA_NAME_MAX];
    int n;

    orr_text_add(out, "\n");
    orr_text_table_column(&t, "class", 16, ORR_LEFT);
    orr_text_table_column(&t, "support", 9, ORR_RIGHT);
    n = add_columns(&t, ORR_IN_CLASSES, s->kind, m);
    orr_text_table_head(&t);
    for (int i = 0; i < s->n_classes; i++) {
        const orr_class_metrics *k = &s->classification->classes[i];
        orr_text_table_cell(&t, "%.16s", orr_class_name(schema, i, name, sizeof name));
        orr_text_table_cell(&t, "%lld", (long long)k->support);
        for (int j = 0; j < n; j++)
            put_cell(&t, m[j], m[j]->of_class(k));
        orr_text_table_end_row(&t);
    }
}

static void confusion_table(const orr_classification *c, const orr_schema *schema, orr_text *out)
{
    orr_text_table t = { .out = out, .gap = 1 };
    char name[ORR_DATA_NAME_MAX];

    if (c->n_classes > 20) return;
    orr_text_add(out, "\n  confusion (rows: true, columns: predicted)\n");
    orr_text_table_column(&t, "", 16, ORR_LEFT);
    for (int j = 0; j < c->n_classes; j++)
        orr_text_table_column(&t, orr_class_name(schema, j, name, sizeof name), 9, ORR_RIGHT);
    orr_text_table_head(&t);
    for (int i = 0; i < c->n_classes; i++) {
        orr_text_table_cell(&t, "%.16s", orr_class_name(schema, i, name, sizeof name));
        for (int j = 0; j < c->n_classes; j++)
            orr_text_table_cell(&t, "%lld", (long long)c->confusion[i * c->n_classes + j]);
        orr_text_table_end_row(&t);
    }
}

/* The PIT histogram as a picture of bars, one line a bin. */
static void pit_table(const orr_redshift *r, orr_text *out)
{
    static const char bar[] = "########################################";
    orr_text_table t = { .out = out, .gap = 1 };
    int64_t most = 1;

    for (int i = 0; i < ORR_PIT_BINS; i++)
        most = r->pit[i] > most ? r->pit[i] : most;
    orr_text_printf(out, "\n  PIT (flat when densities are right: %lld in each, p = %.3g)\n",
                    (long long)(r->n / ORR_PIT_BINS), r->pit_p);
    orr_text_table_column(&t, "", 9, ORR_LEFT);
    orr_text_table_column(&t, "", 8, ORR_RIGHT);
    orr_text_table_column(&t, "", (int)sizeof bar - 1, ORR_LEFT);
    for (int i = 0; i < ORR_PIT_BINS; i++) {
        orr_text_table_cell(&t, "%.2f-%.2f", (double)i / ORR_PIT_BINS,
                            (double)(i + 1) / ORR_PIT_BINS);
        orr_text_table_cell(&t, "%lld", (long long)r->pit[i]);
        orr_text_table_cell(&t, "%.*s", (int)((int64_t)(sizeof bar - 1) * r->pit[i] / most), bar);
        orr_text_table_end_row(&t);
    }
}

static void grouping_table(const orr_scores *s, const orr_grouping *g, orr_text *out)
{
    orr_text_table t = { .out = out, .gap = 1 };
    const orr_metric *m[ORR_MAX_METRICS];
    orr_regression errors;
    int n;

    orr_text_add(out, "\n");
    orr_text_table_column(&t, g->name, 22, ORR_LEFT);
    orr_text_table_column(&t, "samples", 9, ORR_RIGHT);
    n = add_columns(&t, ORR_IN_GROUPS, s->kind, m);
    orr_text_table_head(&t);
    for (int k = 0; k < g->n; k++) {
        orr_metric_input in = group_input(&g->groups[k], &errors);
        orr_text_table_cell(&t, "%.4g to %.4g", g->edges[k], g->edges[k + 1]);
        orr_text_table_cell(&t, "%lld", (long long)g->groups[k].n);
        for (int j = 0; j < n; j++)
            put_cell(&t, m[j], orr_metric_value(m[j], &in));
        orr_text_table_end_row(&t);
    }
}

static void target_table(const orr_scores *s, const orr_schema *schema, orr_text *out)
{
    orr_text_table t = { .out = out, .gap = 1 };
    const orr_metric *m[ORR_MAX_METRICS];
    const int n = orr_metrics_in(ORR_IN_TABLE, s->kind, m);
    char name[ORR_DATA_NAME_MAX];

    orr_text_add(out, "\n");
    orr_text_table_column(&t, "target", 16, ORR_LEFT);
    for (int i = 0; i < n; i++)
        if (!orr_metric_is_loss(m[i])) orr_text_table_column(&t, m[i]->title, 10, ORR_RIGHT);
    orr_text_table_head(&t);
    for (int k = 0; k < s->n_targets; k++) {
        const orr_metric_input in = orr_scores_target_input(s, k);
        orr_text_table_cell(&t, "%.16s", target_name(schema, k, name, sizeof name));
        for (int i = 0; i < n; i++) {
            const double v = orr_metric_value(m[i], &in);
            if (orr_metric_is_loss(m[i])) continue;
            if (isfinite(v))
                orr_text_table_cell(&t, "%.4g", v);
            else
                orr_text_table_cell(&t, "-");
        }
        orr_text_table_end_row(&t);
    }
}

static void metric_table(const orr_scores *s, orr_text *out)
{
    orr_text_table t = { .out = out, .gap = 1 };
    const orr_metric *m[ORR_MAX_METRICS];
    orr_metric_input in = orr_scores_input(s);
    int n = orr_metrics_in(ORR_IN_TABLE, s->kind, m);

    orr_text_table_column(&t, "", 20, ORR_LEFT);
    orr_text_table_column(&t, "", 0, ORR_LEFT);
    for (int i = 0; i < n; i++) {
        double v = orr_metric_value(m[i], &in);
        orr_text_table_cell(&t, "%s", m[i]->title);
        if (isfinite(v))
            orr_text_table_cell(&t, "%.6g", v);
        else
            orr_text_table_cell(&t, "not defined here");
        orr_text_table_end_row(&t);
    }
}

void orr_scores_table(const orr_scores *s, const orr_schema *schema, const orr_groupings *groups,
                      const char *title, orr_text *out)
{
    orr_text_printf(out, "%s: %lld samples", title, (long long)s->n);
    if (s->n_targets) orr_text_printf(out, "; metrics are means over %d targets", s->n_targets);
    orr_text_add(out, "\n");
    if (!s->has_truth) {
        orr_text_add(out, "  no labels: nothing to compare with\n");
        return;
    }
    metric_table(s, out);
    if (s->n_targets) target_table(s, schema, out);
    if (s->classification) {
        class_table(s, schema, out);
        confusion_table(s->classification, schema, out);
    }
    if (s->output_type == ORR_OUTPUT_DENSITY) pit_table(&s->redshift, out);
    for (int i = 0; groups && i < groups->n; i++)
        grouping_table(s, &groups->g[i], out);
}
