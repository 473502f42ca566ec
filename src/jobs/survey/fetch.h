/* jobs/survey/fetch.h - the frames of a catalogue's fields, from an archive to a folder, and what
 * its files share.
 *   fetch.c         keys, phases, end
 *   fetch_work.c    a rank's part: which frames are there, and the download of the others
 *   fetch_report.c  counts over all ranks, the table at the end */
#ifndef ORR_JOBS_SURVEY_FETCH_H
#define ORR_JOBS_SURVEY_FETCH_H

#include "core/file.h"
#include "core/progress.h"
#include "data/survey/archive.h"
#include "data/survey/catalogue.h"
#include "data/survey/manifest.h"
#include "data/survey/proof.h"
#include "jobs/context/context.h"
#include "jobs/context/meeting.h"
#include "jobs/context/run_status.h"
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

/* Over all ranks once added up. */
typedef enum {
    ORR_FETCH_THERE,   /* frames that were there before */
    ORR_FETCH_FETCHED, /* frames that came now */
    ORR_FETCH_MISSING,
    ORR_FETCH_FAILED,
    ORR_FETCH_DAMAGED, /* frames that were there and failed their check */
    ORR_FETCH_BYTES,   /* of the frames that came */
    ORR_FETCH_RESUMED, /* of those, what an earlier try had brought */
    ORR_FETCH_TRIES,
    ORR_FETCH_COUNTS
} orr_fetch_count;

enum { ORR_FETCH_REASONS = 24 };
typedef struct orr_fetch_reason {
    char kind[56]; /* "HTTP 503" */
    int64_t frames;
} orr_fetch_reason;

typedef struct orr_fetch {
    orr_context *context;
    const orr_fetch_opts *o;
    const char *folder;
    orr_archive *archive;
    orr_catalogue *catalogue;
    orr_manifest *manifest;
    orr_strings bands;
    int64_t n_tasks; /* fields x bands */
    int lock;
    orr_meeting *meeting;
    orr_counter *deal, *frames, *bytes; /* next frame; done, for the progress line */
    orr_counter *bad[3];    /* missing, failed, tries beyond the first: for the status */
    orr_run_status *status; /* rank 0's */
    orr_standing standing;
    uint64_t lanes; /* of the timeline, that transfers are in */
    int64_t counts[ORR_FETCH_COUNTS];
    orr_fetch_reason reasons[ORR_FETCH_REASONS];
    int n_reasons, n_told;
    double seconds; /* of the download */
    /* where this rank stands */
    int64_t field_number;
    orr_survey_field field;
    char made[ORR_PATH_MAX]; /* the last folder that was made */
    double shown;
    orr_progress *progress;
} orr_fetch;

/* All frames that are there proved again; what fails is removed.  Collective. */
orr_status orr_fetch_check(orr_fetch *f);
/* What is not there is fetched.  Collective; the status is this rank's, ORR_OK when another rank's
 * failure or signal ended it. */
orr_status orr_fetch_download(orr_fetch *f);
void orr_fetch_reason_add(orr_fetch *f, const char *reason);
/* Adds counts and reasons up on all ranks, rank 0 prints the table.  Collective. */
orr_status orr_fetch_report(orr_fetch *f);

#endif
