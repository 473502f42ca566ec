/* data/synth/synth.h - stand-in surveys for tests, demos and benchmarks, written as the published
 * files are. kepler  light curves: slow trend (2-4 sinusoids) + white noise, random scale over 4
 * decades; positives get box or trapezoid dips of depth 3-10 sigma, period 50-1500 samples,
 * duration 3-20.  CSV, header LABEL,FLUX.1..FLUX.n, label 2 = planet, 1 = none (raw fluxes) moons
 * the exact recipe of scikit-learn's make_moons(600, noise=0.25) with numpy's RandomState(0), split
 * by train_test_split(test_size=0.25, random_state=1): train.csv and test.csv, no header, label
 * first Every row depends on (seed, row) alone; the test stars are rows from 2^40 on, so train's
 * size does not move them. Errors: ORR_ERR_EXISTS when a file is there and overwrite is not set; a
 * file appears whole or not at all.   Not collective: rank 0 or each rank its rows. */
#ifndef ORR_DATA_SYNTH_H
#define ORR_DATA_SYNTH_H

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
/* One star: flux[samples]; *label 0 or 1.  What the CSV holds, before printing. */
orr_status orr_synth_kepler_star(int64_t seed, int64_t star, int64_t samples, double positives,
                                 float *flux, int *label);

#ifdef __cplusplus
}
#endif
#endif
