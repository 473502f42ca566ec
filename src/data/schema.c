/* data/schema.c - what all samples of a set have in common: sizes, checks, names of shards, and the
 * columns a shard stores. */
#include "data/shard_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
               "shards are written as they lie in memory");

static const size_t x_bytes_of[] = { [ORR_X_F32] = 4, [ORR_X_F16] = 2, [ORR_X_U8] = 1 };

size_t orr_schema_x_bytes(const orr_schema *s)
{
    return (size_t)s->h * (size_t)s->w * (size_t)s->c * x_bytes_of[s->x_type];
}

size_t orr_schema_y_bytes(const orr_schema *s)
{
    if (s->y_type == ORR_Y_NONE) return 0;
    return s->y_type == ORR_Y_CLASS ? sizeof(int32_t) : (size_t)s->y_width * sizeof(float);
}

size_t orr_schema_id_bytes(const orr_schema *s)
{
    return s->id_type == ORR_ID_INT ? sizeof(int64_t) : (size_t)s->id_bytes;
}

size_t orr_schema_aux_bytes(const orr_schema *s)
{
    return (size_t)s->n_aux * sizeof(float);
}

int64_t orr_schema_rows_per_shard(const orr_schema *s, double mib)
{
    double rows = mib * 1048576.0 / (double)orr_schema_x_bytes(s);

    if (!(rows >= 1)) return 1;
    return rows < 1e15 ? (int64_t)rows : (int64_t)1e15;
}

orr_status orr_schema_check_shape(const orr_schema *s)
{
    int64_t n;

    if (s->n_dims < 1 || s->n_dims > 3)
        return orr_fail(ORR_ERR_SHAPE,
                        "a sample has %d dimensions; 1 (c), 2 (w, c) or 3 (h, w, c) are possible",
                        s->n_dims);
    if (s->h < 1 || s->w < 1 || s->c < 1 || (s->n_dims < 3 && s->h != 1) ||
        (s->n_dims < 2 && s->w != 1))
        return orr_fail(ORR_ERR_SHAPE,
                        "a sample of %d dimensions cannot have the shape (%d, %d, %d)", s->n_dims,
                        s->h, s->w, s->c);
    if (__builtin_mul_overflow((int64_t)s->h * s->w, (int64_t)s->c, &n) || n > INT32_MAX)
        return orr_fail(ORR_ERR_SHAPE, "a sample of (%d, %d, %d) numbers is too large", s->h, s->w,
                        s->c);
    return ORR_OK;
}

orr_status orr_schema_check(const orr_schema *s)
{
    if ((unsigned)s->x_type > ORR_X_U8 || (unsigned)s->y_type > ORR_Y_VALUE ||
        (unsigned)s->id_type > ORR_ID_TEXT)
        return orr_fail(ORR_ERR_ARG, "schema: unknown type of x, y or id");
    ORR_TRY(orr_schema_check_shape(s));
    if (s->y_type == ORR_Y_CLASS && (s->n_classes < 1 || s->n_classes > ORR_MAX_CLASSES))
        return orr_fail(ORR_ERR_SHAPE, "%d classes; 1 to %d are possible", s->n_classes,
                        ORR_MAX_CLASSES);
    if (s->y_type == ORR_Y_VALUE && (s->y_width < 1 || s->y_width > 65536))
        return orr_fail(ORR_ERR_SHAPE, "targets of %d numbers; 1 to 65536 are possible",
                        s->y_width);
    if (s->id_type == ORR_ID_TEXT && (s->id_bytes < 1 || s->id_bytes > ORR_ID_TEXT_MAX))
        return orr_fail(ORR_ERR_SHAPE, "ids of %d bytes; 1 to %d are possible", s->id_bytes,
                        ORR_ID_TEXT_MAX);
    if (s->n_aux < 0 || s->n_aux > ORR_MAX_AUX)
        return orr_fail(ORR_ERR_SHAPE, "%d aux numbers beside a sample; 0 to %d are possible",
                        s->n_aux, ORR_MAX_AUX);
    return ORR_OK;
}

void orr_shard_name(char out[ORR_SHARD_NAME_MAX], int number)
{
    snprintf(out, ORR_SHARD_NAME_MAX, "shard-%05d.h5", number);
}

int orr_shard_number(const char *name, int tmp)
{
    static const char start[] = "shard-";
    char stem[ORR_SHARD_NAME_MAX], full[ORR_SHARD_NAME_MAX + 4];
    long number;

    if (strncmp(name, start, sizeof start - 1) != 0) return -1;
    number = strtol(name + sizeof start - 1, NULL, 10); /* anything odd is no match below */
    if (number < 0 || number > 999999999) return -1;
    orr_shard_name(stem, (int)number);
    snprintf(full, sizeof full, "%s.tmp", stem);
    return strcmp(name, stem) == 0 || (tmp && strcmp(name, full) == 0) ? (int)number : -1;
}

/* ---- columns ---- */
const char *orr_shard_column_name(orr_shard_column c)
{
    static const char *const names[ORR_N_COLUMNS] = { "id", "y", "aux", "x" };

    return names[c];
}

size_t orr_shard_column_bytes(const orr_schema *s, orr_shard_column c)
{
    if (c == ORR_COLUMN_ID) return orr_schema_id_bytes(s);
    if (c == ORR_COLUMN_Y) return orr_schema_y_bytes(s);
    return c == ORR_COLUMN_AUX ? orr_schema_aux_bytes(s) : orr_schema_x_bytes(s);
}

static orr_store_array x_array(const orr_schema *s, int64_t n)
{
    static const orr_store_type types[] = { [ORR_X_F32] = { ORR_STORE_FLOAT, 4 },
                                            [ORR_X_F16] = { ORR_STORE_FLOAT, 2 },
                                            [ORR_X_U8] = { ORR_STORE_UINT, 1 } };
    const int all[3] = { s->h, s->w, s->c };
    orr_store_array a = { types[s->x_type], 1 + s->n_dims, { n } };

    for (int i = 0; i < s->n_dims; i++)
        a.dims[1 + i] = all[3 - s->n_dims + i];
    return a;
}

orr_store_array orr_shard_column_array(const orr_schema *s, orr_shard_column c, int64_t n)
{
    if (c == ORR_COLUMN_X) return x_array(s, n);
    if (c == ORR_COLUMN_AUX) return orr_store_matrix(ORR_STORE_F32, n, s->n_aux);
    if (c == ORR_COLUMN_ID)
        return orr_store_vector(
            s->id_type == ORR_ID_INT ? ORR_STORE_I64 : ORR_STORE_TEXT_OF((size_t)s->id_bytes), n);
    if (s->y_type == ORR_Y_CLASS) return orr_store_vector(ORR_STORE_I32, n);
    return s->y_width > 1 ? orr_store_matrix(ORR_STORE_F32, n, s->y_width)
                          : orr_store_vector(ORR_STORE_F32, n);
}

void *orr_rows_column(const orr_rows *r, orr_shard_column c)
{
    if (c == ORR_COLUMN_ID) return r->id;
    if (c == ORR_COLUMN_Y) return r->y;
    return c == ORR_COLUMN_AUX ? r->aux : r->x;
}
