/* data/synth/kepler.c - light curves that look like Kepler's: what a detector must find is small
 * against what differs from star to star, so that it has to scale each star by itself and may not
 * rely on the phase of a transit. */
#include "core/memory.h"
#include "core/rng.h"
#include "data/formats/number.h"
#include "data/synth/out.h"
#include "data/synth/synth.h"

#include <math.h>
#include <string.h>

enum { BLOCK_STARS = 64, LABEL_TEXT = 4, FLUX_TEXT = 20 };
static const int64_t TEST_STARS =
    (int64_t)1 << 40; /* test stars are numbered from here: train's number does not move them */

#define T orr_synth_kepler_opts
const orr_option orr_synth_kepler_options[] = {
    ORR_OPTION_STRING(T, out, NULL, "folder to write train.csv and test.csv to"),
    ORR_OPTION_INT64(T, stars, "5087", 1, 1e9, "rows of train.csv"),
    ORR_OPTION_INT64(T, test_stars, "570", 0, 1e9, "rows of test.csv; 0 = no such file"),
    ORR_OPTION_INT64(T, samples, "3197", 1, 1e6, "fluxes of a star"),
    ORR_OPTION_REAL(T, positives, "0.00727", 0, 1, "share of stars with a planet"),
    ORR_OPTION_INT64(T, seed, "0", 0, INFINITY, "of all that is random"),
    ORR_OPTION_BOOL(T, overwrite, "false", "replace files that are there"),
    ORR_OPTION_END
};
#undef T

static double between(orr_rng *r, double lo, double hi)
{
    return lo + (hi - lo) * orr_rng_uniform(r);
}

/* Positives are spread evenly, from a place that depends on seed and file: their number is the
 * share, to one. */
static int is_positive(int64_t seed, int64_t star, double share)
{
    uint64_t file = (uint64_t)(star / TEST_STARS);
    orr_rng r = orr_rng_stream(orr_rng_key((uint64_t)seed, ORR_RNG_SYNTH, file, 1, 0));
    double start = orr_rng_uniform(&r), row = (double)(star % TEST_STARS);

    return floor((row + 1) * share + start) > floor(row * share + start);
}

/* Slow sinusoids, in units of the noise. */
static void add_trend(orr_rng *r, double *v, int64_t n)
{
    int waves = 2 + (int)orr_rng_below(r, 3);

    for (int k = 0; k < waves; k++) {
        double amplitude = between(r, 0.5, 5), period = between(r, 400, 4000);
        double phase = between(r, 0, 2 * M_PI);

        for (int64_t i = 0; i < n; i++)
            v[i] += amplitude * sin(2 * M_PI * (double)i / period + phase);
    }
}

/* Share of the depth at x samples into a transit: 1 for a box, with slopes of a quarter for a
 * trapezoid. */
static double profile(double x, double duration, int trapezoid)
{
    double slope = duration / 4, edge = x < duration - x ? x : duration - x;

    return trapezoid && edge < slope ? edge / slope : 1;
}

static void add_dips(orr_rng *r, double *v, int64_t n)
{
    double depth = between(r, 3, 10), duration = between(r, 3, 20);
    double period = 50 * pow(30, orr_rng_uniform(r)), start = between(r, 0, period);
    int trapezoid = (int)orr_rng_below(r, 2);

    for (int64_t i = 0; i < n; i++) {
        double x = fmod((double)i + period - start, period);

        if (x < duration) v[i] -= depth * profile(x, duration, trapezoid);
    }
}

static void make_star(int64_t seed, int64_t star, int64_t n, double positives, double *v,
                      int *label)
{
    orr_rng r = orr_rng_stream(orr_rng_key((uint64_t)seed, ORR_RNG_SYNTH, (uint64_t)star, 0, 0));
    double scale = pow(10, between(&r, 0, 4)), level = between(&r, -5, 5);

    *label = is_positive(seed, star, positives);
    for (int64_t i = 0; i < n; i++)
        v[i] = level + orr_rng_normal(&r);
    add_trend(&r, v, n);
    if (*label) add_dips(&r, v, n);
    for (int64_t i = 0; i < n; i++)
        v[i] = rint(v[i] * scale * 100) / 100; /* two decimals, as published */
}

orr_status orr_synth_kepler_star(int64_t seed, int64_t star, int64_t samples, double positives,
                                 float *flux, int *label)
{
    double *v = orr_alloc((size_t)samples, sizeof *v);

    if (!v)
        return orr_fail(ORR_ERR_NOMEM, "out of memory: a light curve of %lld samples",
                        (long long)samples);
    make_star(seed, star, samples, positives, v, label);
    for (int64_t i = 0; i < samples; i++)
        flux[i] = (float)v[i];
    orr_free(v);
    return ORR_OK;
}

static orr_status write_header(orr_out_file *out, int64_t samples)
{
    orr_status st = orr_out_file_add(out, "LABEL", 5);

    for (int64_t i = 1; st == ORR_OK && i <= samples; i++) {
        char name[32];
        int n = snprintf(name, sizeof name, ",FLUX.%lld", (long long)i);

        st = orr_out_file_add(out, name, (size_t)n);
    }
    return st == ORR_OK ? orr_out_file_add(out, "\n", 1) : st;
}

/* One line of text; returns its length. */
static size_t print_star(char *text, const double *v, int64_t n, int label)
{
    char *p = text;

    *p++ = label ? '2' : '1';
    for (int64_t i = 0; i < n; i++) {
        *p++ = ',';
        p += orr_number_print_float(p, (float)v[i]);
    }
    *p++ = '\n';
    return (size_t)(p - text);
}

/* Stars [first, first + n) to a file; blocks are made by all threads and written in order. */
static orr_status write_stars(orr_out_file *out, const orr_synth_kepler_opts *o, int64_t first,
                              int64_t n)
{
    size_t line = (size_t)o->samples * FLUX_TEXT + LABEL_TEXT, lengths[BLOCK_STARS];
    char *text = orr_alloc(BLOCK_STARS, line);
    double *v = orr_alloc((size_t)BLOCK_STARS * (size_t)o->samples, sizeof *v);
    orr_status st = ORR_OK;

    if (!text || !v)
        ORR_TRY_GOTO(st, done,
                     orr_fail(ORR_ERR_NOMEM, "out of memory: %d light curves", BLOCK_STARS));
    for (int64_t at = 0; at < n; at += BLOCK_STARS) {
        int stars = n - at < BLOCK_STARS ? (int)(n - at) : BLOCK_STARS;

#pragma omp parallel for schedule(dynamic)
        for (int i = 0; i < stars; i++) {
            double *flux = v + (size_t)i * (size_t)o->samples;
            int label;

            make_star(o->seed, first + at + i, o->samples, o->positives, flux, &label);
            lengths[i] = print_star(text + (size_t)i * line, flux, o->samples, label);
        }
        for (int i = 0; i < stars; i++)
            ORR_TRY_GOTO(st, done, orr_out_file_add(out, text + (size_t)i * line, lengths[i]));
    }
done:
    orr_free(text);
    orr_free(v);
    return st;
}

static orr_status write_file(const orr_synth_kepler_opts *o, const char *name, int64_t first,
                             int64_t n)
{
    orr_out_file out;
    orr_status st = ORR_OK;

    ORR_TRY(orr_synth_open(&out, o->out, name));
    ORR_TRY_GOTO(st, done, write_header(&out, o->samples));
    ORR_TRY_GOTO(st, done, write_stars(&out, o, first, n));
done:
    return orr_out_file_close(&out, st);
}

orr_status orr_synth_kepler(const orr_synth_kepler_opts *o)
{
    const char *const names[] = { "train.csv", o->test_stars ? "test.csv" : NULL, NULL };

    if (o->stars < 1 || o->stars >= TEST_STARS || o->test_stars < 0 || o->samples < 1)
        return orr_fail(ORR_ERR_ARG, "synth kepler: %lld stars of %lld samples",
                        (long long)o->stars, (long long)o->samples);
    ORR_TRY(orr_synth_folder(o->out, names, o->overwrite));
    ORR_TRY(write_file(o, "train.csv", 0, o->stars));
    return o->test_stars ? write_file(o, "test.csv", TEST_STARS, o->test_stars) : ORR_OK;
}
