/* data/survey/unpack.h - packed bytes in memory, unpacked only as far as somebody asks.
 *
 * bzip2 (any number of streams end to end), gzip (any number of members) or plain bytes, told by
 * their first two; libbz2 and zlib do the work.  bzip2 is unpacked block after block, and no
 * byte of a block is handed out before the block's checksum was found right.  gzip has one
 * checksum, at its end: it is looked at when unpacking comes that far, and whoever uses bytes
 * before (a header, to know what is wanted) calls orr_unpack_prove before anything comes of them.
 * Plain bytes are all there at once, not copied.
 *
 * Owns what it unpacks, borrows the packed bytes.  Not collective; one thread each.
 * Errors: ORR_ERR_FORMAT naming the file, what is wrong and at which packed byte; what was ready
 * before stays so, and each further call says the same.  ORR_ERR_NOMEM. */
#ifndef ORR_DATA_SURVEY_UNPACK_H
#define ORR_DATA_SURVEY_UNPACK_H

#include "core/status.h"

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct orr_unpack orr_unpack;

/* name is for messages; it and bytes stay the caller's, unchanged until close.  most: what they may
 * become; beyond it they are refused, whatever they say of themselves. */
orr_status orr_unpack_open(orr_unpack **out, const void *bytes, size_t n, size_t most,
                           const char *name);
void orr_unpack_close(orr_unpack *u);
/* Sees that at least `want` bytes are ready.  ORR_ERR_FORMAT when there are not that many: they end
 * before, are cut short, or are damaged (orr_unpack_why). */
orr_status orr_unpack_to(orr_unpack *u, size_t want);
/* Sees that the first `want` bytes are what was packed, or as many as there are.  gzip: unpacks on
 * to the end of the member in which they end, keeping what lies before the limit; ORR_ERR_FORMAT
 * when that is cut short or damaged.  The others prove what they hand out as they go: nothing to
 * do. */
orr_status orr_unpack_prove(orr_unpack *u, size_t want);
/* The unpacked bytes from the first one on: as many as are ready.  Moves with the next _to, _limit
 * or _pad. */
const void *orr_unpack_bytes(const orr_unpack *u);
size_t orr_unpack_ready(const orr_unpack *u);
/* Nobody will ask for bytes from `limit` on: they are not kept, and the memory is made to
 * measure. */
orr_status orr_unpack_limit(orr_unpack *u, size_t limit);
/* After a failure: puts zeros behind the ready bytes up to `size`, for a reader of whole
 * blocks.  They do not count as ready. */
orr_status orr_unpack_pad(orr_unpack *u, size_t size);
/* Bytes that were unpacked and checked so far, kept or not; and packed bytes read for them. */
size_t orr_unpack_done(const orr_unpack *u);
size_t orr_unpack_taken(const orr_unpack *u);
/* Was all of it unpacked: did the data come to their own end, behind a whole stream, where the
 * packed bytes end, or nothing but zeros follows?  0 before, when they are cut short or damaged,
 * and when other bytes follow. */
int orr_unpack_whole(const orr_unpack *u);
/* Why there are no more: "bzip2 block at packed byte 4711 is damaged (checksum)"; "" before. */
const char *orr_unpack_why(const orr_unpack *u);
/* What bytes look like that should have been FITS: "an HTML page", "empty", "other data". */
const char *orr_unpack_looks(const void *bytes, size_t n);

#ifdef __cplusplus
}
#endif
#endif
