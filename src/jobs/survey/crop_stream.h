/* jobs/survey/crop_stream.h - frames brought over the network by a thread of their own, a bounded
 * number of bytes ahead of whoever crops.   Not collective. */
#ifndef ORR_JOBS_SURVEY_CROP_STREAM_H
#define ORR_JOBS_SURVEY_CROP_STREAM_H

#include "jobs/survey/crop_bytes.h"

/* Fields are announced part by part, in order, and taken by any thread; downloads begin in the
 * order of announcement. */
typedef struct orr_crop_stream orr_crop_stream;
orr_status orr_crop_stream_start(orr_crop_stream **out, const orr_crop *c);
/* fields stay the caller's until the part is dropped. */
orr_status orr_crop_stream_announce(orr_crop_stream *s, int64_t part, int64_t first_field,
                                    const orr_survey_field *fields, int n_fields);
/* Is there little left to begin?  Then it is time to announce more. */
int orr_crop_stream_hungry(orr_crop_stream *s);
/* Frame `band` of the part's field `field`.  ORR_PENDING after some 10 ms without it: ask again. */
orr_status orr_crop_stream_take(orr_crop_stream *s, int64_t part, int field, int band,
                                orr_crop_bytes *out);
/* Frees what was read or taken (s: NULL when it was read). */
void orr_crop_bytes_free(orr_crop_stream *s, orr_crop_bytes *b);
/* The part announced first is done with. */
void orr_crop_stream_drop(orr_crop_stream *s);
void orr_crop_stream_destroy(orr_crop_stream *s); /* stops what is under way */

#endif
