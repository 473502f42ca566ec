/* data/formats/names.h - which column a word means: the one that is called so; else the only one
 * that is but for upper and lower case, as FITS wants it; else, where numbers are names, too, the
 * one of that number from 1.  Two of the same name are refused, for the word means neither.
 * Not collective.   Errors: ORR_ERR_OPTION, with the nearest name. */
#ifndef ORR_DATA_FORMATS_NAMES_H
#define ORR_DATA_FORMATS_NAMES_H

#include "core/status.h"

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct orr_names {
    const char *what;        /* the file, for messages */
    const char *const *list; /* NULL: the columns have no names */
    int n;                   /* columns */
    int by_number;
} orr_names;

/* The column of that name (no number), -1 when none or several are meant. */
int orr_names_find(const orr_names *s, const char *word);
/* The column that is meant, or a sentence; option is what wanted it ("label"). */
orr_status orr_names_pick(const orr_names *s, const char *word, const char *option, int *column);
/* "2-3198", "5-" (to the last): the columns [*from, *to), from 0.  *from = -1 when the word is no
 * range, or a name. */
orr_status orr_names_range(const orr_names *s, const char *word, const char *option, int *from,
                           int *to);

#ifdef __cplusplus
}
#endif
#endif
