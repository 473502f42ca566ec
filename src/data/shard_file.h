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
/* Takes the room a file will need, so that nothing later meets a full disk: ORR_ERR_IO.  Its size
 * stays as it is. */
orr_status orr_file_reserve(int fd, const char *path, size_t bytes);
/* Types as stored, for the caller to H5Tclose. */
hid_t orr_schema_x_type(const orr_schema *s);
hid_t orr_schema_y_type(const orr_schema *s);
hid_t orr_schema_id_type(const orr_schema *s);
/* Dimensions of n rows; return the rank. */
int orr_schema_x_dims(const orr_schema *s, int64_t n, hsize_t dims[4]);
int orr_schema_y_dims(const orr_schema *s, int64_t n, hsize_t dims[2]);

/* Root attributes: format, schema, provenance. */
orr_status orr_schema_put(hid_t file, const char *format, const orr_schema *s,
                          const orr_provenance *p);
/* Checks the format attribute and reads schema and number of rows from attributes and datasets. */
orr_status orr_schema_get(hid_t file, const char *path, const char *format, orr_schema *s,
                          int64_t *rows);
/* ORR_ERR_FORMAT saying in what the file at path (schema s) differs from the set. */
orr_status orr_schema_same(const orr_schema *set, const orr_schema *s, const char *path);
/* Labels or values (y; may be NULL when there are none) and ids of one shard; labels are checked.
 */
orr_status orr_shard_columns(hid_t file, const char *path, const orr_schema *s, int64_t rows,
                             void *y, void *id);

#ifdef __cplusplus
}
#endif
#endif
