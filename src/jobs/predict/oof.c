/* jobs/predict/oof.c - the file of out-of-fold predictions. */
#include "jobs/predict/oof.h"
#include "core/json.h"
#include "core/memory.h"
#include "data/storage/shared_file.h"
#include "data/storage/storage.h"
#include "jobs/context/deadline.h"
#include "jobs/context/exit_code.h"
#include "jobs/context/phase.h"

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

const char *orr_oof_seed_task(int64_t seed, char *buf, size_t bytes)
{
    snprintf(buf, bytes, "tasks/seed-%lld", (long long)seed);
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

/* ---- targets ---- */
void orr_oof_take_targets(orr_oof *o, const orr_schema *s)
{
    for (int k = 0; k < o->y_width && k < ORR_MAX_TARGET_NAMES; k++) {
        orr_schema_target_name(s, k, o->target_names[k], sizeof o->target_names[k]);
        memcpy(o->target_units[k], s->y_units[k], sizeof o->target_units[k]);
        o->shift[k] = orr_schema_target_shift(s, k);
    }
}

static int n_targets(const orr_oof *o)
{
    return o->y_width < ORR_MAX_TARGET_NAMES ? o->y_width : ORR_MAX_TARGET_NAMES;
}

static int is_shifted(const orr_oof *o)
{
    int any = 0;

    for (int k = 0; k < n_targets(o); k++)
        any |= o->shift[k] != 0;
    return any;
}

/* Adds the shifts, or with sign -1 takes them off, to v[n][width]. */
static void move(const orr_oof *o, double *v, int64_t n, int width, int sign)
{
    for (int k = 0; k < n_targets(o) && k < width; k++)
        for (int64_t i = 0; o->shift[k] != 0 && i < n; i++)
            v[i * width + k] += sign * o->shift[k];
}

/* Predictions: densities stay as they are. */
static void move_predictions(const orr_oof *o, double *p, int64_t n, int sign)
{
    if (o->n_classes == 0 && o->bins.count == 0) move(o, p, n, o->width, sign);
}

static orr_status put_values(orr_store_writer *f, const orr_oof *o)
{
    const orr_store_type type = is_shifted(o) ? ORR_STORE_F64 : ORR_STORE_F32;
    const orr_store_array a =
        o->y_width == 1 ? orr_store_vector(type, o->n) : orr_store_matrix(type, o->n, o->y_width);
    const int64_t count = o->n * o->y_width;
    double *v;
    orr_status st;

    if (!is_shifted(o)) return orr_store_put(f, "y", a, o->values);
    if (!(v = orr_alloc((size_t)count + 1, sizeof *v)))
        return orr_fail(ORR_ERR_NOMEM, "out of memory: %s", orr_store_writer_path(f));
    for (int64_t i = 0; i < count; i++)
        v[i] = (double)o->values[i];
    move(o, v, o->n, o->y_width, 1);
    st = orr_store_put(f, "y", a, v);
    orr_free(v);
    return st;
}

/* ---- what is small: a description, ids, truth, folds ---- */
static void describe_targets(cJSON *all, const orr_oof *o)
{
    cJSON *names = cJSON_AddArrayToObject(all, "target_names"),
          *units = cJSON_AddArrayToObject(all, "target_units");

    for (int k = 0; k < n_targets(o); k++) {
        cJSON_AddItemToArray(names, cJSON_CreateString(o->target_names[k]));
        cJSON_AddItemToArray(units, cJSON_CreateString(o->target_units[k]));
    }
    if (is_shifted(o))
        cJSON_AddItemToObject(all, "target_shift", cJSON_CreateDoubleArray(o->shift, n_targets(o)));
}

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
    if (o->n_classes == 0) describe_targets(all, o);
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

static orr_status put_ids(orr_store_writer *f, const char *name, char (*id)[ID_BYTES], int64_t n)
{
    return orr_store_put(f, name, orr_store_vector(ORR_STORE_TEXT_OF(ID_BYTES), n), id);
}

static orr_status put_small(orr_store_writer *f, const orr_oof *o)
{
    char *text = describe(o);
    orr_status st = text ? orr_store_put_text(f, "description", text)
                         : orr_fail(ORR_ERR_NOMEM, "out of memory: %s", orr_store_writer_path(f));

    cJSON_free(text);
    ORR_TRY(st);
    ORR_TRY(put_ids(f, "id", o->id, o->n));
    ORR_TRY(orr_store_put(f, "fold", orr_store_matrix(ORR_STORE_I32, o->n_repeats, o->n), o->fold));
    if (o->labels) ORR_TRY(orr_store_put(f, "y", orr_store_vector(ORR_STORE_I32, o->n), o->labels));
    if (o->values) ORR_TRY(put_values(f, o));
    if (o->n_test) ORR_TRY(put_ids(f, "test_id", o->test_id, o->n_test));
    return ORR_OK;
}

static orr_status lay_out(orr_store_writer **f, const orr_oof *o, const char *path)
{
    const orr_store_array p = { ORR_STORE_F64, 3, { o->n_columns, o->n, o->width } },
                          test = { ORR_STORE_F64, 3, { o->n_columns, o->n_test, o->width } };

    ORR_TRY(orr_store_begin(f, path, format));
    ORR_TRY(put_small(*f, o));
    if (o->n) ORR_TRY(orr_store_lay_out(*f, "p", p));
    if (o->n_test) ORR_TRY(orr_store_lay_out(*f, "test_p", test));
    return orr_store_pause(*f);
}

/* ---- columns, by all ranks ---- */
typedef struct filler {
    orr_status (*fill)(void *ctx, int c, double *p, double *test_p);
    void *ctx;
} filler;

/* Rounds of one column a rank.  A rank that has failed goes on taking part, and says so when it
 * closes the file. */
static void write_columns(orr_store_shared *w, const orr_context *context, const orr_oof *o,
                          const filler *f, orr_deadline *limit)
{
    double *p = orr_alloc((size_t)o->n * (size_t)o->width + 1, sizeof *p),
           *test_p = orr_alloc((size_t)o->n_test * (size_t)o->width + 1, sizeof *test_p);
    orr_status st = ORR_OK;

    if (!p || !test_p)
        st = orr_fail(ORR_ERR_NOMEM, "out of memory: predictions of %lld samples", (long long)o->n);
    st = orr_store_shared_fail(w, st);
    for (int first = 0; first < o->n_columns; first += context->size) {
        int c = first + context->rank, n = c < o->n_columns;
        orr_deadline_again(limit);
        if (st == ORR_OK && n)
            st = orr_store_shared_fail(w, f->fill(f->ctx, c, p, o->n_test ? test_p : NULL));
        if (st == ORR_OK && n) {
            move_predictions(o, p, o->n, 1);
            move_predictions(o, test_p, o->n_test, 1);
        }
        if (o->n) st = orr_store_shared_write(w, 0, n ? c : 0, n, p);
        if (o->n_test) st = orr_store_shared_write(w, o->n ? 1 : 0, n ? c : 0, n, test_p);
    }
    orr_free(p);
    orr_free(test_p);
}

/* All ranks, when the file is laid out. */
static orr_status write_shared(orr_context *context, const orr_oof *o, const char *path,
                               const filler *how)
{
    static const char *const names[] = { "p", "test_p" };
    orr_store_shared *w = NULL;
    orr_deadline limit;
    orr_error first = { 0 };

    orr_deadline_start(&limit, "writing predictions with all ranks", ORR_EXIT_FAILED, 1);
    orr_error_keep(&first, orr_phase(context, NULL,
                                     orr_store_shared_create(&w, path, names + (o->n == 0),
                                                             (o->n > 0) + (o->n_test > 0))));
    if (first.code == ORR_OK)
        orr_error_keep(&first, orr_phase_joint(context, orr_store_shared_open(
                                                            w, orr_context_writers(context))));
    if (first.code == ORR_OK) write_columns(w, context, o, how, &limit);
    orr_error_keep(&first, orr_store_shared_close(w));
    orr_deadline_stop(&limit);
    return orr_error_raise(&first);
}

/* Rank 0: the file gets its name when all is well, and goes when it is not. */
static orr_status commit(orr_store_writer *f, orr_status st)
{
    orr_error first;

    if (st == ORR_OK) st = orr_store_go_on(f);
    orr_error_take(&first, st);
    orr_error_keep(&first, orr_store_commit(f, st));
    return orr_error_raise(&first);
}

orr_status orr_oof_write(orr_context *context, const orr_oof *o, const char *path,
                         orr_status (*fill)(void *ctx, int c, double *p, double *test_p), void *ctx)
{
    const filler how = { fill, ctx };
    orr_store_writer *f = NULL;
    orr_status st = orr_phase_root(context, NULL, lay_out(&f, o, path));

    if (st == ORR_OK && o->n + o->n_test > 0)
        st = orr_phase_joint(context, write_shared(context, o, path, &how));
    return orr_phase(context, NULL, context->rank == 0 ? commit(f, st) : st);
}

/* ---- reading ---- */
static void read_texts(const cJSON *all, const char *key,
                       char to[ORR_MAX_TARGET_NAMES][ORR_DATA_NAME_MAX])
{
    const cJSON *item;
    int i = 0;

    cJSON_ArrayForEach (item, cJSON_GetObjectItemCaseSensitive(all, key))
        if (i < ORR_MAX_TARGET_NAMES && cJSON_IsString(item))
            snprintf(to[i++], ORR_DATA_NAME_MAX, "%s", item->valuestring);
}

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
    read_texts(all, "target_names", o->target_names);
    read_texts(all, "target_units", o->target_units);
    i = 0;
    cJSON_ArrayForEach (item, cJSON_GetObjectItemCaseSensitive(all, "target_shift")) {
        if (i < ORR_MAX_TARGET_NAMES && cJSON_IsNumber(item) && isfinite(item->valuedouble))
            o->shift[i] = item->valuedouble;
        i++;
    }
    return ORR_OK;
}

/* A whole number of the description; -1 when it is none or beyond what a file can hold. */
static int64_t whole(const cJSON *all, const char *key, double most)
{
    double v = orr_json_get(all, key, -1);

    return v >= 0 && v <= most ? (int64_t)v : -1;
}

static orr_status read_description(orr_oof *o, const char *text)
{
    const double rows = (double)((int64_t)1 << 50);
    cJSON *all = cJSON_Parse(text);
    orr_status st = ORR_OK;

    o->n = whole(all, "samples", rows);
    o->n_test = whole(all, "test_samples", rows);
    o->n_folds = (int)whole(all, "folds", INT32_MAX);
    o->n_repeats = (int)whole(all, "repeats", INT32_MAX);
    o->width = (int)whole(all, "width", INT32_MAX);
    o->n_classes = (int)whole(all, "classes", ORR_MAX_CLASSES);
    o->y_width = (int)whole(all, "y_width", INT32_MAX);
    o->bins = (orr_bins){ (int)whole(all, "bins", INT32_MAX), orr_json_get(all, "bins_min", -1),
                          orr_json_get(all, "bins_max", -1) };
    o->n_columns = cJSON_GetArraySize(cJSON_GetObjectItemCaseSensitive(all, "columns"));
    if (o->n < (o->n_folds == 1 ? 0 : 1) || o->n_test < 0 || o->n_folds < 1 || o->n_repeats < 1 ||
        o->width < 1 || o->n_classes < 0 || o->n_columns < 1 || o->y_width < 0)
        st = orr_fail(ORR_ERR_FORMAT, "%s: its description makes no sense", o->path);
    if (st == ORR_OK) st = read_columns(o, all);
    cJSON_Delete(all);
    return st;
}

/* a * b * c elements, into memory of their own. */
static orr_status get_numbers(orr_store_reader *f, const char *name, orr_store_type type,
                              const int64_t shape[3], void *out)
{
    size_t n = 0;

    if (__builtin_mul_overflow((size_t)shape[0], (size_t)shape[1], &n) ||
        __builtin_mul_overflow(n, (size_t)shape[2], &n))
        return orr_fail(ORR_ERR_FORMAT, "%s: its description makes no sense",
                        orr_store_reader_path(f));
    return orr_store_dup(f, name, type, n, out);
}

static orr_status get_ids(orr_store_reader *f, const char *name, char (**id)[ID_BYTES], int64_t n)
{
    return orr_store_dup(f, name, ORR_STORE_TEXT_OF(ID_BYTES), (size_t)n, id);
}

static orr_status get_shifted(orr_store_reader *f, orr_oof *o)
{
    const int64_t shape[3] = { o->n, o->y_width, 1 };
    double *v;

    ORR_TRY(get_numbers(f, "y", ORR_STORE_F64, shape, &v));
    if (!(o->values = orr_alloc((size_t)(o->n * o->y_width) + 1, sizeof *o->values))) {
        orr_free(v);
        return orr_fail(ORR_ERR_NOMEM, "out of memory: %s", orr_store_reader_path(f));
    }
    move(o, v, o->n, o->y_width, -1);
    for (int64_t i = 0; i < o->n * o->y_width; i++)
        o->values[i] = (float)v[i];
    orr_free(v);
    return ORR_OK;
}

static orr_status get_truth(orr_store_reader *f, orr_oof *o)
{
    if (orr_store_count(f, "y") < 0) return ORR_OK;
    if (o->n_classes) return orr_store_dup(f, "y", ORR_STORE_I32, (size_t)o->n, &o->labels);
    if (is_shifted(o)) return get_shifted(f, o);
    return get_numbers(f, "y", ORR_STORE_F32, (const int64_t[]){ o->n, o->y_width, 1 }, &o->values);
}

static orr_status load(orr_store_reader *f, orr_oof *o)
{
    char *text = NULL;
    orr_status st = orr_store_get_text(f, "description", &text);

    if (st == ORR_OK) st = read_description(o, text);
    orr_free(text);
    ORR_TRY(st);
    ORR_TRY(get_ids(f, "id", &o->id, o->n));
    ORR_TRY(get_numbers(f, "fold", ORR_STORE_I32, (const int64_t[]){ o->n_repeats, o->n, 1 },
                        &o->fold));
    ORR_TRY(get_truth(f, o));
    if (o->n_test) ORR_TRY(get_ids(f, "test_id", &o->test_id, o->n_test));
    if (o->n)
        ORR_TRY(get_numbers(f, "p", ORR_STORE_F64,
                            (const int64_t[]){ o->n_columns, o->n, o->width }, &o->p));
    if (o->n_test)
        ORR_TRY(get_numbers(f, "test_p", ORR_STORE_F64,
                            (const int64_t[]){ o->n_columns, o->n_test, o->width }, &o->test_p));
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

static orr_status open_file(orr_oof *out, orr_store_reader **f, const char *path)
{
    char seeds[ORR_PATH_MAX];
    int is_dir = orr_path_is_dir(path);

    *out = (orr_oof){ 0 };
    *f = NULL;
    ORR_TRY(orr_path_join(out->path, is_dir ? path : "", is_dir ? "oof.h5" : path));
    ORR_TRY(orr_path_join(seeds, is_dir ? path : "", "seeds.h5"));
    if (is_dir && !orr_path_exists(out->path) && orr_path_exists(seeds))
        memcpy(out->path, seeds, sizeof seeds);
    if (!orr_path_exists(out->path))
        return orr_fail(ORR_ERR_IO,
                        "%s: there is no such file; a cross-validation that has ended (orrery cv) "
                        "writes it, and a training with seeds a seeds.h5",
                        out->path);
    return orr_store_open(f, out->path, format);
}

orr_status orr_oof_read(orr_oof *out, const char *path)
{
    orr_store_reader *f;
    orr_status st = open_file(out, &f, path);

    if (st == ORR_OK) st = load(f, out);
    if (st == ORR_OK) st = orr_store_verify(f);
    orr_store_close(f);
    if (st == ORR_OK) st = check_finite(out, out->p, out->id, out->n);
    if (st == ORR_OK && out->n_test) st = check_finite(out, out->test_p, out->test_id, out->n_test);
    if (st == ORR_OK) move_predictions(out, out->p, out->n * out->n_columns, -1);
    if (st == ORR_OK) move_predictions(out, out->test_p, out->n_test * out->n_columns, -1);
    if (st != ORR_OK) orr_oof_free(out);
    return st;
}

orr_status orr_oof_read_columns(orr_oof *out, const char *path)
{
    orr_store_reader *f;
    char *text = NULL;
    orr_status st = open_file(out, &f, path);

    if (st == ORR_OK) st = orr_store_get_text(f, "description", &text);
    if (st == ORR_OK) st = read_description(out, text);
    orr_free(text);
    orr_store_close(f);
    if (st != ORR_OK) orr_oof_free(out);
    return st;
}
