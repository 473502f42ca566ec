/* jobs/cmd_predict.c - orrery predict MODEL DATA out=FILE [key=value ...] */
#include "jobs/apply.h"
#include "jobs/report.h"

static const orr_option options[] = {
    ORR_OPTION_STRING(orr_apply_opts, out, NULL, "file of the predictions: .csv, .npy or .h5"),
    ORR_OPTION_REAL(orr_apply_opts, threshold, "-1", -1, 1,
                    "probability above which the positive class is named; -1 = the model's"),
    ORR_OPTION_BOOL(orr_apply_opts, overwrite, "false", "replace out when it exists"),
    ORR_OPTION_CHOICE(orr_apply_opts, kernels, "cpu", "cpu|cpu-bf16|check", "kernel table"),
    ORR_OPTION_SECTION(orr_apply_opts, runtime, orr_runtime_options, "this start only"),
    ORR_OPTION_END,
};

static orr_status check(const orr_apply_opts *o)
{
    return orr_predictions_check(o->out, o->overwrite);
}

static orr_status output(orr_app *app, const orr_apply_opts *o, const orr_applied *a)
{
    ORR_TRY(orr_predictions_write(o->out, o->overwrite, &a->model, &a->samples, a->rows, &a->scores,
                                  a->model.threshold));
    orr_app_print(app, "%s: %lld predictions\n", o->out, (long long)a->scores.n);
    return ORR_OK;
}

static orr_status run(orr_app *app, const orr_args *args)
{
    static const orr_apply_command predict = { options, "orrery predict MODEL DATA out=FILE", check,
                                               output };

    return orr_apply(app, args, &predict);
}

const orr_command orr_cmd_predict = {
    .name = "predict",
    .summary = "a model's answers for every sample of a shard set, as csv, npy or HDF5",
    .usage = "[mpirun -n N] orrery predict MODEL DATA out=FILE [key=value ...]",
    .details =
        "MODEL is a model.h5 or a run folder, DATA a shard set, with labels or without.\n"
        "One row a sample, in the order of the set: id, the truth when it is known, the "
        "named class\n"
        "and its probability (or all classes' probabilities, or values).  Of a density csv has "
        "mean and quantiles,\n.npy and .h5 all of it.",
    .options = options,
    .options_title = "Keys:",
    .run = run,
};
