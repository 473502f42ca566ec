/* data/survey/template.c - templates: cut into pieces once, filled in many times. */
#include "data/survey/template.h"
#include "core/memory.h"

#include <curl/curl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { NAME_MAX_BYTES = 64, WIDTH_MAX = 18 };

/* Text as it stands, or a field. */
typedef struct {
    const char *text; /* into the template's copy */
    size_t n;
    int field; /* -1: text */
    int width; /* digits at least; -1: the value as it is */
} piece;

struct orr_template {
    char *text, *option;
    piece *pieces;
    int n_pieces, n_fields;
    char names[ORR_TEMPLATE_FIELDS][NAME_MAX_BYTES];
    int is_int[ORR_TEMPLATE_FIELDS];
};

void orr_template_destroy(orr_template *t)
{
    if (!t) return;
    orr_free(t->text);
    orr_free(t->option);
    orr_free(t->pieces);
    orr_free(t);
}

static orr_status field_of(orr_template *t, const char *name, size_t n, int *field)
{
    if (n == 0 || n >= NAME_MAX_BYTES)
        return orr_fail(ORR_ERR_OPTION,
                        "%s: \"{%.*s}\": a field's name has 1 to %d bytes; write {{ for a brace",
                        t->option, n > 80 ? 80 : (int)n, name, NAME_MAX_BYTES - 1);
    for (*field = 0; *field < t->n_fields; ++*field)
        if (strlen(t->names[*field]) == n && !memcmp(t->names[*field], name, n)) return ORR_OK;
    if (t->n_fields == ORR_TEMPLATE_FIELDS)
        return orr_fail(ORR_ERR_OPTION, "%s: more than %d different fields", t->option,
                        ORR_TEMPLATE_FIELDS);
    memcpy(t->names[t->n_fields++], name, n);
    return ORR_OK;
}

/* "04d": a zero, the width, a d. */
static int width_of(const char *form, size_t n)
{
    int width = 0;

    if (n < 3 || n > 4 || form[0] != '0' || form[n - 1] != 'd') return -1;
    for (size_t i = 1; i + 1 < n; i++) {
        if (form[i] < '0' || form[i] > '9') return -1;
        width = 10 * width + form[i] - '0';
    }
    return width >= 1 && width <= WIDTH_MAX ? width : -1;
}

/* "{name}" or "{name:04d}" at p, which ends before `close`. */
static orr_status add_field(orr_template *t, const char *p, const char *close)
{
    const char *colon = memchr(p, ':', (size_t)(close - p));
    piece *at = &t->pieces[t->n_pieces];

    *at = (piece){ .width = -1 };
    ORR_TRY(field_of(t, p, (size_t)((colon ? colon : close) - p), &at->field));
    t->n_pieces++;
    if (!colon) return ORR_OK;
    at->width = width_of(colon + 1, (size_t)(close - colon - 1));
    if (at->width < 0)
        return orr_fail(ORR_ERR_OPTION,
                        "%s: {%s:%.*s}: the form is 0Nd, for at least N digits (1 to %d), such as "
                        "{%s:04d}",
                        t->option, t->names[at->field],
                        close - colon > 40 ? 40 : (int)(close - colon - 1), colon + 1, WIDTH_MAX,
                        t->names[at->field]);
    t->is_int[at->field] = 1;
    return ORR_OK;
}

static orr_status cut(orr_template *t)
{
    const char *p = t->text;

    while (*p) {
        size_t n = strcspn(p, "{}");
        const char *close;

        if (n == 0 && p[0] == p[1]) n = 1; /* a doubled brace stands for one */
        if (n) {
            t->pieces[t->n_pieces++] = (piece){ .text = p, .n = n, .field = -1 };
            p += *p == '{' || *p == '}' ? 2 : n;
            continue;
        }
        if (*p == '}')
            return orr_fail(ORR_ERR_OPTION, "%s: a } without a { before it; write }} for a brace",
                            t->option);
        close = p + 1 + strcspn(p + 1, "{}");
        if (*close != '}')
            return orr_fail(ORR_ERR_OPTION, "%s: \"%.40s\": the { is not closed", t->option, p);
        ORR_TRY(add_field(t, p + 1, close));
        p = close + 1;
    }
    return ORR_OK;
}

orr_status orr_template_create(orr_template **out, const char *text, const char *option)
{
    orr_template *t = orr_alloc(1, sizeof *t);
    orr_status st = ORR_OK;
    size_t most = 1;

    *out = NULL;
    for (const char *p = text; *p; p++)
        most += *p == '{' || *p == '}';
    if (t) {
        t->text = orr_strdup(text);
        t->option = orr_strdup(option);
        t->pieces = orr_alloc(2 * most, sizeof *t->pieces);
    }
    if (!t || !t->text || !t->option || !t->pieces)
        ORR_TRY_GOTO(st, done, orr_fail(ORR_ERR_NOMEM, "%s: out of memory", option));
    ORR_TRY_GOTO(st, done, cut(t));
    *out = t;
    t = NULL;
done:
    orr_template_destroy(t);
    return st;
}

int orr_template_n_fields(const orr_template *t)
{
    return t->n_fields;
}

const char *orr_template_field(const orr_template *t, int i)
{
    return t->names[i];
}

int orr_template_field_is_int(const orr_template *t, int i)
{
    return t->is_int[i];
}

/* ---- filling in ---- */

orr_status orr_template_check(const char *field, const char *text)
{
    if (!*text) return orr_fail(ORR_ERR_FORMAT, "%s is empty", field);
    if (*text == '.')
        return orr_fail(ORR_ERR_FORMAT, "%s: \"%.70s\" begins with a dot, as no name may", field,
                        text);
    for (const char *p = text; *p; p++)
        if (*p == '/' || (unsigned char)*p < 33 || (unsigned char)*p > 126)
            return orr_fail(ORR_ERR_FORMAT,
                            *p == '/' ? "%s: \"%.70s\" holds a slash, as no name may"
                                      : "%s: \"%.70s\" holds a blank or another character that is "
                                        "not plain ASCII, as no name may",
                            field, text);
    return ORR_OK;
}

typedef struct {
    char *buf;
    size_t used, bytes;
} output;

/* Counts on when the room is used up, so that the end can tell. */
static void put(output *o, const char *s, size_t n)
{
    if (n < o->bytes && o->used < o->bytes - n) memcpy(o->buf + o->used, s, n);
    o->used += n;
}

static orr_status put_text(output *o, const char *s, int url)
{
    char *escaped;

    if (!url) {
        put(o, s, strlen(s));
        return ORR_OK;
    }
    if (!(escaped = curl_easy_escape(NULL, s, 0)))
        return orr_fail(ORR_ERR_NOMEM, "out of memory: escaping \"%.64s\"", s);
    put(o, escaped, strlen(escaped));
    curl_free(escaped);
    return ORR_OK;
}

static orr_status put_value(output *o, const orr_template *t, const piece *p,
                            const orr_template_value *v, int url)
{
    char number[32];

    if (v->is_int) {
        int n =
            snprintf(number, sizeof number, "%0*" PRId64, p->width > 0 ? p->width : 1, v->number);

        put(o, number, (size_t)n);
        return ORR_OK;
    }
    if (p->width > 0)
        return orr_fail(ORR_ERR_FORMAT, "%s: {%s:0%dd} needs a whole number, and it is \"%.64s\"",
                        t->option, t->names[p->field], p->width, v->text);
    ORR_TRY(orr_template_check(t->names[p->field], v->text));
    return put_text(o, v->text, url);
}

orr_status orr_template_expand(const orr_template *t, const orr_template_value *values, int url,
                               char *buf, size_t bytes)
{
    output o = { .buf = buf, .bytes = bytes };

    for (int i = 0; i < t->n_pieces; i++) {
        const piece *p = &t->pieces[i];

        if (p->field < 0)
            put(&o, p->text, p->n);
        else
            ORR_TRY(put_value(&o, t, p, &values[p->field], url));
    }
    if (o.used >= bytes)
        return orr_fail(ORR_ERR_FORMAT, "%s: filled in it has %zu bytes, and at most %zu fit",
                        t->option, o.used, bytes ? bytes - 1 : 0);
    buf[o.used] = '\0';
    return ORR_OK;
}
