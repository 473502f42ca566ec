/* data/transform_kinds.c - the list of transforms: a line each; the rows lie in transforms/. */
#include "data/transform_private.h"

/* clang-format off */
#define KINDS(X) \
    X(nan) \
    X(standardise) \
    X(moving_average) \
    X(affine) \
    X(log) \
    X(asinh) \
    X(sqrt) \
    X(reshape)
/* clang-format on */

#define DECLARE(name) extern const orr_transform_kind orr_transform_##name;
KINDS(DECLARE)

#define ROW(name) &orr_transform_##name,
static const orr_transform_kind *const kinds[] = { KINDS(ROW) };

const orr_transform_kind *const *orr_transform_kinds(int *n)
{
    *n = sizeof kinds / sizeof *kinds;
    return kinds;
}
