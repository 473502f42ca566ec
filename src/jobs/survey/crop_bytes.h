/* jobs/survey/crop_bytes.h - one frame as it is packed, or why there is none.   Not collective. */
#ifndef ORR_JOBS_SURVEY_CROP_BYTES_H
#define ORR_JOBS_SURVEY_CROP_BYTES_H

#include "jobs/survey/crop.h"

enum { ORR_CROP_REASON = 640 };

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
/* Empties *out but for the name; path is where it lies on disk.  Values of which no name can be
 * made end as ORR_ASIDE_DAMAGED; what fails otherwise is the job's (a folder too deep). */
orr_status orr_crop_name_frame(const orr_crop *c, const orr_survey_field *f, int band,
                               char path[ORR_PATH_MAX], orr_crop_bytes *out);
void orr_crop_set_missing(orr_crop_bytes *out);
/* Ends as ORR_ASIDE_DAMAGED, this thread's failure is the reason and told nowhere else.  Only for
 * failures that data can be guilty of (orr_is_data_fault). */
void orr_crop_set_damaged(orr_crop_bytes *out);

#endif
