/* tests/jobs/delay.c - LD_PRELOAD: makes one rank slow at one point.
 *   ORR_DELAY=POINT:RANK:MILLISECONDS    each time that the rank comes there; RANK -1: all
 * POINT is one of core/probe.h, or a call of MPI's that is wrapped below. */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#ifdef ORRERY_MPI
#include <mpi.h>
#endif

static void delay(const char *point)
{
    const char *what = getenv("ORR_DELAY"), *rank = getenv("OMPI_COMM_WORLD_RANK");
    char where[64];
    int victim, ms;

    if (!what || sscanf(what, "%63[^:]:%d:%d", where, &victim, &ms) != 3) return;
    if (strcmp(where, point) != 0) return;
    if (victim >= 0 && victim != (rank ? (int)strtol(rank, NULL, 10) : 0)) return;
    nanosleep(&(struct timespec){ .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L }, NULL);
}

void orr_probe(const char *point, int64_t step, void *bytes, size_t n);
void orr_probe(const char *point, int64_t step, void *bytes, size_t n)
{
    (void)step;
    (void)bytes;
    (void)n;
    delay(point);
}

#ifdef ORRERY_MPI
int MPI_Init_thread(int *argc, char ***argv, int required, int *provided)
{
    delay("MPI_Init_thread");
    return PMPI_Init_thread(argc, argv, required, provided);
}

int MPI_Finalize(void)
{
    delay("MPI_Finalize");
    return PMPI_Finalize();
}

int MPI_Abort(MPI_Comm comm, int code)
{
    delay("MPI_Abort");
    return PMPI_Abort(comm, code);
}

int MPI_Comm_dup(MPI_Comm comm, MPI_Comm *out)
{
    delay("MPI_Comm_dup");
    return PMPI_Comm_dup(comm, out);
}

int MPI_Win_allocate_shared(MPI_Aint size, int unit, MPI_Info info, MPI_Comm comm, void *base,
                            MPI_Win *win)
{
    delay("MPI_Win_allocate_shared");
    return PMPI_Win_allocate_shared(size, unit, info, comm, base, win);
}

/* What HDF5 writes a file of all ranks with. */
int MPI_File_open(MPI_Comm comm, const char *path, int mode, MPI_Info info, MPI_File *out)
{
    delay("MPI_File_open");
    return PMPI_File_open(comm, path, mode, info, out);
}
#endif
