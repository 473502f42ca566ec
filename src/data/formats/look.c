/* data/formats/look.c - what a table's columns look like, before they are samples: features that
 * may be row numbers or ids, and labels that say which classes there are. */
#include "core/mapped.h"
#include "core/memory.h"
#include "data/formats/choice.h"
#include "data/formats/number.h"
#include "data/formats/text_value.h"

#include <ctype.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- features that may be ids ---- */

/* FEW_ROWS: fewer say nothing.  SOME_ROWS: from here on whole numbers that differ are no chance. */
enum { LOOK_ROWS = 65536, BLOCK_ROWS = 256, FEW_ROWS = 3, SOME_ROWS = 10 };

/* The whole numbers of one column, as far as it was read. */
typedef struct {
    int64_t place; /* in features */
    int64_t *v;
    int each_once, counts; /* counts: from row to row by one */
} suspect;

static int by_value(const void *a, const void *b)
{
    const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return (x > y) - (x < y);
}

static void judge(suspect *s, int64_t n)
{
    s->each_once = s->counts = n > 1;
    for (int64_t i = 1; i < n; i++)
        s->counts &= s->v[i] - 1 == s->v[i - 1];
    qsort(s->v, (size_t)n, sizeof *s->v, by_value);
    for (int64_t i = 1; i < n; i++)
        s->each_once &= s->v[i] != s->v[i - 1];
}

/* The columns of one value a row that hold whole numbers alone, each once.  *list: the caller's. */
typedef struct {
    suspect *list;
    int64_t n, rows;
} suspects;

static void free_suspects(suspects *s)
{
    for (int64_t i = 0; i < s->n; i++)
        orr_free(s->list[i].v);
    orr_free(s->list);
}

/* Moves a block of whole numbers [rows][n_x] to the columns; drops those with another value. */
static void take_block(suspects *s, const int64_t *values, const char *is_whole, int64_t first,
                       int64_t rows, int64_t n_x)
{
    int64_t kept = 0;

    for (int64_t i = 0; i < s->n; i++) {
        suspect *one = &s->list[i];
        int whole = 1;

        for (int64_t r = 0; r < rows && whole; r++) {
            whole = is_whole[r * n_x + one->place] != 0;
            one->v[first + r] = values[r * n_x + one->place];
        }
        if (whole)
            s->list[kept++] = *one;
        else
            orr_free(one->v);
    }
    s->n = kept;
}

/* The first look leaves few columns: only they get room for all rows. */
static orr_status make_room(suspects *s, int64_t rows)
{
    for (int64_t i = 0; i < s->n; i++) {
        int64_t *more = orr_realloc(s->list[i].v, BLOCK_ROWS, (size_t)rows, sizeof *more);

        if (!more) return orr_fail(ORR_ERR_NOMEM, "out of memory: %lld rows", (long long)rows);
        s->list[i].v = more;
    }
    return ORR_OK;
}

static orr_status read_suspects(const orr_table *t, suspects *s, int64_t *values, char *is_whole,
                                char *wanted)
{
    int64_t n_x = t->choice->x.values;

    for (int64_t at = 0; at < s->rows && s->n > 0; at += BLOCK_ROWS) {
        int64_t n = s->rows - at < BLOCK_ROWS ? s->rows - at : BLOCK_ROWS;

        memset(wanted, 0, (size_t)n_x);
        for (int64_t i = 0; i < s->n; i++)
            wanted[s->list[i].place] = 1;
        if (at == BLOCK_ROWS) ORR_TRY(make_room(s, s->rows));
        ORR_TRY(t->ops->whole(t, t->skip + at, n, wanted, values, is_whole));
        take_block(s, values, is_whole, at, n, n_x);
    }
    return ORR_OK;
}

static orr_status find_suspects(const orr_table *t, suspects *s)
{
    const orr_picks *x = &t->choice->x;
    size_t n = (size_t)x->values, block = n * BLOCK_ROWS;
    int64_t *values = orr_alloc(block, sizeof *values), place = 0;
    char *is_whole = orr_alloc(block, 1), *wanted = orr_alloc(n, 1);
    orr_status st = ORR_OK;

    s->list = orr_alloc((size_t)x->n, sizeof *s->list);
    s->rows = t->rows < LOOK_ROWS ? t->rows : LOOK_ROWS;
    if (!values || !is_whole || !wanted || !s->list)
        ORR_TRY_GOTO(st, done, orr_fail(ORR_ERR_NOMEM, "out of memory: %zu columns", n));
    for (int i = 0; i < x->n; place += x->list[i++].n) {
        if (x->list[i].n != 1) continue;
        s->list[s->n] = (suspect){ .place = place, .v = orr_alloc(BLOCK_ROWS, sizeof *s->list->v) };
        if (!s->list[s->n++].v)
            ORR_TRY_GOTO(st, done, orr_fail(ORR_ERR_NOMEM, "out of memory: %zu columns", n));
    }
    st = read_suspects(t, s, values, is_whole, wanted);
    for (int64_t i = 0; st == ORR_OK && i < s->n; i++)
        judge(&s->list[i], s->rows);
done:
    orr_free(values);
    orr_free(is_whole);
    orr_free(wanted);
    return st;
}

static int ends_in(const char *s, const char *end)
{
    size_t n = strlen(s), e = strlen(end);

    return n >= e && !strcmp(s + n - e, end);
}

/* "id", "objID", "source_id", "KEPID", "index": but not "centroid" or "grid". */
static int is_id_name(const char *name)
{
    static const char *const words[] = {
        "id",        "ids",        "index",    "idx",      "row",      "rowid",
        "rownum",    "number",     "objid",    "kepid",    "kicid",    "epicid",
        "ticid",     "starid",     "srcid",    "galid",    "specid",   "photoid",
        "specobjid", "photoobjid", "objectid", "sourceid", "sampleid", "catid",
        "uid",       "guid",       "dr7objid", "dr8objid", "level_0"
    };
    char lower[ORR_DATA_NAME_MAX];
    size_t n = strlen(name);

    if (n >= sizeof lower) return 0;
    for (size_t i = 0; i <= n; i++)
        lower[i] = (char)tolower((unsigned char)name[i]);
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (!strcmp(lower, words[i])) return 1;
    if (ends_in(lower, "_id") || ends_in(lower, " id") || ends_in(lower, ".id") ||
        ends_in(lower, "-id"))
        return 1;
    return n > 2 && islower((unsigned char)name[n - 3]) && name[n - 2] == 'I' &&
           strchr("dD", name[n - 1]);
}

static const char *name_of(const orr_table *t, const suspect *s, char *buf, size_t bytes)
{
    int64_t element;
    int column = orr_picks_at(&t->choice->x, s->place, &element)->column;

    if (t->choice->names.list)
        snprintf(buf, bytes, "column %d (%.60s)", column + 1, t->choice->names.list[column]);
    else
        snprintf(buf, bytes, "column %d", column + 1);
    return buf;
}

static orr_status refuse(const orr_table *t, const suspect *s, const char *what)
{
    char name[96];

    return orr_fail(ORR_ERR_OPTION,
                    "%s: %s %s, and features are the rest of the columns; list the features "
                    "(input.features: names or numbers, with it or without), or make it the id",
                    t->choice->names.what, name_of(t, s, name, sizeof name), what);
}

static int has_id_name(const orr_table *t, const suspect *s)
{
    int64_t element;

    return t->choice->names.list &&
           is_id_name(
               t->choice->names.list[orr_picks_at(&t->choice->x, s->place, &element)->column]);
}

/* An index stands first, and beside columns that are no such. */
static orr_status judge_first(const orr_table *t, const suspects *s)
{
    int64_t once = 0, counts = 0, left = t->choice->x.n, element;
    const suspect *one = &s->list[0];

    for (int64_t i = 0; i < s->n; i++) {
        once += s->list[i].each_once;
        counts += s->list[i].counts;
    }
    if (s->rows < SOME_ROWS || orr_picks_at(&t->choice->x, one->place, &element)->column != 0)
        return ORR_OK;
    if (one->counts && 2 * counts <= left) return refuse(t, one, "counts the rows");
    if (one->each_once && 2 * once <= left)
        return refuse(t, one, "holds whole numbers, each once, as an id or an index does");
    return ORR_OK;
}

static orr_status judge_all(const orr_table *t, const suspects *s, orr_text *said)
{
    char name[96];

    for (int64_t i = 0; i < s->n; i++)
        if (has_id_name(t, &s->list[i])) return refuse(t, &s->list[i], "looks like an id");
    if (s->n) ORR_TRY(judge_first(t, s));
    if (s->rows < FEW_ROWS) return ORR_OK;
    for (int64_t i = 0; i < s->n; i++)
        if (s->list[i].each_once)
            orr_text_printf(said, "%s%s", said->len ? ", " : "",
                            name_of(t, &s->list[i], name, sizeof name));
    if (said->len)
        orr_text_add(said, ": whole numbers, each once, taken for features; is that an id?");
    return ORR_OK;
}

orr_status orr_table_check_columns(const orr_table *t, orr_text *said)
{
    suspects s = { 0 };
    orr_status st;

    orr_text_add(said, t->axes_said);
    if (!t->choice || !t->choice->is_rest || !t->ops->whole) return ORR_OK;
    st = find_suspects(t, &s);
    if (st == ORR_OK) st = judge_all(t, &s, said);
    free_suspects(&s);
    return st;
}

/* ---- which columns rest took ---- */

static void say_run(const orr_choice *c, int first, int last, orr_text *out)
{
    const orr_names *names = &c->names;

    if (out->len) orr_text_add(out, ", ");
    if (!names->list)
        orr_text_printf(out, first == last ? "column %d" : "columns %d-%d", first + 1, last + 1);
    else if (last - first < 3)
        for (int i = first; i <= last; i++)
            orr_text_printf(out, "%s%.60s", i > first ? ", " : "", names->list[i]);
    else
        orr_text_printf(out, "%.60s to %.60s (columns %d-%d)", names->list[first],
                        names->list[last], first + 1, last + 1);
}

void orr_table_say_features(const orr_table *t, size_t most, orr_text *out)
{
    const orr_choice *c = t->choice;
    int from = 0;

    if (!c || !c->is_rest) return;
    for (int i = 0; i < c->x.n; i++) {
        if (i + 1 < c->x.n && c->x.list[i + 1].column == c->x.list[i].column + 1) continue;
        if (out->len > most) {
            orr_text_printf(out, " and %d more columns", c->x.n - from);
            break;
        }
        say_run(c, c->x.list[from].column, c->x.list[i].column, out);
        from = i + 1;
    }
}

/* ---- classes from the labels ---- */

int orr_table_learns(const orr_table *t)
{
    return t->learns && t->schema.y_type == ORR_Y_CLASS;
}

orr_status orr_table_learn(const orr_table *t, int64_t first, int64_t n, orr_classes *values)
{
    if (first < 0 || n < 0 || first > t->rows - n)
        return orr_fail(ORR_ERR_ARG, "table: rows %lld to %lld of %lld", (long long)first,
                        (long long)(first + n), (long long)t->rows);
    if (n > 0) ORR_TRY(t->ops->learn(t, t->skip + first, n, values));
    return orr_mapped_check();
}

static orr_status refuse_labels(const orr_table *t, const char *more, int n, int64_t rows)
{
    return orr_fail(ORR_ERR_OPTION,
                    "%s: input.label: %s%d different values in %lld rows; a number to be predicted "
                    "is a target (input.target, or label_kind: value); classes that are meant so: "
                    "input.classes: numbers, or a list",
                    t->inputs[0], more, n, (long long)rows);
}

orr_status orr_table_set_classes(orr_table *t, orr_classes *values, int64_t rows)
{
    enum { FEW = 5, SOME = 20 };
    int n = values->n, are_numbers = 1;

    orr_classes_sort(values);
    for (int i = 0; i < n; i++) {
        const orr_class *c = &values->list[i];

        are_numbers &= c->is_integer && c->integer == i;
        if (c->is_number && c->number != floor(c->number))
            return orr_fail(ORR_ERR_OPTION,
                            "%s: input.label: %s is no whole number: a value to be predicted is a "
                            "target (input.target, or label_kind: value); list the classes "
                            "(input.classes) where it is one",
                            t->inputs[0], c->text);
    }
    if (n > ORR_MAX_CLASSES) return refuse_labels(t, "more than ", ORR_MAX_CLASSES, rows);
    if ((rows >= FEW && n == rows) || (rows >= SOME && 2 * (int64_t)n > rows))
        return refuse_labels(t, "", n, rows);
    t->learns = 0;
    if (are_numbers) return ORR_OK;
    for (int i = 0; i < n; i++)
        snprintf(t->schema.class_names[i], ORR_DATA_NAME_MAX, "%s", values->list[i].text);
    return orr_classes_copy(&t->classes, values);
}

void orr_table_say_classes(const orr_table *t, orr_text *out)
{
    enum { MOST = 120 };

    for (int i = 0; i < t->classes.n; i++) {
        if (out->len > MOST) {
            orr_text_printf(out, " and %d more", t->classes.n - i);
            break;
        }
        orr_text_printf(out, "%s%s is class %d", i ? ", " : "", t->classes.list[i].text, i);
    }
}
