/* jobs/context/deadline.c - how a process ends whose call does not come back. */
#include "jobs/context/deadline.h"
#include "comm/comm.h"
#include "core/options.h"
#include "jobs/context/context.h"
#include "jobs/context/exit_code.h"
#include "jobs/context/heartbeat.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static double from_environment(const char *name, double otherwise)
{
    const char *text = getenv(name);
    double seconds;

    return text && *text && orr_parse_real(&seconds, text) == ORR_OK ? seconds : otherwise;
}

static double limit(void)
{
    const orr_comm_opts defaults = ORR_COMM_OPTS_INIT;
    const double least = from_environment("ORR_WAIT_LEAST", 60);

    return fmin(fmax(from_environment("ORR_WAIT", defaults.deadline), least), 1e9);
}

/* The main thread is stuck and may hold any lock, stdio's as well. */
static void end(const char *sentence, int code, int lost)
{
    dprintf(STDERR_FILENO, "orrery: %s; it ends here\n", sentence);
    if (lost) orr_heartbeat_done(code, 1);
    _exit(code);
}

static void is_late(void *ctx, double seconds)
{
    const orr_deadline *d = ctx;
    char sentence[ORR_ERROR_MAX];

    snprintf(sentence, sizeof sentence, "%s did not come back within %g s (ORR_WAIT)", d->what,
             seconds);
    end(sentence, d->code, d->lost);
}

void orr_deadline_start(orr_deadline *d, const char *what, int code, int lost)
{
    *d = (orr_deadline){ .what = what, .code = code, .lost = lost };
    orr_watchdog_start(&d->dog, limit(), is_late, d);
}

void orr_deadline_again(orr_deadline *d)
{
    orr_watchdog_feed(&d->dog);
}

void orr_deadline_stop(orr_deadline *d)
{
    orr_watchdog_stop(&d->dog);
}

void orr_deadline_end(const char *sentence)
{
    end(sentence, ORR_EXIT_FAILED, 1);
}
