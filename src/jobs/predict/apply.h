/* jobs/predict/apply.h - a model, or an ensemble of models (jobs/predict/ensemble.h), over a shard
 * set: what evaluate and predict share.   Collective. */
#ifndef ORR_JOBS_PREDICT_APPLY_H
#define ORR_JOBS_PREDICT_APPLY_H

#include "jobs/context/job_config.h"
#include "jobs/context/runtime.h"
#include "jobs/predict/ensemble.h"
#include "jobs/predict/submission.h"

/* Options of both commands; each has its own table over them, in which the rows of which models
 * answer are the same (ORR_APPLY_MODEL_ROWS). */
typedef struct orr_apply_opts {
    const char *out, *format, *kernels, *model, *state;
    const char *submission, *submission_as;
    const char *names;       /* exact | match */
    const char *target_kind; /* evaluate: model | value | redshift; else NULL */
    double threshold;        /* -1 = the model's */
    orr_strings by;          /* evaluate: groups of redshifts and densities */
    int groups;
    double outlier;
    int overwrite;
    orr_runtime_opts runtime;
} orr_apply_opts;
/* clang-format off */
#define ORR_APPLY_MODEL_ROWS                                                                       \
    ORR_OPTION_STRING(orr_apply_opts, model, "",                                                   \
                      "of a cross-validation: the configuration to take; \"\" = the mean of all"), \
    ORR_OPTION_CHOICE(orr_apply_opts, state, "auto", "auto|best|last",                             \
                      "of a training's folder: auto: its model.h5 (before the end the best epoch " \
                      "so far), else its best checkpoint, else its last; best: the best epoch; "   \
                      "last: checkpoint-last.h5")
/* clang-format on */

typedef struct orr_applied {
    orr_model model; /* an ensemble's first, which stands for all */
    orr_samples samples;
    int64_t *rows;             /* all of the set's */
    orr_submission submission; /* predict: what `prepare` made */
    orr_scores scores;
    orr_model_spread spread; /* each model's scores, where there is more than one and a truth */
    /* Samples of the set with a truth that are known to have made the models: trained them, or (and
     * not that) chose their epochs. */
    int64_t trained, chose;
    int about; /* these are estimates */
} orr_applied;

typedef struct orr_apply_command {
    const orr_option *options;
    /* What can be refused before the work; the same, on rank 0 alone, once model, samples and rows
     * are known (NULL: nothing); what is done with the result, on rank 0 alone. */
    orr_status (*check)(const orr_apply_opts *o);
    orr_status (*prepare)(const orr_apply_opts *o, orr_applied *a);
    orr_status (*output)(orr_context *context, const orr_apply_opts *o, const orr_applied *a);
} orr_apply_command;

/* Reads the options, finds the models and loads the first, opens the data, checks that all fit,
 * predicts every sample once with each model, and hands the answers to output.  A signal before
 * that ends it: ORR_ERR_INTERRUPTED, nothing is written. */
orr_status orr_apply(orr_context *context, const orr_args *args, const orr_apply_command *c);

#endif
