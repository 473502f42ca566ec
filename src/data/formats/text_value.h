/* data/formats/text_value.h - what the text of a value means: nothing, a whole number.  The one
 * place of these rules for all formats and all that read them; what is a number is number.h's, what
 * is an id is id.h's.
 *
 * Nothing (a null): an empty text, and the words null and nan, in any case.  As a real it is NaN,
 * as a whole number a fault, as a text and as an id "". Whole numbers are exact: digits with a
 * sign, or, below 2^53, followed by ".0".
 * All texts come without the blanks around them.   Not collective. */
#ifndef ORR_DATA_FORMATS_TEXT_VALUE_H
#define ORR_DATA_FORMATS_TEXT_VALUE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What a column's values are read as. */
typedef enum { ORR_VALUE_INT, ORR_VALUE_REAL, ORR_VALUE_TEXT, ORR_VALUE_ID } orr_value_type;

/* Does [p, p + n) stand for no value? */
int orr_text_is_null(const char *p, size_t n);
/* The real that fills [p, p + n), NaN for a null; 0 when it is none. */
int orr_text_real(const char *p, size_t n, double *out);
/* The whole number that fills [p, p + n).  NULL when it is one, else why not: "is empty", "... was
 * rounded ...". */
const char *orr_integer_parse(const char *p, size_t n, int64_t *out);

#ifdef __cplusplus
}
#endif
#endif
