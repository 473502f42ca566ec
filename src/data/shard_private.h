/* data/shard_private.h - what writer, index and reader of shard sets share: names, and how a schema
 * lies in a file.  Private to data/.   Not collective. */
#ifndef ORR_DATA_SHARD_PRIVATE_H
#define ORR_DATA_SHARD_PRIVATE_H

#include "core/file.h"
#include "data/shard.h"
#include "data/storage/storage.h"

#ifdef __cplusplus
extern "C" {
#endif

#define ORR_SHARD_FORMAT "orrery-shard-1"
#define ORR_INDEX_FORMAT "orrery-index-1"
#define ORR_INDEX_NAME   "index.h5"

enum { ORR_SHARD_NAME_MAX = 32 };

/* "shard-00012.h5" */
void orr_shard_name(char out[ORR_SHARD_NAME_MAX], int number);
/* Number of a shard's name (a trailing .tmp allowed when tmp is set), -1 when it is none. */
int orr_shard_number(const char *name, int tmp);

orr_status orr_schema_check(const orr_schema *s);
orr_status orr_schema_check_shape(const orr_schema *s); /* of a sample alone */
/* The datasets of a shard, in the order in which they are created and lie in the file. */
typedef enum {
    ORR_COLUMN_ID,
    ORR_COLUMN_Y,
    ORR_COLUMN_AUX,
    ORR_COLUMN_X,
    ORR_N_COLUMNS
} orr_shard_column;
const char *orr_shard_column_name(orr_shard_column c); /* without the slash */
size_t orr_shard_column_bytes(const orr_schema *s,
                              orr_shard_column c); /* of a row; 0: there is no such one */
/* Type and shape of n rows. */
orr_store_array orr_shard_column_array(const orr_schema *s, orr_shard_column c, int64_t n);
void *orr_rows_column(const orr_rows *r, orr_shard_column c);

/* The room on a disk that a shard of so many rows needs. */
size_t orr_shard_room(const orr_schema *s, int64_t rows);
/* n names as an attribute, unless all are empty. */
orr_status orr_names_put(orr_store_writer *w, const char *attribute,
                         const char names[][ORR_DATA_NAME_MAX], int n);
/* Attributes: format, schema, provenance. */
orr_status orr_schema_put(orr_store_writer *w, const char *format, const orr_schema *s,
                          const orr_provenance *p);
/* Checks the format attribute and reads schema and number of rows from attributes and arrays. */
orr_status orr_schema_get(orr_store_reader *r, const char *format, orr_schema *s, int64_t *rows);
/* ORR_ERR_FORMAT saying in what the file at path (schema s) differs from the set; _layout leaves
 * names and units aside. */
orr_status orr_schema_same(const orr_schema *set, const orr_schema *s, const char *path);
orr_status orr_schema_same_layout(const orr_schema *set, const orr_schema *s, const char *path);
/* Rows [first, first + n), n >= 1, of a shard of schema s into the columns that rows has a place
 * for; labels are checked.  rows->n is not looked at. */
orr_status orr_shard_load(orr_store_reader *r, const orr_schema *s, int64_t first, int64_t n,
                          const orr_rows *rows);

#ifdef __cplusplus
}
#endif
#endif
