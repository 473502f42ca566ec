/* nn/graph_private.h - what graph.c, graph_text.c and net.c know of a graph.   Not collective. */
#ifndef ORR_NN_GRAPH_PRIVATE_H
#define ORR_NN_GRAPH_PRIVATE_H

#include "nn/graph.h"
#include "nn/layer.h"

struct orr_graph {
    orr_shape input;
    int n_aux; /* numbers beside a sample that a layer aux may read */
    int n, cap;
    orr_layer **layers; /* layer i is node i + 1 */
    int n_strings, cap_strings;
    char **strings; /* what option structs point to */
    int has_net;    /* layers hold a net's plans: one at a time */
};

/* Node number of a name, -1 when there is none.  "input" is 0. */
int orr_graph_find(const orr_graph *g, const char *name);
orr_shape orr_graph_node_shape(const orr_graph *g, int node);
/* KIND and its number among its kind, if it were layer number `index` (from 1). */
void orr_graph_auto_name(const orr_graph *g, const orr_layer_kind *kind, int index,
                         char out[ORR_NAME_MAX]);
/* Fails with ORR_ERR_OPTION, naming the nearest kind. */
orr_status orr_graph_kind(const orr_layer_kind **out, const char *kind);

#endif
