/* jobs/survey/crop.c - survey frames and a catalogue to a shard set of cubes: keys, phases, what is
 * said of them. */
#include "jobs/survey/crop.h"
#include "core/log.h"
#include "core/memory.h"
#include "core/timeline.h"
#include "jobs/context/phase.h"
#include "jobs/context/runtime.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

const orr_option orr_crop_options[] = {
    ORR_OPTION_SECTION(orr_crop_opts, catalogue, orr_catalogue_options,
                       "the objects, and the columns that say where they are"),
    ORR_OPTION_SECTION(orr_crop_opts, archive, orr_archive_options, "where the frames are"),
    ORR_OPTION_SECTION(orr_crop_opts, crop, orr_cutout_options, "the stamp around an object"),
    ORR_OPTION_STRING(orr_crop_opts, out, NULL, "folder of the shard set"),
    ORR_OPTION_BOOL(orr_crop_opts, overwrite, "false",
                    "replace a shard set that is there, once the new one is whole"),
    ORR_OPTION_CHOICE(orr_crop_opts, output, "shards", "shards|single",
                      "files of about shard_mib, or one that all ranks write together"),
    ORR_OPTION_BOOL(orr_crop_opts, stream, "false",
                    "download frames into memory and keep none (else: from archive.folder)"),
    ORR_OPTION_REAL(orr_crop_opts, shard_mib, "16", 0.001, 65536,
                    "size of a shard, MiB of cubes; a rank needs as much memory"),
    ORR_OPTION_INT(orr_crop_opts, compression, "0", 0, 9,
                   "0 = contiguous (fastest to read); 1-9 = deflate (output: shards)"),
    ORR_OPTION_INT(orr_crop_opts, part_fields, "0", 0, 100000,
                   "fields that a rank takes at a time, and a stop loses at most; 0 = 1 for few "
                   "fields, up to 32 for many"),
    ORR_OPTION_CHOICE(orr_crop_opts, on_bad_frame, "list", "list|fail",
                      "a frame that is missing or damaged: list its objects in quarantine.csv, or "
                      "end the job"),
    ORR_OPTION_SECTION(orr_crop_opts, runtime, orr_runtime_options, "this start only"),
    ORR_OPTION_END,
};

static void tell_aside(const orr_crop *c, const orr_crop_result *r)
{
    static const char *const why[ORR_N_ASIDE] = { "whose frame is missing",
                                                  "whose frame is damaged or could not be fetched",
                                                  "whose frames are of different sizes",
                                                  "outside a frame or too near its edge",
                                                  "with pixels that are not numbers" };

    if (c->counts.aside > 0)
        orr_log0(ORR_WARN, "crop", "%" PRId64 " rows set aside that cannot be used",
                 c->counts.aside);
    for (int i = 0; i < ORR_N_ASIDE; i++)
        if (r->counts.aside[i] > 0)
            orr_log0(ORR_WARN, "crop", "%" PRId64 " objects set aside %s", r->counts.aside[i],
                     why[i]);
}

/* Frames of today's systems need no word. */
static void tell_sky(const orr_crop_result *r)
{
    const char *first = r->sky.first, *other = r->sky.other;

    if (*other)
        orr_log0(ORR_WARN, "crop",
                 "frames differ in the system of their coordinates: %s and %s; positions were "
                 "taken to each frame's own",
                 first, other);
    else if (*first && strcmp(first, "ICRS") != 0 && strcmp(first, "FK5 J2000") != 0)
        orr_log0(ORR_WARN, "crop",
                 "the frames' coordinates are %s; positions were taken to that (if the headers are "
                 "wrong, say what is right with crop.sky)",
                 first);
}

static void tell_result(const orr_crop *c, const orr_crop_result *r)
{
    const orr_crop_counts *n = &r->counts;

    if (r->parts_kept > 0)
        orr_log0(ORR_INFO, "crop",
                 "%" PRId64 " of %" PRId64 " parts were finished by an earlier start and kept",
                 r->parts_kept, c->counts.parts);
    orr_log0(ORR_INFO, "crop", "%" PRId64 " frames wanted, %" PRId64 " of them bad", n->frames,
             n->bad_frames);
    if (n->moved > 0)
        orr_log0(ORR_INFO, "crop", "%" PRId64 " cubes with a stamp moved inwards from an edge",
                 n->moved);
    if (n->nan_pixels > 0)
        orr_log0(ORR_WARN, "crop", "%" PRId64 " NaN pixels in %" PRId64 " cubes, %s", n->nan_pixels,
                 n->nan_cubes, strcmp(c->o->crop.nan, "zero") == 0 ? "made 0" : "left as they are");
    if (r->units.other[0])
        orr_log0(ORR_WARN, "crop",
                 "frames differ in BUNIT: \"%s\" and \"%s\"; the set says the first",
                 r->units.first, r->units.other);
    tell_sky(r);
    tell_aside(c, r);
}

static void print_summary(const orr_crop *c, const orr_crop_result *r)
{
    int64_t listed = c->counts.rows - r->counts.cubes - c->counts.merged;

    orr_context_print(c->context,
                      "%s: %" PRId64 " cubes of %d x %d x %d; catalogue of %" PRId64
                      " rows = %" PRId64 " cubes + %" PRId64 " merged + %" PRId64
                      " listed in quarantine.csv\n",
                      c->o->out, r->counts.cubes, c->schema.h, c->schema.w, c->schema.c,
                      c->counts.rows, r->counts.cubes, c->counts.merged, listed);
}

/* Beside OUT, which a new set replaces.  The lock is held: it is this job's to write. */
static orr_status open_status(orr_crop *c)
{
    char path[ORR_PATH_MAX];
    int n = snprintf(path, sizeof path, "%s." ORR_STATUS_FILE, c->out);

    if (c->context->rank != 0 || n >= (int)sizeof path) return ORR_OK;
    orr_run_status_open(&c->status, c->context, path, "crop", "frames", "frames");
    c->standing = (orr_standing)ORR_STANDING_INIT;
    c->standing.total = c->counts.fields * c->bands.n;
    orr_run_status_set(c->status, &c->standing);
    return ORR_OK;
}

static void stand(orr_crop *c, int64_t quarantined)
{
    c->standing.quarantined = quarantined;
    orr_run_status_set(c->status, &c->standing);
}

static orr_status work(orr_crop *c)
{
    orr_crop_result r = { 0 };
    int64_t span;
    orr_status st = orr_phase(c->context, NULL, open_status(c));

    if (st == ORR_OK) st = orr_crop_parts(c, &r);
    if (st == ORR_OK) {
        tell_result(c, &r);
        orr_phase_at(c->context, "assemble", -1);
        stand(c, c->counts.rows - r.counts.cubes - c->counts.merged);
        span = orr_timeline_now();
        st = orr_crop_assemble(c, &r);
        orr_timeline_span("assemble", span, -1);
    }
    if (st == ORR_OK) print_summary(c, &r);
    orr_run_status_end(c->status, st);
    orr_free(r.pieces);
    return st;
}

static orr_status crop_all(orr_crop *c)
{
    orr_status st = orr_crop_plan(c);

    if (st == ORR_OK && c->made)
        orr_context_print(c->context,
                          "%s: holds what this job makes, nothing is done (overwrite=true makes it "
                          "anew)\n",
                          c->o->out);
    else if (st == ORR_OK)
        st = work(c);
    orr_catalogue_close(c->catalogue);
    orr_archive_destroy(c->archive);
    orr_text_free(&c->job);
    orr_lock_release(&c->lock);
    return st;
}

static orr_status get_ready(const orr_crop *c, const orr_crop_opts *o, int *downloads)
{
    if (!c) return orr_fail(ORR_ERR_NOMEM, "out of memory: crop");
    if (o->stream) ORR_TRY(orr_download_start());
    *downloads = o->stream;
    return ORR_OK;
}

orr_status orr_crop_run(orr_context *context, const orr_crop_opts *o)
{
    orr_crop *c = orr_alloc(1, sizeof *c);
    int downloads = 0;
    orr_status st = orr_phase(context, NULL, get_ready(c, o, &downloads));

    if (st == ORR_OK) {
        *c = (orr_crop){ .context = context, .o = o, .lock = ORR_LOCK_INIT };
        st = crop_all(c);
    }
    if (downloads) orr_download_end_all();
    orr_free(c);
    return st;
}
