/* jobs/cmd_synth.c - orrery synth SURVEY out=FOLDER [key=value ...] */
#include "data/synth/synth.h"
#include "jobs/app.h"

#include <string.h>

static orr_status make(const orr_args *args, orr_config **config)
{
    const orr_node *root;

    ORR_TRY(orr_job_config(config, NULL, args));
    root = orr_config_root(*config);
    if (args->n_words != 1)
        return orr_fail(ORR_ERR_ARG, "synth takes the name of a survey: kepler or moons");
    if (strcmp(args->words[0], "kepler") == 0) {
        orr_synth_kepler_opts o;
        ORR_TRY(orr_options_read(&o, orr_synth_kepler_options, root, "synth kepler"));
        return orr_synth_kepler(&o);
    }
    if (strcmp(args->words[0], "moons") == 0) {
        orr_synth_moons_opts o;
        ORR_TRY(orr_options_read(&o, orr_synth_moons_options, root, "synth moons"));
        return orr_synth_moons(&o);
    }
    return orr_fail(ORR_ERR_ARG, "synth knows kepler and moons, not \"%s\"", args->words[0]);
}

static orr_status run(orr_app *app, const orr_args *args)
{
    orr_config *config = NULL;
    orr_status st = ORR_OK;

    if (app->rank == 0) st = make(args, &config);
    orr_config_destroy(config);
    return orr_app_agree(app, st);
}

static void survey_help(orr_text *out)
{
    orr_text_add(out, "\nKeys of kepler:\n");
    orr_options_help(orr_synth_kepler_options, out, "");
    orr_text_add(out, "\nKeys of moons:\n");
    orr_options_help(orr_synth_moons_options, out, "");
}

const orr_command orr_cmd_synth = {
    .name = "synth",
    .summary = "make a stand-in survey, in the format of the published one",
    .usage = "orrery synth kepler|moons out=FOLDER [key=value ...]",
    .details =
        "kepler: light curves with trends, noise and, for some, transits;\n"
        "        train.csv and test.csv with the header LABEL,FLUX.1,... (2 = planet, 1 = none)\n"
        "moons:  scikit-learn's two moons, number for number;\n"
        "        train.csv and test.csv without header, label first",
    .more_help = survey_help,
    .run = run,
};
