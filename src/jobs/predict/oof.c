/* jobs/predict/oof.c - the file of out-of-fold predictions. */
#include "jobs/predict/oof.h"
#include "core/json.h"
#include "core/memory.h"
#include "jobs/context/deadline.h"
#include "jobs/model/h5_parts.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static const char format[] = "orrery-oof-1";
enum { ID_BYTES = ORR_ID_TEXT_MAX + 1 };

const char *orr_oof_column_name(const orr_oof *o, int c, char *buf, size_t bytes)
{
    const orr_oof_column *k = &o->columns[c];
    int seeds = 0, repeats = 0;
    size_t used;

    for (int i = 0; i < o->n_columns; i++) {
        seeds |= o->columns[i].seed != k->seed;
        repeats |= o->columns[i].repeat != k->repeat;
    }
    used = (size_t)snprintf(buf, bytes, "%s", k->model);
    if (seeds && used < bytes)
        used += (size_t)snprintf(buf + used, bytes - used, "/seed %lld", (long long)k->seed);
    if (repeats && used < bytes) snprintf(buf + used, bytes - used, "/repeat %d", (int)k->repeat);
    return buf;
}

const char *orr_oof_task(const orr_oof_column *c, int n_repeats, int fold, char *buf, size_t bytes)
{
    if (n_repeats > 1)
        snprintf(buf, bytes, "tasks/%s-s%lld-r%d-f%d", c->model, (long long)c->seed, (int)c->repeat,
                 fold);
    else
        snprintf(buf, bytes, "tasks/%s-s%lld-f%d", c->model, (long long)c->seed, fold);
    return buf;
}

void orr_oof_free(orr_oof *o)
{
    orr_free(o->class_names);
    orr_free(o->columns);
    orr_free(o->id);
    orr_free(o->labels);
    orr_free(o->values);
    orr_free(o->fold);
    orr_free(o->p);
    orr_free(o->test_id);
    orr_free(o->test_p);
    *o = (orr_oof){ 0 };
}

/* ---- what is small: a description, ids, truth, folds ---- */
static char *describe(const orr_oof *o)
{
    cJSON *all = cJSON_CreateObject(), *names = cJSON_AddArrayToObject(all, "class_names"),
          *columns = cJSON_AddArrayToObject(all, "columns");
    char *text;

    cJSON_AddNumberToObject(all, "samples", (double)o->n);
    cJSON_AddNumberToObject(all, "test_samples", (double)o->n_test);
    cJSON_AddNumberToObject(all, "folds", o->n_folds);
    cJSON_AddNumberToObject(all, "repeats", o->n_repeats);
    cJSON_AddNumberToObject(all, "width", o->width);
    cJSON_AddNumberToObject(all, "classes", o->n_classes);
    cJSON_AddNumberToObject(all, "y_width", o->y_width);
    cJSON_AddNumberToObject(all, "bins", o->bins.count);
    cJSON_AddNumberToObject(all, "bins_min", o->bins.min);
    cJSON_AddNumberToObject(all, "bins_max", o->bins.max);
    for (int i = 0; i < o->n_classes; i++)
        cJSON_AddItemToArray(names, cJSON_CreateString(o->class_names[i]));
    for (int i = 0; i < o->n_columns; i++) {
        cJSON *c = cJSON_CreateObject();
        cJSON_AddStringToObject(c, "model", o->columns[i].model);
        cJSON_AddNumberToObject(c, "seed", (double)o->columns[i].seed);
        cJSON_AddNumberToObject(c, "repeat", o->columns[i].repeat);
        cJSON_AddItemToArray(columns, c);
    }
    text = cJSON_Print(all);
    cJSON_Delete(all);
    return text;
}

static orr_status put_ids(orr_h5_file *f, const char *name, char (*id)[ID_BYTES], int64_t n)
{
    hid_t text = orr_h5_string_type(ID_BYTES);
    hsize_t dims = (hsize_t)n;
    orr_status st = orr_h5_put_array(f, name, text, ID_BYTES, 1, &dims, id);

    H5Tclose(text);
    return st;
}

static orr_status put_small(orr_h5_file *f, const orr_oof *o)
{
    hsize_t folds[2] = { (hsize_t)o->n_repeats, (hsize_t)o->n },
            y[2] = { (hsize_t)o->n, (hsize_t)o->y_width };
    char *text = describe(o);
    orr_status st = text ? orr_h5_put_string(f, "description", text)
                         : orr_fail(ORR_ERR_NOMEM, "out of memory: %s", f->path);

    cJSON_free(text);
    ORR_TRY(st);
    ORR_TRY(put_ids(f, "id", o->id, o->n));
    ORR_TRY(orr_h5_put_array(f, "fold", H5T_NATIVE_INT32, sizeof *o->fold, 2, folds, o->fold));
    if (o->labels)
        ORR_TRY(orr_h5_put_array(f, "y", H5T_NATIVE_INT32, sizeof *o->labels, 1, y, o->labels));
    if (o->values)
        ORR_TRY(orr_h5_put_array(f, "y", H5T_NATIVE_FLOAT, sizeof *o->values,
                                 o->y_width == 1 ? 1 : 2, y, o->values));
    if (o->n_test) ORR_TRY(put_ids(f, "test_id", o->test_id, o->n_test));
    return ORR_OK;
}

static orr_status lay_out(orr_h5_file *f, const orr_oof *o, const char *path)
{
    hsize_t dims[3] = { (hsize_t)o->n_columns, (hsize_t)o->n, (hsize_t)o->width },
            test[3] = { (hsize_t)o->n_columns, (hsize_t)o->n_test, (hsize_t)o->width };

    ORR_TRY(orr_h5_begin(f, path, format));
    ORR_TRY(put_small(f, o));
    ORR_TRY(orr_h5_lay_out(f, "p", H5T_NATIVE_DOUBLE, 3, dims));
    if (o->n_test) ORR_TRY(orr_h5_lay_out(f, "test_p", H5T_NATIVE_DOUBLE, 3, test));
    return orr_h5_pause(f);
}

/* ---- columns, by all ranks ---- */
typedef struct writer {
    hid_t file, transfer, p, test_p;
} writer;

static orr_status open_columns(writer *w, const orr_context *context, const orr_oof *o,
                               const char *tmp)
{
    hid_t access = orr_h5_access(context);
    orr_status st = orr_h5_open_write(&w->file, &w->transfer, tmp, access);

    H5Pclose(access);
    ORR_TRY(st);
    w->p = H5Dopen2(w->file, "p", H5P_DEFAULT);
    if (o->n_test) w->test_p = H5Dopen2(w->file, "test_p", H5P_DEFAULT);
    if (w->p < 0 || (o->n_test && w->test_p < 0))
        return orr_h5_fail(ORR_ERR_IO, "%s: its columns cannot be opened", tmp);
    return ORR_OK;
}

/* Column c of n x width numbers; c < 0: takes part and writes nothing. */
static orr_status write_column(const writer *w, hid_t set, int c, int64_t n, int width,
                               const double *p)
{
    hsize_t start[3] = { c < 0 ? 0 : (hsize_t)c, 0, 0 },
            dims[3] = { 1, (hsize_t)n, (hsize_t)width };
    hid_t space = H5Dget_space(set), memory = H5Screate_simple(3, dims, NULL);
    double nothing = 0;
    herr_t bad;

    if (c < 0) {
        H5Sselect_none(space);
        H5Sselect_none(memory);
    } else {
        H5Sselect_hyperslab(space, H5S_SELECT_SET, start, NULL, dims, NULL);
    }
    bad = H5Dwrite(set, H5T_NATIVE_DOUBLE, memory, space, w->transfer, c < 0 ? &nothing : p);
    H5Sclose(memory);
    H5Sclose(space);
    return bad < 0 ? orr_h5_fail(ORR_ERR_IO, "predictions cannot be written (is the disk full?)")
                   : ORR_OK;
}

typedef struct filler {
    orr_status (*fill)(void *ctx, int c, double *p, double *test_p);
    void *ctx;
} filler;

/* Rounds of one column a rank; a rank that has failed goes on taking part. */
static orr_status write_columns(const writer *w, const orr_context *context, const orr_oof *o,
                                const filler *f, orr_deadline *limit)
{
    double *p = orr_alloc((size_t)o->n * (size_t)o->width + 1, sizeof *p),
           *test_p = orr_alloc((size_t)o->n_test * (size_t)o->width + 1, sizeof *test_p);
    orr_status st = p && test_p ? ORR_OK
                                : orr_fail(ORR_ERR_NOMEM,
                                           "out of memory: predictions of %lld "
                                           "samples",
                                           (long long)o->n);
    orr_error failed;

    orr_error_take(&failed, st);
    for (int first = 0; first < o->n_columns; first += context->size) {
        int c = first + context->rank < o->n_columns ? first + context->rank : -1;
        orr_deadline_again(limit);
        if (failed.code == ORR_OK && c >= 0)
            orr_error_keep(&failed, f->fill(f->ctx, c, p, o->n_test ? test_p : NULL));
        if (failed.code != ORR_OK) c = -1;
        st = write_column(w, w->p, c, o->n, o->width, p);
        if (o->n_test && st == ORR_OK)
            st = write_column(w, w->test_p, c, o->n_test, o->width, test_p);
        orr_error_keep(&failed, st);
    }
    orr_free(p);
    orr_free(test_p);
    return orr_error_raise(&failed);
}

static orr_status close_columns(writer *w, orr_status st)
{
    if (w->p >= 0) H5Dclose(w->p);
    if (w->test_p >= 0) H5Dclose(w->test_p);
    if (w->transfer >= 0) H5Pclose(w->transfer);
    if (w->file >= 0 && H5Fclose(w->file) < 0 && st == ORR_OK)
        st = orr_h5_fail(ORR_ERR_IO, "predictions cannot be written (is the disk full?)");
    return st;
}

orr_status orr_oof_write(orr_context *context, const orr_oof *o, const char *path,
                         orr_status (*fill)(void *ctx, int c, double *p, double *test_p), void *ctx)
{
    const filler how = { fill, ctx };
    writer w = { -1, -1, -1, -1 };
    char tmp[ORR_PATH_MAX];
    orr_h5_file f = { .id = -1 };
    orr_h5_quiet quiet;
    orr_status st = orr_tmp_path(tmp, path);

    orr_h5_quiet_begin(&quiet);
    if (st == ORR_OK && context->rank == 0) st = lay_out(&f, o, path);
    st = orr_context_agree(context, st);
    if (st == ORR_OK) {
        orr_deadline limit;
        orr_deadline_start(&limit, "writing predictions with all ranks", ORR_EXIT_FAILED, 1);
        st = orr_context_agree(context, open_columns(&w, context, o, tmp));
        if (st == ORR_OK) st = write_columns(&w, context, o, &how, &limit);
        st = orr_context_agree(context, close_columns(&w, st));
        orr_deadline_stop(&limit);
    }
    if (context->rank == 0) {
        orr_error so_far;
        if (st == ORR_OK) st = orr_h5_go_on(&f);
        orr_error_take(&so_far, st);
        if (f.sum || f.id >= 0) orr_error_keep(&so_far, orr_h5_commit(&f, st));
        st = orr_error_raise(&so_far);
    }
    orr_h5_quiet_end(&quiet);
    return orr_context_agree(context, st);
}

/* ---- reading ---- */
static orr_status read_columns(orr_oof *o, const cJSON *all)
{
    const cJSON *item;
    int i = 0;

    o->columns = orr_alloc((size_t)o->n_columns, sizeof *o->columns);
    o->class_names = orr_alloc((size_t)o->n_classes + 1, sizeof *o->class_names);
    if (!o->columns || !o->class_names)
        return orr_fail(ORR_ERR_NOMEM, "out of memory: %s", o->path);
    cJSON_ArrayForEach (item, cJSON_GetObjectItemCaseSensitive(all, "columns")) {
        const char *name = orr_json_text(item, "model", NULL);
        if (!name) return orr_fail(ORR_ERR_FORMAT, "%s: damaged", o->path);
        snprintf(o->columns[i].model, ORR_MODEL_NAME_MAX, "%s", name);
        o->columns[i].seed = (int64_t)orr_json_get(item, "seed", -1);
        o->columns[i++].repeat = (int32_t)orr_json_get(item, "repeat", -1);
    }
    i = 0;
    cJSON_ArrayForEach (item, cJSON_GetObjectItemCaseSensitive(all, "class_names"))
        if (i < o->n_classes && cJSON_IsString(item))
            snprintf(o->class_names[i++], ORR_DATA_NAME_MAX, "%s", item->valuestring);
    return ORR_OK;
}

static orr_status read_description(orr_oof *o, const char *text)
{
    cJSON *all = cJSON_Parse(text);
    orr_status st = ORR_OK;

    o->n = (int64_t)orr_json_get(all, "samples", -1);
    o->n_test = (int64_t)orr_json_get(all, "test_samples", -1);
    o->n_folds = (int)orr_json_get(all, "folds", -1);
    o->n_repeats = (int)orr_json_get(all, "repeats", -1);
    o->width = (int)orr_json_get(all, "width", -1);
    o->n_classes = (int)orr_json_get(all, "classes", -1);
    o->y_width = (int)orr_json_get(all, "y_width", -1);
    o->bins = (orr_bins){ (int)orr_json_get(all, "bins", -1), orr_json_get(all, "bins_min", -1),
                          orr_json_get(all, "bins_max", -1) };
    o->n_columns = cJSON_GetArraySize(cJSON_GetObjectItemCaseSensitive(all, "columns"));
    if (o->n < 1 || o->n_test < 0 || o->n_folds < 2 || o->n_repeats < 1 || o->width < 1 ||
        o->n_classes < 0 || o->n_columns < 1 || o->y_width < 0)
        st = orr_fail(ORR_ERR_FORMAT, "%s: its description makes no sense", o->path);
    if (st == ORR_OK) st = read_columns(o, all);
    cJSON_Delete(all);
    return st;
}

static orr_status get_ids(orr_h5_file *f, const char *name, char (**id)[ID_BYTES], int64_t n)
{
    hid_t text = orr_h5_string_type(ID_BYTES);
    orr_status st = ORR_OK;

    *id = orr_alloc((size_t)n + 1, ID_BYTES);
    if (!*id) st = orr_fail(ORR_ERR_NOMEM, "out of memory: %s", f->path);
    if (st == ORR_OK) st = orr_h5_get_array(f, name, text, ID_BYTES, (size_t)n, *id);
    H5Tclose(text);
    return st;
}

static orr_status get_numbers(orr_h5_file *f, const char *name, hid_t type, size_t bytes, size_t n,
                              void *out)
{
    void **to = out;

    *to = orr_alloc(n + 1, bytes);
    if (!*to) return orr_fail(ORR_ERR_NOMEM, "out of memory: %s", f->path);
    return orr_h5_get_array(f, name, type, bytes, n, *to);
}

static orr_status get_truth(orr_h5_file *f, orr_oof *o)
{
    if (orr_h5_count(f, "y") < 0) return ORR_OK;
    if (o->n_classes)
        return get_numbers(f, "y", H5T_NATIVE_INT32, sizeof *o->labels, (size_t)o->n, &o->labels);
    return get_numbers(f, "y", H5T_NATIVE_FLOAT, sizeof *o->values,
                       (size_t)o->n * (size_t)o->y_width, &o->values);
}

static orr_status load(orr_h5_file *f, orr_oof *o)
{
    size_t one;
    char *text = NULL;
    orr_status st = orr_h5_get_string(f, "description", &text);

    if (st == ORR_OK) st = read_description(o, text);
    orr_free(text);
    ORR_TRY(st);
    one = (size_t)o->width * (size_t)o->n_columns;
    ORR_TRY(get_ids(f, "id", &o->id, o->n));
    ORR_TRY(get_numbers(f, "fold", H5T_NATIVE_INT32, sizeof *o->fold,
                        (size_t)o->n_repeats * (size_t)o->n, &o->fold));
    ORR_TRY(get_truth(f, o));
    if (o->n_test) ORR_TRY(get_ids(f, "test_id", &o->test_id, o->n_test));
    ORR_TRY(get_numbers(f, "p", H5T_NATIVE_DOUBLE, sizeof *o->p, one * (size_t)o->n, &o->p));
    if (o->n_test)
        ORR_TRY(get_numbers(f, "test_p", H5T_NATIVE_DOUBLE, sizeof *o->p, one * (size_t)o->n_test,
                            &o->test_p));
    return ORR_OK;
}

static orr_status check_finite(const orr_oof *o, const double *p, char (*id)[ID_BYTES], int64_t n)
{
    char name[2 * ORR_MODEL_NAME_MAX];

    for (int c = 0; c < o->n_columns; c++)
        for (int64_t i = 0; i < n; i++)
            for (int k = 0; k < o->width; k++)
                if (!isfinite(
                        p[((size_t)c * (size_t)n + (size_t)i) * (size_t)o->width + (size_t)k]))
                    return orr_fail(ORR_ERR_FORMAT,
                                    "%s: the prediction of model %s for sample %s is not a number",
                                    o->path, orr_oof_column_name(o, c, name, sizeof name), id[i]);
    return ORR_OK;
}

static orr_status begin_read(orr_oof *out, orr_h5_file *f, const char *path)
{
    *out = (orr_oof){ 0 };
    *f = (orr_h5_file){ .id = -1 };
    ORR_TRY(orr_path_join(out->path, orr_path_is_dir(path) ? path : "",
                          orr_path_is_dir(path) ? "oof.h5" : path));
    if (!orr_path_exists(out->path))
        return orr_fail(ORR_ERR_IO,
                        "%s: there is no such file; a cross-validation that has ended (orrery cv) "
                        "writes it",
                        out->path);
    return orr_h5_load_begin(f, out->path, format);
}

orr_status orr_oof_read(orr_oof *out, const char *path)
{
    orr_h5_file f;
    orr_status st = begin_read(out, &f, path);

    if (st == ORR_OK) st = load(&f, out);
    if (f.path) st = orr_h5_load_end(&f, st, 1);
    if (st == ORR_OK) st = check_finite(out, out->p, out->id, out->n);
    if (st == ORR_OK && out->n_test) st = check_finite(out, out->test_p, out->test_id, out->n_test);
    if (st != ORR_OK) orr_oof_free(out);
    return st;
}

orr_status orr_oof_read_columns(orr_oof *out, const char *path)
{
    orr_h5_file f;
    char *text = NULL;
    orr_status st = begin_read(out, &f, path);

    if (st == ORR_OK) st = orr_h5_get_string(&f, "description", &text);
    if (st == ORR_OK) st = read_description(out, text);
    orr_free(text);
    if (f.path) st = orr_h5_load_end(&f, st, 0);
    if (st != ORR_OK) orr_oof_free(out);
    return st;
}
