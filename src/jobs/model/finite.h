/* jobs/model/finite.h - what a net is given must be numbers: NaN and infinity in samples, in the
 * aux numbers that the net takes and in targets are found before a step is made, and named.  A net
 * may well answer them with a number (relu makes 0 of NaN), which nobody would notice.
 *
 * Stored values that are none are fine where the transforms fill them (orr_transform_fills).
 * Collective; every rank gets the same verdict.   Errors: ORR_ERR_FORMAT: how many samples of which
 * part, the first of them, where in it, and what to do. */
#ifndef ORR_JOBS_MODEL_FINITE_H
#define ORR_JOBS_MODEL_FINITE_H

#include "jobs/model/samples.h"

/* What is made of a part's rows. */
typedef struct orr_finite_use {
    const orr_transform *transform, *aux_transform; /* the latter NULL: no aux numbers are taken */
    int n_aux;
    const int *columns; /* where they stand in the set */
    int targets;        /* targets are taken, too */
} orr_finite_use;

/* Before transforms are fitted: ORR_OK when what is none is filled, or nothing is. */
orr_status orr_split_check_stored(orr_context *context, const orr_split *part,
                                  const orr_finite_use *use);
/* After it: what comes out of the transforms is finite in every row whose stored values are not. */
orr_status orr_split_check_filled(orr_context *context, const orr_split *part,
                                  const orr_finite_use *use);

#endif
