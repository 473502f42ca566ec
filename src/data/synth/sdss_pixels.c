/* data/synth/sdss_pixels.c - a band of a field as pixels: galaxies and stars through the seeing,
 * the noise of sky and photons, whole counts, and the archive's lossy mantissas.
 * Profiles as sums of Gaussians: Hogg and Lang 2013, PASP 125, 719; the numbers are a least-squares
 * fit of our own to an exponential cut at 4 and a de Vaucouleurs profile cut at 8 half-light
 * radii. */
#include "data/synth/sdss.h"

#include <math.h>
#include <string.h>

typedef struct {
    double share, sigma; /* of the flux; half-light radii */
} part;
static const part DISC[] = { { 0.000905, 0.060000 }, { 0.000353, 0.093610 }, { 0.006444, 0.146046 },
                             { 0.017265, 0.227855 }, { 0.064731, 0.355490 }, { 0.189013, 0.554620 },
                             { 0.372468, 0.865296 }, { 0.348821, 1.350000 } };
static const part BULGE[] = {
    { 0.002827, 0.012000 }, { 0.004508, 0.021706 }, { 0.016160, 0.039263 }, { 0.030030, 0.071022 },
    { 0.062167, 0.128468 }, { 0.102280, 0.232379 }, { 0.151136, 0.420339 }, { 0.195449, 0.760332 },
    { 0.172318, 1.375328 }, { 0.206540, 2.487765 }, { 0.056585, 4.500000 }
};
enum { DISC_PARTS = sizeof DISC / sizeof *DISC, BULGE_PARTS = sizeof BULGE / sizeof *BULGE };

/* A Gaussian: flux, centre, covariance (pixels). */
typedef struct {
    double flux, x, y, xx, xy, yy;
} blob;

typedef struct {
    float *pixels;
    int width, height;
    double least; /* what adds less to a pixel is left out */
} canvas;

static int at_least(double v, int least)
{
    return v > least ? (int)v : least;
}

static int at_most(double v, int most)
{
    return v < most ? (int)v : most;
}

/* exp(-q/2), q quadratic in x, needs two products a pixel: the ratio of neighbours changes by a
 * constant factor. */
static void paint_row(float *row, int x0, int x1, const double k[4])
{
    double dx = x0 - k[3], value, ratio, factor = exp(-k[0]);

    value = k[2] * exp(-0.5 * (k[0] * dx * dx + 2 * k[1] * dx));
    ratio = exp(-0.5 * (k[0] * (2 * dx + 1) + 2 * k[1]));
    for (int x = x0; x <= x1; x++) {
        row[x] += (float)value;
        value *= ratio;
        ratio *= factor;
    }
}

static void paint_blob(const canvas *c, const blob *g)
{
    double det = g->xx * g->yy - g->xy * g->xy, peak = g->flux / (2 * M_PI * sqrt(det)), reach;
    double a = g->yy / det, b = -g->xy / det, d = g->xx / det;
    int x0, x1, y0, y1;

    if (!(peak > c->least)) return;
    reach = sqrt(2 * log(peak / c->least));
    x0 = at_least(ceil(g->x - reach * sqrt(g->xx)), 0);
    x1 = at_most(floor(g->x + reach * sqrt(g->xx)), c->width - 1);
    y0 = at_least(ceil(g->y - reach * sqrt(g->yy)), 0);
    y1 = at_most(floor(g->y + reach * sqrt(g->yy)), c->height - 1);
    for (int y = y0; y <= y1; y++) {
        double dy = y - g->y;
        double k[4] = { a, b * dy, peak * exp(-0.5 * d * dy * dy), g->x };

        paint_row(c->pixels + (size_t)y * (size_t)c->width, x0, x1, k);
    }
}

/* bulge and disc share axes and half-light radius */
static void paint_parts(const canvas *c, const orr_sdss_object *q, int band, double seeing,
                        const part *parts, int n, double flux)
{
    double cosine = cos(q->angle), sine = sin(q->angle);

    for (int i = 0; i < n; i++) {
        double major = parts[i].sigma * q->radius, minor = major * q->ratio;
        double u = major * major, v = minor * minor;
        blob g = { .flux = flux * parts[i].share,
                   .x = q->x[band],
                   .y = q->y[band],
                   .xx = u * cosine * cosine + v * sine * sine + seeing * seeing,
                   .xy = (u - v) * cosine * sine,
                   .yy = u * sine * sine + v * cosine * cosine + seeing * seeing };

        paint_blob(c, &g);
    }
}

/* A star has wide wings: what makes it a bad neighbour. */
static void paint_star(const canvas *c, const orr_sdss_object *q, int band, double seeing)
{
    const double wing = 3 * seeing;
    blob core = { 0.9 * q->star_flux[band], q->star_x[band], q->star_y[band], seeing * seeing, 0,
                  seeing * seeing };
    blob wings = {
        0.1 * q->star_flux[band], q->star_x[band], q->star_y[band], wing * wing, 0, wing * wing
    };

    paint_blob(c, &core);
    paint_blob(c, &wings);
}

double orr_sdss_calibration(const orr_synth_sdss_opts *o, int band, int x)
{
    double nmgy = orr_sdss_bands[band].nmgy * (1 + 2e-3 * ((double)x / o->width - 0.5));

    return (double)(float)nmgy; /* what the vector in the file says */
}

double orr_sdss_sky(const orr_sdss_frame *f, double x, double y)
{
    return f->sky + f->sky_dx * x + f->sky_dy * y;
}

/* Two normal numbers from two words (Box and Muller), to float precision. */
static void normal_pair(uint32_t a, uint32_t b, float out[2])
{
    float radius = sqrtf(-2 * logf(1 - orr_rng_unit(a)));
    float angle = 2 * (float)M_PI * orr_rng_unit(b);

    out[0] = radius * cosf(angle);
    out[1] = radius * sinf(angle);
}

/* Keeps that many bits of the mantissa, rounded to the nearest. */
static float keep_bits(float v, int bits)
{
    uint32_t u, drop = 23 - (uint32_t)bits;

    memcpy(&u, &v, sizeof u);
    u = (u + (1u << (drop - 1))) & ~((1u << drop) - 1);
    memcpy(&v, &u, sizeof v);
    return v;
}

typedef struct {
    const orr_synth_sdss_opts *o;
    const orr_sdss_band *band;
    const orr_sdss_frame *frame;
    uint64_t key;
} exposure;

/* Light to what the archive has: noise, full wells, whole counts, sky taken off again. */
static void expose_row(const exposure *e, float *row, int y, int band)
{
    enum { FULL = 64000 };
    int width = e->o->width;
    double noise = e->o->noise * e->band->noise, photons = noise > 0 ? 1 / e->band->electrons : 0;
    uint64_t block = (uint64_t)y * (uint64_t)((width + 3) / 4);

    for (int x = 0; x < width; x += 4, block++) {
        orr_philox p = orr_rng_block(e->key, block);
        float normal[4];

        normal_pair(p.v[0], p.v[1], normal);
        normal_pair(p.v[2], p.v[3], normal + 2);
        for (int i = 0; i < 4 && x + i < width; i++) {
            double nmgy = orr_sdss_calibration(e->o, band, x + i);
            double sky = orr_sdss_sky(e->frame, x + i, y), light = (double)row[x + i], counts;

            light += (double)normal[i] * sqrt(noise * noise + light * photons);
            counts = rint(light / nmgy + sky);
            counts = counts > FULL ? FULL : counts;
            row[x + i] = (float)((counts - sky) * nmgy);
            if (e->o->bits > 0 && e->o->bits < 23) row[x + i] = keep_bits(row[x + i], e->o->bits);
        }
    }
}

void orr_sdss_paint(const orr_synth_sdss_opts *o, const orr_sdss_field *f, int band, float *image)
{
    const orr_sdss_frame *frame = &f->frames[band];
    double faint = o->noise > 0 ? o->noise * orr_sdss_bands[band].noise : orr_sdss_bands[band].nmgy;
    canvas c = { image, o->width, o->height, 1e-3 * faint };
    exposure e = { o, &orr_sdss_bands[band], frame,
                   orr_rng_key((uint64_t)o->seed, ORR_RNG_SYNTH, (uint64_t)f->number,
                               (uint64_t)band, ORR_SDSS_OF_PIXELS) };

    for (int64_t i = 0; i < f->n; i++) {
        const orr_sdss_object *q = &f->objects[i];

        paint_parts(&c, q, band, frame->seeing, BULGE, BULGE_PARTS, q->flux[band] * q->bulge);
        paint_parts(&c, q, band, frame->seeing, DISC, DISC_PARTS, q->flux[band] * (1 - q->bulge));
        if (q->has_star) paint_star(&c, q, band, frame->seeing);
    }
    for (int y = 0; y < o->height; y++)
        expose_row(&e, image + (size_t)y * (size_t)o->width, y, band);
}
