/* data/formats/where.c - conditions of a job file, and rows that passed them. */
#include "data/formats/where.h"
#include "core/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK = 512, WORDS = BLOCK / 64 };

void orr_where_free(orr_where *w)
{
    for (int i = 0; i < w->n; i++)
        orr_classes_free(&w->list[i].values);
    orr_free(w->list);
    *w = (orr_where){ 0 };
}

static orr_status fail_where(const orr_node *node, const char *option, const char *what)
{
    char where[256];

    return orr_fail(ORR_ERR_OPTION, "%s: %s%s%s %s", orr_node_where(node, where, sizeof where),
                    option, node->key ? ": " : "", node->key ? node->key : "", what);
}

static orr_status read_condition(orr_condition *c, const orr_node *item, const char *option)
{
    const orr_node *const *items = (const orr_node *const *)item->items;
    int n = item->type == ORR_NODE_LIST ? item->n_items : 1;
    orr_strings values = { .n = n };

    if (strlen(item->key) >= sizeof c->name)
        return fail_where(item, option, "has a name that is too long for a column");
    if (n == 0 || n > ORR_LIST_MAX) return fail_where(item, option, "needs 1 to 64 values");
    for (int i = 0; i < n; i++) {
        const orr_node *v = item->type == ORR_NODE_LIST ? items[i] : item;

        if (v->type != ORR_NODE_SCALAR)
            return fail_where(item, option,
                              "is no value or list of values (\"\" for an empty one)");
        values.v[i] = v->scalar;
    }
    snprintf(c->name, sizeof c->name, "%s", item->key);
    return orr_classes_init(&c->values, &values, option);
}

orr_status orr_where_init(orr_where *w, const orr_node *node, const char *option)
{
    *w = (orr_where){ 0 };
    if (!node || node->type == ORR_NODE_NULL) return ORR_OK;
    if (node->type != ORR_NODE_MAP)
        return fail_where(node, option,
                          "must be a map of \"column: value\" or \"column: [values]\"");
    if (!(w->list = orr_alloc((size_t)node->n_items, sizeof *w->list)))
        return orr_fail(ORR_ERR_NOMEM, "out of memory: %s", option);
    for (; w->n < node->n_items; w->n++)
        ORR_TRY(read_condition(&w->list[w->n], node->items[w->n], option));
    return ORR_OK;
}

static int by_column(const void *a, const void *b)
{
    const orr_condition *x = a, *y = b;

    return (x->column > y->column) - (x->column < y->column);
}

void orr_where_sort(orr_where *w)
{
    if (w->n) qsort(w->list, (size_t)w->n, sizeof *w->list, by_column);
}

/* ---- rows that passed ---- */

orr_status orr_selection_init(orr_selection *s, int64_t n)
{
    size_t blocks = (size_t)(n + BLOCK - 1) / BLOCK;

    *s = (orr_selection){ .n = n };
    s->bits = orr_alloc(blocks * WORDS, sizeof *s->bits);
    s->before = orr_alloc(blocks + 1, sizeof *s->before);
    if (s->bits && s->before) return ORR_OK;
    orr_selection_free(s);
    return orr_fail(ORR_ERR_NOMEM, "out of memory: a filter of %lld rows", (long long)n);
}

void orr_selection_free(orr_selection *s)
{
    orr_free(s->bits);
    orr_free(s->before);
    *s = (orr_selection){ 0 };
}

void orr_selection_end(orr_selection *s)
{
    int64_t blocks = (s->n + BLOCK - 1) / BLOCK;

    s->kept = 0;
    for (int64_t b = 0; b < blocks; b++) {
        s->before[b] = s->kept;
        for (int k = 0; k < WORDS; k++)
            s->kept += __builtin_popcountll(s->bits[b * WORDS + k]);
    }
    s->before[blocks] = s->kept;
}

void orr_selection_rows(const orr_selection *s, int64_t first, int64_t n, int64_t *rows)
{
    int64_t lo = 0, hi = (s->n + BLOCK - 1) / BLOCK - 1, at, word;

    while (lo < hi) { /* the last block before which at most `first` rows passed */
        int64_t mid = lo + (hi - lo + 1) / 2;

        if (s->before[mid] <= first)
            lo = mid;
        else
            hi = mid - 1;
    }
    at = s->before[lo];
    for (word = lo * WORDS; at < first + n; word++)
        for (uint64_t bits = s->bits[word]; bits && at < first + n; bits &= bits - 1, at++)
            if (at >= first) rows[at - first] = word * 64 + __builtin_ctzll(bits);
}
