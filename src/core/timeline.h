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
 * Off, a span costs two loads and two branches.  On, it costs two clock readings and a place in a
 * ring that was allocated at the start: no allocation, no lock, no file.  A thread of ours empties
 * the ring four times a second, or sooner when it is half full, and does the writing.  What finds
 * the ring full, or comes after max_mib of file or after a write has failed (disk full: one
 * warning), is dropped and counted; the end says how many.
 *
 * A file of a rank that was killed lacks the last quarter of a second and the closing bracket, which
 * the format allows; no event in it is cut: an event never lies across a border of 4096 bytes, and
 * that is where a killed write stops.  What an earlier start wrote is kept as rank-NNNN.before.json.
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
} orr_timeline_opts;

/* The calling thread becomes lane 0, "main".  ORR_ERR_IO, ORR_ERR_NOMEM; ORR_ERR_EXISTS when it is
 * open. */
orr_status orr_timeline_open(const orr_timeline_opts *o);
/* Writes what is left.  *dropped (may be NULL): spans that are not in the file.  Nothing happens
 * when it is not open.  No other thread may be about to record. */
void orr_timeline_close(int64_t *dropped);
/* The files of ranks 0 to n - 1 as one, FOLDER/timeline.json; *found of them were there.
 * ORR_ERR_IO, ORR_ERR_NOMEM. */
orr_status orr_timeline_merge(const char *folder, int n, int *found);

extern int orr_timeline_is_on; /* private */
int64_t orr_timeline_clock(void);
void orr_timeline_record(const char *name, int64_t began, int64_t number, const char *text,
                         int lane);

/* Now, for orr_timeline_span; 0: it is off. */
static inline int64_t orr_timeline_now(void)
{
    return __atomic_load_n(&orr_timeline_is_on, __ATOMIC_RELAXED) ? orr_timeline_clock() : 0;
}
/* The calling thread did `name` from then to now; number (step, part; < 0: none) is shown with it. */
static inline void orr_timeline_span(const char *name, int64_t began, int64_t number)
{
    if (began) orr_timeline_record(name, began, number, 0, -1);
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
