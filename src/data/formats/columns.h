/* data/formats/columns.h - a table as named columns, read once from its first row to its last:
 * catalogues, side files of groups and folds, sample submissions.
 *
 * The format is told by the bytes, unpacked: any that opens as text (with a header) or as records
 * (list.h).  Names are matched as names.h says.  A column that holds several values a row (FITS
 * vectors, npy subarrays) is asked for value by value: "CMODELMAG[2]" is its third, in the order of
 * the file.  Memory does not grow with the number of rows (packed files are unpacked into memory).
 *
 * What a value means is text_value.h's: integers must be whole and exact; an empty or null field is
 * NaN as a real, an error as an integer, "" as a text or an id (null: the words, or FITS's TNULL).
 * Numbers as texts are the shortest that read back; logical values are 1 and 0.  Column numbers run
 * from 0 to n - 1; those of picked values lie above. Not collective: one process reads.   Errors:
 * ORR_ERR_IO, ORR_ERR_FORMAT naming file, line (or row) and column; for a column that is not there
 * also the nearest name. */
#ifndef ORR_DATA_FORMATS_COLUMNS_H
#define ORR_DATA_FORMATS_COLUMNS_H

#include "core/status.h"
#include "data/formats/text_value.h"
#include "data/shard.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef char orr_column_text[ORR_ID_TEXT_MAX + 1];

typedef struct orr_columns orr_columns;
/* table: name or number (1 = the first after the primary) of a FITS extension; "" = the first
 * table. */
orr_status orr_columns_open(orr_columns **out, const char *path, const char *table);
void orr_columns_close(orr_columns *c);
int orr_columns_n(const orr_columns *c);
const char *orr_columns_name(const orr_columns *c, int i);
const char *orr_columns_path(const orr_columns *c); /* for messages */
/* The column called `name`; option says what wanted it ("catalogue.ra"). */
orr_status orr_columns_find(const orr_columns *c, const char *name, const char *option,
                            int *column);
/* What its values look like: the type of FITS and npy; for csv what the first 1000 rows allow. */
orr_status orr_columns_type(const orr_columns *c, int column, orr_value_type *type);

/* What a FITS table says of a column's unit (TUNITn); "" = nothing. */
const char *orr_columns_unit(const orr_columns *c, int column);
/* RADESYS (or RADECSYS), EQUINOX or EPOCH of a FITS table; "" = not there. */
const char *orr_columns_keyword(const orr_columns *c, const char *key);

typedef struct orr_column_request {
    int column;
    orr_value_type type;
    void *values; /* room for max_rows int64_t, double or orr_column_text (texts, ids) */
} orr_column_request;
/* The next rows, at most max_rows of them; *n = 0 at the end.  *first = number of the first of
 * them, from 0. */
orr_status orr_columns_next(orr_columns *c, const orr_column_request *requests, int n_requests,
                            int64_t max_rows, int64_t *first, int64_t *n);

#ifdef __cplusplus
}
#endif
#endif
