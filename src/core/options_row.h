/* core/options_row.h - what options.c and options_dump.c share, and nobody else.   Not collective.
 */
#ifndef ORR_CORE_OPTIONS_ROW_H
#define ORR_CORE_OPTIONS_ROW_H

#include "core/options.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { ORR_OPTION_NAME = 256 }; /* bytes of a name in messages, with its end */

/* "train" and "lr" make "train.lr"; "layer conv1d" and "size" make "layer conv1d: size". */
void orr_options_name(char name[ORR_OPTION_NAME], const char *what, const char *key);
/* Writes the default of a row to its place; texts point into the table. */
orr_status orr_options_read_default(void *place, const orr_option *row, const char *what);

#ifdef __cplusplus
}
#endif
#endif
