/* jobs/ensemble/stack_report.c - the comparison for people and for programs. */
#include "jobs/ensemble/stack_report.h"
#include "core/json.h"
#include "core/memory.h"
#include "core/text_table.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { MOST_FOLDS = 10, MOST_NAME = 48 }; /* of the table */

static const char *candidate_name(const orr_stack_data *d, int i)
{
    return i < d->n_columns ? d->names[i] : orr_stack_way_name(i - d->n_columns);
}

/* ---- the table ---- */
static int name_width(const orr_stack_fit *f, const orr_stack_data *d)
{
    int width = 13;

    for (int i = 0; i < f->n_candidates; i++) {
        int n = (int)strlen(candidate_name(d, i));
        if (n > width) width = n < MOST_NAME ? n : MOST_NAME;
    }
    return width;
}

/* Folds that the table shows: all, or none of many. */
static int shown_folds(const orr_stack_fit *f)
{
    return f->n_folds <= MOST_FOLDS ? f->n_folds : 0;
}

static void head(const orr_stack_fit *f, const orr_stack_job *job, const orr_stack_data *d,
                 orr_text_table *t)
{
    char text[48] = "";

    if (strcmp(job->folds.kind, "own") != 0 && job->folds.shuffle)
        snprintf(text, sizeof text, ", shuffled by seed %lld", (long long)job->folds.seed);
    orr_text_printf(t->out,
                    "%s: %lld samples of %d classes, %d columns, %d folds (%s%s)\n"
                    "C = %.7g, the best of %d by mean ROC-AUC\n\n",
                    job->run, (long long)d->n, d->n_classes, d->n_columns, f->n_folds,
                    job->folds.kind, text, f->model.c, f->n_c);
    orr_text_table_column(t, "ROC-AUC", name_width(f, d), ORR_LEFT);
    for (int k = 0; k < shown_folds(f); k++) {
        snprintf(text, sizeof text, "fold %d", k);
        orr_text_table_column(t, text, 7, ORR_LEFT);
    }
    orr_text_table_column(t, "mean", 7, ORR_RIGHT);
    orr_text_table_column(t, "sd", 9, ORR_RIGHT);
    orr_text_table_column(t, "pooled", 8, ORR_RIGHT);
    orr_text_table_column(t, "log loss", 8, ORR_RIGHT);
    orr_text_table_column(t, "weight", 8, ORR_RIGHT);
    orr_text_table_head(t);
}

static void row(const orr_stack_fit *f, const orr_stack_data *d, int i, orr_text_table *t)
{
    const orr_stack_candidate *c = &f->candidates[i];
    const double *auc = f->auc + (int64_t)i * f->n_folds;

    orr_text_table_cell(t, "%.*s", MOST_NAME, candidate_name(d, i));
    for (int k = 0; k < shown_folds(f); k++)
        orr_text_table_cell(t, "%.5f", auc[k]);
    orr_text_table_cell(t, "%.5f", c->mean);
    orr_text_table_cell(t, "+-%.5f", c->sd);
    orr_text_table_cell(t, "%.5f", c->pooled);
    if (isfinite(c->log_loss))
        orr_text_table_cell(t, "%.5f", c->log_loss);
    else
        orr_text_table_cell(t, "-");
    if (i < d->n_columns) orr_text_table_cell(t, "%.5f", f->weights[i]);
    orr_text_table_end_row(t);
}

static void verdict(const orr_fold_gain *g, int n_folds, orr_text *out, const char *what)
{
    orr_text_printf(out, "%s %s by %+.5f +- %.5f (better in %d of %d folds)",
                    g->verdict > 0   ? "beats"
                    : g->verdict < 0 ? "is worse than"
                                     : "is level with",
                    what, g->mean, g->sd, g->better, n_folds);
}

static void sentence(const orr_stack_fit *f, const orr_stack_data *d, orr_text *out)
{
    char single[ORR_STACK_NAME_MAX + 32];

    snprintf(single, sizeof single, "the best single model, %s,", d->names[f->best_single]);
    orr_text_add(out, "The stack ");
    verdict(&f->over_single, f->n_folds, out, single);
    orr_text_add(out, " and ");
    verdict(&f->over_mean, f->n_folds, out, "the mean of all");
    orr_text_add(out, ".");
}

orr_status orr_stack_table(const orr_stack_fit *f, const orr_stack_job *job,
                           const orr_stack_data *d, orr_text *out)
{
    orr_text_table t = { .out = out, .gap = 2 };

    head(f, job, d, &t);
    for (int i = 0; i < f->n_candidates; i++)
        row(f, d, i, &t);
    orr_text_add(out, "\n");
    sentence(f, d, out);
    orr_text_add(out, "\n");
    return orr_text_status(out);
}

/* ---- report.json ---- */
static cJSON *numbers(const double *v, int n)
{
    cJSON *list = cJSON_CreateArray();

    for (int i = 0; i < n; i++)
        cJSON_AddItemToArray(list, isfinite(v[i]) ? cJSON_CreateNumber(v[i]) : cJSON_CreateNull());
    return list;
}

static void put_sources(cJSON *all, const orr_stack_data *d)
{
    cJSON *list = cJSON_AddArrayToObject(all, "oof"),
          *columns = cJSON_AddArrayToObject(all, "columns");

    for (int i = 0; i < d->n_sources; i++) {
        cJSON *o = cJSON_CreateObject();
        cJSON_AddStringToObject(o, "file", d->sources[i].head.path);
        cJSON_AddStringToObject(o, "sha256", d->sources[i].sha256);
        cJSON_AddItemToArray(list, o);
    }
    for (int c = 0; c < d->n_columns; c++) {
        cJSON *o = cJSON_CreateObject();
        cJSON_AddStringToObject(o, "name", d->names[c]);
        cJSON_AddStringToObject(o, "run", d->columns[c].run);
        cJSON_AddStringToObject(o, "model", d->columns[c].model);
        if (d->columns[c].seed >= 0) orr_json_put(o, "seed", (double)d->columns[c].seed);
        cJSON_AddItemToArray(columns, o);
    }
}

static void put_candidates(cJSON *all, const orr_stack_fit *f, const orr_stack_data *d)
{
    cJSON *list = cJSON_AddArrayToObject(all, "candidates");

    for (int i = 0; i < f->n_candidates; i++) {
        const orr_stack_candidate *c = &f->candidates[i];
        cJSON *o = cJSON_CreateObject();
        cJSON_AddStringToObject(o, "name", candidate_name(d, i));
        cJSON_AddStringToObject(o, "kind", i < d->n_columns ? "column" : candidate_name(d, i));
        cJSON_AddItemToObject(o, "auc", numbers(f->auc + (int64_t)i * f->n_folds, f->n_folds));
        orr_json_put(o, "mean", c->mean);
        orr_json_put(o, "sd", c->sd);
        orr_json_put(o, "pooled", c->pooled);
        orr_json_put(o, "log_loss", c->log_loss);
        cJSON_AddItemToArray(list, o);
    }
}

static void put_gain(cJSON *all, const char *key, const char *name, const orr_fold_gain *g)
{
    cJSON *o = cJSON_AddObjectToObject(all, key);

    if (name) cJSON_AddStringToObject(o, "name", name);
    orr_json_put(o, "difference", g->mean);
    orr_json_put(o, "sd", g->sd);
    orr_json_put(o, "folds_better", g->better);
    cJSON_AddStringToObject(o, "stack",
                            g->verdict > 0   ? "better"
                            : g->verdict < 0 ? "worse"
                                             : "level");
}

static void put_fit(cJSON *all, const orr_stack_fit *f, const orr_stack_data *d)
{
    const orr_stack_model *m = &f->model;
    int features = orr_stack_features(m), vectors = orr_stack_vectors(m);
    cJSON *o = cJSON_AddObjectToObject(all, "fit"), *w = cJSON_CreateArray();

    orr_json_put(o, "C", m->c);
    cJSON_AddStringToObject(o, "features", m->logits ? "logit" : "probability");
    for (int v = 0; v < vectors; v++)
        cJSON_AddItemToArray(w, numbers(m->w + (int64_t)v * features, features));
    cJSON_AddItemToObject(o, "coefficients", w);
    cJSON_AddItemToObject(o, "intercepts", numbers(m->b, vectors));
    orr_json_put(o, "iterations", f->iterations);
    cJSON_AddBoolToObject(o, "converged", f->converged);
    cJSON_AddBoolToObject(o, "separable", f->separable);
    orr_json_put(o, "objective", f->objective);
    cJSON_AddItemToObject(all, "weights_of_mean", numbers(f->weights, d->n_columns));
}

static char *report(const orr_stack_fit *f, const orr_stack_job *job, const orr_stack_data *d)
{
    cJSON *all = cJSON_CreateObject(), *names;
    orr_text text = ORR_TEXT_INIT;
    char name[ORR_DATA_NAME_MAX], *out;

    orr_json_put(all, "samples", (double)d->n);
    orr_json_put(all, "test_samples", d->no_test[0] ? 0 : (double)d->n_test);
    names = cJSON_AddArrayToObject(all, "class_names");
    for (int k = 0; k < d->n_classes; k++)
        cJSON_AddItemToArray(names,
                             cJSON_CreateString(orr_stack_class_name(d, k, name, sizeof name)));
    orr_json_put(all, "folds", f->n_folds);
    cJSON_AddStringToObject(all, "kind_of_folds", job->folds.kind);
    put_sources(all, d);
    put_candidates(all, f, d);
    put_gain(all, "over_best_single", d->names[f->best_single], &f->over_single);
    put_gain(all, "over_mean", NULL, &f->over_mean);
    sentence(f, d, &text);
    if (text.s) cJSON_AddStringToObject(all, "sentence", text.s);
    orr_text_free(&text);
    put_fit(all, f, d);
    out = cJSON_Print(all);
    cJSON_Delete(all);
    return out;
}

orr_status orr_stack_write_report(const orr_stack_fit *f, const orr_stack_job *job,
                                  const orr_stack_data *d, const char *dir)
{
    char path[ORR_PATH_MAX], *text;
    orr_status st;

    ORR_TRY(orr_path_join(path, dir, "report.json"));
    text = report(f, job, d);
    st = text ? orr_write_file(path, text, strlen(text))
              : orr_fail(ORR_ERR_NOMEM, "out of memory: report");
    cJSON_free(text);
    return st;
}
