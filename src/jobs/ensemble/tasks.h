/* jobs/ensemble/tasks.h - many pieces of work of very different length, each done by a group of
 * ranks.
 *
 * The world splits into groups of neighbouring ranks.  A group takes the longest task that is left
 * (Graham 1969: list scheduling, longest first, is at most 4/3 of the best), runs it, and takes the
 * next one from the work counter; groups that have nothing left wait without a collective call
 * (jobs/context/meeting.h).  A task that fails is told at once and does not stop the others; a
 * signal on any rank stops all groups, each at its next safe place.
 *
 * What a task computes must not depend on the group that runs it; which group runs which task does
 * depend on time. */
#ifndef ORR_JOBS_ENSEMBLE_TASKS_H
#define ORR_JOBS_ENSEMBLE_TASKS_H

#include "jobs/context/context.h"

typedef struct orr_tasks {
    int n;
    const double *cost; /* [n] relative length, for the order */
    int group_ranks; /* ranks of a group; 0 = as many groups as there are tasks, if ranks allow */
    int most_ranks;  /* that a group can use; further ranks stay idle */
    const char *what, *component; /* "fold", and "cv" of the log, for messages */
    /* Runs task i on the ranks of `group`.  Collective over them; its status is agreed there. */
    orr_status (*run)(void *ctx, orr_context *group, int i);
    /* Name of task i, for messages. */
    const char *(*name)(void *ctx, int i, char *buf, size_t bytes);
    void *ctx;
} orr_tasks;

/* ORR_OK when all tasks have succeeded; ORR_ERR_INTERRUPTED after a signal; else the failure of the
 * first task (by number) that failed, its sentence with how many did.  Collective; agreed. */
orr_status orr_tasks_run(orr_context *context, const orr_tasks *t);

/* Groups that `size` ranks make for n tasks, and the group of a rank (-1: idle).   Not collective.
 */
int orr_tasks_groups(const orr_tasks *t, int size);
int orr_tasks_group_of(const orr_tasks *t, int size, int rank);
/* order[n]: task numbers, longest first, by number where costs are equal. */
void orr_tasks_order(const double *cost, int n, int *order);

#endif
