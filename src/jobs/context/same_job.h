/* jobs/context/same_job.h - is what lies in a folder that of this job?
 *
 * Two resolved jobs are the same when they say the same: texts that are equal, or YAML with equal
 * trees and equal comments, however an earlier version of the program wrote it down.
 * Not collective. */
#ifndef ORR_JOBS_CONTEXT_SAME_JOB_H
#define ORR_JOBS_CONTEXT_SAME_JOB_H

#include "core/status.h"

/* ORR_ERR_OPTION when they differ: "DIR holds WHAT of another job: "lr: 0.1" was "lr: 0.2";
 * ADVICE".  A text that does not read as YAML is like no other. */
orr_status orr_same_job(const char *now, const char *then, const char *dir, const char *what,
                        const char *advice);

#endif
