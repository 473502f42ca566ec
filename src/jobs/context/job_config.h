/* jobs/context/job_config.h - a job as it was asked for: the file, and the assignments on the
 * command line laid over it.   Not collective: every rank reads by itself, and what is wrong is
 * agreed on (jobs/context/phase.h). */
#ifndef ORR_JOBS_CONTEXT_JOB_CONFIG_H
#define ORR_JOBS_CONTEXT_JOB_CONFIG_H

#include "core/config.h"
#include "core/options.h"
#include "core/status.h"

/* "a.b=c" is an assignment when what stands before '=' looks like a key. */
int orr_is_assignment(const char *s);
typedef struct orr_args {
    int n_words;
    const char *words[80]; /* what is not key=value */
    int n_assignments;
    const char *assignments[64]; /* "key=value" */
} orr_args;

/* Section `restart`, for orrery launch alone: the commands do not see it. */
typedef struct orr_restart_opts {
    int max, min_ranks;
} orr_restart_opts;
extern const orr_option orr_restart_options[];

/* The job file (NULL: none) with the assignments laid over it, less the section `restart`, which is
 * checked.  *out is NULL after a failure. */
orr_status orr_job_config(orr_config **out, const char *file, const orr_args *args);
/* The same, and the section's keys. */
orr_status orr_job_config_restart(orr_config **out, orr_restart_opts *restart, const char *file,
                                  const orr_args *args);

#endif
