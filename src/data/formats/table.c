/* data/formats/table.c - the table's options, what all formats share, and the way to the format at
 * hand. */
#include "core/file.h"
#include "core/memory.h"
#include "data/formats/records.h"
#include "data/formats/table_private.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { PART_BYTES = 16 << 20, INT_ID_TEXT = 20 };

#define T orr_table_opts
const orr_option orr_table_options[] = {
    ORR_OPTION_CHOICE(T, format, "auto", "auto|csv|fits|npy|npz|hdf5|idx",
                      "format of the files; auto: by their name"),
    ORR_OPTION_STRINGS(
        T, files, NULL,
        "files that make the table, in this order; all but npz and hdf5 may be xz, gz, bz2 or zst"),
    ORR_OPTION_CHOICE(T, header, "auto", "auto|yes|no",
                      "csv: first row has names; auto: when a field of it is no number"),
    ORR_OPTION_STRING(T, delimiter, ",",
                      "csv: the character between fields; \"\\t\" or tab for a tab"),
    ORR_OPTION_STRING(T, label, "",
                      "csv, fits, structured npy: column name or number from 1; else array: file "
                      "(npy, idx; several with commas), member or dataset"),
    ORR_OPTION_STRING(T, id, "",
                      "likewise, for ids (integers or text); none: row numbers from id_start"),
    ORR_OPTION_STRING(
        T, features, "rest",
        "columns: rest, or names, numbers and ranges (\"5-\", \"2-3198\", \"u,g,r\"); "
        "npz, hdf5: name of the array"),
    ORR_OPTION_STRINGS(
        T, target, "[]",
        "columns of float targets, instead of label; a vector's value is \"NAME[0]\""),
    ORR_OPTION_STRINGS(T, aux, "[]",
                       "columns of numbers to keep beside each sample (they may be features, too); "
                       "arrays: file, member or dataset of k columns"),
    ORR_OPTION_STRINGS(T, aux_names, "[]", "names for the aux columns of an array"),
    ORR_OPTION_NODE(T, where,
                    "rows to take: {column: value or [values]}, all of which must hold; not for "
                    "arrays"),
    ORR_OPTION_STRING(T, table, "",
                      "fits: name or number of the extension; none: the first binary table"),
    ORR_OPTION_INT64(T, skip_rows, "0", 0, INFINITY,
                     "rows to leave out at the beginning, of those that pass where"),
    ORR_OPTION_INT64(T, max_rows, "0", 0, INFINITY, "rows to take after that; 0 = all"),
    ORR_OPTION_STRINGS(
        T, classes, "[]",
        "values of the label that become class 0, 1, ...; none: labels are class numbers"),
    ORR_OPTION_STRINGS(T, class_names, "[]", "names of the classes; none: the values in classes"),
    ORR_OPTION_CHOICE(T, type, "auto", "float32|float16|uint8|auto",
                      "how samples are stored; auto: uint8 arrays stay, all else float32"),
    ORR_OPTION_REALS(T, shape, "[]", 1, INT_MAX,
                     "of a sample: [c], [w, c] or [h, w, c]; none: csv [n, 1], idx images [h, w, "
                     "1], arrays as they are"),
    ORR_OPTION_CHOICE(T, axes, "auto", "hwc|chw|wc|cw|auto",
                      "order of an array sample's axes; stored is always channels last"),
    ORR_OPTION_CHOICE(T, nan, "refuse", "refuse|keep",
                      "what to do with values that are empty, nan or inf"),
    ORR_OPTION_CHOICE(T, label_kind, "class", "class|value",
                      "whether the label is a class or a float target"),
    ORR_OPTION_INT64(T, id_start, "0", -INFINITY, INFINITY,
                     "id of the first row of the data, when there is no id column"),
    ORR_OPTION_CHOICE(T, scale_rows, "none", "none|zscore",
                      "zscore: each row minus its mean over its population deviation"),
    ORR_OPTION_END
};
#undef T

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

/* ---- what formats share ---- */

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

static orr_status init_classes(orr_table *t, const orr_strings *classes, const orr_strings *names)
{
    const orr_strings *shown = names->n ? names : classes;

    if (names->n && classes->n && names->n != classes->n)
        return orr_fail(ORR_ERR_OPTION, "input.class_names: %d names for %d classes", names->n,
                        classes->n);
    t->n_names = names->n;
    for (int i = 0; i < shown->n; i++)
        snprintf(t->schema.class_names[i], ORR_DATA_NAME_MAX, "%s", shown->v[i]);
    return orr_classes_init(&t->classes, classes, "input.classes");
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
    t->keep_nan = !strcmp(orr_or(o->nan, "refuse"), "keep");
    t->zscore = !strcmp(orr_or(o->scale_rows, "none"), "zscore");
    t->schema.x_type = !strcmp(type, "uint8")     ? ORR_X_U8
                       : !strcmp(type, "float16") ? ORR_X_F16
                                                  : ORR_X_F32;
    if (t->zscore && t->schema.x_type == ORR_X_U8)
        return orr_fail(ORR_ERR_OPTION,
                        "input.scale_rows: zscore gives no uint8; set type: float32");
    t->schema.id_type = ORR_ID_INT;
    t->schema.id_is_row = orr_or(o->id, "")[0] == '\0';
    ORR_TRY(init_inputs(t, &o->files, dir));
    ORR_TRY(orr_where_init(&t->where, o->where));
    return init_classes(t, &o->classes, &o->class_names);
}

void orr_table_free(orr_table *t)
{
    for (int i = 0; i < t->n_inputs; i++)
        orr_free(t->inputs[i]);
    orr_free(t->inputs);
    orr_classes_free(&t->classes);
    orr_where_free(&t->where);
    orr_free(t);
}

orr_status orr_table_set_rows(orr_table *t, int64_t file_rows, int64_t all_rows)
{
    t->file_rows = file_rows;
    t->all_rows = all_rows;
    if (all_rows == 0 && t->where.n)
        return orr_fail(ORR_ERR_FORMAT, "%s: no row passes input.where", t->inputs[0]);
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

void orr_table_name_aux(orr_table *t, int i, const char *name)
{
    if (i < ORR_MAX_AUX) snprintf(t->schema.aux_names[i], ORR_DATA_NAME_MAX, "%s", name);
}

void orr_table_name_target(orr_table *t, int i, const char *name)
{
    if (i < ORR_MAX_TARGET_NAMES) snprintf(t->schema.y_names[i], ORR_DATA_NAME_MAX, "%s", name);
}

orr_status orr_table_set_aux_names(orr_table *t, const orr_strings *names)
{
    if (names->n && names->n != t->schema.n_aux)
        return orr_fail(ORR_ERR_OPTION, "input.aux_names: %d names for %d aux numbers", names->n,
                        t->schema.n_aux);
    for (int i = 0; i < names->n; i++)
        orr_table_name_aux(t, i, names->v[i]);
    return ORR_OK;
}

/* ---- opening ---- */

static int ends_with(const char *s, size_t n, const char *end)
{
    size_t e = strlen(end);

    return n >= e && strncasecmp(s + n - e, end, e) == 0;
}

/* The format a name stands for, NULL when it tells nothing. */
static const char *format_of(const char *name)
{
    static const char *const packed[] = { ".xz", ".gz", ".bz2", ".zst" };
    static const struct {
        const char *end, *format;
    } known[] = { { ".csv", "csv" },  { ".tsv", "csv" }, { ".txt", "csv" },   { ".dat", "csv" },
                  { ".npy", "npy" },  { ".npz", "npz" }, { ".h5", "hdf5" },   { ".hdf5", "hdf5" },
                  { ".hdf", "hdf5" }, { ".idx", "idx" }, { "-ubyte", "idx" }, { ".fits", "fits" },
                  { ".fit", "fits" }, { ".fts", "fits" } };
    size_t n = strlen(name);

    for (size_t i = 0; i < sizeof packed / sizeof *packed; i++)
        if (ends_with(name, n, packed[i])) {
            n -= strlen(packed[i]);
            break;
        }
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (ends_with(name, n, known[i].end)) return known[i].format;
    return NULL;
}

static orr_status find_format(const char **out, const orr_table_opts *o)
{
    const char *format = orr_or(o->format, "auto");

    for (int i = 0; !strcmp(orr_or(o->format, "auto"), "auto") && i < o->files.n; i++) {
        const char *f = format_of(o->files.v[i]);

        if (!f)
            return orr_fail(
                ORR_ERR_OPTION,
                "%s: the name does not tell the format; set format: csv, fits, npy, npz, "
                "hdf5 or idx",
                o->files.v[i]);
        if (i && strcmp(f, format) != 0)
            return orr_fail(ORR_ERR_OPTION,
                            "%s is %s and %s is %s; all files must be of one format", o->files.v[0],
                            format, o->files.v[i], f);
        format = f;
    }
    *out = format;
    return ORR_OK;
}

orr_status orr_table_open_parts(orr_table **out, const orr_table_opts *o, const char *dir,
                                size_t part_bytes)
{
    const char *format = NULL;
    char path[ORR_PATH_MAX];
    int structured = 0;

    *out = NULL;
    if (o->files.n == 0) return orr_fail(ORR_ERR_OPTION, "input: no files are listed");
    ORR_TRY(find_format(&format, o));
    if (!strcmp(format, "csv")) return orr_csv_open(out, o, dir, part_bytes);
    if (!strcmp(format, "fits")) return orr_record_table_open(out, o, dir);
    if (!strcmp(format, "npy")) {
        ORR_TRY(orr_path_join(path, orr_or(dir, ""), o->files.v[0]));
        ORR_TRY(orr_npy_is_structured(path, &structured));
        if (structured) return orr_record_table_open(out, o, dir);
    }
    return orr_arrays_open(out, o, dir, format);
}

orr_status orr_table_open(orr_table **out, const orr_table_opts *o, const char *dir)
{
    return orr_table_open_parts(out, o, dir, PART_BYTES);
}

void orr_table_close(orr_table *t)
{
    if (t) t->ops->destroy(t);
}

/* ---- use ---- */

int orr_table_n_parts(const orr_table *t)
{
    return t->n_parts;
}

orr_status orr_table_scan_part(const orr_table *t, int part, orr_scan *out)
{
    *out = (orr_scan){ 0 };
    if (part < 0 || part >= t->n_parts)
        return orr_fail(ORR_ERR_ARG, "table: part %d of %d", part, t->n_parts);
    return t->ops->scan_part(t, part, out);
}

orr_status orr_table_scan_end(orr_table *t, const orr_scan *parts)
{
    return t->ops->scan_end ? t->ops->scan_end(t, parts) : ORR_OK;
}

orr_status orr_table_scan(orr_table *t)
{
    orr_scan *parts = orr_alloc((size_t)t->n_parts, sizeof *parts);
    orr_status st = ORR_OK;

    if (!parts) return orr_fail(ORR_ERR_NOMEM, "out of memory: scan of %d parts", t->n_parts);
    for (int i = 0; i < t->n_parts; i++)
        ORR_TRY_GOTO(st, done, orr_table_scan_part(t, i, &parts[i]));
    ORR_TRY_GOTO(st, done, orr_table_scan_end(t, parts));
    if (t->rows > 0) {
        int32_t max_label;
        int max_id_bytes;

        ORR_TRY_GOTO(st, done, orr_table_label_range(t, 0, t->rows, &max_label, &max_id_bytes));
        ORR_TRY_GOTO(st, done, orr_table_set_label_range(t, max_label, max_id_bytes));
    }
done:
    orr_free(parts);
    return st;
}

int64_t orr_table_rows(const orr_table *t)
{
    return t->rows;
}

int64_t orr_table_file_rows(const orr_table *t)
{
    return t->file_rows;
}

static orr_status check_range(const orr_table *t, int64_t first, int64_t n)
{
    if (t->all_rows < 0) return orr_fail(ORR_ERR_ARG, "table: rows are asked for before the scan");
    if (first < 0 || n < 0 || first > t->rows - n)
        return orr_fail(ORR_ERR_ARG, "table: rows %lld to %lld of %lld", (long long)first,
                        (long long)(first + n), (long long)t->rows);
    return ORR_OK;
}

orr_status orr_table_label_range(const orr_table *t, int64_t first, int64_t n, int32_t *max_label,
                                 int *max_id_bytes)
{
    *max_label = t->classes.n ? t->classes.n - 1 : -1;
    *max_id_bytes = 0;
    ORR_TRY(check_range(t, first, n));
    if (n == 0) return ORR_OK;
    return t->ops->label_range(t, t->skip + first, n, max_label, max_id_bytes);
}

orr_status orr_table_set_label_range(orr_table *t, int32_t max_label, int max_id_bytes)
{
    orr_schema *s = &t->schema;

    if (s->y_type == ORR_Y_CLASS) {
        if (max_label < 0 || max_label >= ORR_MAX_CLASSES)
            return orr_fail(ORR_ERR_ARG, "table: largest label %d", max_label);
        s->n_classes = t->classes.n ? t->classes.n : max_label + 1;
        if (t->n_names && s->n_classes > t->n_names)
            return orr_fail(ORR_ERR_OPTION, "input.class_names: %d names, and labels go up to %d",
                            t->n_names, max_label);
        if (t->n_names > s->n_classes) s->n_classes = t->n_names; /* a class without a row here */
    }
    if (max_id_bytes > ORR_ID_TEXT_MAX)
        return orr_fail(ORR_ERR_ARG, "table: longest id has %d bytes", max_id_bytes);
    t->text_id = max_id_bytes > 0;
    if (t->text_id) {
        s->id_type = ORR_ID_TEXT;
        s->id_bytes = max_id_bytes > INT_ID_TEXT ? max_id_bytes : INT_ID_TEXT;
    }
    return ORR_OK;
}

const orr_schema *orr_table_schema(const orr_table *t)
{
    return &t->schema;
}

int orr_table_n_inputs(const orr_table *t)
{
    return t->n_inputs;
}

const char *orr_table_input(const orr_table *t, int i)
{
    return i >= 0 && i < t->n_inputs ? t->inputs[i] : NULL;
}

orr_status orr_table_read(const orr_table *t, int64_t first, int64_t n, orr_rows *rows, int threads)
{
    ORR_TRY(check_range(t, first, n));
    rows->n = n;
    if (rows->id && !t->has_id && !t->where.n)
        for (int64_t i = 0; i < n; i++)
            ((int64_t *)rows->id)[i] = t->id_start + t->skip + first + i;
    if (n == 0) return ORR_OK;
    return t->ops->read(t, t->skip + first, n, rows, threads > 0 ? threads : 1);
}
