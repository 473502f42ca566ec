/* jobs/context/runtime.h - section `runtime` of every job file: how this start runs, never part of
 * a result. */
#ifndef ORR_JOBS_CONTEXT_RUNTIME_H
#define ORR_JOBS_CONTEXT_RUNTIME_H

#include "core/options.h"
#include "jobs/context/context.h"

typedef struct orr_runtime_opts {
    int threads; /* 0: from the cores this process may use */
    int progress;
    int checkpoint_async; /* where there is training, as the next */
    double checkpoint_seconds;
    const char *timeline; /* "" or NULL: none */
    double timeline_mib, timeline_share;
} orr_runtime_opts;
extern const orr_option orr_runtime_options[];

/* Sizes the thread pool, starts the timeline (jobs/context/tracing.h).  Collective; agreed. */
orr_status orr_runtime_start(orr_context *context, const orr_runtime_opts *o);

#endif
