/* data/synth/sdss_objects.c - the sky of the synthetic survey: where fields lie, which galaxies are
 * in them, how bright they are, and what a catalogue would say of them.
 * World coordinates: WCSLIB.  Extinction a band: Schlegel, Finkbeiner and Davis 1998, table 6. */
#include "core/memory.h"
#include "data/synth/sdss.h"

#include <math.h>
#include <string.h>
#include <wcslib/wcs.h>

/* noise, nmgy, electrons, sky: as measured on frames of the archive */
const orr_sdss_band orr_sdss_bands[ORR_SDSS_BANDS] = {
    { 'u', 1.4, 0.0105, 160, 42, 4.239, 0.025, 1.55 },
    { 'g', 0.75, 0.0036, 850, 96, 3.303, 0.010, 1.50 },
    { 'r', 1.0, 0.0048, 950, 182, 2.285, 0.008, 1.40 },
    { 'i', 1.8, 0.0065, 700, 187, 1.698, 0.008, 1.35 },
    { 'z', 6.5, 0.0340, 120, 108, 1.263, 0.015, 1.35 },
};

enum { FIELDS_A_STRIP = 40, CAMERA_COLUMNS = 6, FIRST_RUN = 1000, RUN_STEP = 13, FIRST_FIELD = 11 };
static const double PIXEL = 0.396 / 3600;   /* degrees */
static const double ARCSEC = 1 / 0.396;     /* pixels */
static const double EDGE = 16, INSIDE = 20; /* pixels */
static const double BRANCH_STEP = 0.10, BRIGHTEST = 14.5, FAINTEST = 17.8;

static double between(orr_rng *r, double lo, double hi)
{
    return lo + (hi - lo) * orr_rng_uniform(r);
}

static double clamp(double x, double lo, double hi)
{
    return x < lo ? lo : x > hi ? hi : x;
}

orr_rng orr_sdss_stream(const orr_synth_sdss_opts *o, int64_t field, int64_t object, int purpose)
{
    return orr_rng_stream(orr_rng_key((uint64_t)o->seed, ORR_RNG_SYNTH, (uint64_t)field,
                                      (uint64_t)object, (uint64_t)purpose));
}

/* ---- fields and frames ---- */

/* Strips of one run lie side by side; the first run's first field crosses right ascension 0. */
static void place_field(orr_sdss_field *f, const orr_synth_sdss_opts *o, double *turn)
{
    int64_t along = f->number / CAMERA_COLUMNS % FIELDS_A_STRIP;
    int64_t run = f->number / CAMERA_COLUMNS / FIELDS_A_STRIP;
    orr_rng r = orr_sdss_stream(o, run, 0, ORR_SDSS_OF_RUN);
    double dec = between(&r, -8, 55), step = (o->height + 64) * PIXEL, xi, eta, across;

    *turn = between(&r, -0.3, 0.3);
    if (run == 0) dec = -0.9;
    f->run = (int)(FIRST_RUN + run * RUN_STEP);
    f->camcol = (int)(f->number % CAMERA_COLUMNS) + 1;
    f->field = (int)(FIRST_FIELD + along);
    across = (f->camcol - 1) * 1.9 * o->width * PIXEL;
    xi = step * (double)along * cos(*turn) - across * sin(*turn);
    eta = step * (double)along * sin(*turn) + across * cos(*turn);
    f->dec = dec + eta;
    f->ra = fmod(360 + 37.0 * (double)run + xi / cos(f->dec * M_PI / 180), 360);
}

/* Rows run along the scan, columns across it, as in the archive; turn in radians. */
static void turn_frame(orr_sdss_frame *frame, double turn, double pixel)
{
    frame->cd[0][0] = -pixel * sin(turn);
    frame->cd[0][1] = pixel * cos(turn);
    frame->cd[1][0] = pixel * cos(turn);
    frame->cd[1][1] = pixel * sin(turn);
}

static void place_frames(orr_sdss_field *f, const orr_synth_sdss_opts *o, double turn)
{
    orr_rng r = orr_sdss_stream(o, f->number, 0, ORR_SDSS_OF_FIELD);
    double seeing = between(&r, 0.92, 1.12);
    const int middle[2] = { o->width / 2 + 1, o->height / 2 + 1 }; /* the archive's: 1025, 745 */

    f->e_bv = clamp(0.012 - 0.033 * log(1 - orr_rng_uniform(&r)), 0, 0.16);
    for (int b = 0; b < ORR_SDSS_BANDS; b++) {
        orr_sdss_frame *frame = &f->frames[b];
        double dx = between(&r, -6, 6), dy = between(&r, -6, 6), off = between(&r, -1, 1);

        if (b == ORR_SDSS_R) dx = dy = off = 0;
        frame->crpix[0] = middle[0];
        frame->crpix[1] = middle[1];
        turn_frame(frame, turn + 0.002 * off, PIXEL * (1 + 1e-4 * off));
        frame->crval[0] =
            f->ra + (frame->cd[0][0] * dx + frame->cd[0][1] * dy) / cos(f->dec * M_PI / 180);
        frame->crval[0] = fmod(frame->crval[0] + 360, 360);
        frame->crval[1] = f->dec + frame->cd[1][0] * dx + frame->cd[1][1] * dy;
        frame->seeing = orr_sdss_bands[b].seeing * seeing;
        frame->sky = orr_sdss_bands[b].sky * between(&r, 0.9, 1.1);
        frame->sky_dx = between(&r, -3e-4, 3e-4);
        frame->sky_dy = between(&r, -3e-4, 3e-4);
    }
}

/* ---- sky and pixels ---- */

static orr_status wcs_of(struct wcsprm *w, const orr_sdss_frame *frame)
{
    int error;

    memset(w, 0, sizeof *w);
    w->flag = -1;
    if (wcsini(1, 2, w) != 0) return orr_fail(ORR_ERR_NOMEM, "out of memory: world coordinates");
    for (int i = 0; i < 2; i++) {
        w->crpix[i] = frame->crpix[i];
        w->crval[i] = frame->crval[i];
        for (int j = 0; j < 2; j++)
            w->cd[2 * i + j] = frame->cd[i][j];
    }
    w->altlin = 2; /* CD matrix */
    memcpy(w->ctype[0], "RA---TAN", sizeof "RA---TAN");
    memcpy(w->ctype[1], "DEC--TAN", sizeof "DEC--TAN");
    if ((error = wcsset(w)) != 0)
        return orr_fail(ORR_ERR_INTERNAL, "WCSLIB refuses a frame: %s", wcs_errmsg[error]);
    return ORR_OK;
}

/* One point; 1-based pixels, as WCSLIB counts. */
static orr_status to_sky(struct wcsprm *w, double x, double y, double *ra, double *dec)
{
    double pixel[2] = { x + 1, y + 1 }, image[2], phi, theta, world[2];
    int bad = 0;

    if (wcsp2s(w, 1, 2, pixel, image, &phi, &theta, world, &bad) != 0 || bad)
        return orr_fail(ORR_ERR_INTERNAL, "pixel %g, %g has no place on the sky", x, y);
    *ra = fmod(world[0] + 360, 360);
    *dec = world[1];
    return ORR_OK;
}

static orr_status to_pixel(struct wcsprm *w, double ra, double dec, double *x, double *y)
{
    double world[2] = { ra, dec }, phi, theta, image[2], pixel[2];
    int bad = 0;

    if (wcss2p(w, 1, 2, world, &phi, &theta, image, pixel, &bad) != 0 || bad)
        return orr_fail(ORR_ERR_INTERNAL, "%g, %g degrees have no pixel", ra, dec);
    *x = pixel[0] - 1;
    *y = pixel[1] - 1;
    return ORR_OK;
}

/* Objects have their place in r; the sky gives it in the other bands. */
static orr_status place_in_bands(orr_sdss_field *f)
{
    struct wcsprm w[ORR_SDSS_BANDS];
    orr_status st = ORR_OK;
    int made = 0;

    for (; made < ORR_SDSS_BANDS; made++)
        if ((st = wcs_of(&w[made], &f->frames[made])) != ORR_OK) goto done;
    for (int64_t i = 0; i < f->n; i++) {
        orr_sdss_object *q = &f->objects[i];
        double ra, dec;

        ORR_TRY_GOTO(st, done,
                     to_sky(&w[ORR_SDSS_R], q->x[ORR_SDSS_R], q->y[ORR_SDSS_R], &q->ra, &q->dec));
        ORR_TRY_GOTO(
            st, done,
            to_sky(&w[ORR_SDSS_R], q->star_x[ORR_SDSS_R], q->star_y[ORR_SDSS_R], &ra, &dec));
        for (int b = 0; b < ORR_SDSS_BANDS; b++) {
            ORR_TRY_GOTO(st, done, to_pixel(&w[b], q->ra, q->dec, &q->x[b], &q->y[b]));
            ORR_TRY_GOTO(st, done, to_pixel(&w[b], ra, dec, &q->star_x[b], &q->star_y[b]));
        }
    }
done:
    for (int b = 0; b < made + (made < ORR_SDSS_BANDS); b++)
        wcsfree(&w[b]);
    return st;
}

/* ---- places ---- */

static void draw_place(orr_rng *r, const orr_synth_sdss_opts *o, int edge, double *x, double *y)
{
    double w = o->width - 1, h = o->height - 1;

    *x = between(r, edge ? 0.5 : INSIDE, w - (edge ? 0.5 : INSIDE));
    *y = between(r, edge ? 0.5 : INSIDE, h - (edge ? 0.5 : INSIDE));
    if (!edge) return;
    switch (orr_rng_below(r, 4)) {
    case 0:
        *x = between(r, 0.5, EDGE - 0.5);
        break;
    case 1:
        *x = w - between(r, 0.5, EDGE - 0.5);
        break;
    case 2:
        *y = between(r, 0.5, EDGE - 0.5);
        break;
    default:
        *y = h - between(r, 0.5, EDGE - 0.5);
    }
}

/* Distance, squared, to the nearest of the first n objects. */
static double clearance(const orr_sdss_object *objects, int64_t n, double x, double y)
{
    double least = INFINITY;

    for (int64_t i = 0; i < n; i++) {
        double dx = objects[i].x[ORR_SDSS_R] - x, dy = objects[i].y[ORR_SDSS_R] - y;

        least = fmin(least, dx * dx + dy * dy);
    }
    return least;
}

/* The best of a few tries: blends are there, but not many. */
static void place_object(orr_sdss_field *f, const orr_synth_sdss_opts *o, int64_t i)
{
    enum { TRIES = 24 };
    static const double ENOUGH = 56 * 56;
    orr_rng r = orr_sdss_stream(o, f->number, i, ORR_SDSS_OF_PLACE);
    orr_sdss_object *q = &f->objects[i];
    int edge = orr_rng_uniform(&r) < o->edges;
    double best = -1, distance, angle;

    for (int k = 0; k < TRIES && best < ENOUGH; k++) {
        double x, y, d;

        draw_place(&r, o, edge, &x, &y);
        d = clearance(f->objects, i, x, y);
        if (d <= best) continue;
        best = d;
        q->x[ORR_SDSS_R] = x;
        q->y[ORR_SDSS_R] = y;
    }
    q->has_star = orr_rng_uniform(&r) < o->saturated;
    distance = between(&r, 9, 17);
    angle = between(&r, 0, 2 * M_PI);
    q->star_x[ORR_SDSS_R] = q->x[ORR_SDSS_R] + distance * cos(angle);
    q->star_y[ORR_SDSS_R] = q->y[ORR_SDSS_R] + distance * sin(angle);
}

/* ---- what a galaxy is like ---- */

/* Luminosity distance, Mpc: the expansion in z of a flat universe, 30 % matter, H0 = 70. */
static double luminosity_distance(double z)
{
    const double q0 = -0.55, j0 = 1, c_h0 = 299792.458 / 70;

    return c_h0 * (z + (1 - q0) * z * z / 2 - (1 - q0 - 3 * q0 * q0 + j0) * z * z * z / 6);
}

/* Magnitudes, r and colours, of a galaxy that looks like redshift z, before extinction. */
static void draw_magnitudes(orr_rng *r, orr_sdss_object *q, double z,
                            double magnitude[ORR_SDSS_BANDS])
{
    double disc = q->starforming ? 0 : 1 - q->bulge;
    double u_g = 1.60 + 1.9 * z - 2.0 * z * z, g_r = 0.62 + 2.55 * z - 1.6 * z * z;
    double r_i = 0.34 + 0.55 * z, i_z = 0.22 + 0.40 * z, red;

    if (q->starforming) u_g -= 0.75, g_r -= 0.38, r_i -= 0.14, i_z -= 0.09;
    u_g += -0.12 * disc + 0.05 * orr_rng_normal(r);
    g_r += -0.06 * disc + 0.022 * orr_rng_normal(r);
    r_i += -0.03 * disc + 0.016 * orr_rng_normal(r);
    i_z += -0.02 * disc + 0.018 * orr_rng_normal(r);
    do
        red = 15.2 + 2.0 * sqrt(z / 0.4) + 0.45 * orr_rng_normal(r);
    while (red < BRIGHTEST || red > FAINTEST);
    magnitude[2] = red;
    magnitude[1] = red + g_r;
    magnitude[0] = magnitude[1] + u_g;
    magnitude[3] = red - r_i;
    magnitude[4] = magnitude[3] - i_z;
}

/* Half-light radius, pixels: from luminosity to kiloparsecs to the angle on the sky. */
static double draw_radius(orr_rng *r, double red, double z)
{
    double d = luminosity_distance(z);
    double absolute = red - 5 * log10(d * 1e5) - 0.9 * z;
    double kpc = 4 * pow(10, -0.16 * (absolute + 21.5) + 0.12 * orr_rng_normal(r));
    double arcsec = kpc / (d * 1e3 / ((1 + z) * (1 + z))) * 180 * 3600 / M_PI;

    return clamp(arcsec, 0.9, 8) * ARCSEC;
}

/* Catalogue magnitude and its error: sky noise under the galaxy, photons, calibration. */
static void measure(orr_rng *r, const orr_synth_sdss_opts *o, orr_sdss_object *q, int b)
{
    const orr_sdss_band *band = &orr_sdss_bands[b];
    double area = M_PI * (4 * q->radius * q->radius + 4 * band->seeing * band->seeing);
    double sky = o->noise * band->noise, flux = q->flux[b];
    double error = sqrt(sky * sky * area + flux / band->electrons) / flux * 2.5 / M_LN10;

    q->mag_error[b] = hypot(error, band->error);
    q->mag[b] = 22.5 - 2.5 * log10(flux) + q->mag_error[b] * orr_rng_normal(r);
}

static double draw_redshift(orr_rng *r, const orr_synth_sdss_opts *o, orr_sdss_object *q)
{
    double u = orr_rng_uniform(r), looks;

    q->starforming = orr_rng_uniform(r) < o->degenerate;
    if (q->starforming) {
        looks = 0.04 + 0.24 * u;
        q->z = looks + BRANCH_STEP * (double)orr_rng_below(r, 2);
        return looks;
    }
    return q->z = 0.01 + 0.38 * pow(u, 1.3);
}

static void draw_star(orr_rng *r, orr_sdss_object *q)
{
    double red = between(r, 11, 13), blue = between(r, 0, 1);
    const double colour[ORR_SDSS_BANDS] = { 1.2 + 1.2 * blue, 0.4 + 0.8 * blue, 0,
                                            -0.1 - 0.4 * blue, -0.1 - 0.6 * blue };

    for (int b = 0; b < ORR_SDSS_BANDS; b++)
        q->star_flux[b] = q->has_star ? pow(10, 0.4 * (22.5 - red - colour[b])) : 0;
}

/* The 64 bits of SDSS: sky version 2, rerun, run, camera column, field, number. */
static int64_t object_id(const orr_sdss_field *f, int64_t i)
{
    return (int64_t)2 << 59 | (int64_t)ORR_SDSS_RERUN << 48 | (int64_t)f->run << 32 |
           (int64_t)f->camcol << 29 | (int64_t)f->field << 16 | (i + 1);
}

static void make_object(orr_sdss_field *f, const orr_synth_sdss_opts *o, int64_t i)
{
    orr_rng r = orr_sdss_stream(o, f->number, i, ORR_SDSS_OF_OBJECT);
    orr_sdss_object *q = &f->objects[i];
    double magnitude[ORR_SDSS_BANDS], looks, e_bv;

    q->id = object_id(f, i);
    looks = draw_redshift(&r, o, q);
    q->bulge = q->starforming ? 0.3 * orr_rng_uniform(&r) : orr_rng_uniform(&r);
    draw_magnitudes(&r, q, looks, magnitude);
    q->radius = draw_radius(&r, magnitude[ORR_SDSS_R], looks);
    q->ratio = between(&r, 0.3 + 0.3 * q->bulge, 1);
    q->angle = between(&r, 0, M_PI);
    e_bv = clamp(f->e_bv * (1 + 0.1 * orr_rng_normal(&r)), 0, 0.5);
    q->e_bv = e_bv * (1 + 0.03 * orr_rng_normal(&r));
    for (int b = 0; b < ORR_SDSS_BANDS; b++) {
        double dimmed = magnitude[b] + orr_sdss_bands[b].extinction * e_bv;

        q->flux[b] = pow(10, 0.4 * (22.5 - dimmed));
        measure(&r, o, q, b);
    }
    q->petro_r = q->mag[ORR_SDSS_R] + 0.03 + 0.02 * orr_rng_normal(&r);
    draw_star(&r, q);
    q->twin_z = NAN;
    if (orr_rng_uniform(&r) < o->duplicates) q->twin_z = q->z + 4e-4 * orr_rng_normal(&r);
}

orr_status orr_sdss_field_make(orr_sdss_field *out, const orr_synth_sdss_opts *o, int64_t number)
{
    double turn;
    orr_status st;

    *out = (orr_sdss_field){ .number = number, .n = o->objects };
    if (!(out->objects = orr_alloc((size_t)o->objects, sizeof *out->objects)))
        return orr_fail(ORR_ERR_NOMEM, "out of memory: %lld objects of a field",
                        (long long)o->objects);
    place_field(out, o, &turn);
    place_frames(out, o, turn);
    for (int64_t i = 0; i < out->n; i++) {
        place_object(out, o, i);
        make_object(out, o, i);
    }
    if ((st = place_in_bands(out)) != ORR_OK) orr_sdss_field_free(out);
    return st;
}

void orr_sdss_field_free(orr_sdss_field *f)
{
    orr_free(f->objects);
    f->objects = NULL;
}
