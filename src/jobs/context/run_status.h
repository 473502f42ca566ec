/* jobs/context/run_status.h - one small JSON file that says what a run is doing: `orrery status`
 * reads it.
 *
 *   train   RUN/status.json                       cv    RUN/status.json, and each training's in
 *   fetch   FOLDER/.orrery/status.json                  RUN/tasks/NAME; with cv.only
 *   crop    OUT.status.json (OUT is replaced)           RUN/status-fold-F.json, F the first of them
 *
 * Rank 0 (of the job; of a group, in a training of cv) writes it by a thread of its own: once a
 * second, sooner when the phase changes, and at the end; under a name of its own, then renamed, so
 * that a reader sees the old file or the new one; without fsync.  Whoever works only copies numbers
 * under a lock.  The file goes on while the job is stuck: `moved` then stays behind `updated`.  A
 * write that fails is told once and ends nothing.
 *
 *   {"format": "orrery-status-1", "version", "command": "train",
 *    "state": "running" | "ended" | "failed" | "interrupted", "exit_code", "sentence",
 *    "pid", "process_started" (ticks, as /proc has it), "host", "size" (ranks), "supervised",
 *    "started", "updated", "moved" (UTC, ISO 8601),
 *    "phase", "phase_since" (UTC), "phase_rank" (of the job: the rank that writes this),
 *    "unit": "steps", "done", "total", "epoch", "epochs", "per_second", "of" (samples,
 *    MiB), "seconds_left", "loss", "best": {"metric", "value", "epoch"}, "checkpoint": {"step",
 *    "time"}, "straggler": null | {"rank", "host", "cause", "seconds", "median"},       a step, of
 *    the last "ranks": [{"rank", "host", "compute", "wait", "input"}, ...],             second or
 *    more "faults": {"skipped_steps", "recomputed_steps", "retries", "failed", "missing",
 *               "quarantined"},                                          those that a command has
 *    "starts": 3, "earlier": [{"started", "updated", "state", "exit_code", "sentence", "done"}]}
 *
 * What is not known is left out.  `earlier` is what the file said when a start found it, the newest
 * last, at most 16; one that said "running" was killed.
 *
 * Whose work it is tells numbers; phases (jobs/context/phase.h) tell their names by themselves, to
 * the status that was opened last on their context and has not ended.
 *
 * NULL is accepted everywhere and does nothing: other ranks have none. */
#ifndef ORR_JOBS_CONTEXT_RUN_STATUS_H
#define ORR_JOBS_CONTEXT_RUN_STATUS_H

#include "jobs/context/context.h"
#include "jobs/context/skew.h"

#include <math.h>

#define ORR_STATUS_FORMAT "orrery-status-1"
#define ORR_STATUS_FILE   "status.json"

/* Where the work stands; numbers < 0 and what is not finite are left out. */
typedef struct orr_standing {
    int64_t done, total;     /* in units, with what was done before this start */
    int64_t epoch, epochs;   /* from 1 */
    double amount;           /* of `of`, this start: its rate is shown */
    double loss, best;       /* per sample */
    const char *best_metric; /* outlives the status */
    int64_t best_epoch;
    int64_t saved; /* step of the last checkpoint */
    int64_t skipped, recomputed, retries, failed, missing, quarantined;
} orr_standing;
/* clang-format off */
#define ORR_STANDING_INIT { .done = -1, .total = -1, .epoch = -1, .epochs = -1, \
    .amount = -1, .loss = NAN, .best = NAN, .best_epoch = -1, .saved = -1, .skipped = -1,         \
    .recomputed = -1, .retries = -1, .failed = -1, .missing = -1, .quarantined = -1 }
/* clang-format on */

/* When a process of this machine began, in its clock's ticks: with the pid it is one process for
 * good.  < 0: it has ended, and nobody has asked how; 0: that cannot be told.   Not collective. */
long long orr_process_began(long long pid);

typedef struct orr_run_status orr_run_status;
/* command, unit, of: literals.  NULL in *out where it cannot be had (told in the log), and on
 * ranks other than 0.   Not collective. */
void orr_run_status_open(orr_run_status **out, orr_context *context, const char *path,
                         const char *command, const char *unit, const char *of);
/* For jobs/context/phase.c: a phase has begun.  One store when it is the one under way. */
void orr_run_status_phase(orr_run_status *s, const char *phase);
/* Cheap: a lock and a copy.  The first one begins the file. */
void orr_run_status_set(orr_run_status *s, const orr_standing *now);
/* Time for the ranks' seconds?  True about once a second. */
int orr_run_status_is_due(const orr_run_status *s, double now);
/* Each rank's seconds over that many steps; hosts of k are kept until the end. */
void orr_run_status_loads(orr_run_status *s, const orr_skew *k, const orr_load *load,
                          int64_t steps);
/* Last words, by what the command ended with; also frees s.  Statuses on one context end in the
 * reverse order of their beginning. */
void orr_run_status_end(orr_run_status *s, orr_status st);

#endif
