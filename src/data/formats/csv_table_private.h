/* data/formats/csv_table_private.h - a text table's rows as samples: what choosing, scanning
 * (csv_scan.c) and reading (csv_table.c) share.
 *
 * A row is known by its first byte: scanning cuts a file into parts and counts, for each, the rows
 * that begin in it, once supposing that the part begins outside quotes and once inside; the number
 * of quotes of all earlier parts then tells which it was.   Not collective. */
#ifndef ORR_DATA_FORMATS_CSV_TABLE_PRIVATE_H
#define ORR_DATA_FORMATS_CSV_TABLE_PRIVATE_H

#include "data/formats/choice.h"
#include "data/formats/csv.h"
#include "data/formats/table_private.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { ORR_CSV_INDEX_STEP = 64 };

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

/* The parts of a file, and its rows after the scan. */
typedef struct orr_csv_span {
    int first_part, n_parts;
    int64_t first_row, rows;
} orr_csv_span;

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

typedef struct orr_csv_table {
    orr_table base;
    orr_csv_file *files; /* all of one header; names and n_columns are the first's */
    orr_csv_span *spans; /* of the files */
    int n_open;
    orr_choice choice;
    int n_features, n_targets, n_aux_columns; /* the last: those that are nothing else */
    struct {
        orr_col_role role; /* an aux number may also be a feature, a target or the label */
        int place;
    } aux[ORR_MAX_AUX];
    int label_is_number; /* it is an aux number, too */
    orr_csv_run *runs;
    int n_runs, n_label_runs; /* all; those up to the label and id */
    orr_csv_part *parts;
} orr_csv_table;

/* Cuts all files into parts of about part_bytes. */
orr_status orr_csv_make_parts(orr_csv_table *c, size_t part_bytes);
orr_status orr_csv_scan_part(const orr_table *t, int part, orr_scan *out);
orr_status orr_csv_scan_end(orr_table *t, const orr_scan *parts);
/* Where a row begins, and its number in all files, those included that do not pass the filter. */
typedef struct orr_csv_row {
    const char *p;
    int64_t number;
} orr_csv_row;
/* Rows [first, first + n) of those that pass the filter, counted over all files. */
orr_status orr_csv_locate(const orr_csv_table *c, int64_t first, int64_t n, orr_csv_row *rows,
                          int threads);

#ifdef __cplusplus
}
#endif
#endif
