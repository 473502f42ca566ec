/* data/synth/synth.h - stand-in surveys for tests, demos and benchmarks, written as the published
 * files are. kepler  light curves: slow trend (2-4 sinusoids) + white noise, random scale over 4
 * decades; positives get box or trapezoid dips of depth 3-10 sigma, period 50-1500 samples,
 * duration 3-20.  CSV, header LABEL,FLUX.1..FLUX.n, label 2 = planet, 1 = none (raw fluxes) moons
 * the exact recipe of scikit-learn's make_moons(600, noise=0.25) with numpy's RandomState(0), split
 * by train_test_split(test_size=0.25, random_state=1): train.csv and test.csv, no header, label
 * first Every row depends on (seed, row) alone; the test stars are rows from 2^40 on, so train's
 * size does not move them. Errors: ORR_ERR_EXISTS when a file is there and overwrite is not set; a
 * file appears whole or not at all.   Not collective: rank 0 or each rank its rows. */
#ifndef ORR_DATA_SYNTH_SYNTH_H
#define ORR_DATA_SYNTH_SYNTH_H

#include "core/options.h"
#include "core/status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct orr_synth_kepler_opts {
    const char *out; /* folder: train.csv, test.csv */
    int64_t stars, test_stars;
    int64_t samples;  /* 3197 */
    double positives; /* share, 0.00727 */
    int64_t seed;
    int overwrite;
} orr_synth_kepler_opts;
extern const orr_option orr_synth_kepler_options[];
orr_status orr_synth_kepler(const orr_synth_kepler_opts *o);

typedef struct orr_synth_moons_opts {
    const char *out;
    int64_t samples;          /* 600 */
    double noise;             /* 0.25 */
    double test_size;         /* 0.25 */
    int64_t seed, split_seed; /* 0, 1 */
    int overwrite;
} orr_synth_moons_opts;
extern const orr_option orr_synth_moons_options[];
orr_status orr_synth_moons(const orr_synth_moons_opts *o);
/* A synthetic sky survey with the file names, formats and quirks of SDSS's corrected frames:
 * RERUN/RUN/CAMCOL/frame-BAND-RUN-CAMCOL-FIELD.fits.bz2 for each of five bands of a field, and
 * catalogue.csv.
 *
 * Frames: float32 nanomaggies, sky subtracted, counts times a calibration with 10 mantissa bits,
 * TAN WCS as a CD matrix about the middle; further HDUs: calibration vector, sky table, asTrans
 * table. The bands of a field are shifted against one another by up to 7 pixels and turned by up
 * to 0.12 degrees.  Fields lie on strips (runs, six camera columns) that cross right ascension 0,
 * and do not overlap.
 * Objects: galaxies of a de Vaucouleurs bulge and an exponential disc (as sums of Gaussians, Hogg
 * and Lang 2013, so that the point spread function, a Gaussian for each band, folds in exactly),
 * size from luminosity and distance.  Colours follow redshift (0.01 to 0.39) with scatter, redder
 * for bulges; r is 14.5 to 17.8 before extinction.  E(B-V) of the field dims the bands by
 * different shares: what the pixels cannot tell from a change of redshift, the catalogue knows.
 * `edges` of the objects lie within 16 pixels of an edge of the r frame (they may be outside in
 * other bands), all others 20 or more away; `saturated` have a star beside them whose core is
 * clipped.
 * Degenerate branch: star-forming galaxies (subClass STARFORMING, all others QUIESCENT), clearly
 * bluer than the rest.  They look like redshift a, drawn from 0.04 to 0.28, and have with even
 * odds z = a or z = a + 0.10; nothing in pixels or magnitudes tells which.
 *
 * Columns: objID (SDSS's 19 digits: rerun, run, camcol, field, number), ra, dec (degrees), run,
 * rerun, camcol, field, z, zErr, class (GALAXY), subClass, cModelMag_u..z with errors that have
 * nothing to do with the pixels' noise, cModelMagErr_u..z, petroMag_r, e_bv_sfd, and rowc_u..z,
 * colc_u..z: the position in each frame as SDSS gives it (centre of the first pixel = 0.5).  Rows
 * of 64 fields at a time are dealt like cards, one of each field in turn; twins (`duplicates`)
 * come after them.
 *
 * Everything depends on (seed, field) alone: fields may be made by any process, in any order, to
 * the same bytes.  ORR_ERR_EXISTS as above, before anything of the part is written. */
typedef struct orr_synth_sdss_opts {
    const char *out;         /* folder: what an archive's server would have as its root */
    int64_t fields, objects; /* fields; galaxies a field */
    int width, height;       /* of a frame, pixels: 2048, 1489 */
    double edges, saturated; /* shares: 0.1, 0.05 */
    double degenerate;       /* share of galaxies on the degenerate branch: 0.15 */
    double duplicates;       /* share of galaxies with a second row of slightly different z: 0.01 */
    double noise; /* sky noise of r, nanomaggies a pixel: 0.03; other bands in SDSS's proportion */
    int bits;     /* mantissa bits kept, as SDSS's lossy frames: 10; 0 = all */
    int64_t seed;
    int overwrite;
} orr_synth_sdss_opts;
extern const orr_option orr_synth_sdss_options[];
/* Fields part, part + n_parts, ... (n_parts = fields: one field); bands by all threads.  When all
 * are made, one process calls the catalogue. */
orr_status orr_synth_sdss_fields(const orr_synth_sdss_opts *o, int64_t part, int64_t n_parts);
orr_status orr_synth_sdss_catalogue(const orr_synth_sdss_opts *o);

/* One star: flux[samples]; *label 0 or 1.  What the CSV holds, before printing. */
orr_status orr_synth_kepler_star(int64_t seed, int64_t star, int64_t samples, double positives,
                                 float *flux, int *label);

#ifdef __cplusplus
}
#endif
#endif
