/* jobs/ensemble/ledger.c - what a training's folder says of it. */
#include "jobs/ensemble/ledger.h"
#include "core/file.h"
#include "core/json.h"
#include "core/log.h"
#include "core/memory.h"
#include "jobs/context/run.h"

#include <string.h>

orr_status orr_ledger_is_done(const char *dir, int *done)
{
    char path[ORR_PATH_MAX];

    ORR_TRY(orr_path_join(path, dir, "model.h5"));
    *done = orr_path_exists(path);
    return ORR_OK;
}

orr_status orr_ledger_check(const char *dir, const char *identity, const char *why)
{
    char path[ORR_PATH_MAX], *text = NULL;
    cJSON *report;
    size_t bytes;
    orr_status st = ORR_OK;

    ORR_TRY(orr_path_join(path, dir, "report.json"));
    if (!orr_path_exists(path)) return ORR_OK;
    ORR_TRY(orr_read_file(&text, &bytes, path, (size_t)64 << 20));
    report = cJSON_Parse(text);
    if (report && strcmp(orr_json_text(report, "training_data", identity), identity) != 0)
        st = orr_fail(ORR_ERR_EXISTS, "%s: this training was done %s", path, why);
    cJSON_Delete(report);
    orr_free(text);
    return st;
}

orr_status orr_ledger_judge(const char *dir, const char *identity, const char *why, int overwrite,
                            int *done)
{
    orr_status st = orr_ledger_check(dir, identity, why);

    if (st != ORR_ERR_EXISTS || !overwrite) return st;
    orr_error_clear();
    orr_log(ORR_INFO, "run", "%s: done %s; its results are removed (overwrite=true)", dir, why);
    *done = 0;
    return orr_run_clear(dir);
}
