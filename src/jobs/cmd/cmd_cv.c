/* jobs/cmd/cmd_cv.c - orrery cv JOB.yaml [key=value ...] */
#include "jobs/cmd/command_private.h"
#include "jobs/context/phase.h"
#include "jobs/context/runtime.h"
#include "jobs/ensemble/cv.h"

static orr_status read_job(orr_cv_job *job, orr_config **config, const orr_args *args)
{
    ORR_TRY(orr_job_config(config, args->words[0], args));
    return orr_cv_job_read(job, *config, args->words[0]);
}

static orr_status run(orr_context *context, const orr_args *args)
{
    orr_config *config = NULL;
    orr_cv_job job = { 0 };
    orr_status st = orr_phase(context, NULL, read_job(&job, &config, args));

    if (st == ORR_OK) st = orr_runtime_start(context, &job.runtime);
    if (st == ORR_OK) st = orr_cross_validate(context, &job);
    orr_cv_job_free(&job);
    orr_config_destroy(config);
    return st;
}

static const orr_example examples[] = {
    { "mpirun -n 8 orrery cv cv.yaml", "all trainings that are missing, over groups of ranks" },
    { "orrery cv cv.yaml cv.only=3", "fold 3 alone; the last start gathers" },
    { NULL, NULL },
};

const orr_command orr_cmd_cv = {
    .name = "cv",
    .summary = "cross-validate: folds x configurations x seeds, over groups of ranks",
    .usage = "JOB.yaml [key=value ...]",
    .on_ranks = 1,
    .arguments = { { .name = "JOB.yaml", .help = "the job file", .optional = 1 } },
    .details =
        "Trains each configuration with each seed on all folds but one, as many at a time as "
        "ranks allow, and writes a run folder: oof.h5 and oof.csv (each sample's prediction by "
        "the model that was not trained on it), test.csv (mean over folds, with data.test), "
        "report.json, tasks/NAME (a run folder for each training).  Kill it at any time: the "
        "same command does what is missing, on any number of ranks, to the same bytes.  Keys of "
        "data, model and train are laid over all configurations.",
    .options = orr_cv_job_options,
    .options_title = "Keys of the job file (and of key=value):",
    .run = run,
    .examples = examples,
};
