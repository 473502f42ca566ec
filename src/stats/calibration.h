/* stats/calibration.h - densities whose PIT is not flat, made flat: F'(z) = R(F(z)), with R a
 * monotone map of [0, 1] onto itself that is fitted on the PIT of a part held out of training
 * (Bordoloi, Lilly and Amara 2010, MNRAS 406, 881; Kuleshov, Fenner and Ermon 2018).  One map for
 * all samples: it mends what densities have in common (too broad, too narrow, too few outliers),
 * not what differs from one kind of sample to another.
 *
 * R is the cumulative histogram of the PIT over 20 equal cells, linear inside a cell.  The two
 * outer cells keep their own mass; the logarithms of the 18 between them are smoothed by a penalty
 * on second differences (Eilers and Marx 1996), whose weight is the one of 0.1, 1, ... 100000 with
 * the best AIC.  Where no map beats the identity by AIC, R is the identity: a flat PIT stays as it
 * is.  An outer cell that holds more than a 20th of the sample is halved, and
 * its outer half again, so that R stays fine there: outliers lie far outside their densities.
 * One value in all is spread evenly over [0, 1] on top of the sample: R rises everywhere.
 *
 * What a fit on n values costs: chi-square of the 20-bin PIT histogram of m others is expected at
 * about 1 + (m / n) (degrees / 19) a degree of freedom, where 1 is what perfect densities give.
 *
 * R is no finer than its cells, and PIT is linear inside a bin of a density where R need not be:
 * densities many times too broad are only partly mended, and those much narrower than a bin are
 * calibrated between bins, not inside them.   Plain arrays; sums in index order.   Not collective.
 */
#ifndef ORR_STATS_CALIBRATION_H
#define ORR_STATS_CALIBRATION_H

#include "core/status.h"

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum {
    ORR_CALIBRATION_CELLS = 20,
    ORR_CALIBRATION_CUTS = 24,    /* of an outer cell, at most */
    ORR_CALIBRATION_FEWEST = 100, /* values for a fit: five a cell */
    ORR_CALIBRATION_KNOTS = ORR_CALIBRATION_CELLS + 1 + 2 * ORR_CALIBRATION_CUTS
};

typedef struct orr_calibration {
    int n;                            /* knots; 0 = the identity */
    double at[ORR_CALIBRATION_KNOTS]; /* rising, from 0 to 1 */
    double to[ORR_CALIBRATION_KNOTS]; /* R there: never falling, from 0 to 1; linear between */
    double degrees; /* numbers that were fitted, smoothing counted in; 0 = identity */
} orr_calibration;

/* R for a sample of PITs, in any order.  ORR_ERR_ARG for fewer than ORR_CALIBRATION_FEWEST values,
 * ORR_ERR_NUMERIC for one outside [0, 1] (by its row). */
orr_status orr_calibration_fit(orr_calibration *c, const double *pit, int64_t n);
/* ORR_ERR_FORMAT unless the knots are those of a map as described; what: where it was read. */
orr_status orr_calibration_check(const orr_calibration *c, const char *what);
double orr_calibration_map(const orr_calibration *c, double u); /* R(u), u in [0, 1] */
/* A density p[bins], not negative and of sum 1, in place: p'[k] = R(F[k]) - R(F[k-1]); not
 * negative and of sum 1 up to rounding. */
void orr_calibration_apply(const orr_calibration *c, double *p, int bins);

#ifdef __cplusplus
}
#endif
#endif
