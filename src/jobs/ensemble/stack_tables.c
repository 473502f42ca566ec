/* jobs/ensemble/stack_tables.c - a stack's csv files. */
#include "core/memory.h"
#include "core/table_file.h"
#include "jobs/ensemble/stack_report.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static orr_status write_grid(const orr_stack_fit *f, const char *path)
{
    orr_table_file t;

    ORR_TRY(orr_table_file_open(&t, path));
    orr_text_add(&t.row, "C,mean,sd,log_loss");
    for (int k = 0; k < f->n_folds; k++)
        orr_text_printf(&t.row, ",fold_%d", k);
    orr_table_file_end_row(&t);
    for (int c = 0; c < f->n_c; c++) {
        const double *auc = f->grid.auc + (int64_t)c * f->n_folds,
                     *loss = f->grid.log_loss + (int64_t)c * f->n_folds;
        double sum = 0;
        for (int k = 0; k < f->n_folds; k++)
            sum += loss[k];
        orr_text_printf(&t.row, "%.17g,%.17g,%.17g,%.17g", f->c[c], f->mean[c], f->sd[c],
                        sum / f->n_folds);
        for (int k = 0; k < f->n_folds; k++)
            orr_text_printf(&t.row, ",%.17g", auc[k]);
        orr_table_file_end_row(&t);
    }
    return orr_table_file_close(&t, ORR_OK);
}

/* One field of two classes (of class 1), else one a class: "small", or "small/planet". */
static void head(const orr_stack_data *d, const char *name, orr_text *row)
{
    char of_class[ORR_DATA_NAME_MAX], field[ORR_STACK_NAME_MAX + ORR_DATA_NAME_MAX + 2];

    for (int k = d->n_classes == 2 ? 1 : 0; k < d->n_classes; k++) {
        orr_stack_class_name(d, k, of_class, sizeof of_class);
        snprintf(field, sizeof field, "%s%s%s", name, d->n_classes == 2 ? "" : "/",
                 d->n_classes == 2 ? "" : of_class);
        orr_text_add(row, ",");
        orr_text_csv(row, field);
    }
}

static void put(const orr_stack_data *d, const double *p, orr_text *row)
{
    for (int k = d->n_classes == 2 ? 1 : 0; k < d->n_classes; k++)
        orr_text_printf(row, ",%.17g", p[k]);
}

static orr_status write_oof(const orr_stack_fit *f, const orr_stack_data *d, const char *path)
{
    const double *stack = f->held_out + (int64_t)ORR_STACK_STACK * d->n * d->n_classes;
    char label[ORR_DATA_NAME_MAX];
    orr_table_file t;

    ORR_TRY(orr_table_file_open(&t, path));
    orr_text_add(&t.row, "id,label,fold");
    for (int c = 0; c < d->n_columns; c++)
        head(d, d->names[c], &t.row);
    head(d, "stack", &t.row);
    orr_table_file_end_row(&t);
    for (int64_t i = 0; i < d->n; i++) {
        orr_text_csv(&t.row, d->id[i]);
        orr_text_add(&t.row, ",");
        orr_text_csv(&t.row, orr_stack_class_name(d, d->labels[i], label, sizeof label));
        orr_text_printf(&t.row, ",%d", (int)f->fold[i]);
        for (int c = 0; c < d->n_columns; c++)
            put(d, d->p + ((int64_t)c * d->n + i) * d->n_classes, &t.row);
        put(d, stack + i * d->n_classes, &t.row);
        orr_table_file_end_row(&t);
    }
    return orr_table_file_close(&t, ORR_OK);
}

static orr_status write_test_rows(const orr_stack_data *d, const double *p, const char *path)
{
    orr_table_file t;

    ORR_TRY(orr_table_file_open(&t, path));
    orr_text_add(&t.row, "id");
    head(d, d->n_classes == 2 ? "probability" : "stack", &t.row);
    orr_table_file_end_row(&t);
    for (int64_t i = 0; i < d->n_test; i++) {
        orr_text_csv(&t.row, d->test_id[i]);
        put(d, p + i * d->n_classes, &t.row);
        orr_table_file_end_row(&t);
    }
    return orr_table_file_close(&t, ORR_OK);
}

static orr_status write_test(const orr_stack_fit *f, const orr_stack_data *d, const char *path)
{
    double *p;
    orr_status st;

    if (d->n_test == 0 || d->no_test[0])
        return unlink(path) == 0 || errno == ENOENT
                   ? ORR_OK
                   : orr_fail(ORR_ERR_IO, "%s: %s", path, strerror(errno));
    p = orr_alloc((size_t)d->n_test * (size_t)d->n_classes, sizeof *p);
    if (!p) return orr_fail(ORR_ERR_NOMEM, "out of memory: test predictions");
    st = orr_stack_apply(&f->model, d->test_p, d->n_test, p);
    if (st == ORR_OK) st = write_test_rows(d, p, path);
    orr_free(p);
    return st;
}

orr_status orr_stack_write(const orr_stack_fit *f, const orr_stack_job *job,
                           const orr_stack_data *d, const char *dir)
{
    char path[ORR_PATH_MAX];

    ORR_TRY(orr_path_join(path, dir, "grid.csv"));
    ORR_TRY(write_grid(f, path));
    ORR_TRY(orr_path_join(path, dir, "stack-oof.csv"));
    ORR_TRY(write_oof(f, d, path));
    ORR_TRY(orr_path_join(path, dir, "test.csv"));
    ORR_TRY(write_test(f, d, path));
    return orr_stack_write_report(f, job, d, dir);
}
