/* jobs/survey/crop_frames.h - frames as they are packed: from the archive's folder, or brought over
 * the network by a thread of their own, a bounded number of bytes ahead of whoever crops.
 * Not collective. */
#ifndef ORR_JOBS_SURVEY_CROP_FRAMES_H
#define ORR_JOBS_SURVEY_CROP_FRAMES_H

#include "jobs/survey/crop.h"

enum { ORR_CROP_REASON = 640 };

/* One frame, or why there is none. */
typedef struct orr_crop_bytes {
    void *bytes; /* NULL: there is none */
    size_t n;
    orr_aside end;  /* ORR_ASIDE_NO, _MISSING, _DAMAGED */
    char name[256]; /* of the file, without its folder */
    char reason[ORR_CROP_REASON];
} orr_crop_bytes;

/* Reads it from archive.folder.  What fails is the program's or the job's; what the file can be
 * guilty of is in out->end. */
orr_status orr_crop_read(const orr_crop *c, const orr_survey_field *f, int band,
                         orr_crop_bytes *out);

/* Ends as ORR_ASIDE_DAMAGED, this thread's failure is the reason and told nowhere else.  Only for
 * failures that data can be guilty of (orr_is_data_fault). */
void orr_crop_set_damaged(orr_crop_bytes *out);

/* ---- over the network ---- */
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
