/* jobs/cmd/cmd_synth.c - orrery synth SURVEY out=FOLDER [key=value ...] */
#include "core/progress.h"
#include "data/synth/synth.h"
#include "jobs/cmd/command.h"

#include <stdio.h>
#include <string.h>

/* What a survey's table reads, and the runtime section beside it. */
typedef union {
    orr_synth_kepler_opts kepler;
    orr_synth_moons_opts moons;
    orr_synth_sdss_opts sdss;
} survey_opts;

typedef struct survey {
    const char *name;
    const orr_option *options;
    orr_status (*make)(orr_context *context, const survey_opts *o);
} survey;

static orr_status make_kepler(orr_context *context, const survey_opts *o)
{
    return orr_context_agree(context, context->rank == 0 ? orr_synth_kepler(&o->kepler) : ORR_OK);
}

static orr_status make_moons(orr_context *context, const survey_opts *o)
{
    return orr_context_agree(context, context->rank == 0 ? orr_synth_moons(&o->moons) : ORR_OK);
}

/* This rank's fields, one after another, so that a signal is heard between two. */
static orr_status make_fields(orr_context *context, const orr_synth_sdss_opts *o)
{
    orr_progress *progress = NULL;
    orr_status st = ORR_OK;

    if (context->rank == 0) st = orr_progress_create(&progress, "synth sdss", "fields", o->fields);
    for (int64_t f = context->rank; st == ORR_OK && f < o->fields; f += context->size) {
        if (orr_context_signalled())
            st = orr_fail(ORR_ERR_INTERRUPTED,
                          "stopped by a signal at field %lld of %lld; start again with overwrite: "
                          "true",
                          (long long)f, (long long)o->fields);
        else
            st = orr_synth_sdss_fields(o, f, o->fields);
        if (st == ORR_OK)
            orr_progress_update(
                progress, f + context->size < o->fields ? f + context->size : o->fields, NULL);
    }
    orr_progress_end(progress, NULL);
    return st;
}

/* All ranks share the fields; the catalogue comes last and says that the survey is whole. */
static orr_status make_sdss(orr_context *context, const survey_opts *o)
{
    const orr_runtime_opts runtime = { .threads = 0 };

    ORR_TRY(orr_context_runtime(context, &runtime));
    ORR_TRY(orr_context_agree(context, make_fields(context, &o->sdss)));
    return orr_context_agree(context,
                             context->rank == 0 ? orr_synth_sdss_catalogue(&o->sdss) : ORR_OK);
}

static const survey surveys[] = {
    { "kepler", orr_synth_kepler_options, make_kepler },
    { "moons", orr_synth_moons_options, make_moons },
    { "sdss", orr_synth_sdss_options, make_sdss },
};
enum { SURVEYS = sizeof surveys / sizeof *surveys };

static orr_status choose(const orr_args *args, const survey **out)
{
    if (args->n_words != 1)
        return orr_fail(ORR_ERR_ARG, "synth takes the name of a survey: kepler, moons or sdss");
    for (int i = 0; i < SURVEYS; i++)
        if (strcmp(args->words[0], surveys[i].name) == 0) {
            *out = &surveys[i];
            return ORR_OK;
        }
    return orr_fail(ORR_ERR_ARG, "synth knows kepler, moons and sdss, not \"%s\"", args->words[0]);
}

static orr_status run(orr_context *context, const orr_args *args)
{
    const survey *chosen = NULL;
    orr_config *config = NULL;
    survey_opts o;
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
    for (int i = 0; i < SURVEYS; i++) {
        orr_text_printf(out, "\nKeys of %s:\n", surveys[i].name);
        orr_options_help(surveys[i].options, out, "");
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
