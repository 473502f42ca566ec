/* data/formats/array_read.c - rows of arrays become samples. */
#include "core/memory.h"
#include "data/formats/array_table.h"
#include "data/formats/values.h"

#include <omp.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

enum { BLOCK_BYTES = 16 << 20, MAX_BLOCK_BYTES = 256 << 20 };

/* What one call reads. */
typedef struct {
    const orr_arrays *s;
    orr_rows *out;
    double *scratch; /* of each thread: one sample */
    void *block;     /* rows of an hdf5 dataset */
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
static void gather(const orr_arrays *s, const span *w, const char *p, double *dst)
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
static int is_plain(const orr_arrays *s, const span *w)
{
    int64_t stride = 1;

    if (s->base.zscore || w->a->swap) return 0;
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
static orr_status fail_value(const orr_arrays *s, const span *w, int64_t row, size_t flat, double v,
                             orr_x_type type)
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

static orr_status fail_if_bad(const job *j, const span *w, int64_t i, size_t bad, const double *v)
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
    const orr_arrays *s = j->s;
    const char *p = w->p + (size_t)(i * w->strides[0]) * w->a->elem_bytes;
    char *dst = (char *)j->out->x + (size_t)(w->to + i) * j->x_bytes;

    if (is_plain(s, w)) {
        memcpy(dst, p, j->x_bytes);
        if (s->base.keep_nan || s->base.schema.x_type == ORR_X_U8 || all_finite(dst, j->values))
            return ORR_OK;
    }
    gather(s, w, p, v);
    if (s->base.zscore) {
        if (!s->base.keep_nan)
            ORR_TRY(fail_if_bad(j, w, i, orr_values_first_nonfinite(v, j->values), v));
        orr_values_zscore(v, j->values);
    }
    return fail_if_bad(
        j, w, i, orr_values_store(dst, s->base.schema.x_type, v, j->values, s->base.keep_nan), v);
}

/* As in csv_read.c: the lowest bad sample is found, then done again for its sentence. */
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

/* An hdf5 dataset, block by block; blocks end where chunks do, so that no chunk is unpacked twice.
 */
static orr_status read_blocks(job *j, span *w)
{
    orr_arrays *s = (orr_arrays *)j->s; /* for the lock alone */
    size_t row_bytes = j->values * w->a->elem_bytes;
    int64_t chunk = w->a->h5_chunk_rows, rows, end = w->row + w->n, stride = 1;

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
        pthread_mutex_lock(&s->hdf5);
        st = orr_hdf5_read(w->a, w->row, w->n, j->block);
        pthread_mutex_unlock(&s->hdf5);
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
static const orr_array *at_row(const orr_array_column *c, int64_t *row)
{
    int i = 0;

    for (; i + 1 < c->n && *row >= c->arrays[i].dims[0]; i++)
        *row -= c->arrays[i].dims[0];
    return &c->arrays[i];
}

static orr_status read_class(const orr_arrays *s, int64_t row, int32_t *out)
{
    const orr_array *a = at_row(&s->y, &row);
    double v = orr_array_number(a, row, 0);
    char why[256];

    *out = orr_classes_label(&s->base.classes, NULL, 0, v, 1);
    if (*out >= 0) return ORR_OK;
    orr_classes_fault(&s->base.classes, why, sizeof why);
    return orr_fail(ORR_ERR_FORMAT, "%s[%lld]: label %g %s", a->what, (long long)row, v, why);
}

/* A row of targets or aux numbers. */
static orr_status read_floats(const orr_arrays *s, const orr_array_column *c, int64_t row, int n,
                              float *out)
{
    const orr_array *a = at_row(c, &row);

    for (int k = 0; k < n; k++) {
        double v = orr_array_number(a, row, k);
        char why[128];

        if (orr_values_store(&out[k], ORR_X_F32, &v, 1, s->base.keep_nan) == 1) continue;
        orr_values_fault(why, sizeof why, ORR_X_F32, v);
        return orr_fail(ORR_ERR_FORMAT, "%s[%lld, %d] %s", a->what, (long long)row, k, why);
    }
    return ORR_OK;
}

static size_t text_bytes(const orr_array *a, int64_t row)
{
    return strnlen(a->data + (size_t)row * a->elem_bytes, a->elem_bytes);
}

static orr_status read_id(const orr_arrays *s, int64_t row, char *dst)
{
    const orr_array *a = at_row(&s->id, &row);
    size_t n;
    int64_t v;

    if (a->elem != ORR_ELEM_TEXT) {
        if (!orr_array_integer(a, row, &v))
            return orr_fail(ORR_ERR_FORMAT,
                            "%s[%lld]: the id does not fit into 64 bits with a sign", a->what,
                            (long long)row);
        memcpy(dst, &v, sizeof v);
        return ORR_OK;
    }
    n = text_bytes(a, row);
    if (s->base.schema.id_type != ORR_ID_TEXT || n > (size_t)s->base.schema.id_bytes)
        return orr_fail(ORR_ERR_ARG, "%s[%lld]: the label range did not cover this id", a->what,
                        (long long)row);
    memset(dst, 0, (size_t)s->base.schema.id_bytes);
    memcpy(dst, a->data + (size_t)row * a->elem_bytes, n);
    return ORR_OK;
}

orr_status orr_arrays_read(const orr_table *t, int64_t first, int64_t n, orr_rows *rows,
                           int threads)
{
    const orr_arrays *s = (const orr_arrays *)t;
    job j = { .s = s, .out = rows, .threads = threads > n ? (int)n : threads };
    size_t y_bytes = orr_schema_y_bytes(&t->schema), id_bytes = orr_schema_id_bytes(&t->schema);
    int n_aux = t->schema.n_aux;
    orr_status st = ORR_OK;

    j.values = (size_t)orr_array_row_values(&s->x.arrays[0]);
    j.x_bytes = orr_schema_x_bytes(&t->schema);
    for (int64_t i = 0; i < n; i++) {
        if (rows->y && t->schema.y_type == ORR_Y_CLASS)
            ORR_TRY(read_class(s, first + i, (int32_t *)rows->y + i));
        if (rows->y && t->schema.y_type == ORR_Y_VALUE)
            ORR_TRY(read_floats(s, &s->y, first + i, t->schema.y_width,
                                (float *)((char *)rows->y + (size_t)i * y_bytes)));
        if (rows->aux && n_aux)
            ORR_TRY(read_floats(s, &s->aux, first + i, n_aux, rows->aux + i * n_aux));
        if (rows->id && t->has_id)
            ORR_TRY(read_id(s, first + i, (char *)rows->id + (size_t)i * id_bytes));
    }
    if (!rows->x) return ORR_OK;
    if (!(j.scratch = orr_alloc(j.values * (size_t)j.threads, sizeof *j.scratch)))
        return orr_fail(ORR_ERR_NOMEM, "%s: out of memory: a sample of %zu values",
                        s->x.arrays[0].what, j.values);
    st = read_x(&j, first, n);
    orr_free(j.scratch);
    orr_free(j.block);
    return st;
}

orr_status orr_arrays_label_range(const orr_table *t, int64_t first, int64_t n, int32_t *max_label,
                                  int *max_id_bytes)
{
    const orr_arrays *s = (const orr_arrays *)t;

    for (int64_t i = first; i < first + n; i++) {
        int64_t row = i;
        int32_t label;

        if (t->schema.y_type == ORR_Y_CLASS) {
            ORR_TRY(read_class(s, i, &label));
            if (label > *max_label) *max_label = label;
        }
        if (t->has_id && s->id.arrays[0].elem == ORR_ELEM_TEXT) {
            const orr_array *a = at_row(&s->id, &row);
            size_t bytes = text_bytes(a, row);

            if (bytes == 0 || bytes > ORR_ID_TEXT_MAX)
                return orr_fail(ORR_ERR_FORMAT,
                                "%s[%lld]: an id of %zu bytes; 1 to %d are possible", a->what,
                                (long long)row, bytes, ORR_ID_TEXT_MAX);
            if ((int)bytes > *max_id_bytes) *max_id_bytes = (int)bytes;
        }
    }
    return ORR_OK;
}
