/* jobs/context/stop_request.h - `orrery stop RUN`: a training is asked to end after the epoch in
 * hand and to write its model.
 *
 * The request is a file in the run's folder, stop.json, so it reaches a run on any node that shares
 * the folder.  It stands until the run has ended: a start that goes on with a killed run finds it.
 * Rank 0 looks for it and tells the others (jobs/train/step.h).   Not collective. */
#ifndef ORR_JOBS_CONTEXT_STOP_REQUEST_H
#define ORR_JOBS_CONTEXT_STOP_REQUEST_H

#include "core/status.h"

orr_status orr_stop_request_write(const char *dir);
int orr_stop_request_stands(const char *dir);
void orr_stop_request_remove(const char *dir);

#endif
