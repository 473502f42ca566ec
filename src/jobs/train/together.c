/* jobs/train/together.c - groups of the training set's samples. */
#include "jobs/train/together.h"
#include "core/log.h"
#include "core/memory.h"
#include "jobs/context/phase.h"
#include "jobs/model/side_table.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- an aux number as group ---- */

static int by_value(const void *a, const void *b)
{
    const float x = *(const float *)a, y = *(const float *)b;

    return (x > y) - (x < y);
}

static orr_status groups_of_aux(int64_t *group, const orr_samples *s, int column)
{
    int64_t n = orr_dataset_rows(s->set), n_values = 0;
    float *sorted = orr_alloc((size_t)n + 1, sizeof *sorted);
    char id[ORR_ID_TEXT_MAX + 1];

    if (!sorted) return orr_fail(ORR_ERR_NOMEM, "out of memory: groups of %lld rows", (long long)n);
    for (int64_t i = 0; i < n; i++) {
        sorted[i] = orr_samples_aux(s, i)[column];
        if (isfinite(sorted[i])) continue;
        orr_free(sorted);
        orr_dataset_id(s->set, i, id, sizeof id);
        return orr_fail(ORR_ERR_FORMAT, "data.groups: sample %s of %s has no value there", id,
                        orr_dataset_path(s->set));
    }
    qsort(sorted, (size_t)n, sizeof *sorted, by_value);
    for (int64_t i = 0; i < n; i++)
        if (i == 0 || sorted[i] != sorted[n_values - 1]) sorted[n_values++] = sorted[i];
    for (int64_t i = 0; i < n; i++) {
        float v = orr_samples_aux(s, i)[column];
        float *at = bsearch(&v, sorted, (size_t)n_values, sizeof v, by_value);

        group[i] = at - sorted;
    }
    orr_free(sorted);
    return ORR_OK;
}

static orr_status read_groups(int64_t **groups, const orr_samples *s, const orr_data_opts *d)
{
    const orr_schema *schema = orr_dataset_schema(s->set);
    const orr_side_table t = { .path = d->groups,
                               .id_columns = d->id_column,
                               .id_option = "data.id_column",
                               .column = d->group_column,
                               .option = "data.group_column" };

    for (int i = 0; i < schema->n_aux; i++) {
        if (strcmp(schema->aux_names[i], d->groups) != 0) continue;
        *groups = orr_alloc((size_t)orr_dataset_rows(s->set) + 1, sizeof **groups);
        return *groups ? groups_of_aux(*groups, s, i)
                       : orr_fail(ORR_ERR_NOMEM, "out of memory: groups");
    }
    return orr_side_table_groups(groups, &t, s->set);
}

/* ---- samples that are the same ---- */

/* The row that stands for all that hang together with `row`. */
static int64_t root_of(int64_t *parent, int64_t row)
{
    while (parent[row] != row)
        row = parent[row] = parent[parent[row]];
    return row;
}

static void join(int64_t *parent, int64_t a, int64_t b)
{
    a = root_of(parent, a);
    b = root_of(parent, b);
    if (a != b) parent[a > b ? a : b] = a > b ? b : a;
}

/* Groups and twins, whatever hangs together: numbers are those of the lowest rows. */
static orr_status join_all(int64_t *twin, const int64_t *groups, int64_t n)
{
    int64_t n_groups = 0, *first;

    for (int64_t i = 0; groups && i < n; i++)
        if (groups[i] >= n_groups) n_groups = groups[i] + 1;
    if (!(first = orr_alloc((size_t)n_groups + 1, sizeof *first)))
        return orr_fail(ORR_ERR_NOMEM, "out of memory: %lld groups", (long long)n_groups);
    for (int64_t i = 0; groups && i < n; i++) {
        if (first[groups[i]] == 0) first[groups[i]] = i + 1;
        join(twin, i, first[groups[i]] - 1);
    }
    for (int64_t i = 0; i < n; i++)
        twin[i] = root_of(twin, i);
    orr_free(first);
    return ORR_OK;
}

orr_status orr_groups_make(int64_t **groups, orr_context *context, const orr_samples *set,
                           const orr_data_opts *d)
{
    int64_t n = orr_dataset_rows(set->set), *twin = NULL, doubles = 0;
    orr_status st = ORR_OK;

    if (d->groups[0] && !*groups) ORR_TRY(orr_phase(context, NULL, read_groups(groups, set, d)));
    if (strcmp(d->overlap, "together") != 0) return ORR_OK;
    ORR_TRY_GOTO(st, done, orr_samples_twins(context, set, &twin));
    for (int64_t i = 0; i < n; i++)
        doubles += twin[i] != i;
    if (doubles)
        orr_log0(ORR_INFO, "data",
                 "%lld of %lld samples are the same as an earlier one, and stay "
                 "on its side of every split",
                 (long long)doubles, (long long)n);
    ORR_TRY_GOTO(st, done, orr_phase(context, NULL, join_all(twin, *groups, n)));
    if (doubles || *groups) {
        orr_free(*groups);
        *groups = twin;
        twin = NULL;
    }
done:
    orr_free(twin);
    return st;
}
