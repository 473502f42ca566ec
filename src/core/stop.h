/* core/stop.h - was this process asked to stop?
 *
 * One flag of the process, as signals are (jobs/context/signals.h sets it).  What is asked for
 * stays asked for.  Long work looks now and then, and ends with ORR_ERR_INTERRUPTED: steps of a
 * training, rows of a table, blocks of a file that is unpacked.  From any thread, and from
 * handlers. Not collective: ranks tell one another at places where they meet. */
#ifndef ORR_CORE_STOP_H
#define ORR_CORE_STOP_H

#include "core/status.h"

#ifdef __cplusplus
extern "C" {
#endif

int orr_stop_requested(void);
void orr_stop_request(void);
/* ORR_OK, or ORR_ERR_INTERRUPTED with the sentence "what: stopped by a signal" once it was. */
orr_status orr_stop_check(const char *what);

#ifdef __cplusplus
}
#endif
#endif
