/* jobs/cmd/cmd_fetch.c - orrery fetch JOB.yaml [key=value ...] */
#include "jobs/cmd/command_private.h"
#include "jobs/context/phase.h"
#include "jobs/context/runtime.h"
#include "jobs/survey/fetch.h"

static orr_status read_job(orr_fetch_opts *o, orr_config **config, const orr_args *args)
{
    ORR_TRY(orr_job_config(config, args->words[0], args));
    return orr_options_read(o, orr_fetch_options, orr_config_root(*config), "");
}

static orr_status run(orr_context *context, const orr_args *args)
{
    orr_config *config = NULL;
    orr_fetch_opts o;
    orr_status st = orr_phase(context, NULL, read_job(&o, &config, args));

    if (st == ORR_OK) st = orr_runtime_start(context, &o.runtime);
    if (st == ORR_OK) st = orr_fetch_run(context, &o);
    orr_config_destroy(config);
    return st;
}

static const orr_example examples[] = {
    { "mpirun -n 16 orrery fetch fetch.yaml", "the frames that are not there yet" },
    { "orrery fetch fetch.yaml check=true retry_missing=true",
      "prove what is there, ask again for what was missing" },
    { NULL, NULL },
};

static const orr_exit exits[] = {
    { 0, "all frames are done, or missing and missing=allow" },
    { 1, "some frames failed" },
    { 75, "stopped by a signal; start again" },
    { 0, NULL },
};

const orr_command orr_cmd_fetch = {
    .name = "fetch",
    .summary = "download the frames of a catalogue's fields from a survey archive",
    .usage = "JOB.yaml [key=value ...]",
    .on_ranks = 1,
    .arguments = { { .name = "JOB.yaml", .help = "the job file", .optional = 1 } },
    .details =
        "Reads a catalogue (id, right ascension, declination, and what names a frame: for SDSS "
        "run, rerun, camcol, field), and downloads each field's frame in each band, once, into "
        "archive.folder.  Ranks take frames one at a time; connections, rate_mib and requests "
        "are limits of the whole job, shared over the ranks, so ranks beyond archive.connections "
        "do not download.  A frame gets its name when it has passed the integrity check "
        "(archive.proof) and is on the "
        "disk; until then it is NAME.part, and is resumed from there after a stop.  A start does "
        "only what is left: frames that are there are done, failed ones are tried again, missing "
        "ones only with retry_missing.  manifest.csv in the folder tells path, state (done, "
        "missing, failed), tries, bytes and reason of each frame; .orrery there is for orrery.  "
        "One fetch at a time may work in a folder.  Of the catalogue keys, target, label, "
        "classes and aux may stand in the file, but only crop uses them.",
    .options = orr_fetch_options,
    .options_title = "Keys of the job file (and of key=value):",
    .run = run,
    .examples = examples,
    .exits = exits,
};
