/* data/formats/id_columns.h - the ids of a table that is read as columns: those of one column, or
 * the values of several columns of a row, joined (id.h).
 *
 * Open finds the columns; its requests go with the caller's own to orr_columns_next; join then
 * makes the ids of the rows that were read.  A row in which one of the columns has no value has no
 * id: "".   Not collective.   Errors: those of columns.h; ORR_ERR_OPTION when there are too many
 * columns, or none. */
#ifndef ORR_DATA_FORMATS_ID_COLUMNS_H
#define ORR_DATA_FORMATS_ID_COLUMNS_H

#include "core/config.h"
#include "core/options.h"
#include "data/formats/columns.h"
#include "data/formats/id.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct orr_id_columns {
    int n;                                    /* columns */
    orr_column_request request[ORR_ID_PARTS]; /* [n] */
    orr_column_text *id;                      /* [max_rows], after join */
    orr_column_text *part[ORR_ID_PARTS];      /* what is read; of one column, id */
} orr_id_columns;

/* option says what wanted them ("catalogue.id").  To be closed also after a failure. */
orr_status orr_id_columns_open(orr_id_columns *q, const orr_columns *c, const orr_strings *names,
                               const char *option, int64_t max_rows);
void orr_id_columns_close(orr_id_columns *q); /* zeroed is fine */
/* Of n rows, the first of which is row `first` of the table. */
orr_status orr_id_columns_join(const orr_id_columns *q, const orr_columns *c, int64_t first,
                               int64_t n);

#ifdef __cplusplus
}
#endif
#endif
