/* jobs/context/meeting.h - a phase whose ranks reach its end far apart: downloads, crops.
 *
 * A collective call at its end would pass its deadline while a slow rank still works.  So ranks
 * look at counters: each says now and then that it lives, and whether somebody has halted all; who
 * has ended waits while anybody lives.  When nobody has said so for a minute, the waiting end, and
 * the collective call that follows (the end of an orr_phase_joint) names who is lost, within its
 * deadline.
 *
 * Create and destroy are collective; the rest is not, and belongs to one thread a rank. */
#ifndef ORR_JOBS_CONTEXT_MEETING_H
#define ORR_JOBS_CONTEXT_MEETING_H

#include "jobs/context/context.h"

typedef struct orr_meeting orr_meeting;

orr_status orr_meeting_create(orr_meeting **out, orr_context *context);
void orr_meeting_destroy(orr_meeting *m); /* NULL is fine */
/* To be called at least every few seconds; cheap.  *halted: somebody has halted all. */
orr_status orr_meeting_look(orr_meeting *m, int *halted);
/* All are to leave off soon: this rank has failed, or was signalled. */
void orr_meeting_halt(orr_meeting *m);
/* This rank has ended its part.  Returns when all have, or somebody halts, or all are silent;
 * meanwhile (may be NULL) is called about 50 times a second. */
orr_status orr_meeting_wait(orr_meeting *m, orr_status (*meanwhile)(void *ctx), void *ctx);

#endif
