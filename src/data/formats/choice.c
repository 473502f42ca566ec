/* data/formats/choice.c - columns become features, targets, aux numbers, label and id. */
#include "data/formats/choice.h"
#include "core/memory.h"

#include <stdio.h>
#include <string.h>

typedef enum { FEATURE = 1, TARGET = 2, LABEL = 4, ID = 8, AUX = 16 } use;

static const struct {
    use use;
    const char *words;
} uses[] = { { LABEL, "the label" },
             { ID, "the id" },
             { TARGET, "a target" },
             { FEATURE, "a feature" },
             { AUX, "an aux number" } };
enum { N_USES = sizeof uses / sizeof *uses };

typedef struct {
    orr_choice *c;
    orr_table *t;
    const orr_choice_from *from;
    unsigned char *used; /* of each column: what its values are */
} chooser;

void orr_choice_free(orr_choice *c)
{
    orr_free(c->x.list);
    orr_free(c->y.list);
    orr_free(c->aux.list);
    *c = (orr_choice){ 0 };
}

const orr_pick *orr_picks_at(const orr_picks *p, int64_t place, int64_t *element)
{
    int i = 0;

    for (; i + 1 < p->n && place >= p->list[i].n; i++)
        place -= p->list[i].n;
    *element = p->list[i].element + place;
    return &p->list[i];
}

/* ---- columns ---- */

static const orr_field *field_of(const chooser *s, int column)
{
    return s->from->records ? &s->from->records->fields[column] : NULL;
}

static int64_t count_of(const chooser *s, int column)
{
    const orr_field *f = field_of(s, column);

    return f ? f->count : 1;
}

static int is_text(const chooser *s, int column)
{
    const orr_field *f = field_of(s, column);

    return f && orr_field_type(f) == ORR_VALUE_TEXT;
}

/* "column 5 (FLUX)"; without a header "column 5". */
static const char *shown(const chooser *s, int column, char *buf, size_t bytes)
{
    const orr_names *names = &s->from->names;

    if (names->list)
        snprintf(buf, bytes, "column %d (%.60s)", column + 1, names->list[column]);
    else
        snprintf(buf, bytes, "column %d", column + 1);
    return buf;
}

/* A column by name (with [i] one value of it), or by number from 1. */
static orr_status find(const chooser *s, const char *word, const char *option, orr_pick *out)
{
    const orr_records *r = s->from->records;

    out->element = -1;
    if (!r) {
        ORR_TRY(orr_names_pick(&s->from->names, word, option, &out->column));
    } else {
        ORR_TRY(orr_records_pick(r, word, option, 1, &out->column, &out->element));
        ORR_TRY(orr_field_check(r, &r->fields[out->column], option));
    }
    out->n = out->element < 0 ? count_of(s, out->column) : 1;
    if (out->element < 0) out->element = 0;
    return ORR_OK;
}

static orr_status find_one(const chooser *s, const char *word, const char *option, orr_pick *out)
{
    const char *name;

    ORR_TRY(find(s, word, option, out));
    if (out->n == 1) return ORR_OK;
    name = s->from->names.list[out->column];
    return orr_fail(ORR_ERR_OPTION,
                    "%s: %s: column %s holds %lld values a row; say which, such as %s[0]",
                    s->from->names.what, option, name, (long long)out->n, name);
}

/* ---- uses ---- */

static int overlap(const orr_pick *a, const orr_pick *b)
{
    return a->column == b->column && a->element < b->element + b->n &&
           b->element < a->element + a->n;
}

static int is_id(const orr_choice *c, const orr_pick *k)
{
    for (int i = 0; i < c->n_id; i++)
        if (overlap(&c->id[i], k)) return 1;
    return 0;
}

static int is_among(const orr_picks *p, const orr_pick *k)
{
    for (int i = 0; i < p->n; i++)
        if (overlap(&p->list[i], k)) return 1;
    return 0;
}

/* Are values of k already of that use? */
static int is_used_as(const chooser *s, const orr_pick *k, use u)
{
    const orr_choice *c = s->c;

    if (!(s->used[k->column] & u)) return 0;
    if (count_of(s, k->column) == 1) return 1;
    return u == LABEL ? overlap(&c->label, k)
           : u == ID  ? is_id(c, k)
           : u == AUX ? is_among(&c->aux, k)
                      : is_among(u == TARGET ? &c->y : &c->x, k);
}

/* Copies in aux aside, a value has one use. */
static orr_status claim(chooser *s, const orr_pick *k, use u, const char *option)
{
    const char *what = s->from->names.what, *words = "";
    char name[96];

    shown(s, k->column, name, sizeof name);
    for (int i = 0; i < N_USES; i++)
        if (uses[i].use == u) words = uses[i].words;
    for (int i = 0; i < N_USES; i++) {
        use other = uses[i].use;

        if (!is_used_as(s, k, other)) continue;
        if (other == u)
            return orr_fail(ORR_ERR_OPTION, "%s: %s: %s stands twice", what, option, name);
        if ((u == AUX || other == AUX) && u != ID && other != ID) continue;
        return orr_fail(ORR_ERR_OPTION, "%s: %s cannot be %s and %s", what, name, uses[i].words,
                        words);
    }
    s->used[k->column] = (unsigned char)(s->used[k->column] | u);
    return ORR_OK;
}

static orr_status add(chooser *s, orr_picks *p, const orr_pick *k, use u, const char *option)
{
    int want = p->cap ? 2 * p->cap : 16;
    char name[96];

    if (is_text(s, k->column))
        return orr_fail(ORR_ERR_OPTION, "%s: %s: %s is text", s->from->names.what, option,
                        shown(s, k->column, name, sizeof name));
    ORR_TRY(claim(s, k, u, option));
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

static orr_status add_word(chooser *s, orr_picks *p, const char *word, use u, const char *option)
{
    orr_pick k;

    ORR_TRY(find(s, word, option, &k));
    return add(s, p, &k, u, option);
}

static orr_status add_words(chooser *s, orr_picks *p, const orr_strings *words, use u,
                            const char *option)
{
    for (int i = 0; i < words->n; i++)
        ORR_TRY(add_word(s, p, words->v[i], u, option));
    return ORR_OK;
}

/* ---- features ---- */

static orr_status add_feature(void *ctx, const char *word)
{
    chooser *s = ctx;
    int from, to;

    ORR_TRY(orr_names_range(&s->from->names, word, "input.features", &from, &to));
    if (from < 0) return add_word(s, &s->c->x, word, FEATURE, "input.features");
    for (int i = from; i < to; i++) {
        const orr_pick k = { .column = i, .n = count_of(s, i) };

        if (s->from->records)
            ORR_TRY(orr_field_check(s->from->records, field_of(s, i), "input.features"));
        ORR_TRY(add(s, &s->c->x, &k, FEATURE, "input.features"));
    }
    return ORR_OK;
}

/* "", and what pandas calls a column that had no name: "Unnamed: 0". */
static int is_nameless(const char *name)
{
    return !*name || !strncmp(name, "Unnamed: ", 9);
}

static orr_status refuse_nameless(const chooser *s, int column)
{
    return orr_fail(
        ORR_ERR_OPTION,
        "%s: column %d has no name%s%s%s, and features are the rest of the columns: row "
        "numbers, as pandas writes them?  List the features (input.features: names or "
        "numbers, with %d or without), or make it the id (input.id: %d)",
        s->from->names.what, column + 1, *s->from->names.list[column] ? " (" : "",
        s->from->names.list[column], *s->from->names.list[column] ? ")" : "", column + 1,
        column + 1);
}

/* All columns of numbers that are nothing else. */
static orr_status add_rest(chooser *s)
{
    for (int i = 0; i < s->from->names.n; i++) {
        const orr_field *f = field_of(s, i);
        const orr_pick k = { .column = i, .n = count_of(s, i) };

        if (s->used[i] || k.n < 1 || (f && f->kind == ORR_FIELD_OTHER)) continue;
        if (s->from->names.list && is_nameless(s->from->names.list[i]))
            return refuse_nameless(s, i);
        if (is_text(s, i))
            return orr_fail(ORR_ERR_OPTION,
                            "%s: column %s is text, and features are the rest of the columns; list "
                            "the features",
                            s->from->names.what, f->name);
        ORR_TRY(add(s, &s->c->x, &k, FEATURE, "input.features"));
    }
    return ORR_OK;
}

/* ---- all of it ---- */

static orr_status add_id(chooser *s, const orr_table_opts *o)
{
    orr_choice *c = s->c;

    if (!orr_table_wants_id(o)) return ORR_OK;
    if (o->id.n > ORR_ID_PARTS)
        return orr_fail(ORR_ERR_OPTION, "input.id: %d columns; an id is made of %d at most",
                        o->id.n, ORR_ID_PARTS);
    for (int i = 0; i < o->id.n; i++) {
        ORR_TRY(find_one(s, o->id.v[i], "input.id", &c->id[i]));
        ORR_TRY(claim(s, &c->id[i], ID, "input.id"));
        c->n_id = i + 1;
    }
    s->t->has_id = 1;
    return ORR_OK;
}

static orr_status add_label_and_id(chooser *s, const orr_table_opts *o)
{
    const char *label = orr_or(o->label, "");

    if (*label && !strcmp(orr_or(o->label_kind, "class"), "value")) {
        ORR_TRY(add_word(s, &s->c->y, label, TARGET, "input.label"));
    } else if (*label) {
        ORR_TRY(find_one(s, label, "input.label", &s->c->label));
        ORR_TRY(claim(s, &s->c->label, LABEL, "input.label"));
        s->t->has_label = 1;
    }
    return add_id(s, o);
}

static orr_status find_where(chooser *s)
{
    orr_where *w = &s->t->where;

    for (int i = 0; i < w->n; i++) {
        orr_pick k;

        ORR_TRY(find_one(s, w->list[i].name, "input.where", &k));
        w->list[i].column = k.column;
        w->list[i].element = k.element;
    }
    orr_where_sort(w);
    return ORR_OK;
}

static orr_status choose(chooser *s, const orr_table_opts *o)
{
    const char *features = orr_or(o->features, "rest"), *what = s->from->names.what;
    orr_choice *c = s->c;

    ORR_TRY(add_label_and_id(s, o));
    ORR_TRY(add_words(s, &c->y, &o->target, TARGET, "input.target"));
    ORR_TRY(add_words(s, &c->aux, &o->aux, AUX, "input.aux"));
    c->is_rest = !strcmp(features, "rest");
    ORR_TRY(!c->is_rest ? orr_table_each_word(features, add_feature, s) : add_rest(s));
    ORR_TRY(find_where(s));
    if (c->x.values == 0)
        return orr_fail(ORR_ERR_OPTION, "%s: no column is left for features", what);
    if (c->y.values > 1 << 20)
        return orr_fail(ORR_ERR_SHAPE, "%s: %lld targets for each sample", what,
                        (long long)c->y.values);
    if (s->t->has_label && c->y.n)
        return orr_fail(ORR_ERR_OPTION, "input: label and target cannot both be given");
    return orr_table_check_aux(c->aux.values);
}

/* ---- what is no value, and origins ---- */

/* Tells the columns of one kind what is said of k: values that are none, or an origin. */
static int mark_columns(orr_value_rule *r, const orr_picks *p, const orr_pick *k,
                        const orr_classes *missing, double shift)
{
    int64_t place = 0;
    int met = 0;

    for (int i = 0; i < p->n; place += p->list[i++].n)
        for (int64_t j = 0; j < p->list[i].n; j++) {
            const orr_pick one = { p->list[i].column, p->list[i].element + j, 1 };

            if (!overlap(&one, k)) continue;
            if (missing) r->of[place + j].own = missing;
            if (!missing) r->shift[place + j] = shift;
            met = 1;
        }
    return met;
}

static int mark(const chooser *s, const orr_pick *k, const orr_classes *missing, double shift)
{
    const orr_picks *const p[] = { &s->c->x, &s->c->y, &s->c->aux };
    int met = 0;

    for (int i = 0; i < 3; i++)
        met |= mark_columns(&s->t->rule[i], p[i], k, missing, shift);
    if (missing && s->t->has_label && overlap(&s->c->label, k)) {
        s->t->label_missing.own = missing;
        met = 1;
    }
    return met;
}

static orr_status make_rules(const chooser *s)
{
    const orr_picks *const p[] = { &s->c->x, &s->c->y, &s->c->aux };
    const orr_where *w = &s->t->missing.of;
    orr_pick k;

    for (int i = 0; i < 3; i++)
        ORR_TRY(orr_table_make_rule(s->t, (orr_values_kind)i, (size_t)p[i]->values, 1));
    for (int i = 0; i < w->n; i++) {
        ORR_TRY(find(s, w->list[i].name, "missing", &k));
        mark(s, &k, &w->list[i].values, 0);
    }
    w = &s->t->shift_of;
    if (w->n && (!s->from->names.list || !s->t->names_features))
        return orr_fail(
            ORR_ERR_OPTION,
            "%s: input.shift: columns without names cannot say what was taken off them; "
            "give the file a header, and keep feature_names",
            s->from->names.what);
    for (int i = 0; i < w->n; i++) {
        ORR_TRY(find(s, w->list[i].name, "shift", &k));
        if (!mark(s, &k, NULL, w->list[i].values.list[0].number))
            return orr_fail(ORR_ERR_OPTION,
                            "%s: input.shift: column %s is no feature, target or aux number here",
                            s->from->names.what, w->list[i].name);
    }
    return ORR_OK;
}

/* ---- schema ---- */

/* "CMODELMAG[2]", or the plain name of a column of one value; with its origin where that was taken
 * off: "BJD-2454833", so that sets of other origins do not match by name. */
static void name_value(const chooser *s, orr_values_kind kind, int64_t place, char *out)
{
    const orr_picks *const p[] = { &s->c->x, &s->c->y, &s->c->aux };
    const double *shift = s->t->rule[kind].shift;
    char element_text[24] = "", origin[32];
    int64_t element;
    const orr_pick *k = orr_picks_at(p[kind], place, &element);
    int room = ORR_DATA_NAME_MAX - 1;

    if (count_of(s, k->column) > 1)
        snprintf(element_text, sizeof element_text, "[%lld]", (long long)element);
    orr_shift_suffix(shift ? shift[place] : 0, origin);
    room -= (int)(strlen(element_text) + strlen(origin));
    snprintf(out, ORR_DATA_NAME_MAX, "%.*s%s%s", room, s->from->names.list[k->column], element_text,
             origin);
}

static const char *name_feature(const void *ctx, int64_t i, char *buf, size_t bytes)
{
    const chooser *s = ctx;
    char name[ORR_DATA_NAME_MAX];

    name_value(s, ORR_VALUES_X, i, name);
    snprintf(buf, bytes, "%s", name);
    return buf;
}

static void name_target(const chooser *s, int i)
{
    orr_schema *schema = &s->t->schema;
    const double *shift = s->t->rule[ORR_VALUES_Y].shift;
    int64_t element;
    const orr_pick *k = orr_picks_at(&s->c->y, i, &element);
    const orr_field *f = field_of(s, k->column);

    name_value(s, ORR_VALUES_Y, i, schema->y_names[i]);
    if (f) snprintf(schema->y_units[i], sizeof schema->y_units[i], "%s", f->unit);
    schema->y_shift[i] = shift ? shift[i] : 0;
}

/* Answers get back what was taken off a target, which the set knows of its named ones alone. */
static orr_status check_named(const chooser *s)
{
    const double *shift = s->t->rule[ORR_VALUES_Y].shift;

    for (int64_t i = ORR_MAX_TARGET_NAMES; shift && i < s->c->y.values; i++)
        if (shift[i] != 0)
            return orr_fail(ORR_ERR_OPTION,
                            "%s: input.shift: target %lld; the set remembers what is taken off the "
                            "first %d targets: put it among them",
                            s->from->names.what, (long long)i + 1, ORR_MAX_TARGET_NAMES);
    return ORR_OK;
}

static orr_status name_values(const chooser *s)
{
    orr_schema *schema = &s->t->schema;

    for (int i = 0; i < schema->y_width && i < ORR_MAX_TARGET_NAMES; i++)
        name_target(s, i);
    ORR_TRY(check_named(s));
    for (int i = 0; i < schema->n_aux; i++)
        name_value(s, ORR_VALUES_AUX, i, schema->aux_names[i]);
    return s->t->names_features ? orr_schema_name_features(schema, name_feature, s) : ORR_OK;
}

static orr_status set_schema(const chooser *s, const orr_table_opts *o)
{
    const int64_t dims[2] = { s->c->x.values, 1 };
    const char *what = s->from->names.what;
    orr_schema *schema = &s->t->schema;

    if (strcmp(orr_or(o->axes, "auto"), "auto") != 0)
        return orr_fail(ORR_ERR_OPTION, "input.axes: a table of columns has none; give the columns "
                                        "in the order of shape");
    if (o->aux_names.n && s->from->names.list)
        return orr_fail(ORR_ERR_OPTION, "%s: input.aux_names: the columns have names of their own",
                        what);
    schema->y_type = s->t->has_label ? ORR_Y_CLASS : s->c->y.n ? ORR_Y_VALUE : ORR_Y_NONE;
    schema->y_width = (int)s->c->y.values;
    schema->n_aux = (int)s->c->aux.values;
    ORR_TRY(orr_table_set_aux_names(s->t, &o->aux_names));
    if (o->shape.n)
        ORR_TRY(orr_table_set_shape(s->t, &o->shape, s->c->x.values, what));
    else
        ORR_TRY(orr_table_set_dims(s->t, dims, 2, what));
    return s->from->names.list ? name_values(s) : ORR_OK;
}

orr_status orr_choice_make(orr_choice *c, orr_table *t, const orr_choice_from *from,
                           const orr_table_opts *o)
{
    chooser s = { .c = c, .t = t, .from = from };
    orr_status st = ORR_OK;

    *c = (orr_choice){ .names = from->names };
    t->choice = c;
    if (!(s.used = orr_alloc((size_t)from->names.n, 1)))
        return orr_fail(ORR_ERR_NOMEM, "out of memory: %d columns", from->names.n);
    ORR_TRY_GOTO(st, done, choose(&s, o));
    ORR_TRY_GOTO(st, done, make_rules(&s));
    ORR_TRY_GOTO(st, done, set_schema(&s, o));
done:
    orr_free(s.used);
    return st;
}

void orr_choice_column_name(const orr_choice *c, const orr_choice_from *from, orr_values_kind kind,
                            size_t column, char *buf, size_t bytes)
{
    const orr_picks *const p[] = { &c->x, &c->y, &c->aux };
    int64_t element;
    const orr_pick *k = orr_picks_at(p[kind], (int64_t)column, &element);
    int many = from->records && from->records->fields[k->column].count > 1;

    if (!from->names.list)
        snprintf(buf, bytes, "column %d", k->column + 1);
    else if (many)
        snprintf(buf, bytes, "%.60s[%lld]", from->names.list[k->column], (long long)element);
    else
        snprintf(buf, bytes, "%.60s", from->names.list[k->column]);
}
