/* jobs/survey/crop.h - stamps of a catalogue's objects out of survey frames, into a shard set, and
 * what its phases share.
 *
 *   keys, end  crop.c
 *   plan       crop_plan.c      rank 0 sorts the catalogue into OUT.tmp/plan.sqlite; all open it
 *   parts      crop_parts.c     ranks take parts of it and write OUT.tmp/parts/ (crop_piece.c: the
 *                               cubes of one; crop_frames.c: frames from disk or the network)
 *   assembly   crop_assemble.c  parts become the shards of OUT.tmp/set, which becomes OUT
 *
 * OUT.tmp outlives a stop: a part is finished when its record has its name (crop_record.h), and a
 * second start of the same job does only the others.  What comes out depends on the catalogue, the
 * frames and the crop alone: on no rank, thread, part size, stop, or way the frames came. */
#ifndef ORR_JOBS_SURVEY_CROP_H
#define ORR_JOBS_SURVEY_CROP_H

#include "core/file.h"
#include "core/lock.h"
#include "data/shard.h"
#include "data/survey/archive.h"
#include "data/survey/catalogue.h"
#include "data/survey/cutout.h"
#include "jobs/context/context.h"
#include "jobs/context/run_status.h"
#include "jobs/context/runtime.h"
#include "jobs/survey/crop_record.h"

typedef struct orr_crop_opts {
    orr_catalogue_opts catalogue;
    orr_archive_opts archive;
    orr_cutout_opts crop;
    const char *out;
    int overwrite;
    const char *output; /* shards | single */
    int stream;
    double shard_mib;
    int compression;
    int part_fields;
    const char *on_bad_frame; /* list | fail */
    orr_runtime_opts runtime;
} orr_crop_opts;
extern const orr_option orr_crop_options[];

/* The whole of it.  Collective; the same status on all ranks. */
orr_status orr_crop_run(orr_context *context, const orr_crop_opts *o);

typedef struct orr_crop {
    orr_context *context;
    const orr_crop_opts *o;
    orr_strings bands;      /* the channels, in order */
    char out[ORR_PATH_MAX]; /* without a slash at its end */
    char tmp[ORR_PATH_MAX], parts[ORR_PATH_MAX], set[ORR_PATH_MAX];
    orr_archive *archive;
    orr_catalogue *catalogue;
    orr_catalogue_counts counts;
    orr_schema schema;   /* of the set; units are filled in when the parts are done */
    int64_t max_objects; /* cubes in memory at once */
    orr_sky frame_sky;   /* of the frames, when crop.sky says it */
    orr_text job;        /* the job without places: provenance */
    char catalogue_sha[ORR_SHA256_HEX];
    int made;               /* out holds what this job makes: there is nothing to do */
    orr_lock lock;          /* rank 0: of the folder tmp */
    orr_run_status *status; /* rank 0's */
    orr_standing standing;
} orr_crop;

/* What all parts together gave; the same on all ranks. */
typedef struct orr_crop_result {
    orr_crop_counts counts;
    orr_crop_word units, sky;
    int64_t parts_kept; /* finished by an earlier start */
    int64_t n_pieces;
    orr_crop_piece *pieces; /* in order */
} orr_crop_result;

/* c->context, o and lock (none) are set; the rest is zero.  Collective. */
orr_status orr_crop_plan(orr_crop *c);
/* Collective.  r->pieces is the caller's to orr_free, whatever came back. */
orr_status orr_crop_parts(orr_crop *c, orr_crop_result *r);
/* Collective. */
orr_status orr_crop_assemble(orr_crop *c, const orr_crop_result *r);
/* "shard-..." in the folder of parts. */
orr_status orr_crop_piece_path(const orr_crop *c, int64_t first, char out[ORR_PATH_MAX]);
orr_status orr_crop_record_path(const orr_crop *c, int64_t part, char out[ORR_PATH_MAX]);

#endif
