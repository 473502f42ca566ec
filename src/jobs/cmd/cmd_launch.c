/* jobs/cmd/cmd_launch.c - orrery launch [key=value ...] COMMAND [FILE] [key=value ...] */
#include "jobs/cmd/command.h"
#include "jobs/launch/launch.h"

static void job_help(orr_text *out)
{
    orr_text_add(out,
                 "\nSection restart of the job file, where launch's own keys do not say it:\n");
    orr_options_help(orr_restart_options, out, "  ");
}

const orr_command orr_cmd_launch = {
    .name = "launch",
    .summary = "start a command on many ranks, name what goes wrong, start it again",
    .usage = "orrery launch [key=value ...] COMMAND [FILE] [key=value ...]",
    .details =
        "Starts mpirun -n N orrery COMMAND ... and hears every rank four times a second, outside "
        "MPI.  A rank that is killed, stopped or cut off is\n"
        "named within three seconds; all is ended then, also an mpirun that hangs, and started "
        "again: commands go on from what they saved, to the\n"
        "same bytes, on fewer ranks when a host is lost.  What stands before COMMAND is for "
        "launch, what follows goes to the command.\n"
        "SIGTERM, SIGINT, SIGUSR1, SIGUSR2 and SIGHUP make the ranks save and end (75); a second "
        "one ends them at once; ^Z suspends them.\nExit codes are the command's own; "
        "1 when the restarts are used up; 77 (the ranks saw a fault of the machine) is a fault "
        "like "
        "the others.  Ranks that lose their launch end\n"
        "within `grace` seconds with 76.  A job file may say how often to start again, in a "
        "section "
        "that its command passes over:\n"
        "restart: {max: 3, min_ranks: 1}.",
    .options = orr_launch_options,
    .options_title = "Keys of launch, before COMMAND:",
    .more_help = job_help,
    .raw = orr_launch,
};
