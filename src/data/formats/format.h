/* data/formats/format.h - what a format of survey files is: one row.
 *
 * A row says what the format is called, how a file of it is known (by the end of its name, else by
 * the bytes it begins with), what a file of it opens as, and what to tell a user.  What it opens
 * as:
 *   text     rows of fields between delimiters (csv.h)
 *   records  records of fixed length with named fields (records.h)
 *   arrays   n-dimensional arrays, whose first axis counts samples (array.h)
 * A format may open as two of them; holds_records then says which a file is.
 *
 * table.h (import) and columns.h (catalogues, side files, sample submissions) reach a format
 * through its row alone, and the rows are listed in list.h.  A new format is a file with its
 * functions and its row, a line in the list, and a small file in tests/data/test_formats.c.
 * Not collective. */
#ifndef ORR_DATA_FORMATS_FORMAT_H
#define ORR_DATA_FORMATS_FORMAT_H

#include "data/formats/array.h"
#include "data/formats/bytes.h"
#include "data/formats/records.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct orr_format {
    const char *name; /* the word for input.format */
    /* Of file names, in any case; NULL-ended. */
    const char *const *endings;
    const char *help;                 /* the endings, and what such a file holds */
    int (*sniff)(const orr_bytes *b); /* do these bytes begin as a file of it does? */
    int is_container; /* a library of its own opens the file: it is not packed, nor in memory */
    int is_text;
    /* r->bytes is the whole file: fills data, stride, rows and fields.  table: as in columns.h */
    orr_status (*read_records)(orr_records *r, const char *path, const char *table);
    /* Does the file that begins so hold records rather than an array?  NULL: read_records, where
     * there is one, is all there is. */
    int (*holds_records)(const orr_bytes *b, const char *path);
    /* Array `name` of a file.  On failure nothing is held. */
    orr_status (*open_array)(orr_array *a, const char *path, const char *name,
                             const orr_trust *trust);
    /* Which of the names (NULL-ended) the file has an array for, NULL when none; the slot is NULL
     * when a file is one array without a name. */
    const char *(*find_array)(const char *path, const char *const *names, const orr_trust *trust);
    int is_images; /* an array of three axes is images of one channel */
} orr_format;

#ifdef __cplusplus
}
#endif
#endif
