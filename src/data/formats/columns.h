/* data/formats/columns.h - a catalogue as named columns, read once from its first row to its last.
 *
 * Formats, by content: csv (with header; plain, xz, gz, bz2, zst), a FITS binary table (cfitsio;
 * also packed), npy with a structured type.  Names compare without regard to case, as FITS wants it,
 * but an exact match wins.  A column that holds several values a row (FITS vectors, npy subarrays)
 * is asked for value by value: "CMODELMAG[2]" is its third, in the order of the file.  A csv's
 * delimiter is the first of , tab ; | in its header; lines before that which begin with # are left
 * out.  Memory does not grow with the number of rows (packed files are unpacked into memory).
 *
 * Integers must be whole and exact: "1237645876861337601" is one, "1.23764587686134E+18" is refused
 * with the advice that the ids were rounded when the table was exported.  "94.0" is 94 (below 2^53),
 * and so is 94 in a column of floats.  An empty or null field, and "nan", is NaN as a real, an error
 * as an integer, "" as a text (null: the word, or FITS's TNULL).  Numbers as texts are the shortest
 * that read back; logical values are 1 and 0.  Column numbers run from 0 to n - 1; those of picked
 * values lie above.
 * Not collective: one process reads.   Errors: ORR_ERR_IO, ORR_ERR_FORMAT naming file, line (or
 * row) and column; for a column that is not there also the nearest name. */
#ifndef ORR_DATA_FORMATS_COLUMNS_H
#define ORR_DATA_FORMATS_COLUMNS_H

#include "core/status.h"
#include "data/shard.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum { ORR_VALUE_INT, ORR_VALUE_REAL, ORR_VALUE_TEXT } orr_value_type;
typedef char orr_column_text[ORR_ID_TEXT_MAX + 1];

typedef struct orr_columns orr_columns;
/* table: name or number (1 = the first after the primary) of a FITS extension; "" = the first
 * table. */
orr_status orr_columns_open(orr_columns **out, const char *path, const char *table);
void orr_columns_close(orr_columns *c);
int orr_columns_n(const orr_columns *c);
const char *orr_columns_name(const orr_columns *c, int i);
/* The column called `name`; option says what wanted it ("catalogue.ra"). */
orr_status orr_columns_find(const orr_columns *c, const char *name, const char *option,
                            int *column);
/* What its values look like: the type of FITS and npy; for csv what the first 1000 rows allow. */
orr_status orr_columns_type(const orr_columns *c, int column, orr_value_type *type);

typedef struct orr_column_request {
    int column;
    orr_value_type type;
    void *values; /* room for max_rows int64_t, double or orr_column_text */
} orr_column_request;
/* The next rows, at most max_rows of them; *n = 0 at the end.  *first = number of the first of
 * them, from 0. */
orr_status orr_columns_next(orr_columns *c, const orr_column_request *requests, int n_requests,
                            int64_t max_rows, int64_t *first, int64_t *n);

#ifdef __cplusplus
}
#endif
#endif
