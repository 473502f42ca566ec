/* jobs/cmd/command.h - a command of the program: one file cmd_NAME.c with its orr_command, and its line
 * in the table of main.c.   Not collective: run itself is. */
#ifndef ORR_JOBS_CMD_COMMAND_H
#define ORR_JOBS_CMD_COMMAND_H

#include "jobs/context/context.h"

typedef struct orr_command {
    const char *name, *summary, *usage, *details;
    const orr_option *options; /* the job's rows, for --help and the reference; NULL: none */
    const char *options_title;
    void (*more_help)(orr_text *out); /* further tables; NULL: none */
    orr_status (*run)(orr_context *context, const orr_args *args);
    /* Instead of run: takes what follows the command as it stands, before anything is started, and
     * returns the exit code. */
    int (*raw)(int argc, char **argv);
} orr_command;

extern const orr_command orr_cmd_synth, orr_cmd_import, orr_cmd_fetch, orr_cmd_crop, orr_cmd_info,
    orr_cmd_launch, orr_cmd_status, orr_cmd_train, orr_cmd_lr_range, orr_cmd_cv, orr_cmd_stack,
    orr_cmd_evaluate, orr_cmd_predict;

#endif
