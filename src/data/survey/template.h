/* data/survey/template.h - names with blanks to fill in: "frame-{band}-{run:06d}.fits.bz2".
 *
 * {name} stands for a value as it is, {name:04d} for a whole number with at least 4 digits, zeros
 * in front; {{ and }} are braces.  Texts that are put in may not be empty, hold "/" or begin with
 * ".", nor have characters below 33 or above 126: a catalogue cannot lead out of a folder.  In a
 * URL all but unreserved characters of a value are percent-encoded.   Not collective. Errors:
 * ORR_ERR_OPTION (the template), ORR_ERR_FORMAT (a value), both naming the field. */
#ifndef ORR_DATA_SURVEY_TEMPLATE_H
#define ORR_DATA_SURVEY_TEMPLATE_H

#include "core/status.h"
#include "data/formats/columns.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { ORR_TEMPLATE_FIELDS = 16 };

typedef struct orr_template orr_template;
typedef struct orr_template_value {
    int is_int;
    int64_t number;
    orr_column_text text;
} orr_template_value;

/* option names it in messages: "archive.url". */
orr_status orr_template_create(orr_template **out, const char *text, const char *option);
void orr_template_destroy(orr_template *t);
/* Distinct names, in the order they first stand in the text; at most ORR_TEMPLATE_FIELDS. */
int orr_template_n_fields(const orr_template *t);
const char *orr_template_field(const orr_template *t, int i);
int orr_template_field_is_int(const orr_template *t, int i); /* a :0Nd form asks for it */
/* values[i] is that of field i.  url: percent-encode.  ORR_ERR_FORMAT also when buf is too small.
 */
orr_status orr_template_expand(const orr_template *t, const orr_template_value *values, int url,
                               char *buf, size_t bytes);
/* May the text be put in?  ORR_ERR_FORMAT says why not, naming the field. */
orr_status orr_template_check(const char *field, const char *text);

#ifdef __cplusplus
}
#endif
#endif
