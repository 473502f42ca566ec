/* data/formats/csv_read.c - rows of text become samples. */
#include "core/memory.h"
#include "data/formats/csv.h"
#include "data/formats/id_text.h"
#include "data/formats/values.h"

#include <math.h>
#include <omp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

/* One row on its way. */
typedef struct {
    const orr_csv *c;
    const orr_csv_file *f;
    const char *row;
    orr_cursor at;
    double *x, *target, *aux; /* as read */
    int32_t label;
    orr_csv_field id;
} reader;

/* The row's own fault first (too few or too many fields move every column), else the sentence
 * given. */
static orr_status fail_column(const reader *r, int column, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static orr_status fail_column(const reader *r, int column, const char *format, ...)
{
    orr_cursor at = { .p = r->row, .end = r->f->end };
    long long line = orr_csv_line(r->f, r->row);
    char text[512], name[96];
    const char *why = "";
    orr_csv_field field;
    va_list ap;
    int n = 0;

    for (; !at.ended; n++)
        if (orr_csv_field_read(&field, &at, r->c->delimiter, &why) != ORR_OK) {
            if (n < r->c->n_columns)
                orr_csv_column_name(r->c, n, name, sizeof name);
            else
                snprintf(name, sizeof name, "field %d", n + 1);
            return orr_fail(ORR_ERR_FORMAT, "%s:%lld: %s: %s", r->f->path, line, name, why);
        }
    if (n != r->c->n_columns)
        return orr_fail(ORR_ERR_FORMAT, "%s:%lld: %d fields, %d expected", r->f->path, line, n,
                        r->c->n_columns);
    va_start(ap, format);
    vsnprintf(text, sizeof text, format, ap);
    va_end(ap);
    orr_csv_column_name(r->c, column, name, sizeof name);
    return orr_fail(ORR_ERR_FORMAT, "%s:%lld: %s%s", r->f->path, line, name, text);
}

/* The next field without the blanks around it. */
static orr_status next_field(reader *r, int column, orr_csv_field *f)
{
    const char *why;

    if (r->at.ended || orr_csv_field_read(f, &r->at, r->c->delimiter, &why) != ORR_OK) {
        *f = (orr_csv_field){ 0 };
        return fail_column(r, column, ": the row ends before it");
    }
    while (f->p < f->end && (*f->p == ' ' || *f->p == '\t'))
        f->p++;
    while (f->end > f->p && (f->end[-1] == ' ' || f->end[-1] == '\t'))
        f->end--;
    return ORR_OK;
}

static int shown(const orr_csv_field *f)
{
    return f->end - f->p > 60 ? 60 : (int)(f->end - f->p);
}

static orr_status read_number(reader *r, int column, double *v)
{
    orr_csv_field f;

    ORR_TRY(next_field(r, column, &f));
    if (f.p == f.end) {
        if (!r->c->base.keep_nan)
            return fail_column(r, column, " is empty; fix the file or set nan: keep");
        *v = NAN;
        return ORR_OK;
    }
    if (!orr_number_parse(f.p, f.end, v))
        return fail_column(r, column, ": \"%.*s\" is not a number", shown(&f), f.p);
    return ORR_OK;
}

static orr_status read_numbers(reader *r, const orr_csv_run *run, double *v)
{
    size_t n = (size_t)run->n, i = 0;

    for (;;) {
        i += orr_number_fields(&r->at, r->c->delimiter, v + i, n - i);
        if (i == n) return ORR_OK;
        ORR_TRY(read_number(r, run->column + (int)i, &v[i]));
        if (++i == n) return ORR_OK;
    }
}

static orr_status skip(reader *r, const orr_csv_run *run)
{
    orr_csv_field f;

    for (int i = 0; i < run->n; i++)
        ORR_TRY(next_field(r, run->column + i, &f));
    return ORR_OK;
}

static orr_status read_label(reader *r, int column)
{
    const orr_table *t = &r->c->base;
    orr_csv_field f;
    char why[256];
    double v = 0;
    int is_number;

    ORR_TRY(next_field(r, column, &f));
    is_number = orr_number_parse(f.p, f.end, &v);
    r->label = orr_classes_label(&t->classes, f.p, (size_t)(f.end - f.p), v, is_number);
    if (r->label >= 0) return ORR_OK;
    orr_classes_fault(&t->classes, why, sizeof why);
    return fail_column(r, column, ": \"%.*s\" %s", shown(&f), f.p, why);
}

static orr_status read_id(reader *r, int column)
{
    orr_csv_field *f = &r->id;

    ORR_TRY(next_field(r, column, f));
    if (f->p == f->end) return fail_column(r, column, ": the id is empty");
    if (f->end - f->p > ORR_ID_TEXT_MAX)
        return fail_column(r, column, ": the id \"%.*s...\" is longer than %d bytes", shown(f),
                           f->p, ORR_ID_TEXT_MAX);
    if (memchr(f->p, '\0', (size_t)(f->end - f->p)))
        return fail_column(r, column, ": the id has a zero byte in it");
    return ORR_OK;
}

/* Reads the first n_runs runs; all of them also checks that the row ends there. */
static orr_status read_row(reader *r, const orr_csv *c, const orr_csv_row *row, int n_runs)
{
    int file = 0;

    while (file + 1 < c->base.n_inputs && row->number >= c->files[file + 1].first_row)
        file++;
    r->f = &c->files[file];
    r->row = row->p;
    r->at = (orr_cursor){ .p = row->p, .end = r->f->end };
    for (int i = 0; i < n_runs; i++) {
        const orr_csv_run *run = &c->runs[i];

        switch (run->role) {
        case ORR_COL_SKIP:
            ORR_TRY(skip(r, run));
            break;
        case ORR_COL_FEATURE:
            ORR_TRY(r->x ? read_numbers(r, run, r->x + run->place) : skip(r, run));
            break;
        case ORR_COL_TARGET:
            ORR_TRY(r->x ? read_numbers(r, run, r->target + run->place) : skip(r, run));
            break;
        case ORR_COL_AUX:
            ORR_TRY(r->x ? read_numbers(r, run, r->aux + run->place) : skip(r, run));
            break;
        case ORR_COL_LABEL:
            ORR_TRY(read_label(r, run->column));
            break;
        case ORR_COL_ID:
            ORR_TRY(read_id(r, run->column));
            break;
        }
    }
    if (n_runs == c->n_runs && !r->at.ended)
        return fail_column(r, c->n_columns - 1, ": the row goes on after it");
    return ORR_OK;
}

/* The column that value number `place` of a role came from. */
static int column_of(const orr_csv *c, orr_col_role role, size_t place)
{
    for (int i = 0; i < c->n_runs; i++) {
        const orr_csv_run *run = &c->runs[i];

        if (run->role == role && (int)place >= run->place && (int)place < run->place + run->n)
            return run->column + (int)place - run->place;
    }
    return 0;
}

static orr_status fail_value(const reader *r, orr_col_role role, size_t place, orr_x_type type,
                             double v)
{
    char why[128];

    orr_values_fault(why, sizeof why, type, v);
    return fail_column(r, column_of(r->c, role, place), " %s", why);
}

static orr_status store_x(reader *r, void *dst)
{
    const orr_table *t = &r->c->base;
    size_t n = (size_t)r->c->n_features, bad;
    orr_x_type type = t->schema.x_type;

    if (t->zscore) {
        if (!t->keep_nan && (bad = orr_values_first_nonfinite(r->x, n)) < n)
            return fail_value(r, ORR_COL_FEATURE, bad, type, r->x[bad]);
        orr_values_zscore(r->x, n);
    }
    bad = orr_values_store(dst, type, r->x, n, t->keep_nan);
    return bad == n ? ORR_OK : fail_value(r, ORR_COL_FEATURE, bad, type, r->x[bad]);
}

/* Before store_x, which may scale the features. */
static orr_status store_aux(reader *r, float *dst)
{
    const orr_csv *c = r->c;

    for (int i = 0; i < c->base.schema.n_aux; i++) {
        orr_col_role role = c->aux[i].role;
        size_t place = (size_t)c->aux[i].place;
        const double *from = role == ORR_COL_FEATURE  ? r->x
                             : role == ORR_COL_TARGET ? r->target
                                                      : r->aux;

        if (orr_values_store(&dst[i], ORR_X_F32, from + place, 1, c->base.keep_nan) != 1)
            return fail_value(r, role, place, ORR_X_F32, from[place]);
    }
    return ORR_OK;
}

static orr_status store_y(reader *r, char *dst)
{
    size_t n = (size_t)r->c->n_targets, bad;

    if (r->c->base.has_label) {
        memcpy(dst, &r->label, sizeof r->label);
        return ORR_OK;
    }
    bad = orr_values_store(dst, ORR_X_F32, r->target, n, r->c->base.keep_nan);
    return bad == n ? ORR_OK : fail_value(r, ORR_COL_TARGET, bad, ORR_X_F32, r->target[bad]);
}

static orr_status store_id(reader *r, char *dst)
{
    const orr_schema *s = &r->c->base.schema;
    size_t n = (size_t)(r->id.end - r->id.p);
    int column = column_of(r->c, ORR_COL_ID, 0);
    int64_t v;

    if (s->id_type == ORR_ID_INT) {
        if (!orr_id_integer(r->id.p, n, &v))
            return fail_column(r, column,
                               ": the id \"%.*s\" is no integer, and the label range said all are",
                               shown(&r->id), r->id.p);
        memcpy(dst, &v, sizeof v);
        return ORR_OK;
    }
    if (n > (size_t)s->id_bytes)
        return fail_column(
            r, column, ": the id \"%.*s\" is longer than %d bytes, the longest of the label range",
            shown(&r->id), r->id.p, s->id_bytes);
    memset(dst, 0, (size_t)s->id_bytes);
    memcpy(dst, r->id.p, n);
    return ORR_OK;
}

/* All the rows of one call. */
typedef struct {
    const orr_csv *c;
    int64_t n;
    orr_csv_row *rows;
    orr_rows *out;
    double *scratch; /* of each thread */
    size_t stride, x_bytes, y_bytes, id_bytes;
    int wants_aux;
} job;

static orr_status do_row(const job *j, int64_t i, double *scratch)
{
    const orr_rows *o = j->out;
    reader r = { .c = j->c };
    int whole = o->x || (o->y && j->c->n_targets) || j->wants_aux;

    if (whole) {
        r.x = scratch;
        r.target = scratch + j->c->n_features;
        r.aux = r.target + j->c->n_targets;
    }
    ORR_TRY(read_row(&r, j->c, &j->rows[i], whole ? j->c->n_runs : j->c->n_label_runs));
    if (j->wants_aux) ORR_TRY(store_aux(&r, o->aux + (size_t)i * (size_t)j->c->base.schema.n_aux));
    if (o->x) ORR_TRY(store_x(&r, (char *)o->x + (size_t)i * j->x_bytes));
    if (o->y && j->y_bytes) ORR_TRY(store_y(&r, (char *)o->y + (size_t)i * j->y_bytes));
    if (o->id && j->c->base.has_id) ORR_TRY(store_id(&r, (char *)o->id + (size_t)i * j->id_bytes));
    return ORR_OK;
}

static void lower(_Atomic int64_t *at, int64_t v)
{
    int64_t now = atomic_load(at);

    while (v < now && !atomic_compare_exchange_weak(at, &now, v)) {
    }
}

/* The sentence of a failure is the failing thread's own, and which thread fails first is chance: so
 * the lowest bad row is found first, and then read again here. */
static orr_status do_rows(const job *j, int threads)
{
    _Atomic int64_t bad = j->n;
    orr_status st;

#pragma omp parallel for schedule(dynamic, 8) num_threads(threads) if (threads > 1)
    for (int64_t i = 0; i < j->n; i++) {
        if (i > atomic_load_explicit(&bad, memory_order_relaxed)) continue;
        if (do_row(j, i, j->scratch + (size_t)omp_get_thread_num() * j->stride) != ORR_OK)
            lower(&bad, i);
    }
    if (bad == j->n) return ORR_OK;
    st = do_row(j, bad, j->scratch);
    return st != ORR_OK ? st
                        : orr_fail(ORR_ERR_IO, "%s: the file changed while it was read",
                                   j->c->files[0].path);
}

orr_status orr_csv_read(const orr_table *t, int64_t first, int64_t n, orr_rows *rows, int threads)
{
    const orr_csv *c = (const orr_csv *)t;
    job j = { .c = c, .n = n, .out = rows, .wants_aux = rows->aux && t->schema.n_aux };
    int numbers = rows->id && !t->has_id && t->where.n; /* ids that only the rows' places tell */
    orr_status st = ORR_OK;

    if (!rows->x && !(rows->y && t->schema.y_type != ORR_Y_NONE) && !(rows->id && t->has_id) &&
        !j.wants_aux && !numbers)
        return ORR_OK;
    if (threads > n) threads = (int)n;
    j.x_bytes = orr_schema_x_bytes(&t->schema);
    j.y_bytes = t->schema.y_type == ORR_Y_NONE ? 0 : orr_schema_y_bytes(&t->schema);
    j.id_bytes = orr_schema_id_bytes(&t->schema);
    j.stride =
        ((size_t)c->n_features + (size_t)c->n_targets + (size_t)c->n_aux_columns + 15) & ~(size_t)7;
    j.rows = orr_alloc((size_t)n, sizeof *j.rows);
    j.scratch = orr_alloc(j.stride * (size_t)threads, sizeof *j.scratch);
    if (!j.rows || !j.scratch)
        ORR_TRY_GOTO(st, done,
                     orr_fail(ORR_ERR_NOMEM, "out of memory: %lld rows of csv", (long long)n));
    ORR_TRY_GOTO(st, done, orr_csv_locate(c, first, n, j.rows, threads));
    for (int64_t i = 0; numbers && i < n; i++)
        ((int64_t *)rows->id)[i] = t->id_start + j.rows[i].number;
    ORR_TRY_GOTO(st, done, do_rows(&j, threads));
done:
    orr_free(j.rows);
    orr_free(j.scratch);
    return st;
}

orr_status orr_csv_label_range(const orr_table *t, int64_t first, int64_t n, int32_t *max_label,
                               int *max_id_bytes)
{
    const orr_csv *c = (const orr_csv *)t;
    reader r = { .c = c };
    orr_status st = ORR_OK;
    orr_csv_row *rows;
    int text = 0;

    if (!t->has_label && !t->has_id) return ORR_OK;
    if (!(rows = orr_alloc((size_t)n, sizeof *rows)))
        return orr_fail(ORR_ERR_NOMEM, "out of memory: %lld rows of csv", (long long)n);
    ORR_TRY_GOTO(st, done, orr_csv_locate(c, first, n, rows, 1));
    for (int64_t i = 0; i < n; i++) {
        int64_t v;
        int bytes;

        ORR_TRY_GOTO(st, done, read_row(&r, c, &rows[i], c->n_label_runs));
        if (t->has_label && r.label > *max_label) *max_label = r.label;
        if (!t->has_id) continue;
        bytes = (int)(r.id.end - r.id.p);
        if (!orr_id_integer(r.id.p, (size_t)bytes, &v)) text = bytes > text ? bytes : text;
    }
    *max_id_bytes = text;
done:
    orr_free(rows);
    return st;
}
