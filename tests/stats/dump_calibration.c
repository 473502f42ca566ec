/* tests/stats/dump_calibration.c - fits the samples of PIT in a raw binary file and prints a line
 * each, for the oracle calibration.py: number of knots, degrees, knots, and what the map makes of a
 * density.  A sample: int64 {0, n, bins}, double 0, double pit[n], p[bins]. */
#include "stats/calibration.h"

#include <stdio.h>
#include <stdlib.h>

typedef struct head {
    int64_t kind, n, bins;
    double parameter;
} head;

static int dump(const head *h, double *values)
{
    double *p = values + h->n;
    orr_calibration c;

    if (orr_calibration_fit(&c, values, h->n) != ORR_OK) {
        printf("error %s\n", orr_error_text());
        return 1;
    }
    printf("%d %.17g", c.n, c.degrees);
    for (int i = 0; i < c.n; i++)
        printf(" %.17g %.17g", c.at[i], c.to[i]);
    orr_calibration_apply(&c, p, (int)h->bins);
    for (int64_t k = 0; k < h->bins; k++)
        printf(" %.17g", p[k]);
    printf("\n");
    return 0;
}

int main(int argc, char **argv)
{
    FILE *f = argc == 2 ? fopen(argv[1], "rb") : NULL;
    int bad = 0;
    head h;

    if (!f) {
        fprintf(stderr, "usage: dump_calibration SAMPLES\n");
        return 2;
    }
    while (!bad && fread(&h, sizeof h, 1, f) == 1) {
        size_t n = (size_t)(h.n + h.bins);
        double *values = calloc(n + 1, sizeof *values);
        bad = !values || fread(values, sizeof *values, n, f) != n || dump(&h, values);
        free(values);
    }
    fclose(f);
    return bad;
}
