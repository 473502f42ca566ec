/* jobs/context/ending.h - how the ranks of a job end, together or not.
 *
 * A command that returns an agreed status (jobs/context/phase.h) ends everywhere with one printed
 * sentence and the same exit code.  A failure that one rank met alone, where the others wait for
 * it, ends the job by MPI_Abort after that rank has printed it; so does one of MPI itself, after
 * which they cannot meet any more.  MPI_Finalize and MPI_Abort have a deadline
 * (jobs/context/deadline.h), a supervisor is told (jobs/context/heartbeat.h), the timeline is
 * closed (jobs/context/tracing.h). */
#ifndef ORR_JOBS_CONTEXT_ENDING_H
#define ORR_JOBS_CONTEXT_ENDING_H

#include "jobs/context/context.h"
#include "jobs/context/exit_code.h"

/* Prints what there is to print about st, ends MPI, returns the exit code.  Collective when st is
 * ORR_OK or agreed. */
int orr_context_finish(orr_context *context, const char *command, orr_status st);
/* What was printed is out, unless standard output was closed on purpose.  ORR_ERR_IO.
 * Not collective. */
orr_status orr_flush_output(void);

#endif
