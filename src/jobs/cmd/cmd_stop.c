/* jobs/cmd/cmd_stop.c - orrery stop RUN: a training ends after this epoch, with its model. */
#include "core/memory.h"
#include "jobs/cmd/command_private.h"
#include "jobs/context/phase.h"
#include "jobs/context/run_status.h"
#include "jobs/context/stop_request.h"
#include "jobs/launch/status_view.h"

#include <string.h>

/* One of the trainings of a cross-validation or of seeds, or the whole of one. */
static int is_of_many(const char *dir)
{
    char path[ORR_PATH_MAX], trimmed[ORR_PATH_MAX], parent[ORR_PATH_MAX];

    if (orr_path_join(path, dir, "tasks") == ORR_OK && orr_path_is_dir(path)) return 1;
    return orr_path_trim(trimmed, dir) == ORR_OK && orr_path_dir(parent, trimmed) == ORR_OK &&
           strcmp(orr_path_name(parent), "tasks") == 0;
}

static orr_status ask(orr_context *context, const char *dir)
{
    orr_view *v = orr_alloc(1, sizeof *v);
    const cJSON *o;
    orr_status st = v ? orr_view_look(v, dir) : orr_fail(ORR_ERR_NOMEM, "out of memory: stop");

    if (st != ORR_OK) goto done;
    o = v->n ? v->files[0].json : NULL;
    if (!o || !v->folder[0] || v->files[0].stale || strcmp(v->files[0].state, "running") != 0) {
        st = orr_fail(ORR_ERR_IO,
                      "%s: no training is running here, so nothing is asked; its state is there to "
                      "be used as it is (orrery predict, state=best|last)",
                      dir);
        goto done;
    }
    if (strcmp(cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(o, "command")), "train") !=
            0 ||
        is_of_many(dir)) {
        st = orr_fail(ORR_ERR_ARG,
                      "%s: only a single training ends early: of several (cross-validation, seeds) "
                      "all must be trained alike; Ctrl-C saves them, to go on later",
                      dir);
        goto done;
    }
    ORR_TRY_GOTO(st, done, orr_stop_request_write(v->folder));
    orr_context_print(context, "%s: asked; it ends after epoch %lld of %lld and writes its model\n",
                      dir, (long long)orr_status_count(o, "epoch"),
                      (long long)orr_status_count(o, "epochs"));
done:
    orr_view_free(v);
    return st;
}

static orr_status run(orr_context *context, const orr_args *args)
{
    return orr_phase_root(context, NULL, ask(context, args->words[0]));
}

static const orr_example examples[] = {
    { "orrery stop runs/kepler", "end it after this epoch, from any node that sees the folder" },
    { NULL, NULL },
};

static const orr_exit exits[] = {
    { 0, "it was asked" },
    { 1, "no training is running there" },
    { 0, NULL },
};

const orr_command orr_cmd_stop = {
    .name = "stop",
    .summary = "end a training after the epoch in hand, with its model",
    .usage = "RUN",
    .arguments = { { .name = "RUN", .help = "the run folder of a training that is running" } },
    .details =
        "Leaves a request in the run folder (stop.json), which the training finds on any node "
        "within a second.  It ends after the epoch in hand as if that were its last: the best "
        "epoch makes the model, it is evaluated, predictions are written, the exit code is 0, and "
        "report.json and the model's record say ended_early.  The same job with a higher "
        "train.epochs goes on from there.  Ctrl-C and SIGTERM are something else: they save at "
        "once and end with 75, for the same command to go on.",
    .run = run,
    .examples = examples,
    .exits = exits,
};
