/* jobs/cmd/cmd_crop.c - orrery crop JOB.yaml [key=value ...] */
#include "core/memory.h"
#include "jobs/cmd/command_private.h"
#include "jobs/context/phase.h"
#include "jobs/context/runtime.h"
#include "jobs/survey/crop.h"

static orr_status read_job(orr_crop_opts *o, orr_config **config, const orr_args *args)
{
    if (!o) return orr_fail(ORR_ERR_NOMEM, "out of memory: crop");
    ORR_TRY(orr_job_config(config, args->words[0], args));
    return orr_options_read(o, orr_crop_options, orr_config_root(*config), "");
}

static orr_status run(orr_context *context, const orr_args *args)
{
    orr_config *config = NULL;
    orr_crop_opts *o = orr_alloc(1, sizeof *o);
    orr_status st = orr_phase(context, NULL, read_job(o, &config, args));

    if (st == ORR_OK) st = orr_runtime_start(context, &o->runtime);
    if (st == ORR_OK) st = orr_crop_run(context, o);
    orr_config_destroy(config);
    orr_free(o);
    return st;
}

static const orr_example examples[] = {
    { "mpirun -n 16 orrery crop crop.yaml", "stamps out of the frames in archive.folder" },
    { "mpirun -n 16 orrery crop crop.yaml stream=true", "the same without a frame on disk" },
    { NULL, NULL },
};

const orr_command orr_cmd_crop = {
    .name = "crop",
    .summary = "cut a stamp of every catalogue object out of survey frames, into a shard set",
    .usage = "JOB.yaml [key=value ...]",
    .on_ranks = 1,
    .arguments = { { .name = "JOB.yaml", .help = "the job file", .optional = 1 } },
    .details =
        "Reads FITS frames (plain, bz2, gz) from archive.folder, or with stream: true over the "
        "network without keeping any, and writes cubes (n, size, size, bands) of float32 with "
        "id, targets or classes, and aux numbers, as shards and index.h5.  Each frame is "
        "unpacked once for all its objects, and only as far as its last stamp needs.  Bands are "
        "placed by their own WCS.  Objects come in the order of their fields, in a field in "
        "catalogue order.\n"
        "\nRows of one id, place and label become one object, their targets averaged "
        "(catalogue.merge_radius, catalogue.merge_tolerance).  What gives no cube is "
        "listed in OUT/quarantine.csv with its row (from 0) and the reason: rows of the "
        "catalogue = cubes + merged + listed.  The bytes written do not depend on ranks, "
        "threads, stops, part_fields, or whether frames were streamed.\n"
        "\nUnfinished work lies in OUT.tmp.  After a stop, start the same job again: finished "
        "parts are kept, also when output, shard_mib, compression, stream, or the places of "
        "catalogue and archive are others now.  Remove OUT.tmp to begin anew (frames that were "
        "bad are not looked at again in finished parts).  It needs as much room as the set "
        "itself.  Where the set is there already, made by this job from this catalogue, nothing "
        "is done.",
    .options = orr_crop_options,
    .options_title = "Keys of the job file (and of key=value):",
    .run = run,
    .examples = examples,
};
