/* jobs/sets/import_notes.h - what an import says of the rows that it has written, a line each, on
 * standard error: values that are none, values that look like sentinels, digits that float32 does
 * not hold, samples that are blank, constant or stand twice; ids that look rounded, or like none.
 * The rules are those of data/census.h and data/formats/values.h.   Collective. */
#ifndef ORR_JOBS_SETS_IMPORT_NOTES_H
#define ORR_JOBS_SETS_IMPORT_NOTES_H

#include "data/census.h"
#include "data/formats/id.h"
#include "data/formats/table.h"
#include "jobs/context/context.h"

typedef struct orr_import_notes {
    orr_context *context;
    orr_table *const *tables; /* one schema */
    int n_tables;
    orr_census *census; /* of the rows that this rank wrote */
    orr_id_tally ids;   /* likewise; zero when they are row numbers */
    /* The id of a row of the set, as text; rank 0 alone. */
    orr_status (*id)(void *ctx, int64_t row, char *buf, size_t bytes);
    void *ctx;
} orr_import_notes;

orr_status orr_import_say(const orr_import_notes *n);

#endif
