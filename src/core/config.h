/* core/config.h - a job file as a tree that remembers where each value was written.
 * YAML by libyaml (anchors and aliases resolved, duplicate keys refused, one document).
 * "key.path=value" overrides from the command line remember that they came from there.  Their value
 * is YAML where it begins with a bracket, a brace or a quote (and must end with it) or has several
 * lines; anything else is one text, character by character but for the blanks around it: no comment
 * begins in it, and it is no alias, tag or map.  A tree owns all its nodes and text: whatever
 * orr_options_read puts into a struct (strings, nodes) lives as long as the tree.   Not collective.
 */
#ifndef ORR_CORE_CONFIG_H
#define ORR_CORE_CONFIG_H

#include "core/status.h"
#include "core/text.h"

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum { ORR_NODE_NULL, ORR_NODE_SCALAR, ORR_NODE_LIST, ORR_NODE_MAP } orr_node_type;

typedef struct orr_node {
    orr_node_type type;
    const char *key;         /* within a map; NULL elsewhere */
    const char *scalar;      /* text of a scalar, "" otherwise */
    int quoted;              /* the scalar was quoted in the source: always a string */
    struct orr_node **items; /* children of a list or map, in order */
    int n_items;
    const char *file; /* "job.yaml", or "command line" */
    int line;         /* from 1, a map's item at its key; 0 on the command line */
} orr_node;

typedef struct orr_config orr_config;

/* Reads a file, or text named `name`.  ORR_ERR_IO, ORR_ERR_OPTION with file:line:column and
 * libyaml's reason. */
orr_status orr_config_load(orr_config **out, const char *path);
orr_status orr_config_parse(orr_config **out, const char *text, const char *name);
/* An empty map, for commands without a file. */
orr_status orr_config_empty(orr_config **out);
/* Sets "a.b.c=value": makes maps on the way, replaces what was there.  "a.0.b=v" reaches
 * into a list. */
orr_status orr_config_set(orr_config *c, const char *assignment);
/* Takes a key away from the root; one that is not there is fine. */
void orr_config_remove(orr_config *c, const char *key);
const orr_node *orr_config_root(const orr_config *c); /* a map */
void orr_config_destroy(orr_config *c);

/* A copy of n in tree c, in which every plain (not quoted) scalar for which swap answers a node
 * gives its place to that node.  The copy borrows the text of n and what swap answered: they must
 * outlive c. */
orr_status orr_node_copy(orr_config *c, orr_node **out, const orr_node *n,
                         const orr_node *(*swap)(void *ctx, const orr_node *scalar), void *ctx);
/* NULL when absent, or when map is NULL or no map. */
const orr_node *orr_node_get(const orr_node *map, const char *key);
/* "file:line" or "command line" into buf, for messages; returns buf. */
const char *orr_node_where(const orr_node *n, char *buf, size_t bytes);
/* Appends the node as YAML that parses back to the same tree (text that could be nothing else than
 * a string may come back quoted); indent in spaces for the lines after the first, and no newline
 * after the last. */
void orr_node_dump(const orr_node *n, orr_text *out, int indent);
/* The same on one line: "{a: 1, b: [x, y]}". */
void orr_node_dump_flow(const orr_node *n, orr_text *out);
/* Appends s as one YAML scalar, quoted when YAML would take it for anything but this string. */
void orr_yaml_string(orr_text *out, const char *s);

#ifdef __cplusplus
}
#endif
#endif
