/* jobs/launch/verdict.c - dead, stopped, cut off, slow, or fine. */
#include "jobs/launch/verdict.h"

#include <string.h>

/* Words that come this many times as far apart as they should, while another rank's do not. */
static const double late = 2, punctual = 1.5;
/* Seconds: who gives up takes the others along, and what is seen of them may be a little early. */
static const double at_once = 0.05;
/* Seconds: what the launcher ends because of one rank is over by then. */
static const double all_at_once = 0.3;
/* A connection without a word that ended so long before a rank did has nothing to do with it. */
static const double unrelated = 1;

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

/* Its end may have come before that of `first`, whatever the times say. */
static int is_uncertain(const orr_rank_view *v, const orr_rank_view *first)
{
    if (!v->came) return 1;
    return (v->late || first->late) && v->closed >= 0 && v->closed - first->closed <= at_once;
}

int orr_verdict_is_doubtful(const orr_verdict *verdict, const orr_rank_view *v, int n, int first,
                            double now)
{
    int uncertain = 0;

    if (verdict[first] != ORR_RANK_DEAD) return 0;
    for (int i = 0; i < n; i++) {
        if (i == first) continue;
        uncertain += is_uncertain(&v[i], &v[first]);
        if (v[i].came && !v[i].done && v[i].closed < 0 && now - v[first].closed >= all_at_once)
            return 0;
    }
    return uncertain > 0;
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

/* " 1, 3": those that have not come; or, when all have, that may have ended first. */
static int list_uncertain(orr_text *out, const orr_rank_view *v, int n, int first, int missing)
{
    int listed = 0;

    for (int i = 0; i < n; i++)
        if (missing ? !v[i].came : i == first || is_uncertain(&v[i], &v[first]))
            orr_text_printf(out, "%s %d", listed++ ? "," : "", i);
    return listed;
}

void orr_verdict_tell_doubt(orr_text *out, const orr_rank_view *v, int n, int first, double unnamed)
{
    orr_text missing = ORR_TEXT_INIT;
    int n_missing = list_uncertain(&missing, v, n, first, 1), one = n_missing == 1;
    const char *who = missing.s ? missing.s : "";

    if (n_missing == 0) {
        orr_text_add(out, "one of ranks");
        list_uncertain(out, v, n, first, 0);
        orr_text_add(out, " was killed or crashed");
        tell_place(out, &v[first]);
        orr_text_add(out, "; they had all ended when the last of them was heard");
    } else if (unnamed >= 0 && unnamed <= v[first].closed &&
               unnamed > v[first].closed - unrelated) {
        if (one)
            orr_text_printf(out, "rank%s of %d was killed or crashed before its first word", who,
                            n);
        if (!one)
            orr_text_printf(out,
                            "a rank was killed or crashed before its first word (ranks%s of %d "
                            "are missing)",
                            who, n);
    } else {
        orr_text_printf(
            out,
            "a rank that had not said its first word yet was killed or crashed (rank%s%s "
            "of %d %s missing), or rank %d on %s",
            one ? "" : "s", who, n, one ? "is the one" : "are", first, v[first].host);
        tell_place(out, &v[first]);
        orr_text_add(out, ", the first that was seen to end");
    }
    orr_text_free(&missing);
}
