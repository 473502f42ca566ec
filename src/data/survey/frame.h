/* data/survey/frame.h - one image of a survey: pixels, and where on the sky they lie.
 *
 * A frame is a FITS file in memory, plain or packed with bzip2 or gzip; its first HDU with a
 * two-dimensional image (further axes of one pixel each do not count) is the frame.  Opening
 * unpacks no more than the header; pixels are unpacked row after row, only as far as somebody asks
 * (the bzip2 blocks behind the last row wanted are never decoded).  No pixel of a bzip2 block is
 * handed out before the block's checksum was found right; gzip has one checksum at its end, so that
 * a gzip frame is unpacked at once, to the end of the member in which the image ends, and refused
 * when that is cut or damaged. CHECKSUM and DATASUM are looked at by orr_frame_check_sums.
 *
 * cfitsio reads the header and the pixels (BSCALE, BZERO and BLANK as it does, blank pixels being
 * NaN; tile-compressed images too, unpacked whole; result float32), wcs.h the world coordinates.
 *
 * Pixel coordinates are 0-based, (0, 0) = centre of the first pixel; x along NAXIS1 (columns), y
 * along NAXIS2 (rows): FITS's minus 1.  Sky: ICRS right ascension and declination in degrees,
 * whatever system the frame's own coordinates are in.
 * Owns its unpacked bytes, borrows the packed ones.   Not collective; one thread a frame.
 * Errors: ORR_ERR_FORMAT naming the frame (not FITS, no image, no celestial WCS, rows cut off or
 * damaged and from which packed byte on), ORR_ERR_NOMEM. */
#ifndef ORR_DATA_SURVEY_FRAME_H
#define ORR_DATA_SURVEY_FRAME_H

#include "core/status.h"
#include "data/survey/sky.h"

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct orr_frame orr_frame;

typedef struct orr_frame_opts {
    const orr_sky *sky;   /* of its coordinates, whatever its header says; NULL: as that says */
    int64_t max_unpacked; /* bytes; 0: as orr_unpacked_most says (data/formats/bytes.h) */
} orr_frame_opts;
/* name is for messages and is copied.  bytes stay the caller's, unchanged until close.  o may be
 * NULL. */
orr_status orr_frame_open(orr_frame **out, const void *bytes, size_t n, const orr_frame_opts *o,
                          const char *name);
void orr_frame_close(orr_frame *f);
/* Unpacks all of the image, when its HDU notes sums.  ORR_ERR_FORMAT when DATASUM is not that of
 * its data; a header that was edited since (CHECKSUM alone is wrong) is said as a warning. */
orr_status orr_frame_check_sums(orr_frame *f);
int orr_frame_width(const orr_frame *f);  /* NAXIS1 */
int orr_frame_height(const orr_frame *f); /* NAXIS2 */
/* The system of the frame's own coordinates. */
const orr_sky *orr_frame_sky(const orr_frame *f);
/* A keyword of the image's header as text, trimmed; "" when it is not there. */
void orr_frame_keyword(const orr_frame *f, const char *key, char *buf, size_t bytes);
/* x[n], y[n] of ra[n], dec[n].  An object that does not project (far side of the sky) gets NaN. */
orr_status orr_frame_to_pixel(const orr_frame *f, int n, const double *ra, const double *dec,
                              double *x, double *y);
/* Pixels [x0, x0 + w) x [y0, y0 + h) as out[h][w], all of which lie in the frame (else
 * ORR_ERR_ARG).  Unpacks up to row y0 + h - 1; calls in the order of rising rows cost the
 * least, but any order works.  Rows in front of a cut or of damage can still be read. */
orr_status orr_frame_read(orr_frame *f, int x0, int y0, int w, int h, float *out);
/* Bytes unpacked so far: for tests and for the figures. */
size_t orr_frame_unpacked(const orr_frame *f);

#ifdef __cplusplus
}
#endif
#endif
