/* data/readers/csv_scan.c - where rows begin. */
#include "core/memory.h"
#include "data/readers/csv.h"

#include <string.h>

int orr_csv_blank(const char *p, const char *end)
{
    return p >= end || *p == '\n' || (*p == '\r' && (p + 1 == end || p[1] == '\n'));
}

static const char *find(const char *p, const char *end, char c)
{
    const char *at = p < end ? memchr(p, c, (size_t)(end - p)) : NULL;

    return at ? at : end;
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

int64_t orr_csv_line(const orr_csv_file *f, const char *p)
{
    int64_t line = 1;

    for (const char *q = f->bytes.p; (q = find(q, p, '\n')) < p; q++)
        line++;
    return line;
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

orr_status orr_csv_scan_part(const orr_table *t, int part, orr_scan *out)
{
    const orr_csv *c = (const orr_csv *)t;
    orr_csv_part *p = &c->parts[part];
    const orr_csv_file *f = &c->files[p->file];
    walk w = walk_begin(p->begin, p->end);
    size_t cap = 256;

    orr_free(p->index);
    p->n_index = 0;
    if (!(p->index = orr_alloc(cap, sizeof *p->index)))
        return orr_fail(ORR_ERR_NOMEM, "%s: out of memory: index of rows", f->path);
    for (const char *row = p->begin; row < p->end; row = w.p) {
        if (row == p->begin ? begins_row(f, row) : !orr_csv_blank(row, f->end)) {
            int64_t nth = out->rows[w.quotes & 1]++;

            if (!(w.quotes & 1) && nth % ORR_CSV_INDEX_STEP == 0) {
                if ((size_t)p->n_index == cap) {
                    const char **more = orr_realloc(p->index, cap, cap * 2, sizeof *p->index);

                    if (!more)
                        return orr_fail(ORR_ERR_NOMEM, "%s: out of memory: index of rows", f->path);
                    p->index = more;
                    cap *= 2;
                }
                p->index[p->n_index++] = row;
            }
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
    orr_csv *c = (orr_csv *)t;
    int64_t row = 0;

    for (int i = 0; i < t->n_inputs; i++) {
        orr_csv_file *f = &c->files[i];
        int inside = 0;

        f->first_row = row;
        for (int k = f->first_part; k < f->first_part + f->n_parts; k++) {
            c->parts[k].first_row = row;
            c->parts[k].inside = inside;
            c->parts[k].rows = parts[k].rows[inside];
            row += parts[k].rows[inside];
            inside ^= (int)(parts[k].quotes & 1);
        }
        f->rows = row - f->first_row;
        if (inside) return fail_unclosed(f);
        if (f->rows == 0)
            return orr_fail(ORR_ERR_FORMAT, "%s: the file has %s and no rows", f->path,
                            c->has_names ? "a header" : "only empty lines");
    }
    return orr_table_set_rows(t, row);
}

/* First bytes of those of rows [first, first + n) that begin in one part. */
static void locate_in_part(const orr_csv *c, const orr_csv_part *p, int64_t first, int64_t n,
                           const char **rows)
{
    const orr_csv_file *f = &c->files[p->file];
    int64_t nth = p->first_row, from = first > p->first_row ? first : p->first_row;
    int64_t step = (from - p->first_row) / ORR_CSV_INDEX_STEP;
    int use_index = !p->inside && p->index && step < p->n_index;
    const char *start = use_index ? p->index[step] : p->begin, *row;
    walk w = walk_begin(start, p->end);

    if (use_index) nth += step * ORR_CSV_INDEX_STEP;
    w.quotes = use_index ? 0 : p->inside; /* only whether they are odd counts */
    for (row = start; row < p->end && nth < first + n && nth < p->first_row + p->rows; row = w.p) {
        int is_row = row == p->begin ? begins_row(f, row) : !orr_csv_blank(row, f->end);

        if (is_row && !(w.quotes & 1)) {
            if (nth >= first) rows[nth - first] = row;
            nth++;
        }
        walk_next(&w);
    }
}

/* The part in which row number `row` begins. */
static int part_of(const orr_csv *c, int64_t row)
{
    int lo = 0, hi = c->base.n_parts - 1;

    while (lo < hi) {
        int mid = lo + (hi - lo + 1) / 2;

        if (c->parts[mid].first_row <= row)
            lo = mid;
        else
            hi = mid - 1;
    }
    return lo;
}

orr_status orr_csv_locate(const orr_csv *c, int64_t first, int64_t n, const char **rows,
                          int threads)
{
    int from = part_of(c, first), to = part_of(c, first + n - 1);

    (void)threads;
#pragma omp parallel for schedule(dynamic) num_threads(threads) if (to > from && threads > 1)
    for (int i = from; i <= to; i++)
        locate_in_part(c, &c->parts[i], first, n, rows);
    for (int64_t i = 0; i < n; i++)
        if (!rows[i])
            return orr_fail(ORR_ERR_FORMAT,
                            "%s: row %lld is not where the scan found it; did the file change?",
                            c->files[c->parts[from].file].path, (long long)(first + i + 1));
    return ORR_OK;
}
