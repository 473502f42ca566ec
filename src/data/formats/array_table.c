/* data/formats/array_table.c - arrays of samples, labels and ids as one table of samples. */
#include "core/file.h"
#include "core/memory.h"
#include "data/formats/records.h"
#include "data/formats/table_private.h"
#include "data/formats/tables_private.h"
#include "data/formats/values.h"

#include <math.h>
#include <omp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

/* Arrays of several files, one after the other along the rows. */
typedef struct {
    orr_array *arrays;
    int n;
    int64_t rows;
} column;

typedef struct {
    orr_table base;
    column x, y, aux;
    column id[ORR_ID_PARTS]; /* n_id of them: joined, they are the id */
    int n_id;
    int n_axes;               /* of a sample, in the file */
    int axis[ORR_ARRAY_DIMS]; /* stored axis i is the file's axis axis[i], 1 = first after the rows
                               */
    pthread_mutex_t lock;     /* of arrays that stay in their files: one thread reads */
    int has_mutex;
} array_table;

/* ---- reading ---- */

enum { BLOCK_BYTES = 16 << 20, MAX_BLOCK_BYTES = 256 << 20 };

/* What one call reads. */
typedef struct {
    const array_table *s;
    orr_rows *out;
    double *scratch; /* of each thread: one sample */
    void *block;     /* rows of an array that stays in its file */
    size_t block_bytes, values, x_bytes;
    int threads;
} job;

/* Rows of one array that lie at p: from the array's row `row`, to row `to` of the output. */
typedef struct {
    const orr_array *a;
    const char *p;
    int64_t row, to, n;
    int64_t strides[ORR_ARRAY_DIMS];
} span;

/* The sample's values in stored order. */
static void gather(const array_table *s, const span *w, const char *p, double *dst)
{
    int64_t at[ORR_ARRAY_DIMS] = { 0 }, dims[ORR_ARRAY_DIMS], strides[ORR_ARRAY_DIMS], offset = 0;
    int last = s->n_axes - 1;

    if (last < 0) {
        orr_elem_load(dst, w->a, p, 1, 1);
        return;
    }
    for (int i = 0; i <= last; i++) {
        dims[i] = w->a->dims[s->axis[i]];
        strides[i] = w->strides[s->axis[i]];
    }
    for (;;) {
        int k = last - 1;

        orr_elem_load(dst, w->a, p + offset * (int64_t)w->a->elem_bytes, (size_t)dims[last],
                      strides[last]);
        dst += dims[last];
        for (; k >= 0; k--) { /* the next line, as an odometer */
            offset += strides[k];
            if (++at[k] < dims[k]) break;
            offset -= at[k] * strides[k];
            at[k] = 0;
        }
        if (k < 0) return;
    }
}

/* Do a sample's bytes lie in the file as they are stored? */
static int is_plain(const array_table *s, const span *w)
{
    int64_t stride = 1;

    if (s->base.zscore || w->a->swap || w->a->n_nulls ||
        !orr_value_rule_is_plain(&s->base.rule[ORR_VALUES_X]))
        return 0;
    if (!(w->a->elem == ORR_ELEM_U1 && s->base.schema.x_type == ORR_X_U8) &&
        !(w->a->elem == ORR_ELEM_F4 && s->base.schema.x_type == ORR_X_F32))
        return 0;
    for (int i = s->n_axes - 1; i >= 0; i--) {
        if (w->strides[s->axis[i]] != stride && w->a->dims[s->axis[i]] != 1) return 0;
        stride *= w->a->dims[s->axis[i]];
    }
    return 1;
}

/* "what[17, 0, 3] is nan; ..." for stored value number `flat` of a sample. */
static orr_status fail_value(const array_table *s, const span *w, int64_t row, size_t flat,
                             double v, orr_x_type type)
{
    int64_t index[ORR_ARRAY_DIMS] = { row };
    char where[128], why[128];
    size_t used;

    for (int i = s->n_axes - 1; i >= 0; i--) {
        int axis = s->axis[i];

        index[axis] = (int64_t)flat % w->a->dims[axis];
        flat /= (size_t)w->a->dims[axis];
    }
    used = (size_t)snprintf(where, sizeof where, "%lld", (long long)index[0]);
    for (int i = 1; i <= s->n_axes && used < sizeof where; i++)
        used += (size_t)snprintf(where + used, sizeof where - used, ", %lld", (long long)index[i]);
    orr_values_fault(why, sizeof why, type, v);
    return orr_fail(ORR_ERR_FORMAT, "%s[%s] %s", w->a->what, where, why);
}

static orr_status check(const job *j, const span *w, int64_t i, size_t bad, const double *v)
{
    return bad == j->values
               ? ORR_OK
               : fail_value(j->s, w, w->row + i, bad, v[bad], j->s->base.schema.x_type);
}

static int all_finite(const void *p, size_t n)
{
    const uint32_t *bits = p;
    int bad = 0;

    for (size_t i = 0; i < n; i++)
        bad |= (bits[i] & 0x7f800000u) == 0x7f800000u;
    return !bad;
}

static orr_status do_sample(const job *j, const span *w, int64_t i, double *v)
{
    const array_table *s = j->s;
    const char *p = w->p + (size_t)(i * w->strides[0]) * w->a->elem_bytes;
    char *dst = (char *)j->out->x + (size_t)(w->to + i) * j->x_bytes;
    const orr_value_rule *rule = &s->base.rule[ORR_VALUES_X];
    int gaps = 0;

    if (is_plain(s, w)) {
        memcpy(dst, p, j->x_bytes);
        if (s->base.schema.x_type == ORR_X_U8 || all_finite(dst, j->values)) return ORR_OK;
    }
    gather(s, w, p, v);
    orr_array_mark_nulls(w->a, v, j->values);
    ORR_TRY(check(j, w, i, orr_values_clean(rule, v, j->values, &gaps), v));
    if (gaps && j->out->gaps) j->out->gaps[w->to + i] = 1;
    if (s->base.zscore) orr_values_zscore(v, j->values);
    return check(j, w, i, orr_values_store(rule, dst, s->base.schema.x_type, v, j->values), v);
}

/* As in csv_table.c: the lowest bad sample is found, then done again for its sentence. */
static orr_status do_span(const job *j, const span *w)
{
    _Atomic int64_t bad = w->n;

#pragma omp parallel for schedule(static) num_threads(j->threads) if (j->threads > 1)
    for (int64_t i = 0; i < w->n; i++) {
        int64_t now = atomic_load_explicit(&bad, memory_order_relaxed);

        if (i > now ||
            do_sample(j, w, i, j->scratch + (size_t)omp_get_thread_num() * j->values) == ORR_OK)
            continue;
        while (i < now && !atomic_compare_exchange_weak(&bad, &now, i)) {
        }
    }
    return bad == w->n ? ORR_OK : do_sample(j, w, bad, j->scratch);
}

/* An array that stays in its file, block by block; blocks end where chunks do, so that no chunk is
 * unpacked twice.
 */
static orr_status read_blocks(job *j, span *w)
{
    array_table *s = (array_table *)j->s; /* for the lock alone */
    size_t row_bytes = j->values * w->a->elem_bytes;
    int64_t chunk = w->a->chunk_rows, rows, end = w->row + w->n, stride = 1;

    if (chunk > MAX_BLOCK_BYTES / (int64_t)row_bytes) chunk = 1;
    rows = BLOCK_BYTES / (int64_t)row_bytes / chunk * chunk;
    if (rows < chunk) rows = chunk;
    if (rows > w->n) rows = w->n;
    if (!j->block || j->block_bytes < (size_t)rows * row_bytes) {
        orr_free(j->block);
        j->block_bytes = 0;
        if (!(j->block = orr_alloc((size_t)rows, row_bytes)))
            return orr_fail(ORR_ERR_NOMEM, "%s: out of memory: %lld rows", w->a->what,
                            (long long)rows);
        j->block_bytes = (size_t)rows * row_bytes;
    }
    for (int i = w->a->n_dims - 1; i >= 0; i--) {
        w->strides[i] = stride;
        stride *= w->a->dims[i];
    }
    for (w->p = j->block; w->row < end; w->row += w->n, w->to += w->n) {
        orr_status st;

        w->n = rows - w->row % (rows < chunk ? 1 : chunk);
        if (w->n > end - w->row) w->n = end - w->row;
        pthread_mutex_lock(&s->lock);
        st = w->a->ops->read(w->a, w->row, w->n, j->block);
        pthread_mutex_unlock(&s->lock);
        ORR_TRY(st);
        ORR_TRY(do_span(j, w));
    }
    return ORR_OK;
}

static orr_status read_x(job *j, int64_t first, int64_t n)
{
    int64_t start = 0;

    for (int i = 0; i < j->s->x.n; i++) {
        const orr_array *a = &j->s->x.arrays[i];
        int64_t from = first > start ? first : start, to = first + n;
        span w = { .a = a, .row = from - start, .to = from - first };

        if (to > start + a->dims[0]) to = start + a->dims[0];
        start += a->dims[0];
        if (from >= to) continue;
        w.n = to - from;
        if (!a->data) {
            ORR_TRY(read_blocks(j, &w));
            continue;
        }
        memcpy(w.strides, a->strides, sizeof w.strides);
        w.p = a->data + (size_t)(w.row * a->strides[0]) * a->elem_bytes;
        ORR_TRY(do_span(j, &w));
    }
    return ORR_OK;
}

/* The array and the row in it that row `row` of a column is. */
static const orr_array *at_row(const column *c, int64_t *row)
{
    int i = 0;

    for (; i + 1 < c->n && *row >= c->arrays[i].dims[0]; i++)
        *row -= c->arrays[i].dims[0];
    return &c->arrays[i];
}

/* Elements of an array as a field of records is read: each is a record. */
static orr_field field_of(const orr_array *a)
{
    return (orr_field){ .kind = a->elem != ORR_ELEM_TEXT ? ORR_FIELD_NUMBER
                                : a->is_ucs4             ? ORR_FIELD_UCS4
                                                         : ORR_FIELD_TEXT8,
                        .elem = a->elem,
                        .swap = a->swap,
                        .bytes = a->elem_bytes,
                        .bits = a->bits,
                        .count = 1,
                        .scale = 1 };
}

/* A label as a text; its length. */
static size_t label_text(const orr_array *a, int64_t row, char text[ORR_FIELD_TEXT])
{
    const orr_field f = field_of(a);
    size_t n;

    if (a->n_nulls && isnan(orr_array_number(a, row, 0))) return 0;
    n = orr_field_text(&f, a->data + (size_t)(row * a->strides[0]) * a->elem_bytes, 0, text);

    return n < ORR_FIELD_TEXT ? n : ORR_FIELD_TEXT - 1;
}

/* As in record_table.c. */
static orr_status read_class(const array_table *s, int64_t row, int32_t *out, int *gaps)
{
    const orr_array *a = at_row(&s->y, &row);
    char text[ORR_FIELD_TEXT], why[256];
    size_t n = label_text(a, row, text);

    if (n == 0 || orr_is_missing_text(&s->base.label_missing, text, n)) {
        *out = orr_classes_find(&s->base.classes, text, n);
        *gaps += *out < 0;
        if (*out >= 0 || orr_table_policy(&s->base) == ORR_MISSING_DROP) return ORR_OK;
        return orr_fail(ORR_ERR_FORMAT,
                        "%s[%lld]: label %.60s is none; fix the file, or set nan: drop", a->what,
                        (long long)row, n ? text : "nan");
    }
    *out = orr_classes_label(&s->base.classes, text, n);
    if (*out >= 0) return ORR_OK;
    orr_classes_fault(&s->base.classes, why, sizeof why);
    return orr_fail(ORR_ERR_FORMAT, "%s[%lld]: label %.60s %s", a->what, (long long)row, text, why);
}

/* A row of targets or aux numbers. */
static orr_status read_floats(const array_table *s, const column *c, orr_values_kind kind,
                              int64_t row, float *out, double *v, int *gaps)
{
    const orr_array *a = at_row(c, &row);
    const orr_value_rule *rule = &s->base.rule[kind];
    size_t n = rule->n, bad;
    char why[128];

    for (size_t k = 0; k < n; k++)
        v[k] = orr_array_number(a, row, (int64_t)k);
    bad = orr_values_clean(rule, v, n, gaps);
    if (bad == n) bad = orr_values_store(rule, out, ORR_X_F32, v, n);
    if (bad == n) return ORR_OK;
    orr_values_fault(why, sizeof why, ORR_X_F32, v[bad]);
    return orr_fail(ORR_ERR_FORMAT, "%s[%lld, %zu] %s", a->what, (long long)row, bad, why);
}

/* The id as a text of 1 to ORR_ID_TEXT_MAX bytes. */
static orr_status id_text(const array_table *s, int64_t row, char text[ORR_FIELD_TEXT], size_t *n)
{
    char id[ORR_ID_TEXT_MAX + 1];
    size_t joined = 0;

    for (int i = 0; i < s->n_id; i++) {
        int64_t at = row;
        const orr_array *a = at_row(&s->id[i], &at);
        const orr_field f = field_of(a);
        const char *p = a->data + (size_t)(at * a->strides[0]) * a->elem_bytes,
                   *why = orr_field_id(&f, p, 0, text, n);

        if (!why && *n == 0) why = orr_id_fault("", 0);
        if (!why && s->n_id > 1) why = orr_id_join(id, &joined, text, *n);
        if (why)
            return orr_fail(ORR_ERR_FORMAT, "%s[%lld]: the id%s%.60s%s %s", a->what, (long long)at,
                            *n ? " \"" : "", text, *n ? "\"" : "", why);
    }
    if (s->n_id == 1) return ORR_OK;
    memcpy(text, id, joined + 1);
    *n = joined;
    return ORR_OK;
}

/* Raises *max_bytes to what the id needs as a text, where it is no integer. */
static orr_status look_at_id(const array_table *s, int64_t row, int *max_bytes)
{
    char text[ORR_FIELD_TEXT];
    int64_t v;
    size_t n;

    ORR_TRY(id_text(s, row, text, &n));
    if (!orr_id_integer(text, n, &v) && (int)n > *max_bytes) *max_bytes = (int)n;
    return ORR_OK;
}

static orr_status read_id(const array_table *s, int64_t row, char *dst)
{
    char text[ORR_FIELD_TEXT];
    size_t n;
    int64_t v;

    ORR_TRY(id_text(s, row, text, &n));
    if (s->base.schema.id_type == ORR_ID_INT && orr_id_integer(text, n, &v)) {
        memcpy(dst, &v, sizeof v);
        return ORR_OK;
    }
    if (s->base.schema.id_type == ORR_ID_INT || n > (size_t)s->base.schema.id_bytes)
        return orr_fail(ORR_ERR_ARG, "%s[%lld]: the label range did not cover the id %s",
                        s->id[0].arrays[0].what, (long long)row, text);
    memset(dst, 0, (size_t)s->base.schema.id_bytes);
    memcpy(dst, text, n);
    return ORR_OK;
}

static orr_status read_rows(const orr_table *t, int64_t first, int64_t n, orr_rows *rows,
                            int threads)
{
    const array_table *s = (const array_table *)t;
    job j = { .s = s, .out = rows, .threads = threads > n ? (int)n : threads };
    size_t y_bytes = orr_schema_y_bytes(&t->schema), id_bytes = orr_schema_id_bytes(&t->schema);
    size_t n_aux = (size_t)t->schema.n_aux, wide = t->rule[ORR_VALUES_Y].n;
    orr_status st = ORR_OK;
    double *v;

    if (wide < n_aux) wide = n_aux;
    if (!(v = orr_alloc(wide + 1, sizeof *v)))
        return orr_fail(ORR_ERR_NOMEM, "%s: out of memory: %zu targets", s->x.arrays[0].what, wide);
    j.values = (size_t)orr_array_row_values(&s->x.arrays[0]);
    j.x_bytes = orr_schema_x_bytes(&t->schema);
    for (int64_t i = 0; i < n; i++) {
        int gaps = 0;

        if (rows->y && t->schema.y_type == ORR_Y_CLASS)
            ORR_TRY_GOTO(st, done, read_class(s, first + i, (int32_t *)rows->y + i, &gaps));
        if (rows->y && t->schema.y_type == ORR_Y_VALUE)
            ORR_TRY_GOTO(st, done,
                         read_floats(s, &s->y, ORR_VALUES_Y, first + i,
                                     (float *)((char *)rows->y + (size_t)i * y_bytes), v, &gaps));
        if (rows->aux && n_aux)
            ORR_TRY_GOTO(st, done,
                         read_floats(s, &s->aux, ORR_VALUES_AUX, first + i,
                                     rows->aux + (size_t)i * n_aux, v, &gaps));
        if (rows->id && t->has_id)
            ORR_TRY_GOTO(st, done, read_id(s, first + i, (char *)rows->id + (size_t)i * id_bytes));
        if (rows->gaps) rows->gaps[i] = gaps > 0;
    }
    if (!rows->x) goto done;
    if (!(j.scratch = orr_alloc(j.values * (size_t)j.threads, sizeof *j.scratch)))
        ORR_TRY_GOTO(st, done,
                     orr_fail(ORR_ERR_NOMEM, "%s: out of memory: a sample of %zu values",
                              s->x.arrays[0].what, j.values));
    st = read_x(&j, first, n);
done:
    orr_free(v);
    orr_free(j.scratch);
    orr_free(j.block);
    return st;
}

static orr_status label_range(const orr_table *t, int64_t first, int64_t n, int32_t *max_label,
                              int *max_id_bytes)
{
    const array_table *s = (const array_table *)t;

    for (int64_t i = first; i < first + n; i++) {
        int32_t label;
        int gaps = 0;

        if (t->schema.y_type == ORR_Y_CLASS) {
            ORR_TRY(read_class(s, i, &label, &gaps));
            if (label > *max_label) *max_label = label;
        }
        if (t->has_id) ORR_TRY(look_at_id(s, i, max_id_bytes));
    }
    return ORR_OK;
}

static orr_status learn(const orr_table *t, int64_t first, int64_t n, orr_classes *values)
{
    const array_table *s = (const array_table *)t;

    for (int64_t i = first; i < first + n; i++) {
        char text[ORR_FIELD_TEXT];
        int64_t row = i;
        const orr_array *a = at_row(&s->y, &row);
        size_t bytes = label_text(a, row, text);

        if (bytes > 0 && !orr_is_missing_text(&s->base.label_missing, text, bytes))
            ORR_TRY(orr_classes_add(values, text, bytes));
    }
    return ORR_OK;
}

/* ---- opening ---- */

static void close_column(column *c)
{
    for (int i = 0; i < c->n; i++)
        orr_array_close(&c->arrays[i]);
    orr_free(c->arrays);
}

static void arrays_destroy(orr_table *t)
{
    array_table *s = (array_table *)t;

    close_column(&s->x);
    close_column(&s->y);
    for (int i = 0; i < ORR_ID_PARTS; i++)
        close_column(&s->id[i]);
    close_column(&s->aux);
    if (s->has_mutex) pthread_mutex_destroy(&s->lock);
    orr_table_free(t);
}

/* Opens `name` in each of n files. */
static orr_status open_column(column *c, const orr_format *f, char *const *paths, int n,
                              const char *name, const orr_trust *trust)
{
    if (!(c->arrays = orr_alloc((size_t)n, sizeof *c->arrays)))
        return orr_fail(ORR_ERR_NOMEM, "out of memory: %d arrays", n);
    for (; c->n < n; c->n++) {
        orr_array *a = &c->arrays[c->n];

        ORR_TRY(f->open_array(a, paths[c->n], name, trust));
        c->rows += a->dims[0];
    }
    return ORR_OK;
}

/* Another input file, after those that hold x: for labels and ids in files of their own. */
static orr_status add_input(orr_table *t, const char *dir, const char *name)
{
    size_t n = (size_t)t->n_inputs;
    char path[ORR_PATH_MAX];
    char **more;

    ORR_TRY(orr_path_join(path, orr_or(dir, ""), name));
    if (!(more = orr_realloc(t->inputs, n, n + 1, sizeof *more)))
        return orr_fail(ORR_ERR_NOMEM, "out of memory: name of input %s", name);
    t->inputs = more;
    if (!(t->inputs[n] = orr_strdup(path)))
        return orr_fail(ORR_ERR_NOMEM, "out of memory: name of input %s", name);
    t->n_inputs++;
    return ORR_OK;
}

/* "a.npy, b.npy" in files of their own. */
static orr_status open_files(column *c, orr_table *t, const orr_format *f, const char *list,
                             const char *dir)
{
    char *copy = orr_strdup(list), *comma;
    int first = t->n_inputs;
    orr_status st = ORR_OK;

    if (!copy) return orr_fail(ORR_ERR_NOMEM, "out of memory: names of files");
    for (char *name = copy; name; name = comma ? comma + 1 : NULL) {
        if ((comma = strchr(name, ','))) *comma = '\0';
        while (*name == ' ')
            name++;
        ORR_TRY_GOTO(st, done, add_input(t, dir, name));
    }
    ORR_TRY_GOTO(st, done,
                 open_column(c, f, t->inputs + first, t->n_inputs - first, NULL, &t->trust));
done:
    orr_free(copy);
    return st;
}

/* Labels or ids: as many rows as x, in memory. */
static orr_status finish_side(column *c, const column *x, const char *option)
{
    for (int i = 0; i < c->n; i++)
        ORR_TRY(orr_array_load(&c->arrays[i]));
    if (c->rows != x->rows)
        return orr_fail(ORR_ERR_SHAPE, "%s: %lld rows for %s, and %lld samples in %s",
                        c->arrays[0].what, (long long)c->rows, option, (long long)x->rows,
                        x->arrays[0].what);
    return ORR_OK;
}

static orr_status check_label_types(const array_table *s, int64_t width)
{
    for (int i = 0; i < s->y.n; i++) {
        const orr_array *a = &s->y.arrays[i];

        if (a->elem == ORR_ELEM_TEXT && s->base.schema.y_type != ORR_Y_CLASS)
            return orr_fail(ORR_ERR_UNSUPPORTED, "%s: labels are text; save them as numbers",
                            a->what);
        if (orr_array_row_values(a) != width)
            return orr_fail(ORR_ERR_SHAPE, "%s: %lld labels for each sample, %lld expected",
                            a->what, (long long)orr_array_row_values(a), (long long)width);
    }
    return ORR_OK;
}

static orr_status set_labels(array_table *s, const orr_table_opts *o)
{
    orr_schema *schema = &s->base.schema;
    int64_t width;

    if (s->y.n == 0) return ORR_OK;
    ORR_TRY(finish_side(&s->y, &s->x, "label"));
    s->base.has_label = 1;
    if (!strcmp(orr_or(o->label_kind, "class"), "class")) {
        schema->y_type = ORR_Y_CLASS;
        return check_label_types(s, 1);
    }
    width = orr_array_row_values(&s->y.arrays[0]);
    if (width > 1 << 20)
        return orr_fail(ORR_ERR_SHAPE, "%s: %lld targets for each sample", s->y.arrays[0].what,
                        (long long)width);
    schema->y_type = ORR_Y_VALUE;
    schema->y_width = (int)width;
    return check_label_types(s, width);
}

static orr_status set_aux(array_table *s, const orr_table_opts *o)
{
    int64_t width;

    if (s->aux.n == 0) return orr_table_set_aux_names(&s->base, &o->aux_names);
    ORR_TRY(finish_side(&s->aux, &s->x, "aux"));
    width = orr_array_row_values(&s->aux.arrays[0]);
    ORR_TRY(orr_table_check_aux(width));
    for (int i = 0; i < s->aux.n; i++) {
        const orr_array *a = &s->aux.arrays[i];

        if (a->elem == ORR_ELEM_TEXT)
            return orr_fail(ORR_ERR_UNSUPPORTED, "%s: aux numbers are text; save them as numbers",
                            a->what);
        if (orr_array_row_values(a) != width)
            return orr_fail(ORR_ERR_SHAPE, "%s: %lld aux numbers for each sample, %lld expected",
                            a->what, (long long)orr_array_row_values(a), (long long)width);
    }
    s->base.schema.n_aux = (int)width;
    return orr_table_set_aux_names(&s->base, &o->aux_names);
}

/* What only tables of columns have. */
static orr_status refuse_columns(const orr_table_opts *o, const char *format)
{
    if (o->target.n)
        return orr_fail(ORR_ERR_OPTION, "input.target is for tables of named columns; give "
                                        "label and label_kind: value");
    if (o->where)
        return orr_fail(ORR_ERR_OPTION,
                        "input.where is for tables of named columns, and "
                        "these files are %s arrays",
                        format);
    if ((o->missing && o->missing->type == ORR_NODE_MAP) || o->shift)
        return orr_fail(ORR_ERR_OPTION,
                        "input.%s by column is for tables of named columns, and these files are %s "
                        "arrays%s",
                        o->shift ? "shift" : "missing", format,
                        o->shift ? "; take the origin off the array" : "; give a list of values");
    if (o->aux.n > 1)
        return orr_fail(ORR_ERR_OPTION,
                        "input.aux: %d names; for arrays it is one array of k columns", o->aux.n);
    return ORR_OK;
}

static orr_status set_ids(array_table *s)
{
    for (int k = 0; k < s->n_id; k++) {
        ORR_TRY(finish_side(&s->id[k], &s->x, "id"));
        for (int i = 0; i < s->id[k].n; i++) {
            const orr_array *a = &s->id[k].arrays[i];

            if (orr_array_row_values(a) != 1)
                return orr_fail(ORR_ERR_SHAPE, "%s: %lld ids for each sample", a->what,
                                (long long)orr_array_row_values(a));
        }
    }
    s->base.has_id = s->n_id > 0;
    return ORR_OK;
}

static orr_status set_axes(array_table *s, const char *axes, const orr_array *a)
{
    int wanted = !strcmp(axes, "auto") ? s->n_axes : (int)strlen(axes);

    if (wanted != s->n_axes)
        return orr_fail(ORR_ERR_SHAPE,
                        "%s: axes %s, and a sample has %d axes; set shape, or axes as they are",
                        a->what, axes, s->n_axes);
    for (int i = 0; i < s->n_axes; i++)
        s->axis[i] = i + 1;
    if (!strcmp(axes, "chw") || !strcmp(axes, "cw")) {
        for (int i = 0; i + 1 < s->n_axes; i++)
            s->axis[i] = i + 2;
        s->axis[s->n_axes - 1] = 1;
    }
    return ORR_OK;
}

/* Sizes as "3 x 64 x 64". */
static void print_sizes(char *buf, size_t bytes, const int64_t *dims, int n)
{
    size_t used = 0;

    *buf = '\0';
    for (int i = 0; i < n && used < bytes; i++)
        used += (size_t)snprintf(buf + used, bytes - used, "%s%lld", i ? " x " : "",
                                 (long long)dims[i]);
}

/* Does each axis of one list stand for a run of axes of the other?  Otherwise values that were
 * neighbours along an axis would come apart.  The products agree. */
static int along_axes(const int64_t *a, int n, const int64_t *b, int m)
{
    int i = 0, k = 0;

    while (i < n || k < m) {
        int64_t x = 1, y = 1;
        int from[2] = { 0 }; /* axes that are more than one long */

        do {
            int left = i < n && (x <= y || k == m);

            if (!left && k == m) return 0;
            from[left ? 0 : 1] += (left ? a[i] : b[k]) > 1;
            if (left)
                x *= a[i++];
            else
                y *= b[k++];
        } while (x != y);
        if (from[0] > 1 && from[1] > 1) return 0;
    }
    return 1;
}

/* shape says what a sample is as it is stored, after axes. */
static orr_status check_shape(const array_table *s, const orr_reals *shape)
{
    const orr_array *a = &s->x.arrays[0];
    int64_t stored[ORR_ARRAY_DIMS] = { 0 }, asked[ORR_LIST_MAX] = { 0 };
    char text[3][96];

    for (int i = 0; i < s->n_axes; i++)
        stored[i] = a->dims[s->axis[i]];
    for (int i = 0; i < shape->n; i++)
        asked[i] = (int64_t)shape->v[i];
    if (s->n_axes < 1 || along_axes(stored, s->n_axes, asked, shape->n)) return ORR_OK;
    print_sizes(text[0], sizeof text[0], asked, shape->n);
    print_sizes(text[1], sizeof text[1], a->dims + 1, s->n_axes);
    print_sizes(text[2], sizeof text[2], stored, s->n_axes);
    return orr_fail(ORR_ERR_SHAPE,
                    "%s: input.shape %s does not go along the axes of a sample, which is %s in the "
                    "file and %s as it is stored (input.axes); shape is in the stored order, "
                    "channels last",
                    a->what, text[0], text[1], text[2]);
}

/* Where nobody said which axis is which, and the last one looks like no channels. */
static void say_axes(array_table *s, const orr_table_opts *o, int is_images)
{
    const orr_array *a = &s->x.arrays[0];
    const int64_t *d = a->dims + 1;
    int64_t c = s->n_axes > 0 ? d[s->n_axes - 1] : 0;
    char all[96], text[96];

    if (o->shape.n || strcmp(orr_or(o->axes, "auto"), "auto") != 0 || s->n_axes < 2 || is_images)
        return;
    if (s->n_axes == 2 ? c <= 16 : c <= d[0]) return;
    print_sizes(all, sizeof all, a->dims, a->n_dims);
    print_sizes(text, sizeof text, d, s->n_axes);
    snprintf(s->base.axes_said, sizeof s->base.axes_said,
             "an array of %s%s is read as %lld samples of %s (%s): is that meant?  input.axes and "
             "input.shape say otherwise",
             all, s->x.n > 1 ? ", the first of several," : "", (long long)s->x.rows, text,
             s->n_axes == 2 ? "width x channels" : "height x width x channels");
}

static orr_status set_sample(array_table *s, const orr_table_opts *o, int is_images)
{
    const orr_array *a = &s->x.arrays[0];
    int64_t dims[ORR_ARRAY_DIMS];

    s->n_axes = a->n_dims - 1;
    for (int i = 0; i < s->x.n; i++) {
        const orr_array *b = &s->x.arrays[i];

        if (b->elem == ORR_ELEM_TEXT)
            return orr_fail(ORR_ERR_UNSUPPORTED, "%s: samples are text", b->what);
        if (b->n_dims != a->n_dims ||
            memcmp(b->dims + 1, a->dims + 1, (size_t)s->n_axes * sizeof *a->dims) != 0)
            return orr_fail(ORR_ERR_SHAPE, "%s: samples of another shape than in %s", b->what,
                            a->what);
    }
    ORR_TRY(set_axes(s, orr_or(o->axes, "auto"), a));
    say_axes(s, o, is_images);
    if (o->shape.n) {
        ORR_TRY(orr_table_set_shape(&s->base, &o->shape, orr_array_row_values(a), a->what));
        return check_shape(s, &o->shape);
    }
    for (int i = 0; i < s->n_axes; i++)
        dims[i] = a->dims[s->axis[i]];
    if (s->n_axes == 0) return orr_table_set_dims(&s->base, (int64_t[]){ 1 }, 1, a->what);
    if (is_images && s->n_axes == 2)
        return orr_table_set_dims(&s->base, (int64_t[]){ dims[0], dims[1], 1 }, 3, a->what);
    return orr_table_set_dims(&s->base, dims, s->n_axes, a->what);
}

static orr_status set_type(array_table *s, const orr_table_opts *o)
{
    int all_u8 = 1;

    for (int i = 0; i < s->x.n; i++)
        all_u8 &= s->x.arrays[i].elem == ORR_ELEM_U1;
    if (all_u8 && !s->base.zscore && !strcmp(orr_or(o->type, "auto"), "auto"))
        s->base.schema.x_type = ORR_X_U8;
    return ORR_OK;
}

/* Where arrays have names: that of x when none is given. */
static orr_status name_of_x(const char **name, const orr_table_opts *o, const orr_table *t,
                            const orr_format *f)
{
    static const char *const usual[] = { "x", "X", "images", "data", "arr_0", NULL };
    const char *given = orr_or(o->features, "rest");
    int is_given = strcmp(given, "rest") != 0;

    *name = NULL;
    if (!f->find_array && is_given)
        return orr_fail(ORR_ERR_OPTION, "input.features: %s files are listed under files", f->name);
    if (!f->find_array) return ORR_OK;
    *name = is_given ? given : f->find_array(t->inputs[0], usual, &t->trust);
    if (!*name) *name = "x"; /* opening it says what is wrong, or what there is */
    return ORR_OK;
}

/* Labels, ids or aux numbers: an array of the files, or files of their own; "" = none. */
static orr_status open_side(array_table *s, column *c, const orr_format *f, const char *name,
                            const char *dir)
{
    if (!*name) return ORR_OK;
    return f->find_array ? open_column(c, f, s->base.inputs, s->x.n, name, &s->base.trust)
                         : open_files(c, &s->base, f, name, dir);
}

static orr_status open_all(array_table *s, const orr_table_opts *o, const char *dir,
                           const orr_format *f)
{
    const char *name = NULL;
    orr_table *t = &s->base;

    ORR_TRY(name_of_x(&name, o, t, f));
    ORR_TRY(open_column(&s->x, f, t->inputs, t->n_inputs, name, &t->trust));
    ORR_TRY(open_side(s, &s->y, f, orr_or(o->label, ""), dir));
    if (o->id.n > ORR_ID_PARTS)
        return orr_fail(ORR_ERR_OPTION, "input.id: %d arrays; an id is made of %d at most", o->id.n,
                        ORR_ID_PARTS);
    for (int k = 0; orr_table_wants_id(o) && k < o->id.n; k++) {
        ORR_TRY(open_side(s, &s->id[k], f, o->id.v[k], dir));
        s->n_id = k + 1;
    }
    return open_side(s, &s->aux, f, o->aux.n ? o->aux.v[0] : "", dir);
}

/* The values of a vector or a series are columns, and so are an image's channels. */
static orr_status make_rules(orr_table *t)
{
    const orr_schema *s = &t->schema;

    ORR_TRY(orr_table_make_rule(
        t, ORR_VALUES_X, s->n_dims == 3 ? (size_t)s->c : (size_t)s->h * (size_t)s->w * (size_t)s->c,
        0));
    ORR_TRY(orr_table_make_rule(t, ORR_VALUES_Y, (size_t)s->y_width, 0));
    return orr_table_make_rule(t, ORR_VALUES_AUX, (size_t)s->n_aux, 0);
}

static void column_name(const orr_table *t, orr_values_kind kind, size_t place, char *buf,
                        size_t bytes)
{
    static const char *const words[] = { "value", "target", "aux number" };

    snprintf(buf, bytes, "%s %zu",
             kind == ORR_VALUES_X && t->schema.n_dims == 3 ? "channel" : words[kind], place);
}

static const orr_table_ops arrays_ops = { .name = "arrays",
                                          .read = read_rows,
                                          .label_range = label_range,
                                          .destroy = arrays_destroy,
                                          .column_name = column_name,
                                          .learn = learn };

orr_status orr_array_table_open(orr_table **out, const orr_table_opts *o, const char *dir,
                                const orr_format *f)
{
    array_table *s = orr_alloc(1, sizeof *s);
    orr_status st = ORR_OK;

    if (!s) return orr_fail(ORR_ERR_NOMEM, "out of memory: table of arrays");
    ORR_TRY_GOTO(st, done, orr_table_init(&s->base, &arrays_ops, o, dir));
    ORR_TRY_GOTO(st, done, refuse_columns(o, f->name));
    if (pthread_mutex_init(&s->lock, NULL) != 0)
        ORR_TRY_GOTO(st, done, orr_fail(ORR_ERR_INTERNAL, "arrays: no mutex"));
    s->has_mutex = 1;
    ORR_TRY_GOTO(st, done, open_all(s, o, dir, f));
    ORR_TRY_GOTO(st, done, set_sample(s, o, f->is_images));
    ORR_TRY_GOTO(st, done, set_type(s, o));
    ORR_TRY_GOTO(st, done, set_labels(s, o));
    ORR_TRY_GOTO(st, done, set_ids(s));
    ORR_TRY_GOTO(st, done, set_aux(s, o));
    ORR_TRY_GOTO(st, done, make_rules(&s->base));
    ORR_TRY_GOTO(st, done, orr_table_set_rows(&s->base, s->x.rows, s->x.rows));
    *out = &s->base;
    s = NULL;
done:
    if (s) arrays_destroy(&s->base);
    return st;
}
