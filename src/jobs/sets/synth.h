/* jobs/sets/synth.h - the stand-in surveys that `orrery synth` makes: a row each.  What a survey
 * looks like and where its numbers come from is data/synth/synth.h's to say; here ranks share the
 * work.   The bytes do not depend on the number of ranks. */
#ifndef ORR_JOBS_SETS_SYNTH_H
#define ORR_JOBS_SETS_SYNTH_H

#include "data/synth/synth.h"
#include "jobs/context/context.h"

/* What a survey's own table reads. */
typedef union orr_synth_opts {
    orr_synth_kepler_opts kepler;
    orr_synth_moons_opts moons;
    orr_synth_sdss_opts sdss;
} orr_synth_opts;

typedef struct orr_synth_survey {
    const char *name, *help;
    const orr_option *options;
    /* Writes the survey's folder.  Collective; the same status on all ranks. */
    orr_status (*make)(orr_context *context, const orr_synth_opts *o);
} orr_synth_survey;

/* Ended by a row without a name. */
extern const orr_synth_survey orr_synth_surveys[];

#endif
