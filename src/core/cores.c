/* core/cores.c - affinity mask, quotas of control groups, and others' work. */
#include "core/cores.h"
#include "core/text.h"
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
/* Version 2 has one tree, version 1 one for each controller, at one of these places. */
static const char *const trees[] = { "/sys/fs/cgroup", "/sys/fs/cgroup/unified" };
static const char *const old_trees[] = { "/sys/fs/cgroup/cpu,cpuacct", "/sys/fs/cgroup/cpu" };

/* The first line of root + dir + name; 0 = there is none. */
static int read_line(const char *root, const char *dir, const char *name, char path[ORR_PATH_MAX],
                     char line[64])
{
    int n = snprintf(path, ORR_PATH_MAX, "%s%s/%s", root, dir, name), got;
    FILE *f = n < ORR_PATH_MAX ? fopen(path, "re") : NULL;

    if (!f) return 0;
    got = fgets(line, 64, f) != NULL;
    fclose(f);
    return got;
}

/* cores = quota / period, when that is narrower. */
static void narrow(double quota, double period, const char *path, double *cores,
                   char where[ORR_PATH_MAX])
{
    if (!(quota > 0) || !(period > 0) || quota / period >= *cores) return;
    *cores = quota / period;
    (void)snprintf(where, ORR_PATH_MAX, "%s", path);
}

/* "max 100000" or "150000 100000". */
static void look_new(const char *root, const char *dir, double *cores, char where[ORR_PATH_MAX])
{
    char path[ORR_PATH_MAX], line[64], *end;
    double quota;

    if (!read_line(root, dir, "cpu.max", path, line)) return;
    quota = strtod(line, &end);
    if (end != line) narrow(quota, strtod(end, NULL), path, cores, where);
}

/* Microseconds in two files; -1 is no quota. */
static void look_old(const char *root, const char *dir, double *cores, char where[ORR_PATH_MAX])
{
    char path[ORR_PATH_MAX], other[ORR_PATH_MAX], quota[64], period[64];

    if (read_line(root, dir, "cpu.cfs_quota_us", path, quota) &&
        read_line(root, dir, "cpu.cfs_period_us", other, period))
        narrow(strtod(quota, NULL), strtod(period, NULL), path, cores, where);
}

/* The group and its parents, up to the top of the tree.  In a container the path is the host's, and
 * the tree begins at the container: then the top alone is there. */
static void climb(const char *root, const char *tree, const char *group, int old, double *cores,
                  char where[ORR_PATH_MAX])
{
    char dir[ORR_PATH_MAX];
    int n = snprintf(dir, sizeof dir, "%s%s", tree, group);
    size_t top = strlen(tree);

    if (n >= (int)sizeof dir) return;
    for (;;) {
        char *slash;

        (old ? look_old : look_new)(root, dir, cores, where);
        slash = strrchr(dir + top, '/');
        if (!slash) return;
        *slash = '\0';
    }
}

/* Is the controller "cpu" in "cpu,cpuacct"? */
static int has_cpu(const char *names)
{
    for (const char *p = names; (p = strstr(p, "cpu")); p += 3)
        if ((p == names || p[-1] == ',') && (p[3] == ',' || p[3] == '\0')) return 1;
    return 0;
}

/* A line of /proc/self/cgroup, "4:cpu,cpuacct:/job/step"; version 2 has "0::/job/step". */
static void look_line(const char *root, char *line, double *cores, char where[ORR_PATH_MAX])
{
    char *names = strchr(line, ':'), *group = names ? strchr(names + 1, ':') : NULL;
    int old;

    if (!group) return;
    *group++ = '\0';
    group[strcspn(group, "\n")] = '\0';
    names++;
    old = *names != '\0';
    if (old && !has_cpu(names)) return;
    for (int i = 0; i < 2; i++)
        climb(root, old ? old_trees[i] : trees[i], group, old, cores, where);
}

double orr_cores_quota(const char *root, char where[ORR_PATH_MAX])
{
    double cores = HUGE_VAL;
    char path[ORR_PATH_MAX], line[ORR_PATH_MAX];
    FILE *f;

    where[0] = '\0';
    if (snprintf(path, sizeof path, "%s/proc/self/cgroup", root) >= (int)sizeof path) return cores;
    if (!(f = fopen(path, "re"))) return cores;
    while (fgets(line, sizeof line, f))
        look_line(root, line, &cores, where);
    fclose(f);
    return cores;
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
