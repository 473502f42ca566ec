/* jobs/sets/import.h - survey tables (csv, FITS, npy, npz, HDF5, idx) to a shard set.
 *
 * The tables are scanned in byte ranges dealt over the ranks, and shards are written by whoever
 * takes them next; which rows make a shard depends on the schema alone, so the bytes depend on
 * neither ranks nor threads.  The set is made in OUT.tmp and gets its name when it is whole; after
 * a failure nothing of it is left, and a set that was there before is untouched.
 *
 * Errors: what the tables say (ORR_ERR_FORMAT, _SHAPE, _OPTION with file and line), ORR_ERR_EXISTS,
 * ORR_ERR_IO, ORR_ERR_INTERRUPTED after a signal, ORR_ERR_NOMEM.   Collective. */
#ifndef ORR_JOBS_SETS_IMPORT_H
#define ORR_JOBS_SETS_IMPORT_H

#include "jobs/context/context.h"
#include "jobs/context/runtime.h"

typedef struct orr_import_opts {
    const char *out;
    int overwrite, compression;
    double shard_mib;               /* MiB of samples */
    const orr_node *input, *inputs; /* one of them; each table by orr_table_options */
    orr_runtime_opts runtime;
} orr_import_opts;
extern const orr_option orr_import_options[];

/* config: what o was read from, for the record of where the set comes from.  Collective; the same
 * status on all ranks. */
orr_status orr_import(orr_context *context, const orr_import_opts *o, const orr_config *config);

#endif
