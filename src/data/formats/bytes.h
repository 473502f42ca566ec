/* data/formats/bytes.h - the content of an input file in memory.
 * A plain file is mapped; a file that begins as gzip, bzip2, xz or zstd does is unpacked
 * (libarchive) into anonymous memory, up to a bound.  A member of a zip file (npz) likewise.   Not
 * collective; after opening read only. Errors: ORR_ERR_IO (missing, unreadable), ORR_ERR_FORMAT
 * (empty, truncated, damaged), ORR_ERR_NOMEM. */
#ifndef ORR_DATA_FORMATS_BYTES_H
#define ORR_DATA_FORMATS_BYTES_H

#include "core/status.h"

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct orr_bytes {
    const char *p;
    size_t n;
    size_t mapped; /* bytes to unmap; 0 = nothing is held */
    size_t passed; /* of a mapped file: given back by orr_bytes_passed */
    int is_file;   /* p is a file's own pages */
} orr_bytes;

orr_status orr_bytes_open(orr_bytes *out, const char *path);
/* Member `name` of a zip.  When it is missing, the sentence lists what there is. */
orr_status orr_bytes_member(orr_bytes *out, const char *path, const char *name);
/* Whether a zip has a member; an unreadable file has none. */
int orr_bytes_has_member(const char *path, const char *name);
/* A reader that goes from front to back is done with what lies before p: pages of a mapped file
 * need not count as its memory. */
void orr_bytes_passed(orr_bytes *b, const char *p);
void orr_bytes_close(orr_bytes *b);

#ifdef __cplusplus
}
#endif
#endif
