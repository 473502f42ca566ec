/* data/schema_match.c - two lists of names, one against the other; and two schemas. */
#include "data/schema_match.h"

#include "core/memory.h"
#include "core/options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { SHOWN = 12, LIST_MAX = 360 };

static const struct {
    const char *one, *many;
} words[] = { [ORR_NAMES_CHANNEL] = { "channel", "channels" },
              [ORR_NAMES_COLUMN] = { "column", "columns" },
              [ORR_NAMES_AUX] = { "aux number", "aux numbers" },
              [ORR_NAMES_CLASS] = { "class", "classes" },
              [ORR_NAMES_TARGET] = { "target", "targets" } };

void orr_match_notes_free(orr_match_notes *n)
{
    orr_text_free(&n->warnings);
    orr_text_free(&n->infos);
}

/* ---- one list ---- */
static int n_named(const orr_name_list *l)
{
    int n = 0;

    for (int i = 0; i < l->n; i++)
        n += l->v[i][0] != '\0';
    return n;
}

/* "u", "g", "r", ... (3197) */
static const char *show(const orr_name_list *l, char buf[LIST_MAX])
{
    size_t used = 0;
    int i = 0;

    buf[0] = '\0';
    for (; i < l->n && i < SHOWN && used + ORR_DATA_NAME_MAX + 24 < LIST_MAX; i++)
        used += (size_t)snprintf(buf + used, LIST_MAX - used, "%s\"%s\"", i ? ", " : "", l->v[i]);
    if (i < l->n) snprintf(buf + used, LIST_MAX - used, ", ... (%d)", l->n);
    return l->n ? buf : "none";
}

static int by_name(const void *a, const void *b, void *ctx)
{
    const char *const *v = ctx;
    int32_t i = *(const int32_t *)a, k = *(const int32_t *)b;
    int order = strcmp(v[i], v[k]);

    return order ? order : (i > k) - (i < k);
}

/* Places by rising name. */
static int32_t *sorted(const orr_name_list *l)
{
    int32_t *order = orr_alloc((size_t)l->n + 1, sizeof *order);

    for (int i = 0; order && i < l->n; i++)
        order[i] = i;
    if (order) qsort_r(order, (size_t)l->n, sizeof *order, by_name, (void *)(uintptr_t)l->v);
    return order;
}

static int32_t find(const orr_name_list *l, const int32_t *order, const char *name)
{
    int lo = 0, hi = l->n;

    while (lo < hi) {
        int mid = lo + (hi - lo) / 2;
        if (strcmp(l->v[order[mid]], name) < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo < l->n && strcmp(l->v[order[lo]], name) == 0 ? order[lo] : -1;
}

/* A name that stands twice, or NULL. */
static const char *doubled(const orr_name_list *l, const int32_t *order)
{
    for (int i = 0; i + 1 < l->n; i++)
        if (strcmp(l->v[order[i]], l->v[order[i + 1]]) == 0) return l->v[order[i]];
    return NULL;
}

/* ---- what is said ---- */
/* Both lists, then why. */
static orr_status refuse(const orr_name_list *want, const orr_name_list *have, orr_names_kind kind,
                         const char *why)
{
    char a[LIST_MAX], b[LIST_MAX];

    return orr_fail(ORR_ERR_SHAPE, "%s: its %s are %s; those of %s are %s: %s", have->whose,
                    words[kind].many, show(have, a), want->whose, show(want, b), why);
}

/* The name of `other` that differs from this one in case alone, or NULL. */
static const char *in_other_case(const orr_name_list *other, const char *name)
{
    for (int i = 0; i < other->n; i++)
        if (strcasecmp(other->v[i], name) == 0) return other->v[i];
    return NULL;
}

static orr_status refuse_missing(const orr_name_list *want, const orr_name_list *have,
                                 orr_names_kind kind, const char *name)
{
    const char *like = in_other_case(have, name), *near = orr_nearest(name, have->v, have->n);
    char why[3 * ORR_DATA_NAME_MAX + 96];

    if (like)
        snprintf(why, sizeof why, "\"%s\" is not \"%s\"; write it so when the set is made", like,
                 name);
    else
        snprintf(why, sizeof why, "it has no \"%.63s\"%s%.63s%s", name,
                 near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
    return refuse(want, have, kind, why);
}

static orr_status refuse_extra(const orr_name_list *want, const orr_name_list *have,
                               orr_names_kind kind, const char *name)
{
    const char *like = in_other_case(want, name);
    char why[3 * ORR_DATA_NAME_MAX + 96];

    if (like) return refuse_missing(want, have, kind, like);
    snprintf(why, sizeof why, "\"%s\" is none of these", name);
    return refuse(want, have, kind, why);
}

static orr_status refuse_doubled(const orr_name_list *want, const orr_name_list *have,
                                 orr_names_kind kind, const char *name, const char *whose)
{
    char why[256 + ORR_DATA_NAME_MAX];

    snprintf(why, sizeof why, "\"%s\" stands twice in %.180s, so names cannot tell them apart",
             name, whose);
    return refuse(want, have, kind, why);
}

static void note_nameless(const orr_name_list *want, const orr_name_list *have, orr_names_kind kind,
                          orr_match_notes *notes)
{
    const orr_name_list *named = n_named(want) ? want : have, *other = named == want ? have : want;
    char a[LIST_MAX];

    orr_text_printf(&notes->warnings,
                    "%s: its %s have no names; they are taken by place for those of %s, which are "
                    "%s\n",
                    other->whose, words[kind].many, named->whose, show(named, a));
}

static void note_moved(const orr_name_list *want, const orr_name_list *have, orr_names_kind kind,
                       orr_match_notes *notes)
{
    char a[LIST_MAX], b[LIST_MAX];

    orr_text_printf(&notes->infos, "%s: its %s %s stand in another order than those of %s: %s\n",
                    have->whose, words[kind].many, show(have, a), want->whose, show(want, b));
}

/* ---- two lists ---- */
static int same(const orr_name_list *a, const orr_name_list *b)
{
    for (int i = 0; i < a->n && i < b->n; i++)
        if (strcmp(a->v[i], b->v[i]) != 0) return 0;
    return a->n == b->n;
}

static orr_status by_place(const orr_name_list *want, const orr_name_list *have,
                           orr_names_kind kind, orr_match_rule rule, int32_t *at)
{
    const int fits = rule == ORR_MATCH_FEWER  ? have->n <= want->n
                     : rule == ORR_MATCH_MORE ? have->n >= want->n
                                              : have->n == want->n;

    for (int i = 0; i < want->n; i++)
        at[i] = i < have->n ? i : -1;
    if (fits) return ORR_OK;
    return orr_fail(ORR_ERR_SHAPE, "%s: %d %s; %s has %d", have->whose, have->n,
                    have->n == 1 ? words[kind].one : words[kind].many, want->whose, want->n);
}

static orr_status find_all(const orr_name_list *want, const orr_name_list *have,
                           orr_names_kind kind, orr_match_rule rule, const int32_t *order,
                           int32_t *at)
{
    char *used = orr_alloc((size_t)have->n + 1, 1);
    orr_status st = used ? ORR_OK : orr_fail(ORR_ERR_NOMEM, "out of memory: %d names", have->n);

    for (int i = 0; st == ORR_OK && i < want->n; i++) {
        at[i] = find(have, order, want->v[i]);
        if (at[i] >= 0)
            used[at[i]] = 1;
        else if (rule != ORR_MATCH_FEWER)
            st = refuse_missing(want, have, kind, want->v[i]);
    }
    for (int k = 0; st == ORR_OK && rule != ORR_MATCH_MORE && k < have->n; k++)
        if (!used[k]) st = refuse_extra(want, have, kind, have->v[k]);
    orr_free(used);
    return st;
}

static orr_status by_names(const orr_name_list *want, const orr_name_list *have,
                           orr_names_kind kind, orr_match_rule rule, int32_t *at)
{
    int32_t *order = sorted(have), *wanted = sorted(want);
    const char *twice;
    orr_status st = order && wanted
                        ? ORR_OK
                        : orr_fail(ORR_ERR_NOMEM, "out of memory: %d names", have->n + want->n);

    if (st == ORR_OK && (twice = doubled(have, order)) &&
        (rule != ORR_MATCH_MORE || find(want, wanted, twice) >= 0))
        st = refuse_doubled(want, have, kind, twice, have->whose);
    if (st == ORR_OK && rule != ORR_MATCH_MORE && (twice = doubled(want, wanted)))
        st = refuse_doubled(want, have, kind, twice, want->whose);
    if (st == ORR_OK) st = find_all(want, have, kind, rule, order, at);
    orr_free(order);
    orr_free(wanted);
    return st;
}

static int moved(const int32_t *at, int n)
{
    for (int i = 0; i < n; i++)
        if (at[i] >= 0 && at[i] != i) return 1;
    return 0;
}

orr_status orr_names_match(const orr_name_list *want, const orr_name_list *have,
                           orr_names_kind kind, orr_match_rule rule, int32_t *at,
                           orr_match_notes *notes)
{
    const int a = n_named(want), b = n_named(have);

    if (want->n == 0 && rule == ORR_MATCH_MORE) return ORR_OK;
    if (same(want, have) || (a == 0 && b == 0)) return by_place(want, have, kind, rule, at);
    if ((a == 0 && want->n) || (b == 0 && have->n)) {
        ORR_TRY(by_place(want, have, kind, rule, at));
        note_nameless(want, have, kind, notes);
        return ORR_OK;
    }
    ORR_TRY(by_names(want, have, kind, rule, at));
    if (kind != ORR_NAMES_AUX && moved(at, want->n)) note_moved(want, have, kind, notes);
    return ORR_OK;
}

/* ---- lists of a schema ---- */
/* Pointers to names, and the bytes of those that had to be cut out of a text. */
typedef struct list {
    orr_name_list names;
    const char **v;
    char *text;
} list;

static void list_free(list *l)
{
    orr_free(l->v);
    orr_free(l->text);
}

static orr_status room(list *l, const char *whose, int64_t n)
{
    *l = (list){ .v = orr_alloc((size_t)n + 1, sizeof *l->v) };
    if (!l->v) return orr_fail(ORR_ERR_NOMEM, "out of memory: %lld names", (long long)n);
    l->names = (orr_name_list){ .whose = whose, .n = (int)n, .v = l->v };
    for (int64_t i = 0; i < n; i++)
        l->v[i] = "";
    return ORR_OK;
}

static orr_status list_of(list *l, const orr_schema_side *side, int n,
                          const char names[][ORR_DATA_NAME_MAX], int n_names)
{
    ORR_TRY(room(l, side->whose, n));
    for (int i = 0; i < n && i < n_names; i++)
        l->v[i] = names[i];
    return ORR_OK;
}

/* Names of a sample's numbers: feature_names, or channels that are numbers. */
static orr_status numbers_of(list *l, const orr_schema_side *side)
{
    const orr_schema *s = side->schema;
    const int64_t n = orr_schema_numbers(s);
    int64_t i = 0;

    if (!s->feature_names[0])
        return list_of(l, side, (int)n, s->channel_names,
                       s->h == 1 && s->w == 1 && s->c <= ORR_MAX_CHANNELS ? s->c : 0);
    ORR_TRY(room(l, side->whose, n));
    if (!(l->text = orr_strdup(s->feature_names)))
        return orr_fail(ORR_ERR_NOMEM, "out of memory: %lld names", (long long)n);
    for (char *p = l->text, *end; p && i < n; p = end) {
        if ((end = strchr(p, '\n'))) *end++ = '\0';
        l->v[i++] = p;
    }
    return ORR_OK;
}

static orr_status channels_of(list *l, const orr_schema_side *side)
{
    const orr_schema *s = side->schema;

    return list_of(l, side, s->c, s->channel_names,
                   (s->h > 1 || s->w > 1) && s->c <= ORR_MAX_CHANNELS ? s->c : 0);
}

/* Classes without a name are called by their number, where others have one. */
static orr_status classes_of(list *l, const orr_schema_side *side)
{
    enum { DIGITS = 12 };
    const orr_schema *s = side->schema;
    const int n = side->n_classes > s->n_classes ? side->n_classes : s->n_classes;

    ORR_TRY(list_of(l, side, n, s->class_names, s->n_classes));
    if (n_named(&l->names) == 0) return ORR_OK;
    if (!(l->text = orr_alloc((size_t)n, DIGITS)))
        return orr_fail(ORR_ERR_NOMEM, "out of memory: %d names", n);
    for (int i = 0; i < n; i++)
        if (!l->v[i][0]) {
            snprintf(l->text + (size_t)i * DIGITS, DIGITS, "%d", i);
            l->v[i] = l->text + (size_t)i * DIGITS;
        }
    return ORR_OK;
}

orr_name_list orr_schema_aux_list(const orr_schema *s, const char *whose,
                                  const char *v[ORR_MAX_AUX])
{
    for (int i = 0; i < s->n_aux; i++)
        v[i] = s->aux_names[i];
    return (orr_name_list){ .whose = whose, .n = s->n_aux, .v = v };
}

/* ---- two schemas ---- */
static orr_status check_shape(const orr_schema_side *want, const orr_schema_side *have)
{
    const orr_schema *w = want->schema, *h = have->schema;

    if (h->h == w->h && h->w == w->w && h->c == w->c) return ORR_OK;
    return orr_fail(ORR_ERR_SHAPE,
                    "%s: samples are %d x %d x %d (height, width, channels), %s takes %d x %d x %d",
                    have->whose, h->h, h->w, h->c, want->whose, w->h, w->w, w->c);
}

/* *out = at of a match, kept when it moves something. */
static void keep(int32_t **out, int *n_out, int32_t *at, int n)
{
    if (!moved(at, n)) {
        orr_free(at);
        return;
    }
    *out = at;
    *n_out = n;
}

static int is_sum(const orr_schema *s)
{
    return strncmp(s->feature_names, "sha256:", 7) == 0 && orr_schema_numbers(s) > 1 &&
           !strchr(s->feature_names, '\n');
}

/* Names that are known by their sum alone: equal, or there is nothing to go by. */
static orr_status match_sums(const orr_schema_side *want, const orr_schema_side *have,
                             orr_match_notes *notes)
{
    const char *w = want->schema->feature_names, *h = have->schema->feature_names;

    ORR_TRY(check_shape(want, have));
    if (strcmp(w, h) == 0) return ORR_OK;
    if (*w && *h)
        return orr_fail(ORR_ERR_SHAPE,
                        "%s: the names of its %lld columns are not those of %s in that order (they "
                        "are too long to be kept, so neither can be shown); give input.features in "
                        "the same order when the set is made",
                        have->whose, (long long)orr_schema_numbers(have->schema), want->whose);
    orr_text_printf(&notes->warnings,
                    "%s: its columns have no names; they are taken by place for those of %s\n",
                    *w ? have->whose : want->whose, *w ? want->whose : have->whose);
    return ORR_OK;
}

typedef orr_status (*list_maker)(list *l, const orr_schema_side *side);

/* One kind of both sides.  A difference in number is first told by names, where both have some. */
static orr_status match_kind(const orr_schema_side *want, const orr_schema_side *have,
                             orr_names_kind kind, list_maker make, int32_t **out, int *n_out,
                             orr_match_notes *notes)
{
    list w = { .v = NULL }, h = { .v = NULL };
    int32_t *at = NULL;
    orr_status st;

    ORR_TRY_GOTO(st, done, make(&w, want));
    ORR_TRY_GOTO(st, done, make(&h, have));
    if (!n_named(&w.names) || !n_named(&h.names)) ORR_TRY_GOTO(st, done, check_shape(want, have));
    if (!(at = orr_alloc((size_t)w.names.n + 1, sizeof *at)))
        ORR_TRY_GOTO(st, done, orr_fail(ORR_ERR_NOMEM, "out of memory: %d names", w.names.n));
    ORR_TRY_GOTO(st, done, orr_names_match(&w.names, &h.names, kind, ORR_MATCH_EXACT, at, notes));
    keep(out, n_out, at, w.names.n);
    at = NULL;
done:
    orr_free(at);
    list_free(&w);
    list_free(&h);
    return st;
}

/* What the numbers of a sample are called: channels of a vector, else columns. */
static orr_names_kind numbers_kind(const orr_schema_side *a, const orr_schema_side *b)
{
    return a->schema->feature_names[0] || b->schema->feature_names[0] ? ORR_NAMES_COLUMN
                                                                      : ORR_NAMES_CHANNEL;
}

static orr_status match_x(orr_schema_match *m, const orr_schema_side *want,
                          const orr_schema_side *have)
{
    int32_t *channels = NULL;
    int n = 0;
    orr_status st;

    if (is_sum(want->schema) || is_sum(have->schema)) return match_sums(want, have, &m->notes);
    ORR_TRY(
        match_kind(want, have, numbers_kind(want, have), numbers_of, &m->x, &m->n_x, &m->notes));
    st = match_kind(want, have, ORR_NAMES_CHANNEL, channels_of, &channels, &n, &m->notes);
    if (st == ORR_OK && channels && m->x)
        st = orr_fail(ORR_ERR_UNSUPPORTED,
                      "%s: columns and channels stand in another order than in %s; make the set "
                      "with the same order",
                      have->whose, want->whose);
    if (st == ORR_OK && channels) {
        m->x = channels;
        m->n_x = n;
        channels = NULL;
    }
    orr_free(channels);
    return st == ORR_OK ? check_shape(want, have) : st;
}

/* label[k] for the set's class k, from where each wanted class stands. */
static orr_status turn(orr_schema_match *m, const int32_t *at, int n_want, int n_have)
{
    if (!moved(at, n_want)) return ORR_OK;
    if (!(m->label = orr_alloc((size_t)n_have + 1, sizeof *m->label)))
        return orr_fail(ORR_ERR_NOMEM, "out of memory: %d classes", n_have);
    m->n_labels = n_have;
    for (int i = 0; i < n_want; i++)
        if (at[i] >= 0) m->label[at[i]] = i;
    return ORR_OK;
}

static orr_status match_classes(orr_schema_match *m, const orr_schema_side *want,
                                const orr_schema_side *have)
{
    const orr_schema_side own = { have->schema, have->whose, 0 };
    orr_schema_side most = *want;
    list w = { .v = NULL }, h = { .v = NULL };
    int32_t *at = NULL;
    orr_status st;

    if (want->n_classes == 0 && have->schema->n_classes > want->schema->n_classes &&
        !want->schema->class_names[0][0])
        most.n_classes = have->schema->n_classes;
    ORR_TRY_GOTO(st, done, classes_of(&w, &most));
    ORR_TRY_GOTO(st, done, classes_of(&h, &own));
    if (!(at = orr_alloc((size_t)w.names.n + 1, sizeof *at)))
        ORR_TRY_GOTO(st, done, orr_fail(ORR_ERR_NOMEM, "out of memory: %d names", w.names.n));
    ORR_TRY_GOTO(
        st, done,
        orr_names_match(&w.names, &h.names, ORR_NAMES_CLASS, ORR_MATCH_FEWER, at, &m->notes));
    st = turn(m, at, w.names.n, h.names.n);
done:
    orr_free(at);
    list_free(&w);
    list_free(&h);
    return st;
}

/* The first ORR_MAX_TARGET_NAMES have names; with more they can only be where they are. */
/* The same name in other units. */
static void compare_target_units(orr_schema_match *m, const orr_schema_side *want,
                                 const orr_schema_side *have, const int32_t *at, int n)
{
    for (int i = 0; i < n; i++) {
        const char *w = want->schema->y_units[i], *h = have->schema->y_units[at ? at[i] : i];
        if (*w && *h && strcmp(w, h) != 0)
            orr_text_printf(&m->notes.warnings, "%s: its target %s is in %s, that of %s in %s\n",
                            have->whose, want->schema->y_names[i], h, want->whose, w);
    }
}

static orr_status match_targets(orr_schema_match *m, const orr_schema_side *want,
                                const orr_schema_side *have)
{
    const orr_schema *ws = want->schema, *hs = have->schema;
    const int few = ws->y_width <= ORR_MAX_TARGET_NAMES && hs->y_width <= ORR_MAX_TARGET_NAMES;
    const int most = ORR_MAX_TARGET_NAMES;
    list w = { .v = NULL }, h = { .v = NULL };
    int32_t *at = NULL;
    orr_status st;

    if (!few && ws->y_width != hs->y_width)
        return orr_fail(ORR_ERR_SHAPE, "%s: %d targets; %s has %d", have->whose, hs->y_width,
                        want->whose, ws->y_width);
    ORR_TRY_GOTO(st, done, list_of(&w, want, few ? ws->y_width : most, ws->y_names, most));
    ORR_TRY_GOTO(st, done, list_of(&h, have, few ? hs->y_width : most, hs->y_names, most));
    if (!(at = orr_alloc((size_t)w.names.n + 1, sizeof *at)))
        ORR_TRY_GOTO(st, done, orr_fail(ORR_ERR_NOMEM, "out of memory: %d names", w.names.n));
    ORR_TRY_GOTO(
        st, done,
        orr_names_match(&w.names, &h.names, ORR_NAMES_TARGET, ORR_MATCH_EXACT, at, &m->notes));
    if (!few && moved(at, w.names.n))
        ORR_TRY_GOTO(st, done,
                     refuse(&w.names, &h.names, ORR_NAMES_TARGET,
                            "with so many, they must stand in the same order"));
    compare_target_units(m, want, have, at, w.names.n);
    keep(&m->y, &m->n_y, at, w.names.n);
    at = NULL;
done:
    orr_free(at);
    list_free(&w);
    list_free(&h);
    return st;
}

orr_status orr_schema_match_make(orr_schema_match *m, const orr_schema_side *want,
                                 const orr_schema_side *have)
{
    const orr_y_type w = want->schema->y_type, h = have->schema->y_type;

    *m = (orr_schema_match){ .n_x = 0 };
    ORR_TRY(match_x(m, want, have));
    if (w == ORR_Y_CLASS && h == ORR_Y_CLASS) ORR_TRY(match_classes(m, want, have));
    if (w == ORR_Y_VALUE && h == ORR_Y_VALUE) ORR_TRY(match_targets(m, want, have));
    if (want->schema->units[0] && have->schema->units[0] &&
        strcmp(want->schema->units, have->schema->units) != 0)
        orr_text_printf(&m->notes.warnings, "%s: its samples are in %s, those of %s in %s\n",
                        have->whose, have->schema->units, want->whose, want->schema->units);
    ORR_TRY(orr_text_status(&m->notes.warnings));
    return orr_text_status(&m->notes.infos);
}

int orr_schema_match_moves(const orr_schema_match *m)
{
    return m->x || m->label || m->y;
}

void orr_schema_match_free(orr_schema_match *m)
{
    orr_free(m->x);
    orr_free(m->label);
    orr_free(m->y);
    orr_match_notes_free(&m->notes);
    *m = (orr_schema_match){ .n_x = 0 };
}
