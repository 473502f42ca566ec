/* jobs/cmd/cmd_import.c - orrery import JOB.yaml [key=value ...] */
#include "data/formats/table.h"
#include "jobs/cmd/command.h"
#include "jobs/sets/import.h"

static orr_status run(orr_context *context, const orr_args *args)
{
    orr_config *config = NULL;
    orr_import_opts o;
    orr_status st = ORR_OK;

    if (args->n_words > 1)
        st = orr_fail(ORR_ERR_ARG, "import takes one job file; \"%s\" is one too many",
                      args->words[1]);
    if (st == ORR_OK) st = orr_job_config(&config, args->n_words ? args->words[0] : NULL, args);
    if (st == ORR_OK) st = orr_options_read(&o, orr_import_options, orr_config_root(config), "");
    st = orr_context_agree(context, st);
    if (st == ORR_OK) st = orr_context_runtime(context, &o.runtime);
    if (st == ORR_OK) st = orr_import(context, &o, config);
    orr_config_destroy(config);
    return st;
}

static void input_help(orr_text *out)
{
    orr_text_add(out, "\nKeys of input (and of each table in inputs):\n");
    orr_options_help(orr_table_options, out, "input");
}

const orr_command orr_cmd_import = {
    .name = "import",
    .summary = "turn survey tables (csv, FITS, npy, npz, HDF5, idx) into a shard set",
    .usage = "[mpirun -n N] orrery import JOB.yaml [key=value ...]",
    .details =
        "Reads csv (plain, xz, gz, bz2), FITS tables, npy, npz, HDF5 datasets or idx files, in "
        "parallel, and writes shards and index.h5.  Paths are relative to where\n"
        "the command runs.  The bytes written do not depend on the number of ranks.",
    .options = orr_import_options,
    .options_title = "Keys of the job file (and of key=value):",
    .more_help = input_help,
    .run = run,
};
