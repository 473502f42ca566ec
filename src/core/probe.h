/* core/probe.h - where the tests' fault schedules get hold of a rank (tests/faults/schedule.c).
 *
 * A shared object that is preloaded may define orr_probe; it is then called at named points with
 * what goes through the program there, and may end, stop, delay or spoil it.  Where nobody defines
 * it a probe costs a load and a branch.  Points:
 *
 *   a phase of jobs/context/heartbeat.h   with its step and no bytes; what follows belongs to that
 *                                         step:
 *   "gradients"               of the rank's own sums a bucket, before it is reduced
 *   "reduced"                 the sums over all ranks, before the optimiser
 *   "weights"                 after the optimiser
 *   "batch"                   the samples of a batch with its step, on the loader's thread
 *
 * Not collective. */
#ifndef ORR_CORE_PROBE_H
#define ORR_CORE_PROBE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

__attribute__((weak)) void orr_probe(const char *point, int64_t step, void *bytes, size_t n);

static inline void orr_probe_at(const char *point, int64_t step, void *bytes, size_t n)
{
    if (orr_probe) orr_probe(point, step, bytes, n);
}

#ifdef __cplusplus
}
#endif
#endif
