/* nn/graph.c - the graph itself: layers, names, shapes. */
#include "nn/graph.h"

#include "core/memory.h"
#include "core/options.h"
#include "core/rows.h"
#include "nn/graph_private.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

const char *orr_shape_text(orr_shape s, char buf[ORR_SHAPE_TEXT])
{
    if (s.h == 1 && s.w == 1)
        snprintf(buf, ORR_SHAPE_TEXT, "%d", s.c);
    else if (s.h == 1)
        snprintf(buf, ORR_SHAPE_TEXT, "%d x %d", s.w, s.c);
    else
        snprintf(buf, ORR_SHAPE_TEXT, "%d x %d x %d", s.h, s.w, s.c);
    return buf;
}

orr_status orr_graph_create(orr_graph **out, orr_shape input, int n_aux)
{
    orr_graph *g;

    *out = NULL;
    if (input.h < 1 || input.w < 1 || input.c < 1)
        return orr_fail(ORR_ERR_SHAPE, "input of %d x %d x %d: every side must be at least 1",
                        input.h, input.w, input.c);
    if (n_aux < 0) return orr_fail(ORR_ERR_ARG, "%d numbers beside a sample", n_aux);
    if (!(g = orr_alloc(1, sizeof *g)))
        return orr_fail(ORR_ERR_NOMEM, "graph: %zu bytes", sizeof *g);
    g->input = input;
    g->n_aux = n_aux;
    *out = g;
    return ORR_OK;
}

static void layer_destroy(orr_layer *l)
{
    if (!l) return;
    if (l->kind->destroy)
        l->kind->destroy(l);
    else
        orr_free(l->self);
    orr_free(l->params);
    orr_free(l->states);
    orr_free(l->opts);
    orr_free(l);
}

orr_status orr_layer_tensors(orr_layer *l, int n_params, int n_states)
{
    if (!(l->params = orr_alloc((size_t)n_params, sizeof *l->params)) ||
        !(l->states = orr_alloc((size_t)n_states, sizeof *l->states)))
        return orr_fail(ORR_ERR_NOMEM, "%d tensors", n_params + n_states);
    l->n_params = n_params;
    l->n_states = n_states;
    return ORR_OK;
}

void orr_graph_destroy(orr_graph *g)
{
    if (!g) return;
    for (int i = 0; i < g->n; i++)
        layer_destroy(g->layers[i]);
    for (int i = 0; i < g->n_strings; i++)
        orr_free(g->strings[i]);
    orr_free(g->strings);
    orr_free(g->layers);
    orr_free(g);
}

int orr_graph_find(const orr_graph *g, const char *name)
{
    if (!strcmp(name, "input")) return 0;
    for (int i = 0; i < g->n; i++)
        if (!strcmp(name, g->layers[i]->name)) return i + 1;
    return -1;
}

orr_shape orr_graph_node_shape(const orr_graph *g, int node)
{
    return node == 0 ? g->input : g->layers[node - 1]->out;
}

void orr_graph_auto_name(const orr_graph *g, const orr_layer_kind *kind, int index,
                         char out[ORR_NAME_MAX])
{
    int number = 1;

    for (int i = 0; i < index - 1; i++)
        number += g->layers[i]->kind == kind;
    snprintf(out, ORR_NAME_MAX, "%s%d", kind->kind, number);
}

orr_status orr_graph_kind(const orr_layer_kind **out, const char *kind)
{
    const char *near;
    int n, i;
    const orr_layer_kind *const *all = orr_layer_kinds(&n);

    *out = NULL;
    if ((i = orr_row_named(all, n, kind, &near)) >= 0)
        *out = all[i];
    else if (near)
        return orr_fail(ORR_ERR_OPTION, "there is no layer kind \"%s\"; did you mean \"%s\"?", kind,
                        near);
    else
        return orr_fail(ORR_ERR_OPTION, "there is no layer kind \"%s\"", kind);
    return ORR_OK;
}

/* Words joined by dots: "conv1", "stage2.1.conv". */
static int is_name(const char *s)
{
    int in_word = 0;

    for (; *s; s++) {
        if (*s == '.' && !in_word) return 0;
        in_word = *s != '.';
        if (in_word && !isalnum((unsigned char)*s) && *s != '_' && *s != '-') return 0;
    }
    return in_word;
}

static orr_status set_name(const orr_graph *g, orr_layer *l, const char *name)
{
    int node;

    if (!name || !*name) {
        orr_graph_auto_name(g, l->kind, l->index, l->name);
    } else {
        if (strlen(name) >= ORR_NAME_MAX)
            return orr_fail(ORR_ERR_OPTION, "layer name \"%s\" is longer than %d letters", name,
                            ORR_NAME_MAX - 1);
        if (!is_name(name))
            return orr_fail(ORR_ERR_OPTION,
                            "layer name \"%s\": use letters, digits, '_' and '-', and single dots "
                            "between them",
                            name);
        snprintf(l->name, sizeof l->name, "%s", name);
    }
    if ((node = orr_graph_find(g, l->name)) < 0) return ORR_OK;
    if (node == 0) return orr_fail(ORR_ERR_OPTION, "\"input\" is the name of the net's input");
    return orr_fail(ORR_ERR_OPTION, "layer name \"%s\" is taken by layer %d", l->name, node);
}

static orr_status set_inputs(const orr_graph *g, orr_layer *l, const int *inputs, int n_inputs)
{
    const orr_layer_kind *k = l->kind;
    int previous = g->n;

    if (!inputs) {
        inputs = &previous;
        n_inputs = k->max_inputs > 0;
    }
    if (n_inputs && k->max_inputs == 0)
        return orr_fail(ORR_ERR_OPTION, "layer %s reads no other layer: leave its inputs out",
                        l->name);
    if (n_inputs < k->min_inputs || n_inputs > k->max_inputs) {
        if (k->min_inputs == k->max_inputs)
            return orr_fail(ORR_ERR_OPTION, "layer %s takes %d input%s, not %d", l->name,
                            k->min_inputs, k->min_inputs == 1 ? "" : "s", n_inputs);
        return orr_fail(ORR_ERR_OPTION, "layer %s takes %d to %d inputs (inputs: [a, b]), not %d",
                        l->name, k->min_inputs, k->max_inputs, n_inputs);
    }
    for (int i = 0; i < n_inputs; i++) {
        if (inputs[i] < 0 || inputs[i] > g->n)
            return orr_fail(ORR_ERR_ARG, "layer %s: there is no node %d before it", l->name,
                            inputs[i]);
        l->inputs[i] = inputs[i];
        l->in[i] = orr_graph_node_shape(g, inputs[i]);
    }
    l->n_in = n_inputs;
    return ORR_OK;
}

/* Repoints *s to a copy that the graph owns. */
static orr_status own_string(orr_graph *g, const char **s)
{
    char *copy;

    if (!*s) return ORR_OK;
    if (g->n_strings == g->cap_strings) {
        int cap = g->cap_strings ? 2 * g->cap_strings : 16;
        char **more = orr_realloc(g->strings, (size_t)g->n_strings, (size_t)cap, sizeof *more);
        if (!more) return orr_fail(ORR_ERR_NOMEM, "graph: %d strings", cap);
        g->strings = more;
        g->cap_strings = cap;
    }
    if (!(copy = orr_strdup(*s))) return orr_fail(ORR_ERR_NOMEM, "graph: a string");
    g->strings[g->n_strings++] = copy;
    *s = copy;
    return ORR_OK;
}

static orr_status set_options(orr_graph *g, orr_layer *l, const void *opts)
{
    const orr_layer_kind *k = l->kind;

    if (!(l->opts = orr_alloc(1, k->opts_bytes ? k->opts_bytes : 1)))
        return orr_fail(ORR_ERR_NOMEM, "layer %s: options", l->name);
    if (!k->options) return ORR_OK;
    if (opts)
        memcpy(l->opts, opts, k->opts_bytes);
    else
        ORR_TRY(orr_options_read(l->opts, k->options, NULL, l->name));
    for (const orr_option *o = k->options; o->type != ORR_OPT_END; o++) {
        void *field = (char *)l->opts + o->offset;
        if (o->type == ORR_OPT_STRING || o->type == ORR_OPT_CHOICE) {
            const char **text = field;
            if (!*text) *text = o->fallback; /* a struct in C that leaves it out */
            ORR_TRY(own_string(g, text));
        }
        if (o->type == ORR_OPT_STRINGS)
            for (int i = 0; i < ((orr_strings *)field)->n; i++)
                ORR_TRY(own_string(g, &((orr_strings *)field)->v[i]));
    }
    return ORR_OK;
}

static orr_status infer(orr_layer *l)
{
    char text[ORR_SHAPE_TEXT];
    orr_status st;

    l->keeps_x = l->kind->keeps_x;
    l->keeps_y = l->kind->keeps_y;
    l->in_place = l->kind->in_place;
    st = l->kind->infer(l);
    if (st == ORR_OK) return ORR_OK;
    if (l->n_in == 0) return orr_fail_prefix(st, "layer %s: ", l->name);
    return orr_fail_prefix(st, "layer %s (input %s): ", l->name, orr_shape_text(l->in[0], text));
}

static orr_status make_room(orr_graph *g)
{
    int cap = g->cap ? 2 * g->cap : 16;
    orr_layer **more;

    if (g->n < g->cap) return ORR_OK;
    if (!(more = orr_realloc(g->layers, (size_t)g->n, (size_t)cap, sizeof *more)))
        return orr_fail(ORR_ERR_NOMEM, "graph: %d layers", cap);
    g->layers = more;
    g->cap = cap;
    return ORR_OK;
}

orr_status orr_graph_add(orr_graph *g, const char *kind, const char *name, const void *opts,
                         const int *inputs, int n_inputs, int *node)
{
    orr_status st = ORR_OK;
    const orr_layer_kind *k;
    orr_layer *l = NULL;

    if (g->has_net) return orr_fail(ORR_ERR_ARG, "the graph has a net already: no more layers");
    ORR_TRY(orr_graph_kind(&k, kind));
    ORR_TRY(make_room(g));
    if (!(l = orr_alloc(1, sizeof *l)))
        return orr_fail(ORR_ERR_NOMEM, "layer %s: %zu bytes", kind, sizeof *l);
    l->kind = k;
    l->index = g->n + 1;
    l->n_aux = g->n_aux;
    ORR_TRY_GOTO(st, done, set_name(g, l, name));
    ORR_TRY_GOTO(st, done, set_inputs(g, l, inputs, n_inputs));
    ORR_TRY_GOTO(st, done, set_options(g, l, opts));
    ORR_TRY_GOTO(st, done, infer(l));
    g->layers[g->n++] = l;
    if (node) *node = g->n;
    l = NULL;
done:
    layer_destroy(l);
    return st;
}

orr_status orr_graph_check(const orr_graph *g)
{
    if (g->n == 0) return orr_fail(ORR_ERR_OPTION, "a net needs at least one layer");
    for (int node = 1; node < g->n; node++) {
        int read = 0;
        for (int i = node; i < g->n && !read; i++)
            for (int k = 0; k < g->layers[i]->n_in; k++)
                read |= g->layers[i]->inputs[k] == node;
        if (!read)
            return orr_fail(
                ORR_ERR_OPTION,
                "layer %s is read by no other and is not the last: name it as an input, or "
                "take it out",
                g->layers[node - 1]->name);
    }
    return ORR_OK;
}

/* The one with the least number that is not 0, in one column of the layers. */
static int least_values(const orr_graph *g, int over_batch, const orr_layer **layer)
{
    int least = 0;

    *layer = NULL;
    for (int i = 0; i < g->n; i++) {
        const orr_layer *l = g->layers[i];
        int n = over_batch ? l->batch_values : l->leaf_values;
        if (n == 0 || (least && n >= least)) continue;
        least = n;
        *layer = l;
    }
    return least;
}

int orr_graph_leaf_values(const orr_graph *g, const orr_layer **layer)
{
    return least_values(g, 0, layer);
}

int orr_graph_batch_values(const orr_graph *g, const orr_layer **layer)
{
    return least_values(g, 1, layer);
}

int orr_graph_n_layers(const orr_graph *g)
{
    return g->n;
}

orr_layer *orr_graph_layer(const orr_graph *g, int i)
{
    return g->layers[i];
}

orr_shape orr_graph_input(const orr_graph *g)
{
    return g->input;
}

int orr_graph_n_aux(const orr_graph *g)
{
    for (int i = 0; i < g->n; i++)
        if (g->layers[i]->n_in == 0) return g->n_aux;
    return 0;
}

orr_shape orr_graph_output(const orr_graph *g)
{
    return orr_graph_node_shape(g, g->n);
}

double orr_graph_products(const orr_graph *g)
{
    double sum = 0;

    for (int i = 0; i < orr_graph_n_layers(g); i++) {
        const orr_layer *l = orr_graph_layer(g, i);
        sum += (double)orr_shape_count(l->out);
        for (int k = 0; k < l->n_params; k++)
            sum += (double)l->params[k].count * l->out.h * l->out.w;
    }
    return sum;
}

size_t orr_graph_n_params(const orr_graph *g)
{
    size_t total = 0;

    for (int i = 0; i < g->n; i++)
        for (int k = 0; k < g->layers[i]->n_params; k++)
            total += g->layers[i]->params[k].count;
    return total;
}
