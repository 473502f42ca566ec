/* data/formats/csv_table.c - a text table's rows become samples: which column is what, and rows of
 * any range by any thread. */
#include "core/memory.h"
#include "data/formats/csv_table_private.h"
#include "data/formats/id.h"
#include "data/formats/names.h"
#include "data/formats/tables_private.h"
#include "data/formats/text_value.h"
#include "data/formats/values.h"

#include <ctype.h>
#include <math.h>
#include <omp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

/* ---- which column is what ---- */

/* Of each column, as the choice says. */
typedef struct {
    orr_col_role *role;
    int *place; /* among those of its role */
} roles;

static void give(const roles *r, const orr_picks *p, orr_col_role role)
{
    for (int i = 0; i < p->n; i++) {
        r->role[p->list[i].column] = role;
        r->place[p->list[i].column] = i;
    }
}

/* A copy of something else, or a column of its own. */
static void give_aux(orr_csv_table *c, const roles *r)
{
    for (int i = 0; i < c->choice.aux.n; i++) {
        int column = c->choice.aux.list[i].column;

        if (r->role[column] == ORR_COL_SKIP) {
            r->role[column] = ORR_COL_AUX;
            r->place[column] = c->n_aux_columns++;
        }
        c->aux[i].role = r->role[column];
        c->aux[i].place = r->place[column];
        c->label_is_number |= r->role[column] == ORR_COL_LABEL;
    }
}

/* Neighbouring columns of one role become one run. */
static void make_runs(orr_csv_table *c, const roles *r)
{
    for (int i = 0; i < c->files->n_columns; i++) {
        orr_csv_run *last = c->n_runs ? &c->runs[c->n_runs - 1] : NULL;
        orr_col_role role = r->role[i];

        if (last && last->role == role && role != ORR_COL_LABEL && role != ORR_COL_ID &&
            (role == ORR_COL_SKIP || r->place[i] == last->place + last->n)) {
            last->n++;
        } else {
            c->runs[c->n_runs++] = (orr_csv_run){ role, i, 1, r->place[i] };
            if (role == ORR_COL_LABEL || role == ORR_COL_ID) c->n_label_runs = c->n_runs;
        }
    }
}

static orr_status find_roles(orr_csv_table *c)
{
    size_t n = (size_t)c->files->n_columns;
    roles r = { .role = orr_alloc(n, sizeof *r.role), .place = orr_alloc(n, sizeof *r.place) };
    orr_status st = ORR_OK;

    if (!r.role || !r.place)
        ORR_TRY_GOTO(st, done,
                     orr_fail(ORR_ERR_NOMEM, "out of memory: %d columns", c->files->n_columns));
    c->n_features = c->choice.x.n;
    c->n_targets = c->choice.y.n;
    give(&r, &c->choice.x, ORR_COL_FEATURE);
    give(&r, &c->choice.y, ORR_COL_TARGET);
    if (c->base.has_label) r.role[c->choice.label.column] = ORR_COL_LABEL;
    for (int i = 0; i < c->choice.n_id; i++) {
        r.role[c->choice.id[i].column] = ORR_COL_ID;
        r.place[c->choice.id[i].column] = i;
    }
    give_aux(c, &r);
    if (!(c->runs = orr_alloc(n, sizeof *c->runs)))
        ORR_TRY_GOTO(st, done,
                     orr_fail(ORR_ERR_NOMEM, "out of memory: %d columns", c->files->n_columns));
    make_runs(c, &r);
done:
    orr_free(r.role);
    orr_free(r.place);
    return st;
}

static orr_choice_from choice_from(const orr_csv_table *c)
{
    return (orr_choice_from){ .names = { .what = c->files->path,
                                         .list = (const char *const *)c->files->names,
                                         .n = c->files->n_columns,
                                         .by_number = 1 } };
}

static void column_name(const orr_table *t, orr_values_kind kind, size_t column, char *buf,
                        size_t bytes)
{
    const orr_csv_table *c = (const orr_csv_table *)t;
    const orr_choice_from from = choice_from(c);

    orr_choice_column_name(&c->choice, &from, kind, column, buf, bytes);
}

static orr_status choose(orr_csv_table *c, const orr_table_opts *o)
{
    const orr_choice_from from = choice_from(c);

    ORR_TRY(orr_choice_make(&c->choice, &c->base, &from, o));
    return find_roles(c);
}

/* ---- reading ---- */

/* One row on its way. */
typedef struct {
    const orr_csv_table *c;
    const orr_csv_file *f;
    const char *row;
    orr_cursor at;
    double *x, *target, *aux; /* as read */
    int32_t label;
    double label_number; /* when it is an aux number, too */
    orr_classes *learn;  /* labels are added to it and mean nothing yet; NULL: they are classes */
    orr_csv_field id;
    char part[ORR_ID_PARTS][ORR_ID_TEXT_MAX + 1]; /* of an id of several columns */
    int gaps;                                     /* values that are none */
} reader;

/* The row's own fault first (too few or too many fields move every column), else the sentence
 * given. */
static orr_status fail_column(const reader *r, int column, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static orr_status fail_column(const reader *r, int column, const char *format, ...)
{
    char text[512], name[96];
    va_list ap;

    ORR_TRY(orr_csv_check_row(r->f, r->row));
    va_start(ap, format);
    vsnprintf(text, sizeof text, format, ap);
    va_end(ap);
    orr_csv_column_name(r->c->files, column, name, sizeof name);
    return orr_fail(ORR_ERR_FORMAT, "%s:%lld: %s%s", r->f->path,
                    (long long)orr_csv_line(r->f, r->row), name, text);
}

static orr_status next_field(reader *r, int column, orr_csv_field *f)
{
    const char *why;

    if (!r->at.ended && orr_csv_field_read(f, &r->at, r->f->delimiter, &why) == ORR_OK)
        return ORR_OK;
    *f = (orr_csv_field){ 0 };
    return fail_column(r, column, ": the row ends before it");
}

/* What the column of a place of a role has for no value. */
static const orr_missing *missing_of(const orr_csv_table *c, orr_col_role role, int place)
{
    const orr_table *t = &c->base;
    const orr_value_rule *rule = &t->rule[role == ORR_COL_TARGET ? ORR_VALUES_Y : ORR_VALUES_X];

    for (int i = 0; role == ORR_COL_AUX && i < t->schema.n_aux; i++)
        if (c->aux[i].role == role && c->aux[i].place == place) {
            rule = &t->rule[ORR_VALUES_AUX];
            place = i;
            break;
        }
    return rule->of ? &rule->of[place] : &rule->for_all;
}

static orr_status read_number(reader *r, const orr_csv_run *run, int i, double *v)
{
    orr_csv_field f;
    int column = run->column + i;

    ORR_TRY(next_field(r, column, &f));
    if (!orr_text_real(f.p, orr_csv_field_bytes(&f), v)) {
        *v = NAN;
        if (!orr_is_missing_text(missing_of(r->c, run->role, run->place + i), f.p,
                                 orr_csv_field_bytes(&f)))
            return fail_column(r, column, ": \"%.*s\" is not a number", orr_csv_field_shown(&f),
                               f.p);
    }
    if (isnan(*v) && orr_table_policy(&r->c->base) == ORR_MISSING_REFUSE)
        return fail_column(r, column, " is %s; fix the file, or set nan: drop or keep",
                           f.p == f.end ? "empty" : "nan");
    return ORR_OK;
}

static orr_status read_numbers(reader *r, const orr_csv_run *run, double *v)
{
    size_t n = (size_t)run->n, i = 0;

    for (;;) {
        i += orr_number_fields(&r->at, r->f->delimiter, v + i, n - i);
        if (i == n) return ORR_OK;
        ORR_TRY(read_number(r, run, (int)i, &v[i]));
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

    ORR_TRY(next_field(r, column, &f));
    if (r->learn)
        return orr_text_is_null(f.p, orr_csv_field_bytes(&f)) ||
                       orr_is_missing_text(&t->label_missing, f.p, orr_csv_field_bytes(&f))
                   ? ORR_OK
                   : orr_classes_add(r->learn, f.p, orr_csv_field_bytes(&f));
    if (orr_text_is_null(f.p, orr_csv_field_bytes(&f)) ||
        orr_is_missing_text(&t->label_missing, f.p, orr_csv_field_bytes(&f))) {
        r->label = orr_classes_find(&t->classes, f.p, orr_csv_field_bytes(&f));
        r->label_number = NAN;
        r->gaps += r->label < 0;
        if (r->label >= 0 || orr_table_policy(t) == ORR_MISSING_DROP) return ORR_OK;
        if (f.p == f.end)
            return fail_column(r, column, ": the label is empty; fix the file, or set nan: drop");
        return fail_column(r, column,
                           ": the label \"%.*s\" is none; fix the file, or set nan: drop",
                           orr_csv_field_shown(&f), f.p);
    }
    if (r->c->label_is_number && !orr_text_real(f.p, orr_csv_field_bytes(&f), &r->label_number))
        return fail_column(r, column, ": \"%.*s\" is not a number", orr_csv_field_shown(&f), f.p);
    r->label = orr_classes_label(&t->classes, f.p, orr_csv_field_bytes(&f));
    if (r->label >= 0) return ORR_OK;
    orr_classes_fault(&t->classes, why, sizeof why);
    return fail_column(r, column, ": \"%.*s\" %s", orr_csv_field_shown(&f), f.p, why);
}

static orr_status fail_id(const reader *r, int column, const orr_csv_field *f, const char *why)
{
    return fail_column(r, column, ": the id%s%.*s%s %s", f->p == f->end ? "" : " \"",
                       orr_csv_field_shown(f), f->p, f->p == f->end ? "" : "\"", why);
}

/* The id, or a part of it. */
static orr_status read_id(reader *r, int column, int place)
{
    orr_csv_field *f = &r->id;
    const char *why;

    ORR_TRY(next_field(r, column, f));
    if ((why = orr_id_fault(f->p, orr_csv_field_bytes(f)))) return fail_id(r, column, f, why);
    if (r->c->choice.n_id == 1 || !f->p) return ORR_OK;
    memcpy(r->part[place], f->p, orr_csv_field_bytes(f));
    r->part[place][orr_csv_field_bytes(f)] = '\0';
    return ORR_OK;
}

/* The parts, in the order in which they were asked for, become the id. */
static orr_status join_id(reader *r)
{
    const orr_choice *c = &r->c->choice;
    orr_csv_field *f = &r->id;
    char id[ORR_ID_TEXT_MAX + 1];
    const char *why;
    size_t n = 0;

    for (int i = 0; i < c->n_id; i++) {
        if (!(why = orr_id_join(id, &n, r->part[i], strlen(r->part[i])))) continue;
        *f = (orr_csv_field){ .p = r->part[i], .end = r->part[i] + strlen(r->part[i]) };
        return fail_id(r, c->id[i].column, f, why);
    }
    memcpy(f->buf, id, n);
    f->p = f->buf;
    f->end = f->buf + n;
    return ORR_OK;
}

static void begin_row(reader *r, const orr_csv_row *row)
{
    const orr_csv_table *c = r->c;
    int file = 0;

    while (file + 1 < c->base.n_inputs && row->number >= c->spans[file + 1].first_row)
        file++;
    r->f = &c->files[file];
    r->row = row->p;
    r->at = (orr_cursor){ .p = row->p, .end = r->f->end };
}

/* Reads the first n_runs runs; all of them also checks that the row ends there. */
static orr_status read_row(reader *r, const orr_csv_table *c, const orr_csv_row *row, int n_runs)
{
    begin_row(r, row);
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
            ORR_TRY(read_id(r, run->column, run->place));
            break;
        }
    }
    if (c->choice.n_id > 1 && n_runs >= c->n_label_runs) ORR_TRY(join_id(r));
    if (n_runs == c->n_runs && !r->at.ended)
        return fail_column(r, r->f->n_columns - 1, ": the row goes on after it");
    return ORR_OK;
}

/* The column that value number `place` of a role came from. */
static int column_of(const orr_csv_table *c, orr_col_role role, size_t place)
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

/* Values of one kind: what is none becomes so, or is refused. */
static orr_status clean(reader *r, orr_values_kind kind, orr_col_role role, double *v, size_t n)
{
    size_t bad = orr_values_clean(&r->c->base.rule[kind], v, n, &r->gaps);

    return bad == n ? ORR_OK : fail_value(r, role, bad, ORR_X_F32, v[bad]);
}

static orr_status store_x(reader *r, void *dst)
{
    const orr_table *t = &r->c->base;
    size_t n = (size_t)r->c->n_features, bad;
    orr_x_type type = t->schema.x_type;

    ORR_TRY(clean(r, ORR_VALUES_X, ORR_COL_FEATURE, r->x, n));
    if (t->zscore) orr_values_zscore(r->x, n);
    bad = orr_values_store(&t->rule[ORR_VALUES_X], dst, type, r->x, n);
    return bad == n ? ORR_OK : fail_value(r, ORR_COL_FEATURE, bad, type, r->x[bad]);
}

/* Before store_x and store_y, which change what they store. */
static orr_status store_aux(reader *r, float *dst)
{
    const orr_csv_table *c = r->c;
    const orr_value_rule *rule = &c->base.rule[ORR_VALUES_AUX];
    double v[ORR_MAX_AUX];
    size_t n = (size_t)c->base.schema.n_aux, bad;

    for (size_t i = 0; i < n; i++) {
        const orr_col_role role = c->aux[i].role;

        v[i] = role == ORR_COL_FEATURE  ? r->x[c->aux[i].place]
               : role == ORR_COL_TARGET ? r->target[c->aux[i].place]
               : role == ORR_COL_LABEL  ? r->label_number
                                        : r->aux[c->aux[i].place];
    }
    bad = orr_values_clean(rule, v, n, &r->gaps);
    if (bad == n) bad = orr_values_store(rule, dst, ORR_X_F32, v, n);
    return bad == n ? ORR_OK
                    : fail_value(r, c->aux[bad].role, (size_t)c->aux[bad].place, ORR_X_F32, v[bad]);
}

static orr_status store_y(reader *r, char *dst)
{
    size_t n = (size_t)r->c->n_targets, bad;

    if (r->c->base.has_label) {
        memcpy(dst, &r->label, sizeof r->label);
        return ORR_OK;
    }
    ORR_TRY(clean(r, ORR_VALUES_Y, ORR_COL_TARGET, r->target, n));
    bad = orr_values_store(&r->c->base.rule[ORR_VALUES_Y], dst, ORR_X_F32, r->target, n);
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
                               orr_csv_field_shown(&r->id), r->id.p);
        memcpy(dst, &v, sizeof v);
        return ORR_OK;
    }
    if (n > (size_t)s->id_bytes)
        return fail_column(
            r, column, ": the id \"%.*s\" is longer than %d bytes, the longest of the label range",
            orr_csv_field_shown(&r->id), r->id.p, s->id_bytes);
    memset(dst, 0, (size_t)s->id_bytes);
    memcpy(dst, r->id.p, n);
    return ORR_OK;
}

/* All the rows of one call. */
typedef struct {
    const orr_csv_table *c;
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
    if (o->gaps) o->gaps[i] = r.gaps > 0;
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

static orr_status read_rows(const orr_table *t, int64_t first, int64_t n, orr_rows *rows,
                            int threads)
{
    const orr_csv_table *c = (const orr_csv_table *)t;
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

static orr_status label_range(const orr_table *t, int64_t first, int64_t n, int32_t *max_label,
                              int *max_id_bytes)
{
    const orr_csv_table *c = (const orr_csv_table *)t;
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

static orr_status learn(const orr_table *t, int64_t first, int64_t n, orr_classes *values)
{
    const orr_csv_table *c = (const orr_csv_table *)t;
    reader r = { .c = c, .learn = values };
    orr_csv_row *rows = orr_alloc((size_t)n, sizeof *rows);
    orr_status st = ORR_OK;

    if (!rows) return orr_fail(ORR_ERR_NOMEM, "out of memory: %lld rows of csv", (long long)n);
    ORR_TRY_GOTO(st, done, orr_csv_locate(c, first, n, rows, 1));
    for (int64_t i = 0; i < n; i++)
        ORR_TRY_GOTO(st, done, read_row(&r, c, &rows[i], c->n_label_runs));
done:
    orr_free(rows);
    return st;
}

/* The whole numbers among the features of one row. */
static orr_status whole_row(reader *r, const char *wanted, int64_t *values, char *is_whole)
{
    const orr_csv_table *c = r->c;
    orr_csv_field f;

    for (int i = 0; i < c->n_runs; i++) {
        const orr_csv_run *run = &c->runs[i];

        for (int k = 0; k < run->n; k++) {
            int place = run->place + k;

            ORR_TRY(next_field(r, run->column + k, &f));
            if (run->role == ORR_COL_FEATURE && wanted[place])
                is_whole[place] = !orr_integer_parse(f.p, orr_csv_field_bytes(&f), &values[place]);
        }
    }
    return ORR_OK;
}

static orr_status whole(const orr_table *t, int64_t first, int64_t n, const char *wanted,
                        int64_t *values, char *is_whole)
{
    const orr_csv_table *c = (const orr_csv_table *)t;
    reader r = { .c = c };
    orr_csv_row *rows = orr_alloc((size_t)n, sizeof *rows);
    orr_status st = ORR_OK;

    if (!rows) return orr_fail(ORR_ERR_NOMEM, "out of memory: %lld rows of csv", (long long)n);
    ORR_TRY_GOTO(st, done, orr_csv_locate(c, first, n, rows, 1));
    for (int64_t i = 0; i < n; i++) {
        begin_row(&r, &rows[i]);
        ORR_TRY_GOTO(
            st, done,
            whole_row(&r, wanted, values + i * c->n_features, is_whole + i * c->n_features));
    }
done:
    orr_free(rows);
    return st;
}

/* ---- opening ---- */

static void csv_destroy(orr_table *t)
{
    orr_csv_table *c = (orr_csv_table *)t;

    for (int i = 0; i < c->n_open; i++)
        orr_csv_close(&c->files[i]);
    for (int i = 0; c->parts && i < t->n_parts; i++)
        orr_free(c->parts[i].index);
    orr_choice_free(&c->choice);
    orr_free(c->runs);
    orr_free(c->files);
    orr_free(c->spans);
    orr_free(c->parts);
    orr_table_free(t);
}

static const orr_table_ops csv_ops = { .name = "csv",
                                       .read = read_rows,
                                       .label_range = label_range,
                                       .destroy = csv_destroy,
                                       .column_name = column_name,
                                       .learn = learn,
                                       .whole = whole,
                                       .scan_part = orr_csv_scan_part,
                                       .scan_end = orr_csv_scan_end };

static orr_status set_delimiter(orr_csv_opts *o, const char *text)
{
    o->delimiter = 0;
    if (!strcmp(text, "auto")) return ORR_OK;
    if (!strcmp(text, "\\t") || !strcmp(text, "tab")) text = "\t";
    if (strlen(text) != 1 || isalnum((unsigned char)*text) || strchr("\"\r\n.+-", *text))
        return orr_fail(ORR_ERR_OPTION,
                        "input.delimiter: \"%.20s\" cannot stand between fields; "
                        "use one character such as , ; or \\t, or auto",
                        text);
    o->delimiter = *text;
    return ORR_OK;
}

static void set_header(orr_csv_opts *o, const char *text)
{
    o->rows_only = !strcmp(text, "no");
    o->header = o->rows_only           ? ORR_CSV_NO_HEADER
                : !strcmp(text, "yes") ? ORR_CSV_HEADER
                                       : ORR_CSV_AUTO;
}

/* Later files must be as the first is. */
static orr_status check_same(const orr_csv_file *a, const orr_csv_file *b)
{
    if (b->n_columns != a->n_columns)
        return orr_fail(ORR_ERR_FORMAT, "%s:%lld: %d fields, %d in %s", b->path,
                        (long long)orr_csv_line(b, b->top), b->n_columns, a->n_columns, a->path);
    for (int i = 0; a->names && i < a->n_columns; i++)
        if (strcmp(a->names[i], b->names[i]) != 0)
            return orr_fail(ORR_ERR_FORMAT, "%s: column %d is named \"%.60s\", and \"%.60s\" in %s",
                            b->path, i + 1, b->names[i], a->names[i], a->path);
    return ORR_OK;
}

static orr_status open_files(orr_csv_table *c, const orr_table_opts *o)
{
    orr_csv_opts opts = { 0 };
    int n = c->base.n_inputs;
    orr_bytes bytes;

    ORR_TRY(set_delimiter(&opts, orr_or(o->delimiter, ",")));
    set_header(&opts, orr_or(o->header, "auto"));
    c->files = orr_alloc((size_t)n, sizeof *c->files);
    c->spans = orr_alloc((size_t)n, sizeof *c->spans);
    if (!c->files || !c->spans) return orr_fail(ORR_ERR_NOMEM, "out of memory: %d csv files", n);
    for (int i = 0; i < n; i++) {
        const char *path = c->base.inputs[i];

        ORR_TRY(orr_bytes_open(&bytes, path, &c->base.trust));
        ORR_TRY(orr_csv_open(&c->files[i], &bytes, path, &opts));
        c->n_open = i + 1; /* from here on it is closed with the table */
        if (i) ORR_TRY(check_same(c->files, &c->files[i]));
        opts.header = c->files->names ? ORR_CSV_HEADER : ORR_CSV_NO_HEADER;
        opts.delimiter = c->files->delimiter;
    }
    return ORR_OK;
}

orr_status orr_csv_table_open(orr_table **out, const orr_table_opts *o, const char *dir,
                              size_t part_bytes)
{
    orr_csv_table *c = orr_alloc(1, sizeof *c);
    orr_status st = ORR_OK;

    if (!c) return orr_fail(ORR_ERR_NOMEM, "out of memory: csv table");
    ORR_TRY_GOTO(st, done, orr_table_init(&c->base, &csv_ops, o, dir));
    ORR_TRY_GOTO(st, done, open_files(c, o));
    ORR_TRY_GOTO(st, done, choose(c, o));
    ORR_TRY_GOTO(st, done, orr_csv_make_parts(c, part_bytes));
    *out = &c->base;
    c = NULL;
done:
    if (c) csv_destroy(&c->base);
    return st;
}
