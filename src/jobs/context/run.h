/* jobs/context/run.h - the folder of one training run.
 *   job.yaml              resolved job, written once; another job is refused
 *   metrics.jsonl         one JSON object an epoch: the truth; nothing in it depends on ranks or
 *                         clocks
 *   history.csv           the same for people and plots
 *   timing.csv            seconds and rates of this machine, an epoch a line
 *   timing.1.csv, ...     what versions of orrery wrote there that had other columns, the first
 *                         first
 *   status.json           what it is doing now (jobs/context/run_status.h)
 *   stop.json             asks it to end (jobs/context/stop_request.h)
 *   checkpoint-last.h5, checkpoint-best.h5, model.h5, predictions-*.csv, report.json, log.txt
 * Only rank 0 writes; a lock file keeps a second job out, but on file systems without locks, where
 * users must know what they do.   Not collective, unless said.
 *
 * A run that another version began goes on with the columns that its history.csv has, since its
 * checkpoint counts the bytes: values go under their names, what it has no column for is left out
 * (metrics.jsonl has it), what this version does not know stays empty.  Nothing counts on
 * timing.csv: with other columns it is put aside, and begun anew. */
#ifndef ORR_JOBS_CONTEXT_RUN_H
#define ORR_JOBS_CONTEXT_RUN_H

#include "core/file.h"
#include "core/lock.h"
#include "core/status.h"

#include <stdint.h>
#include <stdio.h>

typedef struct orr_run {
    char dir[ORR_PATH_MAX];
    orr_lock lock;
    int longer; /* orr_run_take: job.yaml was that of a run that goes on as this job */
    FILE *metrics, *history, *timing;
    const char *history_header; /* as this version has it ... */
    char *history_columns; /* ... and as the file has it, when that is another; NULL: it is not */
} orr_run;

/* A job that asks for a folder. */
typedef struct orr_run_offer {
    const char *job;  /* resolved */
    const char *mark; /* how resolved jobs of its kind begin: of others nothing is removed */
    int overwrite;    /* results of another job give way */
    /* *goes_on = may the run of `then` go on as this job (trained longer)?  NULL: no other may. */
    orr_status (*judge)(const char *now, const char *then, const char *dir, int *goes_on);
} orr_run_offer;

/* As orr_run_open; another job than job.yaml's goes on with its run where `judge` says so (then
 * r->longer), or begins anew where it may overwrite: its results are removed under the lock, so
 * not while it runs; files that are none of ours stay.  ORR_ERR_EXISTS: a run of another kind, or
 * no locks to tell whether it runs. */
orr_status orr_run_take(orr_run *r, const char *dir, const orr_run_offer *offer, int *resume);
/* Removes what commands write into a run folder and into its tasks/NAME, but job.yaml and the lock.
 * Whoever calls has the lock. */
orr_status orr_run_clear(const char *dir);
/* Makes or opens the folder; an existing one must hold the same job. *resume = 1 when there is a
 * checkpoint to go on from.  ORR_ERR_EXISTS when another job has it.  What starts that were killed
 * while they wrote job.yaml have left goes. */
orr_status orr_run_open(orr_run *r, const char *dir, const char *job, int *resume);
/* The same beside others who share it, each with work of its own in it. */
orr_status orr_run_share(orr_run *r, const char *dir, const char *job);
/* A shared run becomes this job's alone, when the others have left, for at most `seconds`: else
 * ORR_ERR_EXISTS. */
orr_status orr_run_claim(orr_run *r, double seconds);
/* Opens the tables for appending, cut back to the sizes a checkpoint remembers (0: new).  Headers
 * are literals: one line, with its end. */
orr_status orr_run_open_tables(orr_run *r, int64_t metrics_bytes, int64_t history_bytes,
                               const char *history_header, const char *timing_header);
/* Appends whole lines and flushes. */
orr_status orr_run_append(orr_run *r, const char *metrics_line, const char *history_line,
                          const char *timing_line);
/* Of the tables.  ORR_ERR_IO when they or the lock were removed under the run (rm -r that lost a
 * race with it): what goes on there cannot be resumed. */
orr_status orr_run_sizes(orr_run *r, int64_t *metrics_bytes, int64_t *history_bytes);
void orr_run_close(orr_run *r);
/* clang-format off */
#define ORR_RUN_INIT { .lock = ORR_LOCK_INIT }
/* clang-format on */
/* dir/name */
orr_status orr_run_path(const orr_run *r, char out[ORR_PATH_MAX], const char *name);

#endif
