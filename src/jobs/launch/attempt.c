/* jobs/launch/attempt.c - start, watch, decide, and leave nothing behind. */
#include "jobs/launch/attempt.h"
#include "core/log.h"
#include "core/memory.h"
#include "core/threads.h"
#include "core/watchdog.h"
#include "jobs/context/context.h"
#include "jobs/context/exit_code.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

/* Seconds.  The launcher ends by itself when its ranks do; Open MPI's may crash when it is told to
 * end while it is about it, so it is told later. */
static const double round_seconds = 0.05, term_after = 1.5, kill_after = 4, stubborn = 120;
/* One order to stop often comes as several signals: to the script, its steps, its process group. */
static const double second_after = 2;
/* What comes of a rank's last words may seem to be there so long before them: the kernel's clock.
 */
static const double at_once = 0.05;
/* After it was asked to suspend its ranks a launcher has done so. */
static const double settling = 0.6;
/* For the ends of the ranks, when the launcher's was seen: a large process takes time to go. */
static const double last_words = 1;
static const char key_name[] = "ORR_HEARTBEAT_KEY";

static void end_with(orr_attempt *a, int code)
{
    a->over = 1;
    a->code = code;
    a->at = orr_now();
}

static void end_by_fault(orr_attempt *a, const char *why)
{
    a->over = a->fault = 1;
    a->at = orr_now();
    snprintf(a->why, sizeof a->why, "%s", why);
}

/* By the job's own exit code. */
static void end_as_said(orr_attempt *a, int code)
{
    if (code == ORR_EXIT_MACHINE)
        end_by_fault(a, "the ranks saw a fault of the machine (exit code 77), and said which");
    else
        end_with(a, code);
}

/* ---- decisions ---- */
typedef struct tally {
    int came, done;
    int failed;   /* the first exit code that is not 0, of a rank's own ... */
    double since; /* ... and when that was said */
} tally;

static tally count(const orr_attempt *a)
{
    const orr_rank_view *v = orr_supervisor_views(a->supervisor);
    tally t = { 0 };

    for (int r = 0; r < a->ranks; r++) {
        t.came += v[r].came;
        t.done += v[r].done;
        if (!v[r].done || v[r].code == 0 || v[r].gave_up) continue;
        if (t.failed && t.since <= v[r].ended) continue;
        t.failed = v[r].code;
        t.since = v[r].ended;
    }
    return t;
}

/* A rank that fails by itself, with a code of its own, ends the job by MPI_Abort: what becomes of
 * the others after it has said so is no fault of theirs. */
static int judge(orr_attempt *a, double now)
{
    const orr_rank_view *v = orr_supervisor_views(a->supervisor);
    tally t = count(a);
    orr_text why = ORR_TEXT_INIT;

    orr_verdict_judge(a->verdict, v, a->ranks, &a->limits, now);
    a->rank = orr_verdict_first(a->verdict, v, a->ranks);
    if (a->rank >= 0 && t.failed &&
        orr_verdict_when(a->verdict[a->rank], &v[a->rank]) >= t.since - at_once)
        a->rank = -1;
    if (a->rank < 0) return 0;
    if (orr_verdict_is_doubtful(a->verdict, v, a->ranks, a->rank, now)) {
        orr_verdict_tell_doubt(&why, v, a->ranks, a->rank, orr_supervisor_unnamed(a->supervisor));
        end_by_fault(a, why.s ? why.s : "a rank was killed or crashed");
        a->rank = -1;
    } else {
        orr_verdict_tell(&why, a->verdict, v, a->ranks, &a->limits, now);
        end_by_fault(a, why.s ? why.s : orr_verdict_name(a->verdict[a->rank]));
    }
    orr_text_free(&why);
    return 1;
}

/* What is closed will not come back when the launcher has ended. */
static int judge_ended(orr_attempt *a)
{
    double rejoin = a->limits.rejoin;
    int judged;

    a->limits.rejoin = 0;
    judged = judge(a, orr_now());
    a->limits.rejoin = rejoin;
    return judged;
}

static int all_at_start(const orr_attempt *a)
{
    const orr_rank_view *v = orr_supervisor_views(a->supervisor);

    for (int r = 0; r < a->ranks; r++)
        if (v[r].came && strcmp(v[r].phase, "start") != 0) return 0;
    return !a->again;
}

/* Nobody announced it: is it the code of a command of ours, or of a launcher that cannot start one?
 * What ran once can run; and a rank that is ended by signal n gives 128 + n. */
static int may_be_own(const orr_attempt *a, int code)
{
    return !a->again && (code <= ORR_EXIT_USAGE || code == ORR_EXIT_REQUEUE ||
                         code == ORR_EXIT_MACHINE || code == 126 || code == 127);
}

static int are_all_gone(const orr_attempt *a)
{
    const orr_rank_view *v = orr_supervisor_views(a->supervisor);

    for (int r = 0; r < a->ranks; r++)
        if (v[r].came && !v[r].done && v[r].closed < 0) return 0;
    return 1;
}

static void hear_last_words(orr_attempt *a, int patiently)
{
    double until = orr_now() + (patiently ? last_words : 0);

    do
        orr_supervisor_serve(a->supervisor, 2 * round_seconds);
    while (orr_now() < until && !are_all_gone(a));
}

/* The launcher has ended: of itself, when the ranks had said that they would, or never came. Killed
 * from outside it takes its ranks along. */
static void decide_ended(orr_attempt *a)
{
    int status = a->launched.status, killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
    char why[ORR_ERROR_MAX];
    tally t;

    hear_last_words(a, !killed);
    t = count(a);
    if (WIFSIGNALED(status) && t.failed == ORR_EXIT_REQUEUE && a->signalled == 0)
        t.failed = 0; /* SIGHUP told them to stop, since they have no parent any more */
    if (killed && !t.failed) {
        snprintf(why, sizeof why, "%s was ended by signal 9 (%s)", a->argv[0], strsignal(SIGKILL));
        end_by_fault(a, why);
    } else if (WIFEXITED(status) && WEXITSTATUS(status) == ORR_EXIT_USAGE && all_at_start(a)) {
        end_with(a, ORR_EXIT_USAGE); /* a rank's, which could not announce it */
    } else if (judge_ended(a)) {
        return;
    } else if (t.failed) {
        end_as_said(a, t.failed);
    } else if (t.came == 0 && !a->again && orr_now() >= a->limits.began + a->grace) {
        orr_log(ORR_ERROR, "launch",
                "%s ended and no rank had reached launch at %s; where the words above do not say "
                "why, address= takes a name or number of this host that the ranks can call",
                a->argv[0], orr_supervisor_where(a->supervisor));
        end_with(a, ORR_EXIT_FAILED);
    } else if (t.done == t.came && WIFEXITED(status) &&
               (t.came == a->ranks || may_be_own(a, WEXITSTATUS(status)))) {
        end_as_said(a, WEXITSTATUS(status));
    } else if (WIFSIGNALED(status)) {
        snprintf(why, sizeof why, "%s was ended by signal %d (%s)", a->argv[0], WTERMSIG(status),
                 strsignal(WTERMSIG(status)));
        end_by_fault(a, why);
    } else {
        char silent[64] = "";
        if (t.came < a->ranks)
            snprintf(silent, sizeof silent, " (%d of %d had not said a word yet)",
                     a->ranks - t.came, a->ranks);
        snprintf(why, sizeof why, "%s ended with code %d before its ranks did%s", a->argv[0],
                 WEXITSTATUS(status), silent);
        end_by_fault(a, why);
    }
}

/* Every rank has said its last word, or one that it failed: the launcher should end now. */
static void decide_done(orr_attempt *a, double now)
{
    tally t = count(a);

    if (t.done < a->ranks && t.failed == 0) return;
    if (a->done_since < 0) a->done_since = now;
    if (now < a->done_since + a->grace) return;
    orr_log(ORR_WARN, "launch", "the ranks are done, %s does not end; it is ended", a->argv[0]);
    end_as_said(a, t.failed);
}

/* A launcher of another MPI, or srun without its plugin, starts so many jobs of one rank. */
static void decide_apart(orr_attempt *a)
{
    const orr_rank_view *v = orr_supervisor_views(a->supervisor);

    for (int r = 0; r < a->ranks && !a->over; r++) {
        if (!v[r].came || v[r].size == 0 || v[r].size == a->ranks) continue;
        orr_log(ORR_ERROR, "launch",
                "the ranks are no job of %d: rank %d is one of %d; %s does not start this MPI's "
                "programs",
                a->ranks, r, v[r].size, a->argv[0]);
        end_with(a, ORR_EXIT_USAGE);
    }
}

static void decide_stopped(orr_attempt *a, double now)
{
    char why[ORR_ERROR_MAX];
    double since = a->launched.stopped_since;

    if (since < 0 || now < since + a->limits.silence) return;
    snprintf(why, sizeof why, "%s (process %d) is stopped for %.1f s", a->argv[0],
             (int)a->launched.pid, now - since);
    end_by_fault(a, why);
}

static void pass_signals(orr_attempt *a)
{
    int n = a->signals();

    if (n == a->signalled) return;
    if (a->signalled == 0) {
        orr_log(ORR_INFO, "launch", "a signal: the ranks save and end");
        orr_supervisor_say(a->supervisor, "stop");
        a->signalled_at = orr_now();
    } else if (orr_now() > a->signalled_at + second_after) {
        orr_log(ORR_WARN, "launch", "signalled again: ended without saving");
        end_with(a, ORR_EXIT_REQUEUE);
    }
    a->signalled = n;
}

/* ^Z: the ranks stand still as well, wherever they are, where the launcher can do that (Open MPI
 * hands SIGTSTP and SIGCONT on to its ranks); and then this process. */
static void suspend(orr_attempt *a)
{
    const orr_rank_view *v = orr_supervisor_views(a->supervisor);
    double began = orr_now();
    int speaks = 0;

    a->suspended = a->suspends();
    if (a->launched.ended || a->signalled) return;
    kill(a->launched.pid, a->is_rank ? SIGSTOP : SIGTSTP);
    while (orr_now() < began + 2 * settling)
        orr_supervisor_serve(a->supervisor, round_seconds);
    for (int r = 0; r < a->ranks; r++)
        speaks += v[r].came && v[r].heard > began + settling;
    if (speaks > 0) {
        orr_log(ORR_WARN, "launch", "%s cannot suspend its ranks; ^C makes them save and end",
                a->argv[0]);
    } else {
        orr_log(ORR_INFO, "launch", "suspended, with its ranks");
        raise(SIGSTOP);
        orr_log(ORR_INFO, "launch", "goes on after %.0f s", orr_now() - began);
    }
    kill(a->launched.pid, SIGCONT);
}

static void watch(orr_attempt *a)
{
    while (!a->over) {
        orr_patience awake;
        double now;
        orr_supervisor_serve(a->supervisor, round_seconds);
        awake = orr_patience_of(0);
        pass_signals(a);
        if (a->suspends() != a->suspended) suspend(a);
        orr_launched_look(&a->launched);
        now = orr_now();
        if (a->over) break;
        if (orr_patience_forgive(&awake) > 0) continue; /* what came meanwhile is heard first */
        if (a->launched.ended)
            decide_ended(a);
        else if (!judge(a, now)) {
            decide_apart(a);
            if (!a->over) decide_stopped(a, now);
            if (!a->over) decide_done(a, now);
        }
        a->tick(a->ctx);
    }
}

/* ---- the end of all ---- */
/* Ranks are told, the launcher is asked, then all that can be reached from here is killed; what
 * cannot has ended by itself when it has heard nothing for long enough. */
static orr_status leave_nothing(orr_attempt *a)
{
    const char *key = orr_supervisor_key(a->supervisor);
    double begin = orr_now(), kill_at = begin + (a->launched.ended ? 0 : kill_after);
    int told = 0;

    if (a->launched.stopped_since >= 0) orr_launched_signal(&a->launched, SIGCONT);
    if (!a->launched.ended || count(a).done < count(a).came)
        orr_supervisor_say(a->supervisor, "end");
    for (;;) {
        double now = orr_now();
        int left;
        orr_launched_look(&a->launched);
        if (!told && now >= begin + term_after) {
            orr_launched_signal(&a->launched, SIGTERM);
            told = 1;
        }
        if (now >= kill_at) orr_launched_signal(&a->launched, SIGKILL);
        left = orr_marked_signal(key_name, key, now >= kill_at ? SIGKILL : 0);
        if (a->launched.ended && left == 0 && !orr_supervisor_awaits(a->supervisor, a->grace, now))
            return ORR_OK;
        if (now > begin + a->grace + stubborn)
            return orr_fail(ORR_ERR_TIMEOUT,
                            "%d processes of the job cannot be ended; it is not started again "
                            "beside them",
                            left);
        a->tick(a->ctx);
        orr_supervisor_serve(a->supervisor, round_seconds);
    }
}

/* ---- all ---- */
/* Open MPI sleeps for a second between telling ranks to end and killing them.  Ours have nothing to
 * do in it: to end well they are told by the supervisor. */
static int hurry_launcher(void)
{
    return setenv("OMPI_MCA_odls_base_sigkill_timeout", "0", 0) == 0 &&
           setenv("PRTE_MCA_odls_base_sigkill_timeout", "0", 0) == 0;
}

/* Ranks of one machine talk by its memory, and need no ports that the world can reach. */
static int close_ports(const orr_attempt *a)
{
    return !a->is_local || (setenv("OMPI_MCA_btl", "^tcp,ofi,openib,usnic", 0) == 0 &&
                            setenv("OMPI_MCA_pml", "ob1", 0) == 0);
}

static orr_status set_environment(const orr_attempt *a)
{
    char grace[32];

    snprintf(grace, sizeof grace, "%g", a->grace);
    if (setenv("ORR_HEARTBEAT", orr_supervisor_where(a->supervisor), 1) != 0 ||
        setenv(key_name, orr_supervisor_key(a->supervisor), 1) != 0 ||
        setenv("ORR_HEARTBEAT_GRACE", grace, 1) != 0 || !hurry_launcher() || !close_ports(a))
        return orr_fail(ORR_ERR_NOMEM, "out of memory: the environment");
    return ORR_OK;
}

orr_status orr_attempt_run(orr_attempt *a)
{
    a->rank = -1;
    a->done_since = -1;
    a->verdict = orr_alloc((size_t)a->ranks, sizeof *a->verdict);
    if (!a->verdict) return orr_fail(ORR_ERR_NOMEM, "out of memory: %d ranks", a->ranks);
    ORR_TRY(orr_supervisor_create(&a->supervisor, a->address, a->ranks));
    ORR_TRY(set_environment(a));
    ORR_TRY(orr_launched_start(&a->launched, a->argv));
    a->limits.began = orr_now();
    pass_signals(a);
    watch(a);
    if (a->fault) orr_log(ORR_ERROR, "launch", "%s", a->why);
    return leave_nothing(a);
}

void orr_attempt_free(orr_attempt *a)
{
    orr_supervisor_destroy(a->supervisor);
    orr_free(a->verdict);
    a->supervisor = NULL;
    a->verdict = NULL;
}
