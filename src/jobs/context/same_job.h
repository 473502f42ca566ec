/* jobs/context/same_job.h - is what lies in a folder that of this job?   Not collective. */
#ifndef ORR_JOBS_CONTEXT_SAME_JOB_H
#define ORR_JOBS_CONTEXT_SAME_JOB_H

#include "core/status.h"

/* ORR_ERR_OPTION when two resolved jobs differ: "DIR holds WHAT of another job: "lr: 0.1" was "lr:
 * 0.2"; ADVICE". */
orr_status orr_same_job(const char *now, const char *then, const char *dir, const char *what,
                        const char *advice);

#endif
