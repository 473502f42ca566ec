/* jobs/cmd/cmd_info.c - orrery info PATH: what is in a shard set, checkpoint, model or run. */
#include "jobs/cmd/command_private.h"
#include "jobs/context/phase.h"
#include "jobs/context/signals.h"
#include "jobs/sets/info.h"

#include <signal.h>

typedef struct info_opts {
    int verify;
} info_opts;
static const orr_option options[] = {
    ORR_OPTION_BOOL(info_opts, verify, "false", "check every shard against the manifest's sha256"),
    ORR_OPTION_END,
};

static orr_status read_and_tell(const orr_context *context, const orr_args *args,
                                orr_config **config, orr_text *t)
{
    info_opts o = { 0 };

    if (orr_stop_requested())
        return orr_fail(ORR_ERR_INTERRUPTED, "stopped by a signal; start again");
    ORR_TRY(orr_job_config(config, NULL, args));
    ORR_TRY(orr_options_read(&o, options, orr_config_root(*config), "info"));
    ORR_TRY(orr_info(args->words[0], o.verify, t));
    ORR_TRY(orr_text_status(t));
    orr_context_print(context, "%s", t->s);
    return ORR_OK;
}

static orr_status run(orr_context *context, const orr_args *args)
{
    orr_config *config = NULL;
    orr_text t = ORR_TEXT_INIT;
    orr_status st;

    orr_signals_catch(SIG_DFL); /* there is nothing to save, and a large set is long to read */
    st = orr_phase_root(context, NULL, read_and_tell(context, args, &config, &t));
    orr_text_free(&t);
    orr_config_destroy(config);
    return st;
}

static const orr_example examples[] = {
    { "orrery info data/train verify=true", "its samples, once every file is known to be whole" },
    { "orrery info runs/kepler", "the model of a run" },
    { NULL, NULL },
};

const orr_command orr_cmd_info = {
    .name = "info",
    .summary = "what is in a shard set, checkpoint, model or run",
    .usage = "PATH [key=value ...]",
    .arguments = { { .name = "PATH",
                     .help = "a shard set (folder or index.h5), a checkpoint, a model or a run "
                             "folder" } },

    .options = options,
    .options_title = "Keys:",
    .run = run,
    .examples = examples,
};
