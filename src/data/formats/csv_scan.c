/* data/formats/csv_scan.c - where the rows of a text table begin, and which of them pass. */
#include "core/memory.h"
#include "data/formats/csv_table_private.h"

#include <limits.h>
#include <string.h>

static const char *find(const char *p, const char *end, char c)
{
    const char *at = p < end ? memchr(p, c, (size_t)(end - p)) : NULL;

    return at ? at : end;
}

/* Cuts all files into parts of about part_bytes. */
orr_status orr_csv_make_parts(orr_csv_table *c, size_t part_bytes)
{
    int64_t total = 0;

    if (part_bytes == 0) part_bytes = 1;
    for (int i = 0; i < c->base.n_inputs; i++) {
        const orr_csv_file *f = &c->files[i];
        orr_csv_span *span = &c->spans[i];
        size_t bytes = (size_t)(f->end - f->data), n = (bytes + part_bytes - 1) / part_bytes;

        span->first_part = (int)total;
        span->n_parts = n ? (int)n : 1;
        if ((total += span->n_parts) > INT_MAX / 2)
            return orr_fail(ORR_ERR_ARG, "csv: more than %d parts", INT_MAX / 2);
    }
    if (!(c->parts = orr_alloc((size_t)total, sizeof *c->parts)))
        return orr_fail(ORR_ERR_NOMEM, "out of memory: %lld parts of csv files", (long long)total);
    c->base.n_parts = (int)total;
    for (int i = 0; i < c->base.n_inputs; i++) {
        const orr_csv_file *f = &c->files[i];
        const orr_csv_span *span = &c->spans[i];

        for (int k = 0; k < span->n_parts; k++) {
            const char *begin = f->data + (size_t)k * part_bytes;
            size_t left = (size_t)(f->end - begin);

            c->parts[span->first_part + k] = (orr_csv_part){
                .begin = begin, .end = left > part_bytes ? begin + part_bytes : f->end, .file = i
            };
        }
    }
    return ORR_OK;
}

/* Walks the newlines of a part, telling outside from inside by the quotes before them. */
typedef struct {
    const char *p, *end, *quote; /* quote: the next one at or after p, or end */
    int64_t quotes;
} walk;

static walk walk_begin(const char *begin, const char *end)
{
    return (walk){ .p = begin, .end = end, .quote = find(begin, end, '"') };
}

/* The next newline, or end; w->quotes are those before it. */
static const char *walk_next(walk *w)
{
    const char *newline = find(w->p, w->end, '\n');

    while (w->quote < newline) {
        w->quotes++;
        w->quote = find(w->quote + 1, w->end, '"');
    }
    w->p = newline < w->end ? newline + 1 : newline;
    return newline;
}

/* A row that begins at the part's first byte follows a newline of the part before; its state is the
 * part's own. */
static int begins_row(const orr_csv_file *f, const char *p)
{
    return (p == f->data || p[-1] == '\n') && !orr_csv_blank(p, f->end);
}

/* Does the row at p pass the filter?  A row that cannot be read does: reading it says why. */
static int passes(const orr_csv_table *c, const orr_csv_file *f, const char *p)
{
    orr_cursor at = { .p = p, .end = f->end };
    const orr_where *w = &c->base.where;
    const char *why;
    orr_csv_field field = { .p = p, .end = p };
    int column = -1;

    for (int i = 0; i < w->n; i++) {
        for (; column < w->list[i].column; column++)
            if (at.ended || orr_csv_field_read(&field, &at, f->delimiter, &why) != ORR_OK) return 1;
        if (orr_classes_find(&w->list[i].values, field.p, orr_csv_field_bytes(&field)) < 0)
            return 0;
    }
    return 1;
}

/* Another mark at the end of a part's index. */
static orr_status add_mark(orr_csv_part *p, size_t *cap, const char *row, int64_t kept)
{
    size_t want = *cap ? *cap * 2 : 256;

    if ((size_t)p->n_index == *cap) {
        orr_csv_mark *more = orr_realloc(p->index, *cap, want, sizeof *more);

        if (!more) return orr_fail(ORR_ERR_NOMEM, "out of memory: index of %zu rows", want);
        p->index = more;
        *cap = want;
    }
    p->index[p->n_index++] = (orr_csv_mark){ row, kept };
    return ORR_OK;
}

orr_status orr_csv_scan_part(const orr_table *t, int part, orr_scan *out)
{
    const orr_csv_table *c = (const orr_csv_table *)t;
    orr_csv_part *p = &c->parts[part];
    const orr_csv_file *f = &c->files[p->file];
    walk w = walk_begin(p->begin, p->end);
    size_t cap = 0;

    orr_free(p->index);
    p->index = NULL;
    p->n_index = 0;
    for (const char *row = p->begin; row < p->end; row = w.p) {
        if (row == p->begin ? begins_row(f, row) : !orr_csv_blank(row, f->end)) {
            int odd = (int)(w.quotes & 1);
            int64_t nth = out->rows[odd]++;

            if (!odd && nth % ORR_CSV_INDEX_STEP == 0)
                ORR_TRY(add_mark(p, &cap, row, out->kept[0]));
            out->kept[odd] += !t->where.n || passes(c, f, row);
        }
        walk_next(&w);
    }
    out->quotes = w.quotes;
    return ORR_OK;
}

/* The row in which the quote that is never closed stands. */
static orr_status fail_unclosed(const orr_csv_file *f)
{
    const char *row = f->data;

    for (const char *next = row; next < f->end; next = orr_csv_line_end(next, f->end) + 1)
        row = next;
    return orr_fail(
        ORR_ERR_FORMAT,
        "%s:%lld: a quote is opened in this row and not closed before the end of the file; "
        "a quote within a field is written twice",
        f->path, (long long)orr_csv_line(f, row));
}

orr_status orr_csv_scan_end(orr_table *t, const orr_scan *parts)
{
    orr_csv_table *c = (orr_csv_table *)t;
    int64_t row = 0, kept = 0;

    for (int i = 0; i < t->n_inputs; i++) {
        const orr_csv_file *f = &c->files[i];
        orr_csv_span *span = &c->spans[i];
        int inside = 0;

        span->first_row = row;
        for (int k = span->first_part; k < span->first_part + span->n_parts; k++) {
            c->parts[k].first_row = row;
            c->parts[k].inside = inside;
            c->parts[k].rows = parts[k].rows[inside];
            c->parts[k].first_kept = kept;
            c->parts[k].kept = parts[k].kept[inside];
            row += parts[k].rows[inside];
            kept += parts[k].kept[inside];
            inside ^= (int)(parts[k].quotes & 1);
        }
        span->rows = row - span->first_row;
        if (inside) return fail_unclosed(f);
        if (span->rows == 0)
            return orr_fail(ORR_ERR_FORMAT, "%s: the file has %s and no rows", f->path,
                            f->names ? "a header" : "only empty lines");
    }
    return orr_table_set_rows(t, row, kept);
}

/* The last mark before or at which `kept` rows of the part passed. */
static int64_t mark_of(const orr_csv_part *p, int64_t kept)
{
    int64_t lo = 0, hi = p->n_index - 1;

    while (lo < hi) {
        int64_t mid = lo + (hi - lo + 1) / 2;

        if (p->index[mid].kept <= kept)
            lo = mid;
        else
            hi = mid - 1;
    }
    return lo;
}

/* Where those of rows [first, first + n) are that begin in one part. */
static void locate_in_part(const orr_csv_table *c, const orr_csv_part *p, int64_t first, int64_t n,
                           orr_csv_row *rows)
{
    const orr_csv_file *f = &c->files[p->file];
    int64_t nth = p->first_row, kept = p->first_kept;
    int64_t last = p->first_kept + p->kept < first + n ? p->first_kept + p->kept : first + n;
    const char *start = p->begin, *row;
    int use_index = !p->inside && p->n_index > 0;
    walk w;

    if (use_index) {
        int64_t k = mark_of(p, first > kept ? first - kept : 0);

        start = p->index[k].row;
        nth += k * ORR_CSV_INDEX_STEP;
        kept += p->index[k].kept;
    }
    w = walk_begin(start, p->end);
    w.quotes = use_index ? 0 : p->inside; /* only whether they are odd counts */
    for (row = start; row < p->end && kept < last; row = w.p) {
        int is_row = row == p->begin ? begins_row(f, row) : !orr_csv_blank(row, f->end);

        if (is_row && !(w.quotes & 1)) {
            if (!c->base.where.n || passes(c, f, row)) {
                if (kept >= first) rows[kept - first] = (orr_csv_row){ row, nth };
                kept++;
            }
            nth++;
        }
        walk_next(&w);
    }
}

/* The last part that begins with row number `row` or before it, of those that pass. */
static int part_of(const orr_csv_table *c, int64_t row)
{
    int lo = 0, hi = c->base.n_parts - 1;

    while (lo < hi) {
        int mid = lo + (hi - lo + 1) / 2;

        if (c->parts[mid].first_kept <= row)
            lo = mid;
        else
            hi = mid - 1;
    }
    return lo;
}

orr_status orr_csv_locate(const orr_csv_table *c, int64_t first, int64_t n, orr_csv_row *rows,
                          int threads)
{
    int from = part_of(c, first), to = part_of(c, first + n - 1);

    (void)threads;
#pragma omp parallel for schedule(dynamic) num_threads(threads) if (to > from && threads > 1)
    for (int i = from; i <= to; i++)
        locate_in_part(c, &c->parts[i], first, n, rows);
    for (int64_t i = 0; i < n; i++)
        if (!rows[i].p)
            return orr_fail(ORR_ERR_FORMAT,
                            "%s: row %lld is not where the scan found it; did the file change?",
                            c->files[c->parts[from].file].path, (long long)(first + i + 1));
    return ORR_OK;
}
