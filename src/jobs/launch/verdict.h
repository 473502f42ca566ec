/* jobs/launch/verdict.h - what ails a rank, judged from outside MPI.
 *
 * A supervisor (jobs/launch/supervisor.h) hears from each rank four times a second and writes to it
 * twice a second.  Three things tell faults apart: whether the rank still speaks, whether the
 * kernel of its host still acknowledges what is written, and whether its connection was closed:
 *
 *   closed, and no end announced   dead: killed or crashed (the kernel closes for it)
 *   silent, acknowledged           stopped: SIGSTOP, a debugger, a frozen container
 *   silent, not acknowledged       cut off: the network, or the whole host
 *   speaks                         fine; or slow, when its words come late or it trails the others
 *
 * Pure functions over plain structs; times are seconds of any one clock.   Not collective. */
#ifndef ORR_JOBS_LAUNCH_VERDICT_H
#define ORR_JOBS_LAUNCH_VERDICT_H

#include "core/text.h"
#include "jobs/context/heartbeat.h"

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum {
    ORR_RANK_FINE,
    ORR_RANK_AWAITED, /* has not come yet */
    ORR_RANK_DONE,    /* said that it ends, with a code */
    ORR_RANK_SLOW,
    ORR_RANK_DEAD, /* from here on the job cannot go on */
    ORR_RANK_STOPPED,
    ORR_RANK_CUT_OFF,
    ORR_RANK_ABSENT,  /* did not come in time */
    ORR_RANK_GAVE_UP, /* ended by itself: it had lost the others */
} orr_verdict;

/* What is known of a rank. */
typedef struct orr_rank_view {
    int came;       /* it has spoken at least once */
    int late;       /* it was heard when it had ended already: `closed` is right to a few ms */
    double heard;   /* when it spoke last */
    double acked;   /* when all that was written to it was last seen acknowledged */
    double closed;  /* when its connection was closed by its host; < 0: it is open */
    double ended;   /* when it first announced its end */
    double gap;     /* seconds between its latest words, on average; 0: too few so far */
    int done, code; /* announced its end, with this exit code ... */
    int gave_up;    /* ... because it had lost the others */
    int lockstep;   /* its phase is one whose steps all ranks take together */
    int pid, size;  /* size: of the job, as it knows it; 0: it does not know yet */
    int64_t step;   /* within the phase; < 0: it has none */
    double idle;    /* seconds since it last moved, when it spoke last */
    char phase[ORR_PHASE_MAX], host[ORR_HOST_MAX];
    char address[64]; /* of its host, as numbers */
} orr_rank_view;

typedef struct orr_verdict_opts {
    double silence; /* seconds without a word that are too many */
    double unacked; /* seconds without acknowledgement that make it the network */
    double rejoin;  /* seconds in which a closed connection may come back */
    double start;   /* seconds in which every rank has to come ... */
    double began;   /* ... from this moment */
    double period;  /* seconds between a healthy rank's words */
} orr_verdict_opts;

#define ORR_VERDICT_OPTS_INIT                                                                      \
    {                                                                                              \
        .silence = 2.5, .unacked = 1.0, .rejoin = 0.3, .start = 60,                                \
        .period = ORR_HEARTBEAT_MS * 1e-3                                                          \
    }

/* One word for each of n ranks, at the time now. */
void orr_verdict_judge(orr_verdict *out, const orr_rank_view *v, int n, const orr_verdict_opts *o,
                       double now);
/* Does it end the job? */
static inline int orr_verdict_is_fault(orr_verdict v)
{
    return v >= ORR_RANK_DEAD;
}
/* "fine", "cut off", ... */
const char *orr_verdict_name(orr_verdict v);
/* When the fault was there at the latest. */
double orr_verdict_when(orr_verdict verdict, const orr_rank_view *v);
/* The rank whose fault came first; -1: there is none. */
int orr_verdict_first(const orr_verdict *verdict, const orr_rank_view *v, int n);
/* May the fault of `first` be another rank's?  A rank that is killed before its first word is not
 * seen to end, the others are: the launcher ends them for it.  So their ends tell nothing while a
 * rank has not come, unless others live on; nor does the order of ends that nobody was there to
 * see. */
int orr_verdict_is_doubtful(const orr_verdict *verdict, const orr_rank_view *v, int n, int first,
                            double now);
/* What is known then: "a rank that had not said its first word yet was killed or crashed (rank 2 of
 * 3 is the one missing), or rank 0 on node1 in start, the first that was seen to end".  unnamed:
 * orr_supervisor_unnamed. */
void orr_verdict_tell_doubt(orr_text *out, const orr_rank_view *v, int n, int first,
                            double unnamed);
/* "rank 2 on node1 is cut off in train, step 120: ...; ranks 3, 5 are cut off, too" about the first
 * fault; adds nothing when there is none. */
void orr_verdict_tell(orr_text *out, const orr_verdict *verdict, const orr_rank_view *v, int n,
                      const orr_verdict_opts *o, double now);

#ifdef __cplusplus
}
#endif
#endif
