/* core/cores.c - affinity mask, quotas of control groups, and others' work. */
#include "core/cores.h"
#include "core/cgroup.h"
#include "core/threads.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

/* ---- the mask ---- */
/* This process's affinity mask; all zero when the system does not tell. */
static void read_mask(orr_core_mask *mask)
{
    CPU_ZERO_S(sizeof *mask, mask->set);
    if (sched_getaffinity(0, sizeof *mask, mask->set) != 0) CPU_ZERO_S(sizeof *mask, mask->set);
}

int orr_cores_allowed(void)
{
    orr_core_mask mask;
    int n;

    read_mask(&mask);
    n = CPU_COUNT_S(sizeof mask, mask.set);
    return n > 0 ? n : 1;
}

uint64_t orr_affinity_key(void)
{
    orr_core_mask mask;
    const unsigned char *bytes = (const unsigned char *)&mask;
    uint64_t key = 0xCBF29CE484222325u; /* FNV-1a */

    read_mask(&mask);
    for (size_t i = 0; i < sizeof mask; i++)
        key = (key ^ bytes[i]) * 0x100000001B3u;
    return key;
}

/* ---- quotas ---- */
typedef struct {
    double cores;
    char *where;
} quotas;

/* cores = quota / period, when that is narrower. */
static void narrow(quotas *q, double quota, double period, const char *folder, const char *name)
{
    if (!(quota > 0) || !(period > 0) || quota / period >= q->cores) return;
    q->cores = quota / period;
    (void)snprintf(q->where, ORR_PATH_MAX, "%s/%s", folder, name);
}

/* "max 100000" or "150000 100000" in one file; of version 1 microseconds in two, where -1 is no
 * quota. */
static void look_at(void *ctx, const char *folder, int is_old)
{
    static const char new_name[] = "cpu.max", old_name[] = "cpu.cfs_quota_us";
    char line[64], period[64], *end;
    double quota;

    if (is_old && orr_cgroup_line(folder, old_name, line) &&
        orr_cgroup_line(folder, "cpu.cfs_period_us", period))
        narrow(ctx, strtod(line, NULL), strtod(period, NULL), folder, old_name);
    if (is_old || !orr_cgroup_line(folder, new_name, line)) return;
    quota = strtod(line, &end);
    if (end != line) narrow(ctx, quota, strtod(end, NULL), folder, new_name);
}

double orr_cores_quota(const char *root, char where[ORR_PATH_MAX])
{
    quotas q = { HUGE_VAL, where };

    where[0] = '\0';
    orr_cgroup_each(root, "cpu", look_at, &q);
    return q.cores;
}

int orr_cores_usable(void)
{
    char where[ORR_PATH_MAX];
    double quota = orr_cores_quota("", where);
    int n = orr_cores_allowed();

    if (quota >= n) return n;
    return quota < 1.5 ? 1 : (int)(quota + 0.5);
}

/* ---- what others leave ---- */
/* Seconds that the mask's cores were busy since the system's start; < 0: it does not tell. */
static double busy_seconds(const orr_core_room *r)
{
    enum { NICE = 1, IDLE = 3, IOWAIT = 4, FIELDS = 8 }; /* guests are within user and nice */
    double ticks = 0;
    int seen = 0;
    char line[512];
    FILE *f = r->path[0] ? fopen(r->path, "re") : NULL;

    if (!f) return -1;
    while (fgets(line, sizeof line, f) && strncmp(line, "cpu", 3) == 0) { /* "cpu ": of all */
        char *p;
        unsigned long core = strtoul(line + 3, &p, 10);

        if (line[3] == ' ' || p == line + 3 || core >= ORR_MASK_CORES ||
            !CPU_ISSET_S(core, sizeof r->mask, r->mask.set))
            continue;
        seen++;
        for (int i = 0; i < FIELDS; i++) {
            double x = strtod(p, &p);
            if (i != IDLE && i != IOWAIT && (i != NICE || r->is_nice)) ticks += x;
        }
    }
    fclose(f);
    return seen == r->cores ? ticks / (double)sysconf(_SC_CLK_TCK) : -1;
}

void orr_core_room_start(orr_core_room *r, const char *root)
{
    *r = (orr_core_room){ .at = -1 };
    read_mask(&r->mask);
    r->cores = r->room = orr_cores_allowed();
    r->is_nice = getpriority(PRIO_PROCESS, 0) > 0;
    if (snprintf(r->path, sizeof r->path, "%s/proc/stat", root) >= (int)sizeof r->path)
        r->path[0] = '\0';
}

/* A core that is half others' is worth as much as none: the others would wait for it. */
static void judge(orr_core_room *r)
{
    double free = (double)r->cores - r->others;
    int n = (int)floor(free + 0.5);

    if (fabs(free - (double)r->room) <= 0.6) return;
    r->room = n < 1 ? 1 : n > r->cores ? r->cores : n;
}

int orr_core_room_at(orr_core_room *r, double now, double own)
{
    static const double every = 0.2, share = 0.005; /* seconds; of the time, for looking */
    double busy, took;

    if (now < r->next) return r->room;
    busy = busy_seconds(r);
    if (busy < 0) {
        r->next = HUGE_VAL;
        r->room = r->cores;
        return r->room;
    }
    if (r->at >= 0 && now > r->at) {
        r->others = (busy - r->busy - (own - r->own)) / (now - r->at);
        judge(r);
    }
    took = orr_now() - now;
    r->next = now + (took > share * every ? took / share : every);
    r->at = now;
    r->busy = busy;
    r->own = own;
    return r->room;
}
