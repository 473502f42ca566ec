/* stats/spread.c - medians by sorting. */
#include "stats/spread_private.h"

#include <math.h>
#include <stdlib.h>

static int rising(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

void orr_sort_rising(double *d, int64_t n)
{
    qsort(d, (size_t)n, sizeof *d, rising);
}

/* Of an even number of values, the mean of the middle two. */
static double median(double *d, int64_t n)
{
    orr_sort_rising(d, n);
    return n % 2 ? d[n / 2] : (d[n / 2 - 1] + d[n / 2]) / 2;
}

double orr_sigma_mad(double *d, int64_t n)
{
    double centre = median(d, n);

    for (int64_t i = 0; i < n; i++)
        d[i] = fabs(d[i] - centre);
    return 1.4826 * median(d, n);
}
