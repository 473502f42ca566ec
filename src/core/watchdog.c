/* core/watchdog.c - limits for waits. */
#include "core/watchdog.h"
#include "core/threads.h"

#include <time.h>

static const double stopped = 1; /* seconds without a question: the process did not run */
enum { LOOK_MS = 100 };

orr_patience orr_patience_of(double seconds)
{
    double now = orr_now();

    return (orr_patience){ now + seconds, now };
}

double orr_patience_forgive(orr_patience *p)
{
    double now = orr_now(), gap = now - p->asked;

    p->asked = now;
    if (gap <= stopped) return 0;
    p->until += gap;
    return gap;
}

int orr_patience_lasts(orr_patience *p)
{
    (void)orr_patience_forgive(p);
    return p->asked < p->until;
}

static void *watch(void *ctx)
{
    orr_watchdog *d = ctx;
    int late = 0;

    pthread_mutex_lock(&d->lock);
    while (!d->over && !(late = !orr_patience_lasts(&d->patience))) {
        struct timespec until;
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_nsec += LOOK_MS * 1000000L;
        until.tv_sec += until.tv_nsec / 1000000000L;
        until.tv_nsec %= 1000000000L;
        (void)pthread_cond_timedwait(&d->change, &d->lock, &until);
    }
    pthread_mutex_unlock(&d->lock);
    if (late) d->late(d->ctx, d->seconds);
    return NULL;
}

void orr_watchdog_start(orr_watchdog *d, double seconds, orr_watchdog_fn *late, void *ctx)
{
    pthread_condattr_t clock;

    *d = (orr_watchdog){
        .patience = orr_patience_of(seconds), .seconds = seconds, .late = late, .ctx = ctx
    };
    pthread_condattr_init(&clock);
    pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
    pthread_mutex_init(&d->lock, NULL);
    pthread_cond_init(&d->change, &clock);
    pthread_condattr_destroy(&clock);
    d->started = orr_thread_start(&d->thread, watch, d) == 0;
}

void orr_watchdog_feed(orr_watchdog *d)
{
    pthread_mutex_lock(&d->lock);
    d->patience = orr_patience_of(d->seconds);
    pthread_mutex_unlock(&d->lock);
}

void orr_watchdog_stop(orr_watchdog *d)
{
    pthread_mutex_lock(&d->lock);
    d->over = 1;
    pthread_cond_signal(&d->change);
    pthread_mutex_unlock(&d->lock);
    if (d->started) pthread_join(d->thread, NULL);
    pthread_cond_destroy(&d->change);
    pthread_mutex_destroy(&d->lock);
}
