/* data/shard_shared.c - one shard, many writers.
 * The layout is made by one process with the calls of shard.c in their order (the parallel
 * driver would place small arrays elsewhere); rows then go through the shared file. */
#include "data/shard_shared.h"

#include "core/memory.h"
#include "data/shard_private.h"

#include <stdio.h>

struct orr_shared_shard {
    char path[ORR_PATH_MAX];
    orr_schema schema;
    int64_t rows;
    orr_store_shared *file;
    orr_shard_column columns[ORR_N_COLUMNS]; /* those that there are */
    int n_columns;
};

static orr_status name_file(char path[ORR_PATH_MAX], const char *dir, int number)
{
    char name[ORR_SHARD_NAME_MAX];

    orr_shard_name(name, number);
    return orr_path_join(path, dir, name);
}

/* ---- one rank: the layout ---- */
static orr_status lay_out(orr_store_writer *w, const orr_schema *s, int64_t rows,
                          const orr_provenance *p)
{
    ORR_TRY(orr_schema_put(w, ORR_SHARD_FORMAT, s, p));
    for (int c = 0; c < ORR_N_COLUMNS; c++)
        if (orr_shard_column_bytes(s, (orr_shard_column)c) > 0)
            ORR_TRY(orr_store_lay_out(w, orr_shard_column_name((orr_shard_column)c),
                                      orr_shard_column_array(s, (orr_shard_column)c, rows)));
    return ORR_OK;
}

orr_status orr_shared_shard_lay_out(const char *dir, int number, const orr_schema *s, int64_t rows,
                                    const orr_provenance *p)
{
    char path[ORR_PATH_MAX];
    orr_store_writer *w;
    orr_status st;

    ORR_TRY(orr_schema_check(s));
    if (number < 0 || rows < 1)
        return orr_fail(ORR_ERR_ARG, "shard %d of %lld rows: it needs a number and a row", number,
                        (long long)rows);
    ORR_TRY(name_file(path, dir, number));
    if (orr_path_exists(path)) return orr_fail(ORR_ERR_EXISTS, "%s: exists already", path);
    st = orr_store_begin_plain(&w, path, orr_shard_room(s, rows));
    if (st == ORR_OK) st = lay_out(w, s, rows, p);
    return orr_store_leave(w, st);
}

/* ---- all ranks ---- */
orr_status orr_shared_shard_create(orr_shared_shard **out, const char *dir, int number,
                                   const orr_schema *s, int64_t rows)
{
    const char *names[ORR_N_COLUMNS];
    orr_shared_shard *f = *out = orr_alloc(1, sizeof *f);

    if (!f) return orr_fail(ORR_ERR_NOMEM, "out of memory: a shared shard");
    f->schema = *s;
    f->rows = rows;
    for (int c = 0; c < ORR_N_COLUMNS; c++)
        if (orr_shard_column_bytes(s, (orr_shard_column)c) > 0) {
            names[f->n_columns] = orr_shard_column_name((orr_shard_column)c);
            f->columns[f->n_columns++] = (orr_shard_column)c;
        }
    ORR_TRY(name_file(f->path, dir, number));
    return orr_store_shared_create(&f->file, f->path, names, f->n_columns);
}

orr_status orr_shared_shard_open(orr_shared_shard *f, const orr_store_ranks *ranks)
{
    return orr_store_shared_open(f->file, ranks);
}

static orr_status check_write(const orr_shared_shard *f, int64_t first, const orr_rows *r)
{
    const int32_t *labels = r->y;

    if (r->n < 0 || first < 0 || first > f->rows - r->n)
        return orr_fail(ORR_ERR_ARG, "%s: rows %lld to %lld of %lld", f->path, (long long)first,
                        (long long)(first + r->n), (long long)f->rows);
    for (int i = 0; i < f->n_columns && r->n > 0; i++)
        if (!orr_rows_column(r, f->columns[i]))
            return orr_fail(ORR_ERR_ARG, "%s: its rows have no column /%s", f->path,
                            orr_shard_column_name(f->columns[i]));
    for (int64_t i = 0; f->schema.y_type == ORR_Y_CLASS && i < r->n; i++)
        if (labels[i] < 0 || labels[i] >= f->schema.n_classes)
            return orr_fail(ORR_ERR_FORMAT,
                            "%s: row %lld has the label %d; there are classes 0 to %d", f->path,
                            (long long)(first + i), labels[i], f->schema.n_classes - 1);
    return ORR_OK;
}

orr_status orr_shared_shard_write(orr_shared_shard *f, int64_t first, const orr_rows *rows)
{
    orr_status st = orr_store_shared_fail(f->file, check_write(f, first, rows));
    int64_t n = st == ORR_OK ? rows->n : 0;

    if (n == 0) first = 0;
    for (int i = 0; i < f->n_columns; i++)
        st = orr_store_shared_write(f->file, i, first, n,
                                    n > 0 ? orr_rows_column(rows, f->columns[i]) : NULL);
    return st;
}

orr_status orr_shared_shard_close(orr_shared_shard *f)
{
    orr_status st;

    if (!f) return ORR_OK;
    st = orr_store_shared_close(f->file);
    orr_free(f);
    return st;
}

orr_status orr_shared_shard_commit(const char *dir, int number, int keep)
{
    char path[ORR_PATH_MAX];

    ORR_TRY(name_file(path, dir, number));
    return orr_store_name_tmp(path, keep);
}
