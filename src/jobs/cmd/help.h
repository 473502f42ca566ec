/* jobs/cmd/help.h - what the program says of itself, made of the commands' rows: at most 80
 * columns, plain text, the same on a terminal and in a pipe.   Not collective. */
#ifndef ORR_JOBS_CMD_HELP_H
#define ORR_JOBS_CMD_HELP_H

#include "jobs/cmd/command_private.h"

/* "[mpirun -n N] orrery NAME ...", without a line end. */
void orr_command_usage(const orr_command *c, orr_text *out);
/* orrery NAME --help */
void orr_command_help(const orr_command *c, orr_text *out);
/* orrery --help */
void orr_overview(orr_text *out);
/* orrery --man: the manual page, roff. */
void orr_man_page(orr_text *out);
/* orrery --completion SHELL: what the shell reads to complete commands, keys and their values.
 * ORR_ERR_ARG for a shell that is not known. */
orr_status orr_completion(const char *shell, orr_text *out);

#endif
