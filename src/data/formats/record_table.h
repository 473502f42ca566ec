/* data/formats/record_table.h - FITS tables and structured npy as a table of samples: what opening
 * (record_table.c) leaves to reading (record_read.c).   Not collective. */
#ifndef ORR_DATA_FORMATS_RECORD_TABLE_H
#define ORR_DATA_FORMATS_RECORD_TABLE_H

#include "data/formats/records.h"
#include "data/formats/table_private.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Values [element, element + n) of a field. */
typedef struct {
    int field;
    int64_t element, n;
} orr_pick;

typedef struct {
    orr_pick *list;
    int n, cap;
    int64_t values; /* in all */
} orr_picks;

typedef struct orr_record_table {
    orr_table base;
    orr_records *files;
    int64_t *first; /* row of each file; and the end */
    int n_files;    /* that are open */
    orr_picks x, y, aux;
    orr_pick label, id;
    orr_selection selection; /* with where */
} orr_record_table;

/* The field and element that value number `place` of a list of picks is. */
const orr_field *orr_pick_field(const orr_records *r, const orr_picks *p, int64_t place,
                                int64_t *element);
/* Looks at every row with where, and sets how many there are. */
orr_status orr_record_table_filter(orr_record_table *s);
orr_status orr_record_table_read(const orr_table *t, int64_t first, int64_t n, orr_rows *rows,
                                 int threads);
orr_status orr_record_table_label_range(const orr_table *t, int64_t first, int64_t n,
                                        int32_t *max_label, int *max_id_bytes);

#ifdef __cplusplus
}
#endif
#endif
