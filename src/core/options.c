/* core/options.c - tables of rows: words and numbers of a text, a map of a job file into a struct,
 * the struct back to text, the reference. */
#include "core/options.h"
#include "core/memory.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ORR_OPTION_NAME = 256 }; /* bytes of a name in messages, with its end */

/* ---- words: checked numbers, and the word that was meant ---- */
enum { WORD_MAX = 64 };

orr_status orr_parse_int64(int64_t *out, const char *text)
{
    char *end;
    long long v;

    if (!*text || strspn(text, "+-0123456789") != strlen(text))
        return orr_fail(ORR_ERR_OPTION, "\"%.60s\" is not a whole number", text);
    errno = 0;
    v = strtoll(text, &end, 10);
    if (*end || end == text)
        return orr_fail(ORR_ERR_OPTION, "\"%.60s\" is not a whole number", text);
    if (errno == ERANGE)
        return orr_fail(ORR_ERR_OPTION, "\"%.60s\" does not fit into 64 bits", text);
    *out = v;
    return ORR_OK;
}

orr_status orr_parse_real(double *out, const char *text)
{
    char *end;
    double v;

    /* The characters decide first: no nan, no inf, no hexadecimal, no blanks. */
    if (!*text || strspn(text, "+-.0123456789eE") != strlen(text))
        return orr_fail(ORR_ERR_OPTION, "\"%.60s\" is not a number", text);
    v = strtod(text, &end);
    if (*end || end == text) return orr_fail(ORR_ERR_OPTION, "\"%.60s\" is not a number", text);
    if (!isfinite(v)) return orr_fail(ORR_ERR_OPTION, "\"%.60s\" is too large a number", text);
    *out = v;
    return ORR_OK;
}

/* Edits (one character put, taken, changed, or two neighbours swapped) from a to b; both shorter
 * than WORD_MAX. */
static int distance(const char *a, const char *b)
{
    int rows[3][WORD_MAX + 1], *before = rows[0], *above = rows[1], *row = rows[2];
    int n = (int)strlen(b);

    for (int j = 0; j <= n; j++)
        above[j] = before[j] = j;
    for (int i = 1; a[i - 1]; i++) {
        int *spare = before;

        row[0] = i;
        for (int j = 1; j <= n; j++) {
            int best = above[j - 1] + (a[i - 1] != b[j - 1]);

            if (above[j] + 1 < best) best = above[j] + 1;
            if (row[j - 1] + 1 < best) best = row[j - 1] + 1;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
                before[j - 2] + 1 < best)
                best = before[j - 2] + 1;
            row[j] = best;
        }
        before = above;
        above = row;
        row = spare;
    }
    return above[n];
}

const char *orr_nearest(const char *word, const char *const *words, int n)
{
    const char *found = NULL;
    size_t length = strlen(word);
    int best = INT_MAX;

    if (length >= WORD_MAX) return NULL;
    for (int i = 0; i < n; i++) {
        size_t other = strlen(words[i]), longest = other > length ? other : length;
        int d;

        if (other >= WORD_MAX) continue;
        d = distance(word, words[i]);
        if (d < best && 3 * (size_t)d <= longest) {
            best = d;
            found = words[i];
        }
    }
    return found;
}

const char *orr_nearer(const char *word, const char *near, const char *other)
{
    const char *const both[] = { near ? near : other, other };

    return orr_nearest(word, both, 2);
}

/* ---- reading ---- */
enum { MAX_CHOICES = 64 };

/* A value on its way into a struct: the node, and how to call it in messages. */
typedef struct {
    const orr_option *row;
    const orr_node *node;
    char name[ORR_OPTION_NAME]; /* "train.lr" */
} value;

/* "train" and "lr" make "train.lr"; "layer conv1d" and "size" make "layer conv1d: size". */
static void name_of(char name[ORR_OPTION_NAME], const char *what, const char *key)
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

/* The words that a choice may be, with a text between them. */
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

static orr_status fail_choice(const value *v, const char *word)
{
    const char *words[MAX_CHOICES], *near;
    orr_text list = { .max = ORR_ERROR_MAX / 4 }, cut = ORR_TEXT_INIT;
    orr_status st;

    orr_options_choices(v->row, ", ", &list);
    orr_options_choices(v->row, "|", &cut);
    if (list.s && orr_text_status(&cut) == ORR_OK) {
        near = orr_nearest(word, words, cut_choices(cut.s, words));
        st = fail_value(v, "is \"%.60s\"; it must be one of %s%s%s%s", word, list.s,
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
    if (!is_choice(v->row, v->node->scalar)) return fail_choice(v, v->node->scalar);
    *out = v->node->scalar; /* lives with the tree */
    return ORR_OK;
}

/* A word, or a map of the word alone to its options. */
static orr_status read_kind(const value *v, orr_kind_choice *out)
{
    const orr_node *item;

    *out = (orr_kind_choice){ 0 };
    if (v->node->type != ORR_NODE_MAP) return read_choice(v, &out->name);
    if (v->node->n_items != 1)
        return fail_value(v, "has %d words; give one, with its options: {WORD: {KEY: VALUE}}",
                          v->node->n_items);
    item = v->node->items[0];
    if (!is_choice(v->row, item->key)) return fail_choice(v, item->key);
    out->name = item->key;
    if (item->type == ORR_NODE_MAP) out->options = item;
    if (item->type == ORR_NODE_MAP || item->type == ORR_NODE_NULL) return ORR_OK;
    return fail_value(v, "is %s with something that is no map: {%s: {KEY: VALUE}}", item->key,
                      item->key);
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
    case ORR_OPT_KIND:
        return read_kind(v, place);
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

/* Writes the default of a row to its place; texts point into the table. */
static orr_status read_default(void *place, const orr_option *row, const char *what)
{
    const char *text = row->fallback;
    value v = { .row = row };

    name_of(v.name, what, row->key);
    switch (row->type) {
    case ORR_OPT_CHOICE:
    case ORR_OPT_KIND:
        if (*text && !is_choice(row, text))
            return orr_fail(ORR_ERR_INTERNAL, "%s: the default %s is no choice", v.name, text);
        if (row->type == ORR_OPT_KIND)
            *(orr_kind_choice *)place = (orr_kind_choice){ .name = text };
        else
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

    name_of(name, what, row->key);
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

        name_of(v.name, what, row->key);
        if (v.node)
            ORR_TRY(read_value(place, &v));
        else if (!row->fallback)
            return fail_missing(row, map, what);
        else
            ORR_TRY(read_default(place, row, what));
    }
    return ORR_OK;
}

/* ---- back to text ---- */
static orr_status add_real(orr_text *out, const char *key, double x)
{
    char buf[40], *e;

    if (!isfinite(x))
        return orr_fail(ORR_ERR_NUMERIC, "option %s holds %g, which is not a number to write down",
                        key, x);
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(buf, sizeof buf, "%.*g", digits, x);
        if (strtod(buf, NULL) == x) break;
    }
    e = strchr(buf, 'e');
    if (e && !strchr(buf, '.')) /* YAML 1.1 readers take 1e-05 for a text */
        orr_text_printf(out, "%.*s.0%s", (int)(e - buf), buf, e);
    else
        orr_text_add(out, buf);
    return ORR_OK;
}

static orr_status add_reals(orr_text *out, const char *key, const orr_reals *list)
{
    orr_text_add(out, "[");
    for (int i = 0; i < list->n; i++) {
        if (i) orr_text_add(out, ", ");
        ORR_TRY(add_real(out, key, list->v[i]));
    }
    orr_text_add(out, "]");
    return ORR_OK;
}

static void add_strings(orr_text *out, const orr_strings *list)
{
    orr_text_add(out, "[");
    for (int i = 0; i < list->n; i++) {
        if (i) orr_text_add(out, ", ");
        orr_yaml_string(out, list->v[i]);
    }
    orr_text_add(out, "]");
}

/* The value at place on one line; a section as a flow map. */
static void add_kind(orr_text *out, const orr_kind_choice *kind)
{
    if (kind->options) orr_text_add(out, "{");
    orr_yaml_string(out, kind->name);
    if (!kind->options) return;
    orr_text_add(out, ": ");
    orr_node_dump_flow(kind->options, out);
    orr_text_add(out, "}");
}

static orr_status add_value(orr_text *out, const orr_option *row, const void *place)
{
    const int *pair = place;

    switch (row->type) {
    case ORR_OPT_INT:
        orr_text_printf(out, "%d", *(const int *)place);
        break;
    case ORR_OPT_INT64:
        orr_text_printf(out, "%lld", (long long)*(const int64_t *)place);
        break;
    case ORR_OPT_REAL:
        return add_real(out, row->key, *(const double *)place);
    case ORR_OPT_BOOL:
        orr_text_add(out, *(const int *)place ? "true" : "false");
        break;
    case ORR_OPT_STRING:
    case ORR_OPT_CHOICE:
        orr_yaml_string(out, *(const char *const *)place);
        break;
    case ORR_OPT_KIND:
        add_kind(out, place);
        break;
    case ORR_OPT_PAIR:
        orr_text_printf(out, "[%d, %d]", pair[0], pair[1]);
        break;
    case ORR_OPT_REALS:
        return add_reals(out, row->key, place);
    case ORR_OPT_STRINGS:
        add_strings(out, place);
        break;
    case ORR_OPT_NODE:
        orr_node_dump_flow(*(const orr_node *const *)place, out);
        break;
    case ORR_OPT_SECTION:
        return orr_options_dump_flow(place, row->table, out);
    case ORR_OPT_END:
        break;
    }
    return ORR_OK;
}

/* True when there is nothing to say: no text, no choice, no subtree. */
static int is_unset(const orr_option *row, const void *place)
{
    const char *text;

    switch (row->type) {
    case ORR_OPT_STRING:
        return !*(const char *const *)place;
    case ORR_OPT_CHOICE:
        text = *(const char *const *)place;
        return !text || !*text;
    case ORR_OPT_KIND:
        return !((const orr_kind_choice *)place)->name;
    case ORR_OPT_NODE:
        return !*(const orr_node *const *)place;
    default:
        return 0;
    }
}

orr_status orr_options_dump(const void *in, const orr_option *table, orr_text *out, int indent)
{
    for (const orr_option *row = table; row->type != ORR_OPT_END; row++) {
        const void *place = (const char *)in + row->offset;

        if (is_unset(row, place)) continue;
        orr_text_printf(out, "%*s", indent, "");
        orr_yaml_string(out, row->key);
        if (row->type == ORR_OPT_SECTION) {
            orr_text_add(out, ":\n");
            ORR_TRY(orr_options_dump(place, row->table, out, indent + 2));
            continue;
        }
        if (row->type == ORR_OPT_NODE && (*(const orr_node *const *)place)->n_items > 0) {
            orr_text_printf(out, ":\n%*s", indent + 2, "");
            orr_node_dump(*(const orr_node *const *)place, out, indent + 2);
        } else {
            orr_text_add(out, ": ");
            ORR_TRY(add_value(out, row, place));
        }
        orr_text_add(out, "\n");
    }
    return orr_text_status(out);
}

/* Does the value read like the default? */
static orr_status is_default(int *same, const orr_option *row, const char *shown)
{
    union {
        int i[2];
        int64_t l;
        double d;
        const char *s;
        orr_kind_choice kind;
        orr_reals reals;
        orr_strings strings;
    } place;
    orr_text text = ORR_TEXT_INIT;
    orr_status st = ORR_OK;

    *same = row->type == ORR_OPT_SECTION && !strcmp(shown, "{}");
    if (!row->fallback || row->type == ORR_OPT_SECTION || row->type == ORR_OPT_NODE) return ORR_OK;
    ORR_TRY(read_default(&place, row, NULL));
    ORR_TRY_GOTO(st, done, add_value(&text, row, &place));
    ORR_TRY_GOTO(st, done, orr_text_status(&text));
    *same = !strcmp(text.s, shown);
done:
    orr_text_free(&text);
    return st;
}

/* One "key: value" of a flow map, unless it is the default. */
static orr_status add_flow_row(const void *place, const orr_option *row, orr_text *out, int *n)
{
    orr_text text = ORR_TEXT_INIT;
    orr_status st = ORR_OK;
    int same = 0;

    if (is_unset(row, place)) return ORR_OK;
    ORR_TRY_GOTO(st, done, add_value(&text, row, place));
    ORR_TRY_GOTO(st, done, orr_text_status(&text));
    ORR_TRY_GOTO(st, done, is_default(&same, row, text.s));
    if (!same) {
        if ((*n)++) orr_text_add(out, ", ");
        orr_yaml_string(out, row->key);
        orr_text_add(out, ": ");
        orr_text_add(out, text.s);
    }
done:
    orr_text_free(&text);
    return st;
}

orr_status orr_options_dump_flow(const void *in, const orr_option *table, orr_text *out)
{
    int n = 0;

    orr_text_add(out, "{");
    for (const orr_option *row = table; row->type != ORR_OPT_END; row++)
        ORR_TRY(add_flow_row((const char *)in + row->offset, row, out, &n));
    orr_text_add(out, "}");
    return orr_text_status(out);
}

/* What a value may be: "whole number 1..10", "a|b". */
static void add_domain(orr_text *out, const orr_option *row)
{
    static const char *const names[] = {
        [ORR_OPT_INT] = "whole number", [ORR_OPT_INT64] = "whole number",
        [ORR_OPT_REAL] = "number",      [ORR_OPT_BOOL] = "true|false",
        [ORR_OPT_STRING] = "text",      [ORR_OPT_PAIR] = "whole number or [a, b]",
        [ORR_OPT_REALS] = "numbers",    [ORR_OPT_STRINGS] = "texts",
        [ORR_OPT_NODE] = "map or list", [ORR_OPT_SECTION] = "",
    };
    int number = row->type == ORR_OPT_INT || row->type == ORR_OPT_INT64 ||
                 row->type == ORR_OPT_REAL || row->type == ORR_OPT_PAIR ||
                 row->type == ORR_OPT_REALS;

    if (row->type == ORR_OPT_CHOICE || row->type == ORR_OPT_KIND) {
        orr_options_choices(row, "|", out);
        if (row->type == ORR_OPT_KIND) orr_text_add(out, ", or {WORD: {KEY: VALUE}}");
        return;
    }
    orr_text_add(out, names[row->type]);
    if (!number) return;
    if (isinf(row->min) && isinf(row->max)) return;
    if (isinf(row->min))
        orr_text_printf(out, " <= %.6g", row->max);
    else if (isinf(row->max))
        orr_text_printf(out, " >= %.6g", row->min);
    else
        orr_text_printf(out, " %.6g..%.6g", row->min, row->max);
}

/* Where the reference puts what it says of a key, and where its lines end. */
enum { HELP_COLUMN = 26, HELP_WIDTH = 80 };

static void add_help_row(orr_text *out, const char *name, const orr_option *row, int indent)
{
    orr_text said = ORR_TEXT_INIT;
    int at = indent + (int)strlen(name);

    orr_text_add(&said, row->help);
    if (row->type != ORR_OPT_SECTION) {
        orr_text_add(&said, " (");
        add_domain(&said, row);
        if (!row->fallback)
            orr_text_add(&said, "; required");
        else if (row->type == ORR_OPT_STRING || row->type == ORR_OPT_CHOICE ||
                 row->type == ORR_OPT_KIND) {
            orr_text_add(&said, "; default ");
            orr_yaml_string(&said, row->fallback);
        } else if (*row->fallback)
            orr_text_printf(&said, "; default %s", row->fallback);
        orr_text_add(&said, ")");
    }
    orr_text_printf(out, "%*s%s", indent, "", name);
    if (at + 2 > HELP_COLUMN) {
        orr_text_add(out, "\n");
        at = 0;
    }
    orr_text_printf(out, "%*s", HELP_COLUMN - at, "");
    orr_text_wrap(out, said.s ? said.s : "", HELP_COLUMN, HELP_COLUMN, HELP_WIDTH);
    orr_text_add(out, "\n");
    if (said.status != ORR_OK) out->status = said.status;
    orr_text_free(&said);
}

static void add_help(orr_text *out, const orr_option *table, const char *prefix, int indent)
{
    char name[ORR_OPTION_NAME];

    for (const orr_option *row = table; row->type != ORR_OPT_END; row++) {
        name_of(name, prefix, row->key);
        add_help_row(out, name, row, indent);
        if (row->type == ORR_OPT_SECTION) add_help(out, row->table, name, indent);
    }
}

void orr_options_help(const orr_option *table, orr_text *out, const char *prefix)
{
    add_help(out, table, prefix, 2);
}

void orr_kind_help_add(const orr_kind_help *kind, orr_text *out)
{
    char head[ORR_OPTION_NAME];

    snprintf(head, sizeof head, "  %s: ", kind->name);
    orr_text_add(out, head);
    orr_text_wrap(out, kind->help, (int)strlen(head), 4, HELP_WIDTH);
    orr_text_add(out, "\n");
    if (kind->options) add_help(out, kind->options, "", 4);
}
