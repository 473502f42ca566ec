/* data/formats/table.h - survey files as rows of samples, whatever their format (list.h).
 *
 * A table source knows its schema and row count after it was opened, and gives any range of rows in
 * the form a shard stores (orr_rows), from any rank and thread.  Files hold named columns (text or
 * records) or arrays.  Several inputs of one format and schema form one table, in the order they
 * are listed.
 *
 * Columns: by name, or by number from 1.  A column of records may hold several values (a FITS
 * vector such as CMODELMAG): its name means all of them, "CMODELMAG[2]" the third.  names.h says
 * which name means which column.  Features, targets and aux numbers take the columns' names into
 * the schema (orr_schema_name_features, y_names, aux_names), whatever the shape of a sample.  What
 * may be what, choice.h says; an aux number that is a feature, too, is taken before scale_rows.
 *
 * Where: conditions on columns, all of which must hold; a column's value must be one of those
 * listed, compared as labels are (19-digit ids exactly).  The table then has the rows that pass,
 * and skip_rows and max_rows count those; ids that are row numbers stay those of the whole files.
 * A csv is filtered while it is scanned, records when they are opened.
 *
 * Ids: from the id columns (several are joined: id.h) or array, else row numbers from id_start.
 * Labels: class numbers through `classes` (a list of the values that may stand in the label column,
 * in class order: [1, 2] makes 1 class 0 and 2 class 1; absent: those that the labels have, see
 * orr_table_learn; "numbers" or class_names alone: the values are class numbers 0..K-1, K = largest
 * + 1), or float targets.
 *
 * Labels compare as numbers when both are ("2" is "2.0"; whole ones exactly), else as texts.  What
 * an id is, id.h says: integers, or all texts when one of them is none.  Row numbers count from the
 * first row of the data, skipped ones included, so that skip_rows moves no id.
 *
 * A value that is none (values.h) is refused, kept as NaN, or marks its row as one to drop, as
 * `nan` says; messages name file, line and column (csv) or file, array and index.  Under drop a
 * label that is none is -1.  Of several faults the one in the lowest row is reported, whatever the
 * threads. Not collective: in parallel every rank opens the table (memory maps, but a packed csv is
 * unpacked into memory by each rank), then reads what it was dealt.  The scan of a csv (where do
 * rows begin?) can be shared: see orr_table_scan_part. A file must not change while it is open.
 * hdf5 inputs: no other thread may use HDF5 meanwhile.
 *
 * What text is, csv.h says; what a value means, text_value.h.  Numbers are rounded once to double
 * and once to float32, as numpy's astype does.
 * Errors: ORR_ERR_IO, ORR_ERR_FORMAT (what the file holds), ORR_ERR_UNSUPPORTED (dtypes, by
 * name), ORR_ERR_SHAPE, ORR_ERR_OPTION (what the job file asks for), ORR_ERR_NOMEM. */
#ifndef ORR_DATA_FORMATS_TABLE_H
#define ORR_DATA_FORMATS_TABLE_H

#include "core/config.h"
#include "core/options.h"
#include "core/status.h"
#include "core/text.h"
#include "data/formats/classes.h"
#include "data/formats/values.h"
#include "data/shard.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The `input:` section of an import job.  NULL strings mean the default; nothing of it is kept
 * after the open. */
typedef struct orr_table_opts {
    const char *format; /* auto, or the word of a format */
    orr_strings files;  /* csv; or arrays: x */
    /* csv */
    const char *header;    /* auto | yes | no */
    const char *delimiter; /* one character; "\\t" */
    const char *label; /* column name or number from 1, "" = none; arrays: dataset / member / file
                          of labels */
    orr_strings id;    /* likewise; columns: several make one id (id.h) */
    const char *features; /* "rest", or "3-" / "2-3198" / names "a,b,c" (csv); arrays: dataset /
                             member / file of x */
    orr_strings target;   /* columns of float targets (instead of label) */
    /* columns that become aux numbers; arrays: one dataset / member / file of k columns */
    orr_strings aux;
    orr_strings aux_names; /* of an array's columns; named columns keep their own names */
    const orr_node *where; /* rows to take: a map of column: value or [values]; not for arrays */
    const char *table;     /* fits: name or number of the table's extension; "" = the first one */
    int64_t skip_rows, max_rows; /* of the data; max 0 = all */
    /* all */
    orr_strings classes;     /* values of the label that become classes 0, 1, ... */
    orr_strings class_names; /* what to call them */
    const char *type; /* float32 | float16 | uint8 | auto (uint8 arrays stay, all else float32) */
    orr_reals shape; /* of a sample: [c], [w, c] or [h, w, c]; absent: csv [n, 1] (a series), arrays
                        as they are */
    const char *axes;          /* of an array sample: hwc | chw | wc | cw | auto (as they are) */
    const char *nan;           /* refuse | drop | keep */
    const char *label_kind;    /* class | value */
    const char *target_kind;   /* unsaid | value | redshift */
    const char *feature_names; /* keep | drop: those of columns */
    const orr_node
        *missing;          /* values that are none: a list, or a map of column: value or [values] */
    const orr_node *shift; /* a map of column: number that is taken off before rounding */
    int64_t id_start;
    int64_t
        max_unpacked; /* bytes, of each file (orr_trust); 0: 100 times its own, 256 MiB at least */
    int other_files;  /* hdf5: values may lie in files that it names */
    const char *scale_rows; /* none | zscore: each row minus its mean over its population deviation
                               (raw light curves) */
} orr_table_opts;
extern const orr_option orr_table_options[];

typedef struct orr_table orr_table;

/* Opens all files; for csv only maps them and reads the header.  dir: what relative file names are
 * relative to. */
orr_status orr_table_open(orr_table **out, const orr_table_opts *o, const char *dir);
void orr_table_close(orr_table *t);

/* Csv needs a scan before rows are known; other formats have n_parts 0.  The input is cut into
 * n_parts byte ranges of about 16 MiB (quotes that span ranges are resolved afterwards);
 * scan_part(i) counts rows in one; any rank may do any part.  When all counts (orr_scan values,
 * plain data) are in one array on every rank, scan_end makes rows addressable. */
typedef struct {
    int64_t rows[2]; /* that begin in it if it begins outside / inside quotes */
    int64_t kept[2]; /* of them, those that pass where */
    int64_t quotes;
} orr_scan;
int orr_table_n_parts(const orr_table *t);
orr_status orr_table_scan_part(const orr_table *t, int part, orr_scan *out);
orr_status orr_table_scan_end(orr_table *t, const orr_scan *parts);
/* All of it in one process: every part, scan_end, classes, the labels of all rows,
 * set_label_range. */
orr_status orr_table_scan(orr_table *t);

int64_t orr_table_rows(const orr_table *t);
/* Rows of its files, before where, skip_rows and max_rows: row numbers lie below it. */
int64_t orr_table_file_rows(const orr_table *t);
/* Number of classes and kind of ids need a look at every row's label and id (cheap: those columns
 * alone): rows [first, first+n) -> *max_label (class numbers; -1 = none), *max_id_bytes (of text
 * ids; 0 = all are integers).  Merge by maximum over ranks, then orr_table_set_label_range on each.
 * Text ids get room for any integer too (20 bytes), so that the outcome does not depend on the
 * ranges. */
orr_status orr_table_label_range(const orr_table *t, int64_t first, int64_t n, int32_t *max_label,
                                 int *max_id_bytes);
orr_status orr_table_set_label_range(orr_table *t, int32_t max_label, int max_id_bytes);
const orr_schema *orr_table_schema(const orr_table *t); /* complete after the calls above */
int orr_table_n_inputs(const orr_table *t);
const char *orr_table_input(const orr_table *t, int i); /* path, for provenance */
/* Columns that `rest` took though they look like ids or row numbers.  ORR_ERR_OPTION: those that
 * are called so, and the first of the table when it alone of most holds whole numbers, each once in
 * the first 65,536 rows (ten at least).  Others that hold such numbers are appended to said, as a
 * sentence.  Once rows are known. */
orr_status orr_table_check_columns(const orr_table *t, orr_text *said);
/* The columns that `rest` took, about `most` bytes of them; nothing when features were named. */
void orr_table_say_features(const orr_table *t, size_t most, orr_text *out);

/* Where classes are learned from labels: the values of all rows (merged over ranks and tables; none
 * to begin with) are set as classes before labels are looked at.  Numbers come first, by size, then
 * texts, byte by byte; labels that are 0, 1, ... K-1 keep their numbers as names.  Refused: values
 * that are no whole numbers, and nearly as many as there are rows.  values is sorted, and stays the
 * caller's. */
int orr_table_learns(const orr_table *t);
orr_status orr_table_learn(const orr_table *t, int64_t first, int64_t n, orr_classes *values);
orr_status orr_table_set_classes(orr_table *t, orr_classes *values, int64_t rows);
/* "QSO is class 0, STAR is class 1"; nothing when they are numbers. */
void orr_table_say_classes(const orr_table *t, orr_text *out);

/* Rows [first, first + n) into rows->x, y, id, aux (the caller's, big enough; NULL = not wanted),
 * sets rows->n; rows->gaps says which rows have a value that is none and are to be dropped.  Uses
 * `threads` OpenMP threads.  Thread-safe.  Large n pays: a call has to find its first row. */
orr_status orr_table_read(const orr_table *t, int64_t first, int64_t n, orr_rows *rows,
                          int threads);

/* Columns as values.h counts them: features, targets, aux numbers; of samples that are no row of
 * columns (images), their channels. */
typedef enum { ORR_VALUES_X, ORR_VALUES_Y, ORR_VALUES_AUX } orr_values_kind;
size_t orr_table_n_columns(const orr_table *t, orr_values_kind kind);
/* "BJD"; "column 5" without a header; "channel 2", "value 17" of an array. */
void orr_table_column_name(const orr_table *t, orr_values_kind kind, size_t column, char *buf,
                           size_t bytes);
/* What rounding to float32 has cost in all reads so far, of each column. */
void orr_table_losses(const orr_table *t, orr_values_kind kind, orr_value_loss *out);

#ifdef __cplusplus
}
#endif
#endif
