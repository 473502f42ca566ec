/* jobs/cmd/cmd_predict.c - orrery predict MODEL ... DATA out=FILE [key=value ...] */
#include "core/file.h"
#include "jobs/cmd/command_private.h"
#include "jobs/context/runtime.h"
#include "jobs/model/report.h"
#include "jobs/predict/apply.h"

#include <string.h>
#include <sys/stat.h>

static const orr_option options[] = {
    ORR_OPTION_STRING(orr_apply_opts, out, NULL, "file of the predictions: .csv, .npy or .h5"),
    ORR_APPLY_MODEL_ROWS,
    ORR_OPTION_STRING(orr_apply_opts, submission, "",
                      "sample submission (csv): out gets its header, its ids and its order"),
    ORR_OPTION_CHOICE(orr_apply_opts, submission_as, "probability", "probability|class",
                      "what a submission says of classes"),
    ORR_OPTION_REAL(orr_apply_opts, threshold, "-1", -1, 1,
                    "probability above which the positive class is named; -1 = the model's, of a "
                    "stack 0.5"),
    ORR_OPTION_CHOICE(orr_apply_opts, names, "exact", "exact|match",
                      "columns, channels, classes and targets that are called as the model's but "
                      "stand in another order: refused, or put into it"),
    ORR_OPTION_BOOL(orr_apply_opts, overwrite, "false", "replace out when it exists"),
    ORR_OPTION_WORD(orr_apply_opts, kernels, "cpu", orr_backend_name, "kernel table"),
    ORR_OPTION_SECTION(orr_apply_opts, runtime, orr_runtime_options, "this start only"),
    ORR_OPTION_END,
};

static int same_file(const char *a, const char *b)
{
    struct stat x, y;

    return stat(a, &x) == 0 && stat(b, &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

static orr_status check(const orr_apply_opts *o)
{
    const char *dot = strrchr(o->out, '.');

    ORR_TRY(orr_predictions_check(o->out, o->overwrite));
    if (!o->submission[0])
        return strcmp(o->submission_as, "class") == 0
                   ? orr_fail(ORR_ERR_ARG, "submission_as=class needs submission=SAMPLE.csv")
                   : ORR_OK;
    if (!dot || strcmp(dot, ".csv") != 0)
        return orr_fail(ORR_ERR_ARG, "%s: a submission is written as .csv", o->out);
    if (same_file(o->out, o->submission))
        return orr_fail(ORR_ERR_ARG, "out=%s is the sample submission itself", o->out);
    return ORR_OK;
}

static orr_status prepare(const orr_apply_opts *o, orr_applied *a)
{
    if (!o->submission[0]) return ORR_OK;
    ORR_TRY(orr_submission_read(&a->submission, o->submission));
    return orr_submission_match(&a->submission, &a->model, a->samples.set,
                                strcmp(o->submission_as, "class") == 0);
}

static orr_status output(orr_context *context, const orr_apply_opts *o, const orr_applied *a)
{
    if (o->submission[0]) {
        ORR_TRY(orr_predictions_check(o->out, o->overwrite));
        ORR_TRY(orr_submission_write(&a->submission, o->out, &a->model, &a->scores));
        orr_context_print(context, "%s: %lld predictions in the order of %s\n", o->out,
                          (long long)a->scores.n, o->submission);
        return ORR_OK;
    }
    ORR_TRY(orr_predictions_write(o->out, o->overwrite, &a->model, &a->samples, a->rows, &a->scores,
                                  a->model.threshold));
    orr_context_print(context, "%s: %lld predictions\n", o->out, (long long)a->scores.n);
    return ORR_OK;
}

static orr_status run(orr_context *context, const orr_args *args)
{
    static const orr_apply_command predict = {
        .options = options, .check = check, .prepare = prepare, .output = output
    };

    return orr_apply(context, args, &predict);
}

static const orr_example examples[] = {
    { "mpirun -n 4 orrery predict runs/kepler data/test out=preds.csv",
      "id, class and probability of each sample" },
    { "orrery predict runs/stack data/test out=mine.csv submission=sample.csv",
      "a submission in the order of the sample" },
    { NULL, NULL },
};

const orr_command orr_cmd_predict = {
    .name = "predict",
    .summary = "a model's answers for every sample of a shard set, as csv, npy, HDF5 or submission",
    .usage = "MODEL ... DATA out=FILE [key=value ...]",
    .on_ranks = 1,
    .arguments = { { .name = "MODEL",
                     .help = "a model.h5, a checkpoint, or the run folder of a training, ended or "
                             "not, a cross-validation or a stack; several (no stacks) answer with "
                             "their mean",
                     .several = 1 },
                   { .name = "DATA", .help = "a shard set, with labels or without" } },
    .details =
        "MODEL is a model.h5, a checkpoint, or the run folder of a training, ended or not (state; "
        "with train.seeds: the mean over its seeds), of a cross-validation (the mean over its "
        "folds' models, seeds, repeats and "
        "configurations) or of a stack; of several MODELs their mean.  DATA is a shard "
        "set, with labels or without.  One row a sample, in the order of the set: id, the truth "
        "when it is known, the named class and its probability (or all classes' probabilities, "
        "or values).  Of a density csv has mean and quantiles, .npy and .h5 all of it.  With "
        "submission=sample_submission.csv: the ids and the order of its first column, its "
        "header, and in its other columns the probability of the positive class, of each class "
        "(by name), the values, or the density's mean.  Ids that are missing on either side are "
        "refused.",
    .options = options,
    .options_title = "Keys:",
    .run = run,
    .examples = examples,
};
