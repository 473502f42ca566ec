/* nn/layer.h - for those who write a layer.
 *
 * A kind is one static const orr_layer_kind in its own file under nn/layers/, listed once in
 * nn/layers/kinds.c.  A layer is shape logic and bookkeeping; every loop over samples is a call of
 * the kernel table (nn/backend.h).
 *
 * Parameter gradients: backward writes, for each segment r of the batch, this layer's part of slab
 * grads[r] (overwrites it: the sum over the segment's leaves in tree order, core/leaves.h).  What a
 * layer wants to know about the whole batch (batch norm's moments) it leaves in its `stat` range of
 * the same slabs during forward; the ranges travel with the gradients, and update_state gets the
 * sums over all leaves after the step.
 * Where the kernels' weights are more than the parameters that are free (filters that are tied), a
 * tensor sets aside room for a gradient of all of them; backward leaves that, the sums over leaves
 * and ranks are of it, and finish_grad turns the summed one into the parameters' own, once, after
 * the reduction: the same bytes on any number of ranks.  The life of a gradient: backward -> sums
 * over a segment's leaves -> reduction -> finish_grad -> norm and clipping -> optimiser. What
 * backward needs besides x and y, a layer saves in buffers that it names in infer; the memory plan
 * lets them live from forward to backward, and shares them with the rest. State (running moments)
 * is a third slab: saved, not trained. */
#ifndef ORR_NN_LAYER_H
#define ORR_NN_LAYER_H

#include "core/leaves.h"
#include "core/options.h"
#include "core/status.h"
#include "nn/range.h"
#include "nn/real.h"
#include "nn/shape.h"

#ifdef __cplusplus
extern "C" {
#endif

enum {
    ORR_MAX_INPUTS = 16,
    ORR_MAX_DIMS = 4,
    ORR_MAX_SAVED = 4,
    ORR_MAX_SCRATCH = 8,
    ORR_NAME_MAX = 64
};

struct orr_backend;
struct orr_activation;
typedef struct orr_layer orr_layer;

/* A named tensor of a layer: in memory as this table says, in files as PyTorch has it. */
typedef struct orr_tensor_info {
    const char *name;               /* "weight": with the layer's name before it, "conv1.weight" */
    int n_dims, dims[ORR_MAX_DIMS]; /* as in memory: conv2d [K][R][S][C/groups], conv1d
                                       [K][S][C/groups], linear [out][in], vectors [n] */
    int order[ORR_MAX_DIMS]; /* dimension i of files is order[i] of memory; all 0: as in memory */
    size_t count;            /* elements */
    size_t room;             /* elements of the slabs; 0: count.  See finish_grad */
    size_t offset;           /* in its slab; set by the net */
    double bound;            /* > 0: drawn from U(-bound, bound) */
    double fill;             /* else this constant */
} orr_tensor_info;

/* One forward or backward of one layer.  Pointers are to the back end's memory: for its operations,
 * never to be looked into.  Those of activations are this layer's own. */
typedef struct orr_pass {
    const orr_batch *batch;
    int training;
    const orr_real *params; /* slabs: add tensor_info.offset */
    orr_real *const *grads; /* batch->n_segments slabs, training only */
    orr_real *state;
    const orr_real
        *aux; /* [n][n_aux] as orr_net_forward got them, for the layer kind aux; forward */
    const orr_real *x[ORR_MAX_INPUTS];
    orr_real *y; /* forward: to write; backward: as forward left it (only if kind->keeps_y) */
    const orr_real *dy;           /* backward */
    orr_real *dx[ORR_MAX_INPUTS]; /* backward: to overwrite; NULL where nobody wants it */
    void *saved[ORR_MAX_SAVED];   /* n times l->saved[k].bytes: forward writes, backward reads */
    /* Sum over all leaves of the whole batch, ordered: in[local leaf][n] (overwritten) -> out[n].
     * Collective over the ranks that train the net.  Used by whole-batch norm alone. */
    orr_status (*leaf_sum)(void *ctx, double *in, double *out, size_t n);
    void *leaf_sum_ctx;
} orr_pass;

/* A buffer that lives from a layer's forward to its backward (in evaluation: through forward). */
typedef struct orr_saved {
    const char *name;
    size_t bytes; /* a sample */
} orr_saved;

/* What a net was planned for. */
typedef struct orr_limits {
    int max_samples; /* local samples of one pass */
    int max_leaves, max_segments;
    int n_leaf_sizes; /* every leaf size that may come, for kernels that prepare one plan a size */
    const int *leaf_sizes;
    int training;
    int input_grad; /* backward also leaves the gradient of the input (orr_net_input_grad) */
} orr_limits;

typedef struct orr_layer_kind {
    const char *kind;          /* "conv1d": the word in job and model files */
    const char *help;          /* one line */
    const orr_option *options; /* of the option struct; NULL = none */
    size_t opts_bytes;
    int min_inputs, max_inputs;              /* 0, 0: a source, which reads no other layer */
    int keeps_x, keeps_y;                    /* backward reads x / y: the memory plan keeps them */
    int passes;                              /* hands its inputs' numbers on: nn/range.h */
    int in_place;                            /* y may be x[0], and dx[0] may be dy */
    const struct orr_activation *activation; /* nn/activations/activation.h; NULL: none */
    /* Checks options against l->in, fills l->out, l->params and l->states (orr_layer_tensors),
     * l->stat_count, l->saved, l->self; may change l->keeps_x, l->keeps_y, l->in_place.
     * ORR_ERR_SHAPE, ORR_ERR_OPTION; the graph puts the layer's name and input before the sentence.
     */
    orr_status (*infer)(orr_layer *l);
    /* Sets aside scratch and prepares kernels; nothing is allocated after it.  NULL: no need. */
    orr_status (*plan)(orr_layer *l, struct orr_backend *be, const orr_limits *limits);
    orr_status (*forward)(orr_layer *l, struct orr_backend *be, const orr_pass *p);
    orr_status (*backward)(orr_layer *l, struct orr_backend *be, const orr_pass *p);
    /* slab = gradients summed over all leaves: turns what backward left in the `room` of a tensor
     * into the gradient of its `count` parameters, and leaves 0 behind them.  Linear, so that it
     * may be done after the sum.  NULL: the gradient is the parameters' own. */
    orr_status (*finish_grad)(orr_layer *l, struct orr_backend *be, orr_real *slab);
    /* stat = sums over all leaves of what forward left; n_leaves = leaves with samples in the whole
     * batch. */
    orr_status (*update_state)(orr_layer *l, struct orr_backend *be, const orr_real *stat,
                               orr_real *state, int n_leaves);
    void (*unplan)(orr_layer *l, struct orr_backend *be); /* undoes plan */
    void (*destroy)(orr_layer *l); /* frees self; NULL: orr_free(self) is enough */
    /* Between which bounds y lies when the inputs lie within theirs; NULL: any number, or as they
     * are (passes). */
    orr_range (*range)(const orr_layer *l, const orr_range *in);
} orr_layer_kind;

struct orr_layer {
    const orr_layer_kind *kind;
    char name[ORR_NAME_MAX];
    int index;  /* 1.. in the graph: names dropout streams, too */
    void *opts; /* the kind's option struct */
    int n_in;
    int inputs[ORR_MAX_INPUTS]; /* node numbers */
    orr_shape in[ORR_MAX_INPUTS], out;
    int n_aux;                      /* of the graph, for infer */
    int keeps_x, keeps_y, in_place; /* the kind's, unless infer changed them */
    /* numbers that one sample brings to each statistic that training takes of its leaf, of its
     * batch; 0: it takes none */
    int leaf_values, batch_values;
    int n_params, n_states;
    orr_tensor_info *params, *states;
    size_t stat_count, stat_offset; /* within the gradient slab */
    void *self;                     /* the kind's own */
    int n_saved;
    orr_saved saved[ORR_MAX_SAVED];
    int n_scratch;
    void *scratch[ORR_MAX_SCRATCH]; /* from orr_layer_scratch */
};

/* For infer: sets n_params and n_states, and makes room for them, zeros. */
orr_status orr_layer_tensors(orr_layer *l, int n_params, int n_states);
/* Slab elements of a tensor, without what follows to align the next. */
static inline size_t orr_tensor_room(const orr_tensor_info *t)
{
    return t->room ? t->room : t->count;
}
/* For plan: n elements of `size` bytes from the kernel table, verified and freed by the net.  NULL
 * when there are none. */
void *orr_layer_scratch(orr_layer *l, struct orr_backend *be, size_t n, size_t size);
/* Where each segment's gradient of the tensor at `offset` goes; out holds batch->n_segments
 * pointers. */
static inline void orr_pass_grads(const orr_pass *p, size_t offset, orr_real **out)
{
    for (int r = 0; r < p->batch->n_segments; r++)
        out[r] = p->grads[r] + offset;
}

const orr_layer_kind *orr_layer_kind_find(const char *kind); /* NULL when unknown */
/* For help, and for tests that visit every kind. */
const orr_layer_kind *const *orr_layer_kinds(int *n);

#ifdef __cplusplus
}
#endif
#endif
