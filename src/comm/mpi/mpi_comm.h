/* comm/mpi/mpi_comm.h - the MPI implementation's constructor; jobs calls it with MPI_COMM_WORLD. */
#ifndef ORR_COMM_MPI_MPI_COMM_H
#define ORR_COMM_MPI_MPI_COMM_H

#include "comm/comm.h"

#include <mpi.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Duplicates parent (never freed by us) and sets MPI_ERRORS_RETURN on the duplicate.  o NULL =
 * defaults.  The caller has initialised MPI with at least MPI_THREAD_FUNNELED (else
 * ORR_ERR_UNSUPPORTED): all calls come from one thread.   Collective; without the barrier that
 * comes before other blocking calls, so a rank that does not come is opts.stuck's, too. */
orr_status orr_comm_mpi_create(orr_comm **out, MPI_Comm parent, const orr_comm_opts *o);

#ifdef __cplusplus
}
#endif
#endif
