/* jobs/cmd/commands.c - the list of commands: a line each, in the order of the overview. */
#include "jobs/cmd/command_private.h"

#include "core/rows.h"

/* clang-format off */
#define COMMANDS(X) \
    X(synth) \
    X(import) \
    X(fetch) \
    X(crop) \
    X(info) \
    X(train) \
    X(lr_range) \
    X(cv) \
    X(stack) \
    X(evaluate) \
    X(predict) \
    X(launch) \
    X(status) \
    X(stop)
/* clang-format on */

#define DECLARE(name) extern const orr_command orr_cmd_##name;
COMMANDS(DECLARE)

#define ROW(name) &orr_cmd_##name,
static const orr_command *const commands[] = { COMMANDS(ROW) };

const orr_command *const *orr_commands(int *n)
{
    *n = sizeof commands / sizeof *commands;
    return commands;
}

const orr_command *orr_command_find(const char *name, const char **near)
{
    int i = orr_row_named(commands, sizeof commands / sizeof *commands, name, near);

    return i < 0 ? NULL : commands[i];
}
