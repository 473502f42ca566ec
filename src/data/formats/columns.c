/* data/formats/columns.c - a table as named columns: rows of text or records. */
#include "data/formats/columns.h"
#include "core/mapped.h"
#include "core/memory.h"
#include "data/formats/csv.h"
#include "data/formats/list.h"
#include "data/formats/names.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { LOOK_ROWS = 1000 };

/* Column numbers of records: the field, plus n_fields for each value that lies before the one
 * picked. */
struct orr_columns {
    int is_text;
    orr_csv_file csv; /* text; or else: */
    orr_records records;
    const char *p; /* text: the next row, or an empty line before it */
    int64_t row;   /* its number */
    int *chain; /* text: of each column the first request for it, + 1; of each request the next */
    size_t chain_n;
};

void orr_columns_close(orr_columns *c)
{
    if (!c) return;
    orr_csv_close(&c->csv);
    orr_records_close(&c->records);
    orr_free(c->chain);
    orr_free(c);
}

/* ---- opening ---- */

static int has_columns(const orr_format *f)
{
    return f->is_text || f->read_records;
}

static orr_status fail_format(const orr_format *f, const char *path)
{
    orr_text words = { .max = 512 };

    orr_format_words(&words, has_columns);
    orr_fail(ORR_ERR_FORMAT, "%s: %s%s%s; tables of named columns are %s", path,
             f ? "a file of " : "of no format that is known", f ? f->name : "",
             f ? " has no named columns" : "", words.s ? words.s : "");
    orr_text_free(&words);
    return ORR_ERR_FORMAT;
}

static orr_status open_text(orr_columns *c, orr_bytes *bytes, const char *path)
{
    static const orr_csv_opts opts = { .header = ORR_CSV_AUTO };

    ORR_TRY(orr_csv_open(&c->csv, bytes, path, &opts));
    c->is_text = 1;
    c->p = c->csv.data;
    if (c->csv.names) return ORR_OK;
    return orr_fail(ORR_ERR_FORMAT,
                    "%s: the first row has no names of columns; a catalogue needs them", path);
}

orr_status orr_columns_open(orr_columns **out, const char *path, const char *table)
{
    orr_columns *c = orr_alloc(1, sizeof *c);
    orr_bytes bytes = { 0 };
    const orr_format *f;
    orr_status st = ORR_OK;

    *out = NULL;
    if (!c) return orr_fail(ORR_ERR_NOMEM, "%s: out of memory", path);
    ORR_TRY_GOTO(st, done, orr_bytes_open(&bytes, path, NULL));
    f = orr_format_of_bytes(&bytes);
    if (!f || !has_columns(f)) ORR_TRY_GOTO(st, done, fail_format(f, path));
    ORR_TRY_GOTO(st, done,
                 f->is_text ? open_text(c, &bytes, path)
                            : orr_records_open(&c->records, &bytes, path, table ? table : "",
                                               f->read_records));
    *out = c;
    c = NULL;
done:
    orr_bytes_close(&bytes);
    orr_columns_close(c);
    return st;
}

int orr_columns_n(const orr_columns *c)
{
    return c->is_text ? c->csv.n_columns : c->records.n_fields;
}

const char *orr_columns_name(const orr_columns *c, int i)
{
    return c->is_text ? c->csv.names[i] : c->records.fields[i % c->records.n_fields].name;
}

const char *orr_columns_path(const orr_columns *c)
{
    return c->is_text ? c->csv.path : c->records.what;
}

const char *orr_columns_unit(const orr_columns *c, int column)
{
    return c->is_text ? "" : c->records.fields[column % c->records.n_fields].unit;
}

const char *orr_columns_keyword(const orr_columns *c, const char *key)
{
    const orr_records *r = &c->records;

    if (c->is_text) return "";
    return strcmp(key, "RADESYS") == 0   ? r->radesys
           : strcmp(key, "EQUINOX") == 0 ? r->equinox
           : strcmp(key, "EPOCH") == 0   ? r->epoch
                                         : "";
}

static orr_status find_field(const orr_columns *c, const char *name, const char *option,
                             int *column)
{
    const orr_records *r = &c->records;
    const orr_field *f;
    int64_t element;
    int field;

    ORR_TRY(orr_records_pick(r, name, option, 0, &field, &element));
    f = &r->fields[field];
    ORR_TRY(orr_field_check(r, f, option));
    if (element < 0 && f->count > 1)
        return orr_fail(ORR_ERR_FORMAT,
                        "%s: %s: column %s holds %lld values a row; say which, from %s[0] to "
                        "%s[%lld]",
                        r->what, option, f->name, (long long)f->count, f->name, f->name,
                        (long long)f->count - 1);
    if (element > (INT_MAX - field) / r->n_fields)
        return orr_fail(ORR_ERR_UNSUPPORTED, "%s: %s: value %lld of column %s is too far in",
                        r->what, option, (long long)element, f->name);
    *column = field + (element > 0 ? (int)element : 0) * r->n_fields;
    return ORR_OK;
}

orr_status orr_columns_find(const orr_columns *c, const char *name, const char *option, int *column)
{
    const orr_names names = { c->csv.path, (const char *const *)c->csv.names, c->csv.n_columns, 0 };
    orr_status st;

    *column = -1;
    st = c->is_text ? orr_names_pick(&names, name, option, column)
                    : find_field(c, name, option, column);
    return st == ORR_ERR_OPTION ? ORR_ERR_FORMAT : st; /* a name says what the file must have */
}

/* ---- values ---- */

static const char *put_text(const orr_column_request *r, int64_t i, const char *p, size_t n)
{
    orr_column_text *to = (orr_column_text *)r->values + i;

    if (n > ORR_ID_TEXT_MAX) return "is longer than 64 bytes";
    if (memchr(p, '\0', n)) return "has a zero byte in it";
    memcpy(*to, p, n);
    (*to)[n] = '\0';
    return NULL;
}

/* A text field as a number must be one. */
static const char *put_field_real(const orr_column_request *r, int64_t i, const orr_field *f,
                                  const char *record, int64_t element)
{
    double *to = (double *)r->values + i;
    char text[ORR_FIELD_TEXT];
    size_t n;

    if (orr_field_type(f) != ORR_VALUE_TEXT) {
        orr_field_reals(f, record, element, 1, to);
        return NULL;
    }
    n = orr_field_text(f, record, element, text);
    return n < sizeof text && orr_text_real(text, n, to) ? NULL : "is not a number";
}

static const char *put_field(const orr_column_request *r, int64_t i, const orr_field *f,
                             const char *record, int64_t element)
{
    char text[ORR_FIELD_TEXT];
    const char *why;
    size_t n;

    switch (r->type) {
    case ORR_VALUE_INT:
        return orr_field_int(f, record, element, (int64_t *)r->values + i);
    case ORR_VALUE_REAL:
        return put_field_real(r, i, f, record, element);
    case ORR_VALUE_TEXT:
        n = orr_field_text(f, record, element, text);
        return put_text(r, i, text, n < sizeof text ? n : SIZE_MAX);
    case ORR_VALUE_ID:
        why = orr_field_id(f, record, element, text, &n);
        return why ? why : put_text(r, i, text, n);
    }
    return "is of no type";
}

static orr_status read_request(const orr_columns *c, const orr_column_request *r, int64_t n)
{
    const orr_records *s = &c->records;
    const orr_field *f = &s->fields[r->column % s->n_fields];
    int64_t element = r->column / s->n_fields;
    char text[ORR_FIELD_TEXT];

    if (r->column < 0 || element >= f->count || f->kind == ORR_FIELD_OTHER)
        return orr_fail(ORR_ERR_ARG, "%s: column %d", s->what, r->column);
    for (int64_t i = 0; i < n; i++) {
        const char *record = orr_record(s, c->row + i), *why = put_field(r, i, f, record, element);

        if (!why) continue;
        orr_field_text(f, record, element, text);
        return orr_fail(ORR_ERR_FORMAT, "%s: row %lld: column %s: \"%.60s\" %s", s->what,
                        (long long)(c->row + i + 1), f->name, text, why);
    }
    return ORR_OK;
}

/* ---- rows ---- */

/* One value of a row to one request; NULL, or why it cannot be. */
static const char *put_text_value(const orr_column_request *r, int64_t i, const orr_csv_field *f)
{
    size_t n = orr_csv_field_bytes(f);
    const char *why;

    switch (r->type) {
    case ORR_VALUE_INT:
        return orr_integer_parse(f->p, n, (int64_t *)r->values + i);
    case ORR_VALUE_REAL:
        return orr_text_real(f->p, n, (double *)r->values + i) ? NULL : "is not a number";
    case ORR_VALUE_TEXT:
        return put_text(r, i, f->p, orr_text_is_null(f->p, n) ? 0 : n);
    case ORR_VALUE_ID:
        if (orr_text_is_null(f->p, n)) n = 0;
        why = n ? orr_id_fault(f->p, n) : NULL;
        return why ? why : put_text(r, i, f->p, n);
    }
    return "is of no type";
}

static orr_status fail_value(const orr_columns *c, const char *row, int column,
                             const orr_csv_field *f, const char *why)
{
    return orr_fail(ORR_ERR_FORMAT, "%s:%lld: column %s: \"%.*s\" %s", c->csv.path,
                    (long long)orr_csv_line(&c->csv, row), c->csv.names[column],
                    orr_csv_field_shown(f), f->p, why);
}

/* The columns with the first request for each, and after them the requests with the next for the
 * same column, so that one pass over a row serves all. */
static orr_status make_chain(orr_columns *c, const orr_column_request *requests, int n)
{
    size_t want = (size_t)c->csv.n_columns + (size_t)n;

    if (want > c->chain_n) {
        orr_free(c->chain);
        c->chain_n = 0;
        if (!(c->chain = orr_alloc(want, sizeof *c->chain)))
            return orr_fail(ORR_ERR_NOMEM, "%s: out of memory: %d columns", c->csv.path,
                            c->csv.n_columns);
        c->chain_n = want;
    }
    memset(c->chain, 0, want * sizeof *c->chain);
    for (int i = n - 1; i >= 0; i--) {
        int column = requests[i].column;

        if (column < 0 || column >= c->csv.n_columns)
            return orr_fail(ORR_ERR_ARG, "%s: column %d of %d", c->csv.path, column,
                            c->csv.n_columns);
        c->chain[c->csv.n_columns + i] = c->chain[column];
        c->chain[column] = i + 1;
    }
    return ORR_OK;
}

/* Reads the row at c->p into row i of the requests, and moves behind it. */
static orr_status read_row(orr_columns *c, const orr_column_request *requests, int64_t i)
{
    orr_cursor at = { .p = c->p, .end = c->csv.end };
    int n = c->csv.n_columns;
    const char *row = c->p, *why;
    orr_csv_field f;

    for (int column = 0; column < n; column++) {
        if (at.ended || orr_csv_field_read(&f, &at, c->csv.delimiter, &why) != ORR_OK)
            return orr_csv_check_row(&c->csv, row);
        for (int k = c->chain[column]; k > 0; k = c->chain[n + k - 1])
            if ((why = put_text_value(&requests[k - 1], i, &f)))
                return fail_value(c, row, column, &f, why);
    }
    if (!at.ended) return orr_csv_check_row(&c->csv, row);
    c->p = orr_csv_next_row(at.p < at.end ? at.p + 1 : at.end, at.end);
    return ORR_OK;
}

static orr_status read_text(orr_columns *c, const orr_column_request *requests, int n_requests,
                            int64_t max_rows, int64_t *n)
{
    ORR_TRY(make_chain(c, requests, n_requests));
    c->p = orr_csv_next_row(c->p, c->csv.end);
    for (*n = 0; *n < max_rows && c->p < c->csv.end; ++*n)
        ORR_TRY(read_row(c, requests, *n));
    orr_bytes_passed(&c->csv.bytes, c->p);
    return ORR_OK;
}

static orr_status read_records(orr_columns *c, const orr_column_request *requests, int n_requests,
                               int64_t max_rows, int64_t *n)
{
    orr_records *s = &c->records;

    *n = s->rows - c->row < max_rows ? s->rows - c->row : max_rows;
    for (int i = 0; i < n_requests; i++)
        ORR_TRY(read_request(c, &requests[i], *n));
    orr_bytes_passed(&s->bytes, orr_record(s, c->row + *n));
    return ORR_OK;
}

orr_status orr_columns_next(orr_columns *c, const orr_column_request *requests, int n_requests,
                            int64_t max_rows, int64_t *first, int64_t *n)
{
    orr_status st;

    *first = c->row;
    *n = 0;
    st = c->is_text ? read_text(c, requests, n_requests, max_rows, n)
                    : read_records(c, requests, n_requests, max_rows, n);
    if (st == ORR_OK || orr_is_data_fault(st)) ORR_TRY(orr_mapped_check()); /* else it is no news */
    ORR_TRY(st);
    c->row += *n;
    return ORR_OK;
}

/* ---- types ---- */

static orr_status text_type(const orr_columns *c, int column, orr_value_type *type)
{
    const orr_csv_file *s = &c->csv;
    int integers = 1, numbers = 1;
    const char *p = s->data;

    for (int i = 0; i < LOOK_ROWS && (p = orr_csv_next_row(p, s->end)) < s->end; i++) {
        orr_cursor at = { .p = p, .end = s->end };
        orr_csv_field f = { 0 };
        const char *why;
        int64_t v;
        double x;

        for (int k = 0; k <= column; k++)
            if (at.ended || orr_csv_field_read(&f, &at, s->delimiter, &why) != ORR_OK)
                return orr_csv_check_row(s, p);
        if (!orr_id_integer(f.p, orr_csv_field_bytes(&f), &v)) integers = 0;
        if (!orr_text_real(f.p, orr_csv_field_bytes(&f), &x)) numbers = 0;
        p = at.ended ? at.p : orr_csv_line_end(at.p, s->end);
        if (p < s->end) p++;
    }
    *type = integers ? ORR_VALUE_INT : numbers ? ORR_VALUE_REAL : ORR_VALUE_TEXT;
    return ORR_OK;
}

orr_status orr_columns_type(const orr_columns *c, int column, orr_value_type *type)
{
    *type = ORR_VALUE_TEXT;
    if (c->is_text) return text_type(c, column, type);
    *type = orr_field_type(&c->records.fields[column % c->records.n_fields]);
    return ORR_OK;
}
