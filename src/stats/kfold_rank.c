/* stats/kfold_rank.c - names of classes and groups as numbers from 0, by sorting: any names at all,
 * in a time that does not go by how many there are. */
#include "stats/kfold_part.h"

#include "core/memory.h"

#include <string.h>

enum { DIGIT = 11, DIGITS = 1 << DIGIT };

orr_status orr_kfold_no_memory(int64_t n)
{
    return orr_fail(ORR_ERR_NOMEM, "folds: no memory for %lld rows", (long long)n);
}

/* One pass: by the digit at "shift", those of equal digit in the order they had. */
static void sort_by_digit(const orr_kfold_item *from, orr_kfold_item *to, int64_t n, int shift)
{
    int64_t place[DIGITS] = { 0 }, sum = 0;

    for (int64_t i = 0; i < n; i++)
        place[from[i].key >> shift & (DIGITS - 1)]++;
    for (int d = 0; d < DIGITS; d++) {
        int64_t count = place[d];
        place[d] = sum;
        sum += count;
    }
    for (int64_t i = 0; i < n; i++)
        to[place[from[i].key >> shift & (DIGITS - 1)]++] = from[i];
}

orr_kfold_item *orr_kfold_sort(orr_kfold_item *items, orr_kfold_item *spare, int64_t n)
{
    uint64_t differ = 0;

    for (int64_t i = 1; i < n; i++)
        differ |= items[i].key ^ items[0].key;
    for (int shift = 0; shift < 64; shift += DIGIT) {
        orr_kfold_item *sorted = spare;

        if (!(differ >> shift & (DIGITS - 1))) continue;
        sort_by_digit(items, sorted, n, shift);
        spare = items;
        items = sorted;
    }
    return items;
}

/* Names within a narrow range: a table of which there are. */
static orr_status rank_narrow(int64_t *name, int64_t n, int64_t low, int64_t span, int64_t *n_names)
{
    int64_t *rank = orr_alloc((size_t)span + 1, sizeof *rank);

    if (!rank) return orr_kfold_no_memory(n);
    for (int64_t i = 0; i < n; i++)
        rank[name[i] - low] = 1;
    *n_names = 0;
    for (int64_t v = 0; v <= span; v++)
        if (rank[v]) rank[v] = (*n_names)++;
    for (int64_t i = 0; i < n; i++)
        name[i] = rank[name[i] - low];
    orr_free(rank);
    return ORR_OK;
}

static orr_status rank_wide(int64_t *name, int64_t n, int64_t low, int64_t *n_names)
{
    orr_kfold_item *items = orr_alloc((size_t)n, sizeof *items),
                   *spare = orr_alloc((size_t)n, sizeof *spare);
    orr_kfold_item *sorted;
    int64_t rank = 0;

    if (!items || !spare) {
        orr_free(items);
        orr_free(spare);
        return orr_kfold_no_memory(n);
    }
    for (int64_t i = 0; i < n; i++)
        items[i] = (orr_kfold_item){ (uint64_t)name[i] - (uint64_t)low, i };
    sorted = orr_kfold_sort(items, spare, n);
    for (int64_t i = 0; i < n; i++) {
        rank += i > 0 && sorted[i].key != sorted[i - 1].key;
        name[sorted[i].value] = rank;
    }
    *n_names = rank + 1;
    orr_free(items);
    orr_free(spare);
    return ORR_OK;
}

/* numpy.unique's inverse: each name becomes its rank, 0 .. *n_names-1, among the distinct ones. */
static orr_status rank_names(int64_t *name, int64_t n, int64_t *n_names)
{
    int64_t low = name[0], high = name[0];
    uint64_t span;

    for (int64_t i = 1; i < n; i++) {
        low = name[i] < low ? name[i] : low;
        high = name[i] > high ? name[i] : high;
    }
    span = (uint64_t)high - (uint64_t)low;
    if (span <= 2 * (uint64_t)n) return rank_narrow(name, n, low, (int64_t)span, n_names);
    return rank_wide(name, n, low, n_names);
}

orr_status orr_kfold_labels(const int32_t *labels, int64_t n, int64_t **class_of,
                            int64_t *n_classes)
{
    if (!(*class_of = orr_alloc((size_t)n, sizeof **class_of))) return orr_kfold_no_memory(n);
    for (int64_t i = 0; i < n; i++)
        (*class_of)[i] = labels[i];
    return rank_names(*class_of, n, n_classes);
}

orr_status orr_kfold_groups(const int64_t *groups, int64_t n, int k, int64_t **group_of,
                            int64_t *n_groups)
{
    if (!(*group_of = orr_alloc((size_t)n, sizeof **group_of))) return orr_kfold_no_memory(n);
    memcpy(*group_of, groups, (size_t)n * sizeof *groups);
    ORR_TRY(rank_names(*group_of, n, n_groups));
    if (*n_groups == 1)
        return orr_fail(ORR_ERR_ARG,
                        "folds: one group spans all %lld rows, and a group stays in one fold: "
                        "%d folds need a column of groups with at least %d values",
                        (long long)n, k, k);
    if (*n_groups < k)
        return orr_fail(ORR_ERR_ARG,
                        "folds: %lld groups cannot fill %d folds, as a group stays in one fold: "
                        "use at most %lld folds",
                        (long long)*n_groups, k, (long long)*n_groups);
    return ORR_OK;
}

int orr_kfold_label(const int32_t *labels, const int64_t *class_of, int64_t c)
{
    int64_t row = 0;

    while (class_of[row] != c)
        row++;
    return labels[row];
}

int64_t *orr_kfold_count(const int64_t *id, int64_t n, int64_t n_ids)
{
    int64_t *count = orr_alloc((size_t)n_ids, sizeof *count);

    for (int64_t i = 0; count && i < n; i++)
        count[id[i]]++;
    return count;
}

orr_status orr_kfold_class_rows(const int32_t *labels, const int64_t *class_of, int64_t n,
                                int64_t n_classes, int k, int64_t **rows)
{
    int64_t rarest = 0, fewest;

    if (!(*rows = orr_kfold_count(class_of, n, n_classes))) return orr_kfold_no_memory(n);
    for (int64_t c = 1; c < n_classes; c++)
        if ((*rows)[c] < (*rows)[rarest]) rarest = c;
    fewest = (*rows)[rarest];
    if (fewest >= k) return ORR_OK;
    return orr_fail(ORR_ERR_ARG,
                    "folds: class %d has %lld row%s, and %d folds need one each: use fewer folds "
                    "or leave the class out",
                    orr_kfold_label(labels, class_of, rarest), (long long)fewest,
                    fewest == 1 ? "" : "s", k);
}
