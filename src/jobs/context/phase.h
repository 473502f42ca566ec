/* jobs/context/phase.h - work that ends with one verdict for all ranks.
 *
 * A command is a sequence of phases.  In one, each rank does work of its own; at its end all ranks
 * meet and get the same status, the worst one, with the sentence of the lowest rank that failed.
 * What is agreed on is the value of one call, so nobody can leave a phase before that meeting:
 *
 *     ORR_TRY(orr_phase(context, "plan", make_plan(job)));
 *     ORR_TRY(orr_phase_root(context, "index", write_index(job)));
 *
 * orr_phase        every rank makes the call
 * orr_phase_root   rank 0 makes it; the others wait for its verdict
 * orr_phase_joint  the call is collective itself (a counter, a window, a file that all open): each
 *                  rank must come back from it, failed or not; its answers become one here
 *
 * Within the call of the first two nothing is collective: who fails there on its own would leave
 * the others in it.  A phase in a phase is a defect and told as one (ORR_ERR_INTERNAL); the call of
 * an orr_phase_joint may hold phases.  `context` is evaluated several times.
 *
 * The name (a literal) goes to the heartbeat, into the run's status file (which phase, on which
 * rank, since when) and onto the timeline, where the wait for the others has a span of its own.
 * NULL: a part of what is under way, which has told its name.  Work that is no one call (the steps
 * of a training, parts that are dealt out) tells its name by orr_phase_at.  Nobody else writes a
 * phase anywhere.  The wait has
 * the communicator's deadline (ORR_WAIT); a call of MPI's or HDF5's that blocks needs its own
 * (jobs/context/deadline.h), ranks that reach the end minutes apart need a meeting
 * (jobs/context/meeting.h).
 *
 * For tests: ORR_PHASE_FAIL=N in a rank's environment makes its N-th phase (from 1) fail: the call
 * is not made (of a joint one: is made, and its answer thrown away).
 *
 * What stands bare: orr_context_agree at the end of orr_tasks_run (a rank whose group broke has
 * left by then, and ends the job), and orr_comm_agree in the fit of a stack on all ranks, which
 * stats/logistic.h calls at places of its own.   Collective; agreed. */
#ifndef ORR_JOBS_CONTEXT_PHASE_H
#define ORR_JOBS_CONTEXT_PHASE_H

#include "jobs/context/context.h"

#define orr_phase(context, name, call)                                                             \
    orr_phase_end((context),                                                                       \
                  orr_phase_begin((context), (name)) == ORR_OK ? (call) : ORR_ERR_INTERNAL)
#define orr_phase_root(context, name, call)                                                        \
    orr_phase((context), (name), (context)->rank == 0 ? (call) : ORR_OK)
#define orr_phase_joint(context, call) orr_phase_end_joint((context), (call))

/* What this rank does from here on, and how far it is in that (< 0: nothing to count): heartbeat
 * and status are told, and nobody waits.  name: a literal.  Costs a store and a comparison as long
 * as the name is the same: training steps call it.  From the thread that works.  Not collective. */
void orr_phase_at(orr_context *context, const char *name, int64_t number);
/* All ranks have met the same failure by themselves, of numbers that all have: it counts as agreed.
 * Returns st.  Not collective. */
orr_status orr_phase_same(orr_context *context, orr_status st);

/* ---- what the macros are made of ---- */
orr_status orr_phase_begin(orr_context *context, const char *name);
orr_status orr_phase_meet(orr_context *context, orr_status st);
orr_status orr_phase_meet_joint(orr_context *context, orr_status st);
static inline orr_status orr_phase_end(orr_context *context, orr_status st)
{
    orr_status met = orr_phase_meet(context, st);

    return met == ORR_OK ? st : met; /* the compiler sees that a failure stays one */
}
static inline orr_status orr_phase_end_joint(orr_context *context, orr_status st)
{
    orr_status met = orr_phase_meet_joint(context, st);

    return met == ORR_OK ? st : met;
}

#endif
