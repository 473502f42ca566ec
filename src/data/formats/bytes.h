/* data/formats/bytes.h - the content of an input file in memory: what lies below all formats.
 * A plain file is mapped; a packed one, known by the bytes it begins with (one row a packing), is
 * unpacked into anonymous memory.  A member of a zip file (npz) likewise.  How many bytes that may
 * become is bounded (orr_trust), whatever the file says of itself, and a request to stop is looked
 * for meanwhile.
 *
 * What is handed out is proved: all of a packed file was decoded, every checksum and length in it
 * compared (gzip CRC-32 and length of each member, bzip2 each block and the stream, xz and zip
 * CRC, zstd's xxHash where the file has one), and nothing but zeros follows the last stream.
 * A mapped file that becomes shorter reads as zeros from there on, and whoever uses its bytes asks
 * core/mapped.h before anything comes of them.
 * Before that nothing is handed out, but to orr_bytes_open_head, which is for telling formats
 * apart.   Not collective; after opening read only.   Errors: ORR_ERR_IO (missing, unreadable),
 * ORR_ERR_FORMAT (empty, truncated, damaged, followed by other bytes, larger than allowed),
 * ORR_ERR_INTERRUPTED, ORR_ERR_NOMEM. */
#ifndef ORR_DATA_FORMATS_BYTES_H
#define ORR_DATA_FORMATS_BYTES_H

#include "core/status.h"

#include <stddef.h>
#include <stdint.h>

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

/* How far the maker of a file is believed.  {0}, or NULL where a pointer is wanted: as a stranger.
 */
typedef struct orr_trust {
    int64_t max_unpacked; /* bytes that a packed file may become; 0: as orr_unpacked_most says */
    int other_files;      /* HDF5: read values that lie in other files, which it names */
} orr_trust;
/* What so many packed bytes may become: `asked`, or (0) 100 times as many and at least 256 MiB.
 * Texts pack to a third or a tenth, images of zeros to a thousandth. */
size_t orr_unpacked_most(size_t packed, int64_t asked);

/* How a file may be packed. */
typedef struct orr_packing {
    const char *name, *ending; /* "gzip"; ".gz", what the names of such files end in */
    const char *magic;         /* what they begin with */
    size_t n_magic;
} orr_packing;
/* Row i, NULL behind the last. */
const orr_packing *orr_packing_at(int i);
/* The length of a file's name without the ending of a packing. */
size_t orr_packing_name(const char *name);

orr_status orr_bytes_open(orr_bytes *out, const char *path, const orr_trust *trust);
/* The first n bytes of the content, or more; all of it when there is less.  Not proved. */
orr_status orr_bytes_open_head(orr_bytes *out, const char *path, size_t n);
/* Member `name` of a zip.  When it is missing, the sentence lists what there is. */
orr_status orr_bytes_member(orr_bytes *out, const char *path, const char *name,
                            const orr_trust *trust);
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
