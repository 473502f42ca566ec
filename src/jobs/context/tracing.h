/* jobs/context/tracing.h - the timeline of a whole job (core/timeline.h): ranks' clocks are put
 * beside rank 0's at the start, their files into one at the end. */
#ifndef ORR_JOBS_CONTEXT_TRACING_H
#define ORR_JOBS_CONTEXT_TRACING_H

#include "jobs/context/context.h"

typedef struct orr_tracing_opts {
    const char *folder;    /* "" or NULL: there is no timeline */
    double max_mib, share; /* core/timeline.h */
} orr_tracing_opts;
/* Opens o->folder/rank-NNNN.json on every rank; "" or NULL: nothing happens.  Ranks on rank 0's
 * node have its clock; for the others 16 round trips are timed and the shortest one is taken: what
 * it leaves open is in the file as error_us.  Collective; agreed. */
orr_status orr_tracing_start(orr_context *context, const orr_tracing_opts *o);
/* Closes it, with one span `command` over all.  After an end that all ranks share (together, then
 * collective) rank 0 makes FOLDER/timeline.json.  Failures are warnings. */
void orr_tracing_end(orr_context *context, const char *command, int together);

#endif
