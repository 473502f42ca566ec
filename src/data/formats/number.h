/* data/formats/number.h - text to double and back, exactly rounded.
 * Reading is fast_float (Lemire, "Number parsing at a gigabyte per second", 2021); printing is
 * std::to_chars, the shortest text that reads back to the same value.  The only C++ of the readers,
 * behind C names.   Not collective. */
#ifndef ORR_DATA_FORMATS_NUMBER_H
#define ORR_DATA_FORMATS_NUMBER_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Where a record is read: p is the first byte of a field, or, once ended, the byte after the last
 * field. */
typedef struct orr_cursor {
    const char *p, *end;
    int ended; /* the record's last field was read */
} orr_cursor;

enum { ORR_NUMBER_TEXT = 32 }; /* bytes that any printed number fits in */

/* Reads the number that fills [p, end) (a leading + is fine; nan and inf are numbers); 0 when the
 * text is not one. */
int orr_number_parse(const char *p, const char *end, double *out);
/* Reads up to n fields that are plain numbers, each ended by the delimiter, a line end or the end
 * of the data.  Stops before the first field that is anything else (quoted, empty, text).  Returns
 * how many were read. */
size_t orr_number_fields(orr_cursor *c, char delimiter, double *out, size_t n);

/* Prints at buf (ORR_NUMBER_TEXT bytes, no end is added); returns the length. */
size_t orr_number_print_float(char *buf, float v);
size_t orr_number_print_double(char *buf, double v);

#ifdef __cplusplus
}
#endif
#endif
