/* jobs/ensemble/ledger.h - which trainings of a larger job are done: the ledger is their folders.
 * Not collective. */
#ifndef ORR_JOBS_ENSEMBLE_LEDGER_H
#define ORR_JOBS_ENSEMBLE_LEDGER_H

#include "core/status.h"

/* dir: run folder of one training. */
orr_status orr_ledger_is_done(const char *dir, int *done);
/* One that is done, but not on these training rows, goes where it may be overwritten: *done = 0.
 * Else as orr_ledger_check. */
orr_status orr_ledger_judge(const char *dir, const char *identity, const char *why, int overwrite,
                            int *done);
/* Of one that is done: was it done on these training rows (orr_splits.identity), as its report
 * says? ORR_ERR_EXISTS "DIR/report.json: this training was done WHY". */
orr_status orr_ledger_check(const char *dir, const char *identity, const char *why);

#endif
