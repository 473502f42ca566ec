/* jobs/context/signals.h - a job is asked to stop: by a signal, by its supervisor, by another group
 * of it.
 *
 * What is asked for stays asked for: the work looks now and then, saves and ends (exit code 75).
 * The flag is core/stop.h's.   Not collective: ranks tell one another at places where they meet
 * (jobs/train/step.h, jobs/context/meeting.h). */
#ifndef ORR_JOBS_CONTEXT_SIGNALS_H
#define ORR_JOBS_CONTEXT_SIGNALS_H

#include "core/stop.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Signals that ask for a stop do so from now on; SIGPIPE and SIGXFSZ are ignored. */
void orr_stop_on_signals(void);
/* Lets handler see SIGTERM, SIGINT, SIGUSR1, SIGUSR2 and SIGHUP, those that are not ignored already
 * (nohup); SIGPIPE and SIGXFSZ are ignored: writes fail instead. */
void orr_signals_catch(void (*handler)(int));

#ifdef __cplusplus
}
#endif
#endif
