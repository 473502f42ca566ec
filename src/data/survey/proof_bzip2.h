/* data/survey/proof_bzip2.h - private to the proof: what can be said of bzip2 data without
 * unpacking all of it (data/survey/unpack.h does that).
 * Not collective; thread-safe. */
#ifndef ORR_DATA_SURVEY_PROOF_BZIP2_H
#define ORR_DATA_SURVEY_PROOF_BZIP2_H

#include "core/status.h"

#include <stddef.h>

/* The chain of blocks, without decoding any. */
orr_status orr_bzip2_chain(const unsigned char *p, size_t n, const char *name);
/* The first bytes, at most `room`, `step` at a time until they are enough. */
orr_status orr_bzip2_head(const unsigned char *p, size_t n, char *out, size_t step, size_t room,
                          int (*enough)(const char *out, size_t bytes), size_t *got,
                          const char *name);

#endif
