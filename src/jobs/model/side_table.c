/* jobs/model/side_table.c - a column's text, by sample id. */
#include "jobs/model/side_table.h"
#include "core/memory.h"
#include "data/formats/id_columns.h"

#include <string.h>

enum { BLOCK = 4096 };

/* A table on its way. */
typedef struct reader {
    const orr_side_table *t;
    orr_columns *columns;
    orr_id_columns id;
    orr_ids ids;   /* of the set */
    orr_id *value; /* [n], "" where there is none yet */
} reader;

static orr_status take_rows(reader *r, const orr_id *value, int64_t first, int64_t n)
{
    const char *path = r->t->path;

    for (int64_t i = 0; i < n; i++) {
        int64_t row = orr_ids_find(&r->ids, r->id.id[i]);
        if (row < 0) continue; /* the table may hold more than this set */
        if (value[i][0] == '\0')
            return orr_fail(ORR_ERR_FORMAT, "%s: row %lld, sample %s: its %s is empty", path,
                            (long long)(first + i + 1), r->id.id[i], r->t->column);
        if (r->value[row][0])
            return orr_fail(ORR_ERR_FORMAT, "%s: sample %s stands there twice", path, r->id.id[i]);
        memcpy(r->value[row], value[i], sizeof value[i]);
    }
    return ORR_OK;
}

static orr_status read_blocks(reader *r)
{
    const orr_side_table *t = r->t;
    orr_id *value = orr_alloc(BLOCK, sizeof *value);
    orr_column_request want[ORR_ID_PARTS + 1] = { { .type = ORR_VALUE_TEXT, .values = value } };
    int64_t first, n = 1;
    orr_status st = value ? ORR_OK : orr_fail(ORR_ERR_NOMEM, "out of memory: %s", t->path);

    if (st == ORR_OK)
        st = orr_id_columns_open(&r->id, r->columns, &t->id_columns, t->id_option, BLOCK);
    if (st == ORR_OK) st = orr_columns_find(r->columns, t->column, t->option, &want[0].column);
    memcpy(want + 1, r->id.request, (size_t)r->id.n * sizeof *want);
    while (st == ORR_OK && n > 0) {
        st = orr_columns_next(r->columns, want, r->id.n + 1, BLOCK, &first, &n);
        if (st == ORR_OK) st = orr_id_columns_join(&r->id, r->columns, first, n);
        if (st == ORR_OK) st = take_rows(r, (const orr_id *)value, first, n);
    }
    orr_id_columns_close(&r->id);
    orr_free(value);
    return st;
}

/* Every sample has its value. */
static orr_status check_all(const reader *r, const orr_id *id, const char *set)
{
    for (int64_t i = 0; i < r->ids.n; i++)
        if (r->value[i][0] == '\0')
            return orr_fail(ORR_ERR_FORMAT,
                            "%s: sample %s of %s is not in it; every sample needs a %s", r->t->path,
                            id[i], set, r->t->column);
    return ORR_OK;
}

orr_status orr_side_table_read(orr_id **value, const orr_side_table *t, const orr_dataset *set)
{
    int64_t n = orr_dataset_rows(set);
    reader r = { .t = t, .value = orr_alloc((size_t)n + 1, sizeof *r.value) };
    orr_id *id = NULL;
    orr_status st = r.value ? ORR_OK : orr_fail(ORR_ERR_NOMEM, "out of memory: %s", t->path);

    *value = NULL;
    ORR_TRY_GOTO(st, done, st);
    ORR_TRY_GOTO(st, done, orr_ids_of_set(&id, set));
    ORR_TRY_GOTO(st, done, orr_ids_create(&r.ids, (const orr_id *)id, n, orr_dataset_path(set)));
    ORR_TRY_GOTO(st, done, orr_columns_open(&r.columns, t->path, ""));
    ORR_TRY_GOTO(st, done, read_blocks(&r));
    ORR_TRY_GOTO(st, done, check_all(&r, (const orr_id *)id, orr_dataset_path(set)));
    *value = r.value;
    r.value = NULL;
done:
    orr_columns_close(r.columns);
    orr_ids_free(&r.ids);
    orr_free(r.value);
    orr_free(id);
    return st;
}

orr_status orr_side_table_groups(int64_t **group, const orr_side_table *t, const orr_dataset *set)
{
    int64_t n = orr_dataset_rows(set), *rank = NULL;
    orr_id *name = NULL;
    orr_status st;

    *group = NULL;
    ORR_TRY(orr_side_table_read(&name, t, set));
    rank = orr_alloc((size_t)n + 1, sizeof *rank);
    st = rank ? orr_groups_rank((const orr_id *)name, n, t->path, rank)
              : orr_fail(ORR_ERR_NOMEM, "out of memory: groups");
    orr_free(name);
    if (st != ORR_OK) orr_free(rank);
    if (st == ORR_OK) *group = rank;
    return st;
}
