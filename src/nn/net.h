/* nn/net.h - a graph with memory: slabs, activations, forward and backward.
 *
 * Slabs.  params: all trainable parameters in backward order (the last layer's first), so that a
 * range of it becomes final as backward moves on.  grads[segment]: the same layout, followed by the
 * layers' batch statistics; one slab a segment. state: running moments.  Every slab is
 * ORR_ALIGN-ed; each tensor starts at a multiple of 16 elements (gaps hold 0). Memory: everything
 * is planned and allocated by orr_net_create; forward, backward and update_state allocate nothing.
 * Activations share memory by liveness: in evaluation a buffer is reused once its last reader ran;
 * in training what backward reads is kept, and gradients of activations share among themselves.
 * Owns the slabs and activations, which lie in the back end's memory; graph and back end must
 * outlive it.  A graph can have one net at a time. Not collective, except through the leaf_sum
 * callback.   Errors: ORR_ERR_NOMEM, ORR_ERR_SHAPE, ORR_ERR_ARG (a batch that exceeds the limits).
 */
#ifndef ORR_NN_NET_H
#define ORR_NN_NET_H

#include "core/leaves.h"
#include "core/status.h"
#include "nn/backend.h"
#include "nn/graph.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct orr_net orr_net;

orr_status orr_net_create(orr_net **out, orr_graph *g, orr_backend *be, const orr_limits *limits);
extern const orr_limits orr_limits_least; /* of one sample: for who wants the tensors alone */
void orr_net_destroy(orr_net *net);

/* Draws all parameters: torch's default init unless the layer says otherwise (init: glorot, he;
 * bias_init), keyed by (seed, parameter number in graph order);
 * state to its start. */
orr_status orr_net_init(orr_net *net, uint64_t seed);

/* x[n][input] and aux[n][n_aux] (NULL when the graph reads none), in the order of the batch's
 * leaves: the host's; they stay the caller's, and unchanged until backward is done.  *y = n
 * outputs, in the back end's memory, the net's until the next forward. */
orr_status orr_net_forward(orr_net *net, const orr_batch *b, const orr_real *x, const orr_real *aux,
                           int training, const orr_real **y);
/* The outputs of the last forward, for the host. */
orr_status orr_net_output(const orr_net *net, orr_real *out);
/* After a training forward with the same batch: ORR_ERR_ARG when samples, leaves or keys are
 * others, ORR_ERR_INTERNAL (fenced) when x or aux were changed since.  dy[n][output], in the back
 * end's memory, is the gradient of the loss.  Fills grads(segment). */
orr_status orr_net_backward(orr_net *net, const orr_batch *b, const orr_real *dy);
/* The gradient of x that the last backward left, in the back end's memory; NULL unless the net was
 * created with limits.input_grad. */
const orr_real *orr_net_input_grad(const orr_net *net);
/* Called during backward each time [offset, offset + n) of every grads slab became final; ranges
 * come in slab order and cover [0, orr_net_slab_count).  NULL: nobody listens.  An error stops
 * backward and is returned. */
typedef orr_status (*orr_grad_ready)(void *ctx, size_t offset, size_t n);
void orr_net_on_grad(orr_net *net, orr_grad_ready callback, void *ctx);
/* For whole-batch norm (orr_pass.leaf_sum); NULL: local leaves are the whole batch. */
void orr_net_on_leaf_sum(orr_net *net, orr_status (*leaf_sum)(void *, double *, double *, size_t),
                         void *ctx);
/* Between the sum over all leaves of all ranks and all that reads the gradient (its norm, the
 * optimiser): slab = grads summed, whose tensors that have fewer parameters than weights get their
 * own gradient (orr_layer_kind.finish_grad).  Once a step. */
orr_status orr_net_finish_grads(orr_net *net, orr_real *slab);
/* After the step: slab = grads summed over the segments of all ranks; n_leaves = leaves of the
 * batch that held samples. */
orr_status orr_net_update_state(orr_net *net, const orr_real *slab, int n_leaves);

size_t orr_net_param_count(const orr_net *net); /* elements of params, gaps included */
size_t orr_net_slab_count(
    const orr_net *net); /* elements of a grads slab: params, then statistics */
size_t orr_net_state_count(const orr_net *net);
/* In the back end's memory, to be handed to its operations and to the reduction. */
orr_real *orr_net_params(orr_net *net);
orr_real *orr_net_grads(const orr_net *net, int segment); /* NULL: there is none */
orr_backend *orr_net_backend(const orr_net *net);

/* How the host reaches a slab, and the only way: numbers [first, first + n) of it, to and from the
 * host.  0, 1, ...: gradients of that segment.  ORR_ERR_INTERNAL for a range that is not there. */
enum { ORR_SLAB_PARAMS = -1, ORR_SLAB_STATE = -2 };
orr_status orr_net_read(const orr_net *net, int slab, size_t first, size_t n, orr_real *out);
orr_status orr_net_write(orr_net *net, int slab, size_t first, size_t n, const orr_real *in);
size_t orr_net_activation_bytes(
    const orr_net *net); /* what the memory plan took, and what it would be unshared */
size_t orr_net_activation_bytes_unshared(const orr_net *net);
/* With the check table: every guard intact?  ORR_ERR_INTERNAL names the buffer. */
orr_status orr_net_verify(const orr_net *net);

/* Tensors by number, parameters first (graph order), then state: what model files hold. */
typedef struct orr_net_tensor {
    char name[2 * ORR_NAME_MAX]; /* "conv1.weight", "bn1.running_mean" */
    const orr_tensor_info *info;
    int is_state;
    int n_dims, dims[ORR_MAX_DIMS]; /* as files have it (PyTorch) */
    size_t count, offset;           /* in the params or state slab */
} orr_net_tensor;
int orr_net_n_tensors(const orr_net *net);
void orr_net_tensor_info(const orr_net *net, int i, orr_net_tensor *out);
/* Tensor i in PyTorch's layout, `file` (count numbers, the host's): of the slab that holds it, or
 * its gradient of a segment. */
orr_status orr_net_read_tensor(const orr_net *net, int i, orr_real *file);
orr_status orr_net_read_gradient(const orr_net *net, int i, int segment, orr_real *file);
orr_status orr_net_write_tensor(orr_net *net, int i, const orr_real *file);
/* The same from a copy of the slab that holds it, the host's (orr_net_read of all of it). */
void orr_net_tensor_of(const orr_net *net, int i, const orr_real *slab, orr_real *file);

#ifdef __cplusplus
}
#endif
#endif
