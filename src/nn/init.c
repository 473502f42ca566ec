/* nn/init.c - tensors by name: first values, and the way between memory and PyTorch's layout. */
#include "core/memory.h"
#include "core/rng.h"
#include "nn/net.h"
#include "nn/net_private.h"

#include <stdio.h>
#include <string.h>

static int is_reordered(const orr_tensor_info *i)
{
    for (int k = 0; k < i->n_dims; k++)
        if (i->order[k]) return 1;
    return 0;
}

/* Dimensions as files have them. */
static void file_dims(orr_net_tensor *t)
{
    const orr_tensor_info *i = t->info;

    t->n_dims = i->n_dims;
    for (int k = 0; k < i->n_dims; k++)
        t->dims[k] = i->dims[is_reordered(i) ? i->order[k] : k];
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
    const orr_tensor_info *info = t->info;
    size_t at[ORR_MAX_DIMS] = { 0 }, index = 0;

    if (!is_reordered(info)) return j;
    for (int k = t->n_dims - 1; k >= 0; k--) {
        at[info->order[k]] = j % (size_t)t->dims[k];
        j /= (size_t)t->dims[k];
    }
    for (int k = 0; k < info->n_dims; k++)
        index = index * (size_t)info->dims[k] + at[k];
    return index;
}

static int slab_of(const orr_net_tensor *t)
{
    return t->is_state ? ORR_SLAB_STATE : ORR_SLAB_PARAMS;
}

static orr_status get_room(orr_real **out, const orr_net_tensor *t)
{
    *out = orr_alloc(t->count, sizeof **out);
    return *out ? ORR_OK : orr_fail(ORR_ERR_NOMEM, "%s: %zu numbers", t->name, t->count);
}

static orr_status read_from(const orr_net *net, const orr_net_tensor *t, int slab, orr_real *file)
{
    orr_real *memory = NULL;
    orr_status st;

    if (!is_reordered(t->info)) return orr_net_read(net, slab, t->offset, t->count, file);
    ORR_TRY(get_room(&memory, t));
    st = orr_net_read(net, slab, t->offset, t->count, memory);
    for (size_t j = 0; st == ORR_OK && j < t->count; j++)
        file[j] = memory[memory_index(t, j)];
    orr_free(memory);
    return st;
}

orr_status orr_net_read_tensor(const orr_net *net, int i, orr_real *file)
{
    return read_from(net, &net->tensors[i], slab_of(&net->tensors[i]), file);
}

void orr_net_tensor_of(const orr_net *net, int i, const orr_real *slab, orr_real *file)
{
    const orr_net_tensor *t = &net->tensors[i];

    for (size_t j = 0; j < t->count; j++)
        file[j] = slab[t->offset + memory_index(t, j)];
}

orr_status orr_net_read_gradient(const orr_net *net, int i, int segment, orr_real *file)
{
    return read_from(net, &net->tensors[i], segment, file);
}

orr_status orr_net_write_tensor(orr_net *net, int i, const orr_real *file)
{
    const orr_net_tensor *t = &net->tensors[i];
    orr_real *memory = NULL;
    orr_status st;

    if (!is_reordered(t->info)) return orr_net_write(net, slab_of(t), t->offset, t->count, file);
    ORR_TRY(get_room(&memory, t));
    for (size_t j = 0; j < t->count; j++)
        memory[memory_index(t, j)] = file[j];
    st = orr_net_write(net, slab_of(t), t->offset, t->count, memory);
    orr_free(memory);
    return st;
}

/* Drawn in file order, so that a change of the memory layout would not change a net. */
static orr_status init_tensor(orr_net *net, int i, uint64_t seed)
{
    const orr_tensor_info *info = net->tensors[i].info;
    orr_rng r = orr_rng_stream(orr_rng_key(seed, ORR_RNG_INIT, 0, (uint64_t)i, 0));
    orr_real *file = NULL;
    orr_status st;

    ORR_TRY(get_room(&file, &net->tensors[i]));
    for (size_t j = 0; j < info->count; j++)
        file[j] =
            (orr_real)(info->bound > 0 ? info->bound * (2 * orr_rng_uniform(&r) - 1) : info->fill);
    st = orr_net_write_tensor(net, i, file);
    orr_free(file);
    return st;
}

orr_status orr_net_init(orr_net *net, uint64_t seed)
{
    for (int i = 0; i < net->n_tensors; i++)
        ORR_TRY(init_tensor(net, i, seed));
    return ORR_OK;
}
