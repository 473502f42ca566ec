/* jobs/cmd/cmd_train.c - orrery train JOB.yaml [key=value ...] */
#include "core/log.h"
#include "jobs/cmd/command.h"
#include "jobs/train/trainer.h"
#include "nn/graph.h"
#include "nn/layer.h"

static orr_status run(orr_context *context, const orr_args *args)
{
    orr_config *config = NULL;
    orr_train_job job;
    orr_status st;

    if (args->n_words > 1) {
        context->agreed = ORR_ERR_ARG;
        return orr_fail(ORR_ERR_ARG, "train takes one job file; \"%s\" is one too many",
                        args->words[1]);
    }
    st = orr_job_config(&config, args->n_words ? args->words[0] : NULL, args);
    if (st == ORR_OK) st = orr_train_job_read(&job, config);
    st = orr_context_agree(context, st);
    if (st == ORR_OK) {
        st = orr_context_runtime(context, &job.runtime);
    }
    if (st == ORR_OK) {
        st = orr_train(context, &job);
    }
    orr_config_destroy(config);
    return st;
}

static void layer_help(orr_text *out)
{
    int n;
    const orr_layer_kind *const *kinds = orr_layer_kinds(&n);

    orr_text_add(out, "\nLayers (model.layers is a list of them; each takes the one before it "
                      "unless it says input: NAME\n"
                      "or inputs: [NAME, NAME]; name: NAME names it):\n");
    for (int i = 0; i < n; i++) {
        orr_text_printf(out, "%s: %s\n", kinds[i]->kind, kinds[i]->help);
        if (kinds[i]->options) orr_options_help(kinds[i]->options, out, "  ");
    }
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
    .more_help = layer_help,
    .run = run,
};
