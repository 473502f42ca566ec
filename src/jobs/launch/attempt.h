/* jobs/launch/attempt.h - one start of a job under a supervisor: until it ends by itself, or until
 * a rank is lost; then until nothing of it is left.   Not collective. */
#ifndef ORR_JOBS_LAUNCH_ATTEMPT_H
#define ORR_JOBS_LAUNCH_ATTEMPT_H

#include "jobs/launch/launched.h"
#include "jobs/launch/supervisor.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct orr_attempt {
    /* what to do */
    const char *const *argv; /* of the launcher, as execvp takes it */
    int ranks;               /* that it starts */
    int again;               /* it is not the job's first start: what ran once can run */
    double grace; /* seconds: ranks end by themselves when nobody speaks to them for so long */
    const char *address; /* that the ranks call */
    int is_local;        /* all ranks are on this machine */
    orr_verdict_opts limits;
    int is_rank;             /* argv is the one rank itself, without a launcher */
    int (*signals)(void);    /* how many asked to stop so far */
    int (*suspends)(void);   /* how many asked to stand still (^Z) */
    void (*tick)(void *ctx); /* about 20 times a second */
    void *ctx;
    /* what it is, and how it ended */
    orr_supervisor *supervisor;
    orr_launched launched;
    orr_verdict *verdict;    /* one a rank */
    int signalled;           /* signals seen */
    double signalled_at;     /* the first of them */
    int suspended;           /* suspends seen */
    double done_since;       /* all has been said since then, but for the launcher; < 0: not yet */
    int over, fault;         /* it ended for a reason that another start may mend */
    int code;                /* exit code, when it is no fault */
    double at;               /* when that was seen */
    char why[ORR_ERROR_MAX]; /* of a fault */
    int rank;                /* whose fault it was; -1: nobody's, or not known */
} orr_attempt;

/* Runs it.  An error is one of ours; the rest is in `fault`, `code` and `why`. */
orr_status orr_attempt_run(orr_attempt *a);
void orr_attempt_free(orr_attempt *a);

#ifdef __cplusplus
}
#endif
#endif
