/* data/survey/cutout.c - stamps by astropy.nddata.Cutout2D's rule, rows first. */
#include "data/survey/cutout.h"

#include "core/memory.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const orr_option orr_cutout_options[] = {
    ORR_OPTION_INT(orr_cutout_opts, size, "32", 1, 4096, "stamp, pixels on a side"),
    ORR_OPTION_CHOICE(orr_cutout_opts, edge, "clamp", "clamp|drop|pad",
                      "stamp over the frame's edge: move it inwards, set the object aside, fill"),
    ORR_OPTION_REAL(orr_cutout_opts, fill, "0", -3.4028234e38, 3.4028234e38,
                    "what pad fills with, in the frame's unit"),
    ORR_OPTION_CHOICE(
        orr_cutout_opts, nan, "drop", "drop|zero|keep",
        "pixels of a stamp that are NaN or infinite: set the object aside, make them 0, keep "
        "them as NaN"),
    ORR_OPTION_STRING(orr_cutout_opts, sky, "",
                      "system of the frames' coordinates where their headers say it wrongly or not "
                      "at all: ICRS, FK5 J1975, FK4 B1950, galactic, ...; none: as they say"),
    ORR_OPTION_END
};

static orr_edge edge_of(const orr_cutout_opts *o)
{
    if (strcmp(o->edge, "pad") == 0) return ORR_EDGE_PAD;
    return strcmp(o->edge, "drop") == 0 ? ORR_EDGE_DROP : ORR_EDGE_CLAMP;
}

static orr_nan_rule nan_of(const orr_cutout_opts *o)
{
    if (strcmp(o->nan, "keep") == 0) return ORR_NAN_KEEP;
    return strcmp(o->nan, "zero") == 0 ? ORR_NAN_ZERO : ORR_NAN_DROP;
}

/* Pixels between a position and the frame's edge, along one axis; inside it is not positive. */
static double beyond(double x, int n)
{
    return x < 0 ? -0.5 - x : x - (n - 0.5);
}

static int clamp(int x, int low, int high)
{
    return x < low ? low : x > high ? high : x;
}

/* Pixels of [x0, x0 + size) that lie in [0, n). */
static int inside(int x0, int size, int n)
{
    int a = x0 < 0 ? 0 : x0, b = x0 + size < n ? x0 + size : n;

    return b > a ? b - a : 0;
}

int orr_cutout_place(const orr_cutout_opts *o, int width, int height, double x, double y,
                     orr_place *out, char *reason, size_t bytes)
{
    orr_edge edge = edge_of(o);
    double half = o->size / 2.0;
    int s = o->size, kept;

    *out = (orr_place){ 0 };
    if (bytes) *reason = 0;
    if (!isfinite(x) || !isfinite(y)) {
        snprintf(reason, bytes, "outside the frame: its position does not project onto it");
        return 0;
    }
    if (!(x > -0.5 && x <= width - 0.5 && y > -0.5 && y <= height - 0.5)) {
        double far = fmax(beyond(x, width), beyond(y, height));

        snprintf(reason, bytes, "%.7g pixels outside the frame: (%.6g, %.6g) of %d x %d",
                 fmax(ceil(far), 1), x, y, width, height);
        return 0;
    }
    out->x0 = (int)ceil(x - half);
    out->y0 = (int)ceil(y - half);
    kept = inside(out->x0, s, width) * inside(out->y0, s, height);
    if (kept == s * s) return 1;
    if (edge == ORR_EDGE_PAD) {
        out->outside = s * s - kept;
        return 1;
    }
    if (edge == ORR_EDGE_DROP) {
        snprintf(reason, bytes,
                 "its stamp crosses the frame's edge: columns %d to %d of %d, rows %d to %d of %d",
                 out->x0, out->x0 + s - 1, width, out->y0, out->y0 + s - 1, height);
        return 0;
    }
    if (s > width || s > height) {
        snprintf(reason, bytes, "the frame, %d x %d, is smaller than a stamp of %d", width, height,
                 s);
        return 0;
    }
    out->x0 = clamp(out->x0, 0, width - s);
    out->y0 = clamp(out->y0, 0, height - s);
    out->moved = 1;
    return 1;
}

/* An object that has a place. */
typedef struct {
    orr_place at;
    int object;
} stamp;

/* Rows first; then the object's number, so that the order is one and the same everywhere. */
static int by_row(const void *a, const void *b)
{
    const stamp *p = a, *q = b;

    if (p->at.y0 != q->at.y0) return p->at.y0 < q->at.y0 ? -1 : 1;
    return p->object < q->object ? -1 : 1;
}

/* Places of the n objects: the stamps to read, sorted, and what is aside already. */
static orr_status place_all(const orr_cutout_opts *o, const orr_frame *f, int n, const double *ra,
                            const double *dec, stamp *stamps, int *n_stamps,
                            orr_band_result *results)
{
    enum { AT_ONCE = 256 };
    double x[AT_ONCE], y[AT_ONCE];
    int width = orr_frame_width(f), height = orr_frame_height(f);

    *n_stamps = 0;
    for (int i = 0; i < n; i++) {
        orr_band_result *r = &results[i];
        stamp *s = &stamps[*n_stamps];
        int k = i % AT_ONCE;

        if (k == 0)
            ORR_TRY(
                orr_frame_to_pixel(f, n - i < AT_ONCE ? n - i : AT_ONCE, ra + i, dec + i, x, y));
        *r = (orr_band_result){ 0 };
        r->aside =
            !orr_cutout_place(o, width, height, x[k], y[k], &s->at, r->reason, sizeof r->reason);
        if (r->aside) continue;
        r->moved = s->at.moved;
        s->object = i;
        ++*n_stamps;
    }
    qsort(stamps, (size_t)*n_stamps, sizeof *stamps, by_row);
    return ORR_OK;
}

/* The stamp's part in the frame goes to pixels (packed, *w x *h), which lie at (*dx, *dy) of it. */
static orr_status read_part(orr_frame *f, const orr_place *p, int size, float *pixels, int part[4])
{
    int x0 = p->x0 < 0 ? 0 : p->x0, y0 = p->y0 < 0 ? 0 : p->y0;
    int w = inside(p->x0, size, orr_frame_width(f)), h = inside(p->y0, size, orr_frame_height(f));

    part[0] = x0 - p->x0;
    part[1] = y0 - p->y0;
    part[2] = w;
    part[3] = h;
    return orr_frame_read(f, x0, y0, w, h, pixels);
}

/* Counts the pixels that are no value, infinities among them; they become 0 or NaN. */
static int count_nans(float *pixels, int n, int zero)
{
    int nans = 0;

    for (int i = 0; i < n; i++)
        nans += !isfinite(pixels[i]);
    for (int i = 0; nans && i < n; i++)
        if (!isfinite(pixels[i])) pixels[i] = zero ? 0 : NAN;
    return nans;
}

static void put(float *cube, int size, int stride, const float *pixels, const int part[4],
                float fill)
{
    int w = part[2], h = part[3];

    if (w * h < size * size)
        for (int i = 0; i < size * size; i++)
            cube[(size_t)i * (size_t)stride] = fill;
    for (int r = 0; r < h; r++) {
        float *to = cube + (size_t)((part[1] + r) * size + part[0]) * (size_t)stride;

        for (int c = 0; c < w; c++)
            to[(size_t)c * (size_t)stride] = pixels[r * w + c];
    }
}

orr_status orr_cutout_band(const orr_cutout_opts *o, orr_frame *f, int n, const double *ra,
                           const double *dec, int band, int n_bands, float *cubes,
                           orr_band_result *results)
{
    size_t area = (size_t)o->size * (size_t)o->size;
    stamp *stamps = orr_alloc((size_t)n + 1, sizeof *stamps);
    float *pixels = orr_alloc(area, sizeof *pixels);
    orr_nan_rule rule = nan_of(o);
    orr_status st = ORR_OK;
    int n_stamps, part[4];

    if (!stamps || !pixels)
        ORR_TRY_GOTO(st, done, orr_fail(ORR_ERR_NOMEM, "out of memory: stamps of %d objects", n));
    ORR_TRY_GOTO(st, done, place_all(o, f, n, ra, dec, stamps, &n_stamps, results));
    for (int i = 0; i < n_stamps; i++) {
        int object = stamps[i].object;
        orr_band_result *r = &results[object];
        float *cube = cubes + (size_t)object * area * (size_t)n_bands + band;

        ORR_TRY_GOTO(st, done, read_part(f, &stamps[i].at, o->size, pixels, part));
        r->nans = count_nans(pixels, part[2] * part[3], rule == ORR_NAN_ZERO);
        r->aside = r->nans && rule == ORR_NAN_DROP;
        if (r->aside)
            snprintf(r->reason, sizeof r->reason, "%d pixels of its stamp are NaN or infinite",
                     r->nans);
        else
            put(cube, o->size, n_bands, pixels, part, (float)o->fill);
    }
done:
    orr_free(stamps);
    orr_free(pixels);
    return st;
}
