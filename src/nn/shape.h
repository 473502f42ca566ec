/* nn/shape.h - the shape of one sample.  Channels last everywhere: an image is h x w x c, a series
 * 1 x w x c, a vector 1 x 1 x c.  A batch of n is n such blocks, row-major. */
#ifndef ORR_NN_SHAPE_H
#define ORR_NN_SHAPE_H

#include <stddef.h>

typedef struct orr_shape {
    int h, w, c;
} orr_shape;

static inline size_t orr_shape_count(orr_shape s)
{
    return (size_t)s.h * (size_t)s.w * (size_t)s.c;
}
static inline int orr_shape_equal(orr_shape a, orr_shape b)
{
    return a.h == b.h && a.w == b.w && a.c == b.c;
}

#endif
