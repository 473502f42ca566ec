/* jobs/survey/fetch.h - the frames of a catalogue's fields, from an archive to a folder.
 *
 * Frames that are there are done; what is missing from the archive or failed is noted in the
 * folder's manifest, so that a start after any stop does only what is left.
 *
 * Errors: of the catalogue and the archive's keys, ORR_ERR_IO when frames failed (or are missing,
 * when o->missing says so), ORR_ERR_EXISTS when another fetch works in the folder,
 * ORR_ERR_INTERRUPTED after a signal.   Collective. */
#ifndef ORR_JOBS_SURVEY_FETCH_H
#define ORR_JOBS_SURVEY_FETCH_H

#include "data/survey/archive.h"
#include "data/survey/catalogue.h"
#include "jobs/context/context.h"
#include "jobs/context/runtime.h"

typedef struct orr_fetch_opts {
    orr_archive_opts archive;
    orr_catalogue_opts catalogue;
    int check, retry_missing;
    const char *missing;
    orr_runtime_opts runtime;
} orr_fetch_opts;
extern const orr_option orr_fetch_options[];

/* The whole of it.  Collective; the same status on all ranks. */
orr_status orr_fetch_run(orr_context *context, const orr_fetch_opts *o);

#endif
