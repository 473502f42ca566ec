/* data/survey/proof.h - is this a whole FITS file?
 *
 * Four levels.
 *   length     nothing is looked at but the size that the caller compares.
 *   stream     .bz2: stream header, every block's magic number found in the bit stream, the
 *              stream's combined checksum equal to that of the blocks' (so none is missing, doubled
 *              or cut; a flipped bit inside a block is not seen), nothing after the end but further
 *              streams. Costs what reading the bytes costs.
 *   structure  also the first header decoded: SIMPLE, BITPIX, NAXIS that make sense.  bzip2 gives a
 *              block's first byte only after all of it: 10 to 20 ms of one core a frame.
 *   full       everything decoded with bzip2's checksums, every HDU walked to its end by cfitsio,
 *              CHECKSUM and DATASUM verified where they are.
 * A file whose first header holds CHECKSUM or DATASUM is verified fully when the level is
 * structure. Plain and gzip FITS, at stream as at structure: the headers say how long it must be
 * (gzip: decoded; its length and checksum are its trailer's).
 *
 * 48 bits of packed data can look like a block's magic number by chance: about once in ten million
 * frames of 3 MiB.  So what the chain refuses is decoded before it is called damaged.
 * Not collective; thread-safe.  ORR_ERR_FORMAT: what is wrong and where, "an HTML page" by name. */
#ifndef ORR_DATA_SURVEY_PROOF_H
#define ORR_DATA_SURVEY_PROOF_H

#include "core/status.h"

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum { ORR_PROOF_LENGTH, ORR_PROOF_STREAM, ORR_PROOF_STRUCTURE, ORR_PROOF_FULL } orr_proof;

/* What is proved: how far, and how many bytes packed ones may become (0: as orr_unpacked_most says:
 * data/formats/bytes.h). */
typedef struct orr_proof_opts {
    orr_proof level;
    int64_t max_unpacked;
} orr_proof_opts;
/* name is for messages. */
orr_status orr_prove(const void *bytes, size_t n, orr_proof_opts o, const char *name);
orr_status orr_prove_file(const char *path, orr_proof_opts o);
/* "length", "stream", "structure", "full"; ORR_ERR_OPTION. */
orr_status orr_proof_from_name(orr_proof *out, const char *name);

#ifdef __cplusplus
}
#endif
#endif
