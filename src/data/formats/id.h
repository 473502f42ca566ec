/* data/formats/id.h - what an id is: the one rule for every reader and every place where an id
 * enters (tables to import, catalogues, side files, sample submissions).
 *
 * An id is an exact whole number or a text, and is never shown otherwise than it was read:
 *   whole numbers    signed or unsigned, of up to 64 bits.  Ids of a set are integers when an int64
 *                    prints as each of them is written; one that is not so ("007", "+7", "J12", a
 *                    uint64 of 2^63 or more) makes them all texts.  "7", "007" and "+7" are three.
 *   texts            of 1 to ORR_ID_TEXT_MAX bytes, without the blanks around them
 *   floats           (FITS D and E; f8, f4, f2) that are whole and that their type holds exactly,
 *                    below 2^53, 2^24 or 2^11, are those whole numbers.  Beyond that an id has lost
 *                    digits, perhaps, and different objects share one: a fault, as a fraction is.
 *   texts of floats  "1.23764587686134E+18", "1237645876861337601.0": of 2^53 or more they are the
 *                    same fault.  Smaller ones ("17.0", "1.5E+3") have lost nothing and are texts
 *                    as they stand: "17.0" is not 17, and a join with 17 does not find it.  "12e45"
 *                    is a text, too: programs print floats with a point, or a sign behind the e.
 *   no id            "", null, nan (any case), FITS's TNULL, NaN: no object's
 *   several columns  run, rerun, camcol, field, id: their values, joined by ORR_ID_JOINT, are a
 *                    text ("752:301:1:100:17"); none of them may be empty or have the joint in it,
 *                    so that no two rows of different values have one id.
 * Faults are ends of sentences: "is empty", "has an exponent: ...".   Not collective. */
#ifndef ORR_DATA_FORMATS_ID_H
#define ORR_DATA_FORMATS_ID_H

#include "data/shard.h"

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { ORR_ID_PARTS = 8, ORR_ID_JOINT = ':' };

/* Is it the text that an int64 prints as? */
int orr_id_integer(const char *p, size_t n, int64_t *out);
/* NULL when [p, p + n), without blanks around it, may be an id; else why not. */
const char *orr_id_fault(const char *p, size_t n);
/* The same for a float of a type that holds whole numbers below 2^bits exactly; v is not NaN. */
const char *orr_id_real_fault(double v, int bits);
/* One more part at the end of an id of *n bytes so far; the id is ended with a zero.  NULL, or why
 * it cannot be. */
const char *orr_id_join(char out[ORR_ID_TEXT_MAX + 1], size_t *n, const char *part,
                        size_t part_bytes);

/* What the ids of a table look like when all are seen.  Whole numbers of 2^53 or more of which most
 * end in 000 went through 15 to 17 decimal digits (a spreadsheet, JavaScript), though they are
 * written in full: nobody can tell from one of them, as ids that do may be true.  -1 and 0 are what
 * tables write where there is no id.  Counts: those of ranks are added. */
typedef struct orr_id_tally {
    int64_t n_long, n_zeros; /* whole numbers of 2^53 or more; of them, those that end in 000 */
    int64_t n_minus_one;
} orr_id_tally;

void orr_id_tally_add(orr_id_tally *t, const char *p, size_t n);
/* The same for a whole number. */
void orr_id_tally_integer(orr_id_tally *t, int64_t v);
/* Three or more, and the greater part, end in 000. */
int orr_id_tally_is_rounded(const orr_id_tally *t);

#ifdef __cplusplus
}
#endif
#endif
