/* data/survey/frame.c - FITS images through cfitsio, unpacked behind cfitsio's back.
 * cfitsio reads a memory file that is as long as header and image will be, while its bytes come to
 * be there step by step: they are only read once unpacked, in whole FITS blocks, because cfitsio
 * keeps blocks that it has seen. */
#include "data/survey/frame.h"
#include "data/survey/fits_lock_private.h"

#include "core/log.h"
#include "core/memory.h"
#include "data/formats/bytes.h"
#include "data/formats/fits_file.h"
#include "data/survey/unpack.h"
#include "data/survey/wcs.h"

#include <fitsio.h>
#include <limits.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    AXES = 9,             /* looked at; of more an image is none */
    CACHE_ROWS = 64,      /* rows kept as float32 */
    CACHE_BYTES = 8 << 20 /* and at most so much of them */
};
static const LONGLONG HEADER_MAX = 16 << 20, PIXELS_MAX = (LONGLONG)1 << 40;

struct orr_frame {
    char *name;
    orr_unpack *packed;
    orr_fits_file file; /* of what is unpacked */
    orr_wcs *wcs;
    int width, height, bitpix;
    float *cache; /* row r, if at all, in slot r % n_cache */
    int *row_of, n_cache;
    size_t most; /* bytes that the image may have, unpacked */
};

static pthread_mutex_t one_at_a_time = PTHREAD_MUTEX_INITIALIZER;

void orr_fits_lock(int always)
{
    if (always || !fits_is_reentrant()) pthread_mutex_lock(&one_at_a_time);
}

void orr_fits_unlock(int always)
{
    if (always || !fits_is_reentrant()) pthread_mutex_unlock(&one_at_a_time);
}

static orr_status fits_trouble(const orr_frame *f, int status, const char *what)
{
    char text[FLEN_STATUS];

    if (status == MEMORY_ALLOCATION) return orr_fail(ORR_ERR_NOMEM, "out of memory: %s", f->name);
    fits_get_errstatus(status, text);
    return orr_fail(ORR_ERR_FORMAT, "%s: %s: %s (cfitsio %d)", f->name, what, text, status);
}

/* Two axes, or more whose others have one pixel each. */
static int is_plane(int n_axes, const LONGLONG size[AXES])
{
    if (n_axes < 2 || n_axes > AXES) return 0;
    for (int i = 2; i < n_axes; i++)
        if (size[i] != 1) return 0;
    return 1;
}

/* Walks the HDUs up to the image.  END_OF_FILE: *want bytes are needed for the next step.
 * *axes: those of the last image that was not it, -1 when there was none. */
static int find_image(orr_frame *f, size_t *want, int *axes)
{
    size_t ready = orr_unpack_ready(f->packed);
    LONGLONG size[AXES] = { 0 };
    int status, n_axes = 0;

    *want = ready + 1;
    *axes = -1;
    f->file.bytes = orr_unpack_bytes(f->packed);
    f->file.n = ready - ready % ORR_FITS_BLOCK;
    for (status = orr_fits_first(&f->file); !status; status = orr_fits_next(&f->file)) {
        if (f->file.type == IMAGE_HDU)
            fits_get_img_paramll(f->file.hdu, AXES, &f->bitpix, &n_axes, size, &status);
        if (status || (f->file.type == IMAGE_HDU && is_plane(n_axes, size))) break;
        if (f->file.type == IMAGE_HDU && n_axes > 0) *axes = n_axes;
        if (f->file.end + ORR_FITS_BLOCK > (LONGLONG)ready) {
            *want = (size_t)f->file.end + ORR_FITS_BLOCK;
            return END_OF_FILE;
        }
    }
    if (status) return status;
    if (size[0] < 1 || size[1] < 1 || size[0] > INT_MAX || size[1] > INT_MAX ||
        size[0] > PIXELS_MAX / size[1])
        return BAD_NAXES;
    f->width = (int)size[0];
    f->height = (int)size[1];
    return 0;
}

/* The content ended before there was an image. */
static orr_status no_image(const orr_frame *f, int axes)
{
    const char *why = orr_unpack_why(f->packed);
    int hdu = f->file.number;

    if (!f->file.hdu)
        return orr_fail(ORR_ERR_FORMAT, "%s: its header is cut short: %s", f->name, why);
    if (axes < 0)
        return orr_fail(ORR_ERR_FORMAT, "%s: no image in its %d HDUs: %s", f->name, hdu, why);
    return orr_fail(ORR_ERR_FORMAT,
                    "%s: no two-dimensional image in its %d HDUs, the last image has %d axes: %s",
                    f->name, hdu, axes, why);
}

static orr_status check_fits(const orr_frame *f)
{
    const char *p = orr_unpack_bytes(f->packed);
    size_t n = orr_unpack_ready(f->packed);

    if (n >= 9 && memcmp(p, "SIMPLE  =", 9) == 0) return ORR_OK;
    if (n == 0 && *orr_unpack_why(f->packed))
        return orr_fail(ORR_ERR_FORMAT, "%s: not a FITS file: %s", f->name,
                        orr_unpack_why(f->packed));
    return orr_fail(ORR_ERR_FORMAT, "%s: not a FITS file, but %s", f->name, orr_unpack_looks(p, n));
}

/* Unpacks until the header of the image is there, and no more. */
static orr_status seek_image(orr_frame *f)
{
    size_t want = ORR_FITS_BLOCK;
    int status, axes = -1;

    for (;;) {
        orr_status st = orr_unpack_to(f->packed, want);

        if (st != ORR_OK && st != ORR_ERR_FORMAT) return st;
        ORR_TRY(check_fits(f));
        if (st != ORR_OK) return no_image(f, axes);
        status = find_image(f, &want, &axes);
        if (status == 0) return ORR_OK;
        if (status == BAD_NAXES)
            return orr_fail(ORR_ERR_FORMAT, "%s: HDU %d is an image of a size that cannot be",
                            f->name, f->file.number);
        if (status != END_OF_FILE) return fits_trouble(f, status, "header");
        if (!f->file.hdu && want > (size_t)HEADER_MAX)
            return orr_fail(ORR_ERR_FORMAT, "%s: its header has no END in %lld MiB", f->name,
                            HEADER_MAX >> 20);
    }
}

/* Tiles are unpacked by cfitsio, which believes the header: the image must be what so many bytes
 * may become.  Of another image nothing is taken on the header's word alone. */
static orr_status check_tiles(const orr_frame *f)
{
    LONGLONG pixels = (LONGLONG)f->width * f->height;
    int bytes = abs(f->bitpix) / 8;

    if (!f->file.tiled || (size_t)pixels <= f->most / (size_t)bytes) return ORR_OK;
    return orr_fail(ORR_ERR_FORMAT,
                    "%s: its header says %d x %d pixels, more than the %zu bytes that so small a "
                    "file may become; raise archive.max_unpacked when that is right",
                    f->name, f->width, f->height, f->most);
}

static orr_status open_image(orr_frame *f)
{
    size_t end;
    int status;

    ORR_TRY(seek_image(f));
    ORR_TRY(check_tiles(f));
    end = (size_t)f->file.end;
    orr_fits_close(&f->file);
    ORR_TRY(orr_unpack_limit(f->packed, end));
    ORR_TRY(orr_unpack_prove(f->packed, end));
    status = orr_fits_again(&f->file, orr_unpack_bytes(f->packed), end);
    if (status) return fits_trouble(f, status, "header");
    return ORR_OK;
}

static orr_status read_wcs(orr_frame *f, const orr_sky *sky)
{
    char *text = NULL;
    int status = 0, ignored = 0, n_cards = 0;
    orr_status st;

    /* Of tiles, too, as it stands: the image's world coordinates have their own names in it, and
     * cfitsio's translation wants the cards in fpack's order. */
    fits_hdr2str(f->file.hdu, 1, NULL, 0, &text, &n_cards, &status);
    if (status) return fits_trouble(f, status, "header");
    st = orr_wcs_open(&f->wcs, text, n_cards, sky, f->name);
    fits_free_memory(text, &ignored);
    return st;
}

static orr_status make_cache(orr_frame *f)
{
    size_t row = (size_t)f->width * sizeof *f->cache;
    size_t n = CACHE_BYTES / row < CACHE_ROWS ? CACHE_BYTES / row : CACHE_ROWS;

    f->n_cache = n ? (int)n : 1;
    f->cache = orr_alloc((size_t)f->n_cache, row);
    f->row_of = orr_alloc((size_t)f->n_cache, sizeof *f->row_of);
    if (!f->cache || !f->row_of) {
        orr_free(f->cache);
        orr_free(f->row_of);
        f->cache = NULL;
        f->row_of = NULL;
        return orr_fail(ORR_ERR_NOMEM, "out of memory: rows of %s", f->name);
    }
    memset(f->row_of, 0xff, (size_t)f->n_cache * sizeof *f->row_of); /* -1: none */
    return ORR_OK;
}

orr_status orr_frame_open(orr_frame **out, const void *bytes, size_t n, const orr_frame_opts *o,
                          const char *name)
{
    orr_status st;
    orr_frame *f = orr_alloc(1, sizeof *f);

    *out = NULL;
    if (!f || !(f->name = orr_strdup(name))) {
        orr_free(f);
        return orr_fail(ORR_ERR_NOMEM, "out of memory: %s", name);
    }
    f->most = orr_unpacked_most(n, o ? o->max_unpacked : 0);
    orr_fits_lock(1);
    ORR_TRY_GOTO(st, done, orr_unpack_open(&f->packed, bytes, n, f->most, f->name));
    ORR_TRY_GOTO(st, done, open_image(f));
    ORR_TRY_GOTO(st, done, read_wcs(f, o ? o->sky : NULL));
    *out = f;
    f = NULL;
done:
    orr_fits_unlock(1);
    orr_frame_close(f);
    return st;
}

void orr_frame_close(orr_frame *f)
{
    if (!f) return;
    orr_fits_lock(0);
    orr_fits_close(&f->file);
    orr_fits_unlock(0);
    orr_wcs_close(f->wcs);
    orr_unpack_close(f->packed);
    orr_free(f->cache);
    orr_free(f->row_of);
    orr_free(f->name);
    orr_free(f);
}

int orr_frame_width(const orr_frame *f)
{
    return f->width;
}

int orr_frame_height(const orr_frame *f)
{
    return f->height;
}

const orr_sky *orr_frame_sky(const orr_frame *f)
{
    return orr_wcs_sky(f->wcs);
}

size_t orr_frame_unpacked(const orr_frame *f)
{
    return orr_unpack_done(f->packed);
}

void orr_frame_keyword(const orr_frame *f, const char *key, char *buf, size_t bytes)
{
    char value[FLEN_VALUE] = "";
    const char *p = value;
    int status = 0;
    size_t n;

    orr_fits_lock(0);
    fits_read_key(f->file.hdu, TSTRING, key, value, NULL, &status);
    orr_fits_unlock(0);
    if (status) value[0] = 0;
    p += strspn(p, " ");
    for (n = strlen(p); n > 0 && p[n - 1] == ' ';)
        n--;
    if (bytes) snprintf(buf, bytes, "%.*s", (int)n, p);
}

orr_status orr_frame_to_pixel(const orr_frame *f, int n, const double *ra, const double *dec,
                              double *x, double *y)
{
    return orr_wcs_to_pixel(f->wcs, n, ra, dec, x, y);
}

/* Sees that the bytes of rows up to y are there, in whole FITS blocks. */
static orr_status unpack_rows(orr_frame *f, int y)
{
    LONGLONG pixel = f->bitpix < 0 ? -f->bitpix / 8 : f->bitpix / 8, row = f->width * pixel;
    LONGLONG need = f->file.tiled ? f->file.used : f->file.data + (y + 1) * row, whole;
    orr_status st;

    whole = (need + ORR_FITS_BLOCK - 1) / ORR_FITS_BLOCK * ORR_FITS_BLOCK;
    if (whole > f->file.end) whole = f->file.end;
    st = orr_unpack_to(f->packed, (size_t)whole);
    if (st == ORR_ERR_FORMAT && (LONGLONG)orr_unpack_ready(f->packed) >= need)
        st = orr_unpack_pad(f->packed, (size_t)whole);
    orr_fits_moved(&f->file, orr_unpack_bytes(f->packed));
    if (st != ORR_ERR_FORMAT) return st;
    need = (LONGLONG)orr_unpack_ready(f->packed) - f->file.data;
    if (f->file.tiled)
        return orr_fail(st, "%s: its image is not whole: %s", f->name, orr_unpack_why(f->packed));
    return orr_fail(st, "%s: only %lld of its %d rows are there: %s", f->name,
                    need > 0 ? need / row : 0, f->height, orr_unpack_why(f->packed));
}

orr_status orr_frame_check_sums(orr_frame *f)
{
    orr_fits_sums sums;
    int has;

    orr_fits_lock(0);
    has = orr_fits_has_sums(&f->file);
    orr_fits_unlock(0);
    if (!has) return ORR_OK;
    ORR_TRY(unpack_rows(f, f->height - 1));
    orr_fits_lock(0);
    sums = orr_fits_check_sums(&f->file);
    orr_fits_unlock(0);
    if (sums.data < 0 || (sums.hdu < 0 && sums.data == 0))
        return orr_fail(ORR_ERR_FORMAT,
                        "%s: damaged, or edited since: HDU %d does not have the %s it notes; fetch "
                        "the file again (archive.proof: structure takes it as it is)",
                        f->name, f->file.number, sums.data < 0 ? "DATASUM" : "CHECKSUM");
    if (sums.hdu < 0)
        orr_log(ORR_WARN, "frame",
                "%s: the header of HDU %d was edited since its CHECKSUM was noted (its DATASUM is "
                "right)",
                f->name, f->file.number);
    return ORR_OK;
}

/* The bytes of the row are there. */
static orr_status load_row(orr_frame *f, int y, const float **out)
{
    int slot, blanks, status = 0;
    float *row, blank = NAN;
    long first[AXES] = { 1, y + 1, 1, 1, 1, 1, 1, 1, 1 };

    if (!f->cache) ORR_TRY(make_cache(f));
    slot = y % f->n_cache;
    *out = row = f->cache + (size_t)slot * (size_t)f->width;
    if (f->row_of[slot] == y) return ORR_OK;
    f->row_of[slot] = -1;
    orr_fits_lock(0);
    /* No blanks among floating-point pixels: looking for them would make zeros of denormal
     * numbers. */
    fits_read_pix(f->file.hdu, TFLOAT, first, f->width,
                  f->bitpix < 0 && !f->file.tiled ? NULL : &blank, row, &blanks, &status);
    orr_fits_unlock(0);
    if (status == NUM_OVERFLOW)
        return orr_fail(ORR_ERR_FORMAT, "%s: row %d has a value that float32 cannot hold", f->name,
                        y);
    if (status) return fits_trouble(f, status, "pixels");
    f->row_of[slot] = y;
    return ORR_OK;
}

orr_status orr_frame_read(orr_frame *f, int x0, int y0, int w, int h, float *out)
{
    const float *row;

    if (x0 < 0 || y0 < 0 || w < 1 || h < 1 || x0 > f->width - w || y0 > f->height - h)
        return orr_fail(ORR_ERR_ARG, "%s: %d x %d pixels from (%d, %d) on do not lie in %d x %d",
                        f->name, w, h, x0, y0, f->width, f->height);
    ORR_TRY(unpack_rows(f, y0 + h - 1));
    for (int y = y0; y < y0 + h; y++, out += w) {
        ORR_TRY(load_row(f, y, &row));
        memcpy(out, row + x0, (size_t)w * sizeof *out);
    }
    return ORR_OK;
}
