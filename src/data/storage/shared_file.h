/* data/storage/shared_file.h - a file whose arrays all processes of a job fill together.
 *
 * One process lays the arrays out (orr_store_lay_out) and closes the file (orr_store_pause for a
 * summed file, orr_store_leave for a plain one); then all open it, write rows and close it; then
 * the one goes on and commits, or names the .tmp.
 *
 * Open, write and close are collective over the communicator: every process makes the same calls in
 * the same order with its own rows, n = 0 where it has none.  A process that has failed goes on
 * taking part: from its first failure on nothing of its rows is written, every write returns that
 * failure, and the close says it once more. */
#ifndef ORR_DATA_STORAGE_SHARED_FILE_H
#define ORR_DATA_STORAGE_SHARED_FILE_H

#include "core/status.h"

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { ORR_STORE_SHARED_MAX = 8 };

/* Those who write together, in MPI's terms, which this library does not know: pointers to their
 * MPI_Comm and to an MPI_Info. */
typedef struct orr_store_ranks {
    const void *comm, *info;
} orr_store_ranks;

typedef struct orr_store_shared orr_store_shared;
/* For path + ".tmp", to be closed also after a failure.  names: the arrays that are written, n <=
 * ORR_STORE_SHARED_MAX.  Apart from the open, so that all can know first that each has the memory
 * to take part: who is missing there keeps the others waiting.   Not collective. */
orr_status orr_store_shared_create(orr_store_shared **out, const char *path,
                                   const char *const *names, int n);
/* ranks: those who write, NULL: this process alone. */
orr_status orr_store_shared_open(orr_store_shared *s, const orr_store_ranks *ranks);
/* Rows [first, first + n) of array names[i], in its type. */
orr_status orr_store_shared_write(orr_store_shared *s, int i, int64_t first, int64_t n,
                                  const void *rows);
/* A failure that this process met elsewhere, with the sentence that orr_error_text tells: from now
 * on it writes nothing.  Returns its first failure; ORR_OK for st says nothing new.
 * Not collective. */
orr_status orr_store_shared_fail(orr_store_shared *s, orr_status st);
/* This process's first failure.  Frees s; NULL is fine. */
orr_status orr_store_shared_close(orr_store_shared *s);

#ifdef __cplusplus
}
#endif
#endif
