/* core/stop.c - one flag of the process. */
#include "core/stop.h"

#include <signal.h>

static volatile sig_atomic_t requested;

int orr_stop_requested(void)
{
    return requested != 0;
}

void orr_stop_request(void)
{
    requested = 1;
}

orr_status orr_stop_check(const char *what)
{
    return requested ? orr_fail(ORR_ERR_INTERRUPTED, "%s: stopped by a signal", what) : ORR_OK;
}
