/* jobs/survey/crop_record.h - the record of a finished part: parts/part-00012.csv.
 * Its first line is JSON, counts and pieces; then the objects that were set aside, one CSV line
 * each (id, row, reason), as they will stand in quarantine.csv.  It gets its name after the cubes
 * of the part have theirs: a part with a record is finished.   Not collective. */
#ifndef ORR_JOBS_SURVEY_CROP_RECORD_H
#define ORR_JOBS_SURVEY_CROP_RECORD_H

#include "core/status.h"
#include "core/text.h"
#include "data/shard.h"

/* Why an object gave no cube; ORR_ASIDE_NO: it gave one. */
typedef enum {
    ORR_ASIDE_NO = -1,
    ORR_ASIDE_MISSING, /* no such frame */
    ORR_ASIDE_DAMAGED, /* a frame that cannot be read, or could not be fetched */
    ORR_ASIDE_SIZE,    /* its frames are of different sizes */
    ORR_ASIDE_PLACE,   /* outside a frame, or too near its edge */
    ORR_ASIDE_NAN,     /* pixels that are not numbers */
    ORR_N_ASIDE
} orr_aside;

/* All int64: summed over ranks as one array. */
typedef struct orr_crop_counts {
    int64_t objects, cubes, aside[ORR_N_ASIDE];
    int64_t moved;                 /* cubes with a stamp that was moved inwards */
    int64_t nan_pixels, nan_cubes; /* met in cubes that were kept */
    int64_t frames, bad_frames;    /* wanted; of these missing or unreadable */
} orr_crop_counts;
enum { ORR_CROP_COUNTS = sizeof(orr_crop_counts) / sizeof(int64_t) };

/* One file of cubes: those of a run of objects, numbered by the first of them. */
typedef struct orr_crop_piece {
    int64_t first, rows;
} orr_crop_piece;

/* What frames say of one thing (their units, the system of their coordinates): the first of them,
 * and one that says otherwise; "" = none does. */
typedef struct orr_crop_word {
    char first[ORR_DATA_NAME_MAX], other[ORR_DATA_NAME_MAX];
} orr_crop_word;

typedef struct orr_crop_record {
    int64_t part;
    orr_crop_counts counts;
    orr_crop_word units, sky;
    int n_pieces;
    orr_crop_piece *pieces;
    orr_text list; /* CSV lines */
} orr_crop_record;

void orr_crop_record_free(orr_crop_record *r);
orr_status orr_crop_record_add_piece(orr_crop_record *r, int64_t first, int64_t rows);
/* One more CSV line. */
void orr_crop_list_add(orr_text *list, const char *id, int64_t row, const char *reason);
/* Notes what a frame says; "" says nothing. */
void orr_crop_note(orr_crop_word *w, const char *found);
orr_status orr_crop_record_write(const orr_crop_record *r, const char *path);
/* r is zero.  ORR_ERR_FORMAT when it is none (or not of part r->part). */
orr_status orr_crop_record_read(orr_crop_record *r, const char *path);

#endif
