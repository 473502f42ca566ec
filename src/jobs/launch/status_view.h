/* jobs/launch/status_view.h - the status files of a run (jobs/context/run_status.h), found and
 * judged. A file that says "running" is believed while its process lives here, or for as long as it
 * is fresh.   Not collective. */
#ifndef ORR_JOBS_LAUNCH_STATUS_VIEW_H
#define ORR_JOBS_LAUNCH_STATUS_VIEW_H

#include "core/file.h"
#include "core/options.h"
#include "core/text.h"

#include <cjson/cJSON.h>

/* A status file, and what may be said of it from here. */
typedef struct orr_found {
    char path[ORR_PATH_MAX];
    cJSON *json;
    int stale;
    const char *state;            /* as it is, or as it seems from here */
    char sentence[ORR_ERROR_MAX]; /* "" = nothing to say */
} orr_found;

typedef struct orr_view {
    char folder[ORR_PATH_MAX]; /* of the run; "" = a file was named */
    orr_found files[ORR_LIST_MAX];
    int n;
    cJSON *launch; /* NULL: none */
    orr_error bad; /* the first file that is none, beside others that are: told after these */
} orr_view;

/* What lies at a path: a run's folder, a fetch's, a crop's `out`, or a status file.  v is zeroed,
 * and to be freed also after a failure.  ORR_ERR_IO, ORR_ERR_FORMAT. */
orr_status orr_view_look(orr_view *v, const char *path);
void orr_view_free(orr_view *v); /* and v itself; NULL is fine */

/* The trainings of a cross-validation. */
enum {
    ORR_TASK_DONE,
    ORR_TASK_RUNS,
    ORR_TASK_FAILED,
    ORR_TASK_STARTED, /* and not gone on with now */
    ORR_TASK_STATES
};
extern const char *const orr_task_states[ORR_TASK_STATES];
/* {"done", "under way", ..., "left", "tasks": [...]}, the caller's; NULL: there are none. */
cJSON *orr_view_tasks(const orr_view *v);

enum { ORR_STATUS_AHEAD = 5, ORR_STATUS_OLD = 30 }; /* seconds: clocks may differ; nobody writes */
/* The file's process was one of this machine and has ended. */
int orr_status_is_gone(const cJSON *o);
/* A count of a file, -1 when there is none; seconds since one of its times, NaN when there is
 * none. */
int64_t orr_status_count(const cJSON *o, const char *key);
double orr_status_age(const cJSON *o, const char *key);

/* All of it as people read it (jobs/launch/status_page.c). */
void orr_view_page(const orr_view *v, const cJSON *tasks, orr_text *t);

#endif
