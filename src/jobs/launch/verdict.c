/* jobs/launch/verdict.c - dead, stopped, cut off, slow, or fine. */
#include "jobs/launch/verdict.h"

#include <string.h>

/* Words that come this many times as far apart as they should, while another rank's do not. */
static const double late = 2, punctual = 1.5;
/* Seconds: who gives up takes the others along, and what is seen of them may be a little early. */
static const double at_once = 0.05;

static orr_verdict judge_one(const orr_rank_view *v, const orr_verdict_opts *o, double now)
{
    if (v->done) return v->gave_up ? ORR_RANK_GAVE_UP : ORR_RANK_DONE;
    if (!v->came) return now - o->began > o->start ? ORR_RANK_ABSENT : ORR_RANK_AWAITED;
    if (v->closed >= 0) return now - v->closed >= o->rejoin ? ORR_RANK_DEAD : ORR_RANK_FINE;
    if (now - v->heard <= o->silence) return ORR_RANK_FINE;
    return now - v->acked > o->unacked ? ORR_RANK_CUT_OFF : ORR_RANK_STOPPED;
}

typedef struct others {
    int punctual; /* one whose words come in time */
    int64_t step; /* the furthest in lockstep; -1: none */
} others;

static others look_around(const orr_verdict *verdict, const orr_rank_view *v, int n,
                          const orr_verdict_opts *o)
{
    others all = { .step = -1 };

    for (int i = 0; i < n; i++) {
        if (verdict[i] != ORR_RANK_FINE) continue;
        if (v[i].gap > 0 && v[i].gap < punctual * o->period) all.punctual = 1;
        if (v[i].lockstep && v[i].step > all.step) all.step = v[i].step;
    }
    return all;
}

/* In lockstep the others may be one step ahead for a moment, not for long. */
static int is_slow(const orr_rank_view *v, const others *all, const orr_verdict_opts *o)
{
    if (all->punctual && v->gap > late * o->period) return 1;
    return v->lockstep && v->step < all->step && v->idle > o->silence;
}

void orr_verdict_judge(orr_verdict *out, const orr_rank_view *v, int n, const orr_verdict_opts *o,
                       double now)
{
    others all;

    for (int i = 0; i < n; i++)
        out[i] = judge_one(&v[i], o, now);
    all = look_around(out, v, n, o);
    for (int i = 0; i < n; i++)
        if (out[i] == ORR_RANK_FINE && is_slow(&v[i], &all, o)) out[i] = ORR_RANK_SLOW;
}

const char *orr_verdict_name(orr_verdict v)
{
    static const char *const names[] = {
        [ORR_RANK_FINE] = "fine",       [ORR_RANK_AWAITED] = "awaited",
        [ORR_RANK_DONE] = "done",       [ORR_RANK_SLOW] = "slow",
        [ORR_RANK_DEAD] = "dead",       [ORR_RANK_STOPPED] = "stopped",
        [ORR_RANK_CUT_OFF] = "cut off", [ORR_RANK_ABSENT] = "absent",
        [ORR_RANK_GAVE_UP] = "gave up",
    };

    return names[v];
}

double orr_verdict_when(orr_verdict verdict, const orr_rank_view *v)
{
    if (verdict == ORR_RANK_GAVE_UP) return v->ended - at_once;
    return verdict == ORR_RANK_DEAD ? v->closed : v->heard;
}

int orr_verdict_first(const orr_verdict *verdict, const orr_rank_view *v, int n)
{
    int first = -1;

    for (int i = 0; i < n; i++)
        if (orr_verdict_is_fault(verdict[i]) &&
            (first < 0 ||
             orr_verdict_when(verdict[i], &v[i]) < orr_verdict_when(verdict[first], &v[first])))
            first = i;
    return first;
}

static void tell_place(orr_text *out, const orr_rank_view *v)
{
    if (v->phase[0]) orr_text_printf(out, " in %s", v->phase);
    if (v->phase[0] && v->step >= 0) orr_text_printf(out, ", step %lld", (long long)v->step);
}

static void tell_one(orr_text *out, int rank, orr_verdict verdict, const orr_rank_view *v,
                     const orr_verdict_opts *o, double now)
{
    if (verdict == ORR_RANK_ABSENT) {
        orr_text_printf(out, "rank %d has not come within %g s of the start", rank, o->start);
        return;
    }
    orr_text_printf(out, "rank %d on %s ", rank, v->host);
    switch (verdict) {
    case ORR_RANK_DEAD:
        orr_text_add(out, "was killed or crashed");
        break;
    case ORR_RANK_GAVE_UP:
        orr_text_add(out, "gave up, having lost the others,");
        break;
    default:
        orr_text_printf(out, "is %s", orr_verdict_name(verdict));
    }
    tell_place(out, v);
    if (verdict == ORR_RANK_STOPPED)
        orr_text_printf(out, ": its host answers, it has not for %.1f s", now - v->heard);
    if (verdict == ORR_RANK_CUT_OFF)
        orr_text_printf(out, ": neither it nor its host has answered for %.1f s", now - v->heard);
}

void orr_verdict_tell(orr_text *out, const orr_verdict *verdict, const orr_rank_view *v, int n,
                      const orr_verdict_opts *o, double now)
{
    int first = orr_verdict_first(verdict, v, n), more = 0;

    if (first < 0) return;
    tell_one(out, first, verdict[first], &v[first], o, now);
    for (int i = 0; i < n; i++)
        more += i != first && verdict[i] == verdict[first];
    if (more == 0) return;
    orr_text_add(out, more == 1 ? "; so is rank" : "; so are ranks");
    for (int i = 0, said = 0; i < n; i++)
        if (i != first && verdict[i] == verdict[first])
            orr_text_printf(out, "%s %d", said++ ? "," : "", i);
}
