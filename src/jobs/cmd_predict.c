/* jobs/cmd_predict.c - orrery predict MODEL DATA out=FILE [key=value ...] */
#include "jobs/app.h"
#include "jobs/apply.h"
#include "jobs/report.h"

typedef struct predict_opts {
    const char *out, *kernels;
    double threshold;
    int overwrite;
    orr_runtime_opts runtime;
} predict_opts;

static const orr_option options[] = {
    ORR_OPTION_STRING(predict_opts, out, NULL, "file of the predictions: .csv, .npy or .h5"),
    ORR_OPTION_REAL(predict_opts, threshold, "-1", -1, 1,
                    "probability above which the positive class is named; -1 = the model's"),
    ORR_OPTION_BOOL(predict_opts, overwrite, "false", "replace out when it exists"),
    ORR_OPTION_CHOICE(predict_opts, kernels, "cpu", "cpu|check", "kernel table"),
    ORR_OPTION_SECTION(predict_opts, runtime, orr_runtime_options, "this start only"),
    ORR_OPTION_END,
};

static orr_status read_job(predict_opts *o, orr_config **config, const orr_args *args)
{
    ORR_TRY(orr_job_config(config, NULL, args));
    ORR_TRY(orr_options_read(o, options, orr_config_root(*config), "predict"));
    if (args->n_words != 2)
        return orr_fail(
            ORR_ERR_ARG,
            "predict takes a model and a shard set: orrery predict MODEL DATA out=FILE");
    return orr_predictions_check(o->out, o->overwrite);
}

static orr_status run(orr_app *app, const orr_args *args)
{
    orr_config *config = NULL;
    predict_opts o;
    orr_applied a = { 0 };
    orr_status st = orr_app_agree(app, read_job(&o, &config, args));

    if (st == ORR_OK) {
        st = orr_app_runtime(app, &o.runtime);
    }
    if (st == ORR_OK) {
        st = orr_apply(&a, app, args->words[0], args->words[1], o.kernels, o.threshold);
    }
    if (st == ORR_OK) {
        if (app->rank == 0)
            st = orr_predictions_write(o.out, o.overwrite, &a.model, &a.samples, a.rows, &a.scores,
                                       a.model.threshold);
        st = orr_app_agree(app, st);
    }
    if (st == ORR_OK) orr_app_print(app, "%s: %lld predictions\n", o.out, (long long)a.scores.n);
    orr_applied_free(&a);
    orr_config_destroy(config);
    return st;
}

const orr_command orr_cmd_predict = {
    .name = "predict",
    .summary = "a model's answers for every sample of a shard set, as csv, npy or HDF5",
    .usage = "[mpirun -n N] orrery predict MODEL DATA out=FILE [key=value ...]",
    .details = "MODEL is a model.h5 or a run folder, DATA a shard set, with labels or without.  "
               "One row a sample, in the order of the set:\n"
               "id, the truth when it is known, the named class and its probability (or all "
               "classes' probabilities, or values).",
    .options = options,
    .options_title = "Keys:",
    .run = run,
};
