/* jobs/launch/launch_status.h - the status file of orrery launch, written by a thread: a file system that
 * hangs must not silence who speaks to the ranks.   Not collective. */
#ifndef ORR_JOBS_LAUNCH_LAUNCH_STATUS_H
#define ORR_JOBS_LAUNCH_LAUNCH_STATUS_H

#include "core/status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct orr_launch_status orr_launch_status;

/* path: of the file.  beside: it is written only while this path exists; "" = always. */
orr_status orr_launch_status_create(orr_launch_status **out, const char *path, const char *beside);
/* The file's next text, of cJSON_Print, which this takes (NULL is fine).  What is not written yet
 * is left out. */
void orr_launch_status_put(orr_launch_status *s, char *text);
/* Writes the last text, and waits for that for at most two seconds.  NULL is fine. */
void orr_launch_status_destroy(orr_launch_status *s);

#ifdef __cplusplus
}
#endif
#endif
