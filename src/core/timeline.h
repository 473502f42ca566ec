/* core/timeline.h - what each thread of this process did when, for chrome://tracing and Perfetto.
 *
 * Once opened, spans go to FOLDER/rank-NNNN.json in the Trace Event Format (Google, 2016: complete
 * events, an array): pid is the rank, tid a lane, ts and dur are microseconds with nanoseconds
 * behind the point, counted from `origin` on rank 0's clock.
 *
 *   int64_t began = orr_timeline_now();
 *   ... work ...
 *   orr_timeline_span("forward", began, step);          began 0: it was off then, nothing is said
 *
 * Off, a span costs three loads and branches.  On, it costs two clock readings and a place in a
 * ring that was allocated at the start: no allocation, no lock, no file.  A thread of ours empties
 * the ring four times a second, or sooner when it is half full, and does the writing.  What finds
 * the ring full, or comes after max_mib of file or after a write has failed (disk full: one
 * warning), is dropped and counted; the end says how many.
 *
 * What comes back thousands of times a second (a training step of 25 us) costs more to record than
 * it does.  Such work is a unit, with a number:
 *
 *   int64_t began = orr_timeline_unit(step);            spans until its end are part of it
 *   ...
 *   orr_timeline_unit_end("step", began, step);
 *
 * Where the spans of all units would take more than `share` of their thread's time (what a span
 * costs is measured at the start), every second, fourth, eighth ... is recorded: numbers that are
 * multiples of a power of two, which moves with the load, so that ranks record the same ones but
 * for some that one of them has more of.  The end says how many were left out.  Spans outside of
 * units are always recorded.
 *
 * A file of a rank that was killed lacks the last quarter of a second and the closing bracket,
 * which the format allows; no event in it is cut: an event never lies across a border of 4096
 * bytes, and that is where a killed write stops.  What an earlier start wrote is kept as
 * rank-NNNN.before.json.
 *
 * Names of spans and lanes are literals (they are kept as pointers, and written as they stand);
 * texts are copied, cut to the end of them, and escaped by cJSON.  State of the process, as the log
 * is.  Spans may come from any thread.   Not collective. */
#ifndef ORR_CORE_TIMELINE_H
#define ORR_CORE_TIMELINE_H

#include "core/status.h"

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { ORR_TIMELINE_TEXT = 80, ORR_TIMELINE_LANES = 256 };

typedef struct orr_timeline_opts {
    const char *folder; /* is made */
    int rank;
    const char *host;
    double offset; /* seconds: this host's orr_now() + offset = rank 0's */
    double error;  /* seconds that the offset may be wrong by; told in the file */
    double origin; /* rank 0's orr_now() at 0 of the picture */
    double max_mib;
    double share; /* of a thread's time, for recording its units; 1: every one is recorded */
} orr_timeline_opts;

/* The calling thread becomes lane 0, "main".  ORR_ERR_IO, ORR_ERR_NOMEM; ORR_ERR_EXISTS when it is
 * open. */
orr_status orr_timeline_open(const orr_timeline_opts *o);
typedef struct orr_timeline_left_out {
    int64_t spans; /* for which there was no room */
    int64_t units; /* that were not recorded, of units that were begun */
    int64_t of_units;
} orr_timeline_left_out;

/* Writes what is left.  *out (may be NULL): what is not in the file.  Nothing happens when it is
 * not open.  No other thread may be about to record. */
void orr_timeline_close(orr_timeline_left_out *out);
/* The files of ranks 0 to n - 1 as one, FOLDER/timeline.json; *found of them were there.
 * ORR_ERR_IO, ORR_ERR_NOMEM. */
orr_status orr_timeline_merge(const char *folder, int n, int *found);

extern int orr_timeline_is_on;             /* private */
extern __thread int orr_timeline_is_muted; /* the keyword that C++ has, too */
int64_t orr_timeline_clock(void);
int64_t orr_timeline_unit_begin(int64_t number);
void orr_timeline_record(const char *name, int64_t began, int64_t number, const char *text,
                         int lane);

/* Now, for orr_timeline_span; 0: it is off, or the unit is not recorded. */
static inline int64_t orr_timeline_now(void)
{
    return __atomic_load_n(&orr_timeline_is_on, __ATOMIC_RELAXED) && !orr_timeline_is_muted
               ? orr_timeline_clock()
               : 0;
}
/* The calling thread did `name` from then to now; number (step, part; < 0: none) is shown with it.
 */
static inline void orr_timeline_span(const char *name, int64_t began, int64_t number)
{
    if (began) orr_timeline_record(name, began, number, 0, -1);
}
/* The calling thread begins a unit of work, and ends it; name NULL: it has no span of its own.
 * number >= 0.  Units do not lie in one another. */
static inline int64_t orr_timeline_unit(int64_t number)
{
    return __atomic_load_n(&orr_timeline_is_on, __ATOMIC_RELAXED) ? orr_timeline_unit_begin(number)
                                                                  : 0;
}
static inline void orr_timeline_unit_end(const char *name, int64_t began, int64_t number)
{
    orr_timeline_is_muted = 0;
    if (began && name) orr_timeline_record(name, began, number, 0, -1);
}
/* With a text from outside (file, fold). */
static inline void orr_timeline_span_of(const char *name, int64_t began, int64_t number,
                                        const char *text)
{
    if (began) orr_timeline_record(name, began, number, text, -1);
}
/* On a lane that is no thread's: transfers that one thread looks after at the same time. */
static inline void orr_timeline_span_in(int lane, const char *name, int64_t began, const char *text)
{
    if (began) orr_timeline_record(name, began, -1, text, lane);
}
/* The calling thread is lane "name number" from now on (number < 0: "name"); threads that come one
 * after another may share one.  Threads without a name are "thread 1", "thread 2" ... */
void orr_timeline_thread(const char *name, int number);
/* A lane by its name, made when there is none yet; 0 when it is off or there are too many. */
int orr_timeline_lane(const char *name, int number);

#ifdef __cplusplus
}
#endif
#endif
