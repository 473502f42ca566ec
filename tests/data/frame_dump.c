/* tests/data/frame_dump.c - what frames and cutouts give, as bytes for the Python oracle.
 *
 *   frame_dump image OUT FRAME                              int32 width, height, float32 pixels
 *   frame_dump places POSITIONS OUT FRAME                   float64 x[n], y[n]
 *   frame_dump cubes POSITIONS OUT SIZE FILL NAN FRAME ...  POSITIONS: float64 ra[n], dec[n]
 *
 * cubes: of each frame float64 x[n], y[n]; then of each edge rule (clamp, drop, pad) int32
 * {aside, moved, nans}[frames][n] and float32 cubes [n][SIZE][SIZE][frames], zeros for those aside.
 * A failure prints its sentence and exits 1. */
#include "core/file.h"
#include "core/memory.h"
#include "data/survey/cutout.h"

#include <stdio.h>
#include <string.h>

enum { EDGES = 3, FRAME_MAX = 1 << 30 };
static const char *const edges[EDGES] = { "clamp", "drop", "pad" };

typedef struct {
    orr_frame *frame;
    char *bytes;
} opened;

static orr_status open_frame(opened *o, const char *path)
{
    size_t n;

    ORR_TRY(orr_read_file(&o->bytes, &n, path, FRAME_MAX));
    return orr_frame_open(&o->frame, o->bytes, n, NULL, strrchr(path, '/') + 1);
}

static void close_frame(opened *o)
{
    orr_frame_close(o->frame);
    orr_free(o->bytes);
    *o = (opened){ 0 };
}

static orr_status image(const char *path, FILE *out)
{
    opened o = { 0 };
    float *pixels = NULL;
    orr_status st;
    int size[2];

    ORR_TRY_GOTO(st, done, open_frame(&o, path));
    size[0] = orr_frame_width(o.frame);
    size[1] = orr_frame_height(o.frame);
    if (!(pixels = orr_alloc((size_t)size[0] * (size_t)size[1], sizeof *pixels)))
        ORR_TRY_GOTO(st, done, orr_fail(ORR_ERR_NOMEM, "pixels"));
    ORR_TRY_GOTO(st, done, orr_frame_read(o.frame, 0, 0, size[0], size[1], pixels));
    fwrite(size, sizeof size, 1, out);
    fwrite(pixels, sizeof *pixels, (size_t)size[0] * (size_t)size[1], out);
done:
    orr_free(pixels);
    close_frame(&o);
    return st;
}

static orr_status places(const char *positions, const char *path, FILE *out)
{
    opened o = { 0 };
    double *pixel = NULL;
    char *sky = NULL;
    size_t bytes, n;
    orr_status st;

    ORR_TRY_GOTO(st, done, orr_read_file(&sky, &bytes, positions, FRAME_MAX));
    n = bytes / (2 * sizeof(double));
    ORR_TRY_GOTO(st, done, open_frame(&o, path));
    if (!(pixel = orr_alloc(2 * n + 1, sizeof *pixel)))
        ORR_TRY_GOTO(st, done, orr_fail(ORR_ERR_NOMEM, "places"));
    ORR_TRY_GOTO(st, done,
                 orr_frame_to_pixel(o.frame, (int)n, (const double *)(const void *)sky,
                                    (const double *)(const void *)sky + n, pixel, pixel + n));
    fwrite(pixel, sizeof *pixel, 2 * n, out);
done:
    orr_free(pixel);
    orr_free(sky);
    close_frame(&o);
    return st;
}

typedef struct {
    int n, n_frames, size;
    const double *sky;
    double *pixel;
    orr_band_result *results;
    int *flags;
    float *cubes[EDGES];
} work;

static orr_status band(work *w, const orr_cutout_opts *base, const char *path, int b, FILE *out)
{
    opened o = { 0 };
    orr_status st;

    ORR_TRY_GOTO(st, done, open_frame(&o, path));
    ORR_TRY_GOTO(
        st, done,
        orr_frame_to_pixel(o.frame, w->n, w->sky, w->sky + w->n, w->pixel, w->pixel + w->n));
    fwrite(w->pixel, sizeof *w->pixel, 2 * (size_t)w->n, out);
    for (int e = 0; e < EDGES; e++) {
        orr_cutout_opts co = *base;
        int *flags = w->flags + 3 * (size_t)(e * w->n_frames + b) * (size_t)w->n;

        co.edge = edges[e];
        ORR_TRY_GOTO(st, done,
                     orr_cutout_band(&co, o.frame, w->n, w->sky, w->sky + w->n, b, w->n_frames,
                                     w->cubes[e], w->results));
        for (int i = 0; i < w->n; i++) {
            flags[3 * i] = w->results[i].aside;
            flags[3 * i + 1] = w->results[i].moved;
            flags[3 * i + 2] = w->results[i].nans;
            if (w->results[i].aside != (w->results[i].reason[0] != 0))
                ORR_TRY_GOTO(st, done, orr_fail(ORR_ERR_INTERNAL, "object %d: reason", i));
        }
    }
done:
    close_frame(&o);
    return st;
}

static orr_status cubes(char **argv, int n_frames, FILE *out)
{
    orr_cutout_opts o = { .nan = argv[3] };
    work w = { .n_frames = n_frames };
    size_t bytes, floats;
    int64_t size;
    char *sky = NULL;
    orr_status st;

    ORR_TRY_GOTO(st, done, orr_read_file(&sky, &bytes, argv[0], FRAME_MAX));
    ORR_TRY_GOTO(st, done, orr_parse_int64(&size, argv[1]));
    ORR_TRY_GOTO(st, done, orr_parse_real(&o.fill, argv[2]));
    o.size = w.size = (int)size;
    w.n = (int)(bytes / (2 * sizeof(double)));
    w.sky = (const double *)(const void *)sky;
    floats = (size_t)w.n * (size_t)size * (size_t)size * (size_t)n_frames;
    w.pixel = orr_alloc(2 * (size_t)w.n, sizeof *w.pixel);
    w.results = orr_alloc((size_t)w.n, sizeof *w.results);
    w.flags = orr_alloc(3 * EDGES * (size_t)w.n * (size_t)n_frames, sizeof *w.flags);
    for (int e = 0; e < EDGES; e++)
        w.cubes[e] = orr_alloc(floats, sizeof(float));
    for (int b = 0; b < n_frames; b++)
        ORR_TRY_GOTO(st, done, band(&w, &o, argv[4 + b], b, out));
    for (int e = 0; e < EDGES; e++) {
        size_t flags = 3 * (size_t)w.n * (size_t)n_frames;

        fwrite(w.flags + (size_t)e * flags, sizeof *w.flags, flags, out);
        fwrite(w.cubes[e], sizeof(float), floats, out);
    }
done:
    for (int e = 0; e < EDGES; e++)
        orr_free(w.cubes[e]);
    orr_free(w.flags);
    orr_free(w.results);
    orr_free(w.pixel);
    orr_free(sky);
    return st;
}

int main(int argc, char **argv)
{
    int whole = argc == 4 && strcmp(argv[1], "image") == 0;
    int only_places = argc == 5 && strcmp(argv[1], "places") == 0;
    orr_status st;
    FILE *out;

    if (!whole && !only_places && (argc < 8 || strcmp(argv[1], "cubes") != 0)) return 2;
    if (!(out = fopen(argv[whole ? 2 : 3], "wb"))) return 2;
    /* cubes: POSITIONS OUT SIZE FILL NAN FRAME ... without OUT */
    if (!whole) argv[3] = argv[2];
    st = whole         ? image(argv[3], out)
         : only_places ? places(argv[2], argv[4], out)
                       : cubes(argv + 3, argc - 7, out);
    if (fclose(out) != 0) return 2;
    if (st != ORR_OK) fprintf(stderr, "%s\n", orr_error_text());
    return st != ORR_OK;
}
