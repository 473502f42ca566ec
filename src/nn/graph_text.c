/* nn/graph_text.c - a graph from a `layers:` list with its `blocks:`, back to a list, and as a
 * table for people.
 *
 * A use of a block is its list once more, in a scope of its own: names get the scope's prefix, and
 * what is not named reads the layer before it, the first one what the block reads.  The graph holds
 * layers alone; the same list written out by hand gives the same graph. */
#include "core/memory.h"
#include "core/options.h"
#include "nn/blocks_private.h"
#include "nn/graph.h"
#include "nn/graph_private.h"

#include <stdio.h>
#include <string.h>

/* What every layer may say, read by one table together with the kind's own options. */
typedef struct common {
    const char *name, *input;
    orr_strings inputs;
} common;

static const orr_option common_options[] = {
    ORR_OPTION_STRING(common, name, "", "name of the layer, for inputs, messages and model files"),
    ORR_OPTION_STRING(common, input, "", "name of the layer to read; the one before when absent"),
    ORR_OPTION_STRINGS(common, inputs, "[]", "names of several layers to read"),
};
enum { N_COMMON = sizeof common_options / sizeof *common_options, MAX_ROWS = 24 };

/* rows = the common ones, then the kind's with their struct after `common`. */
static orr_status join_tables(orr_option rows[MAX_ROWS], const orr_layer_kind *k)
{
    int n = N_COMMON;

    memcpy(rows, common_options, sizeof common_options);
    for (const orr_option *o = k->options; o && o->type != ORR_OPT_END; o++) {
        if (n == MAX_ROWS - 1)
            return orr_fail(ORR_ERR_INTERNAL, "%s has too many options", k->kind);
        rows[n] = *o;
        rows[n++].offset += sizeof(common);
    }
    rows[n] = (orr_option)ORR_OPTION_END;
    return ORR_OK;
}

/* What a name may mean beside a layer: the output of a use of a block. */
typedef struct output_name {
    char name[ORR_NAME_MAX];
    int node;
} output_name;

typedef struct parser {
    orr_graph *g;
    orr_blocks blocks;
    int n_outputs, cap_outputs;
    output_name *outputs;
} parser;

/* A list of layers on its way into the graph: the net's own (block NULL), or a use of a block. */
typedef struct scope {
    const struct scope *outer;
    const orr_block *block;
    const orr_block_use *use;
    char prefix[ORR_NAME_MAX]; /* of the names in it: "", "stage2.1." */
    int input;                 /* the node that its first layer reads */
    int first;                 /* layers of the graph before it */
    int depth;
} scope;

enum { MAX_LAYERS = 4096, MAX_DEPTH = 8 };

/* prefix and name as one; fails when that is too long. */
static orr_status full_name(const scope *s, const char *name, char out[ORR_NAME_MAX])
{
    if ((size_t)snprintf(out, ORR_NAME_MAX, "%s%s", s->prefix, name) < ORR_NAME_MAX) return ORR_OK;
    return orr_fail(ORR_ERR_OPTION, "layer name \"%s%s\" is longer than %d letters", s->prefix,
                    name, ORR_NAME_MAX - 1);
}

static int find_output(const parser *p, const char *name)
{
    for (int i = 0; i < p->n_outputs; i++)
        if (!strcmp(p->outputs[i].name, name)) return p->outputs[i].node;
    return -1;
}

/* The nearer to word of `near` (may be NULL) and a name of this scope. */
static const char *nearer(const scope *s, const char *word, const char *near, const char *name)
{
    size_t n = strlen(s->prefix);

    return strncmp(name, s->prefix, n) == 0 ? orr_nearer(word, near, name + n) : near;
}

static orr_status fail_no_input(const parser *p, const scope *s, const char *name)
{
    const char *own = s->block ? "block" : "input", *near = orr_nearer(name, NULL, own);

    if (s->block && !strcmp(name, "input"))
        return orr_fail(ORR_ERR_OPTION,
                        "\"input\" is the net's: what a block reads is called \"block\" in it");
    for (int i = 0; i < p->g->n; i++)
        near = nearer(s, name, near, p->g->layers[i]->name);
    for (int i = 0; i < p->n_outputs; i++)
        near = nearer(s, name, near, p->outputs[i].name);
    return orr_fail(ORR_ERR_OPTION, "no layer before this one is called \"%s\"%s%s%s%s", name,
                    s->block ? " in the block" : "", near ? "; did you mean \"" : "",
                    near ? near : "", near ? "\"?" : "");
}

static orr_status find_input(const parser *p, const scope *s, const char *name, int *node)
{
    char full[ORR_NAME_MAX];

    *node = s->input;
    if (s->block && !strcmp(name, "block")) return ORR_OK;
    ORR_TRY(full_name(s, name, full));
    if ((*node = orr_graph_find(p->g, full)) >= 0) return ORR_OK;
    if ((*node = find_output(p, full)) >= 0) return ORR_OK;
    return fail_no_input(p, s, name);
}

/* The node that is read where nothing else is said. */
static int node_before(const parser *p, const scope *s)
{
    return p->g->n == s->first ? s->input : p->g->n;
}

static orr_status find_inputs(const parser *p, const scope *s, const common *c,
                              int nodes[ORR_MAX_INPUTS], int *n)
{
    *n = 0;
    if (*c->input && c->inputs.n)
        return orr_fail(ORR_ERR_OPTION, "give either input or inputs, not both");
    if (*c->input) {
        *n = 1;
        return find_input(p, s, c->input, &nodes[0]);
    }
    if (c->inputs.n > ORR_MAX_INPUTS)
        return orr_fail(ORR_ERR_OPTION, "%d inputs: a layer takes at most %d", c->inputs.n,
                        ORR_MAX_INPUTS);
    for (int i = 0; i < c->inputs.n; i++)
        ORR_TRY(find_input(p, s, c->inputs.v[i], &nodes[i]));
    *n = c->inputs.n;
    return ORR_OK;
}

/* kind and options of one item: "relu", or "conv1d: {...}". */
static orr_status split_item(const orr_node *item, const char **kind, const orr_node **map)
{
    *map = NULL;
    if (item->type == ORR_NODE_SCALAR) {
        *kind = item->scalar;
        return ORR_OK;
    }
    if (item->type != ORR_NODE_MAP || item->n_items != 1)
        return orr_fail(ORR_ERR_OPTION,
                        "a layer is written \"- KIND\" or \"- KIND: {option: value, ...}\"");
    *kind = item->items[0]->key;
    if (item->items[0]->type == ORR_NODE_MAP)
        *map = item->items[0];
    else if (item->items[0]->type != ORR_NODE_NULL)
        return orr_fail(ORR_ERR_OPTION,
                        "the options of %s are a map: \"- %s: {option: value, ...}\"", *kind,
                        *kind);
    return ORR_OK;
}

/* Whether `name` lies in the scope itself and not in a use of a block in it. */
static int is_own(const scope *s, const char *name)
{
    size_t n = strlen(s->prefix);

    return !strncmp(name, s->prefix, n) && !strchr(name + n, '.');
}

/* The name of a layer or of a use of a block as the graph has it: that of the net's own unnamed
 * layers is the graph's affair (""), what is unnamed in a block is counted there. */
static orr_status name_layer(const parser *p, const scope *s, const orr_layer_kind *k,
                             const char *given, char out[ORR_NAME_MAX])
{
    char automatic[ORR_NAME_MAX];
    int number = 1;

    *out = '\0';
    if (*given) {
        ORR_TRY(full_name(s, given, out));
    } else if (s->block) {
        for (int i = s->first; i < p->g->n; i++)
            number += p->g->layers[i]->kind == k && is_own(s, p->g->layers[i]->name);
        snprintf(automatic, sizeof automatic, "%s%d", k->kind, number);
        ORR_TRY(full_name(s, automatic, out));
    }
    if (find_output(p, out) >= 0)
        return orr_fail(ORR_ERR_OPTION, "layer name \"%s\" is taken by a block", out);
    return ORR_OK;
}

static orr_status find_kind(const parser *p, const char *kind, const orr_layer_kind **out)
{
    const char *near = NULL;

    if ((*out = orr_layer_kind_find(kind))) return ORR_OK;
    for (int i = 0; i < p->blocks.n; i++)
        near = orr_nearer(kind, near, p->blocks.block[i].name);
    if (!near) return orr_graph_kind(out, kind);
    return orr_fail(ORR_ERR_OPTION, "there is no layer kind \"%s\"; did you mean the block \"%s\"?",
                    kind, near);
}

static orr_status add_layer(parser *p, const scope *s, const char *kind, const orr_node *map,
                            int *placed)
{
    orr_status st = ORR_OK;
    orr_option rows[MAX_ROWS];
    const orr_layer_kind *k;
    char what[ORR_NAME_MAX + 8], name[ORR_NAME_MAX];
    common *c = NULL;
    int nodes[ORR_MAX_INPUTS], n;

    ORR_TRY(find_kind(p, kind, &k));
    if (p->g->n == MAX_LAYERS)
        return orr_fail(ORR_ERR_OPTION, "more than %d layers: repeats in repeats multiply",
                        (int)MAX_LAYERS);
    ORR_TRY(join_tables(rows, k));
    if (!(c = orr_alloc(1, sizeof *c + k->opts_bytes)))
        return orr_fail(ORR_ERR_NOMEM, "layer %s: options", kind);
    snprintf(what, sizeof what, "layer %s", kind);
    *placed = map != NULL; /* the reader's sentences name file and line when there is a map */
    ORR_TRY_GOTO(st, done, orr_options_read(c, rows, map, what));
    *placed = 0;
    ORR_TRY_GOTO(st, done, find_inputs(p, s, c, nodes, &n));
    ORR_TRY_GOTO(st, done, name_layer(p, s, k, c->name, name));
    if (n == 0 && k->max_inputs > 0) nodes[n++] = node_before(p, s);
    ORR_TRY_GOTO(st, done, orr_graph_add(p->g, kind, name, c + 1, n ? nodes : NULL, n, NULL));
done:
    orr_free(c);
    return st;
}

static orr_status add_list(parser *p, const scope *s, const orr_node *list);

/* Lets `name` mean the last layer so far. */
static orr_status add_output(parser *p, const char *name)
{
    int cap = p->cap_outputs ? 2 * p->cap_outputs : 16;
    output_name *more;

    if (p->n_outputs == p->cap_outputs) {
        more = orr_realloc(p->outputs, (size_t)p->n_outputs, (size_t)cap, sizeof *more);
        if (!more) return orr_fail(ORR_ERR_NOMEM, "graph: %d blocks", cap);
        p->outputs = more;
        p->cap_outputs = cap;
    }
    snprintf(p->outputs[p->n_outputs].name, ORR_NAME_MAX, "%s", name);
    p->outputs[p->n_outputs++].node = p->g->n;
    return ORR_OK;
}

/* The layers of one use, or of one of its repeats, under a name. */
static orr_status add_once(parser *p, scope *s, const char *name)
{
    if ((size_t)snprintf(s->prefix, sizeof s->prefix, "%s.", name) >= sizeof s->prefix)
        return orr_fail(ORR_ERR_OPTION, "block name \"%s\" is longer than %d letters", name,
                        ORR_NAME_MAX - 2);
    s->first = p->g->n;
    ORR_TRY(add_list(p, s, s->block->layers));
    s->input = p->g->n;
    return add_output(p, name);
}

/* The name of a use: given, or the block's with its number among the unnamed ones of the scope. */
static orr_status name_use(const parser *p, const scope *s, const orr_block *b, const char *given,
                           char out[ORR_NAME_MAX])
{
    char automatic[ORR_NAME_MAX + 12];
    int number = 0;

    if (*given) {
        ORR_TRY(full_name(s, given, out));
        if (find_output(p, out) >= 0 || orr_graph_find(p->g, out) >= 0)
            return orr_fail(ORR_ERR_OPTION, "block name \"%s\" is taken", out);
        return ORR_OK;
    }
    do {
        snprintf(automatic, sizeof automatic, "%s%d", b->name, ++number);
        ORR_TRY(full_name(s, automatic, out));
    } while (find_output(p, out) >= 0 || orr_graph_find(p->g, out) >= 0);
    return ORR_OK;
}

static orr_status add_repeats(parser *p, scope *s, const char *name)
{
    char numbered[ORR_NAME_MAX + 12];

    if (!s->use->numbered) return add_once(p, s, name);
    for (int i = 1; i <= s->use->repeat; i++) {
        snprintf(numbered, sizeof numbered, "%s.%d", name, i);
        ORR_TRY(add_once(p, s, numbered));
    }
    return add_output(p, name);
}

static orr_status add_block(parser *p, const scope *outer, orr_block *b, const orr_node *item,
                            const orr_node *map, int *placed)
{
    orr_block_use use = { 0 };
    scope s = { .outer = outer, .block = b, .use = &use, .depth = outer->depth + 1 };
    char name[ORR_NAME_MAX], where[256];
    orr_status st;

    for (const scope *o = outer; o; o = o->outer)
        if (o->block == b) return orr_fail(ORR_ERR_OPTION, "block %s contains itself", b->name);
    if (s.depth > MAX_DEPTH)
        return orr_fail(ORR_ERR_OPTION, "blocks in blocks, more than %d deep", (int)MAX_DEPTH);
    b->used = 1;
    *placed = map != NULL;
    ORR_TRY(orr_block_use_read(&use, b, map));
    *placed = 0;
    s.input = node_before(p, outer);
    if (*use.input) ORR_TRY(find_input(p, outer, use.input, &s.input));
    ORR_TRY(name_use(p, outer, b, use.name, name));
    if ((st = add_repeats(p, &s, name)) == ORR_OK) return ORR_OK;
    *placed = 1;
    return orr_fail_prefix(st, "%s: in %s: ", orr_node_where(item, where, sizeof where), name);
}

static orr_status add_item(parser *p, const scope *s, const orr_node *item)
{
    const orr_node *map;
    const char *kind = "";
    orr_block *b;
    char where[256];
    int placed = 0;
    orr_status st = split_item(item, &kind, &map);

    if (st == ORR_OK && (b = orr_blocks_find(&p->blocks, kind)))
        st = add_block(p, s, b, item, map, &placed);
    else if (st == ORR_OK)
        st = add_layer(p, s, kind, map, &placed);
    if (st == ORR_OK || placed) return st;
    return orr_fail_prefix(st, "%s: ", orr_node_where(item, where, sizeof where));
}

static orr_status add_list(parser *p, const scope *s, const orr_node *list)
{
    for (int i = 0; i < list->n_items; i++) {
        orr_status st = ORR_OK;
        const orr_node *item = list->items[i];
        orr_config *filled = NULL; /* holds the item with its arguments; the graph copies */
        if (s->block) {
            ORR_TRY(orr_config_empty(&filled));
            st = orr_block_fill(s->block, s->use, filled, item, &item);
        }
        if (st == ORR_OK) st = add_item(p, s, item);
        orr_config_destroy(filled);
        ORR_TRY(st);
    }
    return ORR_OK;
}

orr_status orr_graph_parse(orr_graph **out, orr_shape input, int n_aux, const orr_node *blocks,
                           const orr_node *layers)
{
    orr_status st = ORR_OK;
    parser p = { 0 };
    scope net = { 0 };
    char where[256];

    *out = NULL;
    if (!layers || layers->type != ORR_NODE_LIST || layers->n_items == 0)
        return orr_fail(ORR_ERR_OPTION, "%s%slayers: give a list with at least one layer",
                        layers ? orr_node_where(layers, where, sizeof where) : "",
                        layers ? ": " : "");
    ORR_TRY_GOTO(st, done, orr_blocks_read(&p.blocks, blocks));
    ORR_TRY_GOTO(st, done, orr_blocks_check_plain(layers));
    ORR_TRY_GOTO(st, done, orr_graph_create(&p.g, input, n_aux));
    ORR_TRY_GOTO(st, done, add_list(&p, &net, layers));
    ORR_TRY_GOTO(st, done, orr_blocks_check_used(&p.blocks));
    if ((st = orr_graph_check(p.g)) != ORR_OK) {
        orr_fail_prefix(st, "%s: ", orr_node_where(layers, where, sizeof where));
        goto done;
    }
    *out = p.g;
    p.g = NULL;
done:
    orr_graph_destroy(p.g);
    orr_blocks_free(&p.blocks);
    orr_free(p.outputs);
    return st;
}

orr_status orr_graph_parse_text(orr_graph **out, orr_shape input, int n_aux, const char *yaml)
{
    orr_status st;
    orr_config *config = NULL;
    const orr_node *root;

    *out = NULL;
    ORR_TRY(orr_config_parse(&config, yaml, "layers"));
    root = orr_config_root(config);
    st = orr_graph_parse(out, input, n_aux, orr_node_get(root, "blocks"),
                         orr_node_get(root, "layers"));
    orr_config_destroy(config);
    return st;
}

static const char *node_name(const orr_graph *g, int node)
{
    return node == 0 ? "input" : g->layers[node - 1]->name;
}

static void describe(const orr_graph *g, const orr_layer *l, common *c)
{
    char automatic[ORR_NAME_MAX];

    orr_graph_auto_name(g, l->kind, l->index, automatic);
    c->name = strcmp(automatic, l->name) ? l->name : "";
    c->input = l->n_in == 1 && l->inputs[0] != l->index - 1 ? node_name(g, l->inputs[0]) : "";
    c->inputs.n = l->n_in > 1 ? l->n_in : 0;
    for (int i = 0; i < c->inputs.n; i++)
        c->inputs.v[i] = node_name(g, l->inputs[i]);
    if (l->kind->opts_bytes) memcpy(c + 1, l->opts, l->kind->opts_bytes);
}

static orr_status dump_layer(const orr_graph *g, const orr_layer *l, orr_text *out)
{
    orr_status st = ORR_OK;
    orr_option rows[MAX_ROWS];
    orr_text options = ORR_TEXT_INIT;
    common *c = orr_alloc(1, sizeof *c + l->kind->opts_bytes);

    if (!c) return orr_fail(ORR_ERR_NOMEM, "layer %s: options", l->name);
    ORR_TRY_GOTO(st, done, join_tables(rows, l->kind));
    describe(g, l, c);
    ORR_TRY_GOTO(st, done, orr_options_dump_flow(c, rows, &options));
    ORR_TRY_GOTO(st, done, orr_text_status(&options));
    if (options.s && strcmp(options.s, "{}") != 0)
        orr_text_printf(out, "  - %s: %s\n", l->kind->kind, options.s);
    else
        orr_text_printf(out, "  - %s\n", l->kind->kind);
    st = orr_text_status(out);
done:
    orr_text_free(&options);
    orr_free(c);
    return st;
}

orr_status orr_graph_dump(const orr_graph *g, orr_text *out)
{
    orr_text_add(out, "layers:\n");
    for (int i = 0; i < g->n; i++)
        ORR_TRY(dump_layer(g, g->layers[i], out));
    return orr_text_status(out);
}

/* Of the first column: 20, or what the longest name needs. */
static int name_width(const orr_graph *g)
{
    size_t width = 20;

    for (int i = 0; i < g->n; i++)
        if (strlen(g->layers[i]->name) > width) width = strlen(g->layers[i]->name);
    return (int)width;
}

static void summary_row(orr_text *out, const orr_graph *g, const orr_layer *l, int width)
{
    char shape[ORR_SHAPE_TEXT];
    size_t n = 0;

    for (int k = 0; k < l->n_params; k++)
        n += l->params[k].count;
    orr_text_printf(out, "%-*s %-16s %20s %12zu", width, l->name, l->kind->kind,
                    orr_shape_text(l->out, shape), n);
    if (l->n_in > 1 || (l->n_in == 1 && l->inputs[0] != l->index - 1)) {
        orr_text_add(out, "  <-");
        for (int i = 0; i < l->n_in; i++)
            orr_text_printf(out, " %s", node_name(g, l->inputs[i]));
    }
    orr_text_add(out, "\n");
}

orr_status orr_graph_summary(const orr_graph *g, orr_text *out)
{
    char shape[ORR_SHAPE_TEXT];
    int width = name_width(g);

    orr_text_printf(out, "%-*s %-16s %20s %12s\n", width, "layer", "kind", "output", "parameters");
    orr_text_printf(out, "%-*s %-16s %20s %12d\n", width, "input", "",
                    orr_shape_text(g->input, shape), 0);
    for (int i = 0; i < g->n; i++)
        summary_row(out, g, g->layers[i], width);
    orr_text_printf(out, "%-*s %-16s %20s %12zu\n", width, "total", "", "", orr_graph_n_params(g));
    return orr_text_status(out);
}
