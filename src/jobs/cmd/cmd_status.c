/* jobs/cmd/cmd_status.c - orrery status PATH: what a run is doing, from the files it leaves. */
#include "core/memory.h"
#include "jobs/cmd/command_private.h"
#include "jobs/context/phase.h"
#include "jobs/launch/status_view.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

typedef struct status_opts {
    const char *format;
} status_opts;
static const orr_option options[] = {
    ORR_OPTION_CHOICE(status_opts, format, "page", "page|json", "for people, or for programs"),
    ORR_OPTION_END,
};

/* ---- for programs ---- */
static void as_json(const orr_view *v, const cJSON *tasks, orr_text *t)
{
    cJSON *top = cJSON_CreateObject(), *list = cJSON_AddArrayToObject(top, "runs");
    char *text;

    for (int i = 0; i < v->n; i++) {
        const orr_found *f = &v->files[i];
        cJSON *o = cJSON_CreateObject();
        cJSON_AddStringToObject(o, "path", f->path);
        cJSON_AddBoolToObject(o, "stale", f->stale);
        if (f->sentence[0]) cJSON_AddStringToObject(o, "sentence", f->sentence);
        cJSON_AddItemToObject(o, "status", cJSON_Duplicate(f->json, 1));
        cJSON_AddItemToArray(list, o);
    }
    if (tasks) cJSON_AddItemToObject(top, "trainings", cJSON_Duplicate(tasks, 1));
    if (v->launch) cJSON_AddItemToObject(top, "launch", cJSON_Duplicate(v->launch, 1));
    text = cJSON_Print(top);
    orr_text_printf(t, "%s\n", text ? text : "{}");
    cJSON_free(text);
    cJSON_Delete(top);
}

/* ---- the command ---- */
static orr_status tell(const char *path, const status_opts *o)
{
    orr_view *v = orr_alloc(1, sizeof *v);
    orr_text t = ORR_TEXT_INIT;
    cJSON *tasks = NULL;
    orr_status st = v ? orr_view_look(v, path) : orr_fail(ORR_ERR_NOMEM, "out of memory: status");

    if (st == ORR_OK) {
        tasks = orr_view_tasks(v);
        if (strcmp(o->format, "json") == 0)
            as_json(v, tasks, &t);
        else
            orr_view_page(v, tasks, &t);
        st = orr_text_status(&t);
    }
    if (st == ORR_OK && (fputs(t.s ? t.s : "", stdout) == EOF || fflush(stdout) != 0))
        st = orr_fail(ORR_ERR_IO, "standard output: %s", strerror(errno));
    if (st == ORR_OK) st = orr_error_raise(&v->bad);
    cJSON_Delete(tasks);
    orr_text_free(&t);
    orr_view_free(v);
    return st;
}

static orr_status read_job(status_opts *o, orr_config **config, const orr_args *args)
{
    ORR_TRY(orr_job_config(config, NULL, args));
    return orr_options_read(o, options, orr_config_root(*config), "");
}

static orr_status run(orr_context *context, const orr_args *args)
{
    orr_config *config = NULL;
    status_opts o;
    orr_status st = orr_phase(context, NULL, read_job(&o, &config, args));

    if (st == ORR_OK) st = orr_phase_root(context, NULL, tell(args->words[0], &o));
    orr_config_destroy(config);
    return st;
}

static const orr_example examples[] = {
    { "orrery status runs/kepler", "a page" },
    { "orrery status runs/kepler format=json", "for programs" },
    { NULL, NULL },
};

static const orr_exit exits[] = {
    { 0, "there was something to read, whatever it says" },
    { 1, "a file was damaged, or none there" },
    { 0, NULL },
};

const orr_command orr_cmd_status = {
    .name = "status",
    .summary = "what a run is doing: progress, time left, last checkpoint, slow ranks, faults",
    .usage = "PATH [key=value ...]",
    .arguments = { { .name = "PATH",
                     .help = "a run folder of train or cv, the folder of a fetch, the `out` of a "
                             "crop, or a status "
                             "file itself" } },
    .details =
        "A status file is status.json in a run folder, .orrery/status.json of a fetch, "
        "OUT.status.json beside a crop's.  Runs write it once a second and at their end.  It "
        "says what the run is doing, how far it is and how long it will take, its last "
        "checkpoint, each rank's milliseconds a step (compute, waiting for other ranks, waiting "
        "for input) and which rank is slow with what, faults so far, and how earlier starts "
        "ended; of a cross-validation which trainings are done, under way and left; of a run "
        "under orrery launch its restarts (launch.json).  A file that says \"running\" is not "
        "believed when its process is gone from this machine, or when it is older than 30 s.",
    .options = options,
    .options_title = "Keys:",
    .run = run,
    .examples = examples,
    .exits = exits,
};
