/* data/formats/csv_open.c - files, headers and parts of a csv table. */
#include "core/memory.h"
#include "data/formats/csv.h"

#include <ctype.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

static void csv_destroy(orr_table *t)
{
    orr_csv *c = (orr_csv *)t;

    for (int i = 0; c->files && i < t->n_inputs; i++)
        orr_bytes_close(&c->files[i].bytes);
    for (int i = 0; c->names && i < c->n_columns; i++)
        orr_free(c->names[i]);
    for (int i = 0; c->parts && i < t->n_parts; i++)
        orr_free(c->parts[i].index);
    orr_free(c->names);
    orr_free(c->runs);
    orr_free(c->files);
    orr_free(c->parts);
    orr_table_free(t);
}

static const orr_table_ops csv_ops = { .name = "csv",
                                       .read = orr_csv_read,
                                       .label_range = orr_csv_label_range,
                                       .destroy = csv_destroy,
                                       .scan_part = orr_csv_scan_part,
                                       .scan_end = orr_csv_scan_end };

static orr_status set_delimiter(orr_csv *c, const char *text)
{
    if (!strcmp(text, "\\t") || !strcmp(text, "tab")) text = "\t";
    if (strlen(text) != 1 || isalnum((unsigned char)*text) || strchr("\"\r\n.+-", *text))
        return orr_fail(ORR_ERR_OPTION,
                        "input.delimiter: \"%.20s\" cannot stand between fields; "
                        "use one character such as , ; or \\t",
                        text);
    c->delimiter = *text;
    return ORR_OK;
}

/* Maps a file and finds its first row: behind the BOM and empty lines. */
static orr_status open_file(orr_csv_file *f, const char *path)
{
    f->path = path;
    ORR_TRY(orr_bytes_open(&f->bytes, path));
    f->data = f->bytes.p;
    f->end = f->bytes.p + f->bytes.n;
    if (f->bytes.n >= 3 && !memcmp(f->data, "\xef\xbb\xbf", 3)) f->data += 3;
    while (f->data < f->end && orr_csv_blank(f->data, f->end))
        f->data += *f->data == '\r' ? (f->data + 1 < f->end) + 1 : 1;
    if (f->data >= f->end) return orr_fail(ORR_ERR_FORMAT, "%s: the file is empty", path);
    if (!memchr(f->data, '\n', f->bytes.n - (size_t)(f->data - f->bytes.p)) &&
        memchr(f->data, '\r', f->bytes.n - (size_t)(f->data - f->bytes.p)))
        return orr_fail(ORR_ERR_FORMAT, "%s: lines end in CR alone; convert them to LF", path);
    return ORR_OK;
}

/* What the first row of a file is like. */
typedef struct {
    int fields, all_numbers;
    const char *next; /* the row after it */
} first_row;

/* Reads the first row; names (may be NULL, room for n_names) receive its fields. */
static orr_status read_first(const orr_csv *c, const orr_csv_file *f, first_row *out, char **names,
                             int n_names)
{
    orr_cursor at = { .p = f->data, .end = f->end };
    const char *why = "";
    orr_csv_field field;
    double v;

    *out = (first_row){ .all_numbers = 1 };
    while (!at.ended) {
        size_t n;

        if (orr_csv_field_read(&field, &at, c->delimiter, &why) != ORR_OK)
            return orr_fail(ORR_ERR_FORMAT, "%s:%lld: column %d: %s", f->path,
                            (long long)orr_csv_line(f, f->data), out->fields + 1, why);
        while (field.p < field.end && *field.p == ' ')
            field.p++;
        while (field.end > field.p && field.end[-1] == ' ')
            field.end--;
        n = (size_t)(field.end - field.p);
        if (n && !orr_number_parse(field.p, field.end, &v)) out->all_numbers = 0;
        if (names && out->fields < n_names) {
            if (!(names[out->fields] = orr_alloc(n + 1, 1)))
                return orr_fail(ORR_ERR_NOMEM, "%s: out of memory: column names", f->path);
            memcpy(names[out->fields], field.p, n);
        }
        if (out->fields++ == INT_MAX / 64)
            return orr_fail(ORR_ERR_FORMAT, "%s: more than %d columns", f->path, INT_MAX / 64);
    }
    out->next = at.p < f->end ? orr_csv_line_end(at.p, f->end) + 1 : f->end;
    if (out->next > f->end) out->next = f->end;
    return ORR_OK;
}

static orr_status check_names(const orr_csv *c, const orr_csv_file *f)
{
    char **names = orr_alloc((size_t)c->n_columns, sizeof *names);
    orr_status st = ORR_OK;
    first_row row;

    if (!names) return orr_fail(ORR_ERR_NOMEM, "%s: out of memory: column names", f->path);
    ORR_TRY_GOTO(st, done, read_first(c, f, &row, names, c->n_columns));
    for (int i = 0; i < c->n_columns; i++)
        if (strcmp(names[i], c->names[i]) != 0)
            ORR_TRY_GOTO(st, done,
                         orr_fail(ORR_ERR_FORMAT,
                                  "%s: column %d is named \"%.60s\", and \"%.60s\" in %s", f->path,
                                  i + 1, names[i], c->names[i], c->files[0].path));
done:
    for (int i = 0; i < c->n_columns; i++)
        orr_free(names[i]);
    orr_free(names);
    return st;
}

static orr_status read_header(orr_csv *c, orr_csv_file *f, const char *header)
{
    first_row row;

    ORR_TRY(read_first(c, f, &row, NULL, 0));
    if (f == c->files) {
        c->n_columns = row.fields;
        c->has_names = !strcmp(header, "yes") || (!strcmp(header, "auto") && !row.all_numbers);
        if (c->has_names) {
            if (!(c->names = orr_alloc((size_t)row.fields, sizeof *c->names)))
                return orr_fail(ORR_ERR_NOMEM, "%s: out of memory: column names", f->path);
            ORR_TRY(read_first(c, f, &row, c->names, c->n_columns));
        }
    } else if (row.fields != c->n_columns) {
        return orr_fail(ORR_ERR_FORMAT, "%s:%lld: %d fields, %d in %s", f->path,
                        (long long)orr_csv_line(f, f->data), row.fields, c->n_columns,
                        c->files[0].path);
    } else if (c->has_names) {
        ORR_TRY(check_names(c, f));
    }
    if (c->has_names) f->data = row.next;
    return ORR_OK;
}

/* Cuts all files into parts of about part_bytes. */
static orr_status make_parts(orr_csv *c, size_t part_bytes)
{
    int64_t total = 0;

    if (part_bytes == 0) part_bytes = 1;
    for (int i = 0; i < c->base.n_inputs; i++) {
        orr_csv_file *f = &c->files[i];
        size_t bytes = (size_t)(f->end - f->data), n = (bytes + part_bytes - 1) / part_bytes;

        f->first_part = (int)total;
        f->n_parts = n ? (int)n : 1;
        if ((total += f->n_parts) > INT_MAX / 2)
            return orr_fail(ORR_ERR_ARG, "csv: more than %d parts", INT_MAX / 2);
    }
    if (!(c->parts = orr_alloc((size_t)total, sizeof *c->parts)))
        return orr_fail(ORR_ERR_NOMEM, "out of memory: %lld parts of csv files", (long long)total);
    c->base.n_parts = (int)total;
    for (int i = 0; i < c->base.n_inputs; i++) {
        const orr_csv_file *f = &c->files[i];

        for (int k = 0; k < f->n_parts; k++) {
            const char *begin = f->data + (size_t)k * part_bytes;
            size_t left = (size_t)(f->end - begin);

            c->parts[f->first_part + k] = (orr_csv_part){
                .begin = begin, .end = left > part_bytes ? begin + part_bytes : f->end, .file = i
            };
        }
    }
    return ORR_OK;
}

static orr_status set_schema(orr_csv *c, const orr_table_opts *o)
{
    int64_t dims[2] = { c->n_features, 1 };
    orr_schema *s = &c->base.schema;

    for (int i = 0; i < c->n_runs; i++) {
        c->base.has_label |= c->runs[i].role == ORR_COL_LABEL;
        c->base.has_id |= c->runs[i].role == ORR_COL_ID;
    }
    if (c->base.has_label && c->n_targets)
        return orr_fail(ORR_ERR_OPTION, "input: label and target cannot both be given");
    s->y_type = c->base.has_label ? ORR_Y_CLASS : c->n_targets ? ORR_Y_VALUE : ORR_Y_NONE;
    s->y_width = c->n_targets;
    if (o->aux_names.n && c->names)
        return orr_fail(ORR_ERR_OPTION, "%s: input.aux_names: the columns have names of their own",
                        c->files[0].path);
    ORR_TRY(orr_table_set_aux_names(&c->base, &o->aux_names));
    if (o->shape.n)
        ORR_TRY(orr_table_set_shape(&c->base, &o->shape, c->n_features, c->files[0].path));
    else
        ORR_TRY(orr_table_set_dims(&c->base, dims, 2, c->files[0].path));
    if (s->n_dims != 1 || !c->names || s->c > ORR_MAX_CHANNELS) return ORR_OK;
    for (int i = 0; i < c->n_runs; i++) /* a vector of few features: its channels are the columns */
        for (int k = 0; c->runs[i].role == ORR_COL_FEATURE && k < c->runs[i].n; k++)
            snprintf(s->channel_names[c->runs[i].place + k], ORR_DATA_NAME_MAX, "%s",
                     c->names[c->runs[i].column + k]);
    return ORR_OK;
}

static orr_status refuse_axes(const orr_table_opts *o)
{
    if (strcmp(orr_or(o->axes, "auto"), "auto") != 0)
        return orr_fail(ORR_ERR_OPTION,
                        "input.axes: a csv has none; give the columns in the order of shape");
    return ORR_OK;
}

orr_status orr_csv_open(orr_table **out, const orr_table_opts *o, const char *dir,
                        size_t part_bytes)
{
    orr_csv *c = orr_alloc(1, sizeof *c);
    orr_status st = ORR_OK;

    if (!c) return orr_fail(ORR_ERR_NOMEM, "out of memory: csv table");
    ORR_TRY_GOTO(st, done, orr_table_init(&c->base, &csv_ops, o, dir));
    ORR_TRY_GOTO(st, done, refuse_axes(o));
    ORR_TRY_GOTO(st, done, set_delimiter(c, orr_or(o->delimiter, ",")));
    if (!(c->files = orr_alloc((size_t)c->base.n_inputs, sizeof *c->files)))
        ORR_TRY_GOTO(st, done,
                     orr_fail(ORR_ERR_NOMEM, "out of memory: %d csv files", c->base.n_inputs));
    for (int i = 0; i < c->base.n_inputs; i++) {
        ORR_TRY_GOTO(st, done, open_file(&c->files[i], c->base.inputs[i]));
        ORR_TRY_GOTO(st, done, read_header(c, &c->files[i], orr_or(o->header, "auto")));
    }
    ORR_TRY_GOTO(st, done, orr_csv_select(c, o));
    ORR_TRY_GOTO(st, done, set_schema(c, o));
    ORR_TRY_GOTO(st, done, make_parts(c, part_bytes));
    *out = &c->base;
    c = NULL;
done:
    if (c) csv_destroy(&c->base);
    return st;
}
