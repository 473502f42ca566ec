/* data/formats/columns_private.h - what the formats of named columns share.   Not collective. */
#ifndef ORR_DATA_FORMATS_COLUMNS_PRIVATE_H
#define ORR_DATA_FORMATS_COLUMNS_PRIVATE_H

#include "data/formats/bytes.h"
#include "data/formats/columns.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A csv that is read from its first row to its last. */
typedef struct orr_csv_stream orr_csv_stream;
/* Takes over bytes, also when it fails. */
orr_status orr_csv_stream_open(orr_csv_stream **out, orr_bytes *bytes, const char *path);
void orr_csv_stream_close(orr_csv_stream *s);
const char *orr_csv_stream_path(const orr_csv_stream *s);
int orr_csv_stream_n(const orr_csv_stream *s);
const char *orr_csv_stream_name(const orr_csv_stream *s, int i);
orr_status orr_csv_stream_type(const orr_csv_stream *s, int column, orr_value_type *type);
orr_status orr_csv_stream_next(orr_csv_stream *s, const orr_column_request *requests,
                               int n_requests, int64_t max_rows, int64_t *first, int64_t *n);

/* Puts a text into row i of a request.  NULL, or why it cannot stand there. */
const char *orr_column_put_text(const orr_column_request *r, int64_t i, const char *p, size_t n);

#ifdef __cplusplus
}
#endif
#endif
