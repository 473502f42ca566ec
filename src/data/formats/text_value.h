/* data/formats/text_value.h - what the text of a value means: nothing, a whole number, an id.  The
 * one place of these rules for all formats and all that read them; what is a number is number.h's.
 *
 * Nothing (a null): an empty text, and the words null and nan, in any case.  As a real it is NaN,
 * as a whole number and as an id a fault, as a text "". Whole numbers are exact: digits with a
 * sign, or, below 2^53, followed by ".0". Ids are integers when an int64 prints as they are
 * written; "007", "+7", "J12" are texts, so that no two different ids of a file become one.  An id
 * that a program printed as a rounded float
 * ("1.23764587686134E+18") is refused, for it stands for many.
 * All texts come without the blanks around them.   Not collective. */
#ifndef ORR_DATA_FORMATS_TEXT_VALUE_H
#define ORR_DATA_FORMATS_TEXT_VALUE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What a column's values are read as. */
typedef enum { ORR_VALUE_INT, ORR_VALUE_REAL, ORR_VALUE_TEXT } orr_value_type;

/* Does [p, p + n) stand for no value? */
int orr_text_is_null(const char *p, size_t n);
/* The real that fills [p, p + n), NaN for a null; 0 when it is none. */
int orr_text_real(const char *p, size_t n, double *out);
/* The whole number that fills [p, p + n).  NULL when it is one, else why not: "is empty", "... was
 * rounded ...". */
const char *orr_integer_parse(const char *p, size_t n, int64_t *out);
/* Is it the text that an int64 prints as? */
int orr_id_integer(const char *p, size_t n, int64_t *out);
/* NULL when [p, p + n) may be an id, an integer or a text; else why not, as the end of a sentence:
 * "is empty", "is longer than 64 bytes" ... */
const char *orr_id_fault(const char *p, size_t n);

#ifdef __cplusplus
}
#endif
#endif
