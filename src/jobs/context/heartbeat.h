/* jobs/context/heartbeat.h - a rank's sign of life, outside MPI.
 *
 * With ORR_HEARTBEAT=host:port and ORR_HEARTBEAT_KEY=word in the environment (orrery launch sets
 * them) a thread of the rank tells the supervisor there, four times a second and whatever MPI is
 * stuck in, who it is and what it does: one JSON object a line,
 *
 *   {"key": word, "rank": 2, "size": 4, "pid": 4711, "host": "node1",
 *    "phase": "train", "step": 120, "idle": 0.03}            idle: seconds since it last moved
 *   ... "done": 1, "code": 75, "gave_up": 0                  once it is about to end
 *
 * and listens for single words, one a line: "alive"; "stop" (as a signal would: save and end);
 * "end" (at once).  A rank that is told to end, or that has not heard its supervisor for
 * ORR_HEARTBEAT_GRACE seconds (10), says so on stderr and ends by _exit(ORR_EXIT_LOST), so that
 * none stays behind when a host is cut off or the supervisor was killed (nor does Open MPI's daemon
 * above it: a rank that has lost its supervisor ends that first).  A supervisor may therefore start
 * the job anew that long after it last wrote to a rank that it cannot reach.  A rank that did not
 * run for so long (suspended) calls anew, and ends unless it is answered within 3 s.
 *
 * Without ORR_HEARTBEAT there is no thread and orr_heartbeat_at costs a load.  The thread blocks
 * all signals, calls no MPI and takes no lock of ours.  What the rank does now is state of the
 * process, as its signals are.   Not collective. */
#ifndef ORR_JOBS_CONTEXT_HEARTBEAT_H
#define ORR_JOBS_CONTEXT_HEARTBEAT_H

#include "core/status.h"

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { ORR_PHASE_MAX = 32, ORR_HOST_MAX = 256 };
enum { ORR_HEARTBEAT_MS = 250 /* between a rank's words */, ORR_PING_MS = 500 /* to a rank */ };

/* Starts the thread, if there is a supervisor; the rank is what the launcher says, and the size is
 * not known yet (0): MPI may hang before it has begun.  on_stop is called from the thread. */
orr_status orr_heartbeat_start(void (*on_stop)(void));
void orr_heartbeat_who(int rank, int size); /* as MPI has it */
/* What this rank does now, and how far it is (< 0: nothing to count).  phase must be a literal.
 * Lock-free, from any one thread. */
void orr_heartbeat_at(const char *phase, int64_t step);
/* Announces the end, and waits (at most a second) until that is written: MPI may end the process
 * any time after.  gave_up: for want of the other ranks. */
void orr_heartbeat_done(int code, int gave_up);
void orr_heartbeat_stop(void); /* ends the thread */

#ifdef __cplusplus
}
#endif
#endif
