/* data/formats/csv_columns.c - fields, and which column is what. */
#include "core/memory.h"
#include "core/options.h"
#include "data/formats/csv.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A quoted field that has doubled quotes in it, into buf. */
static int unquote(orr_csv_field *f, const char *p, const char *close)
{
    size_t n = 0;

    for (; p < close; p++) {
        if (n == sizeof f->buf) return 0;
        f->buf[n++] = *p;
        if (*p == '"') p++; /* the second of a pair */
    }
    f->p = f->buf;
    f->end = f->buf + n;
    return 1;
}

static orr_status read_quoted(orr_csv_field *f, orr_cursor *c, char delimiter, const char **why)
{
    const char *p = c->p + 1, *close = p;
    int pairs = 0;

    for (;; close += 2, pairs++) {
        close = close < c->end ? memchr(close, '"', (size_t)(c->end - close)) : NULL;
        if (!close) {
            *why = "a quoted field is not closed";
            return ORR_ERR_FORMAT;
        }
        if (close + 1 == c->end || close[1] != '"') break;
    }
    f->p = p;
    f->end = close;
    f->quoted = 1;
    if (pairs && !unquote(f, p, close)) {
        *why = "a quoted field with quotes in it is longer than 512 bytes";
        return ORR_ERR_FORMAT;
    }
    c->p = close + 1;
    if (c->p < c->end && *c->p == delimiter) {
        c->p++;
    } else if (orr_csv_blank(c->p, c->end)) {
        c->ended = 1;
    } else {
        *why = "a quoted field is followed by something else than a delimiter";
        return ORR_ERR_FORMAT;
    }
    return ORR_OK;
}

orr_status orr_csv_field_read(orr_csv_field *f, orr_cursor *c, char delimiter, const char **why)
{
    const char *p = c->p;

    if (p < c->end && *p == '"') return read_quoted(f, c, delimiter, why);
    while (p < c->end && *p != delimiter && *p != '\n')
        p++;
    f->p = c->p;
    f->end = p;
    f->quoted = 0;
    if (p < c->end && *p == delimiter) {
        c->p = p + 1;
        return ORR_OK;
    }
    c->ended = 1;
    c->p = p;
    if (f->end > f->p && f->end[-1] == '\r') f->end--;
    return ORR_OK;
}

void orr_csv_column_name(const orr_csv *c, int column, char *buf, size_t bytes)
{
    if (c->names)
        snprintf(buf, bytes, "column %d (%.60s)", column + 1, c->names[column]);
    else
        snprintf(buf, bytes, "column %d", column + 1);
}

/* A number that fills [s, s + n); -1 when it is none. */
static long number_of(const char *s, size_t n)
{
    char text[12];

    if (n == 0 || n >= sizeof text || strspn(s, "0123456789") < n) return -1;
    memcpy(text, s, n);
    text[n] = '\0';
    return strtol(text, NULL, 10);
}

orr_status orr_csv_column(const orr_csv *c, const char *option, const char *word, int *column)
{
    const char *path = c->files[0].path, *near;
    long number = number_of(word, strlen(word));

    *column = -1;
    for (int i = 0; c->names && i < c->n_columns; i++) {
        if (strcmp(c->names[i], word) != 0) continue;
        if (*column >= 0)
            return orr_fail(ORR_ERR_OPTION,
                            "%s: columns %d and %d are both named %.60s; use the number for %s",
                            path, *column + 1, i + 1, word, option);
        *column = i;
    }
    if (*column >= 0) return ORR_OK;
    if (number >= 1 && number <= c->n_columns) {
        *column = (int)number - 1;
        return ORR_OK;
    }
    if (number >= 0)
        return orr_fail(ORR_ERR_OPTION, "%s: %s is column %ld; there are 1 to %d", path, option,
                        number, c->n_columns);
    if (!c->names)
        return orr_fail(ORR_ERR_OPTION,
                        "%s: %s is \"%.60s\", and the file has no header; use a column number",
                        path, option, word);
    near = orr_nearest(word, (const char *const *)c->names, c->n_columns);
    return orr_fail(ORR_ERR_OPTION, "%s: no column \"%.60s\" for %s%s%s%s", path, word, option,
                    near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
}

/* ---- roles ---- */

typedef struct {
    orr_csv *c;
    orr_col_role *role; /* of each column */
    int *place;
} roles;

static orr_status give(roles *r, int column, orr_col_role role, int place)
{
    static const char *const words[] = { "",       "a feature", "the label",
                                         "the id", "a target",  "an aux number" };
    char name[96];

    if (r->role[column] != ORR_COL_SKIP) {
        orr_csv_column_name(r->c, column, name, sizeof name);
        return orr_fail(ORR_ERR_OPTION, "%s: %s cannot be %s and %s", r->c->files[0].path, name,
                        words[r->role[column]], words[role]);
    }
    r->role[column] = role;
    r->place[column] = place;
    return ORR_OK;
}

/* "2-3198", "5-": 0 when the word is no range. */
static int range_of(const char *word, long *from, long *to)
{
    const char *dash = strchr(word, '-');

    if (!dash) return 0;
    *from = number_of(word, (size_t)(dash - word));
    *to = dash[1] ? number_of(dash + 1, strlen(dash + 1)) : 0; /* 0 = to the last */
    return *from >= 1 && *to >= 0;
}

static int is_name(const orr_csv *c, const char *word)
{
    for (int i = 0; c->names && i < c->n_columns; i++)
        if (!strcmp(c->names[i], word)) return 1;
    return 0;
}

static orr_status give_features(void *ctx, const char *word)
{
    roles *r = ctx;
    orr_csv *c = r->c;
    long from, to;
    int column;

    if (is_name(c, word) || !range_of(word, &from, &to)) {
        ORR_TRY(orr_csv_column(c, "features", word, &column));
        return give(r, column, ORR_COL_FEATURE, c->n_features++);
    }
    if (to == 0) to = c->n_columns;
    if (from > to || to > c->n_columns)
        return orr_fail(ORR_ERR_OPTION, "%s: features %s; there are columns 1 to %d",
                        c->files[0].path, word, c->n_columns);
    for (long i = from; i <= to; i++)
        ORR_TRY(give(r, (int)i - 1, ORR_COL_FEATURE, c->n_features++));
    return ORR_OK;
}

/* A feature or target may be an aux number, too: it is then a copy. */
static orr_status give_aux(roles *r, const orr_strings *aux)
{
    orr_csv *c = r->c;
    int column;

    ORR_TRY(orr_table_check_aux(aux->n));
    for (int i = 0; i < aux->n; i++) {
        ORR_TRY(orr_csv_column(c, "aux", aux->v[i], &column));
        if (r->role[column] != ORR_COL_FEATURE && r->role[column] != ORR_COL_TARGET)
            ORR_TRY(give(r, column, ORR_COL_AUX, c->n_aux_columns++));
        c->aux[i].role = r->role[column];
        c->aux[i].place = r->place[column];
        if (c->names) orr_table_name_aux(&c->base, i, c->names[column]);
    }
    c->base.schema.n_aux = aux->n;
    return ORR_OK;
}

static orr_status find_where(orr_csv *c)
{
    orr_where *w = &c->base.where;

    for (int i = 0; i < w->n; i++)
        ORR_TRY(orr_csv_column(c, "where", w->list[i].name, &w->list[i].column));
    orr_where_sort(w);
    return ORR_OK;
}

static orr_status give_target(roles *r, const char *option, const char *word)
{
    orr_csv *c = r->c;
    int column;

    ORR_TRY(orr_csv_column(c, option, word, &column));
    if (c->names) orr_table_name_target(&c->base, c->n_targets, c->names[column]);
    return give(r, column, ORR_COL_TARGET, c->n_targets++);
}

static orr_status assign(roles *r, const orr_table_opts *o)
{
    const char *features = orr_or(o->features, "rest");
    orr_csv *c = r->c;
    int column;

    if (*orr_or(o->label, "")) {
        if (!strcmp(orr_or(o->label_kind, "class"), "value")) {
            ORR_TRY(give_target(r, "label", o->label));
        } else {
            ORR_TRY(orr_csv_column(c, "label", o->label, &column));
            ORR_TRY(give(r, column, ORR_COL_LABEL, 0));
        }
    }
    if (*orr_or(o->id, "")) {
        ORR_TRY(orr_csv_column(c, "id", o->id, &column));
        ORR_TRY(give(r, column, ORR_COL_ID, 0));
    }
    for (int i = 0; i < o->target.n; i++)
        ORR_TRY(give_target(r, "target", o->target.v[i]));
    if (strcmp(features, "rest") != 0) {
        ORR_TRY(orr_table_each_word(features, give_features, r));
        return give_aux(r, &o->aux);
    }
    ORR_TRY(give_aux(r, &o->aux));
    for (int i = 0; i < c->n_columns; i++)
        if (r->role[i] == ORR_COL_SKIP) ORR_TRY(give(r, i, ORR_COL_FEATURE, c->n_features++));
    return ORR_OK;
}

/* Neighbouring columns of one role become one run. */
static void make_runs(orr_csv *c, const roles *r)
{
    for (int i = 0; i < c->n_columns; i++) {
        orr_csv_run *last = c->n_runs ? &c->runs[c->n_runs - 1] : NULL;
        orr_col_role role = r->role[i];

        if (last && last->role == role && role != ORR_COL_LABEL && role != ORR_COL_ID &&
            (role == ORR_COL_SKIP || r->place[i] == last->place + last->n)) {
            last->n++;
        } else {
            c->runs[c->n_runs++] = (orr_csv_run){ role, i, 1, r->place[i] };
            if (role == ORR_COL_LABEL || role == ORR_COL_ID) c->n_label_runs = c->n_runs;
        }
    }
}

orr_status orr_csv_select(orr_csv *c, const orr_table_opts *o)
{
    size_t n = (size_t)c->n_columns;
    roles r = { .c = c };
    orr_status st = ORR_OK;

    r.role = orr_alloc(n, sizeof *r.role);
    r.place = orr_alloc(n, sizeof *r.place);
    if (!r.role || !r.place)
        ORR_TRY_GOTO(st, done, orr_fail(ORR_ERR_NOMEM, "out of memory: %d columns", c->n_columns));
    ORR_TRY_GOTO(st, done, assign(&r, o));
    ORR_TRY_GOTO(st, done, find_where(c));
    if (c->n_features == 0)
        ORR_TRY_GOTO(
            st, done,
            orr_fail(ORR_ERR_OPTION, "%s: no column is left for features", c->files[0].path));
    if (!(c->runs = orr_alloc(n, sizeof *c->runs)))
        ORR_TRY_GOTO(st, done, orr_fail(ORR_ERR_NOMEM, "out of memory: %d columns", c->n_columns));
    make_runs(c, &r);
done:
    orr_free(r.role);
    orr_free(r.place);
    return st;
}
