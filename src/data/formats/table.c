/* data/formats/table.c - the options of a table of samples, the way to the format at hand, and use.
 */
#include "core/file.h"
#include "core/mapped.h"
#include "core/memory.h"
#include "data/formats/list.h"
#include "data/formats/table_private.h"
#include "data/formats/tables_private.h"

#include <limits.h>
#include <math.h>
#include <string.h>

enum { PART_BYTES = 16 << 20, INT_ID_TEXT = 20, HEAD_BYTES = 4 << 20, SNIFF_BYTES = 1 << 16 };

#define T orr_table_opts
const orr_option orr_table_options[] = {
    ORR_OPTION_WORD(T, format, "auto", orr_format_choice,
                    "format of the files; auto: by their name, else by their first bytes"),
    ORR_OPTION_STRINGS(
        T, files, NULL,
        "files that make the table, in this order; plain, or packed by gz, xz, bz2 or zst"),
    ORR_OPTION_CHOICE(T, header, "auto", "auto|yes|no",
                      "csv: first row has names; auto: when a field of it is no number"),
    ORR_OPTION_STRING(
        T, delimiter, ",",
        "csv: the character between fields; \"\\t\" or tab for a tab; auto: of , tab ; | the "
        "first in the first row"),
    ORR_OPTION_STRING(
        T, label, "",
        "of columns: name or number from 1; of arrays: the name of one or, where they "
        "have none, a file (several with commas)"),
    ORR_OPTION_STRINGS(T, id, "[]",
                       "likewise, for ids (integers or text); several make one, joined by a "
                       "colon: [run, rerun, camcol, field, id]; none: row numbers from id_start"),
    ORR_OPTION_STRING(
        T, features, "rest",
        "columns: rest (said; ids and columns without a name are refused), or names, numbers and "
        "ranges (\"5-\", \"2-3198\", \"u,g,r\"); "
        "arrays that have names: that of x"),
    ORR_OPTION_STRINGS(
        T, target, "[]",
        "columns of float targets, instead of label; a vector's value is \"NAME[0]\""),
    ORR_OPTION_STRINGS(T, aux, "[]",
                       "columns of numbers to keep beside each sample (they may be features, too); "
                       "arrays: one of k columns, as for label"),
    ORR_OPTION_STRINGS(T, aux_names, "[]", "names for the aux columns of an array"),
    ORR_OPTION_NODE(T, where,
                    "rows to take: {column: value or [values]}, all of which must hold; not for "
                    "arrays"),
    ORR_OPTION_STRING(T, table, "",
                      "fits: name or number of the extension; none: the first binary table"),
    ORR_OPTION_INT64(T, skip_rows, "0", 0, INFINITY,
                     "rows to leave out at the beginning, of those that pass where"),
    ORR_OPTION_INT64(T, max_rows, "0", 0, INFINITY, "rows to take after that; 0 = all"),
    ORR_OPTION_STRINGS(T, classes, "[]",
                       "values of the label that become class 0, 1, ...; none: those that it has "
                       "(numbers by size, then "
                       "texts; said); numbers: labels are class numbers"),
    ORR_OPTION_STRINGS(T, class_names, "[]", "names of the classes; none: the values in classes"),
    ORR_OPTION_CHOICE(T, type, "auto", "float32|float16|uint8|auto",
                      "how samples are stored; auto: uint8 arrays stay, all else float32"),
    ORR_OPTION_REALS(
        T, shape, "[]", 1, INT_MAX,
        "of a sample: [c], [w, c] or [h, w, c]; none: columns [n, 1], images [h, w, 1], "
        "arrays as they are"),
    ORR_OPTION_CHOICE(T, axes, "auto", "hwc|chw|wc|cw|auto",
                      "order of an array sample's axes; stored is always channels last"),
    ORR_OPTION_CHOICE(
        T, nan, "refuse", "refuse|drop|keep",
        "values that are none (empty, null, nan, inf, those of missing): refuse the "
        "table, drop their rows, keep NaN (which training fills by the transform nan)"),
    ORR_OPTION_NODE(T, missing,
                    "values that stand for none, such as [-9999, 99]: a list, or of some columns "
                    "{column: value or [values]}"),
    ORR_OPTION_NODE(T, shift,
                    "{column: number}: taken off the column in double, for numbers that float32 "
                    "cannot hold: {BJD: 2454833} makes it the column BJD-2454833; predictions of a "
                    "target get it back"),
    ORR_OPTION_CHOICE(T, label_kind, "class", "class|value",
                      "whether the label is a class or a float target"),
    ORR_OPTION_CHOICE(T, target_kind, "unsaid", "unsaid|value|redshift",
                      "what the target is; redshift: scores are those of dz = (z - truth) / (1 + "
                      "truth)"),
    ORR_OPTION_CHOICE(T, feature_names, "keep", "keep|drop",
                      "whether the set knows its columns by name; drop: by their place alone"),
    ORR_OPTION_INT64(T, id_start, "0", -INFINITY, INFINITY,
                     "id of the first row of the data, when there is no id column"),
    ORR_OPTION_INT64(T, max_unpacked, "0", 0, INFINITY,
                     "bytes that a packed file may become; 0 = 100 times its own, and at least 256 "
                     "MiB"),
    ORR_OPTION_BOOL(T, other_files, "false",
                    "hdf5: read values that lie in other files, which it names (virtual and "
                    "external datasets, external links)"),
    ORR_OPTION_CHOICE(T, scale_rows, "none", "none|zscore",
                      "zscore: each row minus its mean over its population deviation"),
    ORR_OPTION_END
};
#undef T

/* ---- opening ---- */

/* A file that begins as one of another format does is refused with the format's name; one that
 * begins as nothing that is known is for its reader to look at. */
static orr_status check_bytes(const orr_format *f, const char *path)
{
    const orr_format *other;
    orr_bytes head;

    ORR_TRY(orr_bytes_open_head(&head, path, SNIFF_BYTES));
    other = f->is_text || !f->sniff(&head) ? orr_format_of_bytes(&head) : f;
    orr_bytes_close(&head);
    if (!other || other == f || other->is_text) return ORR_OK;
    return orr_fail(ORR_ERR_FORMAT,
                    "%s: not a %s file: its first bytes are those of %s; set input.format", path,
                    f->name, other->name);
}

static orr_status find_format(const orr_format **out, const orr_table_opts *o, const char *dir)
{
    const char *word = orr_or(o->format, "auto");
    char path[ORR_PATH_MAX];

    if (o->files.n == 0) return orr_fail(ORR_ERR_OPTION, "input: no files are listed");
    *out = orr_format_named(word);
    if (strcmp(word, "auto") != 0 && !*out)
        return orr_fail(ORR_ERR_OPTION, "input.format: no format %.40s", word);
    for (int i = 0; i < o->files.n; i++) {
        const orr_format *f = *out;

        ORR_TRY(orr_path_join(path, orr_or(dir, ""), o->files.v[i]));
        if (!strcmp(word, "auto")) ORR_TRY(orr_format_of_file(&f, path));
        if (i && f != *out)
            return orr_fail(ORR_ERR_OPTION,
                            "%s is %s and %s is %s; all files must be of one format", o->files.v[0],
                            (*out)->name, o->files.v[i], f->name);
        *out = f;
    }
    if (!*out) return orr_fail(ORR_ERR_INTERNAL, "input: files without a format");
    for (int i = 0; i < o->files.n; i++) {
        ORR_TRY(orr_path_join(path, orr_or(dir, ""), o->files.v[i]));
        ORR_TRY(check_bytes(*out, path));
    }
    return ORR_OK;
}

/* Whether the files hold records: of a format that opens as both, the first file says it. */
static orr_status find_records(int *yes, const orr_format *f, const orr_table_opts *o,
                               const char *dir)
{
    char path[ORR_PATH_MAX];
    orr_bytes head;

    *yes = f->read_records != NULL;
    if (!f->holds_records) return ORR_OK;
    ORR_TRY(orr_path_join(path, orr_or(dir, ""), o->files.v[0]));
    ORR_TRY(orr_bytes_open_head(&head, path, HEAD_BYTES));
    *yes = f->holds_records(&head, path);
    orr_bytes_close(&head);
    return ORR_OK;
}

/* What the target is can be said of one. */
static orr_status check_target_kind(const orr_table *t)
{
    const orr_schema *s = &t->schema;
    const char *kind = orr_target_kind_name(s->target_kind);

    if (!*kind || (s->y_type == ORR_Y_VALUE && s->y_width == 1)) return ORR_OK;
    return orr_fail(
        ORR_ERR_OPTION,
        "%s: input.target_kind is %s, which is said of one target of numbers (target, or "
        "label with label_kind: value); here %s",
        t->inputs[0], kind,
        s->y_type == ORR_Y_VALUE   ? "there are several"
        : s->y_type == ORR_Y_CLASS ? "the label is a class"
                                   : "there is none");
}

static orr_status open_kind(orr_table **out, const orr_table_opts *o, const char *dir,
                            size_t part_bytes)
{
    const orr_format *f = NULL;
    int records;

    ORR_TRY(find_format(&f, o, dir));
    if (f->is_text) return orr_csv_table_open(out, o, dir, part_bytes);
    ORR_TRY(find_records(&records, f, o, dir));
    return records ? orr_record_table_open(out, o, dir, f) : orr_array_table_open(out, o, dir, f);
}

orr_status orr_table_open_parts(orr_table **out, const orr_table_opts *o, const char *dir,
                                size_t part_bytes)
{
    orr_status st;

    *out = NULL;
    st = open_kind(out, o, dir, part_bytes);
    if (st != ORR_OK) {
        if (orr_is_data_fault(st)) ORR_TRY(orr_mapped_check()); /* that is why */
        return st;
    }
    st = check_target_kind(*out);
    if (st == ORR_OK) st = orr_mapped_check();
    if (st == ORR_OK) return ORR_OK;
    orr_table_close(*out);
    *out = NULL;
    return st;
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

/* What came of a mapped file is something if it was there all the time; what is wrong with one that
 * was not is that. */
static orr_status whole(orr_status st)
{
    if (st == ORR_OK || orr_is_data_fault(st)) ORR_TRY(orr_mapped_check());
    return st;
}

int orr_table_n_parts(const orr_table *t)
{
    return t->n_parts;
}

orr_status orr_table_scan_part(const orr_table *t, int part, orr_scan *out)
{
    *out = (orr_scan){ 0 };
    if (part < 0 || part >= t->n_parts)
        return orr_fail(ORR_ERR_ARG, "table: part %d of %d", part, t->n_parts);
    return whole(t->ops->scan_part(t, part, out));
}

orr_status orr_table_scan_end(orr_table *t, const orr_scan *parts)
{
    return whole(t->ops->scan_end ? t->ops->scan_end(t, parts) : ORR_OK);
}

orr_status orr_table_scan(orr_table *t)
{
    orr_scan *parts = orr_alloc((size_t)t->n_parts, sizeof *parts);
    orr_classes values = { 0 };
    orr_status st = ORR_OK;

    if (!parts) return orr_fail(ORR_ERR_NOMEM, "out of memory: scan of %d parts", t->n_parts);
    for (int i = 0; i < t->n_parts; i++)
        ORR_TRY_GOTO(st, done, orr_table_scan_part(t, i, &parts[i]));
    ORR_TRY_GOTO(st, done, orr_table_scan_end(t, parts));
    if (t->rows > 0) {
        int32_t max_label;
        int max_id_bytes;

        if (orr_table_learns(t)) {
            ORR_TRY_GOTO(st, done, orr_table_learn(t, 0, t->rows, &values));
            ORR_TRY_GOTO(st, done, orr_table_set_classes(t, &values, t->rows));
        }
        ORR_TRY_GOTO(st, done, orr_table_label_range(t, 0, t->rows, &max_label, &max_id_bytes));
        ORR_TRY_GOTO(st, done, orr_table_set_label_range(t, max_label, max_id_bytes));
    }
done:
    orr_free(parts);
    orr_classes_free(&values);
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
    return whole(t->ops->label_range(t, t->skip + first, n, max_label, max_id_bytes));
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
    ORR_TRY(whole(t->ops->read(t, t->skip + first, n, rows, threads > 0 ? threads : 1)));
    if (rows->gaps && orr_table_policy(t) != ORR_MISSING_DROP) memset(rows->gaps, 0, (size_t)n);
    return ORR_OK;
}

/* ---- columns ---- */

size_t orr_table_n_columns(const orr_table *t, orr_values_kind kind)
{
    return t->rule[kind].losses ? t->rule[kind].n : 0;
}

void orr_table_column_name(const orr_table *t, orr_values_kind kind, size_t column, char *buf,
                           size_t bytes)
{
    t->ops->column_name(t, kind, column, buf, bytes);
}

void orr_table_losses(const orr_table *t, orr_values_kind kind, orr_value_loss *out)
{
    if (t->rule[kind].losses) orr_value_losses_get(t->rule[kind].losses, out);
}
