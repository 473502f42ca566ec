/* data/formats/columns.c - a catalogue as named columns, whatever its format. */
#include "data/formats/columns.h"
#include "core/memory.h"
#include "data/formats/columns_private.h"
#include "data/formats/number.h"
#include "data/formats/records.h"
#include "data/formats/values.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* Column numbers of records: the field, plus n_fields for each value that lies before the one
 * picked. */
struct orr_columns {
    orr_csv_stream *csv; /* or else: */
    orr_records records;
    int64_t row;
};

void orr_columns_close(orr_columns *c)
{
    if (!c) return;
    orr_csv_stream_close(c->csv);
    orr_records_close(&c->records);
    orr_free(c);
}

orr_status orr_columns_open(orr_columns **out, const char *path, const char *table)
{
    orr_columns *c = orr_alloc(1, sizeof *c);
    orr_bytes bytes = { 0 };
    orr_status st = ORR_OK;

    *out = NULL;
    if (!c) return orr_fail(ORR_ERR_NOMEM, "%s: out of memory", path);
    ORR_TRY_GOTO(st, done, orr_bytes_open(&bytes, path));
    if (orr_records_is_fits(&bytes) || orr_records_is_npy(&bytes))
        ORR_TRY_GOTO(st, done, orr_records_open(&c->records, &bytes, path, table ? table : ""));
    else
        ORR_TRY_GOTO(st, done, orr_csv_stream_open(&c->csv, &bytes, path));
    *out = c;
    c = NULL;
done:
    orr_columns_close(c);
    return st;
}

int orr_columns_n(const orr_columns *c)
{
    return c->csv ? orr_csv_stream_n(c->csv) : c->records.n_fields;
}

const char *orr_columns_name(const orr_columns *c, int i)
{
    return c->csv ? orr_csv_stream_name(c->csv, i)
                  : c->records.fields[i % c->records.n_fields].name;
}

/* ---- csv: names ---- */

static orr_status find_in_csv(const orr_columns *c, const char *name, const char *option,
                              int *column)
{
    const char *path = orr_csv_stream_path(c->csv), **names, *near;
    int n = orr_columns_n(c), found[2] = { 0, 0 };

    for (int pass = 0; pass < 2; pass++) { /* exactly; then without regard to case */
        for (int i = n - 1; i >= 0; i--)
            if (!(pass ? strcasecmp : strcmp)(orr_columns_name(c, i), name)) {
                *column = i;
                found[pass]++;
            }
        if (found[pass] == 1) return ORR_OK;
        if (found[pass] > 1)
            return orr_fail(ORR_ERR_FORMAT, "%s: %d columns are called \"%.60s\"%s (%s)", path,
                            found[pass], name, pass ? " but for upper and lower case" : "", option);
    }
    if (!(names = orr_alloc((size_t)n, sizeof *names)))
        return orr_fail(ORR_ERR_NOMEM, "%s: out of memory: names of columns", path);
    for (int i = 0; i < n; i++)
        names[i] = orr_columns_name(c, i);
    near = orr_nearest_name(name, names, n);
    orr_free(names);
    return orr_fail(ORR_ERR_FORMAT, "%s: no column \"%.60s\" for %s%s%s%s", path, name, option,
                    near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
}

orr_status orr_columns_find(const orr_columns *c, const char *name, const char *option, int *column)
{
    const orr_records *r = &c->records;
    const orr_field *f;
    int64_t element;
    orr_status st;
    int field;

    *column = -1;
    if (c->csv) return find_in_csv(c, name, option, column);
    st = orr_records_pick(r, name, option, &field, &element);
    if (st == ORR_ERR_OPTION) st = ORR_ERR_FORMAT; /* here a name says what the file must have */
    ORR_TRY(st);
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

orr_status orr_columns_type(const orr_columns *c, int column, orr_value_type *type)
{
    if (c->csv) return orr_csv_stream_type(c->csv, column, type);
    *type = orr_field_type(&c->records.fields[column % c->records.n_fields]);
    return ORR_OK;
}

/* ---- rows ---- */

const char *orr_column_put_text(const orr_column_request *r, int64_t i, const char *p, size_t n)
{
    orr_column_text *to = (orr_column_text *)r->values + i;

    if (n > ORR_ID_TEXT_MAX) return "is longer than 64 bytes";
    if (memchr(p, '\0', n)) return "has a zero byte in it";
    memcpy(*to, p, n);
    (*to)[n] = '\0';
    return NULL;
}

/* A text field as a number must be one. */
static const char *put_real(const orr_column_request *r, int64_t i, const orr_field *f,
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
    if (n == 0) {
        *to = NAN;
        return NULL;
    }
    return n < sizeof text && orr_number_parse(text, text + n, to) ? NULL : "is not a number";
}

static const char *put_value(const orr_column_request *r, int64_t i, const orr_field *f,
                             const char *record, int64_t element)
{
    char text[ORR_FIELD_TEXT];
    size_t n;

    switch (r->type) {
    case ORR_VALUE_INT:
        return orr_field_int(f, record, element, (int64_t *)r->values + i);
    case ORR_VALUE_REAL:
        return put_real(r, i, f, record, element);
    case ORR_VALUE_TEXT:
        n = orr_field_text(f, record, element, text);
        return orr_column_put_text(r, i, text, n < sizeof text ? n : SIZE_MAX);
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
        const char *record = orr_record(s, c->row + i), *why = put_value(r, i, f, record, element);

        if (!why) continue;
        orr_field_text(f, record, element, text);
        return orr_fail(ORR_ERR_FORMAT, "%s: row %lld: column %s: \"%.60s\" %s", s->what,
                        (long long)(c->row + i + 1), f->name, text, why);
    }
    return ORR_OK;
}

orr_status orr_columns_next(orr_columns *c, const orr_column_request *requests, int n_requests,
                            int64_t max_rows, int64_t *first, int64_t *n)
{
    orr_records *s = &c->records;

    if (c->csv) return orr_csv_stream_next(c->csv, requests, n_requests, max_rows, first, n);
    *first = c->row;
    *n = s->rows - c->row < max_rows ? s->rows - c->row : max_rows;
    for (int i = 0; i < n_requests; i++)
        ORR_TRY(read_request(c, &requests[i], *n));
    c->row += *n;
    orr_bytes_passed(&s->bytes, orr_record(s, c->row));
    return ORR_OK;
}
