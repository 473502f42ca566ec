/* jobs/ensemble/stack_job.h - the job file of a stack.
 *
 *   run: runs/koi-stack
 *   oof: [runs/koi-cv, runs/other-cv]   # cross-validations (their folders, or files of
 *                                       predictions)
 *   models: []                          # [] = all their models
 *   features: probability
 *   seeds: mean
 *   grid: {from: 100, to: 0.01, count: 50}
 *   folds: {kind: stratified, count: 5, shuffle: true, seed: 1}
 *
 * Strings are borrowed from the configuration tree.   Not collective. */
#ifndef ORR_JOBS_ENSEMBLE_STACK_JOB_H
#define ORR_JOBS_ENSEMBLE_STACK_JOB_H

#include "jobs/context/context.h"
#include "jobs/context/runtime.h"

typedef struct orr_stack_grid_opts {
    double from, to;
    int count;
} orr_stack_grid_opts;

typedef struct orr_stack_fold_opts {
    const char *kind; /* stratified | plain | own */
    int count, shuffle;
    int64_t seed;
} orr_stack_fold_opts;

typedef struct orr_stack_job {
    const char *run;
    orr_strings oof, models;
    const char *features, *seeds;
    orr_stack_grid_opts grid;
    orr_stack_fold_opts folds;
    double tolerance;
    int max_iterations, overwrite;
    orr_runtime_opts runtime;
} orr_stack_job;

extern const orr_option orr_stack_job_options[];

orr_status orr_stack_job_read(orr_stack_job *j, const orr_config *config);
/* The first line of a stack's job.yaml: what tells its folder from other runs'. */
extern const char orr_stack_job_mark[];
/* The resolved job as YAML: what results depend on, so without run, overwrite and runtime. */
orr_status orr_stack_job_dump(const orr_stack_job *j, orr_text *out);
/* C of grid point k < grid.count, evenly spaced in log C: from (to / from)^(k / (count - 1)), for
 * 100, 0.01 and 50 the bits of numpy.logspace(2, -2, 50). */
double orr_stack_grid_c(const orr_stack_grid_opts *g, int k);

#endif
