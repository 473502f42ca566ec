/* jobs/model/train_job.h - the training job file: its sections, as structs, and their option
 * tables. Strings and nodes in them are borrowed from the configuration.   Not collective. */
#ifndef ORR_JOBS_MODEL_TRAIN_JOB_H
#define ORR_JOBS_MODEL_TRAIN_JOB_H

#include "core/bins.h"
#include "core/options.h"
#include "jobs/context/context.h"
#include "jobs/context/runtime.h"
#include "nn/optimiser.h"
#include "nn/schedule.h"

typedef struct orr_data_opts {
    const char *train, *validation, *test; /* shard sets; "" = none */
    double validation_fraction;            /* of train, when no validation set is named */
    double test_fraction;                  /* of train, when no test set is named */
    int64_t split_seed;
    const char *sampling;              /* shuffled | file | balanced */
    orr_reals shares;                  /* balanced: share of each class */
    int64_t epoch_length;              /* samples an epoch draws; 0 = as many as there are */
    const char *overlap;               /* refuse | drop | together | warn | allow */
    const char *groups, *group_column; /* an aux number, or a file with ids and groups; "" = none */
    orr_strings id_column;
    int verify;
    const orr_node *transforms, *augment;
    orr_strings aux;                /* numbers beside a sample that the net takes, by name */
    const orr_node *aux_transforms; /* of the vector of them */
    const char *names;              /* exact | match */
    const char *target_kind;        /* set | value | redshift */
    int statistics;                 /* write statistics.h5 */
} orr_data_opts;

typedef struct orr_model_opts {
    const char *name;       /* a built-in model, or "" */
    const orr_node *layers; /* or one's own, and the blocks that they use */
    const orr_node *blocks;
    int outputs;         /* built-in: units of its last layer; 0 = as published */
    const char *kernels; /* of a back end, nn/backend.h */
    const char *weights; /* model to begin with (jobs/train/warm_start.h); "" = none */
} orr_model_opts;

/* Seeds that the same training is to be done with; n = 0: train.seed alone. */
typedef struct orr_seeds {
    int n;
    int64_t v[ORR_LIST_MAX];
} orr_seeds;

typedef struct orr_train_opts {
    int64_t epochs, batch;
    int leaves;
    const char *reduce; /* ordered | fast */
    int64_t seed;
    const orr_node *seeds; /* as written, orr_train_seeds reads it; NULL: not given */
    double lr;
    orr_kind_choice loss;  /* a row of nn/losses, or auto */
    orr_bins bins;         /* of a density over the target; count 0 = none */
    const char *calibrate; /* none | pit */
    double pos_weight;
    double clip_norm; /* 0 = none */
    orr_optimiser_opts optimiser;
    orr_schedule_opts schedule;
    const char *select;       /* metric that names the best epoch */
    int64_t patience;         /* early stopping: epochs without improvement; 0 = off */
    int64_t evaluate_every;   /* epochs */
    int64_t checkpoint_steps; /* 0: by time alone (runtime.checkpoint_seconds) */
    int64_t max_steps;        /* 0 = no bound */
    int drop_last;
    int64_t nonfinite_limit; /* skipped steps in a row before training gives up */
    double bucket_mib;
    double threshold; /* of the positive class, for counts */
} orr_train_opts;

typedef struct orr_train_job {
    const char *run;
    int overwrite; /* a run of another job, or of other data, in that folder */
    orr_data_opts data;
    orr_model_opts model;
    orr_train_opts train;
    orr_runtime_opts runtime;
} orr_train_job;

extern const orr_option orr_train_job_options[];

/* Reads and checks what can be checked without data. */
orr_status orr_train_job_read(orr_train_job *job, const orr_config *c);
/* train.seeds: a number N is seed, seed + 1, ... N of them; a list is these.  ORR_ERR_OPTION: not
 * whole, twice, more than ORR_LIST_MAX. */
orr_status orr_train_seeds(const orr_train_opts *o, orr_seeds *out);
extern const char orr_train_job_mark[]; /* how a resolved job begins */
/* The resolved job as YAML, without `run`, `overwrite` and `runtime`: no result depends on them,
 * and a run's folder may be moved. */
orr_status orr_train_job_dump(const orr_train_job *job, orr_text *out);

#endif
