/* jobs/context/meeting.c - three counters: halts, signs of life, ranks at the end. */
#include "jobs/context/meeting.h"
#include "core/memory.h"
#include "core/threads.h"
#include "core/watchdog.h"
#include "jobs/context/phase.h"

#include <time.h>

static const double look_every = 0.2, beat_every = 1, silence = 60; /* seconds */
enum { PAUSE_NS = 20000000 };

struct orr_meeting {
    orr_context *context;
    orr_counter *halts, *beats, *ended;
    int halted;
    double looked, beat;
};

static orr_status add(orr_counter *k, int64_t n)
{
    int64_t before;

    return orr_counter_next(k, n, &before);
}

orr_status orr_meeting_create(orr_meeting **out, orr_context *context)
{
    orr_meeting *m = orr_alloc(1, sizeof *m);
    orr_status st;

    *out = NULL;
    st = orr_phase(context, NULL,
                   m ? ORR_OK : orr_fail(ORR_ERR_NOMEM, "out of memory: a meeting of ranks"));
    if (st == ORR_OK) st = orr_phase_joint(context, orr_counter_create(&m->halts, context->world));
    if (st == ORR_OK) st = orr_phase_joint(context, orr_counter_create(&m->beats, context->world));
    if (st == ORR_OK) st = orr_phase_joint(context, orr_counter_create(&m->ended, context->world));
    if (st != ORR_OK) {
        orr_meeting_destroy(m);
        return st;
    }
    m->context = context;
    *out = m;
    return ORR_OK;
}

void orr_meeting_destroy(orr_meeting *m)
{
    if (!m) return;
    orr_counter_destroy(m->ended);
    orr_counter_destroy(m->beats);
    orr_counter_destroy(m->halts);
    orr_free(m);
}

static orr_status read_halts(orr_meeting *m, int *halted)
{
    int64_t halts = 0;

    if (!m->halted) ORR_TRY(orr_counter_next(m->halts, 0, &halts));
    *halted = m->halted |= halts > 0;
    return ORR_OK;
}

orr_status orr_meeting_look(orr_meeting *m, int *halted)
{
    double now = orr_now();

    orr_counter_serve(m->halts);
    *halted = m->halted;
    if (m->halted || now < m->looked + look_every) return ORR_OK;
    m->looked = now;
    if (now > m->beat + beat_every) {
        m->beat = now;
        ORR_TRY(add(m->beats, 1));
    }
    return read_halts(m, halted);
}

void orr_meeting_halt(orr_meeting *m)
{
    if (!m->halted) (void)add(m->halts, 1);
    m->halted = 1;
}

orr_status orr_meeting_wait(orr_meeting *m, orr_status (*meanwhile)(void *ctx), void *ctx)
{
    const struct timespec pause = { .tv_nsec = PAUSE_NS };
    int64_t ended = 0, beats = 0, before = -1;
    orr_patience patience = orr_patience_of(silence);
    int halted = 0;

    ORR_TRY(add(m->ended, 1));
    for (;;) {
        ORR_TRY(orr_counter_next(m->ended, 0, &ended));
        ORR_TRY(read_halts(m, &halted));
        if (ended >= m->context->size || halted) return ORR_OK;
        ORR_TRY(orr_counter_next(m->beats, 0, &beats));
        if (beats != before) patience = orr_patience_of(silence); /* who waits does not beat */
        before = beats;
        if (!orr_patience_lasts(&patience)) return ORR_OK;
        if (meanwhile) ORR_TRY(meanwhile(ctx));
        nanosleep(&pause, NULL);
    }
}
