/* jobs/deadline.c - the thread that waits for a call to come back. */
#include "jobs/deadline.h"
#include "comm/comm.h"
#include "core/options.h"
#include "core/threads.h"
#include "jobs/pulse.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static const double least = 60; /* seconds */

static double limit(void)
{
    const orr_comm_opts defaults = ORR_COMM_OPTS_INIT;
    const char *text = getenv("ORR_WAIT");
    double seconds = defaults.deadline;

    if (text && *text && orr_parse_real(&seconds, text) != ORR_OK) seconds = least;
    return fmin(fmax(seconds, least), 1e9);
}

static void *wait_for(void *ctx)
{
    orr_deadline *d = ctx;
    struct timespec until;
    int waited = 0;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += (time_t)d->seconds;
    pthread_mutex_lock(&d->lock);
    while (!d->over && waited != ETIMEDOUT)
        waited = pthread_cond_timedwait(&d->change, &d->lock, &until);
    if (!d->over) {
        fprintf(stderr, "orrery: %s did not come back within %.0f s (ORR_WAIT); it ends here\n",
                d->what, d->seconds);
        if (d->lost) orr_pulse_done(d->code, 1);
        _exit(d->code);
    }
    pthread_mutex_unlock(&d->lock);
    return NULL;
}

void orr_deadline_start(orr_deadline *d, const char *what, int code, int lost)
{

    *d = (orr_deadline){ .what = what, .code = code, .lost = lost, .seconds = limit() };
    pthread_mutex_init(&d->lock, NULL);
    pthread_cond_init(&d->change, NULL);
    d->started = orr_thread_start(&d->thread, wait_for, d) == 0;
}

void orr_deadline_stop(orr_deadline *d)
{
    pthread_mutex_lock(&d->lock);
    d->over = 1;
    pthread_cond_signal(&d->change);
    pthread_mutex_unlock(&d->lock);
    if (d->started) pthread_join(d->thread, NULL);
    pthread_cond_destroy(&d->change);
    pthread_mutex_destroy(&d->lock);
}
