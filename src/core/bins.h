/* core/bins.h - equal bins of a number line: what a binned density is defined on.
 * Bin k of `count` covers [min + k w, min + (k+1) w), w = (max - min) / count; its centre, never an
 * edge, stands for it.  A value; copy it freely.   Not collective. */
#ifndef ORR_CORE_BINS_H
#define ORR_CORE_BINS_H

typedef struct orr_bins {
    int count; /* 0 = there are none */
    double min, max;
} orr_bins;

static inline double orr_bin_width(const orr_bins *b)
{
    return (b->max - b->min) / b->count;
}
static inline double orr_bin_centre(const orr_bins *b, int k)
{
    return b->min + (k + 0.5) * orr_bin_width(b);
}
/* The bin of x; -1 when it lies outside (or is NaN).  x = max belongs to the last bin. */
static inline int orr_bin_of(const orr_bins *b, double x)
{
    int k;

    if (!(x >= b->min && x <= b->max)) return -1;
    k = (int)((x - b->min) / orr_bin_width(b));
    return k < b->count ? k : b->count - 1;
}
/* Does a number that was rounded to float lie within the bins?  An edge's float is the edge. */
static inline int orr_bins_hold(const orr_bins *b, float x)
{
    return orr_bin_of(b, (double)x) >= 0 || x == (float)b->min || x == (float)b->max;
}
/* Mean of a density p[count] that sums to 1. */
static inline double orr_bins_mean(const orr_bins *b, const double *p)
{
    double sum = 0;

    for (int k = 0; k < b->count; k++)
        sum += p[k] * orr_bin_centre(b, k);
    return sum;
}

#endif
