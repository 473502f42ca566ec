/* data/shard_file.h - what writer, index and reader of shard sets share: names, and how a schema
 * lies in an HDF5 file. Private to data/.  Messages name the file by `path`.   Not collective. */
#ifndef ORR_DATA_SHARD_FILE_H
#define ORR_DATA_SHARD_FILE_H

#include "core/file.h"
#include "data/hdf5_util.h"
#include "data/shard.h"

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
/* Takes the room a file will need, so that nothing later meets a full disk: ORR_ERR_IO.  Its size
 * stays as it is. */
orr_status orr_file_reserve(int fd, const char *path, size_t bytes);
/* Gives back what was reserved beyond the file's end. */
void orr_file_trim(int fd);
/* Types as stored, for the caller to H5Tclose. */
hid_t orr_schema_x_type(const orr_schema *s);
hid_t orr_schema_y_type(const orr_schema *s);
hid_t orr_schema_id_type(const orr_schema *s);
/* Dimensions of n rows; return the rank. */
int orr_schema_x_dims(const orr_schema *s, int64_t n, hsize_t dims[4]);
int orr_schema_y_dims(const orr_schema *s, int64_t n, hsize_t dims[2]);

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
hid_t orr_shard_column_type(const orr_schema *s, orr_shard_column c); /* to H5Tclose */
int orr_shard_column_dims(const orr_schema *s, orr_shard_column c, int64_t n,
                          hsize_t dims[4]); /* the rank */
void *orr_rows_column(const orr_rows *r, orr_shard_column c);

/* n names as an attribute, unless all are empty. */
orr_status orr_names_put(hid_t file, const char *attribute, const char names[][ORR_DATA_NAME_MAX],
                         int n);
/* Root attributes: format, schema, provenance. */
orr_status orr_schema_put(hid_t file, const char *format, const orr_schema *s,
                          const orr_provenance *p);
/* Checks the format attribute and reads schema and number of rows from attributes and datasets. */
orr_status orr_schema_get(hid_t file, const char *path, const char *format, orr_schema *s,
                          int64_t *rows);
/* ORR_ERR_FORMAT saying in what the file at path (schema s) differs from the set; _layout leaves
 * names and units aside. */
orr_status orr_schema_same(const orr_schema *set, const orr_schema *s, const char *path);
orr_status orr_schema_same_layout(const orr_schema *set, const orr_schema *s, const char *path);
/* Rows [first, first + n), n >= 1, of a shard of schema s into the columns that rows has a place
 * for; labels are checked.  rows->n is not looked at. */
orr_status orr_shard_load(hid_t file, const char *path, const orr_schema *s, int64_t first,
                          int64_t n, const orr_rows *rows);

#ifdef __cplusplus
}
#endif
#endif
