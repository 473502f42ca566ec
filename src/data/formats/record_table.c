/* data/formats/record_table.c - records with named fields become samples.  They are read where they
 * lie, so any thread reads any row. */
#include "core/memory.h"
#include "data/formats/choice.h"
#include "data/formats/tables_private.h"
#include "data/formats/text_value.h"
#include "data/formats/values.h"

#include <omp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

typedef struct {
    orr_table base;
    orr_records *files;
    int64_t *first; /* row of each file; and the end */
    int n_files;    /* that are open */
    orr_choice choice;
    orr_selection selection; /* with where */
} record_table;

/* ---- reading ---- */

/* The file that row `row` of all lies in, and its number there. */
static const orr_records *file_of(const record_table *s, int64_t *row)
{
    int i = 0;

    while (i + 1 < s->n_files && *row >= s->first[i + 1])
        i++;
    *row -= s->first[i];
    return &s->files[i];
}

static orr_status fail_value(const orr_records *r, const orr_field *f, int64_t row, int64_t element,
                             const char *format, ...) __attribute__((format(printf, 5, 6)));

static orr_status fail_value(const orr_records *r, const orr_field *f, int64_t row, int64_t element,
                             const char *format, ...)
{
    char text[400], which[32] = "";
    va_list ap;

    va_start(ap, format);
    vsnprintf(text, sizeof text, format, ap);
    va_end(ap);
    if (f->count > 1) snprintf(which, sizeof which, "[%lld]", (long long)element);
    return orr_fail(ORR_ERR_FORMAT, "%s: row %lld: column %s%s%s", r->what, (long long)row + 1,
                    f->name, which, text);
}

static orr_status fail_number(const orr_records *r, const orr_picks *p, int64_t row, size_t place,
                              orr_x_type type, double v)
{
    int64_t element;
    const orr_field *f = &r->fields[orr_picks_at(p, (int64_t)place, &element)->column];
    char why[128];

    orr_values_fault(why, sizeof why, type, v);
    return fail_value(r, f, row, element, " %s", why);
}

static void read_picks(const orr_records *r, const orr_picks *p, int64_t row, double *out)
{
    const char *record = orr_record(r, row);

    for (int i = 0; i < p->n; i++) {
        const orr_pick *k = &p->list[i];

        orr_field_reals(&r->fields[k->column], record, k->element, k->n, out);
        out += k->n;
    }
}

static orr_status store(const record_table *s, const orr_records *r, orr_values_kind kind,
                        int64_t row, orr_x_type type, double *v, void *dst, int *gaps)
{
    const orr_picks *const picks[] = { &s->choice.x, &s->choice.y, &s->choice.aux },
                           *p = picks[kind];
    const orr_value_rule *rule = &s->base.rule[kind];
    size_t n = (size_t)p->values, bad;

    read_picks(r, p, row, v);
    bad = orr_values_clean(rule, v, n, gaps);
    if (bad < n) return fail_number(r, p, row, bad, type, v[bad]);
    if (kind == ORR_VALUES_X && s->base.zscore) orr_values_zscore(v, n);
    bad = orr_values_store(rule, dst, type, v, n);
    return bad == n ? ORR_OK : fail_number(r, p, row, bad, type, v[bad]);
}

static orr_status read_class(const record_table *s, const orr_records *r, int64_t row, int32_t *out,
                             int *gaps)
{
    const orr_field *f = &r->fields[s->choice.label.column];
    char text[ORR_FIELD_TEXT], why[256];
    size_t n = orr_field_text(f, orr_record(r, row), s->choice.label.element, text);

    if (n >= sizeof text) n = sizeof text - 1;
    if (n == 0 || orr_is_missing_text(&s->base.label_missing, text, n)) {
        *out = orr_classes_find(&s->base.classes, text, n);
        *gaps += *out < 0;
        if (*out >= 0 || orr_table_policy(&s->base) == ORR_MISSING_DROP) return ORR_OK;
        return fail_value(r, f, row, s->choice.label.element,
                          ": the label \"%.60s\" is none; fix the file, or set nan: drop", text);
    }
    *out = orr_classes_label(&s->base.classes, text, n);
    if (*out >= 0) return ORR_OK;
    orr_classes_fault(&s->base.classes, why, sizeof why);
    return fail_value(r, f, row, s->choice.label.element, ": \"%.60s\" %s", text, why);
}

/* The id as a text of 1 to ORR_ID_TEXT_MAX bytes. */
static orr_status id_text(const record_table *s, const orr_records *r, int64_t row,
                          char text[ORR_FIELD_TEXT], size_t *n)
{
    const orr_choice *c = &s->choice;
    char id[ORR_ID_TEXT_MAX + 1];
    size_t joined = 0;

    for (int i = 0; i < c->n_id; i++) {
        const orr_field *f = &r->fields[c->id[i].column];
        const char *why = orr_field_id(f, orr_record(r, row), c->id[i].element, text, n);

        if (!why && *n == 0) why = orr_id_fault("", 0);
        if (!why && c->n_id > 1) why = orr_id_join(id, &joined, text, *n);
        if (why)
            return fail_value(r, f, row, c->id[i].element, ": the id%s%.60s%s %s", *n ? " \"" : "",
                              text, *n ? "\"" : "", why);
    }
    if (c->n_id == 1) return ORR_OK;
    memcpy(text, id, joined + 1);
    *n = joined;
    return ORR_OK;
}

static orr_status read_id(const record_table *s, const orr_records *r, int64_t row, char *dst)
{
    const orr_schema *schema = &s->base.schema;
    char text[ORR_FIELD_TEXT];
    int64_t v;
    size_t n;

    ORR_TRY(id_text(s, r, row, text, &n));
    if (schema->id_type == ORR_ID_INT && orr_id_integer(text, n, &v)) {
        memcpy(dst, &v, sizeof v);
        return ORR_OK;
    }
    if (schema->id_type == ORR_ID_INT || n > (size_t)schema->id_bytes)
        return fail_value(r, &r->fields[s->choice.id[0].column], row, s->choice.id[0].element,
                          ": the label range did not cover the id \"%.64s\"", text);
    memset(dst, 0, (size_t)schema->id_bytes);
    memcpy(dst, text, n);
    return ORR_OK;
}

/* One call of orr_table_read. */
typedef struct {
    const record_table *s;
    orr_rows *out;
    int64_t first, *rows; /* rows: with where */
    double *scratch;
    size_t stride, x_bytes, y_bytes, id_bytes;
} job;

static orr_status do_row(const job *j, int64_t i, double *v)
{
    const record_table *s = j->s;
    const orr_schema *schema = &s->base.schema;
    const orr_rows *o = j->out;
    int64_t row = j->rows ? j->rows[i] : j->first + i, all = row;
    const orr_records *r = file_of(s, &row);
    char *y = (char *)o->y + (o->y ? (size_t)i * j->y_bytes : 0);
    int gaps = 0;

    if (o->x)
        ORR_TRY(store(s, r, ORR_VALUES_X, row, schema->x_type, v,
                      (char *)o->x + (size_t)i * j->x_bytes, &gaps));
    if (o->y && schema->y_type == ORR_Y_CLASS) ORR_TRY(read_class(s, r, row, (int32_t *)y, &gaps));
    if (o->y && schema->y_type == ORR_Y_VALUE)
        ORR_TRY(store(s, r, ORR_VALUES_Y, row, ORR_X_F32, v, y, &gaps));
    if (o->aux && schema->n_aux)
        ORR_TRY(store(s, r, ORR_VALUES_AUX, row, ORR_X_F32, v, o->aux + i * schema->n_aux, &gaps));
    if (o->gaps) o->gaps[i] = gaps > 0;
    if (o->id && s->base.has_id)
        ORR_TRY(read_id(s, r, row, (char *)o->id + (size_t)i * j->id_bytes));
    else if (o->id && j->rows)
        ((int64_t *)o->id)[i] = s->base.id_start + all;
    return ORR_OK;
}

/* As in csv_table.c: the lowest bad row is found, then done again for its sentence. */
static orr_status do_rows(const job *j, int64_t n, int threads)
{
    _Atomic int64_t bad = n;

#pragma omp parallel for schedule(static) num_threads(threads) if (threads > 1)
    for (int64_t i = 0; i < n; i++) {
        int64_t now = atomic_load_explicit(&bad, memory_order_relaxed);

        if (i > now ||
            do_row(j, i, j->scratch + (size_t)omp_get_thread_num() * j->stride) == ORR_OK)
            continue;
        while (i < now && !atomic_compare_exchange_weak(&bad, &now, i)) {
        }
    }
    return bad == n ? ORR_OK : do_row(j, bad, j->scratch);
}

static orr_status read_rows(const orr_table *t, int64_t first, int64_t n, orr_rows *rows,
                            int threads)
{
    const record_table *s = (const record_table *)t;
    job j = { .s = s, .out = rows, .first = first };
    orr_status st = ORR_OK;

    if (threads > n) threads = (int)n;
    j.x_bytes = orr_schema_x_bytes(&t->schema);
    j.y_bytes = orr_schema_y_bytes(&t->schema);
    j.id_bytes = orr_schema_id_bytes(&t->schema);
    j.stride =
        (size_t)(s->choice.x.values > s->choice.y.values ? s->choice.x.values : s->choice.y.values);
    if (j.stride < ORR_MAX_AUX) j.stride = ORR_MAX_AUX;
    j.stride = (j.stride + 15) & ~(size_t)7;
    j.scratch = orr_alloc(j.stride * (size_t)threads, sizeof *j.scratch);
    if (t->where.n) j.rows = orr_alloc((size_t)n, sizeof *j.rows);
    if (!j.scratch || (t->where.n && !j.rows))
        ORR_TRY_GOTO(
            st, done,
            orr_fail(ORR_ERR_NOMEM, "%s: out of memory: %lld rows", t->inputs[0], (long long)n));
    if (j.rows) orr_selection_rows(&s->selection, first, n, j.rows);
    st = do_rows(&j, n, threads);
done:
    orr_free(j.scratch);
    orr_free(j.rows);
    return st;
}

static orr_status label_range(const orr_table *t, int64_t first, int64_t n, int32_t *max_label,
                              int *max_id_bytes)
{
    const record_table *s = (const record_table *)t;

    for (int64_t i = first; (t->has_label || t->has_id) && i < first + n; i++) {
        char text[ORR_FIELD_TEXT];
        int64_t row = i, v;
        const orr_records *r;
        int32_t label;
        size_t bytes;
        int gaps = 0;

        if (t->where.n) orr_selection_rows(&s->selection, i, 1, &row);
        r = file_of(s, &row);
        if (t->has_label) {
            ORR_TRY(read_class(s, r, row, &label, &gaps));
            if (label > *max_label) *max_label = label;
        }
        if (!t->has_id) continue;
        ORR_TRY(id_text(s, r, row, text, &bytes));
        if (!orr_id_integer(text, bytes, &v) && (int)bytes > *max_id_bytes)
            *max_id_bytes = (int)bytes;
    }
    return ORR_OK;
}

static orr_status learn(const orr_table *t, int64_t first, int64_t n, orr_classes *values)
{
    const record_table *s = (const record_table *)t;

    for (int64_t i = first; i < first + n; i++) {
        char text[ORR_FIELD_TEXT];
        int64_t row = i;
        const orr_records *r;
        size_t bytes;

        if (t->where.n) orr_selection_rows(&s->selection, i, 1, &row);
        r = file_of(s, &row);
        bytes = orr_field_text(&r->fields[s->choice.label.column], orr_record(r, row),
                               s->choice.label.element, text);
        if (bytes >= sizeof text) bytes = sizeof text - 1;
        if (bytes > 0 && !orr_is_missing_text(&s->base.label_missing, text, bytes))
            ORR_TRY(orr_classes_add(values, text, bytes));
    }
    return ORR_OK;
}

static orr_status whole(const orr_table *t, int64_t first, int64_t n, const char *wanted,
                        int64_t *values, char *is_whole)
{
    const record_table *s = (const record_table *)t;
    const orr_picks *x = &s->choice.x;

    for (int64_t i = first; i < first + n; i++, values += x->values, is_whole += x->values) {
        int64_t row = i, place = 0;
        const orr_records *r;

        if (t->where.n) orr_selection_rows(&s->selection, i, 1, &row);
        r = file_of(s, &row);
        for (int k = 0; k < x->n; place += x->list[k++].n)
            if (wanted[place])
                is_whole[place] = !orr_field_int(&r->fields[x->list[k].column], orr_record(r, row),
                                                 x->list[k].element, &values[place]);
    }
    return ORR_OK;
}

/* ---- filter ---- */

static int passes(const record_table *s, const orr_records *r, int64_t row)
{
    const orr_where *w = &s->base.where;

    for (int i = 0; i < w->n; i++) {
        const orr_condition *c = &w->list[i];
        char text[ORR_FIELD_TEXT];
        size_t n = orr_field_text(&r->fields[c->column], orr_record(r, row), c->element, text);

        if (n >= sizeof text || orr_classes_find(&c->values, text, n) < 0) return 0;
    }
    return 1;
}

static orr_status filter(record_table *s)
{
    int64_t rows = s->first[s->n_files];

    if (!s->base.where.n) return orr_table_set_rows(&s->base, rows, rows);
    ORR_TRY(orr_selection_init(&s->selection, rows));
    for (int i = 0; i < s->n_files; i++)
        for (int64_t row = 0; row < s->files[i].rows; row++)
            if (passes(s, &s->files[i], row)) orr_selection_take(&s->selection, s->first[i] + row);
    orr_selection_end(&s->selection);
    return orr_table_set_rows(&s->base, rows, s->selection.kept);
}

/* ---- opening: files of one layout ---- */

static orr_status check_same(const orr_records *a, const orr_records *b)
{
    for (int i = 0; i < a->n_fields || i < b->n_fields; i++) {
        const orr_field *x = &a->fields[i], *y = &b->fields[i];

        if (i >= a->n_fields || i >= b->n_fields)
            return orr_fail(ORR_ERR_FORMAT, "%s: %d columns, %d in %s", b->what, b->n_fields,
                            a->n_fields, a->what);
        if (strcmp(x->name, y->name) != 0 || x->count != y->count ||
            orr_field_type(x) != orr_field_type(y) ||
            (x->kind == ORR_FIELD_OTHER) != (y->kind == ORR_FIELD_OTHER))
            return orr_fail(
                ORR_ERR_FORMAT, "%s: column %d is %s of %lld values, and %s of %lld in %s", b->what,
                i + 1, y->name, (long long)y->count, x->name, (long long)x->count, a->what);
    }
    return ORR_OK;
}

static orr_status open_files(record_table *s, const orr_format *f, const char *table)
{
    int n = s->base.n_inputs;

    s->files = orr_alloc((size_t)n, sizeof *s->files);
    s->first = orr_alloc((size_t)n + 1, sizeof *s->first);
    if (!s->files || !s->first) return orr_fail(ORR_ERR_NOMEM, "out of memory: %d tables", n);
    for (int i = 0; i < n; i++) {
        orr_bytes bytes;

        ORR_TRY(orr_bytes_open(&bytes, s->base.inputs[i], &s->base.trust));
        if (!f->sniff(&bytes)) {
            orr_bytes_close(&bytes);
            return orr_fail(ORR_ERR_FORMAT, "%s: not a %s file: it does not begin as one",
                            s->base.inputs[i], f->name);
        }
        ORR_TRY(orr_records_open(&s->files[i], &bytes, s->base.inputs[i], table, f->read_records));
        s->n_files = i + 1;
        s->first[i + 1] = s->first[i] + s->files[i].rows;
        if (i > 0) ORR_TRY(check_same(&s->files[0], &s->files[i]));
    }
    return ORR_OK;
}

static orr_choice_from choice_from(const record_table *s)
{
    const orr_records *r = &s->files[0];

    return (orr_choice_from){ .names = { r->what, r->names, r->n_fields, 1 }, .records = r };
}

static void column_name(const orr_table *t, orr_values_kind kind, size_t column, char *buf,
                        size_t bytes)
{
    const record_table *s = (const record_table *)t;
    const orr_choice_from from = choice_from(s);

    orr_choice_column_name(&s->choice, &from, kind, column, buf, bytes);
}

static orr_status choose(record_table *s, const orr_table_opts *o)
{
    const orr_choice_from from = choice_from(s);

    return orr_choice_make(&s->choice, &s->base, &from, o);
}

static void destroy(orr_table *t)
{
    record_table *s = (record_table *)t;

    for (int i = 0; i < s->n_files; i++)
        orr_records_close(&s->files[i]);
    orr_free(s->files);
    orr_free(s->first);
    orr_choice_free(&s->choice);
    orr_selection_free(&s->selection);
    orr_table_free(t);
}

static const orr_table_ops record_ops = { .name = "records",
                                          .read = read_rows,
                                          .label_range = label_range,
                                          .destroy = destroy,
                                          .column_name = column_name,
                                          .learn = learn,
                                          .whole = whole };

orr_status orr_record_table_open(orr_table **out, const orr_table_opts *o, const char *dir,
                                 const orr_format *f)
{
    record_table *s = orr_alloc(1, sizeof *s);
    orr_status st = ORR_OK;

    if (!s) return orr_fail(ORR_ERR_NOMEM, "out of memory: table");
    ORR_TRY_GOTO(st, done, orr_table_init(&s->base, &record_ops, o, dir));
    ORR_TRY_GOTO(st, done, open_files(s, f, orr_or(o->table, "")));
    ORR_TRY_GOTO(st, done, choose(s, o));
    ORR_TRY_GOTO(st, done, filter(s));
    *out = &s->base;
    s = NULL;
done:
    if (s) destroy(&s->base);
    return st;
}
