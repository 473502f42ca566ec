/* core/options.h - one table of rows per struct gives parser, defaults, ranges, --help and dump.
 *
 *   typedef struct { int filters; double rate; const char *padding; } conv_opts;
 *   static const orr_option conv_options[] = {
 *       ORR_OPTION_INT(conv_opts, filters, NULL, 1, 65536, "output channels"), // NULL: required
 *       ORR_OPTION_REAL(conv_opts, rate, "0.1", 0, 1, "share of units dropped"),
 *       ORR_OPTION_CHOICE(conv_opts, padding, "valid", "valid|same|torch", "at the borders"),
 *       ORR_OPTION_END };
 *
 * Reading a map: every key must be in the table (else: the sentence names file:line, the key, and
 * the nearest one), every value must parse in full and lie in its range, absent keys take their
 * default, required ones must be there.  A key with nothing after it is an error, but for a section
 * or node, where it is an empty one.  A quoted number is a text.
 * Strings and nodes in the struct are borrowed from the configuration tree.   Not collective. */
#ifndef ORR_CORE_OPTIONS_H
#define ORR_CORE_OPTIONS_H

#include "core/config.h"
#include "core/status.h"
#include "core/text.h"

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum {
    ORR_OPT_END,
    ORR_OPT_INT,     /* int */
    ORR_OPT_INT64,   /* int64_t */
    ORR_OPT_REAL,    /* double; nan and inf are refused */
    ORR_OPT_BOOL,    /* int: true/false, yes/no, on/off */
    ORR_OPT_STRING,  /* const char * */
    ORR_OPT_CHOICE,  /* const char *, one of `choices` ("a|b|c"), or of what word() gives */
    ORR_OPT_KIND,    /* orr_kind_choice: such a word, or {word: {key: value}} */
    ORR_OPT_PAIR,    /* int[2]: "3" means [3, 3] */
    ORR_OPT_REALS,   /* orr_reals: a list of numbers, or one number */
    ORR_OPT_STRINGS, /* orr_strings: a list of strings, or one string */
    ORR_OPT_NODE,    /* const orr_node *: the subtree as it stands; NULL when absent */
    ORR_OPT_SECTION  /* a struct within the struct, read by its own table */
} orr_option_type;

enum { ORR_LIST_MAX = 64 };
typedef struct {
    int n;
    double v[ORR_LIST_MAX];
} orr_reals;
typedef struct {
    int n;
    const char *v[ORR_LIST_MAX];
} orr_strings;

/* One of several kinds with options of its own, which are the kind's to read. */
typedef struct orr_kind_choice {
    const char *name;
    const struct orr_node *options; /* NULL: none are given */
} orr_kind_choice;

typedef struct orr_option {
    const char *key;
    orr_option_type type;
    size_t offset;        /* in the struct */
    const char *fallback; /* default: YAML, or the text itself; "" no items; NULL required */
    double min, max;      /* inclusive, for numbers (each element) */
    const char *choices;
    const struct orr_option *table; /* of a section */
    const char *help;               /* one line; units in it */
    const char *(*word)(int i); /* choices that are rows of another table: the i-th, NULL behind the
                                   last; then `choices` is NULL */
} orr_option;

/* A kind of thing that job files call by its name (a layer, a transform, a survey): what it is, and
 * the keys that it takes (NULL: none).  Lists of kinds give such a row for each of theirs. */
typedef struct orr_kind_help {
    const char *name, *help;
    const orr_option *options;
} orr_kind_help;

/* clang-format off */
#define ORR_OPTION_INT(S, f, def, lo, hi, help) \
    { #f, ORR_OPT_INT, offsetof(S, f), def, lo, hi, 0, 0, help, 0 }
#define ORR_OPTION_INT64(S, f, def, lo, hi, help) \
    { #f, ORR_OPT_INT64, offsetof(S, f), def, lo, hi, 0, 0, help, 0 }
#define ORR_OPTION_REAL(S, f, def, lo, hi, help) \
    { #f, ORR_OPT_REAL, offsetof(S, f), def, lo, hi, 0, 0, help, 0 }
#define ORR_OPTION_BOOL(S, f, def, help) \
    { #f, ORR_OPT_BOOL, offsetof(S, f), def, 0, 0, 0, 0, help, 0 }
#define ORR_OPTION_STRING(S, f, def, help) \
    { #f, ORR_OPT_STRING, offsetof(S, f), def, 0, 0, 0, 0, help, 0 }
#define ORR_OPTION_CHOICE(S, f, def, ch, help) \
    { #f, ORR_OPT_CHOICE, offsetof(S, f), def, 0, 0, ch, 0, help, 0 }
#define ORR_OPTION_WORD(S, f, def, word, help) \
    { #f, ORR_OPT_CHOICE, offsetof(S, f), def, 0, 0, 0, 0, help, word }
#define ORR_OPTION_KIND(S, f, def, word, help) \
    { #f, ORR_OPT_KIND, offsetof(S, f), def, 0, 0, 0, 0, help, word }
#define ORR_OPTION_PAIR(S, f, def, lo, hi, help) \
    { #f, ORR_OPT_PAIR, offsetof(S, f), def, lo, hi, 0, 0, help, 0 }
#define ORR_OPTION_REALS(S, f, def, lo, hi, help) \
    { #f, ORR_OPT_REALS, offsetof(S, f), def, lo, hi, 0, 0, help, 0 }
#define ORR_OPTION_STRINGS(S, f, def, help) \
    { #f, ORR_OPT_STRINGS, offsetof(S, f), def, 0, 0, 0, 0, help, 0 }
#define ORR_OPTION_NODE(S, f, help) \
    { #f, ORR_OPT_NODE, offsetof(S, f), "", 0, 0, 0, 0, help, 0 }
#define ORR_OPTION_SECTION(S, f, tab, help) \
    { #f, ORR_OPT_SECTION, offsetof(S, f), "", 0, 0, 0, tab, help, 0 }
#define ORR_OPTION_END { 0, ORR_OPT_END, 0, 0, 0, 0, 0, 0, 0, 0 }
/* clang-format on */

/* Fills *out from map (NULL = an empty one).  `what` names the map in messages ("train", "layer
 * conv1d"; "" for the file).  String defaults point into the table.  ORR_ERR_OPTION as described
 * above. */
orr_status orr_options_read(void *out, const orr_option *table, const orr_node *map,
                            const char *what);
/* Appends "key: value" lines (sections nested) that read back to the same struct. */
orr_status orr_options_dump(const void *in, const orr_option *table, orr_text *out, int indent);
/* The same on one line: "{a: 1, b: x}", without keys that have their default. */
orr_status orr_options_dump_flow(const void *in, const orr_option *table, orr_text *out);
/* Appends the reference: of each key its name (with prefix), help, range or choices, default, in
 * lines of at most 80 columns. */
void orr_options_help(const orr_option *table, orr_text *out, const char *prefix);
/* The same of a kind: its name and what it is, then its keys. */
void orr_kind_help_add(const orr_kind_help *kind, orr_text *out);
/* Appends the words that a choice may be, with a text between them. */
void orr_options_choices(const orr_option *row, const char *between, orr_text *out);
/* The nearest of n words by edit distance, NULL when more than a third of `word` differs. */
const char *orr_nearest(const char *word, const char *const *words, int n);
/* The same of words that are no array, one at a time: the nearer of `near` (the answer so far, NULL
 * at the beginning) and one more. */
const char *orr_nearer(const char *word, const char *near, const char *other);
/* Whole-text checked parsers: trailing garbage, overflow, nan and inf are errors. */
orr_status orr_parse_int64(int64_t *out, const char *text);
orr_status orr_parse_real(double *out, const char *text);

#ifdef __cplusplus
}
#endif
#endif
