/* nn/kernels/cpu/period_private.h - loops over rows of few channels, as loops over a flat array
 * with a period.
 *
 * A row of 6 channels is too short for a vector, but 8 rows of 6 are 48 elements in which channel j
 * repeats every 6. Channels beyond ORR_PERIOD_SMALL are taken in chunks of columns, a row at a
 * time.   Not collective. */
#ifndef ORR_NN_KERNELS_CPU_PERIOD_PRIVATE_H
#define ORR_NN_KERNELS_CPU_PERIOD_PRIVATE_H

#include <stddef.h>

enum { ORR_PERIOD_SMALL = 64, ORR_PERIOD_MAX = 1024 };

typedef struct orr_period {
    int width;    /* elements that a step of the loop takes: rows_per_step * channels */
    int channels; /* of this chunk */
    size_t step;  /* from one step to the next */
    size_t steps;
    int tail; /* elements of the last, shorter step; 0 = none */
} orr_period;

/* Chunk of channels [first, ...) of rows x c; *first moves on to the next chunk. */
static inline orr_period orr_period_next(size_t rows, int c, int *first)
{
    int left = c - *first, group = 1;

    if (c > ORR_PERIOD_SMALL) {
        int n = left < ORR_PERIOD_MAX ? left : ORR_PERIOD_MAX;
        *first += n;
        return (orr_period){ n, n, (size_t)c, rows, 0 };
    }
    while (2 * group * c <= ORR_PERIOD_MAX && (group * c % 16 != 0 || group * c < 64))
        group *= 2;
    *first = c;
    return (orr_period){ group * c, c, (size_t)group * c, rows / group, (int)(rows % group) * c };
}

/* to[i] = from[i mod channels] over a step. */
static inline void orr_period_fill(const orr_period *p, const float *from, float *to)
{
    for (int i = 0; i < p->width; i++)
        to[i] = from[i % p->channels];
}

#endif
