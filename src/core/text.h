/* core/text.h - a text buffer that grows up to a bound given at creation, for dumps, help and
 * tables.  The first failure (memory or bound) sticks: later calls do nothing, orr_text_status
 * tells.  And the fields of CSV lines.   Not collective. */
#ifndef ORR_CORE_TEXT_H
#define ORR_CORE_TEXT_H

#include "core/status.h"

#include <stddef.h>
#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct orr_text {
    char *s;         /* always ends in NUL once something was added; NULL before */
    size_t len, cap; /* bytes, without and with the end */
    size_t max;      /* bound; 0 = 64 MiB */
    orr_status status;
} orr_text;

/* clang-format off */
#define ORR_TEXT_INIT { 0 }
/* clang-format on */

void orr_text_add(orr_text *t, const char *s);
void orr_text_addn(orr_text *t, const char *s, size_t n);
void orr_text_printf(orr_text *t, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Appends s in lines of at most `width` columns, broken at blanks, the lines after the first
 * `indent` columns in; `at`: the column where the text stands.  A newline in s ends a line; a word
 * longer than a line is broken after a '|', or has one to itself.  Returns the column where the
 * text stands then. */
int orr_text_wrap(orr_text *t, const char *s, int at, int indent, int width);
/* One field of a CSV line, without the comma: s as it is or, when it holds a comma, a quote or a
 * line end, in quotes, its own doubled (RFC 4180).  Of a file ferror tells what went wrong. */
void orr_text_csv(orr_text *t, const char *s);
void orr_csv_put(FILE *f, const char *s);
orr_status orr_text_status(const orr_text *t); /* ORR_OK, or the first failure */
void orr_text_free(orr_text *t);               /* frees s; t may be used again */

#ifdef __cplusplus
}
#endif
#endif
