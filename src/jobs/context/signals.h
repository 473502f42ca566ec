/* jobs/context/signals.h - a job is asked to stop: by a signal, by its supervisor, by another group
 * of it.
 *
 * What is asked for stays asked for: the work looks now and then, saves and ends (exit code 75).
 * State of the process, as signals are; from any thread, and from handlers.   Not collective: ranks
 * tell one another at places where they meet (jobs/train/step.h, jobs/context/meeting.h). */
#ifndef ORR_JOBS_CONTEXT_SIGNALS_H
#define ORR_JOBS_CONTEXT_SIGNALS_H

#ifdef __cplusplus
extern "C" {
#endif

/* Signals that ask for a stop do so from now on; SIGPIPE and SIGXFSZ are ignored. */
void orr_stop_on_signals(void);
/* Lets handler see SIGTERM, SIGINT, SIGUSR1, SIGUSR2 and SIGHUP, those that are not ignored already
 * (nohup); SIGPIPE and SIGXFSZ are ignored: writes fail instead. */
void orr_signals_catch(void (*handler)(int));
/* True once one of these signals has come to this rank, or a stop was asked for. */
int orr_stop_requested(void);
/* As if a signal had come: another group of the job was stopped. */
void orr_stop_request(void);

#ifdef __cplusplus
}
#endif
#endif
