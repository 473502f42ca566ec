/* nn/init.c - tensors by name: first values, and the way between memory and PyTorch's layout. */
#include "core/memory.h"
#include "core/rng.h"
#include "nn/net.h"
#include "nn/net_private.h"

#include <stdio.h>
#include <string.h>

/* Dimensions as files have them. */
static void file_dims(orr_net_tensor *t)
{
    const orr_tensor_info *i = t->info;

    t->n_dims = i->n_dims;
    memcpy(t->dims, i->dims, sizeof t->dims);
    if (!i->conv) return;
    t->dims[1] = i->dims[3];
    t->dims[2] = i->dims[1];
    t->dims[3] = i->dims[2];
    if (!i->one_d) return;
    t->n_dims = 3;
    t->dims[2] = i->dims[2];
    t->dims[3] = 0;
}

static void add_tensor(orr_net *net, const orr_layer *l, const orr_tensor_info *info, int is_state)
{
    orr_net_tensor *t = &net->tensors[net->n_tensors++];

    *t = (orr_net_tensor){
        .info = info, .is_state = is_state, .count = info->count, .offset = info->offset
    };
    snprintf(t->name, sizeof t->name, "%s.%s", l->name, info->name);
    file_dims(t);
}

orr_status orr_net_list_tensors(orr_net *net)
{
    int n = 0;

    for (int i = 0; i < net->g->n; i++)
        n += net->g->layers[i]->n_params + net->g->layers[i]->n_states;
    if (!(net->tensors = orr_alloc((size_t)n, sizeof *net->tensors)))
        return orr_fail(ORR_ERR_NOMEM, "net: %d tensors", n);
    for (int i = 0; i < net->g->n; i++)
        for (int k = 0; k < net->g->layers[i]->n_params; k++)
            add_tensor(net, net->g->layers[i], &net->g->layers[i]->params[k], 0);
    for (int i = 0; i < net->g->n; i++)
        for (int k = 0; k < net->g->layers[i]->n_states; k++)
            add_tensor(net, net->g->layers[i], &net->g->layers[i]->states[k], 1);
    return ORR_OK;
}

int orr_net_n_tensors(const orr_net *net)
{
    return net->n_tensors;
}

void orr_net_tensor_info(const orr_net *net, int i, orr_net_tensor *out)
{
    *out = net->tensors[i];
}

/* Where element j of a tensor in file order lies in memory, from the tensor's start. */
static size_t memory_index(const orr_net_tensor *t, size_t j)
{
    const int *d = t->info->dims; /* K R S C in memory, K C R S in files */
    size_t taps, channels, k, c, tap;

    if (!t->info->conv) return j;
    taps = (size_t)d[1] * (size_t)d[2];
    channels = (size_t)d[3];
    tap = j % taps;
    c = j / taps % channels;
    k = j / (taps * channels);
    return (k * taps + tap) * channels + c;
}

/* Drawn in file order, so that a change of the memory layout would not change a net. */
void orr_net_init(orr_net *net, uint64_t seed)
{
    for (int i = 0; i < net->n_tensors; i++) {
        const orr_net_tensor *t = &net->tensors[i];
        orr_real *x = (t->is_state ? net->state : net->params) + t->offset;
        orr_rng r = orr_rng_stream(orr_rng_key(seed, ORR_RNG_INIT, 0, (uint64_t)i, 0));
        double bound = t->info->bound;
        for (size_t j = 0; j < t->count; j++) {
            double value = bound > 0 ? bound * (2 * orr_rng_uniform(&r) - 1) : t->info->fill;
            x[memory_index(t, j)] = (orr_real)value;
        }
    }
}

void orr_net_export(const orr_net *net, int i, const orr_real *slab, orr_real *file)
{
    const orr_net_tensor *t = &net->tensors[i];

    for (size_t j = 0; j < t->count; j++)
        file[j] = slab[t->offset + memory_index(t, j)];
}

void orr_net_import(const orr_net *net, int i, const orr_real *file, orr_real *slab)
{
    const orr_net_tensor *t = &net->tensors[i];

    for (size_t j = 0; j < t->count; j++)
        slab[t->offset + memory_index(t, j)] = file[j];
}
