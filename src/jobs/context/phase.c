/* jobs/context/phase.c - the begin and the end of a phase. */
#include "jobs/context/phase.h"
#include "core/timeline.h"
#include "jobs/context/heartbeat.h"
#include "jobs/context/run_status.h"

/* Is this the one that a test wants to fail? */
static orr_status count(orr_context *context)
{
    if (++context->phase.count != context->phase.fail_at) return ORR_OK;
    return orr_fail(ORR_ERR_IO, "phase %lld failed on purpose (ORR_PHASE_FAIL)",
                    (long long)context->phase.count);
}

void orr_phase_at(orr_context *context, const char *name, int64_t number)
{
    orr_heartbeat_at(name, number);
    orr_run_status_phase(context->status, name);
}

orr_status orr_phase_begin(orr_context *context, const char *name)
{
    orr_phase_state *p = &context->phase;

    if (p->depth++ > 0)
        return p->failed = orr_fail(ORR_ERR_INTERNAL, "phase %s begins within another",
                                    name ? name : "(a part)");
    p->name = name;
    p->began = orr_timeline_now();
    if (name) orr_phase_at(context, name, -1);
    return p->failed = count(context);
}

orr_status orr_phase_meet(orr_context *context, orr_status st)
{
    orr_phase_state *p = &context->phase;
    const char *name = p->name;
    int64_t waits;

    if (p->failed != ORR_OK) st = p->failed;
    p->failed = ORR_OK;
    p->name = NULL;
    p->depth--;
    if (name) orr_timeline_span(name, p->began, -1);
    waits = orr_timeline_now();
    st = orr_context_agree(context, st);
    if (name) orr_timeline_span("wait for the others", waits, -1);
    return st;
}

orr_status orr_phase_meet_joint(orr_context *context, orr_status st)
{
    orr_status wanted = count(context);

    return orr_context_agree(context, wanted == ORR_OK ? st : wanted);
}

orr_status orr_phase_same(orr_context *context, orr_status st)
{
    return context->agreed = st;
}
