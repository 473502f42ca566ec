/* data/formats/columns_csv.c - a csv as named columns, row after row. */
#include "core/memory.h"
#include "data/formats/columns_private.h"
#include "data/formats/csv.h"
#include "data/formats/id_text.h"
#include "data/formats/values.h"

#include <stdio.h>
#include <string.h>

enum { LOOK_ROWS = 1000, MAX_COLUMNS = 1 << 20 };

struct orr_csv_stream {
    char *path;
    orr_csv_file file;
    char delimiter;
    char **names;
    int n_columns;
    const char *p; /* the next row, or an empty line before it */
    int64_t row;   /* its number */
    int *chain;    /* of each column the first request for it, + 1; of each request the next one */
    size_t chain_n;
};

void orr_csv_stream_close(orr_csv_stream *s)
{
    if (!s) return;
    for (int i = 0; s->names && i < s->n_columns; i++)
        orr_free(s->names[i]);
    orr_free(s->names);
    orr_free(s->chain);
    orr_free(s->path);
    orr_bytes_close(&s->file.bytes);
    orr_free(s);
}

static const char *next_line(const char *p, const char *end)
{
    const char *newline = p < end ? memchr(p, '\n', (size_t)(end - p)) : NULL;

    return newline ? newline + 1 : end;
}

/* Behind the byte order mark, empty lines and comments, as SkyServer writes one. */
static orr_status find_header(orr_csv_stream *s)
{
    orr_csv_file *f = &s->file;

    f->path = s->path;
    f->data = f->bytes.p;
    f->end = f->bytes.p + f->bytes.n;
    if (f->bytes.n >= 3 && !memcmp(f->data, "\xef\xbb\xbf", 3)) f->data += 3;
    while (f->data < f->end && (orr_csv_blank(f->data, f->end) || *f->data == '#'))
        f->data = next_line(f->data, f->end);
    if (f->data >= f->end) return orr_fail(ORR_ERR_FORMAT, "%s: the file holds no table", s->path);
    if (memchr(f->data, '\0', (size_t)(next_line(f->data, f->end) - f->data)))
        return orr_fail(ORR_ERR_FORMAT,
                        "%s: neither csv nor FITS nor npy: its first line has zero bytes", s->path);
    return ORR_OK;
}

/* Of the usual delimiters the one that stands first in the header, outside quotes. */
static char find_delimiter(const char *p, const char *end)
{
    for (int quoted = 0; p < end && (quoted || *p != '\n'); p++) {
        if (*p == '"') quoted = !quoted;
        if (!quoted && *p && strchr(",\t;|", *p)) return *p;
    }
    return ',';
}

static void trim(orr_csv_field *f)
{
    while (f->p < f->end && (*f->p == ' ' || *f->p == '\t'))
        f->p++;
    while (f->end > f->p && (f->end[-1] == ' ' || f->end[-1] == '\t'))
        f->end--;
}

static orr_status fail_row(const orr_csv_stream *s, const char *row, int column, const char *why)
{
    return orr_fail(ORR_ERR_FORMAT, "%s:%lld: column %s: %s", s->path,
                    (long long)orr_csv_line(&s->file, row),
                    column < s->n_columns && s->names ? s->names[column] : "names", why);
}

/* The header's fields; names NULL: only how many. */
static orr_status read_names(orr_csv_stream *s, int *n, int *all_numbers)
{
    orr_cursor at = { .p = s->file.data, .end = s->file.end };
    const char *why = "";
    orr_csv_field field;
    double v;

    *n = 0;
    *all_numbers = 1;
    while (!at.ended) {
        size_t length;

        if (orr_csv_field_read(&field, &at, s->delimiter, &why) != ORR_OK)
            return fail_row(s, s->file.data, MAX_COLUMNS, why);
        trim(&field);
        length = (size_t)(field.end - field.p);
        if (length && !orr_number_parse(field.p, field.end, &v)) *all_numbers = 0;
        if (s->names) {
            if (!(s->names[*n] = orr_alloc(length + 1, 1)))
                return orr_fail(ORR_ERR_NOMEM, "%s: out of memory: column names", s->path);
            memcpy(s->names[*n], field.p, length);
        }
        if (++*n > MAX_COLUMNS)
            return orr_fail(ORR_ERR_FORMAT, "%s: more than %d columns", s->path, MAX_COLUMNS);
    }
    s->p = next_line(at.p, s->file.end);
    return ORR_OK;
}

orr_status orr_csv_stream_open(orr_csv_stream **out, orr_bytes *bytes, const char *path)
{
    orr_csv_stream *s = orr_alloc(1, sizeof *s);
    orr_status st = ORR_OK;
    int all_numbers;

    *out = NULL;
    if (!s) {
        orr_bytes_close(bytes);
        return orr_fail(ORR_ERR_NOMEM, "%s: out of memory", path);
    }
    s->file.bytes = *bytes;
    *bytes = (orr_bytes){ 0 };
    if (!(s->path = orr_strdup(path)))
        ORR_TRY_GOTO(st, done, orr_fail(ORR_ERR_NOMEM, "%s: out of memory", path));
    ORR_TRY_GOTO(st, done, find_header(s));
    s->delimiter = find_delimiter(s->file.data, s->file.end);
    ORR_TRY_GOTO(st, done, read_names(s, &s->n_columns, &all_numbers));
    if (all_numbers)
        ORR_TRY_GOTO(st, done,
                     orr_fail(ORR_ERR_FORMAT,
                              "%s: the first row has no names of columns; a catalogue needs them",
                              path));
    if (!(s->names = orr_alloc((size_t)s->n_columns, sizeof *s->names)))
        ORR_TRY_GOTO(st, done, orr_fail(ORR_ERR_NOMEM, "%s: out of memory: column names", path));
    ORR_TRY_GOTO(st, done, read_names(s, &s->n_columns, &all_numbers));
    *out = s;
    s = NULL;
done:
    orr_csv_stream_close(s);
    return st;
}

const char *orr_csv_stream_path(const orr_csv_stream *s)
{
    return s->path;
}

int orr_csv_stream_n(const orr_csv_stream *s)
{
    return s->n_columns;
}

const char *orr_csv_stream_name(const orr_csv_stream *s, int i)
{
    return s->names[i];
}

/* ---- rows ---- */

/* One value of a row to one request; NULL, or why it cannot be. */
static const char *put_value(const orr_column_request *r, int64_t i, const orr_csv_field *f)
{
    size_t n = (size_t)(f->end - f->p);
    int null = orr_text_is_null(f->p, n);

    switch (r->type) {
    case ORR_VALUE_INT:
        return orr_integer_parse(f->p, n, (int64_t *)r->values + i);
    case ORR_VALUE_REAL:
        if (null)
            ((double *)r->values)[i] = __builtin_nan("");
        else if (!orr_number_parse(f->p, f->end, (double *)r->values + i))
            return "is not a number";
        return NULL;
    case ORR_VALUE_TEXT:
        return orr_column_put_text(r, i, f->p, null ? 0 : n);
    }
    return "is of no type";
}

static orr_status fail_value(const orr_csv_stream *s, const char *row, int column,
                             const orr_csv_field *f, const char *why)
{
    char text[512];

    snprintf(text, sizeof text, "\"%.*s\" %s", f->end - f->p > 60 ? 60 : (int)(f->end - f->p), f->p,
             why);
    return fail_row(s, row, column, text);
}

/* The columns with the first request for each, and after them the requests with the next for the
 * same column, so that one pass over a row serves all. */
static orr_status make_chain(orr_csv_stream *s, const orr_column_request *requests, int n)
{
    size_t want = (size_t)s->n_columns + (size_t)n;

    if (want > s->chain_n) {
        orr_free(s->chain);
        s->chain_n = 0;
        if (!(s->chain = orr_alloc(want, sizeof *s->chain)))
            return orr_fail(ORR_ERR_NOMEM, "%s: out of memory: %d columns", s->path, s->n_columns);
        s->chain_n = want;
    }
    memset(s->chain, 0, want * sizeof *s->chain);
    for (int i = n - 1; i >= 0; i--) {
        int column = requests[i].column;

        if (column < 0 || column >= s->n_columns)
            return orr_fail(ORR_ERR_ARG, "%s: column %d of %d", s->path, column, s->n_columns);
        s->chain[s->n_columns + i] = s->chain[column];
        s->chain[column] = i + 1;
    }
    return ORR_OK;
}

static orr_status fail_count(const orr_csv_stream *s, const char *row)
{
    orr_cursor at = { .p = row, .end = s->file.end };
    const char *why;
    orr_csv_field f;
    int n = 0;

    for (; !at.ended; n++)
        if (orr_csv_field_read(&f, &at, s->delimiter, &why) != ORR_OK)
            return fail_row(s, row, n, why);
    return orr_fail(ORR_ERR_FORMAT, "%s:%lld: %d fields, %d expected", s->path,
                    (long long)orr_csv_line(&s->file, row), n, s->n_columns);
}

/* Reads the row at s->p into row i of the requests, and moves behind it. */
static orr_status read_row(orr_csv_stream *s, const orr_column_request *requests, int64_t i)
{
    orr_cursor at = { .p = s->p, .end = s->file.end };
    const char *row = s->p, *why;
    orr_csv_field f;

    for (int column = 0; column < s->n_columns; column++) {
        if (at.ended) return fail_count(s, row);
        if (orr_csv_field_read(&f, &at, s->delimiter, &why) != ORR_OK)
            return fail_row(s, row, column, why);
        if (!s->chain[column]) continue;
        trim(&f);
        for (int k = s->chain[column]; k > 0; k = s->chain[s->n_columns + k - 1])
            if ((why = put_value(&requests[k - 1], i, &f)))
                return fail_value(s, row, column, &f, why);
    }
    if (!at.ended) return fail_count(s, row);
    s->p = next_line(at.p, s->file.end);
    return ORR_OK;
}

static int skip_blank(orr_csv_stream *s)
{
    while (s->p < s->file.end && orr_csv_blank(s->p, s->file.end))
        s->p = next_line(s->p, s->file.end);
    return s->p < s->file.end;
}

orr_status orr_csv_stream_next(orr_csv_stream *s, const orr_column_request *requests,
                               int n_requests, int64_t max_rows, int64_t *first, int64_t *n)
{
    *first = s->row;
    *n = 0;
    ORR_TRY(make_chain(s, requests, n_requests));
    for (; *n < max_rows && skip_blank(s); ++*n)
        ORR_TRY(read_row(s, requests, *n));
    s->row += *n;
    orr_bytes_passed(&s->file.bytes, s->p);
    return ORR_OK;
}

orr_status orr_csv_stream_type(const orr_csv_stream *s, int column, orr_value_type *type)
{
    orr_csv_stream at = *s;
    int integers = 1, numbers = 1;

    *type = ORR_VALUE_TEXT;
    at.p = next_line(s->file.data, s->file.end);
    for (int i = 0; i < LOOK_ROWS && skip_blank(&at); i++) {
        orr_cursor c = { .p = at.p, .end = s->file.end };
        const char *why;
        orr_csv_field f = { 0 };
        int64_t v;
        double x;
        size_t n;

        for (int k = 0; k <= column; k++)
            if (c.ended || orr_csv_field_read(&f, &c, s->delimiter, &why) != ORR_OK)
                return fail_count(s, at.p);
        trim(&f);
        n = (size_t)(f.end - f.p);
        if (!orr_id_integer(f.p, n, &v)) integers = 0;
        if (!orr_text_is_null(f.p, n) && !orr_number_parse(f.p, f.end, &x)) numbers = 0;
        if (!c.ended) c.p = orr_csv_line_end(c.p, c.end);
        at.p = next_line(c.p, c.end);
    }
    *type = integers ? ORR_VALUE_INT : numbers ? ORR_VALUE_REAL : ORR_VALUE_TEXT;
    return ORR_OK;
}
