/* jobs/cmd_train.c - orrery train JOB.yaml [key=value ...] */
#include "core/log.h"
#include "jobs/app.h"
#include "jobs/trainer.h"

static orr_status run(orr_app *app, const orr_args *args)
{
    orr_config *config = NULL;
    orr_train_job job;
    orr_status st;

    if (args->n_words > 1) {
        app->agreed = ORR_ERR_ARG;
        return orr_fail(ORR_ERR_ARG, "train takes one job file; \"%s\" is one too many",
                        args->words[1]);
    }
    st = orr_job_config(&config, args->n_words ? args->words[0] : NULL, args);
    if (st == ORR_OK) st = orr_train_job_read(&job, config);
    st = orr_app_agree(app, st);
    if (st == ORR_OK) {
        orr_app_runtime(app, &job.runtime);
        st = orr_train(app, &job);
    }
    orr_config_destroy(config);
    return st;
}

const orr_command orr_cmd_train = {
    .name = "train",
    .summary = "train a network, or go on with a run that was stopped",
    .usage = "[mpirun -n N] orrery train JOB.yaml [key=value ...]",
    .details = "Trains data-parallel on all ranks and writes a run folder: job.yaml, "
               "metrics.jsonl, history.csv, checkpoints, model.h5, report.json,\n"
               "predictions-*.csv.  On an existing run it goes on from the last checkpoint, on any "
               "number of ranks, to the same bytes.",
    .options = orr_train_job_options,
    .options_title = "Keys of the job file (and of key=value):",
    .run = run,
};
