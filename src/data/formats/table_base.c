/* data/formats/table_base.c - what tables of samples share. */
#include "core/file.h"
#include "core/memory.h"
#include "data/formats/table_private.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

orr_status orr_table_each_word(const char *features,
                               orr_status (*take)(void *ctx, const char *word), void *ctx)
{
    char *copy = orr_strdup(features), *comma;
    orr_status st = ORR_OK;

    if (!copy) return orr_fail(ORR_ERR_NOMEM, "out of memory: input.features");
    for (char *word = copy; st == ORR_OK && word; word = comma ? comma + 1 : NULL) {
        if ((comma = strchr(word, ','))) *comma = '\0';
        while (*word == ' ')
            word++;
        st = take(ctx, word);
    }
    orr_free(copy);
    return st;
}

const char *orr_or(const char *s, const char *fallback)
{
    return s ? s : fallback;
}

static orr_status init_inputs(orr_table *t, const orr_strings *files, const char *dir)
{
    char path[ORR_PATH_MAX];

    if (files->n == 0) return orr_fail(ORR_ERR_OPTION, "input: no files are listed");
    if (!(t->inputs = orr_alloc((size_t)files->n, sizeof *t->inputs)))
        return orr_fail(ORR_ERR_NOMEM, "out of memory: names of %d input files", files->n);
    for (; t->n_inputs < files->n; t->n_inputs++) {
        ORR_TRY(orr_path_join(path, orr_or(dir, ""), files->v[t->n_inputs]));
        if (!(t->inputs[t->n_inputs] = orr_strdup(path)))
            return orr_fail(ORR_ERR_NOMEM, "out of memory: name of input %s", path);
    }
    return ORR_OK;
}

int orr_table_wants_id(const orr_table_opts *o)
{
    return o->id.n > 1 || (o->id.n == 1 && o->id.v[0][0]);
}

static orr_status init_classes(orr_table *t, const orr_strings *classes, const orr_strings *names)
{
    int are_numbers = classes->n == 1 && !strcmp(classes->v[0], "numbers");
    const orr_strings *shown = names->n || are_numbers ? names : classes;

    if (names->n && classes->n && !are_numbers && names->n != classes->n)
        return orr_fail(ORR_ERR_OPTION, "input.class_names: %d names for %d classes", names->n,
                        classes->n);
    t->n_names = names->n;
    t->learns = classes->n == 0 && names->n == 0;
    for (int i = 0; i < shown->n; i++)
        snprintf(t->schema.class_names[i], ORR_DATA_NAME_MAX, "%s", shown->v[i]);
    return are_numbers ? ORR_OK : orr_classes_init(&t->classes, classes, "input.classes");
}

/* ---- values that are none, and origins ---- */

static orr_status check_shift(const orr_where *w)
{
    for (int i = 0; i < w->n; i++)
        if (w->list[i].values.n != 1 || !w->list[i].values.list[0].is_number ||
            !isfinite(w->list[i].values.list[0].number))
            return orr_fail(ORR_ERR_OPTION,
                            "input.shift: %s needs one number, which is taken off its values",
                            w->list[i].name);
    return ORR_OK;
}

static orr_status init_missing(orr_table *t, const orr_table_opts *o)
{
    orr_missing_policy policy = orr_missing_policy_of(orr_or(o->nan, "refuse"));

    ORR_TRY(orr_missing_lists_init(&t->missing, o->missing, "input.missing"));
    if (t->missing.all.n) t->label_missing.all = &t->missing.all;
    for (int i = 0; i < 3; i++)
        t->rule[i] = (orr_value_rule){ .policy = policy, .for_all = t->label_missing, .n = 1 };
    ORR_TRY(orr_where_init(&t->shift_of, o->shift, "input.shift"));
    return check_shift(&t->shift_of);
}

orr_status orr_table_make_rule(orr_table *t, orr_values_kind kind, size_t n, int named)
{
    orr_value_rule *r = &t->rule[kind];

    if (n == 0) return ORR_OK;
    r->n = n;
    if (named && t->missing.of.n) {
        if (!(r->of = orr_alloc(n, sizeof *r->of)))
            return orr_fail(ORR_ERR_NOMEM, "out of memory: %zu columns", n);
        for (size_t i = 0; i < n; i++)
            r->of[i] = r->for_all;
    }
    if (named && t->shift_of.n && !(r->shift = orr_alloc(n, sizeof *r->shift)))
        return orr_fail(ORR_ERR_NOMEM, "out of memory: %zu columns", n);
    return orr_value_losses_create(&r->losses, n);
}

orr_status orr_table_init(orr_table *t, const orr_table_ops *ops, const orr_table_opts *o,
                          const char *dir)
{
    const char *type = orr_or(o->type, "auto");

    t->ops = ops;
    t->file_rows = t->all_rows = -1;
    t->skip = o->skip_rows;
    t->max_rows = o->max_rows;
    t->id_start = o->id_start;
    t->names_features = strcmp(orr_or(o->feature_names, "keep"), "keep") == 0;
    t->schema.target_kind = orr_target_kind_of(o->target_kind);
    t->trust = (orr_trust){ .max_unpacked = o->max_unpacked, .other_files = o->other_files };
    t->zscore = !strcmp(orr_or(o->scale_rows, "none"), "zscore");
    t->schema.x_type = !strcmp(type, "uint8")     ? ORR_X_U8
                       : !strcmp(type, "float16") ? ORR_X_F16
                                                  : ORR_X_F32;
    if (t->zscore && t->schema.x_type == ORR_X_U8)
        return orr_fail(ORR_ERR_OPTION,
                        "input.scale_rows: zscore gives no uint8; set type: float32");
    t->schema.id_type = ORR_ID_INT;
    t->schema.id_is_row = !orr_table_wants_id(o);
    ORR_TRY(init_inputs(t, &o->files, dir));
    ORR_TRY(orr_where_init(&t->where, o->where, "input.where"));
    ORR_TRY(init_missing(t, o));
    return init_classes(t, &o->classes, &o->class_names);
}

void orr_table_free(orr_table *t)
{
    for (int i = 0; i < t->n_inputs; i++)
        orr_free(t->inputs[i]);
    orr_free(t->inputs);
    orr_classes_free(&t->classes);
    orr_where_free(&t->where);
    orr_missing_lists_free(&t->missing);
    orr_where_free(&t->shift_of);
    for (int i = 0; i < 3; i++) {
        orr_value_losses_destroy(t->rule[i].losses);
        orr_free(t->rule[i].of);
        orr_free(t->rule[i].shift);
    }
    orr_free(t);
}

orr_status orr_table_set_rows(orr_table *t, int64_t file_rows, int64_t all_rows)
{
    t->file_rows = file_rows;
    t->all_rows = all_rows;
    if (all_rows == 0 && t->where.n)
        return orr_fail(ORR_ERR_FORMAT, "%s: no row passes input.where", t->inputs[0]);
    if (!t->has_id && t->id_start > INT64_MAX - file_rows)
        return orr_fail(ORR_ERR_OPTION,
                        "input.id_start: %lld and %lld rows: the last ids are more than an id can "
                        "be (%lld)",
                        (long long)t->id_start, (long long)file_rows, (long long)INT64_MAX);
    if (t->skip >= all_rows)
        return orr_fail(ORR_ERR_OPTION, "input.skip_rows: %lld of %lld rows leaves none",
                        (long long)t->skip, (long long)all_rows);
    t->rows = all_rows - t->skip;
    if (t->max_rows && t->rows > t->max_rows) t->rows = t->max_rows;
    return ORR_OK;
}

orr_status orr_table_set_dims(orr_table *t, const int64_t *dims, int n_dims, const char *where)
{
    orr_schema *s = &t->schema;
    int64_t hwc[3] = { 1, 1, 1 }, values = 1;

    if (n_dims < 1 || n_dims > 3)
        return orr_fail(ORR_ERR_SHAPE,
                        "%s: a sample has %d axes, at most 3 are possible; set shape: [h, w, c]",
                        where, n_dims);
    for (int i = 0; i < n_dims; i++) {
        if (dims[i] < 1 || dims[i] > INT_MAX)
            return orr_fail(ORR_ERR_SHAPE, "%s: a sample has an axis of %lld", where,
                            (long long)dims[i]);
        if (__builtin_mul_overflow(values, dims[i], &values) || values > INT_MAX)
            return orr_fail(ORR_ERR_SHAPE, "%s: a sample has more than %d values", where, INT_MAX);
        hwc[3 - n_dims + i] = dims[i];
    }
    s->n_dims = n_dims;
    s->h = (int)hwc[0];
    s->w = (int)hwc[1];
    s->c = (int)hwc[2];
    return ORR_OK;
}

orr_status orr_table_set_shape(orr_table *t, const orr_reals *shape, int64_t n_values,
                               const char *where)
{
    int64_t dims[3] = { 0 }, product = 1;

    if (shape->n > 3)
        return orr_fail(ORR_ERR_OPTION, "input.shape: %d numbers; it is [c], [w, c] or [h, w, c]",
                        shape->n);
    for (int i = 0; i < shape->n; i++) {
        if (!(shape->v[i] >= 1 && shape->v[i] <= INT_MAX) || shape->v[i] != floor(shape->v[i]))
            return orr_fail(ORR_ERR_OPTION, "input.shape: %g is no size", shape->v[i]);
        dims[i] = (int64_t)shape->v[i];
        if (__builtin_mul_overflow(product, dims[i], &product)) product = INT64_MAX;
    }
    if (product != n_values)
        return orr_fail(ORR_ERR_SHAPE, "%s: a sample has %lld values, input.shape asks for %lld",
                        where, (long long)n_values, (long long)product);
    return orr_table_set_dims(t, dims, shape->n, where);
}

orr_status orr_table_check_aux(int64_t n)
{
    return n <= ORR_MAX_AUX
               ? ORR_OK
               : orr_fail(ORR_ERR_OPTION, "input.aux: %lld numbers; at most %d are possible",
                          (long long)n, ORR_MAX_AUX);
}

orr_status orr_table_set_aux_names(orr_table *t, const orr_strings *names)
{
    if (names->n && names->n != t->schema.n_aux)
        return orr_fail(ORR_ERR_OPTION, "input.aux_names: %d names for %d aux numbers", names->n,
                        t->schema.n_aux);
    for (int i = 0; i < names->n; i++)
        snprintf(t->schema.aux_names[i], ORR_DATA_NAME_MAX, "%s", names->v[i]);
    return ORR_OK;
}
