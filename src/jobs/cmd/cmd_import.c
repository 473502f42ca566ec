/* jobs/cmd/cmd_import.c - orrery import JOB.yaml [key=value ...] */
#include "data/formats/list.h"
#include "data/formats/table.h"
#include "jobs/cmd/command_private.h"
#include "jobs/context/phase.h"
#include "jobs/context/runtime.h"
#include "jobs/sets/import.h"

static orr_status read_job(orr_import_opts *o, orr_config **config, const orr_args *args)
{
    ORR_TRY(orr_job_config(config, args->words[0], args));
    return orr_options_read(o, orr_import_options, orr_config_root(*config), "");
}

static orr_status run(orr_context *context, const orr_args *args)
{
    orr_config *config = NULL;
    orr_import_opts o;
    orr_status st = orr_phase(context, NULL, read_job(&o, &config, args));

    if (st == ORR_OK) st = orr_runtime_start(context, &o.runtime);
    if (st == ORR_OK) st = orr_import(context, &o, config);
    orr_config_destroy(config);
    return st;
}

static const orr_more_keys more[] = {
    { .title = "Keys of input (and of each table in inputs):",
      .prefix = "input",
      .options = orr_table_options },
    { .title = "Formats of input.files:", .kind = orr_format_kind_help },
    { .title = NULL },
};

static const orr_example examples[] = {
    { "mpirun -n 4 orrery import import.yaml", "all ranks read and write" },
    { "orrery import input.files=stars.csv input.label=class out=data/stars",
      "a table without a job file" },
    { NULL, NULL },
};

const orr_command orr_cmd_import = {
    .name = "import",
    .summary = "turn survey tables and arrays into a shard set",
    .usage = "JOB.yaml [key=value ...]",
    .on_ranks = 1,
    .arguments = { { .name = "JOB.yaml",
                     .help = "the job file; without one, all keys stand on the line",
                     .optional = 1 } },
    .details = "Reads tables and arrays of the formats below, in parallel, and writes shards and "
               "index.h5.  Paths are relative to where the command "
               "runs.  The bytes written do not depend on the number of ranks.",
    .options = orr_import_options,
    .options_title = "Keys of the job file (and of key=value):",
    .more = more,
    .run = run,
    .examples = examples,
};
