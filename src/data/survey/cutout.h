/* data/survey/cutout.h - the stamp around an object, band by band.
 *
 * The stamp of an object at pixel (x, y) of a band's frame is size x size pixels, from column
 * ceil(x - size/2) and row ceil(y - size/2) on: its middle lies as near to the position as whole
 * pixels allow, at most half a pixel away.  This is the rule of astropy.nddata.Cutout2D.  Each
 * band is placed by its own WCS, so bands are registered to half a pixel.
 * Edge, for a stamp that does not lie in the frame:
 *   clamp  moved inwards until it does (the object is then off its centre)
 *   drop   the object is set aside
 *   pad    pixels outside are `fill` (default 0)
 * An object whose centre pixel is outside the frame is always set aside, whatever the rule.
 * A frame smaller than the stamp: clamp sets aside.
 * Pixels of the stamp that are NaN or infinite are no value: drop sets the object aside, zero makes
 * them 0, keep makes them NaN; all are counted. The stamp of an object that is set aside is left as
 * it was.
 *
 * Not collective; thread-safe, as long as no two threads use one frame. */
#ifndef ORR_DATA_SURVEY_CUTOUT_H
#define ORR_DATA_SURVEY_CUTOUT_H

#include "core/options.h"
#include "core/status.h"
#include "data/survey/frame.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum { ORR_EDGE_CLAMP, ORR_EDGE_DROP, ORR_EDGE_PAD } orr_edge;
typedef enum { ORR_NAN_DROP, ORR_NAN_ZERO, ORR_NAN_KEEP } orr_nan_rule;

/* The `crop:` section of a crop job. */
typedef struct orr_cutout_opts {
    int size;         /* pixels, 32 */
    const char *edge; /* clamp | drop | pad */
    double fill;      /* pad */
    const char *nan;  /* drop | zero | keep */
    const char *sky;  /* system of the frames' coordinates (sky.h); "" = what their headers say */
} orr_cutout_opts;
extern const orr_option orr_cutout_options[];

/* Where a stamp lies: its first column and row, which may be negative with pad. */
typedef struct orr_place {
    int x0, y0;
    int moved;   /* clamp had to move it */
    int outside; /* pixels of it that lie outside the frame (pad) */
} orr_place;

/* Returns 1 with a place; 0 when the object is set aside, reason ("" otherwise) saying why: "35
 * pixels outside the frame: (-35.2, 811.7) of 2048 x 1489".  NaN positions count as outside. */
int orr_cutout_place(const orr_cutout_opts *o, int width, int height, double x, double y,
                     orr_place *out, char *reason, size_t bytes);

typedef struct orr_band_result {
    int aside;       /* this band cannot give a stamp of the object: reason says why */
    int moved, nans; /* clamped; pixels met that are no value */
    char reason[160];
} orr_band_result;
/* One band of n objects at ra[], dec[] out of one frame: pixel (r, c) of object i goes to
 * cubes[i][r][c][band], cubes being [n][size][size][n_bands] float32.  Stamps are read in the
 * order of rows, whatever the objects' order, and the frame is unpacked up to the last row of
 * them.  results[n] is overwritten; what went wrong with the frame itself is the returned
 * status (then no result is defined). */
orr_status orr_cutout_band(const orr_cutout_opts *o, orr_frame *f, int n, const double *ra,
                           const double *dec, int band, int n_bands, float *cubes,
                           orr_band_result *results);

#ifdef __cplusplus
}
#endif
#endif
