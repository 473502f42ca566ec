/* data/augment.c - random changes to a training sample; every draw is a function of the sample's
 * key and the op's place in the list, so it is the same on any rank and thread. */
#include "data/augment_private.h"

#include "core/memory.h"
#include "core/rows.h"

#include <stdio.h>
#include <string.h>

enum { MAX_OPS = 32 };

struct orr_augment {
    orr_sample_shape shape;
    int n_ops;
    const orr_augment_kind *kind[MAX_OPS];
    void *o[MAX_OPS]; /* owned, as the kind's options fill it; NULL: it has none */
};

int orr_augment_kind_help(int i, orr_kind_help *out)
{
    int n;
    const orr_augment_kind *const *kinds = orr_augment_kinds(&n);

    if (i < 0 || i >= n) return 0;
    *out = (orr_kind_help){ kinds[i]->name, kinds[i]->help, kinds[i]->options };
    return 1;
}

static orr_status find_kind(const orr_augment_kind **out, const char *name, const char *where)
{
    int n, i;
    const orr_augment_kind *const *kinds = orr_augment_kinds(&n);
    const char *near;

    if ((i = orr_row_named(kinds, n, name, &near)) < 0)
        return orr_fail(ORR_ERR_OPTION, "%s: there is no augmentation %s%s%s%s", where, name,
                        near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
    *out = kinds[i];
    return ORR_OK;
}

/* Reads an op's options into a struct of its own, *out, which is the list's to free. */
static orr_status read_opts(void **out, const orr_augment_kind *kind, const orr_node *options,
                            orr_sample_shape shape, const char *where)
{
    static const orr_option none[] = { ORR_OPTION_END };
    char what[64];

    snprintf(what, sizeof what, "augmentation %s", kind->name);
    if (kind->opts_bytes > 0 && !(*out = orr_alloc(1, kind->opts_bytes)))
        return orr_fail(ORR_ERR_NOMEM, "augment: no memory");
    ORR_TRY(orr_options_read(*out, kind->options ? kind->options : none, options, what));
    return kind->init ? kind->init(*out, shape, where) : ORR_OK;
}

static orr_status add_op(orr_augment *a, const orr_node *item)
{
    char where[512];
    const orr_node *options =
        item->type == ORR_NODE_MAP && item->n_items == 1 ? item->items[0] : NULL;
    const char *name = options ? options->key : item->type == ORR_NODE_SCALAR ? item->scalar : "";
    const orr_augment_kind *kind = NULL;

    orr_node_where(item, where, sizeof where);
    if (!name[0])
        return orr_fail(ORR_ERR_OPTION, "%s: an augmentation is written \"- name: {options}\"",
                        where);
    if (a->n_ops == MAX_OPS)
        return orr_fail(ORR_ERR_OPTION, "%s: more than %d augmentations", where, MAX_OPS);
    ORR_TRY(find_kind(&kind, name, where));
    if (options && options->type == ORR_NODE_NULL) options = NULL;
    if (options && options->type != ORR_NODE_MAP)
        return orr_fail(ORR_ERR_OPTION, "%s: the options of %s are a map {name: value}", where,
                        name);
    a->kind[a->n_ops++] = kind;
    return read_opts(&a->o[a->n_ops - 1], kind, options, a->shape, where);
}

orr_status orr_augment_create(orr_augment **out, const orr_node *list, orr_sample_shape shape)
{
    orr_status st = ORR_OK;
    orr_augment *a;
    char where[512];

    *out = NULL;
    if (list && list->type == ORR_NODE_NULL) list = NULL;
    if (list && list->type != ORR_NODE_LIST)
        return orr_fail(ORR_ERR_OPTION, "%s: augment is a list of steps",
                        orr_node_where(list, where, sizeof where));
    if (!(a = orr_alloc(1, sizeof *a))) return orr_fail(ORR_ERR_NOMEM, "augment: no memory");
    a->shape = shape;
    for (int i = 0; list && i < list->n_items; i++)
        ORR_TRY_GOTO(st, done, add_op(a, list->items[i]));
    *out = a;
    a = NULL; /* handed over */
done:
    orr_augment_destroy(a);
    return st;
}

void orr_augment_destroy(orr_augment *a)
{
    for (int i = 0; a && i < a->n_ops; i++)
        orr_free(a->o[i]);
    orr_free(a);
}

int orr_augment_n_ops(const orr_augment *a)
{
    return a->n_ops;
}

void orr_augment_apply(const orr_augment *a, uint64_t key, float *x, float *scratch)
{
    orr_augment_sample at = { .shape = a->shape };

    at.x = x;
    at.scratch = scratch;
    for (int i = 0; i < a->n_ops; i++) {
        at.key = orr_rng_key(key, ORR_RNG_AUGMENT, (uint64_t)i, 0, 0);
        a->kind[i]->apply(a->o[i], &at);
    }
}

uint64_t orr_draw_key(uint64_t seed, int64_t epoch, uint64_t sample_key, int64_t place)
{
    return orr_rng_key(seed, ORR_RNG_AUGMENT, (uint64_t)epoch, sample_key, (uint64_t)place);
}
