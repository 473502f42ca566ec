/* data/formats/csv.h - comma separated values: RFC 4180 with any one-byte delimiter, CRLF or LF,
 * BOM, empty lines skipped.
 *
 * Quotes count only where they begin a field.  A row is known by its first byte: scanning cuts a
 * file into parts and counts, for each, the rows that begin in it, once supposing that the part
 * begins outside quotes and once inside; the number of quotes of all earlier parts then tells which
 * it was.   Not collective. */
#ifndef ORR_DATA_FORMATS_CSV_H
#define ORR_DATA_FORMATS_CSV_H

#include "data/formats/bytes.h"
#include "data/formats/number.h"
#include "data/formats/table_private.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { ORR_CSV_FIELD_MAX = 512, ORR_CSV_INDEX_STEP = 64 };

typedef enum {
    ORR_COL_SKIP,
    ORR_COL_FEATURE,
    ORR_COL_LABEL,
    ORR_COL_ID,
    ORR_COL_TARGET,
    ORR_COL_AUX
} orr_col_role;

/* A run of neighbouring columns with one role; features, targets and aux numbers also have
 * neighbouring places in the row. */
typedef struct orr_csv_run {
    orr_col_role role;
    int column, n, place;
} orr_csv_run;

typedef struct orr_csv_file {
    const char *path;
    orr_bytes bytes;
    const char *data, *end; /* without BOM and header */
    int first_part, n_parts;
    int64_t first_row, rows; /* after the scan */
} orr_csv_file;

/* A row that begins in a part, and how many before it in the part pass the filter. */
typedef struct orr_csv_mark {
    const char *row;
    int64_t kept;
} orr_csv_mark;

typedef struct orr_csv_part {
    const char *begin, *end;
    int file;
    int64_t first_row, rows;  /* after the scan */
    int64_t first_kept, kept; /* the same of rows that pass the filter */
    int inside;               /* the part begins within quotes */
    orr_csv_mark *index;      /* every 64th row, if this rank scanned it; for inside = 0 */
    int64_t n_index;
} orr_csv_part;

typedef struct orr_csv {
    orr_table base;
    char delimiter;
    int n_columns, has_names;
    char **names;                             /* of columns; NULL without header */
    int n_features, n_targets, n_aux_columns; /* the last: those that are nothing else */
    struct {
        orr_col_role role; /* an aux number may also be a feature or target */
        int place;
    } aux[ORR_MAX_AUX];
    orr_csv_run *runs;
    int n_runs, n_label_runs; /* all; those up to the label and id */
    orr_csv_file *files;
    orr_csv_part *parts;
} orr_csv;

/* One field; text points into the file, or into buf when quotes had to come off. */
typedef struct orr_csv_field {
    const char *p, *end;
    int quoted;
    char buf[ORR_CSV_FIELD_MAX];
} orr_csv_field;

/* Reads the field at the cursor and moves behind its delimiter.  ORR_ERR_FORMAT when a quoted field
 * is followed by anything but a delimiter or line end, is not closed, or is longer than
 * ORR_CSV_FIELD_MAX with doubled quotes in it; `why` then says so. */
orr_status orr_csv_field_read(orr_csv_field *f, orr_cursor *c, char delimiter, const char **why);
/* Is there no row at p: an empty line or the end? */
int orr_csv_blank(const char *p, const char *end);
/* The end of the line at p that is not within quotes (p is outside): at its newline, or the end. */
const char *orr_csv_line_end(const char *p, const char *end);
/* Line number (from 1) of p. */
int64_t orr_csv_line(const orr_csv_file *f, const char *p);
/* Which column a word means: a name, or a number from 1; -1 and the sentence when none. */
orr_status orr_csv_column(const orr_csv *c, const char *option, const char *word, int *column);
/* "column 5 (FLUX.4)" */
void orr_csv_column_name(const orr_csv *c, int column, char *buf, size_t bytes);
/* Roles of all columns from the options: runs, numbers of features and targets. */
orr_status orr_csv_select(orr_csv *c, const orr_table_opts *o);

orr_status orr_csv_scan_part(const orr_table *t, int part, orr_scan *out);
orr_status orr_csv_scan_end(orr_table *t, const orr_scan *parts);
/* Where a row begins, and its number in all files, those included that do not pass the filter. */
typedef struct orr_csv_row {
    const char *p;
    int64_t number;
} orr_csv_row;
/* Rows [first, first + n) of those that pass the filter, counted over all files. */
orr_status orr_csv_locate(const orr_csv *c, int64_t first, int64_t n, orr_csv_row *rows,
                          int threads);
/* Does the row at p pass the filter?  A row that cannot be read does: reading it says why. */
int orr_csv_passes(const orr_csv *c, const orr_csv_file *f, const char *p);

orr_status orr_csv_read(const orr_table *t, int64_t first, int64_t n, orr_rows *rows, int threads);
orr_status orr_csv_label_range(const orr_table *t, int64_t first, int64_t n, int32_t *max_label,
                               int *max_id_bytes);

#ifdef __cplusplus
}
#endif
#endif
