/* jobs/context/ending.c - the last words, and the last meeting. */
#include "jobs/context/ending.h"
#include "core/log.h"
#include "jobs/context/heartbeat.h"
#include "jobs/context/tracing.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* Can all ranks end MPI together?  A failure that all of them hold may be one of MPI itself, which
 * each of them met alone: then they cannot meet once more. */
static int ends_together(const orr_context *context, orr_status *st)
{
    orr_status met;

    if (context->size == 1) return context->world != NULL || !context->mpi_started;
    if (*st != ORR_OK && *st != context->agreed) return 0;
    met = orr_comm_barrier(context->world);
    if (*st == ORR_OK) *st = met;
    return met == ORR_OK;
}

static void tell_failure(const orr_context *context, const char *command, int together,
                         const orr_error *e)
{
    const char *more =
        e->code == ORR_ERR_NOMEM && !strstr(e->text, "memory") ? " (out of memory)" : "";

    if (together || strncmp(e->text, "rank ", 5) == 0) /* it says who it was */
        fprintf(stderr, "orrery%s%s: %s%s\n", command ? " " : "", command ? command : "", e->text,
                more);
    else
        fprintf(stderr, "orrery %s: rank %d (%s): %s%s\n", command ? command : "", context->rank,
                context->world ? orr_comm_host(context->world) : "?", e->text, more);
    if (orr_log_on(ORR_DEBUG, "jobs")) fprintf(stderr, "  detected at %s\n", e->where);
}

orr_status orr_flush_output(void)
{
    errno = 0;
    if ((fflush(stdout) == 0 && !ferror(stdout)) || errno == EBADF) return ORR_OK;
    return orr_fail(ORR_ERR_IO, "standard output: %s; what was printed is not all there",
                    errno ? strerror(errno) : "a write failed");
}

int orr_context_finish(orr_context *context, const char *command, orr_status st)
{
    orr_error own, met = { 0 };
    orr_status before = st;
    int together, code;

    if (st == ORR_OK && context->rank == 0) st = orr_flush_output();
    orr_error_take(&own, st);
    together = ends_together(context, &st);
    orr_error_take(&met, st == own.code ? ORR_OK : st);
    code = orr_exit_code(st);
    if (st != before)
        tell_failure(context, command, together, met.code == ORR_OK ? &own : &met);
    else if (st != ORR_OK && (!together || context->rank == 0))
        tell_failure(context, command, together, &own);
    orr_tracing_end(context, command, together);
    orr_heartbeat_done(code, !together && (st == ORR_ERR_COMM || st == ORR_ERR_TIMEOUT));
    orr_log_file(NULL);
    orr_context_leave(context, together, code);
    orr_heartbeat_stop();
    return code;
}
