/* nn/graph.h - what a network is: a static directed acyclic graph of layers with inferred shapes,
 * and no memory.
 *
 * Node 0 is the input.  A layer takes the previous node unless it names others, so a plain list is
 * a chain:
 *   layers:
 *     - conv1d: {filters: 16, size: 5}
 *     - relu
 *     - max_pool1d: {size: 2, name: left}
 *     - conv1d: {filters: 16, size: 1, input: input, name: right}
 *     - concat: {inputs: [left, right]}
 *     - linear: {units: 1, name: out}
 * A kind's own options come from its table (nn/layer.h); `name`, `input` and `inputs` belong to
 * every layer.  Numbers beside a sample (aux: magnitudes, E(B-V)) come in through a layer that
 * reads nothing, whose output is the vector of them:
 *     - flatten: {name: features}
 *     - aux: {name: magnitudes}
 *     - concat: {inputs: [features, magnitudes]}
 * A list of layers can have a name and parameters, and be used like a layer, once or several times
 * one after another:
 *   blocks:
 *     residual:
 *       parameters: {filters, size: 3}     # filters has no default: every use must give it
 *       layers:
 *         - conv2d: {filters: $filters, size: $size, padding: same, name: conv}
 *         - batch_norm
 *         - relu
 *         - add: {inputs: [relu1, block]}
 *   layers:
 *     - conv2d: {filters: 16, size: 3, padding: same}
 *     - residual: {filters: 16, repeat: 3, name: stage1}
 *     - global_avg_pool
 * A plain value `$word` is a parameter: a number, a word, a list, or a layer with its options.  A
 * default is a value.  Names in a block are its own: outside, the convs are stage1.1.conv to
 * stage1.3.conv (stage1.conv without repeat), the norms stage1.1.batch_norm1 ..., and stage1 is the
 * output of the last repeat, stage1.2 that of the second; inside, "block" is what the block reads.
 * An unnamed use is called like the block with a number: residual1.  Blocks may use other blocks, 8
 * deep, and none itself; all together give at most 4096 layers.  A block that no list uses, and a
 * parameter that no layer uses, is an error.  The graph holds the layers alone, and so does its
 * dump.
 *
 * Names are letters, digits, '_' and '-', joined by single dots.  Unnamed layers outside of blocks
 * are called KIND followed by their number among their kind, from 1:
 * "conv1d1", "relu1".  The last node is the output.  orr_graph_dump writes the same language, and
 * that text is the graph in a model file.   Not collective. Errors: ORR_ERR_OPTION with file:line
 * (unknown kind with the nearest one, unknown input name, repeated name), ORR_ERR_SHAPE naming
 * layer and shapes; then *out is NULL. */
#ifndef ORR_NN_GRAPH_H
#define ORR_NN_GRAPH_H

#include "core/config.h"
#include "core/status.h"
#include "core/text.h"
#include "nn/shape.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct orr_graph orr_graph;
struct orr_layer;

/* n_aux: numbers beside a sample; 0 = none, and then a layer `aux` is an error. */
orr_status orr_graph_create(orr_graph **out, orr_shape input, int n_aux);
/* Adds a layer.  opts points to the kind's option struct (NULL: all defaults), which is copied.
 * inputs are node numbers (NULL: the previous node).  name may be NULL.  *node (may be NULL) is its
 * number. */
orr_status orr_graph_add(orr_graph *g, const char *kind, const char *name, const void *opts,
                         const int *inputs, int n_inputs, int *node);
/* From a `layers:` list and a map of blocks (NULL: none), or for _text from a document whose map
 * has them.  The nodes may be freed afterwards. */
orr_status orr_graph_parse(orr_graph **out, orr_shape input, int n_aux, const orr_node *blocks,
                           const orr_node *layers);
orr_status orr_graph_parse_text(orr_graph **out, orr_shape input, int n_aux, const char *yaml);
/* Appends "layers:" and the list as YAML, one layer a line; options that have their default are
 * left out. */
orr_status orr_graph_dump(const orr_graph *g, orr_text *out);
/* Appends a table for people: layer, output shape, parameters, and the total. */
orr_status orr_graph_summary(const orr_graph *g, orr_text *out);

int orr_graph_n_layers(const orr_graph *g);                   /* without the input */
struct orr_layer *orr_graph_layer(const orr_graph *g, int i); /* owned by g */
orr_shape orr_graph_input(const orr_graph *g);
int orr_graph_n_aux(const orr_graph *g); /* 0 also when no layer reads them */
orr_shape orr_graph_output(const orr_graph *g);
size_t orr_graph_n_params(const orr_graph *g); /* trainable */
/* Multiply-adds of one sample's forward pass, roughly: what takes longer has more. */
double orr_graph_products(const orr_graph *g);
/* The layer whose statistics over a leaf (core/leaves.h), or over a batch, get the fewest numbers a
 * sample in training, and how many: 1 for batch norm of vectors, the pixels for maps.  0, and then
 * *layer is NULL: none takes any. */
int orr_graph_leaf_values(const orr_graph *g, const struct orr_layer **layer);
int orr_graph_batch_values(const orr_graph *g, const struct orr_layer **layer);
/* Samples that bring at least two of them: at least 1. */
static inline int orr_fewest_samples(int values)
{
    return values == 1 ? 2 : 1;
}
/* ORR_ERR_OPTION unless there is a layer, and every node but the last is read by one (parse has
 * checked it). */
orr_status orr_graph_check(const orr_graph *g);
enum { ORR_SHAPE_TEXT = 48 };
/* "64 x 64 x 3", "354 x 16" (a series), "500" (a vector) into buf; returns buf. */
const char *orr_shape_text(orr_shape s, char buf[ORR_SHAPE_TEXT]);
void orr_graph_destroy(orr_graph *g);

/* Built-in models (nn/models/): "kepler-cnn", "kepler-cnn2", "moons"; for images of any size (each
 * pooling halves it, rounding up) "inception" (1,436,000 parameters on 32 x 32 x 5),
 * "inception-mixed" (the same with aux joined before a hidden dense layer of 128: 1,604,832 + 128
 * n_aux parameters) and "pasquet" (27,596,372 on 64 x 64 x 5 with one aux number, E(B-V)).
 * outputs: units of the last layer; 0 = the published number (the image models': 100, 100, 180).
 * ORR_ERR_OPTION with the nearest name; ORR_ERR_OPTION when a model needs aux numbers and there are
 * none. */
orr_status orr_model_build(orr_graph **out, const char *name, orr_shape input, int n_aux,
                           int outputs);
const char *const *orr_model_names(int *n);

#ifdef __cplusplus
}
#endif
#endif
