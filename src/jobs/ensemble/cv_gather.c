/* jobs/ensemble/cv_gather.c - from the tasks' predictions to oof.h5. */
#include "core/memory.h"
#include "jobs/context/phase.h"
#include "jobs/ensemble/cv.h"
#include "jobs/model/ids.h"
#include "jobs/model/model.h"
#include "jobs/model/report.h"

#include <stdio.h>
#include <string.h>

typedef struct gather {
    const orr_cv *cv;
    const orr_oof *oof;
} gather;

/* ---- one task's predictions of one part ---- */
static orr_status not_of_task(const char *path)
{
    return orr_fail_prefix(ORR_ERR_FORMAT,
                           "remove the folder of %s and start again, then that fold is trained "
                           "anew: ",
                           path);
}

/* p[n][width] of the task's file; ids must be those that id(ctx, i) says. */
static orr_status read_part(const gather *g, int task, const char *file, int64_t n,
                            const orr_id *id, const int64_t *rows, double *p)
{
    char path[ORR_PATH_MAX];

    ORR_TRY(orr_cv_task_path(g->cv, task, file, path));
    return orr_predictions_take(path, n, g->oof->width, id, rows, p) == ORR_OK ? ORR_OK
                                                                               : not_of_task(path);
}

/* ---- a column: all folds' rows, and the mean over folds of the test set ---- */
static orr_status take_fold(const gather *g, int c, int f, double *part, int64_t *rows, double *p,
                            double *test_p)
{
    const orr_oof *o = g->oof;
    const int32_t *fold = o->fold + (int64_t)o->columns[c].repeat * o->n;
    size_t width = (size_t)o->width;
    int64_t n = 0;

    for (int64_t i = 0; i < o->n; i++)
        if (fold[i] == f) rows[n++] = i;
    ORR_TRY(read_part(g, c * o->n_folds + f, "predictions-fold.h5", n, (const orr_id *)o->id, rows,
                      part));
    for (int64_t i = 0; i < n; i++)
        memcpy(p + (size_t)rows[i] * width, part + (size_t)i * width, width * sizeof *p);
    if (!test_p) return ORR_OK;
    ORR_TRY(read_part(g, c * o->n_folds + f, "predictions-test.h5", o->n_test,
                      (const orr_id *)o->test_id, NULL, part));
    for (size_t i = 0; i < (size_t)o->n_test * width; i++)
        test_p[i] = (f ? test_p[i] : 0) + part[i] / o->n_folds;
    return ORR_OK;
}

static orr_status fill(void *ctx, int c, double *p, double *test_p)
{
    const gather *g = ctx;
    const orr_oof *o = g->oof;
    int64_t most = o->n > o->n_test ? o->n : o->n_test;
    double *part = orr_alloc((size_t)most * (size_t)o->width + 1, sizeof *part);
    int64_t *rows = orr_alloc((size_t)o->n + 1, sizeof *rows);
    orr_status st = part && rows ? ORR_OK
                                 : orr_fail(ORR_ERR_NOMEM,
                                            "out of memory: predictions of %lld "
                                            "samples",
                                            (long long)most);

    for (int f = 0; st == ORR_OK && f < o->n_folds; f++)
        st = take_fold(g, c, f, part, rows, p, test_p);
    orr_free(part);
    orr_free(rows);
    return st;
}

/* ---- what all columns share ---- */
/* All configurations must answer alike, or their predictions do not fit in one table. */
static orr_status take_answer(orr_oof *o, const orr_cv *cv)
{
    for (int c = 0; c < cv->job->n; c++) {
        orr_model m;
        int classes, width;
        orr_status st = orr_model_create(&m, &cv->job->c[c].job, orr_dataset_schema(cv->train.set));
        if (st != ORR_OK) return orr_fail_prefix(st, "configuration %s: ", cv->job->c[c].name);
        classes = orr_model_n_classes(&m);
        width = classes ? classes : m.outputs;
        if (c == 0) {
            o->n_classes = classes;
            o->width = width;
            o->bins = m.loss.bins;
        }
        orr_model_destroy(&m);
        if (classes != o->n_classes || width != o->width)
            return orr_fail(ORR_ERR_OPTION,
                            "configurations %s and %s answer differently (%d and %d numbers a "
                            "sample): make them two cross-validations",
                            cv->job->c[0].name, cv->job->c[c].name, o->width, width);
    }
    return ORR_OK;
}

static orr_status take_truth(orr_oof *o, const orr_cv *cv)
{
    const orr_schema *s = orr_dataset_schema(cv->train.set);
    size_t n = (size_t)cv->n;

    if (o->n_classes) {
        o->class_names = orr_alloc((size_t)o->n_classes, sizeof *o->class_names);
        o->labels = orr_alloc(n + 1, sizeof *o->labels);
        if (!o->class_names || !o->labels)
            return orr_fail(ORR_ERR_NOMEM, "out of memory: %zu labels", n);
        memcpy(o->labels, orr_dataset_labels(cv->train.set), n * sizeof *o->labels);
        for (int i = 0; i < o->n_classes; i++)
            orr_class_name(s, i, o->class_names[i], sizeof o->class_names[i]);
        return ORR_OK;
    }
    o->y_width = s->y_width;
    orr_oof_take_targets(o, s);
    o->values = orr_alloc(n * (size_t)s->y_width + 1, sizeof *o->values);
    if (!o->values) return orr_fail(ORR_ERR_NOMEM, "out of memory: %zu targets", n);
    memcpy(o->values, orr_dataset_values(cv->train.set),
           n * (size_t)s->y_width * sizeof *o->values);
    return ORR_OK;
}

orr_status orr_cv_describe(const orr_cv *cv, orr_oof *o)
{
    size_t folds = (size_t)cv->n_repeats * (size_t)cv->n;

    *o = (orr_oof){ .n = cv->n,
                    .n_columns = orr_cv_n_columns(cv),
                    .n_repeats = cv->n_repeats,
                    .n_folds = cv->n_folds };
    ORR_TRY(take_answer(o, cv));
    ORR_TRY(take_truth(o, cv));
    o->columns = orr_alloc((size_t)o->n_columns, sizeof *o->columns);
    o->fold = orr_alloc(folds + 1, sizeof *o->fold);
    if (!o->columns || !o->fold)
        return orr_fail(ORR_ERR_NOMEM, "out of memory: %d models", o->n_columns);
    memcpy(o->fold, cv->fold, folds * sizeof *o->fold);
    for (int c = 0; c < o->n_columns; c++) {
        orr_cv_task t = orr_cv_task_of(cv, c * cv->n_folds);
        o->columns[c] = orr_cv_column(cv, &t);
    }
    ORR_TRY(orr_ids_of_set(&o->id, cv->train.set));
    if (!cv->test.set) return ORR_OK;
    o->n_test = orr_dataset_rows(cv->test.set);
    return orr_ids_of_set(&o->test_id, cv->test.set);
}

orr_status orr_cv_gather(orr_cv *cv, const orr_oof *o)
{
    gather g = { cv, o };
    char path[ORR_PATH_MAX];

    ORR_TRY(orr_phase(cv->context, NULL, orr_path_join(path, cv->job->run, "oof.h5")));
    return orr_oof_write(cv->context, o, path, fill, &g);
}
