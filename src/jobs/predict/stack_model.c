/* jobs/predict/stack_model.c - the file of a stack, and its predictions. */
#include "jobs/predict/stack_model.h"
#include "core/json.h"
#include "core/memory.h"
#include "core/text.h"
#include "data/storage/storage.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char format[] = "orrery-stack-1", file_name[] = "stack.h5";

int orr_stack_features(const orr_stack_model *s)
{
    return s->n_columns * (s->n_classes == 2 ? 1 : s->n_classes);
}

int orr_stack_vectors(const orr_stack_model *s)
{
    return s->n_classes == 2 ? 1 : s->n_classes;
}

void orr_stack_model_free(orr_stack_model *s)
{
    orr_free(s->columns);
    orr_free(s->class_names);
    orr_free(s->w);
    orr_free(s->b);
    *s = (orr_stack_model){ 0 };
}

/* ---- predicting ---- */
static double logit(double p)
{
    const double least = 1e-7;

    p = p < least ? least : p > 1 - least ? 1 - least : p;
    return log(p / (1 - p));
}

void orr_stack_take_features(const orr_stack_model *s, const double *p, int64_t n, double *x)
{
    int classes = s->n_classes, first = classes == 2 ? 1 : 0, k = classes - first,
        features = orr_stack_features(s);

    for (int c = 0; c < s->n_columns; c++)
        for (int64_t i = 0; i < n; i++) {
            const double *from = p + ((int64_t)c * n + i) * classes + first;
            double *to = x + i * features + (int64_t)c * k;
            for (int j = 0; j < k; j++)
                to[j] = s->logits ? logit(from[j]) : from[j];
        }
}

orr_status orr_stack_apply(const orr_stack_model *s, const double *p, int64_t n, double *out)
{
    const orr_logistic m = { .d = orr_stack_features(s),
                             .n_classes = s->n_classes,
                             .vectors = orr_stack_vectors(s),
                             .w = s->w,
                             .b = s->b };
    double *x = orr_alloc((size_t)n * (size_t)m.d + 1, sizeof *x);
    orr_status st;

    if (!x) return orr_fail(ORR_ERR_NOMEM, "out of memory: features of %lld samples", (long long)n);
    orr_stack_take_features(s, p, n, x);
    st = orr_logistic_predict(&m, x, n, 0, out);
    orr_free(x);
    return st;
}

/* ---- paths of runs, from the stack's folder ---- */
static orr_status real_path(char out[ORR_PATH_MAX], const char *path)
{
    _Static_assert(ORR_PATH_MAX >= PATH_MAX, "what realpath fills");
    return realpath(path, out) ? ORR_OK : orr_fail(ORR_ERR_IO, "%s: %s", path, strerror(errno));
}

/* `to` as it is called from within the folder `from`, both absolute and without links. */
static orr_status relative(char out[ORR_PATH_MAX], const char *from, const char *to)
{
    orr_text t = { .max = ORR_PATH_MAX - 1 };
    size_t same = 0;
    orr_status st;

    for (size_t i = 0;; i++) {
        if ((from[i] == '\0' || from[i] == '/') && (to[i] == '\0' || to[i] == '/')) same = i;
        if (from[i] != to[i] || from[i] == '\0') break;
    }
    for (const char *s = from + same; *s; s++)
        if (*s == '/' && s[1]) orr_text_add(&t, t.len ? "/.." : "..");
    if (to[same] && to[same + 1]) orr_text_printf(&t, "%s%s", t.len ? "/" : "", to + same + 1);
    if (t.len == 0) orr_text_add(&t, ".");
    st = orr_text_status(&t);
    if (st == ORR_OK) memcpy(out, t.s, t.len + 1);
    orr_text_free(&t);
    return st == ORR_OK ? ORR_OK : orr_fail(ORR_ERR_IO, "%s: its path is too long", to);
}

/* ---- the file ---- */
static orr_status describe(const orr_stack_model *s, const char *dir, char **text)
{
    char here[ORR_PATH_MAX], run[ORR_PATH_MAX], path[ORR_PATH_MAX];
    cJSON *all = cJSON_CreateObject(), *names = cJSON_AddArrayToObject(all, "class_names"),
          *columns = cJSON_AddArrayToObject(all, "columns");
    orr_status st = real_path(here, dir);

    cJSON_AddNumberToObject(all, "classes", s->n_classes);
    cJSON_AddStringToObject(all, "features", s->logits ? "logit" : "probability");
    for (int i = 0; i < s->n_classes; i++)
        cJSON_AddItemToArray(names, cJSON_CreateString(s->class_names[i]));
    for (int i = 0; st == ORR_OK && i < s->n_columns; i++) {
        cJSON *c = cJSON_CreateObject();
        cJSON_AddItemToArray(columns, c);
        st = real_path(run, s->columns[i].run);
        if (st == ORR_OK) st = relative(path, here, run);
        if (st != ORR_OK) break;
        cJSON_AddStringToObject(c, "run", path);
        cJSON_AddStringToObject(c, "model", s->columns[i].model);
        cJSON_AddNumberToObject(c, "seed", (double)s->columns[i].seed);
    }
    *text = st == ORR_OK ? cJSON_Print(all) : NULL;
    cJSON_Delete(all);
    if (st == ORR_OK && !*text) st = orr_fail(ORR_ERR_NOMEM, "out of memory: %s", dir);
    return st;
}

static orr_status put(orr_store_writer *f, const orr_stack_model *s, const char *text)
{
    int vectors = orr_stack_vectors(s);

    ORR_TRY(orr_store_put_text(f, "description", text));
    ORR_TRY(orr_store_put(f, "c", orr_store_vector(ORR_STORE_F64, 1), &s->c));
    ORR_TRY(orr_store_put(f, "w", orr_store_matrix(ORR_STORE_F64, vectors, orr_stack_features(s)),
                          s->w));
    return orr_store_put(f, "b", orr_store_vector(ORR_STORE_F64, vectors), s->b);
}

orr_status orr_stack_model_write(const orr_stack_model *s, const char *dir)
{
    char path[ORR_PATH_MAX], *text = NULL;
    orr_store_writer *f;
    orr_status st;

    ORR_TRY(orr_path_join(path, dir, file_name));
    ORR_TRY(describe(s, dir, &text));
    st = orr_store_begin(&f, path, format);
    if (st == ORR_OK) st = put(f, s, text);
    st = orr_store_commit(f, st);
    cJSON_free(text);
    return st;
}

static orr_status read_columns(orr_stack_model *s, const cJSON *all, const char *dir)
{
    const cJSON *item, *seed;
    int i = 0;

    cJSON_ArrayForEach (item, cJSON_GetObjectItemCaseSensitive(all, "columns")) {
        const char *run = orr_json_text(item, "run", NULL),
                   *model = orr_json_text(item, "model", NULL);
        seed = cJSON_GetObjectItemCaseSensitive(item, "seed");
        if (!run || !model || !cJSON_IsNumber(seed))
            return orr_fail(ORR_ERR_FORMAT, "%s: its column %d makes no sense", dir, i + 1);
        ORR_TRY(orr_path_join(s->columns[i].run, dir, run));
        snprintf(s->columns[i].model, sizeof s->columns[i].model, "%s", model);
        s->columns[i++].seed = (int64_t)seed->valuedouble;
    }
    i = 0;
    cJSON_ArrayForEach (item, cJSON_GetObjectItemCaseSensitive(all, "class_names"))
        if (i < s->n_classes && cJSON_IsString(item))
            snprintf(s->class_names[i++], sizeof *s->class_names, "%s", item->valuestring);
    return ORR_OK;
}

static orr_status read_description(orr_stack_model *s, const char *text, const char *dir)
{
    cJSON *all = cJSON_Parse(text);
    const cJSON *classes = cJSON_GetObjectItemCaseSensitive(all, "classes");
    const char *features = orr_json_text(all, "features", NULL);
    orr_status st = ORR_OK;

    s->n_columns = cJSON_GetArraySize(cJSON_GetObjectItemCaseSensitive(all, "columns"));
    if (cJSON_IsNumber(classes) && classes->valuedouble >= 2 &&
        classes->valuedouble <= ORR_LOGISTIC_MAX_CLASSES)
        s->n_classes = (int)classes->valuedouble;
    s->logits = features && strcmp(features, "logit") == 0;
    if (s->n_columns < 1 || s->n_classes < 2 || !features)
        st = orr_fail(ORR_ERR_FORMAT, "%s: its description makes no sense", dir);
    if (st == ORR_OK) {
        size_t vectors = (size_t)orr_stack_vectors(s);
        s->columns = orr_alloc((size_t)s->n_columns, sizeof *s->columns);
        s->class_names = orr_alloc((size_t)s->n_classes, sizeof *s->class_names);
        s->w = orr_alloc(vectors * (size_t)orr_stack_features(s), sizeof *s->w);
        s->b = orr_alloc(vectors, sizeof *s->b);
        if (!s->columns || !s->class_names || !s->w || !s->b)
            st = orr_fail(ORR_ERR_NOMEM, "out of memory: %s", dir);
    }
    if (st == ORR_OK) st = read_columns(s, all, dir);
    cJSON_Delete(all);
    return st;
}

static orr_status load(orr_store_reader *f, orr_stack_model *s, const char *dir)
{
    size_t vectors;
    char *text = NULL;
    orr_status st = orr_store_get_text(f, "description", &text);

    if (st == ORR_OK) st = read_description(s, text, dir);
    orr_free(text);
    ORR_TRY(st);
    vectors = (size_t)orr_stack_vectors(s);
    ORR_TRY(orr_store_get(f, "c", ORR_STORE_F64, 1, &s->c));
    ORR_TRY(orr_store_get(f, "w", ORR_STORE_F64, vectors * (size_t)orr_stack_features(s), s->w));
    return orr_store_get(f, "b", ORR_STORE_F64, vectors, s->b);
}

orr_status orr_stack_model_read(orr_stack_model *s, const char *path)
{
    char file[ORR_PATH_MAX], dir[ORR_PATH_MAX];
    orr_store_reader *f;
    orr_status st;

    *s = (orr_stack_model){ 0 };
    if (orr_path_is_dir(path))
        ORR_TRY(orr_path_join(file, path, file_name));
    else
        ORR_TRY(orr_path_join(file, "", path));
    ORR_TRY(orr_path_dir(dir, file));
    if (!orr_path_exists(file))
        return orr_fail(ORR_ERR_IO, "%s: there is no such file; orrery stack writes it", file);
    st = orr_store_open(&f, file, format);
    if (st == ORR_OK) st = load(f, s, dir);
    if (st == ORR_OK) st = orr_store_verify(f);
    orr_store_close(f);
    if (st != ORR_OK) orr_stack_model_free(s);
    return st;
}
