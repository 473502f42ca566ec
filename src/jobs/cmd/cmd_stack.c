/* jobs/cmd/cmd_stack.c - orrery stack JOB.yaml [key=value ...] */
#include "core/memory.h"
#include "jobs/cmd/command_private.h"
#include "jobs/context/phase.h"
#include "jobs/context/runtime.h"
#include "jobs/ensemble/stack.h"

static orr_status read_job(orr_stack_job *job, orr_config **config, const orr_args *args)
{
    if (!job) return orr_fail(ORR_ERR_NOMEM, "out of memory: stack");
    ORR_TRY(orr_job_config(config, args->words[0], args));
    return orr_stack_job_read(job, *config);
}

static orr_status run(orr_context *context, const orr_args *args)
{
    orr_config *config = NULL;
    orr_stack_job *job = orr_alloc(1, sizeof *job);
    orr_status st = orr_phase(context, NULL, read_job(job, &config, args));

    if (st == ORR_OK) st = orr_runtime_start(context, &job->runtime);
    if (st == ORR_OK) st = orr_stack(context, job);
    orr_config_destroy(config);
    orr_free(job);
    return st;
}

static const orr_example examples[] = {
    { "orrery stack stack.yaml", "join the cross-validations that the job names" },
    { NULL, NULL },
};

const orr_command orr_cmd_stack = {
    .name = "stack",
    .summary = "join the models of cross-validations by logistic regression",
    .usage = "JOB.yaml [key=value ...]",
    .on_ranks = 1,
    .arguments = { { .name = "JOB.yaml", .help = "the job file", .optional = 1 } },
    .details =
        "Reads out-of-fold predictions (orrery cv), joins them by sample id, chooses C of an "
        "L2-penalised logistic regression by folds and ROC-AUC, and compares on those folds "
        "every model, their mean, rank mean and weighted mean, and the stack.  Writes into the "
        "folder: job.yaml, stack.h5 (for orrery predict), report.json, grid.csv, stack-oof.csv "
        "and, where the cross-validations predicted a test set, test.csv.  The grid is spread "
        "over ranks; the bytes written do not depend on their number.  The same job again gives "
        "the same files; another job in the same folder needs overwrite=true.  sd is that of the "
        "folds' population, as scikit-learn has it; \"level with\" is a difference within its "
        "standard error.",
    .options = orr_stack_job_options,
    .options_title = "Keys of the job file (and of key=value):",
    .run = run,
    .examples = examples,
};
