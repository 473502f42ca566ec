/* jobs/model/side_table.h - a table beside a set, with a row for each of its samples, found by id:
 * which group or fold a sample is of.  Any format that has named columns (data/formats/columns.h);
 * rows of other samples are passed over.   Not collective.   Errors: ORR_ERR_FORMAT (a sample
 * without a row, with two, or with an empty value; an id that was rounded), ORR_ERR_IO. */
#ifndef ORR_JOBS_MODEL_SIDE_TABLE_H
#define ORR_JOBS_MODEL_SIDE_TABLE_H

#include "core/config.h"
#include "core/options.h"
#include "jobs/model/ids.h"

/* What to read, by the names of the options that say so (for messages). */
typedef struct orr_side_table {
    const char *path;
    orr_strings id_columns; /* several are joined (data/formats/id.h) */
    const char *id_option;  /* "cv.id_column" */
    const char *column, *option;
} orr_side_table;

/* (*value)[row] = the column's text of each sample of the set; the caller's to orr_free. */
orr_status orr_side_table_read(orr_id **value, const orr_side_table *t, const orr_dataset *set);
/* (*group)[row] = the rank of the column's value (orr_groups_rank); likewise. */
orr_status orr_side_table_groups(int64_t **group, const orr_side_table *t, const orr_dataset *set);

#endif
