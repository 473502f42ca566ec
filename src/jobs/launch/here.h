/* jobs/launch/here.h - what ranks call the machine that launch runs on, and so where it listens.
 *
 * As narrow as can be: 127.0.0.1 when all hosts are this machine; the one address from which the
 * other hosts are reached (what the routes say; nothing is sent), when it is the same for all; else
 * the host's name, and then launch listens on all of its addresses.   Not collective. */
#ifndef ORR_JOBS_LAUNCH_HERE_H
#define ORR_JOBS_LAUNCH_HERE_H

#include "core/status.h"
#include "jobs/launch/verdict.h"

/* names: hosts, by name or address; n 0: hosts that are not known by name. */
void orr_here(char out[ORR_HOST_MAX], const char *const *names, int n);
/* Is it this machine, and it alone?  By what the name resolves to. */
int orr_is_here(const char *name);

#endif
