/* jobs/context/exit_code.c - from a status to the exit code. */
#include "jobs/context/exit_code.h"

int orr_exit_code(orr_status st)
{
    switch (st) {
    case ORR_OK:
        return ORR_EXIT_OK;
    case ORR_ERR_OPTION:
    case ORR_ERR_ARG:
        return ORR_EXIT_USAGE;
    case ORR_ERR_INTERRUPTED:
        return ORR_EXIT_REQUEUE;
    case ORR_ERR_MACHINE:
        return ORR_EXIT_MACHINE;
    default:
        return ORR_EXIT_FAILED;
    }
}
