/* data/synth/sdss_frame.c - a frame as the archive's "frame" files are: image, calibration vector,
 * sky table, asTrans table, keyword for keyword where somebody may read them.  Written by cfitsio
 * into memory. */
#include "core/memory.h"
#include "data/synth/sdss.h"

#include <fitsio.h>
#include <string.h>

enum { SKY_STEP = 8, BLOCK = 2880, HEADERS = 24 * BLOCK, AS_TRANS = 31 };

/* cfitsio's convention: nothing is done once *status is set. */
static void put_text(fitsfile *f, const char *key, const char *value, const char *note, int *status)
{
    fits_write_key_str(f, key, value, note, status);
}

static void put_int(fitsfile *f, const char *key, int64_t value, const char *note, int *status)
{
    fits_write_key_lng(f, key, value, note, status);
}

static void put_real(fitsfile *f, const char *key, double value, const char *note, int *status)
{
    fits_write_key_dbl(f, key, value, -15, note, status); /* 15 digits, as few as will do */
}

static void put_exposure(fitsfile *f, const orr_sdss_field *field, int band, int *status)
{
    const char filter[2] = { orr_sdss_bands[band].name, '\0' };

    put_real(f, "TAI", 4412900000.0 + 36 * (double)field->field,
             "1st row - Number of seconds since Nov 17 1858", status);
    put_text(f, "ORIGIN", "SDSS", "synthetic", status);
    put_text(f, "TELESCOP", "2.5m", NULL, status);
    put_int(f, "RUN", field->run, "Run number", status);
    put_int(f, "FRAME", field->field, "Frame sequence number within the run", status);
    put_text(f, "FLAVOR", "science", "Flavor of this run", status);
    put_text(f, "FIELD", "NA", "Field sequence number within the run", status);
    put_text(f, "EXPTIME", "53.901312", "Exposure time (seconds)", status);
    put_text(f, "CCDMODE", "DRIFT", "'STARING' or 'DRIFT'", status);
    put_real(f, "EQUINOX", 2000, NULL, status);
    put_int(f, "SOFTBIAS", 1000, "software \"bias\" added to all DN", status);
    put_text(f, "BUNIT", "nanomaggy", "1 nanomaggy = 3.631e-6 Jy", status);
    put_text(f, "FILTER", filter, "filter used", status);
    put_int(f, "CAMCOL", field->camcol, "column in the imaging camera", status);
}

static void put_wcs(fitsfile *f, const orr_sdss_frame *w, int *status)
{
    put_text(f, "RADECSYS", "ICRS", "International Celestial Ref. System", status);
    put_text(f, "CTYPE1", "RA---TAN", "Coordinate type", status);
    put_text(f, "CTYPE2", "DEC--TAN", "Coordinate type", status);
    put_text(f, "CUNIT1", "deg", "Units", status);
    put_text(f, "CUNIT2", "deg", "Units", status);
    put_real(f, "CRPIX1", w->crpix[0], "X of reference pixel", status);
    put_real(f, "CRPIX2", w->crpix[1], "Y of reference pixel", status);
    put_real(f, "CRVAL1", w->crval[0], "RA of reference pixel (deg)", status);
    put_real(f, "CRVAL2", w->crval[1], "Dec of reference pixel (deg)", status);
    put_real(f, "CD1_1", w->cd[0][0], "RA deg per column pixel", status);
    put_real(f, "CD1_2", w->cd[0][1], "RA deg per row pixel", status);
    put_real(f, "CD2_1", w->cd[1][0], "Dec deg per column pixel", status);
    put_real(f, "CD2_2", w->cd[1][1], "Dec deg per row pixel", status);
}

static void put_image(fitsfile *f, const orr_synth_sdss_opts *o, const orr_sdss_field *field,
                      int band, float *image, int *status)
{
    long size[2] = { o->width, o->height };

    fits_create_img(f, FLOAT_IMG, 2, size, status);
    put_exposure(f, field, band, status);
    put_wcs(f, &field->frames[band], status);
    if (o->bits)
        fits_write_comment(f, "Floats truncated at binary digits with FLOATCOMPRESS", status);
    put_real(f, "NMGY", orr_sdss_bands[band].nmgy, "Calibration factor [nMgy per count]", status);
    put_text(f, "RERUN", "301", "rerun", status);
    fits_write_img(f, TFLOAT, 1, (LONGLONG)o->width * o->height, image, status);
}

/* HDU 1: nanomaggies a count, for each column.  row: room for width numbers. */
static void put_calibration(fitsfile *f, const orr_synth_sdss_opts *o, int band, float *row,
                            int *status)
{
    long size[1] = { o->width };

    for (int x = 0; x < o->width; x++)
        row[x] = (float)orr_sdss_calibration(o, band, x);
    fits_create_img(f, FLOAT_IMG, 1, size, status);
    fits_write_img(f, TFLOAT, 1, o->width, row, status);
}

static int sky_cells(int pixels)
{
    return pixels / SKY_STEP + 2;
}

static void put_places(fitsfile *f, int column, int n, float *row, int *status)
{
    for (int i = 0; i < n; i++)
        row[i] = ((float)i + 0.5f) / SKY_STEP;
    fits_write_col(f, TFLOAT, column, 1, 1, n, row, status);
}

/* HDU 2: the sky at every eighth pixel, and where in that grid each column and row lies; linear
 * interpolation gives the sky that was subtracted. */
static void put_sky(fitsfile *f, const orr_synth_sdss_opts *o, const orr_sdss_frame *frame,
                    float *room, int *status)
{
    int w = sky_cells(o->width), h = sky_cells(o->height);
    char forms[3][24], all[] = "ALLSKY", x[] = "XINTERP", y[] = "YINTERP";
    char *names[3] = { all, x, y }, *formats[3] = { forms[0], forms[1], forms[2] };
    long size[2] = { w, h };

    snprintf(forms[0], sizeof forms[0], "%dE", w * h);
    snprintf(forms[1], sizeof forms[1], "%dE", o->width);
    snprintf(forms[2], sizeof forms[2], "%dE", o->height);
    fits_create_tbl(f, BINARY_TBL, 1, 3, names, formats, NULL, NULL, status);
    fits_write_tdim(f, 1, 2, size, status);
    for (int i = 0; i < h; i++)
        for (int j = 0; j < w; j++)
            room[i * w + j] = (float)orr_sdss_sky(frame, j * SKY_STEP - 0.5, i * SKY_STEP - 0.5);
    fits_write_col(f, TFLOAT, 1, 1, 1, (LONGLONG)w * h, room, status);
    put_places(f, 2, o->width, room, status);
    put_places(f, 3, o->height, room, status);
}

typedef struct {
    char name[8], form[4];
    double value;
} cell;

/* One row; texts are the caller's to fill in. */
static void put_cells(fitsfile *f, cell *cells, int *status)
{
    char *names[AS_TRANS], *forms[AS_TRANS];

    for (int i = 0; i < AS_TRANS; i++) {
        names[i] = cells[i].name;
        forms[i] = cells[i].form;
    }
    fits_create_tbl(f, BINARY_TBL, 1, AS_TRANS, names, forms, NULL, NULL, status);
    for (int i = 0; i < AS_TRANS; i++)
        if (!strchr(forms[i], 'A')) fits_write_col_dbl(f, i + 1, 1, 1, 1, &cells[i].value, status);
}

/* HDU 3: the older description of the astrometry, as affine coefficients (row before column). */
static void put_as_trans(fitsfile *f, const orr_synth_sdss_opts *o, const orr_sdss_field *field,
                         int band, int *status)
{
    const orr_sdss_frame *w = &field->frames[band];
    double x = w->crpix[0] - 0.5, y = w->crpix[1] - 0.5;
    cell cells[AS_TRANS] = {
        { "RUN", "J", field->run },
        { "RERUN", "3A", 0 },
        { "CAMCOL", "J", field->camcol },
        { "FILTER", "A", 0 },
        { "NODE", "D", 0 },
        { "INCL", "D", 0 },
        { "NAXIS", "2J", o->width },
        { "FIELD", "J", field->field },
        { "A", "D", w->crval[0] - w->cd[0][1] * y - w->cd[0][0] * x },
        { "B", "D", w->cd[0][1] },
        { "C", "D", w->cd[0][0] },
        { "D", "D", w->crval[1] - w->cd[1][1] * y - w->cd[1][0] * x },
        { "E", "D", w->cd[1][1] },
        { "F", "D", w->cd[1][0] },
        { "DROW0", "D", 0 },
        { "DROW1", "D", 0 },
        { "DROW2", "D", 0 },
        { "DROW3", "D", 0 },
        { "DCOL0", "D", 0 },
        { "DCOL1", "D", 0 },
        { "DCOL2", "D", 0 },
        { "DCOL3", "D", 0 },
        { "CSROW", "D", 0 },
        { "CSCOL", "D", 0 },
        { "CCROW", "D", 0 },
        { "CCCOL", "D", 0 },
        { "RICUT", "D", 100 },
        { "MJD", "D", 51075.2 },
        { "AIRMASS", "D", 1.2 },
        { "MUERR", "E", 0.035 },
        { "NUERR", "E", 0.036 },
    };
    char rerun[] = "301", filter[2] = { orr_sdss_bands[band].name, '\0' };
    char *texts[2] = { rerun, filter };

    put_cells(f, cells, status);
    fits_write_col_str(f, 2, 1, 1, 1, texts, status);
    fits_write_col_str(f, 4, 1, 1, 1, texts + 1, status);
    fits_write_col_int(f, 7, 1, 2, 1, (int[1]){ o->height }, status);
}

static size_t room_for(const orr_synth_sdss_opts *o)
{
    size_t sky = (size_t)sky_cells(o->width) * (size_t)sky_cells(o->height);
    size_t image = (size_t)o->width * (size_t)o->height;
    size_t rows = 2 * (size_t)o->width + (size_t)o->height;

    return (image + sky + rows) * sizeof(float) + HEADERS;
}

orr_status orr_sdss_fits(const orr_synth_sdss_opts *o, const orr_sdss_field *f, int band,
                         float *image, char **out, size_t *bytes)
{
    size_t room = room_for(o);
    void *buffer = orr_alloc(room, 1);
    fitsfile *file = NULL;
    int status = 0, closing = 0;
    char text[FLEN_STATUS];
    LONGLONG head, data, end = 0;

    *out = NULL;
    *bytes = 0;
    if (!buffer) return orr_fail(ORR_ERR_NOMEM, "out of memory: a frame of %zu bytes", room);
        /* cfitsio has one list of open files for all threads */
#pragma omp critical(orr_sdss_cfitsio)
    {
        fits_create_memfile(&file, &buffer, &room, 0, NULL, &status);
        put_image(file, o, f, band, image, &status);
        put_calibration(file, o, band, image, &status); /* the image is written: room */
        put_sky(file, o, &f->frames[band], image, &status);
        put_as_trans(file, o, f, band, &status);
        fits_flush_file(file, &status);
        fits_get_hduaddrll(file, &head, &data, &end, &status);
        if (file) fits_close_file(file, &closing);
        fits_get_errstatus(status, text);
        fits_clear_errmsg();
    }
    if (status != 0) {
        orr_free(buffer);
        return orr_fail(ORR_ERR_INTERNAL, "cfitsio cannot write a frame: %s", text);
    }
    *out = buffer;
    *bytes = (size_t)end;
    return ORR_OK;
}
