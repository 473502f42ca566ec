/* jobs/sets/info.h - what is in a shard set, checkpoint, model or run folder, as text for people.
 *
 * A file tells by its `format` attribute what it is; a folder is a shard set when it has an index,
 * a run when it has a model or a checkpoint.
 *
 * Errors: ORR_ERR_IO when there is nothing at the path, ORR_ERR_FORMAT when it is none of these,
 * and what opening it says.   Not collective. */
#ifndef ORR_JOBS_SETS_INFO_H
#define ORR_JOBS_SETS_INFO_H

#include "core/status.h"
#include "core/text.h"

/* Appends to out.  verify: a shard set's files are hashed, too.  Not collective. */
orr_status orr_info(const char *path, int verify, orr_text *out);

#endif
