/* nn/blocks.c - definitions of blocks, their uses, and the arguments in the places of `$words`. */
#include "nn/blocks_private.h"

#include "core/memory.h"
#include "core/options.h"
#include "nn/layer.h"

#include <ctype.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

typedef struct definition {
    const orr_node *parameters, *layers;
} definition;

static const orr_option definition_options[] = {
    ORR_OPTION_NODE(definition, parameters, "names with their defaults; no value: required"),
    ORR_OPTION_NODE(definition, layers, "the layers, as in model.layers"),
    ORR_OPTION_END,
};

/* What every use may say, before the block's own parameters. */
static const orr_option use_options[] = {
    ORR_OPTION_STRING(orr_block_use, name, "", "name of the block's output, and before its names"),
    ORR_OPTION_STRING(orr_block_use, input, "", "name of the layer that the block reads"),
    ORR_OPTION_INT(orr_block_use, repeat, "1", 1, ORR_MAX_REPEAT, "times one after another"),
};
enum { N_USE = sizeof use_options / sizeof *use_options };

/* "file:line: block NAME: " and the rest of the sentence. */
static orr_status fail_in(const orr_block *b, const orr_node *at, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static orr_status fail_in(const orr_block *b, const orr_node *at, const char *format, ...)
{
    char where[ORR_ERROR_MAX / 4], text[ORR_ERROR_MAX / 2];
    va_list ap;

    va_start(ap, format);
    /* NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized): it was begun a line above */
    vsnprintf(text, sizeof text, format, ap);
    va_end(ap);
    return orr_fail(ORR_ERR_OPTION, "%s: block %.80s: %s", orr_node_where(at, where, sizeof where),
                    b->name, text);
}

static int is_word(const char *s)
{
    if (!*s) return 0;
    for (; *s; s++)
        if (!isalnum((unsigned char)*s) && *s != '_' && *s != '-') return 0;
    return 1;
}

/* Number of the parameter that a scalar "$word" names, -1 when there is none. */
static int find_parameter(const orr_block *b, const char *word)
{
    for (int i = 0; i < b->n_parameters; i++)
        if (!strcmp(b->parameters[i]->key, word)) return i;
    return -1;
}

static int is_reference(const orr_node *n)
{
    return n->type == ORR_NODE_SCALAR && !n->quoted && n->scalar[0] == '$';
}

static orr_status fail_no_parameter(const orr_block *b, const orr_node *n)
{
    const char *words[ORR_MAX_PARAMETERS], *near;

    for (int i = 0; i < b->n_parameters; i++)
        words[i] = b->parameters[i]->key;
    near = orr_nearest(n->scalar + 1, words, b->n_parameters);
    if (near)
        return fail_in(b, n, "there is no parameter for \"%.80s\"; did you mean \"$%s\"?",
                       n->scalar, near);
    return fail_in(b, n, "there is no parameter for \"%.80s\"", n->scalar);
}

/* Marks in `seen` what the tree refers to. */
static orr_status check_references(const orr_block *b, const orr_node *n,
                                   int seen[ORR_MAX_PARAMETERS])
{
    if (is_reference(n)) {
        int i = find_parameter(b, n->scalar + 1);
        if (i < 0) return fail_no_parameter(b, n);
        seen[i] = 1;
    }
    for (int i = 0; i < n->n_items; i++)
        ORR_TRY(check_references(b, n->items[i], seen));
    return ORR_OK;
}

orr_status orr_blocks_check_plain(const orr_node *n)
{
    char where[ORR_ERROR_MAX / 4];

    if (is_reference(n))
        return orr_fail(ORR_ERR_OPTION,
                        "%s: \"%.80s\": only the layers of a block have parameters; a text that "
                        "begins with $ stands in quotes",
                        orr_node_where(n, where, sizeof where), n->scalar);
    for (int i = 0; i < n->n_items; i++)
        ORR_TRY(orr_blocks_check_plain(n->items[i]));
    return ORR_OK;
}

static orr_status read_parameters(orr_block *b, const orr_node *map)
{
    if (!map) return ORR_OK;
    if (map->type != ORR_NODE_MAP)
        return fail_in(b, map, "parameters is a map of \"name: default\", \"name:\" if required");
    for (int i = 0; i < map->n_items; i++) {
        const orr_node *p = map->items[i];
        if (i == ORR_MAX_PARAMETERS)
            return fail_in(b, p, "more than %d parameters", ORR_MAX_PARAMETERS);
        if (!is_word(p->key))
            return fail_in(b, p, "parameter \"%.80s\": use letters, digits, '_' and '-'", p->key);
        for (int k = 0; k < N_USE; k++)
            if (!strcmp(p->key, use_options[k].key))
                return fail_in(b, p, "every block has a %s: call the parameter otherwise", p->key);
        ORR_TRY(orr_blocks_check_plain(p));
        b->parameters[b->n_parameters++] = p;
    }
    return ORR_OK;
}

static orr_status read_block(orr_block *b, const orr_node *node)
{
    definition d = { 0 };
    int seen[ORR_MAX_PARAMETERS] = { 0 };
    char what[ORR_NAME_MAX + 8];

    *b = (orr_block){ .name = node->key, .node = node };
    if (!is_word(b->name) || strlen(b->name) >= ORR_NAME_MAX)
        return fail_in(b, node, "use at most %d letters, digits, '_' and '-' for its name",
                       ORR_NAME_MAX - 1);
    if (orr_layer_kind_find(b->name))
        return fail_in(b, node, "a layer kind has this name: choose another");
    snprintf(what, sizeof what, "block %s", b->name);
    ORR_TRY(orr_options_read(&d, definition_options, node, what));
    if (!d.layers || d.layers->type != ORR_NODE_LIST || !d.layers->n_items)
        return fail_in(b, d.layers ? d.layers : node,
                       "layers: give a list with at least one layer");
    b->layers = d.layers;
    ORR_TRY(read_parameters(b, d.parameters));
    ORR_TRY(check_references(b, b->layers, seen));
    for (int i = 0; i < b->n_parameters; i++)
        if (!seen[i])
            return fail_in(b, b->parameters[i],
                           "parameter %.80s is used by no layer: write $%.80s where it belongs, or "
                           "take it out",
                           b->parameters[i]->key, b->parameters[i]->key);
    return ORR_OK;
}

orr_status orr_blocks_read(orr_blocks *b, const orr_node *map)
{
    char where[ORR_ERROR_MAX / 4];

    *b = (orr_blocks){ 0 };
    if (!map || map->type == ORR_NODE_NULL) return ORR_OK;
    if (map->type != ORR_NODE_MAP)
        return orr_fail(ORR_ERR_OPTION,
                        "%s: blocks is a map: \"NAME: {parameters: {...}, layers: [...]}\"",
                        orr_node_where(map, where, sizeof where));
    if (!(b->block = orr_alloc((size_t)map->n_items, sizeof *b->block)))
        return orr_fail(ORR_ERR_NOMEM, "%d blocks", map->n_items);
    for (; b->n < map->n_items; b->n++)
        ORR_TRY(read_block(&b->block[b->n], map->items[b->n]));
    return ORR_OK;
}

void orr_blocks_free(orr_blocks *b)
{
    orr_free(b->block);
    *b = (orr_blocks){ 0 };
}

orr_block *orr_blocks_find(const orr_blocks *b, const char *name)
{
    for (int i = 0; i < b->n; i++)
        if (!strcmp(b->block[i].name, name)) return &b->block[i];
    return NULL;
}

orr_status orr_blocks_check_used(const orr_blocks *b)
{
    for (int i = 0; i < b->n; i++)
        if (!b->block[i].used)
            return fail_in(&b->block[i], b->block[i].node,
                           "no list of layers has it: use it, or take it out");
    return ORR_OK;
}

orr_status orr_block_use_read(orr_block_use *use, const orr_block *b, const orr_node *map)
{
    orr_option rows[N_USE + ORR_MAX_PARAMETERS + 1];
    char what[ORR_NAME_MAX + 8];
    int n = b->n_parameters;

    memcpy(rows, use_options, sizeof use_options);
    for (int i = 0; i < n; i++)
        rows[N_USE + i] =
            (orr_option){ .key = b->parameters[i]->key,
                          .type = ORR_OPT_NODE,
                          .offset =
                              offsetof(orr_block_use, arguments) + (size_t)i * sizeof(orr_node *),
                          .fallback = b->parameters[i]->type == ORR_NODE_NULL ? NULL : "",
                          .help = "a parameter of the block without a default" };
    rows[N_USE + n] = (orr_option)ORR_OPTION_END;
    snprintf(what, sizeof what, "block %s", b->name);
    ORR_TRY(orr_options_read(use, rows, map, what));
    use->numbered = orr_node_get(map, "repeat") != NULL;
    for (int i = 0; i < n; i++) {
        const orr_node *given = orr_node_get(map, b->parameters[i]->key);
        if (given && given->type == ORR_NODE_NULL)
            return fail_in(b, given, "parameter %s has no value", given->key);
        if (!given) use->arguments[i] = b->parameters[i];
    }
    return ORR_OK;
}

typedef struct filling {
    const orr_block *block;
    const orr_block_use *use;
} filling;

static const orr_node *argument(void *ctx, const orr_node *scalar)
{
    const filling *f = ctx;

    return is_reference(scalar) ? f->use->arguments[find_parameter(f->block, scalar->scalar + 1)]
                                : NULL;
}

orr_status orr_block_fill(const orr_block *b, const orr_block_use *use, orr_config *c,
                          const orr_node *item, const orr_node **out)
{
    filling f = { .block = b, .use = use };
    orr_node *copy = NULL;

    ORR_TRY(orr_node_copy(c, &copy, item, argument, &f));
    *out = copy;
    return ORR_OK;
}
