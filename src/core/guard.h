/* core/guard.h - a first look at a stranger's file, by a process of its own.
 *
 * Libraries that read rich formats (HDF5) crash, loop or ask for all memory on some damaged files,
 * and cannot be told not to.  What would do that is done once in a child first: a copy of this
 * process with bounds on its processor time and memory, whose crash is an answer like any other.
 * When it comes back whole, the caller does the same once more itself.
 *
 *     ORR_TRY(orr_guard(path, orr_guard_bounds_of(bytes), look, &ctx));
 *     return look(&ctx);
 *
 * The call sees this process as it was, and what it changes is lost: it must depend on nothing else
 * (it may not send messages, lock what other threads hold, use threads).  It prints nothing.  What
 * it finds is its status and sentence, which become the caller's.  Costs a fork, about a
 * millisecond.   Not collective; the thread that uses the library calls it.
 * Errors: those of the call; ORR_ERR_FORMAT when it crashed or passed its bounds, naming the file;
 * ORR_ERR_INTERRUPTED. Where no process is to be had, nothing is looked at, and that is logged. */
#ifndef ORR_CORE_GUARD_H
#define ORR_CORE_GUARD_H

#include "core/status.h"

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct orr_guard_bounds {
    double seconds; /* of the processor; of the clock a minute more */
    size_t bytes;   /* of memory, beyond what this process has */
} orr_guard_bounds;

/* For files of so many bytes in all: 0.3 s and what reading them takes at 16 MiB/s, 1 GiB
 * and twice their bytes. */
orr_guard_bounds orr_guard_bounds_of(int64_t bytes);
/* Within the call: so many seconds of the processor more, for what is known to take them. */
void orr_guard_extend(double seconds);
/* path: for the sentence. */
orr_status orr_guard(const char *path, orr_guard_bounds bounds, orr_status (*call)(void *ctx),
                     void *ctx);

#ifdef __cplusplus
}
#endif
#endif
