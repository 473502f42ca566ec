/* core/cores.h - which cores this process may use, and how many of them others leave it now.
 *
 * Three things narrow what a machine has: the affinity mask (mpirun binds a rank to one core by
 * default), the quotas of the control groups that the process is in (containers, Slurm, systemd:
 * cpu.max of version 2, cpu.cfs_quota_us of version 1; each group's and its parents'), and other
 * work on the same cores.  The first two hold for the whole run.  The third comes and goes: busy
 * time of the allowed cores in /proc/stat, less this process's own; not that of work which gives
 * way (nice), unless this process is such work, too.
 *
 * `root` goes before every path that is read ("" = the system's own; tests pretend).
 * Not collective. */
#ifndef ORR_CORE_CORES_H
#define ORR_CORE_CORES_H

#include "core/file.h"

#include <sched.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { ORR_MASK_CORES = 8192 }; /* as many as Linux can be built for */
typedef struct orr_core_mask {
    cpu_set_t set[ORR_MASK_CORES / CPU_SETSIZE];
} orr_core_mask;

int orr_cores_allowed(void); /* cores in this process's affinity mask, at least 1 */
/* A hash of the affinity mask: processes of a node with the same key share their cores. */
uint64_t orr_affinity_key(void);
/* The narrowest quota, in cores (1.5); infinite when there is none.  where: the file that says so,
 * "" when none does. */
double orr_cores_quota(const char *root, char where[ORR_PATH_MAX]);
/* Cores that may be kept busy: the mask's, less what the quota (to the nearest, at least 1) takes
 * away. */
int orr_cores_usable(void);

/* ---- what others leave ---- */
typedef struct orr_core_room {
    orr_core_mask mask;
    char path[ORR_PATH_MAX]; /* of the system's times; "" = they cannot be read */
    int cores;               /* of the mask */
    int is_nice;             /* as nice counts in the system's times */
    int room;                /* of these, without what others use: 1 to cores */
    double others;           /* cores' worth of others' work, as last seen */
    double at, busy, own;    /* seconds, when last looked */
    double next;             /* look again */
} orr_core_room;

void orr_core_room_start(orr_core_room *r, const char *root);
/* The room at `now` (orr_now()).  own: processor seconds of this process so far.  Looks five times
 * a second, less often where a look takes long; all other calls cost a comparison.  A change shows
 * when it is worth 0.6 of a core.  Allocates nothing by core/memory.h. */
int orr_core_room_at(orr_core_room *r, double now, double own);

#ifdef __cplusplus
}
#endif
#endif
