/* nn/net_private.h - the net's own fields, for net.c and init.c.   Not collective. */
#ifndef ORR_NN_NET_PRIVATE_H
#define ORR_NN_NET_PRIVATE_H

#include "nn/graph_private.h"
#include "nn/net.h"
#include "nn/plan.h"

enum { ORR_SLAB_STEP = 16 }; /* elements: every tensor starts at a multiple */

struct orr_net {
    orr_graph *g;
    orr_backend *be;
    orr_limits limits; /* leaf_sizes is a copy of its own */
    int *leaf_sizes;
    size_t n_params, n_slab, n_state; /* elements */
    size_t *begin; /* by layer: where its parameters start in params; [n] = none */
    orr_real *params, *state, **grads;
    orr_plan plan;
    orr_real **slots;
    orr_real *own_x, *own_aux; /* copies of the host's; NULL where operations can read those */
    int n_tensors;
    orr_net_tensor *tensors;
    orr_grad_ready on_grad;
    void *on_grad_ctx;
    orr_status (*leaf_sum)(void *, double *, double *, size_t);
    void *leaf_sum_ctx;
    const orr_real *x;                 /* of the last training forward; NULL before it */
    const orr_real *host_x, *host_aux; /* on loan since then */
    uint64_t *forward_keys;            /* that it got, [max_samples]; NULL: not for training */
    int forward_done, forward_n, forward_leaves, forward_has_keys;
};

/* Lists the tensors; called once by orr_net_create after the slabs are laid out. */
orr_status orr_net_list_tensors(orr_net *net);

#endif
