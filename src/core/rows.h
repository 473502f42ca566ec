/* core/rows.h - tables of rows that have a name: layers, formats, commands, back ends, ...
 *
 * A table is an array of pointers to rows, whatever their type, as long as the name is a row's
 * first member: a const char *.   Not collective. */
#ifndef ORR_CORE_ROWS_H
#define ORR_CORE_ROWS_H

#ifdef __cplusplus
extern "C" {
#endif

/* The place of the row called `name` among n; -1: there is none, and *near (may be NULL) is the
 * nearest name, or NULL when none is near (orr_nearest). */
int orr_row_named(const void *rows, int n, const char *name, const char **near);
/* The name of row i; NULL behind the last: the `word` of an option that names a row. */
const char *orr_row_name(const void *rows, int n, int i);

#ifdef __cplusplus
}
#endif
#endif
