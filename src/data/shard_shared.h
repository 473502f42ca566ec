/* data/shard_shared.h - one shard written by all ranks together: parallel HDF5, collective buffers.
 * Bytes are those that orr_shard_write would have written.
 *
 * One rank lays the file out (not collective); then all open it, write rows, close it; then one
 * rank gives it its name.  Open, write and close are collective over the communicator
 * (data/storage/shared_file.h): every rank makes the same calls in the same order with its own
 * rows, n = 0 where it has none; a rank that has failed goes on taking part, says so again at
 * close, and then nobody's file gets its name. */
#ifndef ORR_DATA_SHARD_SHARED_H
#define ORR_DATA_SHARD_SHARED_H

#include "data/shard.h"
#include "data/storage/shared_file.h"

#ifdef __cplusplus
extern "C" {
#endif

/* dir/shard-NNNNN.h5.tmp with contiguous datasets for `rows` rows, not yet written; takes their
 * room.  One rank; the others wait until it is done. */
orr_status orr_shared_shard_lay_out(const char *dir, int number, const orr_schema *s, int64_t rows,
                                    const orr_provenance *p);

typedef struct orr_shared_shard orr_shared_shard;
/* What was laid out with these very arguments; to be closed also after a failure.  All know first
 * that each has it, then all open it.   Not collective. */
orr_status orr_shared_shard_create(orr_shared_shard **out, const char *dir, int number,
                                   const orr_schema *s, int64_t rows);
/* ranks NULL: this process alone. */
orr_status orr_shared_shard_open(orr_shared_shard *f, const orr_store_ranks *ranks);
/* Rows [first, first + rows->n). */
orr_status orr_shared_shard_write(orr_shared_shard *f, int64_t first, const orr_rows *rows);
/* Closes the file, frees f; this rank's first failure.  NULL is fine. */
orr_status orr_shared_shard_close(orr_shared_shard *f);
/* One rank, when all have agreed: keep = the file is synced and gets its name; else it goes. */
orr_status orr_shared_shard_commit(const char *dir, int number, int keep);

#ifdef __cplusplus
}
#endif
#endif
