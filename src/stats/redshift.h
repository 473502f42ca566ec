/* stats/redshift.h - how good photometric redshifts are, as point estimates and as densities.
 * Definitions: Pasquet et al. 2019, A&A 621 A26; CRPS: Hersbach 2000.  Plain arrays in, numbers
 * out; sums in double, in index order.  Checked against independent Python.   Not collective.
 *
 *   dz = (z_phot - z_spec) / (1 + z_spec);  bias = mean dz;  sigma_mad = 1.4826 median|dz - median
 * dz|; eta = share of |dz| > 0.05 (outlier bound in the options); PIT = F(z_spec), F the cumulative
 * density, linear inside a bin (0 below the bins, 1 above); CRPS = int F^2 below z_spec + int (1 -
 * F)^2 above it, over the bins; a z_spec outside the bins adds its distance to them. Golden: 180
 * bins on [0, .4]: uniform p, z = .1: PIT .25, CRPS .0583333; all mass in bin 45, z = .101: PIT
 * .45, CRPS 1.90741e-4. Errors: ORR_ERR_NUMERIC a value that is not finite, or a z_spec <= -1 (by
 * row); ORR_ERR_ARG, also a density that is negative or whose sum is not 1 to 0.001; ORR_ERR_NOMEM.
 */
#ifndef ORR_STATS_REDSHIFT_H
#define ORR_STATS_REDSHIFT_H

#include "core/bins.h"
#include "core/status.h"

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { ORR_PIT_BINS = 20 };
/* |dz| beyond which a redshift counts for eta, where nothing else is asked for. */
#define ORR_OUTLIER 0.05
/* Given as that bound: the value is no redshift.  dz is then z_phot - z_spec as it is, of any
 * z_spec, and eta NaN; what densities are good for is the same. */
#define ORR_NO_REDSHIFT (-1.0)

/* Probability integral transform and continuous ranked probability score of one density
 * p[bins->count], which sums to 1, for the truth z. */
void orr_pit_crps(const orr_bins *bins, const double *p, double z, double *pit, double *crps);

typedef struct orr_redshift {
    int64_t n;
    double bias, sigma_mad, eta; /* of dz; NaN for n = 0 */
    double rmse, mae;            /* of z_phot - z_spec */
    /* densities; NaN / 0 without them */
    double crps;                    /* mean */
    double pit_mean, pit_deviation; /* flat: 0.5 and 1/sqrt(12) */
    int64_t pit[ORR_PIT_BINS];      /* histogram of PIT over [0, 1] */
    double pit_chi2, pit_p;         /* chi-square of the histogram against flat; its p-value, 19
                                       degrees */
} orr_redshift;

/* z_phot[n], z_spec[n]; p[n][bins->count] or NULL (bins may then be NULL, too).
 * outlier: bound of |dz| for eta (0.05), or ORR_NO_REDSHIFT. */
orr_status orr_redshift_metrics(const double *z_phot, const float *z_spec, int64_t n,
                                const double *p, const orr_bins *bins, double outlier,
                                orr_redshift *out);

/* The same in bins of another number (r magnitude, or z_spec itself): by[n] (NaN = in no bin).
 * edges[n_groups + 1], rising; group g takes edges[g] <= by < edges[g + 1], the last one its upper
 * edge too.  out[n_groups]. */
orr_status orr_redshift_by(const double *z_phot, const float *z_spec, int64_t n, const double *p,
                           const orr_bins *bins, double outlier, const double *by,
                           const double *edges, int n_groups, orr_redshift *out);
/* Edges of n_groups groups with (nearly) equal numbers, from the values that are finite;
 * edges[n_groups + 1]. */
orr_status orr_quantile_edges(const double *x, int64_t n, int n_groups, double *edges);

#ifdef __cplusplus
}
#endif
#endif
