/* jobs/cmd/cmd_launch.c - orrery launch [key=value ...] COMMAND [FILE] [key=value ...] */
#include "jobs/cmd/command_private.h"
#include "jobs/launch/launch.h"

static const orr_more_keys more[] = {
    { .title = "Section restart of the job file, where launch's own keys do not say it:",
      .prefix = "restart",
      .options = orr_restart_options },
    { .title = NULL },
};

static const orr_example examples[] = {
    { "orrery launch ranks=4 train job.yaml", "four ranks on this machine" },
    { "orrery launch hosts=a:8,b:8 train job.yaml",
      "over two hosts, and on one when the other is lost" },
    { NULL, NULL },
};

static const orr_exit exits[] = {
    { 1, "the restarts are used up" },
    { 76, "of a rank: it has lost its launch, and ended within `grace` seconds" },
    { 0, NULL },
};

const orr_command orr_cmd_launch = {
    .name = "launch",
    .summary = "start a command on many ranks, name what goes wrong, start it again",
    .usage = "[key=value ...] COMMAND [FILE] [key=value ...]",
    .arguments = { { .name = "COMMAND",
                     .help = "what to start on the ranks, with what belongs to it" } },
    .details =
        "Starts mpirun -n N orrery COMMAND ... and hears every rank four times a second, outside "
        "MPI.  A rank that is killed, stopped or cut off is named within three seconds; all is "
        "ended then, also an mpirun that hangs, and started again: commands resume from what they "
        "saved, to the same bytes, on fewer ranks when a host is lost.  What stands before "
        "COMMAND is for launch, what follows goes to the command.  SIGTERM, SIGINT, SIGUSR1, "
        "SIGUSR2 and SIGHUP make the ranks save and end (75); a second one ends them at once; ^Z "
        "suspends them.  Exit codes are the command's own; 77 (the ranks saw a fault of the "
        "machine) is a fault like the others.  A job file may say how often to start again, in a "
        "section that its command passes over: restart: {max: 3, min_ranks: 1}.",
    .options = orr_launch_options,
    .options_title = "Keys of launch, before COMMAND:",
    .more = more,
    .raw = orr_launch,
    .examples = examples,
    .exits = exits,
};
