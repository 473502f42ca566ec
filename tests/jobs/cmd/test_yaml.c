/* tests/jobs/cmd/test_yaml.c - whatever an option table of any command or kind may hold is dumped
 * as YAML that reads back to the same values: random ones, and texts that YAML might take for
 * something else. */
#include "core/core_test.h"
#include "core/memory.h"
#include "core/rng.h"
#include "jobs/cmd/command_private.h"

#include <math.h>

enum { STRUCT_BYTES = 1 << 20, ROUNDS = 40 };

static const char *const texts[] = {
    "",
    "a",
    "~",
    "null",
    "Null",
    "yes",
    "Off",
    "TRUE",
    "12",
    "-1e-5",
    ".5",
    "+",
    "-",
    "a: b",
    "a #b",
    "#a",
    "a,b",
    "[a]",
    "{a: b}",
    " a",
    "a ",
    "a\nb",
    "a\n",
    "\t",
    "\"q\"",
    "it's",
    "\\",
    "---",
    "...",
    "&a",
    "*a",
    "!t",
    "|",
    ">",
    "%d",
    "@x",
    "`x`",
    "\xc3\xa4",
    "\xe2\x80\xa8",
    "\x7f",
    "\xef\xbb\xbfx",
    "2026-11-30",
    "0x1F",
    "a:",
    "path/to/a file.csv",
    "https://x.org/{run:06d}?a=b&c",
    "\x01",
    "? a",
    "- a",
    ":",
    "=",
};
enum { N_TEXTS = sizeof texts / sizeof *texts };

/* YAML text of s, double quoted by hand: the reader is what is trusted here. */
static void quote(orr_text *out, const char *s)
{
    orr_text_add(out, "\"");
    for (; *s; s++)
        if ((unsigned char)*s < 0x20 || *s == 0x7f || *s == '"' || *s == '\\')
            orr_text_printf(out, "\\x%02x", (unsigned)*s);
        else
            orr_text_addn(out, s, 1);
    orr_text_add(out, "\"");
}

static double number(orr_rng *r, const orr_option *row)
{
    double lo = fmax(row->min, -1e15), hi = fmin(row->max, 1e15), u = orr_rng_uniform(r);

    if (orr_rng_below(r, 3) == 0) return u < 0.5 ? lo : hi;
    if (orr_rng_below(r, 2) == 0) hi = fmin(hi, lo + 1);
    return fmin(hi, fmax(lo, lo + u * (hi - lo)));
}

static void whole(orr_rng *r, const orr_option *row, orr_text *out)
{
    double hi = fmin(row->max, 2147483647.0), x = floor(number(r, row));

    orr_text_printf(out, "%.0f", fmax(ceil(row->min), fmin(x, hi)));
}

static void any_choice(orr_rng *r, const orr_option *row, orr_text *out)
{
    int n = 1, k;
    const char *s = row->choices;

    if (!s) {
        for (n = 0; row->word(n); n++)
            ;
        quote(out, row->word((int)orr_rng_below(r, (uint64_t)n)));
        return;
    }
    for (const char *c = s; *c; c++)
        n += *c == '|';
    k = (int)orr_rng_below(r, (uint64_t)n);
    while (k-- > 0)
        s = strchr(s, '|') + 1;
    orr_text_printf(out, "\"%.*s\"", (int)strcspn(s, "|"), s);
}

static void any_table(orr_rng *r, const orr_option *table, orr_text *out);

/* A random value as flow YAML. */
static void any_value(orr_rng *r, const orr_option *row, orr_text *out)
{
    int n = (int)orr_rng_below(r, 4);

    switch (row->type) {
    case ORR_OPT_INT:
    case ORR_OPT_INT64:
        whole(r, row, out);
        break;
    case ORR_OPT_REAL:
        orr_text_printf(out, "%.17g", number(r, row));
        break;
    case ORR_OPT_BOOL:
        orr_text_add(out, n & 1 ? "true" : "off");
        break;
    case ORR_OPT_STRING:
        quote(out, texts[orr_rng_below(r, N_TEXTS)]);
        break;
    case ORR_OPT_CHOICE:
        any_choice(r, row, out);
        break;
    case ORR_OPT_KIND:
        if (n) orr_text_add(out, "{");
        any_choice(r, row, out);
        if (n) orr_text_add(out, n & 1 ? ": {a: 1, \"b c\": [x, 2]}}" : ": {}}");
        break;
    case ORR_OPT_PAIR:
        orr_text_add(out, "[");
        whole(r, row, out);
        orr_text_add(out, ", ");
        whole(r, row, out);
        orr_text_add(out, "]");
        break;
    case ORR_OPT_REALS:
        orr_text_add(out, "[");
        for (int i = 0; i < n; i++)
            orr_text_printf(out, "%s%.17g", i ? ", " : "", number(r, row));
        orr_text_add(out, "]");
        break;
    case ORR_OPT_STRINGS:
        orr_text_add(out, "[");
        for (int i = 0; i < n; i++) {
            if (i) orr_text_add(out, ", ");
            quote(out, texts[orr_rng_below(r, N_TEXTS)]);
        }
        orr_text_add(out, "]");
        break;
    case ORR_OPT_NODE:
        orr_text_add(out, "{k: [");
        for (int i = 0; i < n; i++) {
            if (i) orr_text_add(out, ", ");
            quote(out, texts[orr_rng_below(r, N_TEXTS)]);
        }
        orr_text_add(out, "], m: [{a: {b: [1, x]}, c: null}, []], \"odd: key\": 1e-5}");
        break;
    case ORR_OPT_SECTION:
        any_table(r, row->table, out);
        break;
    case ORR_OPT_END:
        break;
    }
}

static void any_table(orr_rng *r, const orr_option *table, orr_text *out)
{
    int n = 0;

    orr_text_add(out, "{");
    for (const orr_option *row = table; row->type != ORR_OPT_END; row++) {
        if (row->fallback && row->type != ORR_OPT_SECTION && orr_rng_below(r, 3) == 0) continue;
        orr_text_printf(out, "%s%s: ", n++ ? ", " : "", row->key);
        any_value(r, row, out);
    }
    orr_text_add(out, "}");
}

static int same_node(const orr_node *a, const orr_node *b)
{
    if (!a || !b) return a == b;
    if (a->type != b->type || a->n_items != b->n_items || strcmp(a->scalar, b->scalar) != 0)
        return 0;
    for (int i = 0; i < a->n_items; i++)
        if (!same_node(a->items[i], b->items[i]) ||
            (a->type == ORR_NODE_MAP && strcmp(a->items[i]->key, b->items[i]->key) != 0))
            return 0;
    return 1;
}

static int same_strings(const orr_strings *a, const orr_strings *b)
{
    if (a->n != b->n) return 0;
    for (int i = 0; i < a->n; i++)
        if (strcmp(a->v[i], b->v[i]) != 0) return 0;
    return 1;
}

static int same_struct(const char *a, const char *b, const orr_option *table);

static int same_value(const void *a, const void *b, const orr_option *row)
{
    const orr_reals *x = a, *y = b;
    const orr_kind_choice *k = a, *l = b;

    switch (row->type) {
    case ORR_OPT_INT:
    case ORR_OPT_BOOL:
        return memcmp(a, b, sizeof(int)) == 0;
    case ORR_OPT_PAIR:
        return memcmp(a, b, 2 * sizeof(int)) == 0;
    case ORR_OPT_INT64:
        return memcmp(a, b, sizeof(int64_t)) == 0;
    case ORR_OPT_REAL:
        return *(const double *)a == *(const double *)b;
    case ORR_OPT_STRING:
    case ORR_OPT_CHOICE:
        return strcmp(*(const char *const *)a, *(const char *const *)b) == 0;
    case ORR_OPT_KIND:
        return strcmp(k->name, l->name) == 0 && same_node(k->options, l->options);
    case ORR_OPT_REALS:
        return x->n == y->n && memcmp(x->v, y->v, (size_t)x->n * sizeof *x->v) == 0;
    case ORR_OPT_STRINGS:
        return same_strings(a, b);
    case ORR_OPT_NODE:
        return same_node(*(const orr_node *const *)a, *(const orr_node *const *)b);
    case ORR_OPT_SECTION:
        return same_struct(a, b, row->table);
    case ORR_OPT_END:
        break;
    }
    return 0;
}

static int same_struct(const char *a, const char *b, const orr_option *table)
{
    for (const orr_option *row = table; row->type != ORR_OPT_END; row++)
        if (!same_value(a + row->offset, b + row->offset, row)) {
            print_error("%s differs\n", row->key);
            return 0;
        }
    return 1;
}

static void read_back(const char *who, const orr_option *table, const char *a, char *b,
                      const char *dumped)
{
    orr_config *c = NULL;

    assert_ok(orr_config_parse(&c, dumped, "dump.yaml"));
    assert_ok(orr_options_read(b, table, orr_config_root(c), ""));
    if (!same_struct(a, b, table)) fail_msg("%s: does not read back:\n%s", who, dumped);
    orr_config_destroy(c);
}

static int n_tables;

static void check_table(const char *who, const orr_option *table)
{
    char *a = orr_alloc(1, STRUCT_BYTES), *b = orr_alloc(1, STRUCT_BYTES);
    orr_rng r = orr_rng_stream(orr_rng_key(1, ORR_RNG_AUGMENT, (uint64_t)n_tables, 0, 0));

    for (int round = 0; table && table->type != ORR_OPT_END && round < ROUNDS; round++) {
        orr_text said = ORR_TEXT_INIT, block = ORR_TEXT_INIT, flow = ORR_TEXT_INIT;
        orr_config *c = NULL;

        any_table(&r, table, &said);
        if (orr_config_parse(&c, said.s, "said.yaml") != ORR_OK)
            fail_msg("%s: %s: %s", who, orr_error_text(), said.s);
        if (orr_options_read(a, table, orr_config_root(c), "") != ORR_OK)
            fail_msg("%s: %s: %s", who, orr_error_text(), said.s);
        assert_ok(orr_options_dump(a, table, &block, 0));
        assert_ok(orr_options_dump_flow(a, table, &flow));
        if (block.s) read_back(who, table, a, b, block.s);
        read_back(who, table, a, b, flow.s);
        orr_config_destroy(c);
        orr_text_free(&said);
        orr_text_free(&block);
        orr_text_free(&flow);
    }
    orr_free(a);
    orr_free(b);
    n_tables++;
}

static void dumps_read_back(void **state)
{
    int n;
    const orr_command *const *all = orr_commands(&n);

    (void)state;
    for (int i = 0; i < n; i++) {
        orr_kind_help kind;

        check_table(all[i]->name, all[i]->options);
        for (const orr_more_keys *m = all[i]->more; m && m->title; m++) {
            check_table(all[i]->name, m->options);
            for (int k = 0; m->kind && m->kind(k, &kind); k++)
                check_table(kind.name, kind.options);
        }
    }
    assert_true(n_tables > 40);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(dumps_read_back) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
