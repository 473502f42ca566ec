/* data/formats/list.h - the formats that there are, and which of them a file is of.
 *
 * A name tells by its end ("a.csv", behind which a packing may stand: "a.csv.xz"); where it does
 * not, the bytes do, unpacked.   Not collective. */
#ifndef ORR_DATA_FORMATS_LIST_H
#define ORR_DATA_FORMATS_LIST_H

#include "core/options.h"
#include "core/text.h"
#include "data/formats/format.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Row i, NULL behind the last. */
const orr_format *orr_format_at(int i);
/* By its word; by the end of a file's name; by the bytes a file begins with (unpacked).  NULL: none
 * is meant. */
const orr_format *orr_format_named(const char *word);
const orr_format *orr_format_of_name(const char *file);
const orr_format *orr_format_of_bytes(const orr_bytes *b);
/* Of a file: by its name, else by its bytes.  ORR_ERR_OPTION when neither tells, naming what there
 * is; ORR_ERR_IO. */
orr_status orr_format_of_file(const orr_format **out, const char *path);
/* "csv, fits, npy ...": those that wanted says yes to (NULL: all). */
void orr_format_words(orr_text *out, int (*wanted)(const orr_format *f));
/* The i-th choice of input.format, "auto" and the words; the i-th row for help.  NULL and 0 past
 * the last. */
const char *orr_format_choice(int i);
int orr_format_kind_help(int i, orr_kind_help *out);

#ifdef __cplusplus
}
#endif
#endif
