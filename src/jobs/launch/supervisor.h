/* jobs/launch/supervisor.h - hears the ranks of a job (jobs/context/heartbeat.h) and writes to
 * them.
 *
 * Listens on a port of its own, with a key of its own; a line without the key ends the connection.
 * Everything happens inside orr_supervisor_serve, which is to be called all the time; when it was
 * not for a while, nobody's silence is counted for that while.   Not collective. */
#ifndef ORR_JOBS_LAUNCH_SUPERVISOR_H
#define ORR_JOBS_LAUNCH_SUPERVISOR_H

#include "core/status.h"
#include "jobs/launch/verdict.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct orr_supervisor orr_supervisor;

/* address: what the ranks call (numbers, or a name that their hosts know). */
orr_status orr_supervisor_create(orr_supervisor **out, const char *address, int ranks);
void orr_supervisor_destroy(orr_supervisor *s);            /* NULL is fine */
const char *orr_supervisor_where(const orr_supervisor *s); /* ORR_HEARTBEAT */
const char *orr_supervisor_key(const orr_supervisor *s);   /* ORR_HEARTBEAT_KEY */
/* Accepts, hears, writes "alive", for that many seconds. */
void orr_supervisor_serve(orr_supervisor *s, double seconds);
/* To all ranks, those that come later too.  After "end" nothing more is written. */
void orr_supervisor_say(orr_supervisor *s, const char *word);
const orr_rank_view *orr_supervisor_views(const orr_supervisor *s); /* one a rank */
/* When a connection on which no word had come was closed by its host, the latest such; < 0: none.
 * A rank that dies between its call and its first word leaves nothing else. */
double orr_supervisor_unnamed(const orr_supervisor *s);
/* After "end": may a rank live that nobody has seen end?  When this says 0, the others have heard
 * nothing for more than `grace` seconds, and have ended by themselves. */
int orr_supervisor_awaits(const orr_supervisor *s, double grace, double now);

#ifdef __cplusplus
}
#endif
#endif
