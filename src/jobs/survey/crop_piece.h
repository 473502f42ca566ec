/* jobs/survey/crop_piece.h - one piece of a part: as many objects as fit into memory, their frames,
 * their cubes. */
#ifndef ORR_JOBS_SURVEY_CROP_PIECE_H
#define ORR_JOBS_SURVEY_CROP_PIECE_H

#include "jobs/survey/crop_frames.h"

/* A run of fields that one rank works on. */
typedef struct orr_crop_part {
    int64_t number, first_field;
    int n_fields;
    orr_survey_field *fields;
} orr_crop_part;

/* frames and stop are shared by threads: __atomic builtins alone touch them. */
typedef struct orr_cropper {
    orr_crop *c;
    orr_crop_stream *stream; /* NULL: frames are on disk */
    int threads;
    int sums;         /* compare the CHECKSUM and DATASUM that frames note */
    int frames;       /* done and not yet told to anybody */
    int stop;         /* leave off: a signal, a failure here or on another rank */
    orr_error failed; /* the first failure of any thread */
    /* Called by the main thread between frames; MPI is its alone. */
    void (*between)(void *ctx);
    void *ctx;
} orr_cropper;

/* Crops all fields of the part and writes the cubes of it; r gets counts, pieces and list.  When
 * k->stop was set meanwhile, ORR_OK comes back and r is not whole. */
orr_status orr_crop_part_do(orr_cropper *k, const orr_crop_part *p, orr_crop_record *r);
/* Notes a failure (the sentence is that of this thread) and stops all threads. */
void orr_cropper_fail(orr_cropper *k, orr_status st);

#endif
