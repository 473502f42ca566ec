/* data/formats/record_table.c - records with named fields become samples.  They are read where they
 * lie, so any thread reads any row.  Columns are chosen as those of a text are; one that holds
 * several values is several features, targets or aux numbers. */
#include "core/memory.h"
#include "data/formats/names.h"
#include "data/formats/table_private.h"
#include "data/formats/tables_private.h"
#include "data/formats/text_value.h"
#include "data/formats/values.h"

#include <omp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

/* Values [element, element + n) of a field. */
typedef struct {
    int field;
    int64_t element, n;
} pick;

typedef struct {
    pick *list;
    int n, cap;
    int64_t values; /* in all */
} picks;

typedef struct {
    orr_table base;
    orr_records *files;
    int64_t *first; /* row of each file; and the end */
    int n_files;    /* that are open */
    picks x, y, aux;
    pick label, id;
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

static const orr_field *pick_field(const orr_records *r, const picks *p, int64_t place,
                                   int64_t *element)
{
    int i = 0;

    for (; i + 1 < p->n && place >= p->list[i].n; i++)
        place -= p->list[i].n;
    *element = p->list[i].element + place;
    return &r->fields[p->list[i].field];
}

static orr_status fail_number(const orr_records *r, const picks *p, int64_t row, size_t place,
                              orr_x_type type, double v)
{
    int64_t element;
    const orr_field *f = pick_field(r, p, (int64_t)place, &element);
    char why[128];

    orr_values_fault(why, sizeof why, type, v);
    return fail_value(r, f, row, element, " %s", why);
}

static void read_picks(const orr_records *r, const picks *p, int64_t row, double *out)
{
    const char *record = orr_record(r, row);

    for (int i = 0; i < p->n; i++) {
        const pick *k = &p->list[i];

        orr_field_reals(&r->fields[k->field], record, k->element, k->n, out);
        out += k->n;
    }
}

static orr_status store(const record_table *s, const orr_records *r, const picks *p, int64_t row,
                        orr_x_type type, double *v, void *dst)
{
    size_t n = (size_t)p->values, bad;

    read_picks(r, p, row, v);
    if (p == &s->x && s->base.zscore) {
        if (!s->base.keep_nan && (bad = orr_values_first_nonfinite(v, n)) < n)
            return fail_number(r, p, row, bad, type, v[bad]);
        orr_values_zscore(v, n);
    }
    bad = orr_values_store(dst, type, v, n, s->base.keep_nan);
    return bad == n ? ORR_OK : fail_number(r, p, row, bad, type, v[bad]);
}

static orr_status read_class(const record_table *s, const orr_records *r, int64_t row, int32_t *out)
{
    const orr_field *f = &r->fields[s->label.field];
    char text[ORR_FIELD_TEXT], why[256];
    size_t n = orr_field_text(f, orr_record(r, row), s->label.element, text);

    if (n >= sizeof text) n = sizeof text - 1;
    *out = orr_classes_label(&s->base.classes, text, n);
    if (*out >= 0) return ORR_OK;
    orr_classes_fault(&s->base.classes, why, sizeof why);
    return fail_value(r, f, row, s->label.element, ": \"%.60s\" %s", text, why);
}

/* The id as a text of 1 to ORR_ID_TEXT_MAX bytes. */
static orr_status id_text(const record_table *s, const orr_records *r, int64_t row,
                          char text[ORR_FIELD_TEXT], size_t *n)
{
    const orr_field *f = &r->fields[s->id.field];
    const char *why;

    *n = orr_field_text(f, orr_record(r, row), s->id.element, text);
    why = orr_id_fault(text, *n < ORR_FIELD_TEXT ? *n : ORR_FIELD_TEXT - 1);
    return why ? fail_value(r, f, row, s->id.element, ": the id%s%.60s%s %s", *n ? " \"" : "", text,
                            *n ? "\"" : "", why)
               : ORR_OK;
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
        return fail_value(r, &r->fields[s->id.field], row, s->id.element,
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

    if (o->x)
        ORR_TRY(store(s, r, &s->x, row, schema->x_type, v, (char *)o->x + (size_t)i * j->x_bytes));
    if (o->y && schema->y_type == ORR_Y_CLASS) ORR_TRY(read_class(s, r, row, (int32_t *)y));
    if (o->y && schema->y_type == ORR_Y_VALUE) ORR_TRY(store(s, r, &s->y, row, ORR_X_F32, v, y));
    if (o->aux && schema->n_aux)
        ORR_TRY(store(s, r, &s->aux, row, ORR_X_F32, v, o->aux + i * schema->n_aux));
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
    j.stride = (size_t)(s->x.values > s->y.values ? s->x.values : s->y.values);
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

        if (t->where.n) orr_selection_rows(&s->selection, i, 1, &row);
        r = file_of(s, &row);
        if (t->has_label) {
            ORR_TRY(read_class(s, r, row, &label));
            if (label > *max_label) *max_label = label;
        }
        if (!t->has_id) continue;
        ORR_TRY(id_text(s, r, row, text, &bytes));
        if (!orr_id_integer(text, bytes, &v) && (int)bytes > *max_id_bytes)
            *max_id_bytes = (int)bytes;
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

        ORR_TRY(orr_bytes_open(&bytes, s->base.inputs[i]));
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

/* ---- opening: columns ---- */

/* A column by name (with [i] one value of it), or by number from 1. */
static orr_status find(const record_table *s, const char *word, const char *option, pick *out)
{
    const orr_records *r = &s->files[0];

    ORR_TRY(orr_records_pick(r, word, option, 1, &out->field, &out->element));
    ORR_TRY(orr_field_check(r, &r->fields[out->field], option));
    out->n = out->element < 0 ? r->fields[out->field].count : 1;
    if (out->element < 0) out->element = 0;
    return ORR_OK;
}

static orr_status find_one(const record_table *s, const char *word, const char *option, pick *out)
{
    const orr_field *f;

    ORR_TRY(find(s, word, option, out));
    f = &s->files[0].fields[out->field];
    if (out->n == 1) return ORR_OK;
    return orr_fail(ORR_ERR_OPTION,
                    "%s: %s: column %s holds %lld values a row; say which, such as "
                    "%s[0]",
                    s->files[0].what, option, f->name, (long long)f->count, f->name);
}

static int is_text(const orr_field *f)
{
    return orr_field_type(f) == ORR_VALUE_TEXT;
}

static orr_status add(record_table *s, picks *p, const pick *k, const char *option)
{
    const orr_field *f = &s->files[0].fields[k->field];
    int want = p->cap ? 2 * p->cap : 16;

    if (is_text(f))
        return orr_fail(ORR_ERR_OPTION, "%s: %s: column %s is text", s->files[0].what, option,
                        f->name);
    for (int i = 0; i < p->n; i++)
        if (p->list[i].field == k->field && p->list[i].element < k->element + k->n &&
            k->element < p->list[i].element + p->list[i].n)
            return orr_fail(ORR_ERR_OPTION, "%s: %s: column %s stands twice", s->files[0].what,
                            option, f->name);
    if (p->n == p->cap) {
        pick *more = orr_realloc(p->list, (size_t)p->cap, (size_t)want, sizeof *more);

        if (!more) return orr_fail(ORR_ERR_NOMEM, "out of memory: %d columns", want);
        p->list = more;
        p->cap = want;
    }
    p->list[p->n++] = *k;
    p->values += k->n;
    return ORR_OK;
}

static orr_status add_word(record_table *s, picks *p, const char *word, const char *option)
{
    pick k;

    ORR_TRY(find(s, word, option, &k));
    return add(s, p, &k, option);
}

static orr_status add_feature(void *ctx, const char *word)
{
    record_table *s = ctx;
    const orr_records *r = &s->files[0];
    const orr_names names = { r->what, r->names, r->n_fields, 1 };
    int from, to;

    ORR_TRY(orr_names_range(&names, word, "features", &from, &to));
    if (from < 0) return add_word(s, &s->x, word, "features");
    for (int i = from; i < to; i++) {
        pick k = { .field = i, .n = r->fields[i].count };

        ORR_TRY(orr_field_check(r, &r->fields[i], "features"));
        ORR_TRY(add(s, &s->x, &k, "features"));
    }
    return ORR_OK;
}

static int is_used(const record_table *s, int field)
{
    const picks *lists[] = { &s->y, &s->aux };

    if ((s->base.has_label && s->label.field == field) || (s->base.has_id && s->id.field == field))
        return 1;
    for (int k = 0; k < 2; k++)
        for (int i = 0; i < lists[k]->n; i++)
            if (lists[k]->list[i].field == field) return 1;
    return 0;
}

/* All columns of numbers that are nothing else. */
static orr_status add_rest(record_table *s)
{
    const orr_records *r = &s->files[0];

    for (int i = 0; i < r->n_fields; i++) {
        pick k = { .field = i, .n = r->fields[i].count };

        if (r->fields[i].kind == ORR_FIELD_OTHER || k.n < 1 || is_used(s, i)) continue;
        if (is_text(&r->fields[i]))
            return orr_fail(ORR_ERR_OPTION,
                            "%s: column %s is text, and features are the rest of the columns; list "
                            "the features",
                            r->what, r->fields[i].name);
        ORR_TRY(add(s, &s->x, &k, "features"));
    }
    return ORR_OK;
}

/* "CMODELMAG[2]", or the plain name of a column of one value. */
static void name_value(const record_table *s, const picks *p, int64_t place, char *out,
                       size_t bytes)
{
    int64_t element;
    const orr_field *f = pick_field(&s->files[0], p, place, &element);

    if (f->count > 1)
        snprintf(out, bytes, "%.*s[%lld]", ORR_DATA_NAME_MAX - 12, f->name, (long long)element);
    else
        snprintf(out, bytes, "%.*s", ORR_DATA_NAME_MAX - 1, f->name);
}

static orr_status choose(record_table *s, const orr_table_opts *o)
{
    const char *label = orr_or(o->label, ""), *id = orr_or(o->id, ""),
               *features = orr_or(o->features, "rest");
    orr_where *w = &s->base.where;

    if (*label && !strcmp(orr_or(o->label_kind, "class"), "value")) {
        ORR_TRY(add_word(s, &s->y, label, "label"));
    } else if (*label) {
        ORR_TRY(find_one(s, label, "label", &s->label));
        s->base.has_label = 1;
    }
    if (*id) {
        ORR_TRY(find_one(s, id, "id", &s->id));
        s->base.has_id = 1;
    }
    for (int i = 0; i < o->target.n; i++)
        ORR_TRY(add_word(s, &s->y, o->target.v[i], "target"));
    for (int i = 0; i < o->aux.n; i++)
        ORR_TRY(add_word(s, &s->aux, o->aux.v[i], "aux"));
    ORR_TRY(strcmp(features, "rest") ? orr_table_each_word(features, add_feature, s) : add_rest(s));
    for (int i = 0; i < w->n; i++) {
        pick k;

        ORR_TRY(find_one(s, w->list[i].name, "where", &k));
        w->list[i].column = k.field;
        w->list[i].element = k.element;
    }
    return ORR_OK;
}

static orr_status set_schema(record_table *s, const orr_table_opts *o)
{
    int64_t dims[2] = { s->x.values, 1 };
    orr_schema *schema = &s->base.schema;
    const char *what = s->files[0].what;
    char name[ORR_DATA_NAME_MAX];

    if (s->base.has_label && s->y.n)
        return orr_fail(ORR_ERR_OPTION, "input: label and target cannot both be given");
    if (strcmp(orr_or(o->axes, "auto"), "auto") != 0)
        return orr_fail(ORR_ERR_OPTION, "input.axes: a table of columns has none; give the columns "
                                        "in the order of shape");
    if (o->aux_names.n)
        return orr_fail(ORR_ERR_OPTION, "%s: input.aux_names: the columns have names of their own",
                        what);
    if (s->x.values == 0)
        return orr_fail(ORR_ERR_OPTION, "%s: no column is left for features", what);
    if (s->y.values > 1 << 20)
        return orr_fail(ORR_ERR_SHAPE, "%s: %lld targets for each sample", what,
                        (long long)s->y.values);
    ORR_TRY(orr_table_check_aux(s->aux.values));
    schema->y_type = s->base.has_label ? ORR_Y_CLASS : s->y.n ? ORR_Y_VALUE : ORR_Y_NONE;
    schema->y_width = (int)s->y.values;
    schema->n_aux = (int)s->aux.values;
    for (int i = 0; i < s->y.values && i < ORR_MAX_TARGET_NAMES; i++) {
        name_value(s, &s->y, i, name, sizeof name);
        orr_table_name_target(&s->base, i, name);
    }
    for (int i = 0; i < s->aux.values; i++) {
        name_value(s, &s->aux, i, name, sizeof name);
        orr_table_name_aux(&s->base, i, name);
    }
    if (o->shape.n)
        ORR_TRY(orr_table_set_shape(&s->base, &o->shape, s->x.values, what));
    else
        ORR_TRY(orr_table_set_dims(&s->base, dims, 2, what));
    for (int i = 0; schema->n_dims == 1 && i < schema->c && schema->c <= ORR_MAX_CHANNELS; i++)
        name_value(s, &s->x, i, schema->channel_names[i], ORR_DATA_NAME_MAX);
    return ORR_OK;
}

static void destroy(orr_table *t)
{
    record_table *s = (record_table *)t;

    for (int i = 0; i < s->n_files; i++)
        orr_records_close(&s->files[i]);
    orr_free(s->files);
    orr_free(s->first);
    orr_free(s->x.list);
    orr_free(s->y.list);
    orr_free(s->aux.list);
    orr_selection_free(&s->selection);
    orr_table_free(t);
}

static const orr_table_ops record_ops = {
    .name = "records", .read = read_rows, .label_range = label_range, .destroy = destroy
};

orr_status orr_record_table_open(orr_table **out, const orr_table_opts *o, const char *dir,
                                 const orr_format *f)
{
    record_table *s = orr_alloc(1, sizeof *s);
    orr_status st = ORR_OK;

    if (!s) return orr_fail(ORR_ERR_NOMEM, "out of memory: table");
    ORR_TRY_GOTO(st, done, orr_table_init(&s->base, &record_ops, o, dir));
    ORR_TRY_GOTO(st, done, open_files(s, f, orr_or(o->table, "")));
    ORR_TRY_GOTO(st, done, choose(s, o));
    ORR_TRY_GOTO(st, done, set_schema(s, o));
    ORR_TRY_GOTO(st, done, filter(s));
    *out = &s->base;
    s = NULL;
done:
    if (s) destroy(&s->base);
    return st;
}
