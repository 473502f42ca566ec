/* jobs/ensemble/cv_report.c - what the folds say of each model, for people and for programs. */
#include "core/json.h"
#include "core/memory.h"
#include "core/table_file.h"
#include "core/text_table.h"
#include "jobs/ensemble/cv.h"
#include "jobs/model/model.h"
#include "jobs/model/report.h"
#include "stats/fold_scores.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { IN_TABLE = 3, FOLD_WIDTH = 26 };

typedef struct reporter {
    const orr_cv *cv;
    orr_oof oof;
    orr_model model;                      /* of the first configuration: what answers mean */
    int64_t *rows;                        /* [n] */
    double *part;                         /* [n][width] */
    const orr_metric *m[ORR_MAX_METRICS]; /* [n_metrics] that are averaged over folds */
    int n_metrics;
    orr_text text;
    orr_text_table table;
    cJSON *list;
} reporter;

/* ---- scores of one column ---- */
typedef struct summary {
    double pooled[ORR_MAX_METRICS], mean[ORR_MAX_METRICS], deviation[ORR_MAX_METRICS];
} summary;

/* Scores over the rows of one fold (fold < 0: over all). */
static orr_status score(reporter *r, const double *p, const int32_t *folds, int fold, orr_scores *s)
{
    size_t width = (size_t)r->oof.width;
    int64_t n = 0;

    for (int64_t i = 0; i < r->oof.n; i++) {
        if (fold >= 0 && folds[i] != fold) continue;
        memcpy(r->part + (size_t)n * width, p + (size_t)i * width, width * sizeof *p);
        r->rows[n++] = i;
    }
    return orr_scores_of_predictions(s, &r->model, &r->cv->train, r->rows, n, r->part,
                                     r->model.threshold);
}

static void note(const reporter *r, const orr_scores *s, double *out)
{
    orr_metric_input in = orr_scores_input(s);

    for (int k = 0; k < r->n_metrics; k++)
        out[k] = orr_metric_value(r->m[k], &in);
}

static void spread(const reporter *r, const double *fold, summary *out)
{
    for (int k = 0; k < r->n_metrics; k++)
        orr_fold_mean(fold + k, r->oof.n_folds, r->n_metrics, &out->mean[k], &out->deviation[k]);
}

static void write_down(reporter *r, cJSON *item, const char *name, const summary *s, int has_folds)
{
    cJSON *mean = has_folds ? cJSON_AddObjectToObject(item, "mean") : NULL,
          *deviation = has_folds ? cJSON_AddObjectToObject(item, "deviation") : NULL;

    orr_text_table_cell(&r->table, "%s", name);
    for (int k = 0; k < r->n_metrics; k++) {
        if (has_folds && k < IN_TABLE)
            orr_text_table_cell(&r->table, "%.4f (%.4f +- %.4f)", s->pooled[k], s->mean[k],
                                s->deviation[k]);
        else if (k < IN_TABLE)
            orr_text_table_cell(&r->table, "%.4f", s->pooled[k]);
        if (!has_folds) continue;
        orr_json_put(mean, r->m[k]->name, s->mean[k]);
        orr_json_put(deviation, r->m[k]->name, s->deviation[k]);
    }
    orr_text_table_end_row(&r->table);
}

/* One line of the table, one object of the report.  folds NULL: pooled alone. */
static orr_status report_column(reporter *r, const char *name, const double *p,
                                const int32_t *folds, cJSON *item)
{
    int n_folds = r->oof.n_folds;
    double *of_fold = orr_alloc((size_t)(n_folds * r->n_metrics) + 1, sizeof *of_fold);
    cJSON *list;
    orr_scores s = { 0 };
    summary sum = { 0 };
    orr_status st = of_fold ? ORR_OK : orr_fail(ORR_ERR_NOMEM, "out of memory: a report");

    cJSON_AddItemToArray(r->list, item);
    if (st == ORR_OK) st = score(r, p, folds, -1, &s);
    if (st == ORR_OK) {
        note(r, &s, sum.pooled);
        cJSON_AddItemToObject(item, "pooled", orr_scores_json(&s, &r->model.schema, NULL));
        orr_scores_free(&s);
        list = folds ? cJSON_AddArrayToObject(item, "folds") : NULL;
    }
    for (int f = 0; st == ORR_OK && folds && f < n_folds; f++) {
        st = score(r, p, folds, f, &s);
        if (st != ORR_OK) break;
        note(r, &s, of_fold + f * r->n_metrics);
        cJSON_AddItemToArray(list, orr_scores_line(&s, &r->model.schema));
        orr_scores_free(&s);
    }
    if (st == ORR_OK && folds) spread(r, of_fold, &sum);
    if (st == ORR_OK) write_down(r, item, name, &sum, folds != NULL);
    orr_free(of_fold);
    return st;
}

/* ---- all columns, and each configuration's mean over seeds and repeats ---- */
static orr_status report_models(reporter *r)
{
    const orr_oof *o = &r->oof;
    char name[2 * ORR_MODEL_NAME_MAX];

    for (int c = 0; c < o->n_columns; c++) {
        cJSON *item = cJSON_CreateObject();
        cJSON_AddStringToObject(item, "model", o->columns[c].model);
        cJSON_AddNumberToObject(item, "seed", (double)o->columns[c].seed);
        cJSON_AddNumberToObject(item, "repeat", o->columns[c].repeat);
        ORR_TRY(report_column(r, orr_oof_column_name(o, c, name, sizeof name),
                              o->p + (size_t)c * (size_t)o->n * (size_t)o->width,
                              o->fold + (int64_t)o->columns[c].repeat * o->n, item));
    }
    return ORR_OK;
}

static orr_status report_means(reporter *r)
{
    const orr_oof *o = &r->oof;
    int each = o->n_columns / r->cv->job->n; /* columns of a configuration, side by side */
    size_t count = (size_t)o->n * (size_t)o->width;
    double *mean;
    char name[2 * ORR_MODEL_NAME_MAX];
    orr_status st = ORR_OK;

    if (each < 2) return ORR_OK;
    if (!(mean = orr_alloc(count + 1, sizeof *mean)))
        return orr_fail(ORR_ERR_NOMEM, "out of memory: predictions of %lld samples",
                        (long long)o->n);
    for (int c = 0; st == ORR_OK && c < o->n_columns; c += each) {
        cJSON *item = cJSON_CreateObject();
        memset(mean, 0, count * sizeof *mean);
        for (int k = c; k < c + each; k++)
            for (size_t i = 0; i < count; i++)
                mean[i] += o->p[(size_t)k * count + i] / each;
        cJSON_AddStringToObject(item, "model", o->columns[c].model);
        cJSON_AddNumberToObject(item, "mean_of", each);
        snprintf(name, sizeof name, "%s, mean of %d", o->columns[c].model, each);
        st = report_column(r, name, mean, o->n_repeats == 1 ? o->fold : NULL, item);
    }
    orr_free(mean);
    return st;
}

static void begin_table(reporter *r)
{
    int density = orr_loss_output_type(&r->model.loss) == ORR_OUTPUT_DENSITY, width = 16;
    char name[2 * ORR_MODEL_NAME_MAX];

    r->n_metrics = orr_metrics_in(density ? ORR_IN_DENSITY_FOLDS : ORR_IN_FOLDS,
                                  orr_model_metric_case(&r->model), r->m);
    for (int c = 0; c < r->oof.n_columns; c++) {
        int n = (int)strlen(orr_oof_column_name(&r->oof, c, name, sizeof name)) + 12;
        if (n > width) width = n;
    }
    orr_text_printf(&r->text,
                    "%s: %lld samples, %d folds; over all held-out samples (mean +- "
                    "deviation over folds)\n",
                    r->cv->job->run, (long long)r->oof.n, r->oof.n_folds);
    r->table = (orr_text_table){ .out = &r->text, .gap = 2 };
    orr_text_table_column(&r->table, "", width, ORR_LEFT);
    for (int k = 0; k < IN_TABLE && k < r->n_metrics; k++)
        orr_text_table_column(&r->table, r->m[k]->name, FOLD_WIDTH, ORR_LEFT);
    orr_text_table_head(&r->table);
}

/* ---- tables of predictions ---- */
static void header(const orr_oof *o, orr_text *row)
{
    char name[2 * ORR_MODEL_NAME_MAX], field[2 * ORR_MODEL_NAME_MAX + ORR_DATA_NAME_MAX + 2];

    for (int c = 0; c < o->n_columns; c++) {
        orr_oof_column_name(o, c, name, sizeof name);
        for (int k = o->n_classes == 2 ? 1 : 0; k < (o->bins.count ? 1 : o->width); k++) {
            if (o->n_classes == 2 || o->bins.count || o->width == 1)
                snprintf(field, sizeof field, "%s", name);
            else if (o->n_classes)
                snprintf(field, sizeof field, "%s/%s", name, o->class_names[k]);
            else if (k < ORR_MAX_TARGET_NAMES && o->target_names[k][0])
                snprintf(field, sizeof field, "%s/%s", name, o->target_names[k]);
            else
                snprintf(field, sizeof field, "%s/%d", name, k);
            orr_text_add(row, ",");
            orr_text_csv(row, field);
        }
    }
}

/* What was taken off target k is given back in tables. */
static double shift_of(const orr_oof *o, int k)
{
    return o->n_classes == 0 && k < ORR_MAX_TARGET_NAMES ? o->shift[k] : 0;
}

/* The numbers of one sample: probabilities (of two classes the second's), values, or means of
 * densities; p[n_columns][n][width]. */
static void numbers(const orr_oof *o, const double *p, int64_t n, int64_t i, orr_text *row)
{
    for (int c = 0; c < o->n_columns; c++) {
        const double *v = p + ((size_t)c * (size_t)n + (size_t)i) * (size_t)o->width;
        if (o->bins.count) {
            orr_text_printf(row, ",%.17g", orr_bins_mean(&o->bins, v) + o->shift[0]);
            continue;
        }
        for (int k = o->n_classes == 2 ? 1 : 0; k < o->width; k++)
            orr_text_printf(row, ",%.17g", v[k] + shift_of(o, k));
    }
}

static void truth(const orr_oof *o, int64_t i, orr_text *row)
{
    if (o->labels) {
        orr_text_add(row, ",");
        orr_text_csv(row, o->class_names[o->labels[i]]);
    }
    for (int k = 0; o->values && k < o->y_width; k++)
        orr_text_printf(row, shift_of(o, k) != 0 ? ",%.17g" : ",%.9g",
                        (double)o->values[i * o->y_width + k] + shift_of(o, k));
}

static void table_head(const orr_oof *o, orr_text *row)
{
    orr_text_add(row, o->labels ? "id,label" : "id");
    for (int k = 0; o->values && k < o->y_width; k++) {
        char field[ORR_DATA_NAME_MAX + 16];
        if (k < ORR_MAX_TARGET_NAMES && o->target_names[k][0])
            snprintf(field, sizeof field, "target_%s", o->target_names[k]);
        else
            snprintf(field, sizeof field, o->y_width == 1 ? "target" : "target_%d", k);
        orr_text_add(row, ",");
        orr_text_csv(row, field);
    }
    for (int r = 0; r < o->n_repeats; r++)
        orr_text_printf(row, o->n_repeats == 1 ? ",fold" : ",fold_%d", r);
}

static orr_status write_oof(const orr_oof *o, const char *path)
{
    orr_table_file t;

    ORR_TRY(orr_table_file_open(&t, path));
    table_head(o, &t.row);
    header(o, &t.row);
    orr_table_file_end_row(&t);
    for (int64_t i = 0; i < o->n; i++) {
        orr_text_csv(&t.row, o->id[i]);
        truth(o, i, &t.row);
        for (int r = 0; r < o->n_repeats; r++)
            orr_text_printf(&t.row, ",%d", o->fold[r * o->n + i]);
        numbers(o, o->p, o->n, i, &t.row);
        orr_table_file_end_row(&t);
    }
    return orr_table_file_close(&t, ORR_OK);
}

static orr_status write_test(const orr_oof *o, const char *path)
{
    orr_table_file t;

    if (o->n_test == 0) return ORR_OK;
    ORR_TRY(orr_table_file_open(&t, path));
    orr_text_add(&t.row, "id");
    header(o, &t.row);
    orr_table_file_end_row(&t);
    for (int64_t i = 0; i < o->n_test; i++) {
        orr_text_csv(&t.row, o->test_id[i]);
        numbers(o, o->test_p, o->n_test, i, &t.row);
        orr_table_file_end_row(&t);
    }
    return orr_table_file_close(&t, ORR_OK);
}

/* ---- all of it ---- */
static orr_status make(reporter *r, cJSON *all)
{
    const char *run = r->cv->job->run;
    char path[ORR_PATH_MAX];

    ORR_TRY(orr_oof_read(&r->oof, run));
    r->rows = orr_alloc((size_t)r->oof.n + 1, sizeof *r->rows);
    r->part = orr_alloc((size_t)r->oof.n * (size_t)r->oof.width + 1, sizeof *r->part);
    if (!r->rows || !r->part) return orr_fail(ORR_ERR_NOMEM, "out of memory: a report");
    ORR_TRY(
        orr_model_create(&r->model, &r->cv->job->c[0].job, orr_dataset_schema(r->cv->train.set)));
    orr_model_tell_target(&r->model, "cv", "data.target_kind");
    begin_table(r);
    cJSON_AddNumberToObject(all, "samples", (double)r->oof.n);
    cJSON_AddNumberToObject(all, "folds", r->oof.n_folds);
    cJSON_AddNumberToObject(all, "repeats", r->oof.n_repeats);
    cJSON_AddStringToObject(all, "epoch_chosen_by", r->cv->job->cv.validate);
    r->list = cJSON_AddArrayToObject(all, "models");
    ORR_TRY(report_models(r));
    ORR_TRY(report_means(r));
    ORR_TRY(orr_path_join(path, run, "oof.csv"));
    ORR_TRY(write_oof(&r->oof, path));
    ORR_TRY(orr_path_join(path, run, "test.csv"));
    ORR_TRY(write_test(&r->oof, path));
    ORR_TRY(orr_json_write(all, run, "report.json"));
    return orr_text_status(&r->text);
}

orr_status orr_cv_report(const orr_cv *cv)
{
    reporter r = { .cv = cv };
    cJSON *all = cJSON_CreateObject();
    orr_status st = make(&r, all);

    if (st == ORR_OK) {
        orr_context_print(cv->context, "%s", r.text.s);
        if (strcmp(cv->job->cv.validate, "fold") == 0)
            orr_context_print(cv->context,
                              "  each fold chose its own best epoch: these scores are too "
                              "good (cv.validate share is honest)\n");
        orr_context_print(cv->context, "predictions: %s/oof.h5, oof.csv%s\n", cv->job->run,
                          r.oof.n_test ? ", test.csv" : "");
    }
    cJSON_Delete(all);
    orr_text_free(&r.text);
    orr_model_destroy(&r.model);
    orr_oof_free(&r.oof);
    orr_free(r.rows);
    orr_free(r.part);
    return st;
}
