/* data/formats/record_table.c - FITS tables and structured npy as a table of samples: opening.
 * Columns are chosen as those of a csv are; one that holds several values is several features,
 * targets or aux numbers. */
#include "data/formats/record_table.h"
#include "core/memory.h"
#include "data/formats/id_text.h"

#include <stdio.h>
#include <string.h>

static void destroy(orr_table *t)
{
    orr_record_table *s = (orr_record_table *)t;

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

static orr_status open_files(orr_record_table *s, const char *table)
{
    int n = s->base.n_inputs;

    s->files = orr_alloc((size_t)n, sizeof *s->files);
    s->first = orr_alloc((size_t)n + 1, sizeof *s->first);
    if (!s->files || !s->first) return orr_fail(ORR_ERR_NOMEM, "out of memory: %d tables", n);
    for (int i = 0; i < n; i++) {
        orr_bytes bytes;

        ORR_TRY(orr_bytes_open(&bytes, s->base.inputs[i]));
        ORR_TRY(orr_records_open(&s->files[i], &bytes, s->base.inputs[i], table));
        s->n_files = i + 1;
        s->first[i + 1] = s->first[i] + s->files[i].rows;
        if (i > 0) ORR_TRY(check_same(&s->files[0], &s->files[i]));
    }
    return ORR_OK;
}

/* ---- opening: columns ---- */

/* A number that fills [s, s + n), for columns by number; -1 when it is none. */
static int64_t number_of(const char *s, size_t n)
{
    int64_t v;

    return n > 0 && orr_id_integer(s, n, &v) && v >= 0 ? v : -1;
}

/* A column by name (with [i] one value of it), or by number from 1. */
static orr_status find(const orr_record_table *s, const char *word, const char *option,
                       orr_pick *out)
{
    const orr_records *r = &s->files[0];
    int64_t number = number_of(word, strlen(word));
    int twice;

    if (number >= 1 && number <= r->n_fields && orr_records_find(r, word, &twice) < 0) {
        out->field = (int)number - 1;
        out->element = -1;
    } else {
        ORR_TRY(orr_records_pick(r, word, option, &out->field, &out->element));
    }
    ORR_TRY(orr_field_check(r, &r->fields[out->field], option));
    out->n = out->element < 0 ? r->fields[out->field].count : 1;
    if (out->element < 0) out->element = 0;
    return ORR_OK;
}

static orr_status find_one(const orr_record_table *s, const char *word, const char *option,
                           orr_pick *out)
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

static orr_status add(orr_record_table *s, orr_picks *p, const orr_pick *k, const char *option)
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
        orr_pick *more = orr_realloc(p->list, (size_t)p->cap, (size_t)want, sizeof *more);

        if (!more) return orr_fail(ORR_ERR_NOMEM, "out of memory: %d columns", want);
        p->list = more;
        p->cap = want;
    }
    p->list[p->n++] = *k;
    p->values += k->n;
    return ORR_OK;
}

static orr_status add_word(orr_record_table *s, orr_picks *p, const char *word, const char *option)
{
    orr_pick k;

    ORR_TRY(find(s, word, option, &k));
    return add(s, p, &k, option);
}

/* "2-5" or "7-": 0 when the word is no range of column numbers. */
static int range_of(const char *word, int64_t *from, int64_t *to)
{
    const char *dash = strchr(word, '-');

    if (!dash) return 0;
    *from = number_of(word, (size_t)(dash - word));
    *to = dash[1] ? number_of(dash + 1, strlen(dash + 1)) : 0;
    return *from >= 1 && *to >= 0;
}

static orr_status add_feature(void *ctx, const char *word)
{
    orr_record_table *s = ctx;
    const orr_records *r = &s->files[0];
    int64_t from, to;
    int twice;

    if (orr_records_find(r, word, &twice) >= 0 || !range_of(word, &from, &to))
        return add_word(s, &s->x, word, "features");
    if (to == 0) to = r->n_fields;
    if (from > to || to > r->n_fields)
        return orr_fail(ORR_ERR_OPTION, "%s: features %s; there are columns 1 to %d", r->what, word,
                        r->n_fields);
    for (int64_t i = from; i <= to; i++) {
        orr_pick k = { .field = (int)i - 1, .n = r->fields[i - 1].count };

        ORR_TRY(orr_field_check(r, &r->fields[k.field], "features"));
        ORR_TRY(add(s, &s->x, &k, "features"));
    }
    return ORR_OK;
}

static int is_used(const orr_record_table *s, int field)
{
    const orr_picks *lists[] = { &s->y, &s->aux };

    if ((s->base.has_label && s->label.field == field) || (s->base.has_id && s->id.field == field))
        return 1;
    for (int k = 0; k < 2; k++)
        for (int i = 0; i < lists[k]->n; i++)
            if (lists[k]->list[i].field == field) return 1;
    return 0;
}

/* All columns of numbers that are nothing else. */
static orr_status add_rest(orr_record_table *s)
{
    const orr_records *r = &s->files[0];

    for (int i = 0; i < r->n_fields; i++) {
        orr_pick k = { .field = i, .n = r->fields[i].count };

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
static void name_value(const orr_record_table *s, const orr_picks *p, int64_t place, char *out,
                       size_t bytes)
{
    int64_t element;
    const orr_field *f = orr_pick_field(&s->files[0], p, place, &element);

    if (f->count > 1)
        snprintf(out, bytes, "%.*s[%lld]", ORR_DATA_NAME_MAX - 12, f->name, (long long)element);
    else
        snprintf(out, bytes, "%.*s", ORR_DATA_NAME_MAX - 1, f->name);
}

static orr_status choose(orr_record_table *s, const orr_table_opts *o)
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
        orr_pick k;

        ORR_TRY(find_one(s, w->list[i].name, "where", &k));
        w->list[i].column = k.field;
        w->list[i].element = k.element;
    }
    return ORR_OK;
}

static orr_status set_schema(orr_record_table *s, const orr_table_opts *o)
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

static const orr_table_ops record_ops = { .name = "records",
                                          .read = orr_record_table_read,
                                          .label_range = orr_record_table_label_range,
                                          .destroy = destroy };

orr_status orr_record_table_open(orr_table **out, const orr_table_opts *o, const char *dir)
{
    orr_record_table *s = orr_alloc(1, sizeof *s);
    orr_status st = ORR_OK;

    if (!s) return orr_fail(ORR_ERR_NOMEM, "out of memory: table");
    ORR_TRY_GOTO(st, done, orr_table_init(&s->base, &record_ops, o, dir));
    ORR_TRY_GOTO(st, done, open_files(s, orr_or(o->table, "")));
    ORR_TRY_GOTO(st, done, choose(s, o));
    ORR_TRY_GOTO(st, done, set_schema(s, o));
    ORR_TRY_GOTO(st, done, orr_record_table_filter(s));
    *out = &s->base;
    s = NULL;
done:
    if (s) destroy(&s->base);
    return st;
}
