/* jobs/model/ids.h - finding samples by their id, as text.   Not collective. */
#ifndef ORR_JOBS_MODEL_IDS_H
#define ORR_JOBS_MODEL_IDS_H

#include "data/shard.h"

typedef char orr_id[ORR_ID_TEXT_MAX + 1];

typedef struct orr_ids {
    int64_t n;
    const orr_id *id; /* borrowed, in the order of the rows */
    int64_t *order;   /* row numbers by rising id */
} orr_ids;

/* Sorts.  ORR_ERR_FORMAT when an id stands twice: "WHAT: id X stands in rows 3 and 7". */
orr_status orr_ids_create(orr_ids *out, const orr_id *id, int64_t n, const char *what);
void orr_ids_free(orr_ids *ids); /* zeroed is fine */
/* The row of an id; -1 when there is none. */
int64_t orr_ids_find(const orr_ids *ids, const char *id);
/* rank[i] = number of name[i] among the distinct ones, from 0, as numpy.unique ranks a column of
 * them that pandas has read: by size when all are numbers (whole ones exactly, up to 64 bits), else
 * as texts, by their bytes.  ORR_ERR_FORMAT when one number is written in two ways ("7" and "07"):
 * whether it is one group or two the table does not say; what names the table. */
orr_status orr_groups_rank(const orr_id *name, int64_t n, const char *what, int64_t *rank);
/* All ids of a set; *out is the caller's to orr_free. */
orr_status orr_ids_of_set(orr_id **out, const orr_dataset *set);

#endif
