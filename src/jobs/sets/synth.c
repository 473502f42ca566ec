/* jobs/sets/synth.c - the stand-in surveys, and how ranks share their making. */
#include "jobs/sets/synth.h"
#include "core/progress.h"
#include "jobs/context/phase.h"
#include "jobs/context/runtime.h"
#include "jobs/context/signals.h"

static orr_status make_kepler(orr_context *context, const orr_synth_opts *o)
{
    return orr_phase_root(context, NULL, orr_synth_kepler(&o->kepler));
}

static orr_status make_moons(orr_context *context, const orr_synth_opts *o)
{
    return orr_phase_root(context, NULL, orr_synth_moons(&o->moons));
}

/* This rank's fields, one after another, so that a signal is heard between two. */
static orr_status make_fields(orr_context *context, const orr_synth_sdss_opts *o)
{
    orr_progress *progress = NULL;
    orr_status st = ORR_OK;

    if (context->rank == 0) st = orr_progress_create(&progress, "synth sdss", "fields", o->fields);
    for (int64_t f = context->rank; st == ORR_OK && f < o->fields; f += context->size) {
        if (orr_stop_requested())
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
static orr_status make_sdss(orr_context *context, const orr_synth_opts *o)
{
    const orr_runtime_opts runtime = { .threads = 0 };

    ORR_TRY(orr_runtime_start(context, &runtime));
    ORR_TRY(orr_phase(context, NULL, make_fields(context, &o->sdss)));
    return orr_phase_root(context, NULL, orr_synth_sdss_catalogue(&o->sdss));
}

const orr_synth_survey orr_synth_surveys[] = {
    { "kepler",
      "light curves with trends, noise and, for some, transits; train.csv and test.csv with the "
      "header LABEL,FLUX.1,... (2 = planet, 1 = none)",
      orr_synth_kepler_options, make_kepler },
    { "moons",
      "scikit-learn's two moons, number for number; train.csv and test.csv without header, label "
      "first",
      orr_synth_moons_options, make_moons },
    { "sdss",
      "galaxies in five-band fields: bzip2-packed FITS frames named as the archive names them, and "
      "catalogue.csv with redshifts and magnitudes; ranks share the fields",
      orr_synth_sdss_options, make_sdss },
    { NULL, NULL, NULL, NULL },
};
