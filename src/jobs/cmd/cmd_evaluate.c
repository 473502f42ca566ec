/* jobs/cmd/cmd_evaluate.c - orrery evaluate MODEL ... DATA [key=value ...] */
#include "core/file.h"
#include "jobs/cmd/command_private.h"
#include "jobs/context/runtime.h"
#include "jobs/model/report.h"
#include "jobs/predict/apply.h"

#include <string.h>

static const orr_option options[] = {
    ORR_OPTION_CHOICE(orr_apply_opts, format, "table", "table|json", "what standard output gets"),
    ORR_OPTION_STRING(orr_apply_opts, out, "", "also write the JSON to this file"),
    ORR_APPLY_MODEL_ROWS,
    ORR_OPTION_REAL(orr_apply_opts, threshold, "-1", -1, 1,
                    "probability above which the positive class is named; -1 = the model's, of a "
                    "stack 0.5"),
    ORR_OPTION_STRINGS(orr_apply_opts, by, "target",
                       "redshifts and densities: also in groups by these: target, or names of aux "
                       "numbers such as [target, cModelMag_r]"),
    ORR_OPTION_INT(orr_apply_opts, groups, "5", 1, 100,
                   "number of those groups, with equally many samples each"),
    ORR_OPTION_REAL(orr_apply_opts, outlier, "0.05", 0, 1e9,
                    "redshifts in groups: |dz| beyond which one counts for eta"),
    ORR_OPTION_CHOICE(
        orr_apply_opts, target_kind, "model", "model|value|redshift",
        "what the target is, where the model does not say it; redshift: scores of dz"),
    ORR_OPTION_CHOICE(orr_apply_opts, names, "exact", "exact|match",
                      "columns, channels, classes and targets that are called as the model's but "
                      "stand in another order: refused, or put into it"),
    ORR_OPTION_BOOL(orr_apply_opts, overwrite, "false", "replace out when it exists"),
    ORR_OPTION_WORD(orr_apply_opts, kernels, "cpu", orr_backend_name, "kernel table"),
    ORR_OPTION_SECTION(orr_apply_opts, runtime, orr_runtime_options, "this start only"),
    ORR_OPTION_END,
};

static orr_status check(const orr_apply_opts *o)
{
    if (o->out[0] && !o->overwrite && orr_path_exists(o->out))
        return orr_fail(ORR_ERR_EXISTS, "%s exists; remove it or say overwrite=true", o->out);
    return ORR_OK;
}

static orr_status output(orr_context *context, const orr_apply_opts *o, const orr_applied *a)
{
    const char *data = orr_dataset_path(a->samples.set);
    orr_text table = ORR_TEXT_INIT;
    orr_groupings groups;
    cJSON *json;
    char *text;
    orr_status st;

    if (!orr_has_truth(&a->model, &a->samples))
        return orr_fail(ORR_ERR_FORMAT,
                        "%s has no labels to compare with; orrery predict needs none", data);
    if (!a->scores.has_truth)
        return orr_fail(ORR_ERR_FORMAT,
                        "%s: some of its targets are none (NaN or infinite); import it again with "
                        "input.nan: drop; orrery predict needs none",
                        data);
    orr_model_tell_target(&a->model, "evaluate", "target_kind");
    ORR_TRY(orr_groupings_create(&groups, &a->scores, &a->samples, a->rows, &o->by, o->groups,
                                 o->outlier));
    json = orr_scores_json(&a->scores, &a->model.schema, &groups);
    if (a->trained || a->chose) {
        cJSON *seen = cJSON_AddObjectToObject(json, "seen_in_training");
        cJSON_AddNumberToObject(seen, "trained", (double)a->trained);
        cJSON_AddNumberToObject(seen, "chose_epoch", (double)a->chose);
        cJSON_AddBoolToObject(seen, "estimated", a->about);
    }
    if (orr_model_is_interim(&a->model))
        cJSON_AddItemToObject(
            json, "checkpoint",
            cJSON_Duplicate(cJSON_GetObjectItemCaseSensitive(a->model.record, "checkpoint"), 1));
    orr_model_spread_json(&a->spread, json);
    text = cJSON_Print(json);
    st = text ? ORR_OK : orr_fail(ORR_ERR_NOMEM, "out of memory: report");
    orr_scores_table(&a->scores, &a->model.schema, &groups, data, &table);
    orr_model_spread_table(&a->spread, &table);
    if (st == ORR_OK) st = orr_text_status(&table);
    if (st == ORR_OK && o->out[0]) st = orr_write_file(o->out, text, strlen(text));
    if (st == ORR_OK && strcmp(o->format, "json") == 0)
        orr_context_print(context, "%s\n", text);
    else if (st == ORR_OK)
        orr_context_print(context, "%s", table.s);
    orr_groupings_free(&groups);
    orr_text_free(&table);
    cJSON_free(text);
    cJSON_Delete(json);
    return st;
}

static orr_status run(orr_context *context, const orr_args *args)
{
    static const orr_apply_command evaluate = { .options = options,
                                                .check = check,
                                                .output = output };

    return orr_apply(context, args, &evaluate);
}

static const orr_example examples[] = {
    { "orrery evaluate runs/kepler data/test", "scores as a table" },
    { "orrery evaluate runs/a runs/b runs/c data/test",
      "scores of the mean of three runs, and how far they lie apart" },
    { "orrery evaluate runs/photoz data/test format=json out=scores.json",
      "scores as JSON, also in a file" },
    { NULL, NULL },
};

const orr_command orr_cmd_evaluate = {
    .name = "evaluate",
    .summary = "how good a model's answers are on a labelled shard set",
    .usage = "MODEL ... DATA [key=value ...]",
    .on_ranks = 1,
    .arguments = { { .name = "MODEL",
                     .help = "a model.h5, a checkpoint, or the run folder of a training, ended or "
                             "not, a cross-validation or a stack; several (no stacks) answer with "
                             "their mean",
                     .several = 1 },
                   { .name = "DATA",
                     .help = "a labelled shard set that none of its models was trained on" } },
    .details =
        "MODEL is a model.h5, a checkpoint, or the run folder of a training, ended or not (state; "
        "with train.seeds: the mean over its seeds), of a cross-validation (the mean over its "
        "folds' models, seeds, repeats and "
        "configurations) or of a stack; of several MODELs their mean.  DATA is a shard "
        "set that none of them was trained on.  Every sample counts once; the loss is that of "
        "one model, and not defined for a mean; of a mean the scores of its models are told, too: "
        "their mean, deviation, least and largest.  Definitions: docs/metrics.md.",
    .options = options,
    .options_title = "Keys:",
    .run = run,
    .examples = examples,
};
