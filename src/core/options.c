/* core/options.c - reading a map of a job file into a struct by its table. */
#include "core/options.h"
#include "core/memory.h"
#include "core/options_row.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_CHOICES = 64 };

/* A value on its way into a struct: the node, and how to call it in messages. */
typedef struct {
    const orr_option *row;
    const orr_node *node;
    char name[ORR_OPTION_NAME]; /* "train.lr" */
} value;

void orr_options_name(char name[ORR_OPTION_NAME], const char *what, const char *key)
{
    const char *between = !what || !*what ? "" : strchr(what, ' ') ? ": " : ".";

    snprintf(name, ORR_OPTION_NAME, "%s%s%s", what ? what : "", between, key);
}

/* "file:line: name " and the rest of the sentence. */
static orr_status fail_value(const value *v, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static orr_status fail_value(const value *v, const char *format, ...)
{
    char where[ORR_ERROR_MAX / 4], text[ORR_ERROR_MAX / 2];
    va_list ap;

    va_start(ap, format);
    vsnprintf(text, sizeof text, format, ap);
    va_end(ap);
    return orr_fail(ORR_ERR_OPTION, "%s: %s %s", orr_node_where(v->node, where, sizeof where),
                    v->name, text);
}

/* How a node that should have been something else is called. */
static const char *kind_of(const orr_node *n)
{
    switch (n->type) {
    case ORR_NODE_NULL:
        return "empty";
    case ORR_NODE_SCALAR:
        return "a single value";
    case ORR_NODE_LIST:
        return "a list";
    case ORR_NODE_MAP:
        return "a map";
    }
    return "unknown";
}

static orr_status expect_scalar(const value *v, const char *wanted)
{
    if (v->node->type == ORR_NODE_NULL) return fail_value(v, "has no value; it must be %s", wanted);
    if (v->node->type != ORR_NODE_SCALAR)
        return fail_value(v, "is %s; it must be %s", kind_of(v->node), wanted);
    return ORR_OK;
}

/* A scalar that must not be in quotes. */
static orr_status expect_plain(const value *v, const char *wanted)
{
    ORR_TRY(expect_scalar(v, wanted));
    if (v->node->quoted)
        return fail_value(v, "is the text \"%.60s\"; write %s without quotes", v->node->scalar,
                          wanted);
    return ORR_OK;
}

static orr_status check_range(const value *v, double x)
{
    double lo = v->row->min, hi = v->row->max;
    const char *s = v->node->scalar;

    if (x >= lo && x <= hi) return ORR_OK;
    if (isinf(lo)) return fail_value(v, "is %.60s; it must be at most %.15g", s, hi);
    if (isinf(hi)) return fail_value(v, "is %.60s; it must be at least %.15g", s, lo);
    return fail_value(v, "is %.60s; it must lie between %.15g and %.15g", s, lo, hi);
}

static orr_status read_int64(const value *v, int64_t *out)
{
    ORR_TRY(expect_plain(v, "a whole number"));
    if (orr_parse_int64(out, v->node->scalar) != ORR_OK)
        return fail_value(v, "is \"%.60s\"; it must be a whole number", v->node->scalar);
    return check_range(v, (double)*out);
}

static orr_status read_int(const value *v, int *out)
{
    int64_t x = 0;

    ORR_TRY(read_int64(v, &x));
    if (x < INT_MIN || x > INT_MAX)
        return fail_value(v, "is %.60s; it must lie between %d and %d", v->node->scalar, INT_MIN,
                          INT_MAX);
    *out = (int)x;
    return ORR_OK;
}

static orr_status read_real(const value *v, double *out)
{
    ORR_TRY(expect_plain(v, "a number"));
    if (orr_parse_real(out, v->node->scalar) != ORR_OK)
        return fail_value(v, "is \"%.60s\"; it must be a finite number", v->node->scalar);
    return check_range(v, *out);
}

static orr_status read_bool(const value *v, int *out)
{
    static const char *const words[] = { "false", "true", "no", "yes", "off", "on" };

    ORR_TRY(expect_plain(v, "true or false"));
    for (int i = 0; i < 6; i++) {
        if (strcasecmp(v->node->scalar, words[i]) != 0) continue;
        *out = i & 1;
        return ORR_OK;
    }
    return fail_value(v, "is \"%.60s\"; it must be true or false", v->node->scalar);
}

static orr_status read_string(const value *v, const char **out)
{
    ORR_TRY(expect_scalar(v, "a text (\"\" for an empty one)"));
    *out = v->node->scalar;
    return ORR_OK;
}

/* The i-th choice of a row and its length; NULL behind the last. */
static const char *choice(const orr_option *row, int i, size_t *length)
{
    const char *s = row->word ? row->word(i) : row->choices;

    for (; !row->word && i > 0 && s; i--)
        s = strchr(s, '|') ? strchr(s, '|') + 1 : NULL;
    if (s) *length = row->word ? strlen(s) : strcspn(s, "|");
    return s;
}

static int is_choice(const orr_option *row, const char *word)
{
    size_t n;

    for (int i = 0;; i++) {
        const char *s = choice(row, i, &n);
        if (!s) return 0;
        if (n == strlen(word) && !memcmp(s, word, n)) return 1;
    }
}

void orr_options_choices(const orr_option *row, const char *between, orr_text *out)
{
    const char *s;
    size_t n;

    for (int i = 0; (s = choice(row, i, &n)); i++) {
        if (i) orr_text_add(out, between);
        orr_text_addn(out, s, n);
    }
}

/* Cuts "a|b|c" in buf into at most MAX_CHOICES words; returns their number. */
static int cut_choices(char *buf, const char *words[MAX_CHOICES])
{
    int n = 0;

    for (char *s = buf, *bar; s && n < MAX_CHOICES; s = bar ? bar + 1 : NULL) {
        if ((bar = strchr(s, '|'))) *bar = '\0';
        words[n++] = s;
    }
    return n;
}

static orr_status fail_choice(const value *v)
{
    const char *words[MAX_CHOICES], *near;
    orr_text list = { .max = ORR_ERROR_MAX / 4 }, cut = ORR_TEXT_INIT;
    orr_status st;

    orr_options_choices(v->row, ", ", &list);
    orr_options_choices(v->row, "|", &cut);
    if (list.s && orr_text_status(&cut) == ORR_OK) {
        near = orr_nearest(v->node->scalar, words, cut_choices(cut.s, words));
        st = fail_value(v, "is \"%.60s\"; it must be one of %s%s%s%s", v->node->scalar, list.s,
                        near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
    } else {
        st = orr_fail(ORR_ERR_NOMEM, "out of memory while reading %s", v->name);
    }
    orr_text_free(&list);
    orr_text_free(&cut);
    return st;
}

static orr_status read_choice(const value *v, const char **out)
{
    ORR_TRY(expect_scalar(v, "a word"));
    if (!is_choice(v->row, v->node->scalar)) return fail_choice(v);
    *out = v->node->scalar; /* lives with the tree */
    return ORR_OK;
}

/* Calls item i of a list, or the single value that stands for one. */
static value item_of(const value *list, int i)
{
    value v = { .row = list->row, .node = list->node };

    if (list->node->type == ORR_NODE_LIST) {
        v.node = list->node->items[i];
        snprintf(v.name, sizeof v.name, "%.*s[%d]", ORR_OPTION_NAME - 16, list->name, i);
    } else {
        snprintf(v.name, sizeof v.name, "%s", list->name);
    }
    return v;
}

/* Number of values in a list or a single value. */
static orr_status count_items(const value *v, int *n, const char *wanted)
{
    *n = 1;
    if (v->node->type != ORR_NODE_LIST) return expect_scalar(v, wanted);
    *n = v->node->n_items;
    if (*n > ORR_LIST_MAX)
        return fail_value(v, "has %d items; at most %d are possible", *n, (int)ORR_LIST_MAX);
    return ORR_OK;
}

static orr_status read_pair(const value *v, int out[2])
{
    int n;

    ORR_TRY(count_items(v, &n, "one whole number or a list of two"));
    if (v->node->type == ORR_NODE_LIST && n != 2)
        return fail_value(v, "has %d items; it must be one whole number or a list of two", n);
    for (int i = 0; i < n; i++) {
        value item = item_of(v, i);

        ORR_TRY(read_int(&item, &out[i]));
    }
    if (n == 1) out[1] = out[0];
    return ORR_OK;
}

static orr_status read_reals(const value *v, orr_reals *out)
{
    int n;

    *out = (orr_reals){ 0 };
    ORR_TRY(count_items(v, &n, "a list of numbers"));
    for (int i = 0; i < n; i++) {
        value item = item_of(v, i);

        ORR_TRY(read_real(&item, &out->v[i]));
    }
    out->n = n;
    return ORR_OK;
}

static orr_status read_strings(const value *v, orr_strings *out)
{
    int n;

    *out = (orr_strings){ 0 };
    ORR_TRY(count_items(v, &n, "a list of texts"));
    for (int i = 0; i < n; i++) {
        value item = item_of(v, i);

        ORR_TRY(read_string(&item, &out->v[i]));
    }
    out->n = n;
    return ORR_OK;
}

/* Writes the value of a node to the place of its row. */
static orr_status read_value(void *place, const value *v)
{
    switch (v->row->type) {
    case ORR_OPT_INT:
        return read_int(v, place);
    case ORR_OPT_INT64:
        return read_int64(v, place);
    case ORR_OPT_REAL:
        return read_real(v, place);
    case ORR_OPT_BOOL:
        return read_bool(v, place);
    case ORR_OPT_STRING:
        return read_string(v, place);
    case ORR_OPT_CHOICE:
        return read_choice(v, place);
    case ORR_OPT_PAIR:
        return read_pair(v, place);
    case ORR_OPT_REALS:
        return read_reals(v, place);
    case ORR_OPT_STRINGS:
        return read_strings(v, place);
    case ORR_OPT_NODE:
        *(const orr_node **)place = v->node->type == ORR_NODE_NULL ? NULL : v->node;
        return ORR_OK;
    case ORR_OPT_SECTION:
        return orr_options_read(place, v->row->table, v->node, v->name);
    case ORR_OPT_END:
        break;
    }
    return orr_fail(ORR_ERR_INTERNAL, "%s: an option of unknown type", v->name);
}

/* Reads the default of a row of numbers: YAML text, parsed like any other value. */
static orr_status read_default_numbers(void *place, value *v)
{
    orr_status st = ORR_OK;
    orr_config *c = NULL;
    orr_text text = ORR_TEXT_INIT;

    orr_text_printf(&text, "v: %s", *v->row->fallback ? v->row->fallback : "[]");
    ORR_TRY_GOTO(st, done, orr_text_status(&text));
    ORR_TRY_GOTO(st, done, orr_config_parse(&c, text.s, "default"));
    v->node = orr_node_get(orr_config_root(c), "v");
    st = read_value(place, v);
done:
    orr_config_destroy(c);
    orr_text_free(&text);
    return st == ORR_ERR_OPTION ? ORR_ERR_INTERNAL : st; /* the table is wrong, not the job file */
}

/* A default list of texts is none or one: there is nobody to own the pieces of more. */
static orr_status read_default_strings(orr_strings *out, const value *v)
{
    const char *text = v->row->fallback;

    *out = (orr_strings){ 0 };
    if (!*text || !strcmp(text, "[]")) return ORR_OK;
    if (*text == '[')
        return orr_fail(ORR_ERR_INTERNAL, "%s: a default of several texts, %s", v->name, text);
    *out = (orr_strings){ .n = 1, .v = { text } };
    return ORR_OK;
}

orr_status orr_options_read_default(void *place, const orr_option *row, const char *what)
{
    const char *text = row->fallback;
    value v = { .row = row };

    orr_options_name(v.name, what, row->key);
    switch (row->type) {
    case ORR_OPT_CHOICE:
        if (*text && !is_choice(row, text))
            return orr_fail(ORR_ERR_INTERNAL, "%s: the default %s is no choice", v.name, text);
        *(const char **)place = text;
        return ORR_OK;
    case ORR_OPT_STRING:
        *(const char **)place = text;
        return ORR_OK;
    case ORR_OPT_STRINGS:
        return read_default_strings(place, &v);
    case ORR_OPT_NODE:
        *(const orr_node **)place = NULL;
        return ORR_OK;
    case ORR_OPT_SECTION:
        return orr_options_read(place, row->table, NULL, v.name);
    default:
        return read_default_numbers(place, &v);
    }
}

static int row_count(const orr_option *table)
{
    int n = 0;

    while (table[n].type != ORR_OPT_END)
        n++;
    return n;
}

static orr_status fail_unknown(const orr_option *table, const orr_node *item, const char *what)
{
    enum { MAX = 128 };
    const char *words[MAX], *near;
    char where[ORR_ERROR_MAX / 4];
    int n = row_count(table);
    const char *in = what && *what ? " in " : "";

    what = what ? what : "";
    n = n < MAX ? n : MAX;
    for (int i = 0; i < n; i++)
        words[i] = table[i].key;
    near = orr_nearest(item->key, words, n);
    orr_node_where(item, where, sizeof where);
    if (near)
        return orr_fail(ORR_ERR_OPTION, "%s: unknown key \"%.80s\"%s%s; did you mean \"%s\"?",
                        where, item->key, in, what, near);
    return orr_fail(ORR_ERR_OPTION, "%s: unknown key \"%.80s\"%s%s", where, item->key, in, what);
}

static const orr_option *find_row(const orr_option *table, const char *key)
{
    for (; table->type != ORR_OPT_END; table++)
        if (!strcmp(table->key, key)) return table;
    return NULL;
}

/* Is it a map, with keys of the table alone? */
static orr_status check_map(const orr_option *table, const orr_node *map, const char *what)
{
    char where[ORR_ERROR_MAX / 4];

    if (!map || map->type == ORR_NODE_NULL) return ORR_OK;
    if (map->type != ORR_NODE_MAP)
        return orr_fail(ORR_ERR_OPTION, "%s: %s is %s; it must be a map of \"key: value\" lines",
                        orr_node_where(map, where, sizeof where), what && *what ? what : "this",
                        kind_of(map));
    for (int i = 0; i < map->n_items; i++)
        if (!find_row(table, map->items[i]->key)) return fail_unknown(table, map->items[i], what);
    return ORR_OK;
}

static orr_status fail_missing(const orr_option *row, const orr_node *map, const char *what)
{
    char where[ORR_ERROR_MAX / 4], name[ORR_OPTION_NAME];

    orr_options_name(name, what, row->key);
    if (!map) return orr_fail(ORR_ERR_OPTION, "%s is missing: %s", name, row->help);
    return orr_fail(ORR_ERR_OPTION, "%s: %s is missing: %s",
                    orr_node_where(map, where, sizeof where), name, row->help);
}

orr_status orr_options_read(void *out, const orr_option *table, const orr_node *map,
                            const char *what)
{
    ORR_TRY(check_map(table, map, what));
    for (const orr_option *row = table; row->type != ORR_OPT_END; row++) {
        void *place = (char *)out + row->offset;
        value v = { .row = row, .node = orr_node_get(map, row->key) };

        orr_options_name(v.name, what, row->key);
        if (v.node)
            ORR_TRY(read_value(place, &v));
        else if (!row->fallback)
            return fail_missing(row, map, what);
        else
            ORR_TRY(orr_options_read_default(place, row, what));
    }
    return ORR_OK;
}
