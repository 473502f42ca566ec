/* jobs/cmd/cmd_train.c - orrery train JOB.yaml [key=value ...] */
#include "data/augment.h"
#include "data/transform.h"
#include "jobs/cmd/command_private.h"
#include "jobs/context/phase.h"
#include "jobs/context/runtime.h"
#include "jobs/ensemble/seeds.h"
#include "jobs/train/trainer.h"
#include "nn/graph.h"
#include "nn/layer.h"
#include "nn/loss.h"
#include "nn/optimiser.h"
#include "nn/schedule.h"

static orr_status read_job(orr_train_job *job, orr_config **config, const orr_args *args)
{
    ORR_TRY(orr_job_config(config, args->words[0], args));
    return orr_train_job_read(job, *config);
}

static orr_status run(orr_context *context, const orr_args *args)
{
    orr_config *config = NULL;
    orr_train_job job;
    orr_status st = orr_phase(context, NULL, read_job(&job, &config, args));

    if (st == ORR_OK) st = orr_runtime_start(context, &job.runtime);
    if (st == ORR_OK)
        st = job.train.seeds ? orr_train_with_seeds(context, &job) : orr_train(context, &job);
    orr_config_destroy(config);
    return st;
}

static int layer(int i, orr_kind_help *out)
{
    int n;
    const orr_layer_kind *const *kinds = orr_layer_kinds(&n);

    if (i >= n) return 0;
    *out = (orr_kind_help){ kinds[i]->kind, kinds[i]->help, kinds[i]->options };
    return 1;
}

static int group(int i, orr_kind_help *out)
{
    if (i > 0) return 0;
    *out = (orr_kind_help){ "group", "tensors with a rate or decay of their own",
                            orr_optimiser_group_options };
    return 1;
}

static const orr_more_keys more[] = {
    { .title = "Layers (model.layers is a list of them; each takes the one before it unless it "
               "says input: NAME or inputs: [NAME, NAME]; name: NAME names it):",
      .kind = layer },
    { .title =
          "Transforms (data.transforms and data.aux_transforms are lists of them, - NAME: {KEY: "
          "VALUE} or - NAME; statistics come from the training split alone):",
      .kind = orr_transform_kind_help },
    { .title = "Augmentations (data.augment is a list of them):", .kind = orr_augment_kind_help },
    { .title = "Losses (train.loss is one of them, or {NAME: {KEY: VALUE}}):",
      .kind = orr_loss_kind_help },
    { .title = "Optimisers (train.optimiser.kind):", .kind = orr_optimiser_kind_help },
    { .title = "Groups of tensors (train.optimiser.groups is a list of maps of these keys):",
      .kind = group },
    { .title = "Schedules (train.schedule.kind):", .kind = orr_schedule_kind_help },
    { .title = NULL },
};

static const orr_example examples[] = {
    { "mpirun -n 4 orrery train job.yaml train.epochs=30",
      "train on four ranks, or resume the run" },
    { "mpirun -n 4 orrery train job.yaml run=runs/five train.seeds=5",
      "the same job from five seeds, whose mean answers" },
    { "orrery train job.yaml run=runs/other train.lr=1e-4",
      "the same job with another rate, in another folder" },
    { NULL, NULL },
};

const orr_command orr_cmd_train = {
    .name = "train",
    .summary = "train a network, or resume a run that was stopped",
    .usage = "JOB.yaml [key=value ...]",
    .on_ranks = 1,
    .arguments = { { .name = "JOB.yaml", .help = "the job file", .optional = 1 } },
    .details =
        "Trains data-parallel on all ranks and writes a run folder: job.yaml, metrics.jsonl, "
        "history.csv, checkpoints, model.h5, report.json, predictions-*.csv.  On an existing run "
        "it resumes from the last checkpoint, on any number of ranks, to the same bytes; so it "
        "does "
        "with a higher train.epochs, train.max_steps or train.patience, also after its end (not "
        "epochs of a schedule that is spread over all of them).  With "
        "train.seeds it trains the same job once a seed, as many at a time as ranks allow, in "
        "tasks/seed-S; evaluate, predict and stack take the folder as the mean of them.",
    .options = orr_train_job_options,
    .options_title = "Keys of the job file (and of key=value):",
    .more = more,
    .run = run,
    .examples = examples,
};
