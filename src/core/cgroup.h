/* core/cgroup.h - the control groups that this process is in: containers, Slurm and systemd bound
 * cores and memory by them.
 *
 * Version 2 has one tree with all controllers, version 1 a tree for each.  A bound holds for all
 * that is below it, so each group is looked at and its parents; in a container the path is the
 * host's and the tree begins at the container: then the top alone is there.   Not collective. */
#ifndef ORR_CORE_CGROUP_H
#define ORR_CORE_CGROUP_H

#ifdef __cplusplus
extern "C" {
#endif

/* One group: its folder, and whether it is of version 1. */
typedef void (*orr_cgroup_look)(void *ctx, const char *folder, int is_old);
/* Calls it for each group with that controller ("cpu", "memory").  root goes before every path
 * ("" = the system's own; tests pretend). */
void orr_cgroup_each(const char *root, const char *controller, orr_cgroup_look look, void *ctx);
/* The first line of folder/name, without its end; 0 = there is none. */
int orr_cgroup_line(const char *folder, const char *name, char line[64]);

#ifdef __cplusplus
}
#endif
#endif
