/* jobs/cmd/cmd_lr_range.c - orrery lr-range JOB.yaml [key=value ...] */
#include "core/memory.h"
#include "jobs/cmd/command_private.h"
#include "jobs/context/phase.h"
#include "jobs/context/runtime.h"
#include "jobs/train/lr_range.h"

#include <stdio.h>
#include <string.h>

static int is_key(const char *word, const orr_option *rows)
{
    for (const orr_option *o = rows; o->type != ORR_OPT_END; o++)
        if (strcmp(word, o->key) == 0) return 1;
    return 0;
}

/* Is this "key=value" one of the command's own, or, being no key of a job, most like one?  Such a
 * one is refused with the right word. */
static int is_own(const char *assignment)
{
    const char *names[32];
    char word[64];
    int n = 0;

    snprintf(word, sizeof word, "%.*s", (int)strcspn(assignment, "="), assignment);
    if (is_key(word, orr_lr_range_options)) return 1;
    if (is_key(word, orr_train_job_options)) return 0;
    for (const orr_option *o = orr_lr_range_options; o->type != ORR_OPT_END && n < 32; o++)
        names[n++] = o->key;
    return orr_nearest(word, names, n) != NULL;
}

typedef struct {
    orr_config *own, *file; /* own: what options and strings are borrowed from */
    orr_lr_range_opts o;
    orr_train_job job;
} asked;

/* Keys of the command are taken from the line before the rest is laid over the job file, which
 * stays a training job and nothing else. */
static orr_status read_asked(asked *a, const orr_args *args)
{
    orr_args own = { 0 }, rest = *args;

    if (!a) return orr_fail(ORR_ERR_NOMEM, "out of memory: lr-range");
    rest.n_assignments = 0;
    for (int i = 0; i < args->n_assignments; i++) {
        orr_args *to = is_own(args->assignments[i]) ? &own : &rest;
        to->assignments[to->n_assignments++] = args->assignments[i];
    }
    ORR_TRY(orr_job_config(&a->own, NULL, &own));
    ORR_TRY(orr_lr_range_read(&a->o, a->own));
    ORR_TRY(orr_job_config(&a->file, args->words[0], &rest));
    return orr_train_job_read(&a->job, a->file);
}

static orr_status run(orr_context *context, const orr_args *args)
{
    asked *a = orr_alloc(1, sizeof *a);
    orr_status st = orr_phase(context, NULL, read_asked(a, args));

    if (st == ORR_OK) st = orr_phase_root(context, NULL, orr_lr_range_check_out(&a->o));
    if (st == ORR_OK) st = orr_runtime_start(context, &a->job.runtime);
    if (st == ORR_OK) st = orr_lr_range_test(context, &a->job, &a->o);
    if (a) {
        orr_config_destroy(a->own);
        orr_config_destroy(a->file);
    }
    orr_free(a);
    return st;
}

static const orr_example examples[] = {
    { "orrery lr-range job.yaml from=1e-6 to=1", "a sweep over six decades, drawn" },
    { "orrery lr-range job.yaml format=json out=range.json", "every number of it" },
    { NULL, NULL },
};

const orr_command orr_cmd_lr_range = {
    .name = "lr-range",
    .summary = "find a learning rate: the loss over a sweep of rates",
    .usage = "JOB.yaml [key=value ...]",
    .on_ranks = 1,
    .arguments = { { .name = "JOB.yaml", .help = "a job file of orrery train", .optional = 1 } },
    .details =
        "Takes the job file of orrery train (and its keys on the line) and makes one training "
        "step a rate, in train's order of batches, from rate `from` to rate `to`, until the loss "
        "runs away.  Weights, optimiser, clipping and augmentation are train's; train.lr and "
        "train.schedule are not used.  Nothing of the job or its run folder is touched; the one "
        "file written is `out`.\n"
        "\nA loss is the mean over the batch before its step; the smoothed loss is their "
        "exponential mean, its start corrected.  The suggestion is the rate where the smoothed "
        "loss falls fastest before its lowest, over a tenth of the rates; none is made where it "
        "fell by no more than three times its noise.  The JSON holds every number, and is the "
        "same for any number of ranks.",
    .options = orr_lr_range_options,
    .options_title = "Keys, on the line alone (the file stays a training job):",
    .run = run,
    .examples = examples,
};
