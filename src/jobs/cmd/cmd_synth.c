/* jobs/cmd/cmd_synth.c - orrery synth SURVEY out=FOLDER [key=value ...] */
#include "jobs/cmd/command_private.h"
#include "jobs/context/phase.h"
#include "jobs/sets/synth.h"

#include <stdio.h>
#include <string.h>

static orr_status choose(const orr_args *args, const orr_synth_survey **out)
{
    for (int i = 0; orr_synth_surveys[i].name; i++)
        if (strcmp(args->words[0], orr_synth_surveys[i].name) == 0) {
            *out = &orr_synth_surveys[i];
            return ORR_OK;
        }
    return orr_fail(ORR_ERR_ARG, "synth knows no survey \"%s\"; orrery synth --help lists them",
                    args->words[0]);
}

static orr_status read_job(const orr_synth_survey **chosen, orr_synth_opts *o, orr_config **config,
                           const orr_args *args)
{
    char what[32];

    ORR_TRY(choose(args, chosen));
    snprintf(what, sizeof what, "synth %s", (*chosen)->name);
    ORR_TRY(orr_job_config(config, NULL, args));
    return orr_options_read(o, (*chosen)->options, orr_config_root(*config), what);
}

static orr_status run(orr_context *context, const orr_args *args)
{
    const orr_synth_survey *chosen = NULL;
    orr_config *config = NULL;
    orr_synth_opts o;
    orr_status st;

    memset(&o, 0, sizeof o);
    st = orr_phase(context, NULL, read_job(&chosen, &o, &config, args));
    if (st == ORR_OK) st = chosen->make(context, &o);
    orr_config_destroy(config);
    return st;
}

static int survey(int i, orr_kind_help *out)
{
    const orr_synth_survey *s = &orr_synth_surveys[i];

    if (!s->name) return 0;
    *out = (orr_kind_help){ s->name, s->help, s->options };
    return 1;
}

static const orr_more_keys more[] = {
    { .title = "Surveys and their keys:", .kind = survey, .on_line = 1 },
    { .title = NULL },
};

static const orr_example examples[] = {
    { "orrery synth kepler out=data/kepler", "5087 light curves as csv" },
    { "mpirun -n 4 orrery synth sdss out=data/archive fields=8", "eight fields, by four ranks" },
    { NULL, NULL },
};

const orr_command orr_cmd_synth = {
    .name = "synth",
    .summary = "make a stand-in survey, in the format of the published one",
    .usage = "SURVEY out=FOLDER [key=value ...]",
    .on_ranks = 1,
    .arguments = { { .name = "SURVEY", .help = "the survey to make: one of those below" } },
    .details = "Each survey has keys of its own; ranks share the fields of sdss.",
    .more = more,
    .run = run,
    .examples = examples,
};
