/* nn/graph_text.c - a graph from a `layers:` list, back to it, and as a table for people. */
#include "core/memory.h"
#include "core/options.h"
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

static orr_status find_input(const orr_graph *g, const char *name, int *node)
{
    const char *words[ORR_LIST_MAX], *near;
    int n = 0;

    if ((*node = orr_graph_find(g, name)) >= 0) return ORR_OK;
    words[n++] = "input";
    for (int i = 0; i < g->n && n < ORR_LIST_MAX; i++)
        words[n++] = g->layers[i]->name;
    near = orr_nearest(name, words, n);
    return orr_fail(ORR_ERR_OPTION, "no layer before this one is called \"%s\"%s%s%s", name,
                    near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
}

static orr_status find_inputs(const orr_graph *g, const common *c, int nodes[ORR_MAX_INPUTS],
                              int *n)
{
    *n = 0;
    if (*c->input && c->inputs.n)
        return orr_fail(ORR_ERR_OPTION, "give either input or inputs, not both");
    if (*c->input) {
        *n = 1;
        return find_input(g, c->input, &nodes[0]);
    }
    if (c->inputs.n > ORR_MAX_INPUTS)
        return orr_fail(ORR_ERR_OPTION, "%d inputs: a layer takes at most %d", c->inputs.n,
                        ORR_MAX_INPUTS);
    for (int i = 0; i < c->inputs.n; i++)
        ORR_TRY(find_input(g, c->inputs.v[i], &nodes[i]));
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

static orr_status add_item(orr_graph *g, const orr_node *item)
{
    orr_status st = ORR_OK;
    orr_option rows[MAX_ROWS];
    const orr_layer_kind *k;
    const orr_node *map;
    const char *kind = "";
    char what[ORR_NAME_MAX], where[256];
    common *c = NULL;
    int nodes[ORR_MAX_INPUTS], n, placed = 0;

    ORR_TRY_GOTO(st, done, split_item(item, &kind, &map));
    ORR_TRY_GOTO(st, done, orr_graph_kind(&k, kind));
    ORR_TRY_GOTO(st, done, join_tables(rows, k));
    if (!(c = orr_alloc(1, sizeof *c + k->opts_bytes))) {
        st = orr_fail(ORR_ERR_NOMEM, "layer %s: options", kind);
        goto done;
    }
    snprintf(what, sizeof what, "layer %s", kind);
    placed = map != NULL; /* the reader's sentences name file and line when there is a map */
    ORR_TRY_GOTO(st, done, orr_options_read(c, rows, map, what));
    placed = 0;
    ORR_TRY_GOTO(st, done, find_inputs(g, c, nodes, &n));
    ORR_TRY_GOTO(st, done, orr_graph_add(g, kind, c->name, c + 1, n ? nodes : NULL, n, NULL));
done:
    orr_free(c);
    if (st == ORR_OK || placed) return st;
    return orr_fail_prefix(st, "%s: ", orr_node_where(item, where, sizeof where));
}

orr_status orr_graph_parse(orr_graph **out, orr_shape input, int n_aux, const orr_node *layers)
{
    orr_status st = ORR_OK;
    orr_graph *g = NULL;
    char where[256];

    *out = NULL;
    if (!layers || layers->type != ORR_NODE_LIST || layers->n_items == 0)
        return orr_fail(ORR_ERR_OPTION, "%s%slayers: give a list with at least one layer",
                        layers ? orr_node_where(layers, where, sizeof where) : "",
                        layers ? ": " : "");
    ORR_TRY_GOTO(st, done, orr_graph_create(&g, input, n_aux));
    for (int i = 0; i < layers->n_items; i++)
        ORR_TRY_GOTO(st, done, add_item(g, layers->items[i]));
    if ((st = orr_graph_check(g)) != ORR_OK) {
        orr_fail_prefix(st, "%s: ", orr_node_where(layers, where, sizeof where));
        goto done;
    }
    *out = g;
    g = NULL;
done:
    orr_graph_destroy(g);
    return st;
}

orr_status orr_graph_parse_text(orr_graph **out, orr_shape input, int n_aux, const char *yaml)
{
    orr_status st;
    orr_config *config = NULL;

    *out = NULL;
    ORR_TRY(orr_config_parse(&config, yaml, "layers"));
    st = orr_graph_parse(out, input, n_aux, orr_node_get(orr_config_root(config), "layers"));
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

static void summary_row(orr_text *out, const orr_graph *g, const orr_layer *l)
{
    char shape[ORR_SHAPE_TEXT];
    size_t n = 0;

    for (int k = 0; k < l->n_params; k++)
        n += l->params[k].count;
    orr_text_printf(out, "%-20s %-16s %20s %12zu", l->name, l->kind->kind,
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

    orr_text_printf(out, "%-20s %-16s %20s %12s\n", "layer", "kind", "output", "parameters");
    orr_text_printf(out, "%-20s %-16s %20s %12d\n", "input", "", orr_shape_text(g->input, shape),
                    0);
    for (int i = 0; i < g->n; i++)
        summary_row(out, g, g->layers[i]);
    orr_text_printf(out, "%-20s %-16s %20s %12zu\n", "total", "", "", orr_graph_n_params(g));
    return orr_text_status(out);
}
