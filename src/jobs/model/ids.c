/* jobs/model/ids.c - ids in alphabetical order, and binary search. */
#include "jobs/model/ids.h"
#include "core/memory.h"

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

orr_status orr_ids_rank(const orr_id *id, int64_t n, int64_t *rank)
{
    orr_ids s;
    int64_t r = -1;

    ORR_TRY(sort(&s, id, n));
    for (int64_t i = 0; i < n; i++) {
        if (i == 0 || strcmp(id[s.order[i]], id[s.order[i - 1]]) != 0) r++;
        rank[s.order[i]] = r;
    }
    orr_ids_free(&s);
    return ORR_OK;
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
