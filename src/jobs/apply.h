/* jobs/apply.h - a model over a shard set: what evaluate and predict share.   Collective. */
#ifndef ORR_JOBS_APPLY_H
#define ORR_JOBS_APPLY_H

#include "jobs/predictor.h"
#include "jobs/scores.h"

/* Options of both commands; each has its own table over them. */
typedef struct orr_apply_opts {
    const char *out, *format, *kernels;
    double threshold; /* -1 = the model's */
    orr_strings by;   /* evaluate: groups of redshifts and densities */
    int groups;
    double outlier;
    int overwrite;
    orr_runtime_opts runtime;
} orr_apply_opts;

typedef struct orr_applied {
    orr_model model;
    orr_samples samples;
    int64_t *rows; /* all of the set's */
    orr_scores scores;
} orr_applied;

typedef struct orr_apply_command {
    const orr_option *options;
    const char *usage; /* said when the words are not MODEL DATA */
    /* What can be refused before the work; what is done with its result, on rank 0 alone. */
    orr_status (*check)(const orr_apply_opts *o);
    orr_status (*output)(orr_app *app, const orr_apply_opts *o, const orr_applied *a);
} orr_apply_command;

/* Reads the options, loads the model (file or run folder), opens the data, checks that they fit,
 * predicts every sample once, and hands the answers to output. */
orr_status orr_apply(orr_app *app, const orr_args *args, const orr_apply_command *c);

#endif
