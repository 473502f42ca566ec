/* data/formats/where.h - which rows of a table are taken: conditions on columns, all of which must
 * hold; and, for tables in memory, the rows that passed.   Not collective. */
#ifndef ORR_DATA_FORMATS_WHERE_H
#define ORR_DATA_FORMATS_WHERE_H

#include "core/config.h"
#include "data/formats/classes.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct orr_condition {
    char name[80]; /* as the job file has it */
    int column;    /* which the format finds */
    int64_t element;
    orr_classes values;
} orr_condition;

typedef struct orr_where {
    orr_condition *list;
    int n;
} orr_where;

/* From a map of column: value or [values], option names it in messages ("input.where"); node NULL:
 * no conditions.  ORR_ERR_OPTION with file:line. */
orr_status orr_where_init(orr_where *w, const orr_node *node, const char *option);
void orr_where_free(orr_where *w);
/* By rising column, once all are known. */
void orr_where_sort(orr_where *w);

/* Row numbers, a bit each: the k-th that passed is found without a search through all. */
typedef struct orr_selection {
    uint64_t *bits;
    int64_t *before; /* rows that passed before each block of 512 */
    int64_t n, kept;
} orr_selection;

orr_status orr_selection_init(orr_selection *s, int64_t n);
void orr_selection_free(orr_selection *s);
static inline void orr_selection_take(orr_selection *s, int64_t row)
{
    s->bits[row / 64] |= (uint64_t)1 << (row % 64);
}
/* After the last take: counts. */
void orr_selection_end(orr_selection *s);
/* Numbers of the rows [first, first + n) of those that passed. */
void orr_selection_rows(const orr_selection *s, int64_t first, int64_t n, int64_t *rows);

#ifdef __cplusplus
}
#endif
#endif
