/* data/formats/csv.h - the one tokenizer of text tables: rows of fields between delimiters, for
 * import, catalogues, side files and sample submissions alike.
 *
 * RFC 4180 with any one-byte delimiter, LF or CRLF, a byte order mark; empty lines are no rows.
 * Blanks (and tabs) around a field are no part of it.  A field that begins with a quote ends with
 * one, quotes within it are written twice; in other fields quotes are plain bytes, which must come
 * in pairs, so that where rows begin can be told by counting them.  A row has as many fields as the
 * first.
 *
 * Before the table, lines whose first character (but for blanks) is # are comments (unless the file
 * is said to have no header: then every line is a row).  The last of them is the header (without
 * its #) when it has as many fields as the row below and that row has a number in it, as
 * numpy.savetxt and TOPCAT write one; else the first row is, unless all its fields are numbers.
 *
 * What a field means is text_value.h's and number.h's.   Not collective; read only after opening.
 * Errors: ORR_ERR_FORMAT naming file and line, ORR_ERR_NOMEM. */
#ifndef ORR_DATA_FORMATS_CSV_H
#define ORR_DATA_FORMATS_CSV_H

#include "data/formats/bytes.h"
#include "data/formats/number.h"

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { ORR_CSV_FIELD_MAX = 512 };

/* One field; text points into the file, or into buf when quotes had to come off. */
typedef struct orr_csv_field {
    const char *p, *end;
    int quoted;
    char buf[ORR_CSV_FIELD_MAX];
} orr_csv_field;

typedef enum { ORR_CSV_AUTO, ORR_CSV_HEADER, ORR_CSV_NO_HEADER } orr_csv_header;

typedef struct orr_csv_opts {
    orr_csv_header header;
    int rows_only;  /* no line is a comment */
    char delimiter; /* 0: of , tab ; | the one that stands first in the first row */
} orr_csv_opts;

typedef struct orr_csv_file {
    char *path;
    orr_bytes bytes;
    char delimiter;
    int n_columns;
    char **names;           /* NULL: no header */
    const char *top;        /* the header or, without one, the first row */
    const char *data, *end; /* the rows */
} orr_csv_file;

/* Takes over bytes, also when it fails (then nothing is held), and reads the header. */
orr_status orr_csv_open(orr_csv_file *f, orr_bytes *bytes, const char *path, const orr_csv_opts *o);
void orr_csv_close(orr_csv_file *f);

/* Reads the field at the cursor and moves behind its delimiter.  ORR_ERR_FORMAT when a quoted field
 * is followed by anything but a delimiter or line end, is not closed, or is longer than
 * ORR_CSV_FIELD_MAX with doubled quotes in it, or when another has a single quote; `why` then says
 * so, and no error text is set. */
orr_status orr_csv_field_read(orr_csv_field *f, orr_cursor *c, char delimiter, const char **why);
static inline size_t orr_csv_field_bytes(const orr_csv_field *f)
{
    return (size_t)(f->end - f->p);
}
/* The same, up to what a message shows of it. */
int orr_csv_field_shown(const orr_csv_field *f);
/* The sentence for a row whose fields are not as many as the columns, or of which one cannot be
 * read; ORR_OK when there is nothing wrong with them. */
orr_status orr_csv_check_row(const orr_csv_file *f, const char *row);
/* "column 5 (FLUX.4)"; "field 7" beyond the last column. */
void orr_csv_column_name(const orr_csv_file *f, int column, char *buf, size_t bytes);
/* Is there no row at p: an empty line or the end? */
int orr_csv_blank(const char *p, const char *end);
/* The end of the line at p that is not within quotes (p is outside): at its newline, or the end. */
const char *orr_csv_line_end(const char *p, const char *end);
/* The first row at p (the beginning of a line) or behind it; end when there is none. */
const char *orr_csv_next_row(const char *p, const char *end);
/* Line number (from 1) of p. */
int64_t orr_csv_line(const orr_csv_file *f, const char *p);

#ifdef __cplusplus
}
#endif
#endif
