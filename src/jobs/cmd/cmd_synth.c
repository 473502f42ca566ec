/* jobs/cmd/cmd_synth.c - orrery synth SURVEY out=FOLDER [key=value ...] */
#include "jobs/cmd/command.h"
#include "jobs/sets/synth.h"

#include <stdio.h>
#include <string.h>

static orr_status choose(const orr_args *args, const orr_synth_survey **out)
{
    if (args->n_words != 1)
        return orr_fail(ORR_ERR_ARG, "synth takes the name of a survey: kepler, moons or sdss");
    for (int i = 0; orr_synth_surveys[i].name; i++)
        if (strcmp(args->words[0], orr_synth_surveys[i].name) == 0) {
            *out = &orr_synth_surveys[i];
            return ORR_OK;
        }
    return orr_fail(ORR_ERR_ARG, "synth knows kepler, moons and sdss, not \"%s\"", args->words[0]);
}

static orr_status run(orr_context *context, const orr_args *args)
{
    const orr_synth_survey *chosen = NULL;
    orr_config *config = NULL;
    orr_synth_opts o;
    orr_status st = ORR_OK;
    char what[32];

    memset(&o, 0, sizeof o);
    ORR_TRY_GOTO(st, agree, choose(args, &chosen));
    snprintf(what, sizeof what, "synth %s", chosen->name);
    ORR_TRY_GOTO(st, agree, orr_job_config(&config, NULL, args));
    st = orr_options_read(&o, chosen->options, orr_config_root(config), what);
agree:
    st = orr_context_agree(context, st);
    if (st == ORR_OK) st = chosen->make(context, &o);
    orr_config_destroy(config);
    return st;
}

static void survey_help(orr_text *out)
{
    for (int i = 0; orr_synth_surveys[i].name; i++) {
        orr_text_printf(out, "\nKeys of %s:\n", orr_synth_surveys[i].name);
        orr_options_help(orr_synth_surveys[i].options, out, "");
    }
}

const orr_command orr_cmd_synth = {
    .name = "synth",
    .summary = "make a stand-in survey, in the format of the published one",
    .usage = "orrery synth kepler|moons|sdss out=FOLDER [key=value ...]",
    .details =
        "kepler: light curves with trends, noise and, for some, transits;\n"
        "        train.csv and test.csv with the header LABEL,FLUX.1,... (2 = planet, 1 = none)\n"
        "moons:  scikit-learn's two moons, number for number;\n"
        "        train.csv and test.csv without header, label first\n"
        "sdss:   galaxies in five-band fields: bzip2-packed FITS frames named as the archive\n"
        "        names them, and catalogue.csv with redshifts and magnitudes; ranks share the "
        "fields",
    .more_help = survey_help,
    .run = run,
};
