/* data/shard.c - one shard: a plain file (data/storage/storage.h) of the schema and the rows,
 * written whole, and read back without an index. */
#include "data/shard_private.h"

#include "core/memory.h"

#include <inttypes.h>
#include <string.h>

enum { CHUNK_BYTES = 1 << 20, SLACK_BYTES = 1 << 20 /* metadata and alignment */ };

orr_status orr_rows_alloc(orr_rows *rows, const orr_schema *s, int64_t n)
{
    size_t most = (size_t)n;

    *rows = (orr_rows){ .x = orr_alloc(most, orr_schema_x_bytes(s)),
                        .y = orr_alloc(most, orr_schema_y_bytes(s)),
                        .id = orr_alloc(most, orr_schema_id_bytes(s)),
                        .aux = orr_alloc(most, orr_schema_aux_bytes(s)) };
    if (rows->x && rows->y && rows->id && rows->aux) return ORR_OK;
    orr_rows_free(rows);
    return orr_fail(ORR_ERR_NOMEM, "out of memory: %lld samples of %zu bytes", (long long)n,
                    orr_schema_x_bytes(s));
}

void orr_rows_free(orr_rows *rows)
{
    orr_free(rows->x);
    orr_free(rows->y);
    orr_free(rows->id);
    orr_free(rows->aux);
    *rows = (orr_rows){ 0 };
}

static orr_status check_rows(const orr_schema *s, const orr_rows *r, int number)
{
    if (r->n < 1) return orr_fail(ORR_ERR_ARG, "shard %d: no rows", number);
    for (int c = 0; c < ORR_N_COLUMNS; c++)
        if (orr_shard_column_bytes(s, c) > 0 && !orr_rows_column(r, c))
            return orr_fail(ORR_ERR_ARG, "shard %d: its rows have no column /%s", number,
                            orr_shard_column_name(c));
    for (int64_t i = 0; s->y_type == ORR_Y_CLASS && i < r->n; i++) {
        int32_t label = ((const int32_t *)r->y)[i];
        if (label < 0 || label >= s->n_classes)
            return orr_fail(ORR_ERR_FORMAT,
                            "shard %d: row %lld has the label %d; there are classes 0 to %d",
                            number, (long long)i, label, s->n_classes - 1);
    }
    return ORR_OK;
}

size_t orr_shard_room(const orr_schema *s, int64_t rows)
{
    size_t bytes = SLACK_BYTES;

    for (int c = 0; c < ORR_N_COLUMNS; c++)
        bytes += (size_t)rows * orr_shard_column_bytes(s, (orr_shard_column)c);
    return bytes;
}

static orr_status put_rows(orr_store_writer *w, const orr_schema *s, const orr_rows *rows,
                           const orr_shard_opts *o)
{
    int64_t per_chunk = orr_schema_rows_per_shard(s, CHUNK_BYTES / 1048576.0);

    if (per_chunk > rows->n) per_chunk = rows->n;
    for (int c = 0; c < ORR_N_COLUMNS; c++) {
        orr_store_array a = orr_shard_column_array(s, c, rows->n);
        const char *name = orr_shard_column_name(c);

        if (orr_shard_column_bytes(s, c) == 0) continue;
        if (c == ORR_COLUMN_X && o && o->compression > 0)
            ORR_TRY(orr_store_put_packed(w, name, a, per_chunk, o->compression, rows->x));
        else
            ORR_TRY(orr_store_put(w, name, a, orr_rows_column(rows, c)));
    }
    return ORR_OK;
}

orr_status orr_shard_write(const char *dir, int number, const orr_schema *s, const orr_rows *rows,
                           const orr_provenance *p, const orr_shard_opts *o)
{
    orr_store_writer *w;
    orr_status st;
    char name[ORR_SHARD_NAME_MAX], path[ORR_PATH_MAX];

    ORR_TRY(orr_schema_check(s));
    ORR_TRY(check_rows(s, rows, number));
    if (number < 0 || (o && (o->compression < 0 || o->compression > 9)))
        return orr_fail(ORR_ERR_ARG,
                        "shard %d: the number must not be negative, compression lies in 0..9",
                        number);
    orr_shard_name(name, number);
    ORR_TRY(orr_path_join(path, dir, name));
    if (orr_path_exists(path)) return orr_fail(ORR_ERR_EXISTS, "%s: exists already", path);
    st = orr_store_begin_plain(&w, path, orr_shard_room(s, rows->n));
    if (st == ORR_OK) st = orr_schema_put(w, ORR_SHARD_FORMAT, s, p);
    if (st == ORR_OK) st = put_rows(w, s, rows, o);
    return orr_store_commit(w, st);
}

/* ---- read back ---- */
orr_status orr_shard_load(orr_store_reader *r, const orr_schema *s, int64_t first, int64_t n,
                          const orr_rows *rows)
{
    for (int c = 0; c < ORR_N_COLUMNS; c++) {
        orr_store_array a = orr_shard_column_array(s, c, n);

        if (orr_rows_column(rows, c) && orr_shard_column_bytes(s, c) > 0)
            ORR_TRY(orr_store_get_rows(r, orr_shard_column_name(c), &a, first, n,
                                       orr_rows_column(rows, c)));
    }
    for (int64_t i = 0; s->y_type == ORR_Y_CLASS && rows->y && i < n; i++) {
        int32_t label = ((const int32_t *)rows->y)[i];
        if (label < 0 || label >= s->n_classes)
            return orr_fail(
                ORR_ERR_FORMAT, "%s: row %lld has the label %d; there are classes 0 to %d",
                orr_store_reader_path(r), (long long)(first + i), label, s->n_classes - 1);
    }
    return ORR_OK;
}

/* Opens a shard and says how many rows it has, if it is one of schema s. */
static orr_status open_alone(orr_store_reader **r, const char *path, const orr_schema *s,
                             int64_t *rows)
{
    orr_status st;
    orr_schema *have = orr_alloc(1, sizeof *have);

    *r = NULL;
    *rows = 0;
    if (!have) return orr_fail(ORR_ERR_NOMEM, "%s: no memory for a schema", path);
    ORR_TRY_GOTO(st, done, orr_store_open_checked(r, path, NULL));
    ORR_TRY_GOTO(st, done, orr_schema_get(*r, ORR_SHARD_FORMAT, have, rows));
    st = orr_schema_same_layout(s, have, path);
done:
    orr_free(have);
    return st;
}

orr_status orr_shard_rows(const char *path, const orr_schema *s, int64_t *rows)
{
    orr_store_reader *r;
    orr_status st = open_alone(&r, path, s, rows);

    orr_store_close(r);
    return st;
}

orr_status orr_shard_read(const char *path, const orr_schema *s, int64_t first, int64_t n,
                          orr_rows *rows)
{
    orr_store_reader *r;
    int64_t have;
    orr_status st = open_alone(&r, path, s, &have);

    if (st == ORR_OK && (first < 0 || n < 0 || first > have - n))
        st = orr_fail(ORR_ERR_ARG,
                      "%s: rows %" PRId64 " to %" PRId64 " asked of a shard of %" PRId64, path,
                      first, first + n - 1, have);
    else if (st == ORR_OK && n > 0)
        st = orr_shard_load(r, s, first, n, rows);
    if (st == ORR_OK) rows->n = n;
    orr_store_close(r);
    return st;
}
