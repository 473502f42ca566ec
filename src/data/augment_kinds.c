/* data/augment_kinds.c - the list of augmentations: a line each; the rows lie in augments/. */
#include "data/augment_private.h"

/* clang-format off */
#define KINDS(X) \
    X(roll) \
    X(flip) \
    X(rotate90) \
    X(noise) \
    X(scale)
/* clang-format on */

#define DECLARE(name) extern const orr_augment_kind orr_augment_##name;
KINDS(DECLARE)

#define ROW(name) &orr_augment_##name,
static const orr_augment_kind *const kinds[] = { KINDS(ROW) };

const orr_augment_kind *const *orr_augment_kinds(int *n)
{
    *n = sizeof kinds / sizeof *kinds;
    return kinds;
}
