/* jobs/train/longer.h - a training that goes on for longer than was first asked.
 *
 * A run may go on as another job where that asks for more of the same: train.epochs or
 * train.max_steps raised (or max_steps taken away), train.patience raised or taken away, all else
 * equal.  What comes of it has the bytes of a run that asked for it from the start.  A schedule
 * that is spread over all epochs (onecycle, cosine) would have been another one from the start: its
 * epochs cannot be raised.   Not collective. */
#ifndef ORR_JOBS_TRAIN_LONGER_H
#define ORR_JOBS_TRAIN_LONGER_H

#include "core/status.h"

/* Two resolved jobs, as orr_run_offer.judge: *goes_on = is `now` the longer one?  ORR_ERR_OPTION
 * when it is, but for the schedule. */
orr_status orr_train_goes_on(const char *now, const char *then, const char *dir, int *goes_on);

#endif
