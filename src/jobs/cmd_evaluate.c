/* jobs/cmd_evaluate.c - orrery evaluate MODEL DATA [key=value ...] */
#include "core/file.h"
#include "jobs/app.h"
#include "jobs/apply.h"
#include "jobs/report.h"

#include <string.h>

typedef struct evaluate_opts {
    const char *format, *out, *kernels;
    double threshold;
    int overwrite;
    orr_runtime_opts runtime;
} evaluate_opts;

static const orr_option options[] = {
    ORR_OPTION_CHOICE(evaluate_opts, format, "table", "table|json", "what standard output gets"),
    ORR_OPTION_STRING(evaluate_opts, out, "", "also write the JSON to this file"),
    ORR_OPTION_REAL(evaluate_opts, threshold, "-1", -1, 1,
                    "probability above which the positive class is named; -1 = the model's"),
    ORR_OPTION_BOOL(evaluate_opts, overwrite, "false", "replace out when it exists"),
    ORR_OPTION_CHOICE(evaluate_opts, kernels, "cpu", "cpu|check", "kernel table"),
    ORR_OPTION_SECTION(evaluate_opts, runtime, orr_runtime_options, "this start only"),
    ORR_OPTION_END,
};

static orr_status read_job(evaluate_opts *o, orr_config **config, const orr_args *args)
{
    ORR_TRY(orr_job_config(config, NULL, args));
    ORR_TRY(orr_options_read(o, options, orr_config_root(*config), "evaluate"));
    if (args->n_words != 2)
        return orr_fail(ORR_ERR_ARG,
                        "evaluate takes a model and a shard set: orrery evaluate MODEL DATA");
    if (o->out[0] && !o->overwrite && orr_path_exists(o->out))
        return orr_fail(ORR_ERR_EXISTS, "%s exists; remove it or say overwrite=true", o->out);
    return ORR_OK;
}

static orr_status print_result(orr_app *app, const evaluate_opts *o, const orr_applied *a,
                               const char *data)
{
    cJSON *json = orr_scores_json(&a->scores, &a->model.schema);
    char *text = cJSON_Print(json);
    orr_text table = ORR_TEXT_INIT;
    orr_status st = text ? ORR_OK : orr_fail(ORR_ERR_NOMEM, "out of memory: report");

    if (st == ORR_OK && strcmp(o->format, "json") == 0) {
        orr_app_print(app, "%s\n", text);
    } else if (st == ORR_OK) {
        orr_scores_table(&a->scores, &a->model.schema, data, &table);
        st = orr_text_status(&table);
        if (st == ORR_OK) orr_app_print(app, "%s", table.s);
    }
    if (st == ORR_OK && o->out[0]) st = orr_write_file(o->out, text, strlen(text));
    orr_text_free(&table);
    cJSON_free(text);
    cJSON_Delete(json);
    return st;
}

static orr_status run(orr_app *app, const orr_args *args)
{
    orr_config *config = NULL;
    evaluate_opts o;
    orr_applied a = { 0 };
    orr_status st = orr_app_agree(app, read_job(&o, &config, args));

    if (st == ORR_OK) {
        st = orr_app_runtime(app, &o.runtime);
    }
    if (st == ORR_OK) {
        st = orr_apply(&a, app, args->words[0], args->words[1], o.kernels, o.threshold);
    }
    if (st == ORR_OK) {
        if (!orr_has_truth(&a.model, &a.samples))
            st = orr_fail(ORR_ERR_FORMAT,
                          "%s has no labels to compare with; orrery predict needs none",
                          args->words[1]);
        else if (app->rank == 0)
            st = print_result(app, &o, &a, args->words[1]);
        st = orr_app_agree(app, st);
    }
    orr_applied_free(&a);
    orr_config_destroy(config);
    return st;
}

const orr_command orr_cmd_evaluate = {
    .name = "evaluate",
    .summary = "how good a model's answers are on a labelled shard set",
    .usage = "[mpirun -n N] orrery evaluate MODEL DATA [key=value ...]",
    .details = "MODEL is a model.h5 or a run folder, DATA a shard set.  Every sample counts once.  "
               "Definitions: docs/metrics.md.",
    .options = options,
    .options_title = "Keys:",
    .run = run,
};
