/* core/options_dump.c - structs back to text by their tables: the resolved job file, and the
 * reference. */
#include "core/options.h"
#include "core/options_row.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
        orr_reals reals;
        orr_strings strings;
    } place;
    orr_text text = ORR_TEXT_INIT;
    orr_status st = ORR_OK;

    *same = row->type == ORR_OPT_SECTION && !strcmp(shown, "{}");
    if (!row->fallback || row->type == ORR_OPT_SECTION || row->type == ORR_OPT_NODE) return ORR_OK;
    ORR_TRY(orr_options_read_default(&place, row, NULL));
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

    if (row->type == ORR_OPT_CHOICE) {
        orr_options_choices(row, "|", out);
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
        else if (row->type == ORR_OPT_STRING || row->type == ORR_OPT_CHOICE) {
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
        orr_options_name(name, prefix, row->key);
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
