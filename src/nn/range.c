/* nn/range.c - bounds, from the input to the outputs and back to the layer that set them. */
#include "nn/range.h"

#include "core/memory.h"
#include "nn/activations/activation.h"
#include "nn/graph_private.h"

#include <math.h>

static const orr_range any = { -INFINITY, INFINITY };

static orr_range hull(orr_range a, orr_range b)
{
    return (orr_range){ fmin(a.lo, b.lo), fmax(a.hi, b.hi) };
}

static orr_range range_of(const orr_layer *l, const orr_range *nodes)
{
    orr_range in[ORR_MAX_INPUTS], all;

    for (int i = 0; i < l->n_in; i++)
        in[i] = nodes[l->inputs[i]];
    if (l->kind->range) return l->kind->range(l, in);
    if (!l->kind->passes || l->n_in == 0) return any;
    all = in[0];
    for (int i = 1; i < l->n_in; i++)
        all = hull(all, in[i]);
    return all;
}

/* Sides on which there is a bound. */
static int sides(orr_range r)
{
    return isfinite(r.lo) + isfinite(r.hi);
}

/* Looks at what node hands out, through layers that pass numbers on, input by input: one squashed
 * logit of several is squashed, too. */
static void look(const orr_graph *g, const orr_range *nodes, int node, orr_narrowing *out)
{
    const orr_layer *l = node ? g->layers[node - 1] : NULL;

    if (l && l->kind->passes) {
        for (int i = 0; i < l->n_in; i++)
            look(g, nodes, l->inputs[i], out);
        return;
    }
    if (!l || sides(nodes[node]) <= sides(out->range)) return;
    out->range = nodes[node];
    /* relu behind a sigmoid: the sigmoid it is */
    while (l->n_in == 1 && sides(nodes[l->inputs[0]]) == sides(out->range))
        l = g->layers[l->inputs[0] - 1];
    out->name = l->name;
    out->kind = l->kind->kind;
}

orr_status orr_graph_narrowing(const orr_graph *g, orr_narrowing *out)
{
    orr_range *nodes = orr_alloc((size_t)g->n + 1, sizeof *nodes);

    *out = (orr_narrowing){ .range = any };
    if (!nodes) return orr_fail(ORR_ERR_NOMEM, "ranges of %d layers", g->n);
    nodes[0] = any;
    for (int i = 0; i < g->n; i++)
        nodes[i + 1] = range_of(g->layers[i], nodes);
    look(g, nodes, g->n, out);
    orr_free(nodes);
    return ORR_OK;
}
