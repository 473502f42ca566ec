/* jobs/cmd/command_private.h - a command of the program is a row: its words, its keys, what it
 * runs.
 *
 * One file cmd_NAME.c holds the row and turns options into a call of the library; one line in
 * commands.c names it.  The line's reading, the overview, --help, the manual page, the completion
 * of shells and the pages of docs/ are made of the rows (help.h), and a test visits each.
 *
 * Texts are plain paragraphs: help.c breaks their lines. */
#ifndef ORR_JOBS_CMD_COMMAND_PRIVATE_H
#define ORR_JOBS_CMD_COMMAND_PRIVATE_H

#include "jobs/context/context.h"
#include "jobs/context/job_config.h"

/* A word of the line that is no key=value. */
typedef struct orr_argument {
    const char *name, *help;
    int optional;
    int several; /* further words of its kind may follow it, before the next */
} orr_argument;

/* A line as a user types it, and what it does. */
typedef struct orr_example {
    const char *line, *what;
} orr_example;

/* An exit code that means something of its own here. */
typedef struct orr_exit {
    int code;
    const char *meaning;
} orr_exit;

/* Further keys under a title: a table, or kinds with tables of their own. */
typedef struct orr_more_keys {
    const char *title;
    const char *prefix;        /* of the table's keys: "input" makes input.file; "": none */
    const orr_option *options; /* the table; NULL: kinds */
    /* Fills in the i-th kind; 0: there is none. */
    int (*kind)(int i, orr_kind_help *out);
    int on_line; /* the keys of the kinds stand on the line by their plain names */
} orr_more_keys;

enum { ORR_ARGUMENTS_MAX = 3 };

typedef struct orr_command {
    const char *name, *summary;
    const char *usage;                             /* what follows the name */
    int on_ranks;                                  /* mpirun -n N makes sense */
    orr_argument arguments[ORR_ARGUMENTS_MAX + 1]; /* ended by one without a name */
    const char *details;                           /* NULL: the summary says it */
    const orr_option *options;                     /* NULL: no keys */
    const char *options_title;
    const orr_more_keys *more;   /* ended by a row without a title; NULL: none */
    const orr_example *examples; /* ended by a row without a line */
    const orr_exit *exits;       /* ended by a row without a meaning; NULL: the common ones */
    /* args: as many words as `arguments` has (more, where one says `several`), at least those that
     * are not optional; an absent one is NULL.  Collective. */
    orr_status (*run)(orr_context *context, const orr_args *args);
    /* Instead of run: takes what follows the command as it stands, before anything is started, and
     * returns the exit code.  Not collective. */
    int (*raw)(int argc, char **argv);
} orr_command;

/* The list, in the order of the overview. */
const orr_command *const *orr_commands(int *n);
/* NULL when there is none of this name; *near (may be NULL) as orr_row_named has it. */
const orr_command *orr_command_find(const char *name, const char **near);

#endif
