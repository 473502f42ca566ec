/* jobs/launch/launch_status.h - the status file of orrery launch, written by a thread: a file
 * system that hangs must not silence who speaks to the ranks.
 *
 * The caller's object, and these of it and of us:
 *   "run"      folder of the command's run, "" = it has none
 *   "faults"   [{"what", "when"}, ...] of this launch; before them we put those that earlier
 *              launches of the same run have left in the file: the newest ORR_LAUNCH_FAULTS_MAX of
 *              all
 *   "starts"   how many launches of the run that makes, with this one
 *   "pid", "process_started" (ticks, as /proc has it), "launch_host"   who writes
 * A file beside `beside` is of the same run whatever it says.
 *
 * A file whose writer lives and has not ended is left alone, with one warning, as long as that is
 * so: a second launch of a run, which the run's lock refuses, must not hide the first.  Of a writer
 * on another host, or one that did not say who it is, that is believed for ten seconds after its
 * last word.  What cannot be written is told once, too.   Not collective. */
#ifndef ORR_JOBS_LAUNCH_LAUNCH_STATUS_H
#define ORR_JOBS_LAUNCH_LAUNCH_STATUS_H

#include "core/status.h"

#include <cjson/cJSON.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { ORR_LAUNCH_FAULTS_MAX = 64 };

typedef struct orr_launch_status orr_launch_status;

/* path: of the file.  beside: it is written only while this path exists; "" = always. */
orr_status orr_launch_status_create(orr_launch_status **out, const char *path, const char *beside);
/* What the file is to say next, which this takes (NULL is fine).  What is not written yet is left
 * out. */
void orr_launch_status_put(orr_launch_status *s, cJSON *o);
/* Writes the last one, and waits for that for at most two seconds.  NULL is fine. */
void orr_launch_status_destroy(orr_launch_status *s);

#ifdef __cplusplus
}
#endif
#endif
