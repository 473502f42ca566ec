/* jobs/model/ids.c - ids in alphabetical order, and binary search; names of groups by rank. */
#include "jobs/model/ids.h"
#include "core/memory.h"
#include "data/formats/number.h"

#include <stdlib.h>
#include <string.h>

static int by_id(const void *a, const void *b, void *ctx)
{
    const orr_id *id = ctx;
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    int order = strcmp(id[x], id[y]);

    return order ? order : (x > y) - (x < y);
}

static orr_status sort(orr_ids *out, const orr_id *id, int64_t n)
{
    *out = (orr_ids){ .n = n, .id = id, .order = orr_alloc((size_t)n + 1, sizeof(int64_t)) };
    if (!out->order) return orr_fail(ORR_ERR_NOMEM, "out of memory: %lld ids", (long long)n);
    for (int64_t i = 0; i < n; i++)
        out->order[i] = i;
    qsort_r(out->order, (size_t)n, sizeof *out->order, by_id, (void *)(uintptr_t)id);
    return ORR_OK;
}

orr_status orr_ids_create(orr_ids *out, const orr_id *id, int64_t n, const char *what)
{
    ORR_TRY(sort(out, id, n));
    for (int64_t i = 1; i < n; i++) {
        int64_t a = out->order[i - 1], b = out->order[i];
        if (strcmp(id[a], id[b]) != 0) continue;
        orr_ids_free(out);
        return orr_fail(ORR_ERR_FORMAT, "%s: id %s stands twice, in rows %lld and %lld", what,
                        id[a], (long long)a + 1, (long long)b + 1);
    }
    return ORR_OK;
}

void orr_ids_free(orr_ids *ids)
{
    orr_free(ids->order);
    *ids = (orr_ids){ 0 };
}

int64_t orr_ids_find(const orr_ids *ids, const char *id)
{
    int64_t low = 0, high = ids->n;

    while (low < high) {
        int64_t middle = low + (high - low) / 2;
        int order = strcmp(ids->id[ids->order[middle]], id);
        if (order == 0) return ids->order[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return -1;
}

/* ---- names of groups as numbers ---- */
/* A long double holds every whole number of 64 bits, with a sign or without. */
static int read_whole(const char *text, long double *out)
{
    int minus = *text == '-';
    uint64_t v = 0;

    text += minus || *text == '+';
    if (!*text) return 0;
    for (; *text >= '0' && *text <= '9'; text++)
        if (__builtin_mul_overflow(v, 10u, &v) ||
            __builtin_add_overflow(v, (uint64_t)(*text - '0'), &v))
            return 0;
    *out = minus ? -(long double)v : (long double)v;
    return *text == '\0';
}

/* 0 when it is none; digits beyond 64 bits are none, for they would lose some. */
static int read_number(const char *text, long double *out)
{
    double v;

    if (read_whole(text, out)) return 1;
    if (text[strspn(text, "+-0123456789")] == '\0') return 0;
    if (!orr_number_parse(text, text + strlen(text), &v)) return 0;
    *out = (long double)v;
    return 1;
}

typedef struct {
    const orr_id *name;
    const long double *number; /* NULL: not all are numbers */
} group_names;

static int by_name(const void *a, const void *b, void *ctx)
{
    const group_names *g = ctx;
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    if (g->number && g->number[x] != g->number[y]) return g->number[x] < g->number[y] ? -1 : 1;
    return strcmp(g->name[x], g->name[y]);
}

static orr_status rank_sorted(const group_names *g, const int64_t *order, int64_t n,
                              const char *what, int64_t *rank)
{
    int64_t r = 0;

    for (int64_t i = 0; i < n; i++) {
        const char *a = g->name[order[i > 0 ? i - 1 : 0]], *b = g->name[order[i]];

        if (strcmp(a, b) != 0) r++;
        if (strcmp(a, b) != 0 && g->number && g->number[order[i - 1]] == g->number[order[i]])
            return orr_fail(ORR_ERR_FORMAT,
                            "%s: groups \"%s\" and \"%s\" are one number, written in two ways; "
                            "write it in one way, or give the groups names with a letter in them",
                            what, a, b);
        rank[order[i]] = r;
    }
    return ORR_OK;
}

orr_status orr_groups_rank(const orr_id *name, int64_t n, const char *what, int64_t *rank)
{
    long double *number = orr_alloc((size_t)n + 1, sizeof *number);
    int64_t *order = orr_alloc((size_t)n + 1, sizeof *order);
    group_names g = { name, number };
    orr_status st = number && order
                        ? ORR_OK
                        : orr_fail(ORR_ERR_NOMEM, "out of memory: %lld groups", (long long)n);

    for (int64_t i = 0; st == ORR_OK && i < n; i++) {
        order[i] = i;
        if (g.number && !read_number(name[i], &number[i])) g.number = NULL;
    }
    if (st == ORR_OK) qsort_r(order, (size_t)n, sizeof *order, by_name, &g);
    if (st == ORR_OK) st = rank_sorted(&g, order, n, what, rank);
    orr_free(number);
    orr_free(order);
    return st;
}

orr_status orr_ids_of_set(orr_id **out, const orr_dataset *set)
{
    int64_t n = orr_dataset_rows(set);

    if (!(*out = orr_alloc((size_t)n + 1, sizeof **out)))
        return orr_fail(ORR_ERR_NOMEM, "out of memory: %lld ids", (long long)n);
    for (int64_t i = 0; i < n; i++)
        orr_dataset_id(set, i, (*out)[i], sizeof **out);
    return ORR_OK;
}
