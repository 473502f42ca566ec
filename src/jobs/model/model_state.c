/* jobs/model/model_state.c - what stands where a model is wanted: which file, and what it is. */
#include "core/json.h"
#include "core/log.h"
#include "jobs/model/model.h"

#include <stdio.h>
#include <string.h>

static int holds(char file[ORR_PATH_MAX], const char *dir, const char *name)
{
    return orr_path_join(file, dir, name) == ORR_OK && orr_path_exists(file);
}

int orr_model_is_there(const char *path)
{
    char file[ORR_PATH_MAX];

    return !orr_path_is_dir(path) || holds(file, path, "model.h5") ||
           holds(file, path, "checkpoint-best.h5") || holds(file, path, "checkpoint-last.h5");
}

orr_status orr_model_file(char file[ORR_PATH_MAX], const char *path, const char *state)
{
    const int last = strcmp(state, "last") == 0, best = strcmp(state, "best") == 0;

    if (!orr_path_is_dir(path)) {
        if (last || best)
            return orr_fail(ORR_ERR_ARG,
                            "state=%s chooses in the folder of a run; %s is one file: leave state "
                            "out",
                            state, path);
        return orr_path_join(file, "", path);
    }
    if (last && holds(file, path, "checkpoint-last.h5")) return ORR_OK;
    if (last)
        return orr_fail(ORR_ERR_IO, "%s: there is no checkpoint-last.h5 for state=last", path);
    if (best && !holds(file, path, "checkpoint-best.h5"))
        return orr_fail(ORR_ERR_IO,
                        "%s: there is no checkpoint-best.h5 for state=best (nothing chose an epoch "
                        "yet, or there is no validation split); state=last is the last one",
                        path);
    if (holds(file, path, "model.h5") || holds(file, path, "checkpoint-best.h5") ||
        holds(file, path, "checkpoint-last.h5"))
        return ORR_OK;
    return orr_fail(ORR_ERR_IO,
                    "%s: there is no model.h5 and no checkpoint; a training run has one after its "
                    "first epoch",
                    path);
}

int orr_model_is_interim(const orr_model *m)
{
    return cJSON_GetObjectItemCaseSensitive(m->record, "checkpoint") != NULL;
}

void orr_model_describe_state(const orr_model *m, orr_text *out)
{
    const cJSON *c = cJSON_GetObjectItemCaseSensitive(m->record, "checkpoint");
    long long epoch = (long long)orr_json_get(c, "epoch", 0),
              step = (long long)orr_json_get(c, "step", 0);

    if (!c) return;
    if (step > 0)
        orr_text_printf(out, "as it stood after step %lld of epoch %lld", step, epoch + 1);
    else
        orr_text_printf(out, "as it stood after epoch %lld", epoch);
    orr_text_printf(out, " of %lld%s", (long long)orr_json_get(c, "epochs", 0),
                    cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(c, "best")) ? ", the best so far"
                                                                              : "");
    if (cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(c, "calibrates")))
        orr_text_add(out, "; its densities are not calibrated yet (train.calibrate)");
}

void orr_model_tell_state(const orr_model *m, const char *component)
{
    orr_text says = ORR_TEXT_INIT;

    orr_model_describe_state(m, &says);
    if (says.s)
        orr_log0(ORR_WARN, component, "%s is not what its training ended with, but the net %s",
                 m->file, says.s);
    orr_text_free(&says);
}
