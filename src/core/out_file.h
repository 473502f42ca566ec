/* core/out_file.h - a file that is written as a stream and appears whole or not at all.
 *
 * Its content grows in path + ".tmp", under a lock, so that one job at a time writes it; closing
 * gives it its name (orr_commit_file), or removes it after a failure: whatever stood under the name
 * before is then untouched.   Not collective.
 * Errors: ORR_ERR_IO; ORR_ERR_EXISTS: another job is writing it. */
#ifndef ORR_CORE_OUT_FILE_H
#define ORR_CORE_OUT_FILE_H

#include "core/file.h"
#include "core/lock.h"

#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct orr_out_file {
    FILE *f; /* to write to; failures of single writes are told at the close */
    char path[ORR_PATH_MAX], tmp[ORR_PATH_MAX];
    orr_lock lock; /* of tmp */
} orr_out_file;

/* On failure nothing is held, and closing copes with that. */
orr_status orr_out_file_open(orr_out_file *o, const char *path);
orr_status orr_out_file_add(orr_out_file *o, const void *data, size_t bytes);
/* so_far: ORR_OK, or a failure, for which the content is of no use; returns that, or its own. */
orr_status orr_out_file_close(orr_out_file *o, orr_status so_far);

#ifdef __cplusplus
}
#endif
#endif
