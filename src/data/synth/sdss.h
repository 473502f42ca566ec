/* data/synth/sdss.h - what the files of the synthetic sky survey share: a field, its objects as
 * numbers, its frames as pixels, a frame as a file.   Not collective. */
#ifndef ORR_DATA_SYNTH_SDSS_H
#define ORR_DATA_SYNTH_SDSS_H

#include "core/rng.h"
#include "data/synth/synth.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { ORR_SDSS_BANDS = 5, ORR_SDSS_R = 2, ORR_SDSS_RERUN = 301 };

/* Purposes of the streams of random numbers, beside field and object. */
enum {
    ORR_SDSS_OF_RUN = 1,
    ORR_SDSS_OF_FIELD,
    ORR_SDSS_OF_PLACE,
    ORR_SDSS_OF_OBJECT,
    ORR_SDSS_OF_PIXELS
};

/* What a band is like, in every field. */
typedef struct orr_sdss_band {
    char name;
    double noise;      /* of the sky, in units of r's */
    double nmgy;       /* nanomaggies a count */
    double electrons;  /* a nanomaggy */
    double sky;        /* counts */
    double extinction; /* magnitudes for E(B-V) = 1 */
    double error;      /* least error of a magnitude */
    double seeing;     /* standard deviation of the point spread function, pixels */
} orr_sdss_band;
extern const orr_sdss_band orr_sdss_bands[ORR_SDSS_BANDS];

/* One frame: where it lies on the sky, and how it was exposed. */
typedef struct orr_sdss_frame {
    double crpix[2], crval[2], cd[2][2]; /* FITS: 1-based, degrees */
    double seeing, sky, sky_dx, sky_dy;  /* pixels; counts, counts a pixel */
} orr_sdss_frame;

typedef struct orr_sdss_object {
    int64_t id;
    double ra, dec, z;
    double x[ORR_SDSS_BANDS], y[ORR_SDSS_BANDS]; /* 0-based pixels of each band's frame */
    double flux[ORR_SDSS_BANDS];                 /* nanomaggies, as they arrive */
    double mag[ORR_SDSS_BANDS], mag_error[ORR_SDSS_BANDS], petro_r, e_bv;
    double radius, bulge, ratio, angle; /* half light, pixels; share; minor/major; radians from x */
    double twin_z;                      /* of its second row; NaN = it has none */
    int starforming, has_star;
    double star_x[ORR_SDSS_BANDS], star_y[ORR_SDSS_BANDS], star_flux[ORR_SDSS_BANDS];
} orr_sdss_object;

typedef struct orr_sdss_field {
    int64_t number;
    int run, camcol, field;
    double ra, dec, e_bv;
    orr_sdss_frame frames[ORR_SDSS_BANDS];
    int64_t n;
    orr_sdss_object *objects;
} orr_sdss_field;

/* A stream of the survey's, for one purpose. */
orr_rng orr_sdss_stream(const orr_synth_sdss_opts *o, int64_t field, int64_t object, int purpose);
/* ---- sdss_objects.c ---- */
orr_status orr_sdss_field_make(orr_sdss_field *out, const orr_synth_sdss_opts *o, int64_t number);
void orr_sdss_field_free(orr_sdss_field *f);
/* ---- sdss_pixels.c: image[height][width], zeroed ---- */
void orr_sdss_paint(const orr_synth_sdss_opts *o, const orr_sdss_field *f, int band, float *image);
/* The calibration of column x, nanomaggies a count; the sky of a pixel, counts. */
double orr_sdss_calibration(const orr_synth_sdss_opts *o, int band, int x);
double orr_sdss_sky(const orr_sdss_frame *f, double x, double y);
/* ---- sdss_frame.c: the whole file in memory, plain; *out is the caller's to orr_free ---- */
orr_status orr_sdss_fits(const orr_synth_sdss_opts *o, const orr_sdss_field *f, int band,
                         float *image, char **out, size_t *bytes);

#ifdef __cplusplus
}
#endif
#endif
