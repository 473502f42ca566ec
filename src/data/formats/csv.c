/* data/formats/csv.c - fields, rows and headers of text tables. */
#include "data/formats/csv.h"
#include "core/memory.h"
#include "data/formats/format.h"

#include <stdio.h>
#include <string.h>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

enum { MAX_COLUMNS = 1 << 24, SHOWN = 60 };

void orr_csv_close(orr_csv_file *f)
{
    for (int i = 0; f->names && i < f->n_columns; i++)
        orr_free(f->names[i]);
    orr_free(f->names);
    orr_free(f->path);
    orr_bytes_close(&f->bytes);
    *f = (orr_csv_file){ 0 };
}

/* ---- lines ---- */

int orr_csv_blank(const char *p, const char *end)
{
    return p >= end || *p == '\n' || (*p == '\r' && (p + 1 == end || p[1] == '\n'));
}

static const char *find(const char *p, const char *end, char c)
{
    const char *at = p < end ? memchr(p, c, (size_t)(end - p)) : NULL;

    return at ? at : end;
}

static const char *next_line(const char *p, const char *end)
{
    const char *newline = find(p, end, '\n');

    return newline < end ? newline + 1 : end;
}

const char *orr_csv_line_end(const char *p, const char *end)
{
    for (;;) {
        const char *newline = find(p, end, '\n'), *quote = find(p, newline, '"');

        if (quote == newline) return newline;
        quote = find(quote + 1, end, '"');
        if (quote == end) return end;
        p = quote + 1;
    }
}

const char *orr_csv_next_row(const char *p, const char *end)
{
    while (p < end && orr_csv_blank(p, end))
        p = next_line(p, end);
    return p;
}

int64_t orr_csv_line(const orr_csv_file *f, const char *p)
{
    int64_t line = 1;

    for (const char *q = f->bytes.p; (q = find(q, p, '\n')) < p; q++)
        line++;
    return line;
}

/* ---- fields ---- */

static int is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static void trim(orr_csv_field *f)
{
    while (f->p < f->end && is_blank(*f->p))
        f->p++;
    while (f->end > f->p && is_blank(f->end[-1]))
        f->end--;
}

/* A quoted field that has doubled quotes in it, into buf. */
static int unquote(orr_csv_field *f, const char *p, const char *close)
{
    size_t n = 0;

    for (; p < close; p++) {
        if (n == sizeof f->buf) return 0;
        f->buf[n++] = *p;
        if (*p == '"') p++; /* the second of a pair */
    }
    f->p = f->buf;
    f->end = f->buf + n;
    return 1;
}

static orr_status read_quoted(orr_csv_field *f, orr_cursor *c, char delimiter, const char **why)
{
    const char *p = c->p + 1, *close = p;
    int pairs = 0;

    for (;; close += 2, pairs++) {
        close = close < c->end ? memchr(close, '"', (size_t)(c->end - close)) : NULL;
        if (!close) {
            *why = "a quoted field is not closed";
            return ORR_ERR_FORMAT;
        }
        if (close + 1 == c->end || close[1] != '"') break;
    }
    f->p = p;
    f->end = close;
    f->quoted = 1;
    if (pairs && !unquote(f, p, close)) {
        *why = "a quoted field with quotes in it is longer than 512 bytes";
        return ORR_ERR_FORMAT;
    }
    c->p = close + 1;
    if (c->p < c->end && *c->p == delimiter) {
        c->p++;
    } else if (orr_csv_blank(c->p, c->end)) {
        c->ended = 1;
    } else {
        *why = "a quoted field is followed by something else than a delimiter";
        return ORR_ERR_FORMAT;
    }
    trim(f);
    return ORR_OK;
}

/* Where a field without quotes around it ends; *quotes: how many it has. */
static const char *find_end(const char *p, const char *end, char delimiter, int *quotes)
{
    *quotes = 0;
#if defined(__SSE2__)
    const __m128i d = _mm_set1_epi8(delimiter), n = _mm_set1_epi8('\n'), q = _mm_set1_epi8('"');

    for (; end - p >= 16; p += 16) { /* most fields are one step */
        const __m128i c = _mm_loadu_si128((const __m128i *)(const void *)p);
        unsigned stop =
            (unsigned)_mm_movemask_epi8(_mm_or_si128(_mm_cmpeq_epi8(c, d), _mm_cmpeq_epi8(c, n)));
        unsigned quote = (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(c, q));

        if (stop) quote &= (stop & -stop) - 1; /* those before it */
        if (quote) *quotes += __builtin_popcount(quote);
        if (stop) return p + __builtin_ctz(stop);
    }
#endif
    for (; p < end && *p != delimiter && *p != '\n'; p++)
        *quotes += *p == '"';
    return p;
}

orr_status orr_csv_field_read(orr_csv_field *f, orr_cursor *c, char delimiter, const char **why)
{
    const char *p = c->p;
    int quotes;

    if (p < c->end && *p == '"') return read_quoted(f, c, delimiter, why);
    p = find_end(p, c->end, delimiter, &quotes);
    f->p = c->p;
    f->end = p;
    f->quoted = 0;
    if (quotes & 1) {
        *why = "a quote within a field; such a field stands in quotes, its own written twice";
        return ORR_ERR_FORMAT;
    }
    if (p < c->end && *p == delimiter) {
        c->p = p + 1;
    } else {
        c->ended = 1;
        c->p = p;
        if (f->end > f->p && f->end[-1] == '\r') f->end--;
    }
    trim(f);
    return ORR_OK;
}

int orr_csv_field_shown(const orr_csv_field *f)
{
    return f->end - f->p > SHOWN ? SHOWN : (int)(f->end - f->p);
}

void orr_csv_column_name(const orr_csv_file *f, int column, char *buf, size_t bytes)
{
    if (column >= f->n_columns)
        snprintf(buf, bytes, "field %d", column + 1);
    else if (f->names)
        snprintf(buf, bytes, "column %d (%.60s)", column + 1, f->names[column]);
    else
        snprintf(buf, bytes, "column %d", column + 1);
}

static orr_status fail_field(const orr_csv_file *f, const char *row, int column, const char *why)
{
    char name[96];

    orr_csv_column_name(f, column, name, sizeof name);
    return orr_fail(ORR_ERR_FORMAT, "%s:%lld: %s: %s", f->path, (long long)orr_csv_line(f, row),
                    name, why);
}

orr_status orr_csv_check_row(const orr_csv_file *f, const char *row)
{
    orr_cursor at = { .p = row, .end = f->end };
    const char *why = "";
    orr_csv_field field;
    int n = 0;

    for (; !at.ended; n++)
        if (orr_csv_field_read(&field, &at, f->delimiter, &why) != ORR_OK)
            return fail_field(f, row, n, why);
    if (n == f->n_columns) return ORR_OK;
    return orr_fail(ORR_ERR_FORMAT, "%s:%lld: %d fields, %d expected", f->path,
                    (long long)orr_csv_line(f, row), n, f->n_columns);
}

/* ---- before the rows ---- */

/* Behind the byte order mark, empty lines and comments; *comment is the last of those, or NULL. */
static orr_status find_table(orr_csv_file *f, const orr_csv_opts *o, const char **comment)
{
    size_t n;

    *comment = NULL;
    if (f->bytes.n >= 3 && !memcmp(f->data, "\xef\xbb\xbf", 3)) f->data += 3;
    for (; f->data < f->end; f->data = next_line(f->data, f->end)) {
        const char *p = f->data;

        while (p < f->end && is_blank(*p))
            p++;
        if (!o->rows_only && p < f->end && *p == '#')
            *comment = p;
        else if (!orr_csv_blank(f->data, f->end))
            break;
    }
    if (f->data >= f->end)
        return orr_fail(ORR_ERR_FORMAT, "%s: the file %s", f->path,
                        *comment ? "holds no table, only comments" : "is empty");
    n = (size_t)(f->end - f->data);
    if (!memchr(f->data, '\n', n) && memchr(f->data, '\r', n))
        return orr_fail(ORR_ERR_FORMAT, "%s: lines end in CR alone; convert them to LF", f->path);
    if (memchr(f->data, '\0', (size_t)(next_line(f->data, f->end) - f->data)))
        return orr_fail(ORR_ERR_FORMAT,
                        "%s: its first line has zero bytes: it is no text, and of no other format "
                        "that is known by its first bytes",
                        f->path);
    return ORR_OK;
}

/* Of the usual delimiters the one that stands first in the row, outside quotes. */
static char find_delimiter(const char *p, const char *end)
{
    for (int quoted = 0; p < end && (quoted || *p != '\n'); p++) {
        if (*p == '"') quoted = !quoted;
        if (!quoted && *p && strchr(",\t;|", *p)) return *p;
    }
    return ',';
}

/* A first row of one field that has another usual delimiter in it was cut by the wrong one. */
static orr_status check_delimiter(const orr_csv_file *f, const char *p)
{
    const char other = find_delimiter(p, orr_csv_line_end(p, f->end));
    char names[2][8];

    if (f->n_columns > 1 || other == f->delimiter ||
        !memchr(p, other, (size_t)(orr_csv_line_end(p, f->end) - p)))
        return ORR_OK;
    for (int i = 0; i < 2; i++) {
        char c = i ? other : f->delimiter;

        snprintf(names[i], sizeof names[i], c == '\t' ? "tab" : "\"%c\"", c);
    }
    return orr_fail(ORR_ERR_FORMAT,
                    "%s:%lld: no %s (input.delimiter) in the first row, but %s; say which stands "
                    "between fields",
                    f->path, (long long)orr_csv_line(f, p), names[0], names[1]);
}

/* What a row at the beginning is like. */
typedef struct {
    int fields, numbers, empty;
    const char *next; /* the line after it */
} first_row;

/* Reads the row at p; names (may be NULL; room for f->n_columns) receive its fields. */
static orr_status read_first(const orr_csv_file *f, const char *p, const char *end, first_row *out,
                             char **names)
{
    orr_cursor at = { .p = p, .end = end };
    const char *why = "";
    orr_csv_field field;
    double v;

    *out = (first_row){ 0 };
    for (; !at.ended; out->fields++) {
        size_t n;

        if (orr_csv_field_read(&field, &at, f->delimiter, &why) != ORR_OK)
            return fail_field(f, p, out->fields, why);
        if (out->fields == MAX_COLUMNS)
            return orr_fail(ORR_ERR_FORMAT, "%s: more than %d columns", f->path, MAX_COLUMNS);
        n = orr_csv_field_bytes(&field);
        out->empty += n == 0;
        out->numbers += orr_number_parse(field.p, field.end, &v);
        if (!names) continue;
        if (!(names[out->fields] = orr_alloc(n + 1, 1)))
            return orr_fail(ORR_ERR_NOMEM, "%s: out of memory: column names", f->path);
        memcpy(names[out->fields], field.p, n);
    }
    out->next = next_line(at.p, f->end);
    return ORR_OK;
}

/* Is the comment the header of the row below it?  *p, *end: the header in it. */
static int is_header(const orr_csv_file *f, const char *comment, const first_row *below,
                     const char **p, const char **end)
{
    first_row header;

    if (!comment || below->numbers == 0) return 0;
    *end = find(comment, f->end, '\n');
    for (*p = comment; *p < *end && (**p == '#' || is_blank(**p));)
        ++*p;
    if (read_first(f, *p, *end, &header, NULL) == ORR_OK)
        return header.fields == f->n_columns && header.numbers + header.empty < header.fields;
    orr_error_clear();
    return 0;
}

static orr_status read_header(orr_csv_file *f, orr_csv_header wanted, const char *comment)
{
    const char *p = f->data, *end = f->end;
    first_row row, header;
    int all_numbers;

    ORR_TRY(read_first(f, p, end, &row, NULL));
    f->n_columns = row.fields;
    f->top = p;
    ORR_TRY(check_delimiter(f, p));
    all_numbers = row.numbers + row.empty == row.fields;
    if (wanted == ORR_CSV_NO_HEADER) return ORR_OK;
    if (!is_header(f, comment, &row, &p, &end)) {
        if (wanted == ORR_CSV_AUTO && all_numbers) return ORR_OK;
        p = f->data;
        end = f->end;
        f->data = row.next;
    }
    f->top = p;
    if (!(f->names = orr_alloc((size_t)f->n_columns, sizeof *f->names)))
        return orr_fail(ORR_ERR_NOMEM, "%s: out of memory: column names", f->path);
    return read_first(f, p, end, &header, f->names);
}

orr_status orr_csv_open(orr_csv_file *f, orr_bytes *bytes, const char *path, const orr_csv_opts *o)
{
    const char *comment;
    orr_status st = ORR_OK;

    *f = (orr_csv_file){ .bytes = *bytes, .data = bytes->p, .end = bytes->p + bytes->n };
    *bytes = (orr_bytes){ 0 };
    if (!(f->path = orr_strdup(path)))
        ORR_TRY_GOTO(st, done, orr_fail(ORR_ERR_NOMEM, "%s: out of memory", path));
    ORR_TRY_GOTO(st, done, find_table(f, o, &comment));
    f->delimiter = o->delimiter ? o->delimiter : find_delimiter(f->data, f->end);
    ORR_TRY_GOTO(st, done, read_header(f, o->header, comment));
done:
    if (st != ORR_OK) orr_csv_close(f);
    return st;
}

/* ---- the format ---- */

/* Text has no mark: its first line has no zero byte. */
static int sniff(const orr_bytes *b)
{
    return !memchr(b->p, '\0', (size_t)(find(b->p, b->p + b->n, '\n') - b->p));
}

const orr_format orr_format_csv = {
    .name = "csv",
    .endings = (const char *const[]){ ".csv", ".tsv", ".txt", ".dat", NULL },
    .help =
        ".csv, .tsv, .txt, .dat: text, fields between commas or another delimiter; lines of # may "
        "stand before the table",
    .sniff = sniff,
    .is_text = 1,
};
