/* core/mapped.h - an input's own pages as memory, and what happens when the file becomes shorter.
 *
 * Whoever touches a page behind the new end of a mapped file gets SIGBUS, which ends the process
 * and with it all ranks, without a word.  Here a handler puts zeros there and notes the file; the
 * work goes on over them, and orr_mapped_check, called before anything comes of what was read, says
 * which file it was.  (systemd's journal does likewise.)  Faults in other memory go to whoever had
 * the signal before.
 *
 * State of the process, as signals are: the files that are mapped, and the handler from the first
 * one on.  Thread-safe.   Not collective.
 * Errors: ORR_ERR_IO (no plain file, cannot be mapped; became shorter), ORR_ERR_FORMAT (empty),
 * ORR_ERR_NOMEM. */
#ifndef ORR_CORE_MAPPED_H
#define ORR_CORE_MAPPED_H

#include "core/status.h"

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* All of the file, read only; for orr_mapped_close, with both. */
orr_status orr_mapped_open(const void **p, size_t *n, const char *path);
void orr_mapped_close(const void *p, size_t n); /* NULL is fine */
/* ORR_ERR_IO, naming it, when one of the files that are mapped became shorter than it was. */
orr_status orr_mapped_check(void);

#ifdef __cplusplus
}
#endif
#endif
