/* jobs/train/together.h - which samples of the training set stay on one side of every split, in
 * train as in cv: those of one group (data.groups: an aux number of the set, or a side file), and
 * with data.overlap: together those that are the same byte for byte; a sample that is the same as
 * one of a group brings the two groups together.
 * Collective; the same on every rank. */
#ifndef ORR_JOBS_TRAIN_TOGETHER_H
#define ORR_JOBS_TRAIN_TOGETHER_H

#include "jobs/model/samples.h"
#include "jobs/model/train_job.h"

/* (*groups)[row] = a number of each row's group; NULL when nothing is to stay together.  Those that
 * *groups holds already (cv.groups) count, too.  The caller's to orr_free.  ORR_ERR_FORMAT: a
 * sample without a group. */
orr_status orr_groups_make(int64_t **groups, orr_context *context, const orr_samples *set,
                           const orr_data_opts *d);

#endif
